"""Reading as the PDUs show it: by UUID, in parts, several at once (Vol 3, Part G, 4.8)."""

from collections.abc import AsyncIterator

from bletest.conformance import raw
from bletest.conformance.registry import Flaw, Phase, check
from bletest.conformance.steps import characteristic_of, handle_of, octets, value_handle_of
from bletest.conformance.subjects import characteristics, readable, steady, unreadable
from bletest.conformance.values import is_long
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.profile.expectation import CharacteristicExpectation, DeviceExpectation

_RAW = frozenset({Capability.RAW_ATT})


@check(
    "read.by_uuid",
    title="The value is found by its UUID",
    phase=Phase.VALUES,
    subjects=characteristics(readable),
    official=("GATT/SR/GAR/BV-03-C",),
    paragraph="Vol 3, Part G, 4.8.2",
    needs=_RAW,
    secures=("read",),
)
async def by_uuid(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Read By Type over its declaration and value gives its handle and the first octets."""
    found = characteristic_of(client, subject)
    handle = handle_of(found.value_handle)
    request = raw.read_by_type(handle_of(found.handle), handle, subject.uuid)
    answer = await client.exchange(request)
    if (
        not answer
        or answer[0] != raw.READ_BY_TYPE + 1
        or len(answer) < 4
        or answer[1] != len(answer) - 2
    ):
        yield Flaw(
            f"one handle with its value in answer to PDU {octets(request)}", raw.seen(answer)
        )
        return
    if int.from_bytes(answer[2:4], "little") != handle:
        yield Flaw(f"handle 0x{handle:04X}", octets(answer[2:4]))
    value = answer[4:]
    # one entry holds at most ATT_MTU - 4 octets, and 253: a longer value is cut (3.4.4.2)
    cut = len(value) >= min(client.mtu - 4, 253)
    problem = subject.value.mismatch(value)
    if problem and not (cut and (subject.value.exact or value).startswith(value)):
        yield Flaw(subject.value.describe(), f"{octets(value)}: {problem}")


@check(
    "read.by_uuid_refused",
    title="Reading by UUID a value that is not readable is refused",
    phase=Phase.VALUES,
    subjects=characteristics(unreadable),
    official=("GATT/SR/GAR/BI-06-C",),
    paragraph="Vol 3, Part F, 3.4.4.1",
    needs=_RAW,
)
async def by_uuid_refused(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Read Not Permitted (0x02) at the handle of the value."""
    handle = value_handle_of(client, subject)
    request = raw.read_by_type(handle, handle, subject.uuid)
    answer = await client.exchange(request)
    for flaw in raw.not_refused(answer, request, (0x02,), "it has no read property", handle=handle):
        yield flaw


@check(
    "read.blob",
    title="A part of the value is read from an offset",
    phase=Phase.VALUES,
    subjects=characteristics(lambda one: steady(one) and is_long(one.value)),
    official=("GATT/SR/GAR/BV-04-C",),
    paragraph="Vol 3, Part F, 3.4.4.5",
    needs=_RAW,
    secures=("read",),
)
async def blob(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Read Blob gives what is left from the offset on, ATT_MTU - 1 octets at most."""
    handle = value_handle_of(client, subject)
    whole = (await client.attempt.read(characteristic_of(client, subject))).value or b""
    for offset in (1, len(whole) // 2, len(whole)):
        answer = await client.exchange(raw.read_blob(handle, offset))
        part = whole[offset : offset + client.mtu - 1]
        if raw.error_of(answer, raw.READ_BLOB) == (handle, 0x0B) and len(whole) < client.mtu:
            continue  # Attribute Not Long: a server may say so of what one response holds
        # A value that is on the move is compared by its length alone.
        same = answer is not None and (
            answer[1:] == part if subject.value.exact is not None else len(answer) == len(part) + 1
        )
        if not answer or answer[0] != raw.READ_BLOB + 1 or not same:
            yield Flaw(f"{octets(part)} from offset {offset} on", raw.seen(answer))


@check(
    "read.blob_beyond_end",
    title="An offset past the end of the value is refused",
    phase=Phase.VALUES,
    subjects=characteristics(readable),
    official=("GATT/SR/GAR/BI-13-C",),
    paragraph="Vol 3, Part F, 3.4.4.5",
    needs=_RAW,
    secures=("read",),
)
async def blob_beyond_end(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Invalid Offset (0x07), or Attribute Not Long (0x0B) of what one response holds."""
    handle = value_handle_of(client, subject)
    whole = (await client.attempt.read(characteristic_of(client, subject))).value or b""
    accepted = (0x07, 0x0B) if len(whole) < client.mtu else (0x07,)
    # the value may have grown since: no value has more than 512 octets
    request = raw.read_blob(handle, 513)
    answer = await client.exchange(request)
    for flaw in raw.not_refused(answer, request, accepted, "no value is that long", handle=handle):
        yield flaw


@check(
    "read.blob_refused",
    title="A part of a value that is not readable is refused",
    phase=Phase.VALUES,
    subjects=characteristics(unreadable),
    official=("GATT/SR/GAR/BI-12-C",),
    paragraph="Vol 3, Part F, 3.4.4.5",
    needs=_RAW,
)
async def blob_refused(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Read Not Permitted (0x02)."""
    handle = value_handle_of(client, subject)
    request = raw.read_blob(handle, 0)
    answer = await client.exchange(request)
    for flaw in raw.not_refused(answer, request, (0x02,), "it has no read property", handle=handle):
        yield flaw


def _two_readable(expectation: DeviceExpectation) -> list[DeviceExpectation]:
    return [expectation] if len(_steady(expectation)) >= 2 else []


def _steady(expectation: DeviceExpectation) -> list[CharacteristicExpectation]:
    return [one for one in _open(expectation) if one.steady]


def _one_unreadable(expectation: DeviceExpectation) -> list[DeviceExpectation]:
    return [expectation] if _open(expectation) and _shut(expectation) else []


def _open(expectation: DeviceExpectation) -> list[CharacteristicExpectation]:
    return [one for one in expectation.characteristics() if one.read is not None and one.read.open]


def _shut(expectation: DeviceExpectation) -> list[CharacteristicExpectation]:
    return [one for one in expectation.characteristics() if one.read is None]


@check(
    "read.multiple",
    title="Several values are read at once",
    phase=Phase.VALUES,
    subjects=_two_readable,
    official=("GATT/SR/GAR/BV-05-C",),
    paragraph="Vol 3, Part G, 4.8.4",
    needs=_RAW,
)
async def multiple(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Read Multiple is optional: it is answered with the values, or with 0x06."""
    async for flaw in _multiple(client, subject, variable=False):
        yield flaw


@check(
    "read.multiple_variable",
    title="Several values of variable length are read at once",
    phase=Phase.VALUES,
    subjects=_two_readable,
    official=("GATT/SR/GAR/BV-09-C",),
    paragraph="Vol 3, Part G, 4.8.5",
    needs=_RAW,
)
async def multiple_variable(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Read Multiple Variable is optional: it is answered with the values, or with 0x06."""
    async for flaw in _multiple(client, subject, variable=True):
        yield flaw


async def _multiple(
    client: Client, subject: DeviceExpectation, *, variable: bool
) -> AsyncIterator[Flaw]:
    chosen = _steady(subject)[:2]
    handles = [value_handle_of(client, one) for one in chosen]
    values = [
        (await client.attempt.read(characteristic_of(client, one))).value or b"" for one in chosen
    ]
    request = raw.read_multiple(handles, variable=variable)
    answer = await client.exchange(request)
    if raw.error_of(answer, request[0]) == (0, 0x06):
        return
    parts = [len(one).to_bytes(2, "little") + one if variable else one for one in values]
    expected = b"".join(parts)[: client.mtu - 1]
    fixed = all(one.value.exact is not None for one in chosen)
    if (
        not answer
        or answer[0] != request[0] + 1
        or (fixed and answer[1:] != expected)
        or len(answer) - 1 != len(expected)
    ):
        names = " and ".join(one.path for one in chosen)
        yield Flaw(f"{octets(expected)}, the values of {names}", raw.seen(answer))


@check(
    "read.multiple_refused",
    title="Several values of which one is not readable are refused",
    phase=Phase.VALUES,
    subjects=_one_unreadable,
    official=("GATT/SR/GAR/BI-18-C",),
    paragraph="Vol 3, Part F, 3.4.4.7",
    needs=_RAW,
)
async def multiple_refused(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Read Not Permitted (0x02) at the first that offends, or 0x06 where it is not known."""
    async for flaw in _multiple_refused(client, subject, variable=False):
        yield flaw


@check(
    "read.multiple_variable_refused",
    title="Several values of variable length of which one is not readable are refused",
    phase=Phase.VALUES,
    subjects=_one_unreadable,
    official=("GATT/SR/GAR/BI-36-C",),
    paragraph="Vol 3, Part F, 3.4.4.11",
    needs=_RAW,
)
async def multiple_variable_refused(
    client: Client, subject: DeviceExpectation
) -> AsyncIterator[Flaw]:
    """Read Not Permitted (0x02) at the first that offends, or 0x06 where it is not known."""
    async for flaw in _multiple_refused(client, subject, variable=True):
        yield flaw


async def _multiple_refused(
    client: Client, subject: DeviceExpectation, *, variable: bool
) -> AsyncIterator[Flaw]:
    good = value_handle_of(client, _open(subject)[0])
    bad = value_handle_of(client, _shut(subject)[0])
    request = raw.read_multiple((good, bad), variable=variable)
    answer = await client.exchange(request)
    if raw.error_of(answer, request[0]) == (0, 0x06):
        return
    for flaw in raw.not_refused(
        answer, request, (0x02,), "the second value has no read property", handle=bad
    ):
        yield flaw
