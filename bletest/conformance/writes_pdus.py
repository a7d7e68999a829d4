"""Writing as the PDUs show it: prepared, cancelled, unanswered (Vol 3, Part F, 3.4.5 and 3.4.6)."""

from collections.abc import AsyncIterator

from bletest.conformance import raw
from bletest.conformance.registry import Changes, Flaw, Phase, check
from bletest.conformance.security import secured
from bletest.conformance.steps import (
    LONGEST_VALUE,
    candidates,
    characteristic_of,
    differs,
    put_back,
    value_handle_of,
)
from bletest.conformance.subjects import characteristics, readable, steady, unwritable, writes_back
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.errors import CapabilityMissing
from bletest.profile.expectation import CharacteristicExpectation

_RAW = frozenset({Capability.RAW_ATT})
_LONG_WRITE_OPTIONAL = "prepared writes are optional where no value needs them"
_MOST_PREPARED = 256


def _required(subject: CharacteristicExpectation) -> bool:
    """Whether the value cannot be written whole but by prepared writes, at the least ATT_MTU."""
    shortest = subject.value.min_length
    if subject.value.exact is not None:
        shortest = len(subject.value.exact)
    return shortest > 20 or "reliable_write" in subject.properties


def _bounded(one: CharacteristicExpectation) -> bool:
    longest = one.value.max_length
    return writes_back(one) and longest is not None and longest < LONGEST_VALUE


async def _prepare(client: Client, handle: int, value: bytes) -> tuple[list[Flaw], bool]:
    """Queue ``value`` in parts; what was wrong, and whether prepared writes are known at all."""
    room = client.mtu - 5
    flaws: list[Flaw] = []
    for offset in range(0, len(value), room) or (0,):
        request = raw.prepare_write(handle, offset, value[offset : offset + room])
        answer = await client.exchange(request)
        if raw.error_of(answer, raw.PREPARE_WRITE) == (0, 0x06):
            return flaws, False
        echo = bytes([raw.PREPARE_WRITE + 1]) + request[1:]
        flaws += raw.not_answered(answer, echo, "the request comes back as it was")
    return flaws, True


@check(
    "write.prepared",
    title="A value is written in parts, and stands when they are executed",
    phase=Phase.WRITES,
    subjects=characteristics(writes_back),
    official=("GATT/SR/GAW/BV-05-C", "GATT/SR/GAW/BV-06-C"),
    paragraph="Vol 3, Part G, 4.9.4 and 4.9.5",
    needs=_RAW,
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def prepared(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Each part is echoed; a server may not know prepared writes where no value needs them."""
    handle = value_handle_of(client, subject)
    async with put_back(client, subject) as before:
        value = next(candidates(subject.value, near=before or None), before)
        flaws, known = await _prepare(client, handle, value)
        if known and not flaws:
            flaws += await differs(
                client, characteristic_of(client, subject), before, "before the parts are executed"
            )
            answer = await client.exchange(raw.execute_write())
            flaws += raw.not_answered(answer, bytes([raw.EXECUTE_RESPONSE]), "parts are executed")
            flaws += await differs(
                client, characteristic_of(client, subject), value, "after the parts are executed"
            )
        elif known:
            await client.exchange(raw.execute_write(cancel=True))
        elif _required(subject):
            flaws.append(
                Flaw("Prepare Write Request is known", f"refused with 0x06; {_LONG_WRITE_OPTIONAL}")
            )
    for flaw in flaws:
        yield flaw


@check(
    "write.cancelled",
    title="Parts that are cancelled leave the value as it was",
    phase=Phase.WRITES,
    subjects=characteristics(writes_back),
    official=("GATT/SR/GAW/BV-07-C",),
    paragraph="Vol 3, Part F, 3.4.6.3",
    needs=_RAW,
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def cancelled(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Execute Write with the flag 0x00."""
    handle = value_handle_of(client, subject)
    async with put_back(client, subject) as before:
        value = next(candidates(subject.value, near=before or None), before)
        flaws, known = await _prepare(client, handle, value)
        if known:
            answer = await client.exchange(raw.execute_write(cancel=True))
            flaws += raw.not_answered(answer, bytes([raw.EXECUTE_RESPONSE]), "parts are cancelled")
            flaws += await differs(
                client, characteristic_of(client, subject), before, "after the parts are cancelled"
            )
    for flaw in flaws:
        yield flaw


@check(
    "write.forgotten",
    title="Parts that were queued before a disconnection are not executed after it",
    phase=Phase.WRITES,
    subjects=characteristics(writes_back),
    paragraph="Vol 3, Part F, 3.4.6.1",
    needs=_RAW,
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def forgotten(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """The queue belongs to the bearer and ends with it."""
    async with put_back(client, subject) as before:
        value = next(candidates(subject.value, near=before or None), before)
        flaws, known = await _prepare(client, value_handle_of(client, subject), value)
        if known:
            await client.reconnect()
            await secured(client, subject.read)
            await secured(client, subject.write)
            flaws += await raw.unanswered(client, raw.execute_write())
            flaws += await differs(
                client, characteristic_of(client, subject), before, "after a new connection"
            )
    for flaw in flaws:
        yield flaw


@check(
    "write.prepared_too_long",
    title="Parts that add up to more than the value may hold are refused",
    phase=Phase.WRITES,
    subjects=characteristics(_bounded),
    official=("GATT/SR/GAW/BI-33-C",),
    paragraph="Vol 3, Part F, 3.4.6.3",
    needs=_RAW,
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def prepared_too_long(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Invalid Attribute Value Length (0x0D) when they are executed, and nothing is stored."""
    async with put_back(client, subject) as before:
        value = before.ljust((subject.value.max_length or 0) + 1, b"\0")
        flaws, known = await _prepare(client, value_handle_of(client, subject), value)
        if known:
            request = raw.execute_write()
            answer = await client.exchange(request)
            flaws += raw.not_refused(answer, request, (0x0D,), f"{len(value)} octets are too many")
            flaws += await differs(
                client, characteristic_of(client, subject), before, "after a write that was refused"
            )
    for flaw in flaws:
        yield flaw


@check(
    "write.prepared_offset",
    title="A part past the end of the value is refused",
    phase=Phase.WRITES,
    subjects=characteristics(_bounded),
    official=("GATT/SR/GAW/BI-09-C",),
    paragraph="Vol 3, Part F, 3.4.6.3",
    needs=_RAW,
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def prepared_offset(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Invalid Offset (0x07) when it is executed, and nothing is stored."""
    async with put_back(client, subject) as before:
        offset = (subject.value.max_length or 0) + 1
        handle = value_handle_of(client, subject)
        request = raw.prepare_write(handle, offset, b"\0")
        answer = await client.exchange(request)
        flaws: list[Flaw] = []
        if raw.error_of(answer, raw.PREPARE_WRITE) != (0, 0x06):
            echo = bytes([raw.PREPARE_WRITE + 1]) + request[1:]
            flaws += raw.not_answered(answer, echo, "offsets are judged when parts are executed")
            execute = raw.execute_write()
            answer = await client.exchange(execute)
            flaws += raw.not_refused(answer, execute, (0x07,), f"nothing stands at {offset}")
            flaws += await differs(
                client, characteristic_of(client, subject), before, "after a write that was refused"
            )
    for flaw in flaws:
        yield flaw


@check(
    "write.prepared_refused",
    title="Preparing a write of a value that is not writable is refused",
    phase=Phase.WRITES,
    subjects=characteristics(unwritable),
    official=("GATT/SR/GAW/BI-08-C",),
    paragraph="Vol 3, Part F, 3.4.6.1",
    needs=_RAW,
)
async def prepared_refused(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Write Not Permitted (0x03), or 0x06 where prepared writes are not known."""
    request = raw.prepare_write(value_handle_of(client, subject), 0, b"\0")
    answer = await client.exchange(request)
    for flaw in raw.not_refused(answer, request, (0x03, 0x06), "it has no write property"):
        yield flaw
    await client.exchange(raw.execute_write(cancel=True))


@check(
    "write.queue_limit",
    title="A prepare queue that is full says so, and can be cancelled",
    phase=Phase.WRITES,
    subjects=characteristics(writes_back),
    paragraph="Vol 3, Part F, 3.4.6.1",
    needs=_RAW,
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def queue_limit(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Prepare Queue Full (0x09); a queue that takes 256 parts is large enough for anyone."""
    request = raw.prepare_write(value_handle_of(client, subject), 0, b"\0")
    flaws: list[Flaw] = []
    async with put_back(client, subject) as before:
        for _ in range(_MOST_PREPARED):
            answer = await client.exchange(request)
            if answer is None or answer[0] != raw.PREPARE_WRITE + 1:
                flaws += raw.not_refused(answer, request, (0x09, 0x06), "the queue has a limit")
                break
        await client.exchange(raw.execute_write(cancel=True))
        flaws += await differs(
            client, characteristic_of(client, subject), before, "after the queue is cancelled"
        )
    for flaw in flaws:
        yield flaw


@check(
    "command.refused",
    title="A write without response to a value that is not writable is ignored",
    phase=Phase.WRITES,
    subjects=characteristics(lambda one: unwritable(one) and readable(one)),
    paragraph="Vol 3, Part F, 3.4.5.3",
    needs=_RAW,
    changes=Changes.SUBJECT,
    secures=("read",),
)
async def command_refused(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """No Error Response, and the value stays; what is sent is the value that stands there."""
    before = (await client.attempt.read(characteristic_of(client, subject))).value or b""
    pdu = raw.write_command(value_handle_of(client, subject), before[: client.mtu - 3])
    for flaw in await raw.not_ignored(client, pdu, "commands have no response"):
        yield flaw


@check(
    "command.too_long",
    title="A write without response that is longer than the value may be is dropped",
    phase=Phase.WRITES,
    subjects=characteristics(
        lambda one: (
            steady(one)
            and one.write is not None
            and "write_without_response" in one.properties
            and one.value.max_length is not None
            and one.value.max_length < LONGEST_VALUE
        )
    ),
    official=("GATT/SR/GAW/BI-39-C",),
    paragraph="Vol 3, Part F, 3.4.5.3",
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def command_too_long(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """The value stays as it was; nobody is told."""
    length = (subject.value.max_length or 0) + 1
    if length > client.mtu - 3:
        raise CapabilityMissing(
            f"a command of {length} octets does not fit an ATT_MTU of {client.mtu}",
            capability=Capability.MTU_CHOICE,
        )
    async with put_back(client, subject) as before:
        target = characteristic_of(client, subject)
        await client.attempt.write(target, before.ljust(length, b"\0"), response=False)
        flaws = await differs(client, target, before, f"after a command of {length} octets")
    for flaw in flaws:
        yield flaw


@check(
    "signed.forged",
    title="A signed write with a wrong signature is ignored",
    phase=Phase.WRITES,
    subjects=characteristics(
        lambda one: steady(one) and "authenticated_signed_write" in one.properties
    ),
    official=("GATT/SR/GAW/BI-01-C",),
    paragraph="Vol 3, Part G, 4.9.2",
    needs=_RAW,
    changes=Changes.SUBJECT,
    secures=("read",),
)
async def forged(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """The value stays as it was; nobody is told."""
    async with put_back(client, subject) as before:
        value = next(candidates(subject.value, near=before or None), before)
        command = raw.write_command(value_handle_of(client, subject), value)
        pdu = bytes([raw.SIGNED_WRITE_COMMAND]) + command[1:] + bytes(12)
        flaws = await raw.not_ignored(client, pdu, "its signature is wrong")
        flaws += await differs(
            client, characteristic_of(client, subject), before, "after a forged signature"
        )
    for flaw in flaws:
        yield flaw
