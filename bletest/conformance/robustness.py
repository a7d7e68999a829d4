"""What no client should send, and a server has to survive (Vol 3, Part F, 3.3 and 3.4)."""

import struct
from collections.abc import AsyncIterator

from bletest.conformance import raw
from bletest.conformance.registry import Flaw, Phase, check
from bletest.conformance.subjects import Stimulus, device
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.profile.expectation import DeviceExpectation
from bletest.uuids import PRIMARY_SERVICE, Uuid

_RAW = frozenset({Capability.RAW_ATT})
_NOBODY = Uuid(0x6D5F1B8E_93C4_4A27_B1D0_5E8C2F7A9043)
"""A UUID that no device has."""


def _stimuli(pdus: dict[str, bytes], expectation: DeviceExpectation) -> list[Stimulus]:
    return [Stimulus(expectation, name, pdu) for name, pdu in pdus.items()]


_UNKNOWN = {
    "opcode_0x24": bytes.fromhex("24 00 00"),
    "opcode_0x3e": bytes.fromhex("3E 01 02 03"),
    "opcode_0x3f": bytes.fromhex("3F"),
}


@check(
    "att.unsupported_request",
    title="A request that nobody knows is refused with Request Not Supported",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _stimuli(_UNKNOWN, expectation),
    official=("GATT/SR/UNS/BI-01-C",),
    paragraph="Vol 3, Part F, 3.3 and 3.4.1.1",
    needs=_RAW,
)
async def unsupported_request(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x06 at handle 0x0000."""
    answer = await client.exchange(subject.pdu)
    for flaw in raw.not_refused(
        answer, subject.pdu, (0x06,), "no request has this opcode", handle=0x0000
    ):
        yield flaw


_COMMANDS = {
    "opcode_0x40": bytes.fromhex("40 00"),
    "opcode_0x54": bytes.fromhex("54 03 00 01"),
    "opcode_0x7f": bytes.fromhex("7F"),
}


@check(
    "att.unsupported_command",
    title="A command that nobody knows is ignored",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _stimuli(_COMMANDS, expectation),
    official=("GATT/SR/UNS/BI-02-C", "GATT/SR/UNS/BI-03-C"),
    paragraph="Vol 3, Part F, 3.3",
    needs=_RAW,
)
async def unsupported_command(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """Silence, and the next request is answered."""
    for flaw in await raw.not_ignored(client, subject.pdu, "no command has this opcode"):
        yield flaw


_STRAY = {
    "confirmation": bytes([raw.CONFIRMATION]),
    "read_response": bytes.fromhex("0B 00 01"),
    "write_response": bytes.fromhex("13"),
}


@check(
    "att.stray",
    title="A confirmation or response that nobody waits for is ignored",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _stimuli(_STRAY, expectation),
    paragraph="Vol 3, Part F, 3.3.2 and 3.4.7.3",
    needs=_RAW,
)
async def stray(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """Silence, and the next request is answered."""
    for flaw in await raw.not_ignored(client, subject.pdu, "nothing waits for it"):
        yield flaw


_TRUNCATED = {
    "exchange_mtu": bytes.fromhex("02 17"),
    "find_information": bytes.fromhex("04 01 00 FF"),
    "find_by_type_value": bytes.fromhex("06 01 00 FF FF 00"),
    "read_by_type": bytes.fromhex("08 01 00 FF FF 03"),
    "read": bytes.fromhex("0A 01"),
    "read_blob": bytes.fromhex("0C 01 00 00"),
    "read_by_group_type": bytes.fromhex("10 01 00 FF FF"),
    "write": bytes.fromhex("12 01"),
}
_TRUNCATED_OPTIONAL = {
    "read_multiple": bytes.fromhex("0E 01 00"),
    "prepare_write": bytes.fromhex("16 01 00 00"),
    "execute_write": bytes.fromhex("18"),
    "read_multiple_variable": bytes.fromhex("20 01 00"),
}


@check(
    "att.truncated",
    title="A request that is cut short is refused with Invalid PDU",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _stimuli(_TRUNCATED | _TRUNCATED_OPTIONAL, expectation),
    paragraph="Vol 3, Part F, 3.4.1.1",
    needs=_RAW,
)
async def truncated(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x04; or 0x06 for a request that a server need not know."""
    accepted = (0x04, 0x06) if subject.name in _TRUNCATED_OPTIONAL else (0x04,)
    answer = await client.exchange(subject.pdu)
    for flaw in raw.not_refused(answer, subject.pdu, accepted, "octets are missing"):
        yield flaw


_UUID_LENGTH = {
    "read_by_type": bytes.fromhex("08 01 00 FF FF 00 28 00"),
    "read_by_group_type": bytes.fromhex("10 01 00 FF FF 00 28 00"),
}


@check(
    "att.uuid_length",
    title="A type of three octets is refused with Invalid PDU",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _stimuli(_UUID_LENGTH, expectation),
    paragraph="Vol 3, Part F, 3.4.4.1 and 3.4.4.9",
    needs=_RAW,
)
async def uuid_length(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x04: a type has 2 octets or 16."""
    answer = await client.exchange(subject.pdu)
    for flaw in raw.not_refused(answer, subject.pdu, (0x04,), "a type has 2 octets or 16"):
        yield flaw


def _ranges(start: int, end: int) -> dict[str, bytes]:
    return {
        "find_information": raw.find_information(start, end),
        "find_by_type_value": raw.find_service(start, end, Uuid(0x1800)),
        "read_by_group_type": raw.read_by_group_type(start, end),
    }


_BACKWARDS, _FROM_ZERO = (0x0002, 0x0001), (0x0000, 0xFFFF)


@check(
    "att.range",
    title="A range of handles that cannot be is refused with Invalid Handle",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _stimuli(
        {f"{name}_backwards": pdu for name, pdu in _ranges(*_BACKWARDS).items()}
        | {f"{name}_from_zero": pdu for name, pdu in _ranges(*_FROM_ZERO).items()},
        expectation,
    ),
    paragraph="Vol 3, Part F, 3.4.3.1, 3.4.3.3 and 3.4.4.9",
    needs=_RAW,
)
async def handle_range(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x01 at the starting handle."""
    for flaw in await _bad_range(client, subject.pdu):
        yield flaw


@check(
    "att.read_by_type_range",
    title="Reading by UUID in a range that cannot be is refused with Invalid Handle",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _stimuli(
        {
            "backwards": raw.read_by_type(*_BACKWARDS, PRIMARY_SERVICE),
            "from_zero": raw.read_by_type(*_FROM_ZERO, PRIMARY_SERVICE),
        },
        expectation,
    ),
    official=("GATT/SR/GAR/BI-08-C",),
    paragraph="Vol 3, Part F, 3.4.4.1",
    needs=_RAW,
)
async def read_by_type_range(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x01 at the starting handle."""
    for flaw in await _bad_range(client, subject.pdu):
        yield flaw


async def _bad_range(client: Client, pdu: bytes) -> list[Flaw]:
    start = int.from_bytes(pdu[1:3], "little")
    answer = await client.exchange(pdu)
    return list(raw.not_refused(answer, pdu, (0x01,), "no range begins or ends so", handle=start))


@check(
    "att.group_type",
    title="A type that does not group attributes is refused with Unsupported Group Type",
    phase=Phase.ROBUSTNESS,
    subjects=device,
    paragraph="Vol 3, Part F, 3.4.4.9",
    needs=_RAW,
)
async def group_type(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """0x10 at the starting handle."""
    request = raw.read_by_group_type(0x0001, 0xFFFF, Uuid(0x2803))
    answer = await client.exchange(request)
    for flaw in raw.not_refused(
        answer, request, (0x10,), "characteristics are no groups in this sense", handle=0x0001
    ):
        yield flaw


@check(
    "att.nothing_found",
    title="What no attribute has is answered with Attribute Not Found",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _stimuli(
        {"find_by_type_value": raw.find_service(0x0001, 0xFFFF, _NOBODY)}, expectation
    ),
    paragraph="Vol 3, Part F, 3.4.3.3",
    needs=_RAW,
)
async def nothing_found(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x0A at the starting handle."""
    answer = await client.exchange(subject.pdu)
    for flaw in raw.not_refused(
        answer, subject.pdu, (0x0A,), "no service has this UUID", handle=0x0001
    ):
        yield flaw


@check(
    "att.read_by_type_nothing",
    title="Reading by a UUID that no attribute has is answered with Attribute Not Found",
    phase=Phase.ROBUSTNESS,
    subjects=device,
    official=("GATT/SR/GAR/BI-07-C",),
    paragraph="Vol 3, Part F, 3.4.4.1",
    needs=_RAW,
)
async def read_by_type_nothing(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """0x0A at the starting handle."""
    request = raw.read_by_type(0x0001, 0xFFFF, _NOBODY)
    answer = await client.exchange(request)
    for flaw in raw.not_refused(
        answer, request, (0x0A,), "no attribute has this type", handle=0x0001
    ):
        yield flaw


@check(
    "att.find_information_end",
    title="Find Information behind the last attribute is answered with Attribute Not Found",
    phase=Phase.ROBUSTNESS,
    subjects=device,
    paragraph="Vol 3, Part F, 3.4.3.1",
    needs=_RAW,
)
async def find_information_end(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """0x0A at the starting handle."""
    request = raw.find_information(0xFFFF, 0xFFFF)
    answer = await client.exchange(request)
    for flaw in raw.not_refused(
        answer, request, (0x0A,), "nothing stands at the last handle", handle=0xFFFF
    ):
        yield flaw


def _at(handle: int, opcode: int) -> bytes:
    rest = {
        raw.READ: b"",
        raw.READ_BLOB: b"\0\0",
        raw.WRITE: b"\0",
        raw.PREPARE_WRITE: b"\0\0\0",
        raw.READ_MULTIPLE: b"\x01\0",
        raw.READ_MULTIPLE_VARIABLE: b"\x01\0",
    }[opcode]
    return struct.pack("<BH", opcode, handle) + rest


def _no_handle(opcode: int, expectation: DeviceExpectation) -> list[Stimulus]:
    return _stimuli(
        {f"0x{handle:04x}": _at(handle, opcode) for handle in (0x0000, 0xFFFF)}, expectation
    )


async def _invalid_handle(
    client: Client, subject: Stimulus, *, optional: bool
) -> AsyncIterator[Flaw]:
    handle = int.from_bytes(subject.pdu[1:3], "little")
    answer = await client.exchange(subject.pdu)
    if optional and raw.error_of(answer, subject.pdu[0]) == (0, 0x06):
        return
    for flaw in raw.not_refused(
        answer, subject.pdu, (0x01,), f"nothing stands at 0x{handle:04X}", handle=handle
    ):
        yield flaw


@check(
    "handle.read",
    title="Reading a handle that is not there is refused with Invalid Handle",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _no_handle(raw.READ, expectation),
    official=("GATT/SR/GAR/BI-02-C",),
    paragraph="Vol 3, Part F, 3.4.4.3",
    needs=_RAW,
)
async def handle_read(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x01 at that handle."""
    async for flaw in _invalid_handle(client, subject, optional=False):
        yield flaw


@check(
    "handle.blob",
    title="Reading a part at a handle that is not there is refused with Invalid Handle",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _no_handle(raw.READ_BLOB, expectation),
    official=("GATT/SR/GAR/BI-14-C",),
    paragraph="Vol 3, Part F, 3.4.4.5",
    needs=_RAW,
)
async def handle_blob(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x01 at that handle."""
    async for flaw in _invalid_handle(client, subject, optional=True):
        yield flaw


@check(
    "handle.read_multiple",
    title="Reading several handles of which one is not there is refused with Invalid Handle",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _no_handle(raw.READ_MULTIPLE, expectation),
    official=("GATT/SR/GAR/BI-19-C",),
    paragraph="Vol 3, Part F, 3.4.4.7",
    needs=_RAW,
)
async def handle_multiple(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x01 at that handle, or 0x06 where the request is not known."""
    async for flaw in _invalid_handle(client, subject, optional=True):
        yield flaw


@check(
    "handle.read_multiple_variable",
    title="Reading several of variable length of which one is not there is refused",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _no_handle(raw.READ_MULTIPLE_VARIABLE, expectation),
    official=("GATT/SR/GAR/BI-38-C",),
    paragraph="Vol 3, Part F, 3.4.4.11",
    needs=_RAW,
)
async def handle_multiple_variable(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x01 at that handle, or 0x06 where the request is not known."""
    async for flaw in _invalid_handle(client, subject, optional=True):
        yield flaw


@check(
    "handle.write",
    title="Writing a handle that is not there is refused with Invalid Handle",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _no_handle(raw.WRITE, expectation),
    official=("GATT/SR/GAW/BI-02-C",),
    paragraph="Vol 3, Part F, 3.4.5.1",
    needs=_RAW,
)
async def handle_write(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x01 at that handle."""
    async for flaw in _invalid_handle(client, subject, optional=False):
        yield flaw


@check(
    "handle.prepare",
    title="Preparing a write at a handle that is not there is refused with Invalid Handle",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _no_handle(raw.PREPARE_WRITE, expectation),
    official=("GATT/SR/GAW/BI-07-C",),
    paragraph="Vol 3, Part F, 3.4.6.1",
    needs=_RAW,
)
async def handle_prepare(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """0x01 at that handle, or 0x06 where the request is not known."""
    async for flaw in _invalid_handle(client, subject, optional=True):
        yield flaw


@check(
    "att.execute_nothing",
    title="Executing an empty queue is acknowledged",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _stimuli(
        {"execute": raw.execute_write(), "cancel": raw.execute_write(cancel=True)}, expectation
    ),
    official=("GATT/SR/GAW/BV-11-C",),
    paragraph="Vol 3, Part F, 3.4.6.3",
    needs=_RAW,
)
async def execute_nothing(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """Execute Write Response, or 0x06 where prepared writes are not known."""
    answer = await client.exchange(subject.pdu)
    if raw.error_of(answer, raw.EXECUTE_WRITE) == (0, 0x06):
        return
    for flaw in raw.not_answered(
        answer, bytes([raw.EXECUTE_RESPONSE]), "the queue may well be empty"
    ):
        yield flaw


@check(
    "att.execute_flags",
    title="A flag of Execute Write that has no meaning breaks nothing",
    phase=Phase.ROBUSTNESS,
    subjects=device,
    paragraph="Vol 3, Part F, 3.4.6.3",
    needs=_RAW,
)
async def execute_flags(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Answered somehow, and the server goes on."""
    for flaw in await raw.unanswered(client, bytes([raw.EXECUTE_WRITE, 0x80])):
        yield flaw
    for flaw in await raw.not_alive(client, "after a reserved flag"):
        yield flaw


_TRAILING = {
    "exchange_mtu": raw.mtu_request(23) + b"\0",
    "find_information": raw.find_information(0x0001, 0x0001) + b"\0",
    "read": raw.read(0x0001) + b"\0",
}


@check(
    "att.trailing",
    title="A request with octets too many is answered all the same",
    phase=Phase.ROBUSTNESS,
    subjects=lambda expectation: _stimuli(_TRAILING, expectation),
    paragraph="Vol 3, Part F, 3.3 and 3.4.1.1",
    needs=_RAW,
)
async def trailing(client: Client, subject: Stimulus) -> AsyncIterator[Flaw]:
    """Invalid PDU (0x04), or its response; never silence."""
    for flaw in await raw.unanswered(client, subject.pdu):
        yield flaw
    if subject.pdu[0] == raw.MTU_REQUEST:
        await client.reconnect()
