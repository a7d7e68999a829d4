"""How a server answers the requests that need more than a stored value.

What may meet a handler is a generator: it yields the handler's promise, is sent what the promise
was kept with, and returns the response PDU. What never does is a plain function. A refusal is
raised as :class:`Refusal`. Checks stand in the order in which the specification has them decide:
malformed, handles, permission, encryption and authorization, then offset, length and value.
"""

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, TypeAlias

from bletest.att.access import OPEN, Access
from bletest.att.client_state import Part
from bletest.att.codes import ErrorCode
from bletest.att.database import Attribute
from bletest.att.handlers import (
    AttRefusal,
    Deferred,
    ReadAccess,
    WriteAccess,
    WriteOperation,
)
from bletest.att.security import refusal
from bletest.uuids import (
    CCCD,
    CLIENT_SUPPORTED_FEATURES,
    PRIMARY_SERVICE,
    SECONDARY_SERVICE,
    Uuid,
)

if TYPE_CHECKING:
    from bletest.att.server import ServerBearer

Process: TypeAlias = Generator[Deferred, bytes | None, bytes | None]
"""An answer in the making."""

_Value: TypeAlias = Generator[Deferred, bytes | None, bytes]

_GROUPING = (PRIMARY_SERVICE, SECONDARY_SERVICE)
"""Vol 3, Part G, 2.5.3: a characteristic groups too, but is not to be asked for by group."""

_FEATURES_MASK = 0x07
"""The bits of Client Supported Features that have a meaning (Vol 3, Part G, 7.2)."""


class Refusal(Exception):
    """Ends an answer: the client gets an Error Response with this handle and code."""

    def __init__(self, handle: int, code: int) -> None:
        super().__init__(handle, code)
        self.handle = handle
        self.code = code


class Escaped(Exception):
    """Carries what is no Exception (a cancellation) through an answer."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(cause)
        self.cause = cause


# Discovery


def find_information(bearer: "ServerBearer", pdu: bytes) -> bytes:
    """3.4.3.1: handles with types, as many as fit and have UUIDs of one length."""
    start, end = _range(pdu, len(pdu) == 5)
    records = bytearray()
    size = 0
    for attribute in bearer.server.table.between(start, end):
        record = attribute.handle.to_bytes(2, "little") + attribute.type.to_bytes()
        size = size or len(record)
        if len(record) != size or 2 + len(records) + size > bearer.mtu:
            break
        records += record
    if not records:
        raise Refusal(start, ErrorCode.ATTRIBUTE_NOT_FOUND)
    return bytes((0x05, 1 if size == 4 else 2)) + records


def find_by_type_value(bearer: "ServerBearer", pdu: bytes) -> bytes:
    """3.4.3.3: groups whose first attribute has that type and value.

    Only what the client may read is compared, or it could guess its way to a value. What a
    handler would answer is not asked for: the stored value counts.
    """
    start, end = _range(pdu, len(pdu) >= 7)
    sought = pdu[7:]
    ranges = bytearray()
    for attribute in bearer.server.table.of_type(Uuid.from_bytes(pdu[5:7]), start, end):
        if bearer.stored(attribute) == sought and _may_be_compared(bearer, attribute):
            ranges += attribute.handle.to_bytes(2, "little")
            ranges += attribute.group_end.to_bytes(2, "little")
            if 1 + len(ranges) + 4 > bearer.mtu:
                break
    if not ranges:
        raise Refusal(start, ErrorCode.ATTRIBUTE_NOT_FOUND)
    return b"\x07" + ranges


def read_by_type(bearer: "ServerBearer", pdu: bytes) -> Process:
    """3.4.4.1: values of one type and one length. Only the first can be refused; a later one
    that may not be read ends the list."""
    start, end = _range(pdu, len(pdu) in (7, 21))
    records = bytearray()
    length = 0
    room = min(bearer.mtu - 4, 253)
    for attribute in bearer.server.table.of_type(Uuid.from_bytes(pdu[5:]), start, end):
        if records and 2 + len(records) + 2 + min(length, room) > bearer.mtu:
            break
        try:
            _check_read(bearer, attribute)
            value = yield from _value_of(bearer, attribute, pdu[0])
        except Refusal:
            if records:
                break
            raise
        if records and len(value) != length:
            break
        length = len(value)
        records += attribute.handle.to_bytes(2, "little") + value[:room]
        bearer.tell_read(attribute, 0)
    if not records:
        raise Refusal(start, ErrorCode.ATTRIBUTE_NOT_FOUND)
    return bytes((0x09, 2 + min(length, room))) + records


def read_by_group_type(bearer: "ServerBearer", pdu: bytes) -> bytes:
    """3.4.4.9: services with their last handles and UUIDs, of one length."""
    start, end = _range(pdu, len(pdu) in (7, 21))
    type_ = Uuid.from_bytes(pdu[5:])
    if type_ not in _GROUPING:
        raise Refusal(start, ErrorCode.UNSUPPORTED_GROUP_TYPE)
    records = bytearray()
    size = 0
    for attribute in bearer.server.table.of_type(type_, start, end):
        record = (
            attribute.handle.to_bytes(2, "little")
            + attribute.group_end.to_bytes(2, "little")
            + attribute.value
        )
        size = size or len(record)
        if len(record) != size or 2 + len(records) + size > bearer.mtu:
            break
        records += record
    if not records:
        raise Refusal(start, ErrorCode.ATTRIBUTE_NOT_FOUND)
    return bytes((0x11, size)) + records


# Reading


def read(bearer: "ServerBearer", attribute: Attribute, opcode: int, offset: int) -> Process:
    """Read and Read Blob, 3.4.4.3 and 3.4.4.5.

    A value that would have fitted into a Read Response is read from an offset all the same:
    0x0B Attribute Not Long is something a server may answer, and none needs to.
    """
    _check_read(bearer, attribute)
    value = yield from _value_of(bearer, attribute, opcode, offset)
    if offset > len(value):
        raise Refusal(attribute.handle, ErrorCode.INVALID_OFFSET)
    bearer.tell_read(attribute, offset)
    return bytes((opcode + 1,)) + value[offset : offset + bearer.mtu - 1]


def read_multiple(bearer: "ServerBearer", pdu: bytes) -> Process:
    """3.4.4.7: the values one after the other, cut where the PDU is full."""
    values = bytearray()
    for attribute in _handle_set(bearer, pdu):
        values += yield from _value_of(bearer, attribute, pdu[0])
        bearer.tell_read(attribute, 0)
    return b"\x0f" + values[: bearer.mtu - 1]


def read_multiple_variable(bearer: "ServerBearer", pdu: bytes) -> Process:
    """3.4.4.11: the same with lengths. A value may be cut, its length tells the whole; a
    length is never cut."""
    tuples = bytearray()
    room = bearer.mtu - 1
    for attribute in _handle_set(bearer, pdu):
        value = yield from _value_of(bearer, attribute, pdu[0])
        if len(tuples) + 2 > room:
            break
        tuples += len(value).to_bytes(2, "little") + value
        bearer.tell_read(attribute, 0)
    return b"\x21" + tuples[:room]


def _handle_set(bearer: "ServerBearer", pdu: bytes) -> list[Attribute]:
    """Return the attributes of a set of handles; the first that may not be read refuses all.

    Vol 3, Part F speaks of a set of two or more handles. One that repeats a handle is none.
    """
    numbers = [pdu[at] | pdu[at + 1] << 8 for at in range(1, len(pdu) - 1, 2)]
    if not len(pdu) & 1 or len(numbers) < 2 or len(set(numbers)) != len(numbers):
        raise Refusal(0, ErrorCode.INVALID_PDU)
    attributes = []
    for handle in numbers:
        attribute = bearer.server.table.get(handle)
        if attribute is None:
            raise Refusal(handle, ErrorCode.INVALID_HANDLE)
        _check_read(bearer, attribute)
        attributes.append(attribute)
    return attributes


# Writing


def write(
    bearer: "ServerBearer", attribute: Attribute, value: bytes, operation: WriteOperation
) -> Process:
    """Write Request, Write Command and Signed Write Command, 3.4.5."""
    _check_write(bearer, attribute, operation)
    if not attribute.min_length <= len(value) <= attribute.max_length:
        raise Refusal(attribute.handle, ErrorCode.INVALID_ATTRIBUTE_VALUE_LENGTH)
    value = _acceptable(bearer, attribute, value)
    value = yield from _hand_over(bearer, attribute, value, operation)
    bearer.store(attribute, value, operation)
    return b"\x13" if operation is WriteOperation.REQUEST else None


def prepare_write(bearer: "ServerBearer", pdu: bytes) -> bytes:
    """3.4.6.1: permissions are judged now, offset and length when the queue is executed."""
    if len(pdu) < 5:
        raise Refusal(0, ErrorCode.INVALID_PDU)
    handle = pdu[1] | pdu[2] << 8
    attribute = bearer.server.table.get(handle)
    if attribute is None:
        raise Refusal(handle, ErrorCode.INVALID_HANDLE)
    _check_write(bearer, attribute, WriteOperation.EXECUTE)
    if len(bearer.prepared) >= bearer.server.prepare_queue_limit:
        raise Refusal(handle, ErrorCode.PREPARE_QUEUE_FULL)
    bearer.prepared.append(Part(attribute, pdu[3] | pdu[4] << 8, pdu[5:]))
    return b"\x17" + pdu[1:]


def execute_write(bearer: "ServerBearer", pdu: bytes) -> Process:
    """3.4.6.3: all of the queue or nothing; either way the queue is empty afterwards.

    Handlers hear of their values one by one before any is stored. What a handler did before a
    later one refused is beyond this engine to undo.
    """
    if len(pdu) != 2 or pdu[1] not in (0x00, 0x01):
        raise Refusal(0, ErrorCode.INVALID_PDU)
    queue = bearer.prepared.copy()
    bearer.prepared.clear()
    if pdu[1] == 0x00:
        return b"\x19"
    values = _assembled(bearer, queue)
    for attribute, value in values.items():
        values[attribute] = yield from _hand_over(bearer, attribute, value, WriteOperation.EXECUTE)
    for attribute, value in values.items():
        bearer.store(attribute, value, WriteOperation.EXECUTE)
    return b"\x19"


def _assembled(bearer: "ServerBearer", queue: Iterable[Part]) -> dict[Attribute, bytes]:
    """Lay the parts over the values in the order they came; return the whole values.

    A value of variable length ends where the furthest part ends, as with a Write Request: a
    client that writes a long value finds that value, without a tail of the old one.
    """
    images: dict[Attribute, bytearray] = {}
    ends: dict[Attribute, int] = {}
    for attribute, offset, octets in queue:
        handle = attribute.handle
        if bearer.server.table.get(handle) is not attribute:
            raise Refusal(handle, ErrorCode.DATABASE_OUT_OF_SYNC)
        image = images.setdefault(attribute, bytearray(bearer.stored(attribute)))
        end = offset + len(octets)
        if offset > len(image):
            raise Refusal(handle, ErrorCode.INVALID_OFFSET)
        if end > attribute.max_length:
            raise Refusal(handle, ErrorCode.INVALID_ATTRIBUTE_VALUE_LENGTH)
        image[offset:end] = octets
        ends[attribute] = max(end, ends.get(attribute, 0))
    values = {}
    for attribute, image in images.items():
        if attribute.min_length != attribute.max_length:
            del image[ends[attribute] :]
        if not attribute.min_length <= len(image) <= attribute.max_length:
            raise Refusal(attribute.handle, ErrorCode.INVALID_ATTRIBUTE_VALUE_LENGTH)
        values[attribute] = _acceptable(bearer, attribute, bytes(image))
    return values


def _acceptable(bearer: "ServerBearer", attribute: Attribute, value: bytes) -> bytes:
    """Return the value as it is to be stored, or refuse it with 0x13 Value Not Allowed.

    Bits that are reserved for future use are dropped (Vol 1, Part E, 2.8: ignored on receipt).
    A CCCD bit can only be set where the characteristic has the property (Vol 3, Part G,
    3.3.3.3), and a client does not take back a feature that it has claimed (7.2).
    """
    if attribute.type == CCCD and attribute.characteristic:
        bits = value[0] & 0x03
        if bits & ~attribute.characteristic.offered_configuration:
            raise Refusal(attribute.handle, ErrorCode.VALUE_NOT_ALLOWED)
        return bytes((bits, 0))
    if attribute.type == CLIENT_SUPPORTED_FEATURES:
        features = value[0] & _FEATURES_MASK if value else 0
        claimed = bearer.stored(attribute)
        if claimed and claimed[0] & ~features:
            raise Refusal(attribute.handle, ErrorCode.VALUE_NOT_ALLOWED)
        return bytes((features,))
    return value


# Permissions, handlers and ranges


def _range(pdu: bytes, well_formed: bool) -> tuple[int, int]:
    """Return starting and ending handle of a request whose length is right."""
    if not well_formed:
        raise Refusal(0, ErrorCode.INVALID_PDU)
    start = pdu[1] | pdu[2] << 8
    end = pdu[3] | pdu[4] << 8
    if start == 0 or start > end:
        raise Refusal(start, ErrorCode.INVALID_HANDLE)
    return start, end


def _may_be_compared(bearer: "ServerBearer", attribute: Attribute) -> bool:
    """Whether the client may read a value. Nobody is asked to authorize a guess."""
    if attribute.read is None:
        return False
    return attribute.read is OPEN or refusal(attribute.read, bearer.security) is None


def _check_security(bearer: "ServerBearer", attribute: Attribute, access: Access) -> None:
    if access is OPEN:
        return
    code = refusal(access, bearer.security)
    if code is None:
        return
    if code is ErrorCode.INSUFFICIENT_AUTHORIZATION and _is_authorized_now(bearer, attribute):
        return
    raise Refusal(attribute.handle, code)


def _is_authorized_now(bearer: "ServerBearer", attribute: Attribute) -> bool:
    authorize = bearer.server.authorize
    if authorize is None:
        return False
    try:
        return authorize(bearer.identity, attribute)
    except Exception as error:  # it is a handler like any other: told, and answered
        bearer.failed(attribute, error)
        return False


def _check_read(bearer: "ServerBearer", attribute: Attribute) -> None:
    if attribute.read is None:
        raise Refusal(attribute.handle, ErrorCode.READ_NOT_PERMITTED)
    _check_security(bearer, attribute, attribute.read)


def _check_write(bearer: "ServerBearer", attribute: Attribute, operation: WriteOperation) -> None:
    allowed = {
        WriteOperation.REQUEST: attribute.write_request,
        WriteOperation.EXECUTE: attribute.write_request,
        WriteOperation.COMMAND: attribute.write_command,
        WriteOperation.SIGNED: attribute.signed_write,
    }[operation]
    if attribute.write is None or not allowed:
        raise Refusal(attribute.handle, ErrorCode.WRITE_NOT_PERMITTED)
    _check_security(bearer, attribute, attribute.write)


def _value_of(bearer: "ServerBearer", attribute: Attribute, opcode: int, offset: int = 0) -> _Value:
    handler = attribute.handler
    if handler is None:
        return bearer.stored(attribute)
    value = bearer.reading.get(attribute) if offset else None
    if value is None:
        try:
            answer = handler.read(ReadAccess(bearer, attribute, opcode, offset))
            if isinstance(answer, Deferred):
                answer = yield answer
            # memoryview: a handler that returns a number or a text fails here, and not later.
            value = bearer.stored(attribute) if answer is None else bytes(memoryview(answer))
        except Exception as error:
            raise _refusal_of(bearer, attribute, error) from None
    room = min(bearer.mtu - 4, 253) if opcode == 0x08 else bearer.mtu - 1
    if len(value) - offset >= room:  # the client asks for the rest, or whether there is one
        bearer.reading[attribute] = value
    else:
        bearer.reading.pop(attribute, None)
    return value


def _hand_over(
    bearer: "ServerBearer", attribute: Attribute, value: bytes, operation: WriteOperation
) -> _Value:
    """Return what is to be stored: ``value``, unless the handler has something else in mind."""
    handler = attribute.handler
    if handler is None:
        return value
    try:
        answer = handler.write(WriteAccess(bearer, attribute, value, operation))
        if isinstance(answer, Deferred):
            answer = yield answer
        return value if answer is None else bytes(memoryview(answer))
    except Exception as error:
        raise _refusal_of(bearer, attribute, error) from None


def _refusal_of(bearer: "ServerBearer", attribute: Attribute, error: Exception) -> Refusal:
    """Turn what a handler raised into a refusal; what is none of its own is told, and 0x0E."""
    if isinstance(error, AttRefusal):
        return Refusal(attribute.handle, error.code)
    bearer.failed(attribute, error.cause if isinstance(error, Escaped) else error)
    return Refusal(attribute.handle, ErrorCode.UNLIKELY_ERROR)


ANSWERS: dict[int, Callable[["ServerBearer", bytes], Process]] = {
    0x08: read_by_type,
    0x0E: read_multiple,
    0x18: execute_write,
    0x20: read_multiple_variable,
}
"""By opcode: the requests that may have to wait for a handler."""

PROMPT_ANSWERS: dict[int, Callable[["ServerBearer", bytes], bytes]] = {
    0x04: find_information,
    0x06: find_by_type_value,
    0x10: read_by_group_type,
    0x16: prepare_write,
}
"""By opcode: the requests that are always answered at once."""
