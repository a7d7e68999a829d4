"""Connectable modes, connection parameters, and the end of a link: CONN, PRIV."""

import asyncio

from bumble import hci

from tests.conformance.gap.registry import case, device, protected
from tests.conformance.official.lab import Lab, Tester, error, u16
from tests.support.raw_scanner import ADV_DIRECT_IND, RawScanner
from tests.support.raw_smp import ID_KEY, RawPairing

SIGNALLING = 5
UPDATE_REQUEST, UPDATE_RESPONSE = 0x12, 0x13


async def connects(lab: Lab, number: int = 1) -> bool:
    """Whether a central gets a connection within ten seconds; it is ended again."""
    try:
        async with asyncio.timeout(10):
            tester = await lab.tester(number, discover=False)
    except TimeoutError:
        return False
    assert tester.is_connected
    await tester.disconnect()
    return True


for number, mode in (("01", "none"), ("02", "general"), ("03", "limited")):

    async def cannot_be_connected(lab: Lab) -> None:
        assert not await connects(lab)
        assert not lab.device.clients
        lab.can_serve = False

    async def can_be_connected(lab: Lab) -> None:
        for one in (1, 2, 1):
            assert await connects(lab, one)

    case(
        f"GAP/CONN/NCON/BV-{number}-C",
        on=device(f"connectable: false, discoverable: {mode}"),
    )(cannot_be_connected)
    case(f"GAP/CONN/UCON/BV-{number}-C", on=device(f"discoverable: {mode}"))(can_be_connected)


@case("GAP/CONN/DCON/BV-01-C", on=device())
async def directed(lab: Lab) -> None:
    target = await lab.tester(1, discover=False)
    await target.disconnect()
    lab.device.advertise_to("F0:00:00:00:00:01")
    async with RawScanner(lab.link, address="F0:00:00:00:00:01") as scanner:
        await asyncio.sleep(1)
        directed_to_it = {one.kind for one in scanner.reports}
    assert directed_to_it == {ADV_DIRECT_IND}
    assert not await connects(lab, 2)
    await target.connect()
    assert target.is_connected
    await target.disconnect()
    lab.device.advertise_to(None)
    assert await connects(lab, 3)


PARAMETERS = u16(24) + u16(40) + u16(2) + u16(500)  # 30 ms to 50 ms, latency 2, 5 s


def ask(lab: Lab) -> "asyncio.Task[bool]":
    """Have the device ask for those parameters."""
    asked = lab.device.request_parameters(
        lab.device.clients[0], interval=(0.03, 0.05), latency=2, supervision_timeout=5.0
    )
    return asyncio.get_running_loop().create_task(asked)


async def asked_for(tester: Tester, taken: "asyncio.Queue[tuple[int, bytes]]") -> int:
    """The device asks for them; return the identifier of its request."""
    async with asyncio.timeout(5):
        _, request = await taken.get()
    assert request[:1] + request[2:] == bytes((UPDATE_REQUEST,)) + u16(8) + PARAMETERS
    assert request[1]
    return request[1]


def answer(tester: Tester, identifier: int, result: int) -> None:
    """Accept with 0, reject with 1."""
    tester.send_frame(SIGNALLING, bytes((UPDATE_RESPONSE, identifier)) + u16(2) + u16(result))


@case("GAP/CONN/CPUP/BV-01-C", on=device())
async def parameters_accepted(lab: Lab) -> None:
    tester = await lab.tester()
    with tester.taking(SIGNALLING) as taken:
        asking = ask(lab)
        answer(tester, await asked_for(tester, taken), 0)
        await tester.connection.update_parameters(30, 50, 2, 5000)
        assert await asking
    await asyncio.sleep(1)
    (link,) = lab.device.links
    parameters = link.connection.parameters
    assert 30 <= parameters.connection_interval <= 50
    assert (parameters.peripheral_latency, parameters.supervision_timeout) == (2, 5000)
    assert await tester.read(tester.at(0x2A00)) == b"GAP"


@case("GAP/CONN/CPUP/BV-02-C", on=device())
async def parameters_unanswered(lab: Lab) -> None:
    tester = await lab.tester()
    with tester.taking(SIGNALLING) as taken:
        asking = ask(lab)
        await asked_for(tester, taken)
        await asyncio.sleep(29)
        assert not asking.done()
        assert taken.empty(), "it does not ask again within the 30 s"
        await asyncio.sleep(2)
        assert not await asking
        # It may ask anew.
        asking = ask(lab)
        answer(tester, await asked_for(tester, taken), 1)
        assert not await asking
    assert await tester.read(tester.at(0x2A00)) == b"GAP"


@case("GAP/CONN/CPUP/BV-03-C", on=device())
async def parameters_rejected(lab: Lab) -> None:
    tester = await lab.tester()
    before = tester.connection.parameters
    with tester.taking(SIGNALLING) as taken:
        asking = ask(lab)
        answer(tester, await asked_for(tester, taken), 1)
        assert not await asking
        await asyncio.sleep(30)
        assert taken.empty()
    assert tester.connection.parameters == before
    assert await tester.read(tester.at(0x2A00)) == b"GAP"


@case("GAP/CONN/TERM/BV-01-C", on=device())
async def terminated(lab: Lab) -> None:
    tester = await lab.tester()
    await tester.disconnect()
    assert not lab.device.clients
    await tester.connect()
    (link,) = lab.device.links
    lab.device.disconnect(link, 0x13)
    await asyncio.sleep(1)
    assert not tester.is_connected
    assert await connects(lab)


async def bonded_by_identity(lab: Lab, tester: Tester) -> RawPairing:
    """Bond a tester that hands out an IRK; return its pairing."""
    with RawPairing(tester, initiator_keys=ID_KEY) as pairing:
        await pairing.pair()
    return pairing


@case("GAP/CONN/PRDA/BV-01-C", on=protected)
async def private_address_of_a_bonded_peer(lab: Lab) -> None:
    tester = await lab.tester()
    pairing = await bonded_by_identity(lab, tester)
    await tester.disconnect()
    for prand in (b"\x11\x22\x43", b"\xfe\x01\x7a"):
        private = hci.Address(pairing.private_address(prand), hci.Address.RANDOM_DEVICE_ADDRESS)
        friend = await lab.tester(address=private.to_string(False))
        request = b"\x0a" + u16(friend.at(0xFF02))
        assert await friend.ask(request) == error(request, friend.at(0xFF02), 0x0F)
        with RawPairing(friend) as again:
            assert await again.encrypt(pairing.key) == 0
        assert await friend.ask(request) == b"\x0bhidden"
        await friend.disconnect()


@case("GAP/PRIV/CONN/BV-12-C", on=protected)
async def private_address_that_cannot_be_resolved(lab: Lab) -> None:
    tester = await lab.tester()
    pairing = await bonded_by_identity(lab, tester)
    await tester.disconnect()
    stranger = await lab.tester(address="5A:11:22:33:44:55")
    request = b"\x0a" + u16(stranger.at(0xFF02))
    assert await stranger.ask(request) == error(request, stranger.at(0xFF02), 0x05)
    with RawPairing(stranger) as again:
        assert await again.encrypt(pairing.key) != 0
    if not stranger.is_connected:
        await stranger.connect()
    assert await stranger.read(stranger.at(0xFF01)) == b"plain"
    with RawPairing(stranger) as again:
        await again.pair()
    assert await stranger.ask(request) == b"\x0bhidden"
