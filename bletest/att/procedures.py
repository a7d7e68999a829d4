"""GATT client procedures as generators (Vol 3, Part G, 4).

A procedure yields a request, is sent the response PDU, and returns its result::

    procedure = read(0x0003)
    request = next(procedure)
    …
    procedure.send(response)        # StopIteration carries the value

:func:`run` does that with a function that exchanges PDUs. An Error Response comes out as
:class:`Refused`, anything the specification does not allow as
:class:`~bletest.errors.ProtocolViolation`. No server can keep a procedure going for ever:
handles must advance, values end at 512 octets, and a whole database is found in
:data:`MOST_REQUESTS` or not at all.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from bletest.att import pdu as pdus
from bletest.att.bearer import DEFAULT_MTU
from bletest.att.codes import ErrorCode, error_text
from bletest.att.database import EXTENDED, INDICATE_BIT, MAX_VALUE_LENGTH, NOTIFY_BIT, PROPERTIES
from bletest.errors import ProtocolViolation
from bletest.uuids import CHARACTERISTIC, INCLUDE, PRIMARY_SERVICE, SECONDARY_SERVICE, Uuid

T = TypeVar("T")
Procedure: TypeAlias = Generator[bytes, bytes, T]

MOST_REQUESTS = 10_000
"""Requests that the discovery of a whole database may take: several times those of 1000 services,
and minutes on a real radio. Handles alone would allow for hours."""

_PduT = TypeVar("_PduT", bound=pdus.Pdu)


class Refused(Exception):
    """The server answered with an Error Response (Vol 3, Part F, 3.4.1.1).

    ``request_opcode`` is the request's, ``handle`` and ``code`` are what the server said.
    """

    def __init__(self, request_opcode: int, handle: int, code: int) -> None:
        super().__init__(
            f"{pdus.name_of(request_opcode)} refused at 0x{handle:04X}: {error_text(code)}"
        )
        self.request_opcode = request_opcode
        self.handle = handle
        self.code = code


@dataclass(frozen=True, slots=True)
class FoundDescriptor:
    """A descriptor."""

    handle: int
    uuid: Uuid


@dataclass(frozen=True, slots=True)
class FoundCharacteristic:
    """A characteristic. ``handle`` is its declaration's, ``end_handle`` the last one in it.

    ``properties`` is the octet of the declaration; :func:`property_names` names its bits.
    """

    handle: int
    value_handle: int
    end_handle: int
    uuid: Uuid
    properties: int
    descriptors: tuple[FoundDescriptor, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundInclude:
    """An include: ``handle`` is its declaration's, the rest is the included service's."""

    handle: int
    start_handle: int
    end_handle: int
    uuid: Uuid


@dataclass(frozen=True, slots=True)
class FoundService:
    """A service. ``handle`` is its declaration's, ``end_handle`` the last one in it."""

    handle: int
    end_handle: int
    uuid: Uuid
    includes: tuple[FoundInclude, ...] = ()
    characteristics: tuple[FoundCharacteristic, ...] = ()


def property_names(properties: int, extended: int = 0) -> frozenset[str]:
    """Return the names of the bits of both property fields (Part G, 3.3.1.1 and 3.3.3.1)."""
    return frozenset(
        [name for name, bit in PROPERTIES.items() if properties & bit]
        + [name for name, bit in EXTENDED.items() if extended & bit]
    )


def run(procedure: Procedure[T], exchange: Callable[[bytes], bytes]) -> T:
    """Run a procedure to its end; ``exchange`` sends a request and returns the response."""
    try:
        request = next(procedure)
        while True:
            request = procedure.send(exchange(request))
    except StopIteration as done:
        result: T = done.value
        return result


# The server's configuration


def exchange_mtu(client_rx_mtu: int) -> Procedure[int]:
    """Exchange MTU (4.3.1); return the ATT_MTU that both ends have to use from now on."""
    response = yield from _ask(pdus.ExchangeMtuRequest(client_rx_mtu), pdus.ExchangeMtuResponse)
    if response.server_rx_mtu < DEFAULT_MTU:
        raise _violation(
            response, f"a Server Rx MTU of {response.server_rx_mtu}, below {DEFAULT_MTU}"
        )
    return max(DEFAULT_MTU, min(client_rx_mtu, response.server_rx_mtu))


# Discovery


def discover_primary_services() -> Procedure[tuple[FoundService, ...]]:
    """Discover All Primary Services (4.4.1), in handle order."""
    return (yield from _services(PRIMARY_SERVICE))


def discover_secondary_services() -> Procedure[tuple[FoundService, ...]]:
    """The same for secondary services, which GATT has no procedure of its own for."""
    return (yield from _services(SECONDARY_SERVICE))


def discover_service_by_uuid(uuid: Uuid) -> Procedure[tuple[FoundService, ...]]:
    """Discover Primary Service by Service UUID (4.4.2), in handle order."""
    found: list[FoundService] = []
    start = 1
    while True:
        request = pdus.FindByTypeValueRequest(
            start, 0xFFFF, PRIMARY_SERVICE.value >> 96, uuid.to_bytes()
        )
        response = yield from _ask_or_end(request, pdus.FindByTypeValueResponse)
        if response is None:
            return tuple(found)
        for handle, end in response.ranges:
            _check_group(response, handle, end, start)
            found.append(FoundService(handle, end, uuid))
            start = end + 1
        if start > 0xFFFF:
            return tuple(found)


def find_included_services(start: int, end: int) -> Procedure[tuple[FoundInclude, ...]]:
    """Find Included Services (4.5.1) of the service from ``start`` to ``end``.

    A 128-bit UUID does not travel in the declaration: it is read from the included service.
    """
    found = []
    for handle, value, response in (yield from _all_by_type(INCLUDE, start, end)):
        if len(value) not in (4, 6):
            raise _violation(response, f"an include declaration of {len(value)} octets")
        first = int.from_bytes(value[0:2], "little")
        last = int.from_bytes(value[2:4], "little")
        if not 1 <= first <= last:
            raise _violation(response, f"an included service from {_hex(first)} to {_hex(last)}")
        octets = value[4:] or (yield from read(first))
        found.append(FoundInclude(handle, first, last, _uuid(response, octets)))
    return tuple(found)


def discover_characteristics(start: int, end: int) -> Procedure[tuple[FoundCharacteristic, ...]]:
    """Discover All Characteristics of a Service (4.6.1) that lies from ``start`` to ``end``."""
    found: list[FoundCharacteristic] = []
    for handle, value, response in (yield from _all_by_type(CHARACTERISTIC, start, end)):
        if len(value) not in (5, 19):
            raise _violation(response, f"a characteristic declaration of {len(value)} octets")
        value_handle = int.from_bytes(value[1:3], "little")
        if not handle < value_handle <= end:
            raise _violation(
                response, f"a value at {_hex(value_handle)}, declared at {_hex(handle)}"
            )
        if found:
            found[-1] = replace(found[-1], end_handle=handle - 1)
            if found[-1].value_handle >= handle:
                raise _violation(response, f"a declaration at {_hex(handle)} inside another one")
        uuid = _uuid(response, value[3:])
        found.append(FoundCharacteristic(handle, value_handle, end, uuid, value[0]))
    return tuple(found)


def discover_characteristics_by_uuid(
    uuid: Uuid, start: int, end: int
) -> Procedure[tuple[FoundCharacteristic, ...]]:
    """Discover Characteristics by UUID (4.6.2) of the service from ``start`` to ``end``.

    No request asks for a UUID: all of them are asked for, and the others dropped.
    """
    found = yield from discover_characteristics(start, end)
    return tuple(one for one in found if one.uuid == uuid)


def discover_descriptors(start: int, end: int) -> Procedure[tuple[FoundDescriptor, ...]]:
    """Discover All Characteristic Descriptors (4.7.1) from ``start`` to ``end``.

    They lie behind the characteristic's value. An empty range is asked for nothing.
    """
    found = []
    while start <= end:
        request = pdus.FindInformationRequest(start, end)
        response = yield from _ask_or_end(request, pdus.FindInformationResponse)
        if response is None:
            break
        for handle, uuid in response.information:
            _check_in(response, handle, start, end)
            found.append(FoundDescriptor(handle, uuid))
            start = handle + 1
    return tuple(found)


def discover_all() -> Procedure[tuple[FoundService, ...]]:
    """Discover all primary services with their includes, characteristics and descriptors."""
    return (yield from _in_so_many(MOST_REQUESTS, _discover_all()))


def _discover_all() -> Procedure[tuple[FoundService, ...]]:
    found = []
    for service in (yield from discover_primary_services()):
        includes: tuple[FoundInclude, ...] = ()
        characteristics = []
        if service.end_handle > service.handle:
            first = service.handle + 1
            includes = yield from find_included_services(first, service.end_handle)
            for one in (yield from discover_characteristics(first, service.end_handle)):
                descriptors = yield from discover_descriptors(one.value_handle + 1, one.end_handle)
                characteristics.append(replace(one, descriptors=descriptors))
        found.append(replace(service, includes=includes, characteristics=tuple(characteristics)))
    return tuple(found)


# Reading


def read(handle: int) -> Procedure[bytes]:
    """Read a value (4.8.1); of a long one, the first ATT_MTU - 1 octets."""
    return _value(handle, (yield _READ_REQUEST + handle.to_bytes(2, "little")))


def read_long(handle: int, *, mtu: int) -> Procedure[bytes]:
    """Read a whole value (4.8.1, then 4.8.3); ``mtu`` is ATT_MTU in octets."""
    room = mtu - 1
    value = part = _value(handle, (yield _READ_REQUEST + handle.to_bytes(2, "little")))
    while len(part) == room:
        request = pdus.ReadBlobRequest(handle, len(value))
        try:
            response = yield from _ask(request, pdus.ReadBlobResponse)
        except Refused as refused:
            # A value that just fills a response: a server may say that it is not long (Part F,
            # 3.4.4.5), and some say that the offset lies outside.
            if refused.code in (ErrorCode.ATTRIBUTE_NOT_LONG, ErrorCode.INVALID_OFFSET):
                return value
            raise
        part = response.part
        value += part
        if len(value) > MAX_VALUE_LENGTH:
            raise _violation(response, f"a value of more than {MAX_VALUE_LENGTH} octets")
    return value


def read_part(handle: int, offset: int) -> Procedure[bytes]:
    """Read what lies from ``offset`` on (4.8.3), as much of it as one response carries."""
    request = pdus.ReadBlobRequest(handle, offset)
    return (yield from _ask(request, pdus.ReadBlobResponse)).part


def read_by_uuid(
    uuid: Uuid, start: int = 0x0001, end: int = 0xFFFF
) -> Procedure[tuple[tuple[int, bytes], ...]]:
    """Read Using Characteristic UUID (4.8.2): handles and values of one Read By Type Response."""
    response = yield from _ask(pdus.ReadByTypeRequest(start, end, uuid), pdus.ReadByTypeResponse)
    next_handle = start
    for handle, _ in response.values:
        _check_in(response, handle, next_handle, end)
        next_handle = handle + 1
    return response.values


def read_multiple(handles: Sequence[int]) -> Procedure[bytes]:
    """Read Multiple (4.8.4); the values come without their lengths, cut to ATT_MTU - 1."""
    request = pdus.ReadMultipleRequest(tuple(handles))
    return (yield from _ask(request, pdus.ReadMultipleResponse)).values


def read_multiple_variable(handles: Sequence[int]) -> Procedure[tuple[bytes, ...]]:
    """Read Multiple Variable Length (4.8.5); values that no longer fitted are missing or cut."""
    request = pdus.ReadMultipleVariableRequest(tuple(handles))
    response = yield from _ask(request, pdus.ReadMultipleVariableResponse)
    if len(response.values) > len(handles):
        raise _violation(response, f"{len(response.values)} values for {len(handles)} handles")
    return tuple(value for _, value in response.values)


# Writing


def write_command(handle: int, value: bytes) -> bytes:
    """Return the PDU of a Write Without Response (4.9.1), which nothing answers."""
    return _WRITE_COMMAND + handle.to_bytes(2, "little") + value


def write(handle: int, value: bytes) -> Procedure[None]:
    """Write a value that fits into ATT_MTU - 3 octets (4.9.3)."""
    octets = yield _WRITE_REQUEST + handle.to_bytes(2, "little") + value
    if octets != _WRITE_RESPONSE:
        _expect(pdus.WriteRequest(handle, value), pdus.WriteResponse, octets)


def write_long(handle: int, value: bytes, *, mtu: int, offset: int = 0) -> Procedure[None]:
    """Write a value in prepared parts (4.9.4); ``mtu`` is ATT_MTU in octets."""
    yield from _prepared([(handle, offset, value)], mtu)


def reliable_write(values: Sequence[tuple[int, bytes]], *, mtu: int) -> Procedure[None]:
    """Write several values as one (4.9.5): all of them or none."""
    yield from _prepared([(handle, 0, value) for handle, value in values], mtu)


def subscribe(cccd_handle: int, *, notify: bool = False, indicate: bool = False) -> Procedure[None]:
    """Write a CCCD (4.10, 4.11); with neither, this ends the subscription."""
    bits = (NOTIFY_BIT if notify else 0) | (INDICATE_BIT if indicate else 0)
    yield from write(cccd_handle, bits.to_bytes(2, "little"))


# What they are made of


def _prepared(values: Sequence[tuple[int, int, bytes]], mtu: int) -> Procedure[None]:
    """Prepare every part, compare its echo, execute. Whatever fails, the queue is cancelled."""
    room = mtu - 5
    try:
        for handle, offset, value in values:
            for at in range(0, len(value) or 1, room):
                request = pdus.PrepareWriteRequest(handle, offset + at, value[at : at + room])
                echo = yield from _ask(request, pdus.PrepareWriteResponse)
                if echo.to_bytes()[1:] != request.to_bytes()[1:]:
                    raise _violation(echo, "an echo that differs from what was prepared")
    except (Refused, ProtocolViolation):
        yield pdus.ExecuteWriteRequest(0x00).to_bytes()
        raise
    yield from _ask(pdus.ExecuteWriteRequest(0x01), pdus.ExecuteWriteResponse)


def _in_so_many(most: int, procedure: Procedure[T]) -> Procedure[T]:
    """Run a procedure; :class:`ProtocolViolation` where ``most`` requests do not finish it."""
    response = b""
    try:
        request = next(procedure)
        for _ in range(most):
            response = yield request
            request = procedure.send(response)
    except StopIteration as done:
        result: T = done.value
        return result
    raise ProtocolViolation(f"discovery has no end after {most} requests", pdu=response)


def _services(group_type: Uuid) -> Procedure[tuple[FoundService, ...]]:
    found: list[FoundService] = []
    start = 1
    while start <= 0xFFFF:
        request = pdus.ReadByGroupTypeRequest(start, 0xFFFF, group_type)
        response = yield from _ask_or_end(request, pdus.ReadByGroupTypeResponse)
        if response is None:
            break
        for handle, end, value in response.groups:
            _check_group(response, handle, end, start)
            found.append(FoundService(handle, end, _uuid(response, value)))
            start = end + 1
    return tuple(found)


def _all_by_type(
    type_: Uuid, start: int, end: int
) -> Procedure[list[tuple[int, bytes, pdus.ReadByTypeResponse]]]:
    """Return handle and value of every attribute of a type, each with the PDU it came in."""
    found = []
    while start <= end:
        request = pdus.ReadByTypeRequest(start, end, type_)
        response = yield from _ask_or_end(request, pdus.ReadByTypeResponse)
        if response is None:
            break
        for handle, value in response.values:
            _check_in(response, handle, start, end)
            found.append((handle, value, response))
            start = handle + 1
    return found


# Reads and writes are most of what a client does. Their PDUs are put together and looked at here,
# and only what is not as usual goes through the codec.
_READ_REQUEST, _READ_RESPONSE = b"\x0a", 0x0B
_WRITE_REQUEST, _WRITE_RESPONSE, _WRITE_COMMAND = b"\x12", b"\x13", b"\x52"


def _value(handle: int, octets: bytes) -> bytes:
    """Return the value in a Read Response, or raise what came instead."""
    if octets and octets[0] == _READ_RESPONSE:
        return octets[1:]
    return _expect(pdus.ReadRequest(handle), pdus.ReadResponse, octets).value


def _ask(request: pdus.Pdu, expected: type[_PduT]) -> Procedure[_PduT]:
    """Send a request; return its response, or raise what came instead."""
    return _expect(request, expected, (yield request.to_bytes()))


def _expect(request: pdus.Pdu, expected: type[_PduT], octets: bytes) -> _PduT:
    """Return the response that ``octets`` are, or raise what they are instead."""
    try:
        response = pdus.parse(octets)
    except pdus.MalformedPdu as malformed:
        raise ProtocolViolation(
            f"{request.name} was answered with a {malformed}", pdu=octets
        ) from (None)
    if isinstance(response, expected):
        return response
    if isinstance(response, pdus.ErrorResponse) and response.request_opcode == request.opcode:
        raise Refused(response.request_opcode, response.handle, response.code)
    raise ProtocolViolation(f"{request.name} was answered with {pdus.describe(octets)}", pdu=octets)


def _ask_or_end(request: pdus.Pdu, expected: type[_PduT]) -> Procedure[_PduT | None]:
    """The same; None where the server has nothing more to find."""
    try:
        return (yield from _ask(request, expected))
    except Refused as refused:
        if refused.code == ErrorCode.ATTRIBUTE_NOT_FOUND:
            return None
        raise


def _check_in(response: pdus.Pdu, handle: int, start: int, end: int) -> None:
    """Without this, a server could lead a client in circles for ever."""
    if not start <= handle <= end:
        raise _violation(
            response,
            f"handle {_hex(handle)} where one from {_hex(start)} to {_hex(end)} was due",
        )


def _check_group(response: pdus.Pdu, handle: int, end: int, start: int) -> None:
    _check_in(response, handle, start, 0xFFFF)
    if end < handle:
        raise _violation(response, f"a group from {_hex(handle)} to {_hex(end)}")


def _uuid(response: pdus.Pdu, octets: bytes) -> Uuid:
    if len(octets) not in (2, 16):
        raise _violation(response, f"a UUID of {len(octets)} octets")
    return Uuid.from_bytes(octets)


def _violation(response: pdus.Pdu, what: str) -> ProtocolViolation:
    return ProtocolViolation(f"{response.name} with {what}", pdu=response.to_bytes())


def _hex(handle: int) -> str:
    return f"0x{handle:04X}"
