"""What bumble's own link and controllers get wrong is still so, and ours get right.

Where a test says that bumble has repaired something, see whether our code for it is needed.
"""

import asyncio
import contextlib
import random
import time

import pytest
from bumble import hci
from bumble.device import Device
from bumble.transport import open_transport

from bletest import profile
from bletest.link.clock import run
from bletest.link.hci_port import HciPort
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.link.bumble_rows import (
    ROWS,
    A,
    BumbleParts,
    C,
    OurParts,
    Probe,
    central_and_peripheral,
    device,
)

_NAMED = [pytest.param(probe, id=words) for words, probe in ROWS]


@pytest.mark.parametrize("probe", _NAMED)
def test_bumbles_own_parts_do_not_do_what_hardware_does(probe: Probe) -> None:
    async def main() -> bool:
        return await probe(BumbleParts())

    assert not run(main()), "bumble has repaired this"


@pytest.mark.parametrize("probe", _NAMED)
def test_our_parts_do_what_hardware_does(probe: Probe) -> None:
    async def main() -> bool:
        return await probe(OurParts())

    assert run(main())


# Rows about more than a link and its controllers.


async def seconds_to_connect(parts: BumbleParts | OurParts) -> float:
    central, peripheral, address = await central_and_peripheral(parts)
    await peripheral.start_advertising(advertising_interval_min=300, advertising_interval_max=300)
    await asyncio.sleep(0.05)  # The first advertisement is past.
    began = time.perf_counter()
    await central.connect(address)
    return time.perf_counter() - began


def test_connecting_waits_for_the_next_advertisement_in_virtual_time() -> None:
    async def main() -> float:
        return await seconds_to_connect(BumbleParts())

    async def ours() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        return await seconds_to_connect(OurParts()), loop.time() - began

    assert asyncio.run(main()) > 0.1
    real, virtual = run(ours())
    assert virtual > 0.1
    assert real < virtual


SEVERAL = """
bletest: 1
name: several
device: {name: Several, connections: 2}
advertising: {interval: 100ms}
services: []
"""


async def second_central_connects(parts: BumbleParts | OurParts, address: str) -> bool:
    first = await device(parts, "first", C)
    second = await device(parts, "second", "C0:00:00:00:00:BB")
    await first.connect(address)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(20):
            await second.connect(address, timeout=None)
            return True
    return False


def test_a_second_central_connects_without_advertising_being_restarted_by_hand() -> None:
    async def bumble() -> bool:
        parts = BumbleParts()
        peripheral = await device(parts, "peripheral", A)
        await peripheral.start_advertising(auto_restart=True)
        return await second_central_connects(parts, A)

    async def ours() -> bool:
        parts = OurParts()
        station = await open_station(
            parts.link, name="several", address=A, rng=random.Random("several")
        )
        peripheral = VirtualPeripheral(profile.loads(SEVERAL))
        await peripheral.start(station)
        connected = await second_central_connects(parts, A)
        assert len(peripheral.clients) == 2
        await peripheral.stop()
        await station.close()
        return connected

    assert not run(bumble()), "bumble has repaired this"
    assert run(ours())


async def finds_its_bond(peripheral: Device, central: Device) -> bool:
    await peripheral.start_advertising()
    connection = await central.connect(peripheral.random_address)
    await connection.pair()
    await asyncio.sleep(1)
    assert peripheral.keystore is not None
    return await peripheral.keystore.get(str(central.random_address)) is not None


def test_the_bond_with_a_central_on_a_random_address_is_found_by_that_address() -> None:
    async def bumble() -> bool:
        parts = BumbleParts()
        peripheral = await device(parts, "peripheral", A)
        return await finds_its_bond(peripheral, await device(parts, "central", C))

    async def ours() -> bool:
        link = VirtualLink()
        stations = [
            await open_station(link, name=name, address=None, rng=random.Random(name))
            for name in ("peripheral", "central")
        ]
        found = await finds_its_bond(*(station.device for station in stations))
        for station in stations:
            await station.close()
        return found

    assert not run(bumble()), "bumble has repaired this"
    assert run(ours())


async def octets_for_a_second_client(port: int) -> bytes:
    """Attach two hosts, let the first send Reset, and return what the second one gets."""
    first_reader, first = await asyncio.open_connection("127.0.0.1", port)
    second_reader, second = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.05)
    first.write(bytes(hci.HCI_Reset_Command()))
    got = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            got = await second_reader.read(100)
    if not got:
        async with asyncio.timeout(5):
            assert await first_reader.read(100)
    for writer in (first, second):
        writer.close()
    await asyncio.sleep(0.01)  # The server's side of the sockets closes.
    return got


def test_a_second_client_of_a_tcp_port_does_not_get_the_answers_of_the_first() -> None:
    async def bumble() -> bytes:
        async with await open_transport("tcp-server:127.0.0.1:0") as transport:
            controller = BumbleParts().controller("port")
            transport.source.set_packet_sink(controller)
            controller.set_packet_sink(transport.sink)
            server = transport.server  # type: ignore[attr-defined]
            try:
                return await octets_for_a_second_client(server.sockets[0].getsockname()[1])
            finally:
                server.close()

    async def ours() -> bytes:
        async with HciPort(VirtualLink(), "tcp-server:127.0.0.1:0") as port:
            return await octets_for_a_second_client(int(port.transport.rpartition(":")[2]))

    assert asyncio.run(asyncio.wait_for(bumble(), 10)), "bumble has repaired this"
    assert asyncio.run(asyncio.wait_for(ours(), 10)) == b""
