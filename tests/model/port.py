"""Raw centrals whose ATT octets pass beside the host of bumble, which words each of them first.

Everything else is bumble's: connecting, pairing, channels.
"""

from collections.abc import Callable
from typing import Any

from tests.support.raw_central import ATT_CID, RawCentral

ACL, EVENT = 0x02, 0x04
COMPLETED_PACKETS = 0x13


class AttCentral(RawCentral):
    """A raw central that hands on each ATT PDU as it comes."""

    on_pdu: Callable[[bytes], None]
    _controller: Any

    def _on_att(self, _handle: int, pdu: bytes) -> None:
        self.on_pdu(pdu)


class ShortCentral(AttCentral):
    """One that gives its PDUs to the air, and takes them from there, as hosts of ours do."""

    async def connect(self) -> None:
        """Connect (again)."""
        self._controller.our_host = self
        await super().connect()
        end = self._controller.find_short(self.connection.handle)
        end.take_att = self.on_pdu
        self._put_on_the_air = end.controller.link.att_sender(end)

    def send(self, pdu: bytes) -> None:
        """Send any octets on the ATT channel."""
        self._put_on_the_air(pdu)


class HciCentral(AttCentral):
    """One that exchanges HCI packets with its controller."""

    async def connect(self) -> None:
        """Connect (again)."""
        await super().connect()
        self._controller.set_packet_sink(self)
        queue = self.device.host.le_acl_packet_queue
        assert queue is not None
        self._most = queue.max_packet_size
        self._handle = self.connection.handle
        self._own = 0
        self._frame = b""

    def send(self, pdu: bytes) -> None:
        """Send any octets on the ATT channel (Vol 4, Part E, 5.4.2; Vol 3, Part A, 3.1)."""
        frame = len(pdu).to_bytes(2, "little") + bytes((ATT_CID, 0)) + pdu
        for at in range(0, len(frame), self._most):
            part = frame[at : at + self._most]
            flags = self._handle | (0x1000 if at else 0)
            self._own += 1
            head = bytes((ACL,)) + flags.to_bytes(2, "little") + len(part).to_bytes(2, "little")
            self._controller.on_packet(head + part)

    def on_packet(self, packet: bytes) -> None:
        """Take a packet from the controller: ATT, and what is of our packets, is for us."""
        if packet[0] == ACL:
            continues = packet[2] >> 4 & 3 == 1
            if self._frame and continues:
                self._take(self._frame + packet[5:])
                return
            if not continues and packet[7:9] == bytes((ATT_CID, 0)):
                self._take(packet[5:])
                return
        elif packet[0] == EVENT and packet[1] == COMPLETED_PACKETS and self._own:
            self._own -= 1
            return
        self.device.host.on_packet(packet)

    def _take(self, frame: bytes) -> None:
        whole = 4 + (frame[0] | frame[1] << 8)
        self._frame = frame if len(frame) < whole else b""
        if not self._frame:
            self.on_pdu(frame[4:])
