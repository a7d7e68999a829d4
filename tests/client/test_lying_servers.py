"""Servers that lie, through the whole client: it never hangs, and raises only what it says.

The server is one of raw PDUs. It lies from the connection on, or only once it has been discovered.
Afterwards it does as it should, and the same client connects and reads.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from bleak.exc import BleakError
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.att import procedures
from bletest.client.link import DISCOVERY_TIME
from bletest.errors import BletestError, NoAnswer, ProtocolViolation
from bletest.link.clock import run
from bletest.uuids import Uuid
from tests.conformance.client.registry import ClientLab, client_lab
from tests.support.scripted_server import (
    COMMANDS,
    LONG,
    NOTIFIED,
    PRESENTED,
    RELIABLE,
    SHORT,
    ScriptedServer,
    error,
    number_at,
    u16,
)

REQUESTS = (0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x0E, 0x10, 0x12, 0x16, 0x18, 0x20)
DISCOVERY = (0x04, 0x08, 0x10)
LONGEST = 1000.0
"""Seconds of virtual time after which one operation counts as hung."""
MOST_REQUESTS = 300
"""What a discovery may take here, so that what has no end has it soon."""


@pytest.fixture(autouse=True, scope="module")
def _fewer_requests():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(procedures, "MOST_REQUESTS", MOST_REQUESTS)
        yield


Lie = Callable[[ScriptedServer], None]
LIES: dict[str, Lie] = {}


def lie(function: Lie) -> Lie:
    """Register a kind of server."""
    LIES[function.__name__.replace("_", " ")] = function
    return function


def answering(server: ScriptedServer, opcodes: tuple[int, ...], answer: Callable[..., object]):
    """Have requests answered by what ``answer`` makes of the request and the honest answer."""
    for opcode in opcodes:
        server.answers[opcode] = lambda pdu: answer(pdu, server.answer(pdu) or b"")


# Wrong handles


@lie
def handles_before_those_asked_for(server):
    server.answers[0x10] = lambda _: b"\x11\x06\x01\x00\x05\x00\x0f\x18"
    server.answers[0x08] = lambda _: b"\x09\x07\x01\x00\x02\x02\x00\x19\x2a"
    server.answers[0x04] = lambda _: b"\x05\x01\x01\x00\x02\x29"


@lie
def handles_behind_those_asked_for(server):
    server.answers[0x08] = lambda pdu: b"\x09\x07\xf0\xff\x02\xf1\xff\x19\x2a"
    server.answers[0x04] = lambda pdu: b"\x05\x01\xf0\xff\x02\x29"


@lie
def handles_of_zero(server):
    answering(server, DISCOVERY, lambda _, honest: honest[:2] + bytes(len(honest) - 2))


@lie
def handles_backwards(server):
    def backwards(_, honest):
        if honest[0] == 0x01:
            return honest
        size = honest[1] if honest[0] != 0x05 else {1: 4, 2: 18}[honest[1]]
        records = [honest[at : at + size] for at in range(2, len(honest), size)]
        return honest[:2] + b"".join(reversed(records))

    answering(server, DISCOVERY, backwards)


@lie
def values_that_lie_where_they_are_declared_or_elsewhere(server):
    def moved(pdu, honest):
        if honest[0] == 0x01 or pdu[5:] != b"\x03\x28":
            return honest
        return honest[:5] + u16(number_at(honest, 2) ^ 0x0800) + honest[7:]

    answering(server, (0x08,), moved)


@lie
def errors_that_name_other_requests_and_handles(server):
    answering(server, REQUESTS, lambda pdu, _: b"\x01" + bytes((pdu[0] ^ 0x02,)) + b"\xff\xff\x0a")


@lie
def errors_with_codes_that_are_none(server):
    answering(server, REQUESTS, lambda pdu, _: error(pdu, 0x00))


@lie
def echoes_of_another_write(server):
    answering(server, (0x16,), lambda _, honest: honest[:1] + b"\x77" + honest[2:])


# Endless


@lie
def services_without_end(server):
    def one_more(pdu):
        return b"\x11\x06" + pdu[1:3] + pdu[1:3] + b"\x0f\x18"

    server.answers[0x10] = one_more


@lie
def small_services_without_end(server):
    def one_more(pdu):
        start = number_at(pdu, 1)
        return b"\x11\x06" + u16(start) + u16(min(start + 3, 0xFFFF)) + b"\x0f\x18"

    server.answers[0x10] = one_more


@lie
def characteristics_without_end(server):
    server.answers[0x10] = lambda _: b"\x11\x06\x01\x00\xff\xff\x0f\x18"

    def one_more(pdu):
        start = number_at(pdu, 1)
        if pdu[5:] != b"\x03\x28" or start == 0xFFFF:
            return error(pdu, 0x0A)
        return b"\x09\x07" + u16(start) + b"\x02" + u16(start + 1) + b"\x19\x2a"

    server.answers[0x08] = one_more


@lie
def includes_without_end(server):
    server.answers[0x10] = lambda _: b"\x11\x06\x01\x00\xff\xff\x0f\x18"
    server.answers[0x08] = lambda pdu: b"\x09\x06" + pdu[1:3] + b"\x01\x00\xff\xff"


@lie
def descriptors_without_end(server):
    server.answers[0x10] = lambda _: b"\x11\x06\x01\x00\xff\xff\x0f\x18"
    server.answers[0x08] = lambda pdu: (
        b"\x09\x07\x02\x00\x02\x03\x00\x19\x2a"
        if pdu[1:3] == b"\x02\x00" and pdu[5:] == b"\x03\x28"
        else error(pdu, 0x0A)
    )
    server.answers[0x04] = lambda pdu: b"\x05\x01" + pdu[1:3] + b"\x00\x29"


@lie
def values_without_end(server):
    server.answers[0x0A] = lambda _: b"\x0b" + bytes(22)
    server.answers[0x0C] = lambda _: b"\x0d" + bytes(22)


# Odd opcodes


@lie
def responses_to_other_requests(server):
    answering(server, REQUESTS, lambda pdu, honest: b"\x13" if honest[:1] != b"\x13" else b"\x0b")


@lie
def opcodes_that_are_not_defined(server):
    answering(server, REQUESTS, lambda _, honest: b"\x7f" + honest[1:])


@lie
def requests_sent_back(server):
    answering(server, REQUESTS, lambda pdu, _: pdu)


@lie
def confirmations_instead_of_responses(server):
    answering(server, REQUESTS, lambda *_: b"\x1e")


@lie
def no_opcode_at_all(server):
    answering(server, REQUESTS, lambda *_: b"")


@lie
def every_response_twice(server):
    def twice(_, honest):
        server.send(honest)
        return honest

    answering(server, REQUESTS, twice)


@lie
def notifications_and_indications_around_every_response(server):
    def noisy(_, honest):
        for pdu in (b"\x1b\x3a\x00x", b"\x1d\x3d\x00y", b"\x1b", b"\x1d\x01", b"\x23\x01\x00\xff"):
            server.send(pdu)
        return honest

    answering(server, REQUESTS, noisy)


# Truncated


@lie
def lists_cut_by_an_octet(server):
    answering(server, REQUESTS, lambda _, honest: honest[:-1])


@lie
def lists_cut_in_the_middle(server):
    answering(server, REQUESTS, lambda _, honest: honest[: 1 + len(honest) // 2])


@lie
def lists_without_records(server):
    answering(server, REQUESTS, lambda _, honest: honest[:2])


@lie
def opcodes_alone(server):
    answering(server, REQUESTS, lambda _, honest: honest[:1])


@lie
def records_of_other_sizes_than_said(server):
    for opcode in (0x08, 0x10):
        server.answers[opcode] = lambda pdu: bytes((pdu[0] + 1, 0)) + server.answer(pdu)[2:]
    answering(server, (0x04,), lambda _, honest: honest[:1] + b"\x02" + honest[2:])


@lie
def more_octets_than_fit(server):
    answering(server, REQUESTS, lambda _, honest: honest + bytes(30))


# Overlapping


def groups(server, *ranges):
    octets = b"".join(u16(start) + u16(end) + b"\x0f\x18" for start, end in ranges)
    server.answers[0x10] = lambda pdu: (
        b"\x11\x06" + octets if pdu[1:3] == b"\x01\x00" else error(pdu, 0x0A)
    )


@lie
def services_that_overlap(server):
    groups(server, (0x0001, 0x0030), (0x0020, 0x0049))


@lie
def services_that_are_the_same(server):
    groups(server, (0x0020, 0x0025), (0x0020, 0x0025))


@lie
def services_within_a_service(server):
    groups(server, (0x0001, 0xFFFF), (0x0020, 0x0025))


@lie
def services_that_end_before_they_begin(server):
    groups(server, (0x0025, 0x0020), (0x0030, 0x0049))


@lie
def characteristics_within_each_other(server):
    def within(pdu, honest):
        start = number_at(pdu, 1)
        if honest[0] == 0x01 or pdu[5:] != b"\x03\x28":
            return honest
        first = u16(start) + b"\x02" + u16(start + 3) + b"\x19\x2a"
        return b"\x09\x07" + first + u16(start + 1) + b"\x02" + u16(start + 2) + b"\x19\x2a"

    answering(server, (0x08,), within)


# Changing


def in_turn(*answers):
    """Each time another answer, over and over."""
    count = 0

    def answer(pdu, honest):
        nonlocal count
        count += 1
        return answers[count % len(answers)](pdu, honest)

    return answer


def honestly(_, honest):
    return honest


@lie
def every_other_answer_not_found(server):
    answering(server, REQUESTS, in_turn(honestly, lambda pdu, _: error(pdu, 0x0A)))


@lie
def every_third_answer_cut(server):
    cut = in_turn(honestly, honestly, lambda _, honest: honest[:-1])
    answering(server, REQUESTS, cut)


@lie
def every_answer_the_one_before(server):
    last = b"\x13"

    def before(_, honest):
        nonlocal last
        last, now = honest, last
        return now

    answering(server, REQUESTS, before)


@lie
def a_database_that_moves_with_every_request(server):
    shift = 0

    def moved(pdu, honest):
        nonlocal shift
        shift += 1
        if honest[0] == 0x01:
            return honest
        return honest[:2] + u16((number_at(honest, 2) + shift) & 0xFFFF) + honest[4:]

    answering(server, DISCOVERY, moved)


@lie
def values_that_change_while_they_are_read(server):
    answering(server, (0x0C,), in_turn(lambda pdu, _: b"\x0d" + pdu[1:] * 5, honestly))


@lie
def an_att_mtu_below_the_least(server):
    server.answers[0x02] = lambda _: b"\x03\x00\x00"


@lie
def an_att_mtu_that_is_not_kept(server):
    server.answers[0x02] = lambda _: b"\x03\xff\xff"


@lie
def no_answer_to_every_fifth(server):
    answering(server, REQUESTS, in_turn(*[honestly] * 4, lambda *_: None))


async def operations(lab: ClientLab) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """What can be asked of a connected client, one by one: by names, by bleak, by procedures."""
    client, bleak = lab.client, lab.bleak

    async def subscribe(name):
        async with client.subscribe(name) as notifications:
            lab.server.send(b"\x1b" + u16(NOTIFIED) + b"x")
            await notifications.next(within=1)

    for service in client.database.services:
        for characteristic in service.characteristics[:3]:
            yield lambda one=characteristic: client.read(one)
            for descriptor in characteristic.descriptors[:3]:
                yield lambda one=descriptor: client.read_descriptor(one)
    for handle in (SHORT, LONG, RELIABLE):
        yield lambda one=handle: client.read(one)
        yield lambda one=handle: client.write(one, b"x")
        yield lambda one=handle: client.write(one, bytes(50))
    yield lambda: client.write(COMMANDS, b"x", response=False)
    yield lambda: client.write_descriptor(0x0036, bytes(50))
    yield lambda: client.presented(PRESENTED)
    yield lambda: subscribe(NOTIFIED)
    for handle in (SHORT, LONG, NOTIFIED):
        with suppress(ValueError):  # where it was not discovered
            found = lab.characteristic(handle)
            yield lambda one=found: bleak.read_gatt_char(one)
            yield lambda one=found: bleak.write_gatt_char(one, bytes(30), response=True)
            yield lambda one=found: bleak.start_notify(one, lambda *_: None)
            yield lambda one=found: bleak.stop_notify(one)
    for procedure in (
        lambda: procedures.read_by_uuid(Uuid(0x2A19)),
        lambda: procedures.read_multiple([SHORT, LONG]),
        lambda: procedures.read_multiple_variable([SHORT, LONG]),
        lambda: procedures.discover_service_by_uuid(Uuid(0x180F)),
        lambda: procedures.reliable_write([(SHORT, bytes(30)), (LONG, b"x")], mtu=23),
    ):
        yield lambda one=procedure: client.run(one())
    yield client.discover


async def withstands(lab: ClientLab, begin: Callable[[], None], *, connected: bool) -> list[str]:
    """Go through all of it while the server lies; return what was raised, by class."""
    raised = []
    loop = asyncio.get_running_loop()

    async def bounded(operation):
        began, sent = loop.time(), len(lab.received)
        try:
            await operation()
        except (BletestError, BleakError) as trouble:
            raised.append(type(trouble).__name__)
        assert loop.time() - began < LONGEST
        # Its own, and what reads the extended properties of all that it found.
        assert len(lab.received) - sent <= 2 * MOST_REQUESTS + 10

    if connected:
        await lab.client.connect()
    begin()
    if not connected:
        await bounded(lab.client.connect)
    if lab.client.is_connected:
        async for operation in operations(lab):
            await bounded(operation)
    lab.server.answers.clear()
    await lab.client.disconnect()
    await lab.client.connect()
    await lab.goes_on()
    return raised


@pytest.mark.parametrize("connected", [False, True], ids=["from the first", "once discovered"])
@pytest.mark.parametrize("kind", LIES)
def test_no_lie_hangs_or_crashes_the_client(kind, connected):
    async def main():
        async with client_lab(connect=False) as lab:
            await withstands(lab, lambda: LIES[kind](lab.server), connected=connected)

    run(main())


def test_an_honest_server_is_found_fault_with_for_nothing_but_what_it_does_not_have():
    """Or the test above would show little."""

    async def main():
        async with client_lab(connect=False) as lab:
            raised = await withstands(lab, lambda: None, connected=False)
            assert set(raised) <= {"BleakError"}, "of bleak, for what can not notify"

    run(main())


@settings(deadline=None, max_examples=25)
@given(st.data(), st.booleans())
def test_no_server_at_all_does(data, connected):
    """Each answer is the honest one, or something that was made of it, or noise, or silence."""
    wrong = st.one_of(
        st.just(None),
        st.binary(max_size=30),
        st.integers(0, 22).map(lambda at: lambda honest: honest[:at]),
        st.tuples(st.integers(0, 22), st.integers(1, 255)).map(
            lambda flip: (
                lambda honest: bytes(
                    one ^ (flip[1] if at == flip[0] else 0) for at, one in enumerate(honest)
                )
            )
        ),
        st.binary(min_size=1, max_size=8).map(lambda more: lambda honest: honest + more),
    )
    lies = data.draw(st.lists(st.tuples(st.integers(0, 8), wrong), min_size=1, max_size=12))

    async def main():
        async with client_lab(connect=False) as lab:
            plan = iter([one for gap, bent in lies for one in [*[honest_one] * gap, bent]])

            def answer(_, honest):
                bent = next(plan, honest_one)
                return bent(honest) if callable(bent) else bent

            begin = lambda: answering(lab.server, REQUESTS, answer)  # noqa: E731
            await withstands(lab, begin, connected=connected)

    run(main())


def honest_one(honest):
    return honest


def test_a_discovery_without_end_is_a_violation():
    async def main():
        async with client_lab(connect=False) as lab:
            services_without_end(lab.server)
            with pytest.raises(ProtocolViolation, match="no end after 300 requests"):
                await lab.client.connect()
            assert len([one for one in lab.received if one[0] == 0x10]) == MOST_REQUESTS

    run(main())


def test_a_discovery_whose_every_answer_comes_at_the_last_moment_is_given_up():
    async def main():
        async with client_lab(connect=False) as lab:
            loop = asyncio.get_running_loop()
            small_services_without_end(lab.server)
            for opcode in DISCOVERY:
                prompt = lab.server.answers.get(opcode, lab.server.answer)

                def late(pdu, prompt=prompt):
                    loop.call_later(29, lambda: lab.server.send(prompt(pdu)))

                lab.server.answers[opcode] = late
            began = loop.time()
            with pytest.raises(NoAnswer, match="had not ended after 3"):
                await lab.client.connect()
            assert DISCOVERY_TIME < loop.time() - began < DISCOVERY_TIME + 100
            lab.server.answers.clear()
            await asyncio.sleep(60)
            await lab.client.connect()
            await lab.goes_on()

    run(main())
