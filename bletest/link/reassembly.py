"""L2CAP frames from ACL data packets (Vol 3, Part A, 7.2.1; Vol 4, Part E, 5.4.2)."""

import logging

logger = logging.getLogger(__name__)

FIRST = (0b00, 0b10)
CONTINUING = 0b01

_HEADER = 4  # length and CID


class Reassembly:
    """Puts the frames of one connection together, and drops what cannot be one."""

    def __init__(self) -> None:
        self._frame = b""

    def feed(self, boundary_flag: int, data: bytes) -> bytes | None:
        """Take one packet's data; return the frame that it completes, with its header."""
        if boundary_flag == CONTINUING:
            if not self._frame:
                logger.warning("dropped an ACL packet that continues nothing")
                return None
            self._frame += data
        elif boundary_flag in FIRST:
            if self._frame:
                logger.warning("dropped an L2CAP frame that was never finished")
            self._frame = data
        else:
            logger.warning("dropped an ACL packet with a boundary flag that LE does not have")
            return None
        frame = self._frame
        if len(frame) < _HEADER:
            return None
        excess = len(frame) - _HEADER - (frame[0] | frame[1] << 8)
        if excess < 0:
            return None
        self._frame = b""
        if excess:
            logger.warning("dropped an L2CAP frame with %d octets too many", excess)
            return None
        return frame
