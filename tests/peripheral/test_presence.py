"""An emulated device that advertises only in a window."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bletest import profile
from bletest.client.adapter import BumbleAdapter
from bletest.client.connecting import make_client
from bletest.client.scan import find
from bletest.contracts.events import Event, EventSink, Note, nowhere
from bletest.errors import DeviceNotFound
from bletest.link import clock
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral

SLEEPER = """
bletest: 1
name: sleeper
device: {{name: Sleeper, connections: 2}}
advertising: {{interval: 100ms, window: {window}}}
services: []
"""


@asynccontextmanager
async def asleep_later(
    window: str, told: EventSink = nowhere
) -> AsyncIterator[tuple[VirtualPeripheral, BumbleAdapter]]:
    """Put a device with such a window on the air, with somebody who looks for it."""
    link = VirtualLink(seed=1)
    stations = [
        await open_station(link, name=name, address=None, rng=random.Random(name))
        for name in ("device", "client")
    ]
    peripheral = VirtualPeripheral(profile.loads(SLEEPER.format(window=window)), on_event=told)
    adapter = BumbleAdapter(stations[1])
    await peripheral.start(stations[0])
    yield peripheral, adapter
    await adapter.close()
    await peripheral.stop()
    for station in stations:
        await station.close()


async def is_seen(adapter: BumbleAdapter) -> bool:
    """Look for the device for half a second."""
    try:
        await find(adapter, name="Sleeper", within=0.5)
    except DeviceNotFound:
        return False
    return True


def test_it_advertises_so_long_after_it_was_switched_on_and_not_longer() -> None:
    async def main() -> None:
        async with asleep_later("{for: 30s, after: power_on}") as (peripheral, adapter):
            await asyncio.sleep(29)
            assert await is_seen(adapter)
            assert not peripheral.asleep
            await asyncio.sleep(1)
            assert not await is_seen(adapter)
            assert peripheral.asleep
            await peripheral.reset()
            assert await is_seen(adapter)
            await asyncio.sleep(31)
            await peripheral.simulate_reboot(down=1)
            assert await is_seen(adapter)

    clock.run(main())


def test_it_sleeps_until_it_is_woken_where_nothing_else_opens_the_window() -> None:
    told: list[Event] = []

    async def main() -> None:
        async with asleep_later("{for: 2s, after: disconnect}", told.append) as (
            peripheral,
            adapter,
        ):
            assert not await is_seen(adapter)
            await peripheral.wake()
            assert await is_seen(adapter)
            await asyncio.sleep(1)
            await peripheral.wake()  # and the window begins anew
            await asyncio.sleep(1.4)
            assert await is_seen(adapter)
            await asyncio.sleep(1)
            assert not await is_seen(adapter)

    clock.run(main())
    pressed, asleep = "sleeper: its button is pressed", "sleeper: asleep, until"
    said = [one.text for one in told if isinstance(one, Note)]
    assert said[:2] == [pressed, pressed]
    assert said[2].startswith(asleep)
    assert len(said) == 3


def test_the_window_closes_while_a_client_is_connected_and_opens_when_it_leaves() -> None:
    async def main() -> None:
        async with asleep_later("5s") as (_, adapter):
            async with make_client(adapter, await find(adapter, name="Sleeper", within=1)):
                assert await is_seen(adapter)  # there is room for another
                await asyncio.sleep(5)
                assert not await is_seen(adapter)
            assert await is_seen(adapter)
            await asyncio.sleep(5)
            assert not await is_seen(adapter)

    clock.run(main())


def test_a_device_that_was_stopped_in_its_window_stays_off() -> None:
    async def main() -> None:
        async with asleep_later("2s") as (peripheral, adapter):
            await peripheral.stop()
            await peripheral.wake()
            assert not await is_seen(adapter)
            await asyncio.sleep(3)

    clock.run(main())


@pytest.mark.parametrize("window", ["", ", window: 30s"])
def test_waking_a_device_that_is_awake_does_no_harm(window: str) -> None:
    async def main() -> None:
        text = SLEEPER.format(window="¦").replace(", window: ¦", window)
        link = VirtualLink(seed=1)
        station = await open_station(link, name="d", address=None, rng=random.Random(1))
        peripheral = VirtualPeripheral(profile.loads(text))
        await peripheral.start(station)
        await peripheral.wake()
        assert not peripheral.asleep
        assert station.device.is_advertising
        await peripheral.stop()
        await station.close()

    clock.run(main())
