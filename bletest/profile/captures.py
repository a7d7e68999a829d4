"""What a recorded device sent by itself: notifications and indications of captures and transcripts.

A capture is btsnoop, of an HCI UART (H4), of HCI as such, or of btmon; a transcript is the JSON
Lines that every test of bletest leaves. Nothing else is taken from either: no command is looked
at, and what cannot be read as an ATT PDU is passed over, as a sniffer does.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from struct import Struct

from bletest.profile.mistakes import Refusal
from bletest.uuids import Uuid

_MAGIC = b"btsnoop\0"
_HCI, _H4, _MONITOR = 1001, 1002, 2001
_RECORD = Struct(">IIIIq")
_ACL = 2
_ATT_CHANNEL = 4
_MONITOR_ACL = (4, 5)  # sent, received

_READ_BY_TYPE_REQUEST, _READ_BY_TYPE_RESPONSE = 0x08, 0x09
_NOTIFICATION, _INDICATION, _MULTIPLE = 0x1B, 0x1D, 0x23
_CHARACTERISTIC = Uuid(0x2803)


@dataclass(frozen=True, slots=True)
class Heard:
    """A value that a device sent by itself. ``uuid`` is None where no discovery tells it."""

    handle: int
    uuid: Uuid | None
    value: bytes


def read_recording(data: bytes, name: str) -> list[Heard]:
    """Return what was notified and indicated, in order; raises :class:`Refusal`."""
    if data.startswith(_MAGIC):
        return _heard(_pdus_of_capture(data, name))
    return _heard(_pdus_of_transcript(data, name))


def _pdus_of_transcript(data: bytes, name: str) -> Iterator[tuple[object, bytes]]:
    """Yield each ATT PDU, with what tells its link from others."""
    try:
        for line in data.decode("utf-8").splitlines():
            event = json.loads(line) if line.strip() else {}
            if event.get("kind") == "att":
                yield event["link"], bytes.fromhex(event["pdu"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refusal(
            f"`{name}` is neither a capture nor a transcript",
            "a capture is btsnoop, a transcript the transcript.jsonl of a test",
        ) from None


def _pdus_of_capture(data: bytes, name: str) -> Iterator[tuple[object, bytes]]:
    """Yield each ATT PDU of the fixed channel, with what tells its link from others."""
    if len(data) < len(_MAGIC) + 8:
        return
    datalink = int.from_bytes(data[12:16], "big")
    if datalink not in (_HCI, _H4, _MONITOR):
        raise Refusal(
            f"`{name}` is btsnoop of another kind ({datalink})", "save it as btsnoop of HCI"
        )
    partial: dict[tuple[bool, int], bytes] = {}
    for flags, packet in _records(data):
        if datalink == _H4:
            is_acl, packet, received = packet[:1] == bytes([_ACL]), packet[1:], bool(flags & 1)
        elif datalink == _HCI:
            is_acl, received = not flags & 2, bool(flags & 1)
        else:
            is_acl, received = flags & 0xFFFF in _MONITOR_ACL, flags & 0xFFFF == _MONITOR_ACL[1]
        if not is_acl or len(packet) < 4:
            continue
        word = int.from_bytes(packet[:2], "little")
        handle, continues = word & 0x0FFF, word >> 12 & 3 == 1
        key = (received, handle)
        if continues and key not in partial:
            continue  # its beginning is not in the capture
        frame = partial.pop(key, b"") + packet[4:] if continues else packet[4:]
        length = int.from_bytes(frame[:2], "little") + 4
        if len(frame) < max(4, length):
            partial[key] = frame
        elif int.from_bytes(frame[2:4], "little") == _ATT_CHANNEL:
            yield handle, frame[4:length]


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield flags and packet of each whole record; the last of a killed process may be cut."""
    at = len(_MAGIC) + 8
    while at + _RECORD.size <= len(data):
        whole, kept, flags, _, _ = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + kept > len(data):
            return
        if whole == kept:
            yield flags, data[at : at + kept]
        at += kept


@dataclass(slots=True)
class _Link:
    """What is known of one link: the type that was asked for last, and UUIDs by handle."""

    asked: Uuid | None = None
    uuids: dict[int, Uuid] = field(default_factory=dict)


def _heard(pdus: Iterable[tuple[object, bytes]]) -> list[Heard]:
    links: dict[object, _Link] = {}
    sent: list[tuple[_Link, int, bytes]] = []
    for name, pdu in pdus:
        link = links.setdefault(name, _Link())
        opcode = pdu[0] if pdu else 0
        if opcode == _READ_BY_TYPE_REQUEST and len(pdu) in (7, 21):
            link.asked = Uuid.from_bytes(pdu[5:])
        elif opcode == _READ_BY_TYPE_RESPONSE and len(pdu) > 3:
            link.uuids.update(_found(pdu, link.asked))
        elif opcode in (_NOTIFICATION, _INDICATION) and len(pdu) >= 3:
            sent.append((link, int.from_bytes(pdu[1:3], "little"), pdu[3:]))
        elif opcode == _MULTIPLE:
            sent += ((link, handle, value) for handle, value in _tuples(pdu[1:]))
    # A client that knows the device from before discovers nothing: another link tells.
    everywhere = {handle: uuid for one in links.values() for handle, uuid in one.uuids.items()}
    return [
        Heard(handle, (link.uuids or everywhere).get(handle), value) for link, handle, value in sent
    ]


def _found(pdu: bytes, asked: Uuid | None) -> Iterator[tuple[int, Uuid]]:
    """Yield value handles and UUIDs that a Read By Type Response tells (Vol 3, Part F, 3.4.4.2)."""
    size = pdu[1]
    if asked is None or size < 2:
        return
    for at in range(2, len(pdu) - size + 1, size):
        entry = pdu[at : at + size]
        if asked != _CHARACTERISTIC:
            yield int.from_bytes(entry[:2], "little"), asked
        elif size in (7, 21):
            yield int.from_bytes(entry[3:5], "little"), Uuid.from_bytes(entry[5:])


def _tuples(octets: bytes) -> Iterator[tuple[int, bytes]]:
    while len(octets) >= 4:
        length = int.from_bytes(octets[2:4], "little")
        if len(octets) < 4 + length:
            return
        yield int.from_bytes(octets[:2], "little"), octets[4 : 4 + length]
        octets = octets[4 + length :]
