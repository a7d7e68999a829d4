"""The operations of the table as octets: what is sent, and what comes back. No engine in here.

Each is built for one place, an attribute with one permission, and one outcome: the code it is
refused with, or 0. The rest of the place is open, or asks for more where that itself is open.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.conformance.permissions.table import OPEN, Permission

SECRET = b"hidden"
PUBLIC = b"public"
NEW = b"better"
LENGTH = 6
STRONGEST = Permission("authenticated_secure", 16, True)

Sign = Callable[[bytes], bytes]
"""Returns the 12 octets that make a message a genuine Signed Write Command."""


@dataclass(frozen=True)
class Place:
    """Where a permission is to be found: handles of a value, its neighbours and its descriptors.

    ``twin`` has the same UUID, lies before ``value``, is as long and open. ``plain`` is open to
    anyone, ``closed`` can be read by nobody.
    """

    name: str
    target: str
    permission: Permission
    uuid: int
    declaration: int
    properties: int
    value: int
    cccd: int
    words: int
    twin: int
    plain: int
    closed: int


@dataclass(frozen=True)
class Exchange:
    """What is sent and what is to come back, None for silence; what the place holds afterwards.

    A dict of what is stored where: ``value``, ``words`` or ``cccd``.
    """

    steps: tuple[tuple[bytes, bytes | None], ...]
    value: bytes = SECRET
    words: bytes = SECRET
    cccd: int = 0


def others(permission: Permission) -> Permission:
    """Return what the rest of a place asks: never the same, so that none is taken for another."""
    return STRONGEST if permission == OPEN else OPEN


def u16(number: int) -> bytes:
    """16 bits as they travel."""
    return number.to_bytes(2, "little")


def error(request: bytes, handle: int, code: int) -> bytes:
    """The Error Response to a request."""
    return bytes((0x01, request[0])) + u16(handle) + bytes((code,))


def _answer(request: bytes, handle: int, code: int, answer: bytes) -> tuple[bytes, bytes]:
    return request, error(request, handle, code) if code else answer


def _one(request: bytes, handle: int, code: int, answer: bytes) -> Exchange:
    return Exchange((_answer(request, handle, code, answer),))


def _read(place: Place, code: int, _: Sign) -> Exchange:
    return _one(b"\x0a" + u16(place.value), place.value, code, b"\x0b" + SECRET)


def _read_words(place: Place, code: int, _: Sign) -> Exchange:
    return _one(b"\x0a" + u16(place.words), place.words, code, b"\x0b" + SECRET)


def _read_blob(place: Place, code: int, _: Sign) -> Exchange:
    return _one(b"\x0c" + u16(place.value) + u16(2), place.value, code, b"\x0d" + SECRET[2:])


def _read_past_end(place: Place, code: int, _: Sign) -> Exchange:
    request = b"\x0c" + u16(place.value) + u16(LENGTH + 1)
    return _one(request, place.value, code or 0x07, b"")


def _by_type(place: Place, code: int, _: Sign) -> Exchange:
    request = b"\x08" + u16(place.value) * 2 + u16(place.uuid)
    return _one(request, place.value, code, b"\x09\x08" + u16(place.value) + SECRET)


def _by_type_second(place: Place, code: int, _: Sign) -> Exchange:
    request = b"\x08" + u16(place.twin) + u16(place.value) + u16(place.uuid)
    answer = b"\x09\x08" + u16(place.twin) + PUBLIC
    return Exchange(((request, answer if code else answer + u16(place.value) + SECRET),))


def _multiple(opcode: int) -> Callable[[Place, int, Sign], Exchange]:
    def build(place: Place, code: int, _: Sign) -> Exchange:
        request = bytes((opcode,)) + u16(place.plain) + u16(place.value)
        listed = PUBLIC + SECRET
        if opcode == 0x20:
            listed = u16(LENGTH) + PUBLIC + u16(LENGTH) + SECRET
        return _one(request, place.value, code, bytes((opcode + 1,)) + listed)

    return build


def _multiple_first(opcode: int) -> Callable[[Place, int, Sign], Exchange]:
    def build(place: Place, code: int, _: Sign) -> Exchange:
        request = bytes((opcode,)) + u16(place.value) + u16(place.closed)
        return _one(request, place.value if code else place.closed, code or 0x02, b"")

    return build


def _right_guess(place: Place, code: int, _: Sign) -> Exchange:
    request = b"\x06" + u16(place.value) * 2 + u16(place.uuid) + SECRET
    return _one(request, place.value, code and 0x0A, b"\x07" + u16(place.value) * 2)


def _wrong_guess(place: Place, code: int, _: Sign) -> Exchange:
    request = b"\x06" + u16(place.value) * 2 + u16(place.uuid) + PUBLIC
    return _one(request, place.value, 0x0A, b"")


def _information(place: Place, code: int, _: Sign) -> Exchange:
    answer = b"\x05\x01" + u16(place.value) + u16(place.uuid)
    return Exchange(((b"\x04" + u16(place.value) * 2, answer),))


def _discover(place: Place, code: int, _: Sign) -> Exchange:
    declared = bytes((place.properties,)) + u16(place.value) + u16(place.uuid)
    request = b"\x08" + u16(place.declaration) * 2 + b"\x03\x28"
    return Exchange(((request, b"\x09\x07" + u16(place.declaration) + declared),))


def _write(place: Place, code: int, _: Sign) -> Exchange:
    step = _answer(b"\x12" + u16(place.value) + NEW, place.value, code, b"\x13")
    return Exchange((step,), value=SECRET if code else NEW)


def _write_too_long(place: Place, code: int, _: Sign) -> Exchange:
    request = b"\x12" + u16(place.value) + bytes(LENGTH + 1)
    return _one(request, place.value, code or 0x0D, b"")


def _write_words(place: Place, code: int, _: Sign) -> Exchange:
    step = _answer(b"\x12" + u16(place.words) + NEW, place.words, code, b"\x13")
    return Exchange((step,), words=SECRET if code else NEW)


def _write_command(place: Place, code: int, _: Sign) -> Exchange:
    return Exchange(
        ((b"\x52" + u16(place.value) + NEW, None),),
        value=SECRET if code else NEW,
    )


def _signed_write(place: Place, code: int, sign: Sign) -> Exchange:
    message = b"\xd2" + u16(place.value) + NEW
    return Exchange(((message + sign(message), None),), value=SECRET if code else NEW)


def _forged(place: Place, code: int, sign: Sign) -> Exchange:
    signature = sign(b"\xd2" + u16(place.value) + NEW)
    wrong = signature[:-1] + bytes((signature[-1] ^ 1,))
    return Exchange(((b"\xd2" + u16(place.value) + NEW + wrong, None),))


def _prepared(place: Place, code: int, _: Sign) -> Exchange:
    part = u16(place.value) + u16(0) + NEW
    step = _answer(b"\x16" + part, place.value, code, b"\x17" + part)
    return Exchange((step, (b"\x18\x01", b"\x19")), value=SECRET if code else NEW)


def _prepared_past_end(place: Place, code: int, _: Sign) -> Exchange:
    part = u16(place.value) + u16(LENGTH + 1) + NEW
    prepare = _answer(b"\x16" + part, place.value, code, b"\x17" + part)
    execute = b"\x18\x01"
    return Exchange((prepare, (execute, b"\x19" if code else error(execute, place.value, 0x07))))


def _configure(place: Place, code: int, _: Sign) -> Exchange:
    write = _answer(b"\x12" + u16(place.cccd) + u16(1), place.cccd, code, b"\x13")
    read = (b"\x0a" + u16(place.cccd), b"\x0b" + u16(0 if code else 1))
    return Exchange((write, read), cccd=0 if code else 1)


def _configure_wrong(place: Place, code: int, _: Sign) -> Exchange:
    return _one(b"\x12" + u16(place.cccd) + bytes(3), place.cccd, code or 0x0D, b"")


def _configure_prepared(place: Place, code: int, _: Sign) -> Exchange:
    part = u16(place.cccd) + u16(0) + u16(2)
    step = _answer(b"\x16" + part, place.cccd, code, b"\x17" + part)
    read = (b"\x0a" + u16(place.cccd), b"\x0b" + u16(0 if code else 2))
    return Exchange((step, (b"\x18\x01", b"\x19"), read), cccd=0 if code else 2)


def _configure_by_command(place: Place, code: int, _: Sign) -> Exchange:
    read = (b"\x0a" + u16(place.cccd), b"\x0b" + u16(0))
    return Exchange(((b"\x52" + u16(place.cccd) + u16(1), None), read))


def _configuration(place: Place, code: int, _: Sign) -> Exchange:
    return Exchange(((b"\x0a" + u16(place.cccd), b"\x0b" + u16(0)),))


ASKED: dict[str, Callable[[Place, int, Sign], Exchange]] = {
    "Read": _read,
    "Read Blob": _read_blob,
    "Read Blob, past the end": _read_past_end,
    "Read By Type, first": _by_type,
    "Read By Type, second": _by_type_second,
    "Read Multiple, last": _multiple(0x0E),
    "Read Multiple, first": _multiple_first(0x0E),
    "Read Multiple Variable, last": _multiple(0x20),
    "Read Multiple Variable, first": _multiple_first(0x20),
    "Read a descriptor": _read_words,
    "Find By Type Value, right guess": _right_guess,
    "Find By Type Value, wrong guess": _wrong_guess,
    "Find Information": _information,
    "Discover characteristics": _discover,
    "Write Request": _write,
    "Write Request, too long": _write_too_long,
    "Write a descriptor": _write_words,
    "Write Command": _write_command,
    "Signed Write Command": _signed_write,
    "Signed Write Command, forged": _forged,
    "Prepare Write, Execute Write": _prepared,
    "Prepare Write, past the end": _prepared_past_end,
    "Configure": _configure,
    "Configure, wrong length": _configure_wrong,
    "Configure by Prepare Write": _configure_prepared,
    "Configure by Write Command": _configure_by_command,
    "Read the configuration": _configuration,
}
"""Operations that a client begins."""

SENT = (
    "Notification, once configured",
    "Indication, once configured",
    "Indication that had to wait",
    "Multiple notification",
)
"""Operations that the server begins."""
