"""Every PDU of the Attribute Protocol (Vol 3, Part F, 3.4): one class an opcode.

:func:`parse` accepts what is exactly well formed and nothing else. Whether a value makes sense
(a handle of 0x0000, an unknown flag) is the engines' business. The engines themselves cut
octets by hand where speed counts; this module is for everybody else.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar

from bletest.att.codes import error_text
from bletest.att.layout import (
    Block,
    HandlesWithUuids,
    Number,
    Records,
    Rest,
    Signed,
    SizedRecords,
    Tuples,
    UuidRest,
    count,
    wire,
)
from bletest.uuids import Uuid

COMMAND_FLAG = 0x40
SIGNATURE_FLAG = 0x80

_OCTET = wire(Number(1))
_WORD = wire(Number(2))
_REST = wire(Rest())
_UUID = wire(UuidRest())


class PduKind(StrEnum):
    """The six types of PDU (Vol 3, Part F, 3.3)."""

    COMMAND = "command"
    REQUEST = "request"
    RESPONSE = "response"
    NOTIFICATION = "notification"
    INDICATION = "indication"
    CONFIRMATION = "confirmation"


class MalformedPdu(ValueError):
    """Octets that are no well-formed PDU.

    ``pdu`` holds them, ``reason`` says what is wrong, ``opcode`` is None for no octets at all.
    """

    def __init__(self, pdu: bytes, reason: str) -> None:
        self.pdu = pdu
        self.reason = reason
        self.opcode = pdu[0] if pdu else None
        what = name_of(pdu[0]) if pdu else "PDU"
        super().__init__(f"malformed {what}: {reason} ({pdu.hex(' ')})")


class Pdu:
    """The base of all PDUs. Subclasses hold the parameters, in the order they travel."""

    __slots__ = ()

    opcode: ClassVar[int]
    name: ClassVar[str]
    kind: ClassVar[PduKind]
    response: ClassVar[int | None] = None
    """The opcode of the response to a request, None for everything else."""

    def to_bytes(self) -> bytes:
        """Return the PDU as it travels, opcode first."""
        parts = [bytes([self.opcode])]
        parts += [block.write(getattr(self, name)) for name, block in _BLOCKS[self.opcode]]
        return b"".join(parts)


_TABLE: dict[int, type[Pdu]] = {}
_BLOCKS: dict[int, tuple[tuple[str, Block], ...]] = {}


def _entry(opcode: int, name: str, kind: PduKind, response: int | None = None) -> Any:
    """Enter a class into the table of opcodes."""

    def enter(cls: Any) -> Any:
        cls.opcode, cls.name, cls.kind, cls.response = opcode, name, kind, response
        _TABLE[opcode] = cls
        _BLOCKS[opcode] = tuple((one.name, one.metadata["block"]) for one in fields(cls))
        return cls

    return enter


@_entry(0x01, "Error Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class ErrorResponse(Pdu):
    """3.4.1.1. ``code`` is one of :class:`~bletest.att.codes.ErrorCode`, or an application's."""

    request_opcode: int = field(metadata=_OCTET)
    handle: int = field(metadata=_WORD)
    code: int = field(metadata=_OCTET)


@_entry(0x02, "Exchange MTU Request", PduKind.REQUEST, 0x03)
@dataclass(frozen=True, slots=True)
class ExchangeMtuRequest(Pdu):
    """3.4.2.1."""

    client_rx_mtu: int = field(metadata=_WORD)


@_entry(0x03, "Exchange MTU Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class ExchangeMtuResponse(Pdu):
    """3.4.2.2."""

    server_rx_mtu: int = field(metadata=_WORD)


@_entry(0x04, "Find Information Request", PduKind.REQUEST, 0x05)
@dataclass(frozen=True, slots=True)
class FindInformationRequest(Pdu):
    """3.4.3.1."""

    start: int = field(metadata=_WORD)
    end: int = field(metadata=_WORD)


@_entry(0x05, "Find Information Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class FindInformationResponse(Pdu):
    """3.4.3.2. The UUIDs are all short or all long."""

    information: tuple[tuple[int, Uuid], ...] = field(metadata=wire(HandlesWithUuids()))


@_entry(0x06, "Find By Type Value Request", PduKind.REQUEST, 0x07)
@dataclass(frozen=True, slots=True)
class FindByTypeValueRequest(Pdu):
    """3.4.3.3. ``type`` is a 16-bit UUID."""

    start: int = field(metadata=_WORD)
    end: int = field(metadata=_WORD)
    type: int = field(metadata=_WORD)
    value: bytes = field(metadata=_REST)


@_entry(0x07, "Find By Type Value Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class FindByTypeValueResponse(Pdu):
    """3.4.3.4. Pairs of found handle and group end handle."""

    ranges: tuple[tuple[int, int], ...] = field(metadata=wire(Records(2)))


@_entry(0x08, "Read By Type Request", PduKind.REQUEST, 0x09)
@dataclass(frozen=True, slots=True)
class ReadByTypeRequest(Pdu):
    """3.4.4.1."""

    start: int = field(metadata=_WORD)
    end: int = field(metadata=_WORD)
    type: Uuid = field(metadata=_UUID)


@_entry(0x09, "Read By Type Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class ReadByTypeResponse(Pdu):
    """3.4.4.2. Handles with values of one length."""

    values: tuple[tuple[int, bytes], ...] = field(metadata=wire(SizedRecords(1)))


@_entry(0x0A, "Read Request", PduKind.REQUEST, 0x0B)
@dataclass(frozen=True, slots=True)
class ReadRequest(Pdu):
    """3.4.4.3."""

    handle: int = field(metadata=_WORD)


@_entry(0x0B, "Read Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class ReadResponse(Pdu):
    """3.4.4.4."""

    value: bytes = field(metadata=_REST)


@_entry(0x0C, "Read Blob Request", PduKind.REQUEST, 0x0D)
@dataclass(frozen=True, slots=True)
class ReadBlobRequest(Pdu):
    """3.4.4.5."""

    handle: int = field(metadata=_WORD)
    offset: int = field(metadata=_WORD)


@_entry(0x0D, "Read Blob Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class ReadBlobResponse(Pdu):
    """3.4.4.6."""

    part: bytes = field(metadata=_REST)


@_entry(0x0E, "Read Multiple Request", PduKind.REQUEST, 0x0F)
@dataclass(frozen=True, slots=True)
class ReadMultipleRequest(Pdu):
    """3.4.4.7."""

    handles: tuple[int, ...] = field(metadata=wire(Records(1, at_least=2)))


@_entry(0x0F, "Read Multiple Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class ReadMultipleResponse(Pdu):
    """3.4.4.8. The values without their lengths."""

    values: bytes = field(metadata=_REST)


@_entry(0x10, "Read By Group Type Request", PduKind.REQUEST, 0x11)
@dataclass(frozen=True, slots=True)
class ReadByGroupTypeRequest(Pdu):
    """3.4.4.9."""

    start: int = field(metadata=_WORD)
    end: int = field(metadata=_WORD)
    type: Uuid = field(metadata=_UUID)


@_entry(0x11, "Read By Group Type Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class ReadByGroupTypeResponse(Pdu):
    """3.4.4.10. Handle, end group handle and value, of one length."""

    groups: tuple[tuple[int, int, bytes], ...] = field(metadata=wire(SizedRecords(2)))


@_entry(0x20, "Read Multiple Variable Request", PduKind.REQUEST, 0x21)
@dataclass(frozen=True, slots=True)
class ReadMultipleVariableRequest(Pdu):
    """3.4.4.11."""

    handles: tuple[int, ...] = field(metadata=wire(Records(1, at_least=2)))


@_entry(0x21, "Read Multiple Variable Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class ReadMultipleVariableResponse(Pdu):
    """3.4.4.12. Lengths with values; the last value may be cut, its length is not.

    ``rest`` is the first octet of a length that was cut itself.
    """

    values: tuple[tuple[int, bytes], ...] = field(
        metadata=wire(Tuples(handles=False, may_be_cut=True, at_least=1))
    )
    rest: bytes = field(metadata=_REST, default=b"")


@_entry(0x12, "Write Request", PduKind.REQUEST, 0x13)
@dataclass(frozen=True, slots=True)
class WriteRequest(Pdu):
    """3.4.5.1."""

    handle: int = field(metadata=_WORD)
    value: bytes = field(metadata=_REST)


@_entry(0x13, "Write Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class WriteResponse(Pdu):
    """3.4.5.2."""


@_entry(0x52, "Write Command", PduKind.COMMAND)
@dataclass(frozen=True, slots=True)
class WriteCommand(Pdu):
    """3.4.5.3."""

    handle: int = field(metadata=_WORD)
    value: bytes = field(metadata=_REST)


@_entry(0xD2, "Signed Write Command", PduKind.COMMAND)
@dataclass(frozen=True, slots=True)
class SignedWriteCommand(Pdu):
    """3.4.5.4. ``signed`` is the value and the 12 octets of the signature."""

    handle: int = field(metadata=_WORD)
    signed: tuple[bytes, bytes] = field(metadata=wire(Signed()))


@_entry(0x16, "Prepare Write Request", PduKind.REQUEST, 0x17)
@dataclass(frozen=True, slots=True)
class PrepareWriteRequest(Pdu):
    """3.4.6.1."""

    handle: int = field(metadata=_WORD)
    offset: int = field(metadata=_WORD)
    part: bytes = field(metadata=_REST)


@_entry(0x17, "Prepare Write Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class PrepareWriteResponse(Pdu):
    """3.4.6.2. An echo of the request."""

    handle: int = field(metadata=_WORD)
    offset: int = field(metadata=_WORD)
    part: bytes = field(metadata=_REST)


@_entry(0x18, "Execute Write Request", PduKind.REQUEST, 0x19)
@dataclass(frozen=True, slots=True)
class ExecuteWriteRequest(Pdu):
    """3.4.6.3. ``flags`` 0x00 cancels, 0x01 writes."""

    flags: int = field(metadata=_OCTET)


@_entry(0x19, "Execute Write Response", PduKind.RESPONSE)
@dataclass(frozen=True, slots=True)
class ExecuteWriteResponse(Pdu):
    """3.4.6.4."""


@_entry(0x1B, "Handle Value Notification", PduKind.NOTIFICATION)
@dataclass(frozen=True, slots=True)
class HandleValueNotification(Pdu):
    """3.4.7.1."""

    handle: int = field(metadata=_WORD)
    value: bytes = field(metadata=_REST)


@_entry(0x1D, "Handle Value Indication", PduKind.INDICATION)
@dataclass(frozen=True, slots=True)
class HandleValueIndication(Pdu):
    """3.4.7.2."""

    handle: int = field(metadata=_WORD)
    value: bytes = field(metadata=_REST)


@_entry(0x1E, "Handle Value Confirmation", PduKind.CONFIRMATION)
@dataclass(frozen=True, slots=True)
class HandleValueConfirmation(Pdu):
    """3.4.7.3."""


@_entry(0x23, "Multiple Handle Value Notification", PduKind.NOTIFICATION)
@dataclass(frozen=True, slots=True)
class MultipleHandleValueNotification(Pdu):
    """3.4.7.4. Two or more handles with values."""

    values: tuple[tuple[int, bytes], ...] = field(
        metadata=wire(Tuples(handles=True, may_be_cut=False))
    )


def parse(pdu: bytes) -> Pdu:
    """Return the PDU that these octets are; raise :class:`MalformedPdu` for any others."""
    if not pdu:
        raise MalformedPdu(pdu, "no octets")
    cls = _TABLE.get(pdu[0])
    if cls is None:
        raise MalformedPdu(pdu, f"opcode 0x{pdu[0]:02X} is not defined")
    at = 1
    values = []
    try:
        for _, block in _BLOCKS[pdu[0]]:
            value, at = block.read(pdu, at)
            values.append(value)
    except ValueError as error:
        raise MalformedPdu(pdu, str(error)) from None
    if at != len(pdu):
        raise MalformedPdu(pdu, f"{count(len(pdu) - at)} left over")
    return cls(*values)


def known_opcodes() -> Iterable[int]:
    """Return every opcode the specification defines, in ascending order."""
    return sorted(_TABLE)


def kind_of(opcode: int) -> PduKind | None:
    """Return the kind of PDU, None for an opcode that is not defined."""
    cls = _TABLE.get(opcode)
    return cls.kind if cls else None


def response_to(opcode: int) -> int | None:
    """Return the opcode of the response to a request, None for everything else."""
    cls = _TABLE.get(opcode)
    return cls.response if cls else None


def is_command(opcode: int) -> bool:
    """Whether the Command Flag (bit 6) is set: no answer is due, defined or not."""
    return bool(opcode & COMMAND_FLAG)


def is_request(opcode: int) -> bool:
    """Whether a server owes an answer: a request, or an undefined opcode that is no command."""
    kind = kind_of(opcode)
    return kind is PduKind.REQUEST or (kind is None and not is_command(opcode))


def is_response(opcode: int) -> bool:
    """Whether it answers a request, the Error Response included."""
    return kind_of(opcode) is PduKind.RESPONSE


def goes_to_server(opcode: int) -> bool:
    """Whether a server takes it: requests, commands, confirmations, and undefined opcodes."""
    return kind_of(opcode) in _SERVER_KINDS


_SERVER_KINDS = {PduKind.REQUEST, PduKind.COMMAND, PduKind.CONFIRMATION, None}


def name_of(opcode: int) -> str:
    """Return the specification's name of the PDU, or what can be said of the opcode."""
    cls = _TABLE.get(opcode)
    if cls:
        return cls.name
    return f"undefined {'command' if is_command(opcode) else 'opcode'} 0x{opcode:02X}"


def describe(pdu: bytes) -> str:
    """Return one line for people; never raises."""
    if not pdu:
        return "empty PDU"
    try:
        parsed = parse(pdu)
    except MalformedPdu as malformed:
        if pdu[0] not in _TABLE:
            return f"{name_of(pdu[0])}: {_octets(pdu[1:])}"
        return f"{name_of(pdu[0])}, malformed ({malformed.reason}): {_octets(pdu[1:])}"
    details = _details(parsed)
    return f"{parsed.name} {details}" if details else parsed.name


def _details(pdu: Pdu) -> str:
    match pdu:
        case ErrorResponse(request_opcode, handle, code):
            where = f" at {_handle(handle)}" if handle else ""
            return f"to {name_of(request_opcode)}{where}: {error_text(code)}"
        case ExchangeMtuRequest(mtu) | ExchangeMtuResponse(mtu):
            return f"{mtu}"
        case FindInformationRequest(start, end):
            return _span(start, end)
        case FindByTypeValueRequest(start, end, type_, value):
            return f"{_span(start, end)} {Uuid(type_).label} = {_type_value(type_, value)}"
        case ReadByTypeRequest(start, end, uuid) | ReadByGroupTypeRequest(start, end, uuid):
            return f"{_span(start, end)} {uuid.label}"
        case FindInformationResponse(information):
            return ", ".join(f"{_handle(handle)} {uuid.label}" for handle, uuid in information)
        case FindByTypeValueResponse(ranges):
            return ", ".join(_span(start, end) for start, end in ranges)
        case ReadByTypeResponse(values) | MultipleHandleValueNotification(values):
            return ", ".join(f"{_handle(handle)}: {_octets(value)}" for handle, value in values)
        case ReadByGroupTypeResponse(groups):
            return ", ".join(f"{_span(start, end)} {_uuid(value)}" for start, end, value in groups)
        case ReadMultipleRequest(handles) | ReadMultipleVariableRequest(handles):
            return ", ".join(map(_handle, handles))
        case ReadMultipleVariableResponse(tuples, _):
            return ", ".join(f"{_octets(value)} ({length})" for length, value in tuples)
        case ExecuteWriteRequest(flags):
            return {0: "cancel", 1: "write"}.get(flags, f"flags 0x{flags:02X}")
        case SignedWriteCommand(handle, (value, signature)):
            return f"{_handle(handle)} {_octets(value)} signed {_octets(signature)}"
        case _:
            return _plain_details(pdu)


def _plain_details(pdu: Pdu) -> str:
    """Handle, offset and octets, for the PDUs that have nothing else."""
    words = []
    for name, _ in _BLOCKS[pdu.opcode]:
        value = getattr(pdu, name)
        if name == "handle":
            words.append(_handle(value))
        elif name == "offset":
            words.append(f"at {value}")
        else:
            words.append(_octets(value))
    return " ".join(words)


def _handle(handle: int) -> str:
    return f"0x{handle:04X}"


def _span(start: int, end: int) -> str:
    return f"{_handle(start)}–{_handle(end)}"


def _octets(octets: bytes) -> str:
    return octets.hex(" ") if octets else "(empty)"


def _uuid(octets: bytes) -> str:
    return Uuid.from_bytes(octets).label if len(octets) in (2, 16) else _octets(octets)


def _type_value(type_: int, value: bytes) -> str:
    return _uuid(value) if type_ in (0x2800, 0x2801) else _octets(value)
