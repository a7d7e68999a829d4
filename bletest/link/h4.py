"""H4, the framing of HCI on a stream (Vol 4, Part A), as a controller has to read it."""

from collections.abc import Iterator

COMMAND = 0x01
ACL_DATA = 0x02

_NAMES = {0x03: "synchronous data", 0x04: "an event", 0x05: "isochronous data"}
_COMMAND_HEADER = 4
_ACL_HEADER = 5


class MalformedH4(ValueError):
    """Octets that no host sends to this controller; H4 has no way to find the next packet."""


class Framer:
    """Cuts a stream of octets from a host into packets, each with its packet indicator.

    ``acl_length`` is the longest ACL data packet the controller takes, in octets of data. It is
    reported to hosts as the size of the buffers, so none may send a longer one.
    """

    def __init__(self, acl_length: int) -> None:
        self._acl_length = acl_length
        self._pending = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield every packet that is complete; raises :class:`MalformedH4`.

        What the packets before the malformed octets ask for has been yielded by then.
        """
        stream = self._pending + data
        self._pending = b""
        start, end = 0, len(stream)
        while start < end:
            size = self._size(stream, start, end)
            if size is None or start + size > end:
                self._pending = stream[start:]
                return
            yield stream[start : start + size]
            start += size

    def _size(self, stream: bytes, start: int, end: int) -> int | None:
        """Return the octets of the packet at ``start``, None while its header is not whole."""
        indicator = stream[start]
        if indicator == COMMAND:
            return _COMMAND_HEADER + stream[start + 3] if end - start >= _COMMAND_HEADER else None
        if indicator == ACL_DATA:
            if end - start < _ACL_HEADER:
                return None
            length = stream[start + 3] | stream[start + 4] << 8
            if length > self._acl_length:
                raise MalformedH4(
                    f"an ACL data packet of {length} octets, and the buffers have "
                    f"{self._acl_length}"
                )
            return _ACL_HEADER + length
        what = _NAMES.get(indicator)
        raise MalformedH4(
            f"{what} from a host, which this controller does not take"
            if what
            else f"0x{indicator:02X} where a packet indicator is due"
        )
