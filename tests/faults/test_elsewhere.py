"""Faults of a device whose controller is not the air's own, but behind an HCI port."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bletest import profile
from bletest.client.adapter import BumbleAdapter
from bletest.client.connecting import make_client
from bletest.client.scan import find
from bletest.errors import AttributeRefused, LinkLost, UsageMistake
from bletest.link.hci_port import HciPort
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.faults.test_on_air import SENSOR


@asynccontextmanager
async def far_away(*faults: str) -> AsyncIterator[tuple[VirtualLink, VirtualPeripheral]]:
    """Start a device on a controller at the other end of a socket."""
    air = VirtualLink(seed=1)
    peripheral = VirtualPeripheral(profile.loads(SENSOR))
    for fault in faults:
        peripheral.faults.add(fault)
    async with HciPort(air, "tcp-server:0") as port:
        host = f"tcp-client:{port.place}"
        station = await open_station(host, name="far", address=None, rng=random.Random(1))
        try:
            await peripheral.start(station)
            yield air, peripheral
        finally:
            await peripheral.stop()
            await station.close()


def test_what_a_device_does_itself_it_does_on_any_controller() -> None:
    async def main() -> None:
        faults = ("level: read 1 answers 0x0E", "connection 2 disconnects with 0x15")
        async with far_away(*faults) as (air, peripheral):
            station = await open_station(air, name="near", address=None, rng=random.Random(2))
            adapter = BumbleAdapter(station)
            async with make_client(adapter, await find(adapter, name="Sensor")) as client:
                with pytest.raises(AttributeRefused):
                    await client.read("0xFF01")
            with pytest.raises(LinkLost) as caught:
                async with make_client(adapter, await find(adapter, name="Sensor")) as client:
                    await client.read("0xFF01")
            assert caught.value.reason == 0x15
            peripheral.faults.check_leftovers()
            await adapter.close()
            await station.close()

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["connection 1 refused", "read 1 kills the adapter"])
def test_what_only_the_virtual_air_can_do_is_a_usage_mistake_elsewhere(fault: str) -> None:
    async def main() -> None:
        with pytest.raises(UsageMistake, match="is for the virtual air"):
            async with far_away(fault):
                pass
        async with far_away() as (_, peripheral):
            with pytest.raises(UsageMistake, match="is for the virtual air"):
                peripheral.faults.add(fault)
            assert not peripheral.faults

    asyncio.run(main())
