"""btsnoop: what host and controller said to each other, in the format that Wireshark reads.

A file is a header of 16 octets and one record a packet, numbers big-endian (RFC 1761 with the
datalink types and flags of Bluetooth):

==============  =============================================================================
header          ``btsnoop\\0``, version 1 (4 octets), datalink 1002: HCI UART, that is H4 (4)
record          length of the packet, length kept, flags, packets dropped (4 octets each),
                microseconds since midnight, January 1st, 0 AD (8), the packet
flags           bit 0: from the controller to the host; bit 1: a command or an event
the packet      as on the wire of H4: the packet type (1 octet), then the HCI packet
==============  =============================================================================

One file is the view of one host: connection handles are the numbers of one controller, so two
controllers in one file could not be told apart.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

COMMAND, ACL_DATA, SYNCHRONOUS_DATA, EVENT, ISO_DATA = 1, 2, 3, 4, 5
"""Packet types of H4 (Vol 4, Part A, 2)."""

VIRTUAL_EPOCH = 946_684_800_000_000
"""Where virtual time begins in a capture, in microseconds since 1970: January 1st, 2000, UTC."""

LONGEST = 1 << 18
"""Octets beyond which a packet is no packet: Wireshark reads none that is longer."""

_MAGIC = b"btsnoop\0"
_VERSION = 1
_H4 = 1002

# 1970 years of the proleptic Gregorian calendar, in microseconds.
_UNIX_EPOCH = 0x00DCDDB30F2F8000

_RECORD = Struct(">IIIIq")
_pack = _RECORD.pack

# The header of a record and, of the packet, its type and the HCI header of ACL data.
_pack_acl = Struct(">IIIIqBHH").pack

_FROM_CONTROLLER = 1
_CONTROL = 2

_SENT_FLAGS = tuple(_CONTROL if kind in (COMMAND, EVENT) else 0 for kind in range(256))
_RECEIVED_FLAGS = tuple(flags | _FROM_CONTROLLER for flags in _SENT_FLAGS)

HEADER = _MAGIC + Struct(">II").pack(_VERSION, _H4)
"""How every file begins."""


class MalformedCapture(ValueError):
    """The octets are no btsnoop file of HCI UART; ``offset`` is where that shows."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason}, at octet {offset}")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Record:
    """One packet between host and controller.

    ``time`` is in microseconds since 1970, UTC. ``sent`` says whether the host sent it.
    ``packet`` begins with the packet type of H4 and holds at least that.
    """

    time: int
    sent: bool
    packet: bytes

    def to_bytes(self) -> bytes:
        """Return the record as it stands in a file."""
        return pack(self.time, self.sent, self.packet)


def pack(time: int, sent: bool, packet: bytes) -> bytes:
    """Return one record; the arguments as in :class:`Record`."""
    length = len(packet)
    flags = (_SENT_FLAGS if sent else _RECEIVED_FLAGS)[packet[0]]
    return _pack(length, length, flags, 0, time + _UNIX_EPOCH) + packet


def pack_acl(time: int, sent: bool, handle_and_flags: int, data: bytes) -> bytes:
    """Return the record of an ACL data packet (Vol 4, Part E, 5.4.2), made for the occasion.

    ``handle_and_flags`` are the first 16 bits of its header, ``data`` is what the header is of.
    """
    size = len(data)
    length = size + 5
    # HCI is little-endian, and everything else is not: the two fields of HCI are turned round.
    first = handle_and_flags >> 8 | (handle_and_flags & 0xFF) << 8
    second = size >> 8 | (size & 0xFF) << 8
    at = time + _UNIX_EPOCH
    return _pack_acl(length, length, not sent, 0, at, ACL_DATA, first, second) + data


def read(octets: bytes, *, cut_short: bool = False) -> Iterator[Record]:
    """Yield the records of a file in their order.

    Raises :class:`MalformedCapture` for anything but a whole file of H4 packets: another magic,
    version or datalink type, a packet of no octets or one that was not kept whole, a record that
    the file does not hold to its end. With ``cut_short`` such a last record is left out, as a
    machine leaves it that loses its power while it writes.
    """
    if octets[: len(HEADER)] != HEADER:
        raise MalformedCapture("no btsnoop header of version 1 for HCI UART (1002)", 0)
    at = len(HEADER)
    while at < len(octets):
        start = at + _RECORD.size
        if start > len(octets):
            if cut_short:
                return
            raise MalformedCapture("the header of a record is cut short", at)
        length, kept, flags, _, time = _RECORD.unpack_from(octets, at)
        if not 0 < length <= LONGEST or kept != length or flags > (_FROM_CONTROLLER | _CONTROL):
            raise MalformedCapture("no record of a whole packet", at)
        packet = octets[start : start + length]
        if len(packet) < length:
            if cut_short:
                return
            raise MalformedCapture("the packet of a record is cut short", at)
        yield Record(time - _UNIX_EPOCH, not flags & _FROM_CONTROLLER, packet)
        at = start + length


class CaptureFile:
    """A file that grows by one record at a time, each handed to the system before the next.

    So the file is whole at any moment, also after the process was killed. Making one replaces a
    file that stands there, and makes the folders above it; raises OSError. Afterwards nothing
    raises: a file that cannot grow (the disk is full) is closed, and ``trouble`` says why.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.trouble: OSError | None = None
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
        self._file: int | None = os.open(path, flags, 0o666)
        self.write(HEADER)

    def write(self, octets: bytes) -> None:
        """Append whole records; nothing once the file is closed."""
        # os.write and not a file object: no buffer that dies with the process, and half the cost.
        if self._file is None:
            return
        try:
            written = os.write(self._file, octets)
        except OSError as trouble:
            self._give_up(trouble, 0)
            return
        if written < len(octets):
            self._give_up(OSError(f"{written} of {len(octets)} octets were written"), written)

    def _give_up(self, trouble: OSError, written: int) -> None:
        self.trouble = trouble
        assert self._file is not None  # somebody was writing
        if written:
            os.ftruncate(self._file, os.lseek(self._file, -written, os.SEEK_CUR))
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
