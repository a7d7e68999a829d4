"""The hub that serves four: what it keeps for each client, and what becomes of that."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise

import pytest

from bletest import profile
from bletest.client.adapter import BumbleAdapter
from bletest.client.connecting import make_client
from bletest.client.gatt import GattClient
from bletest.client.scan import find
from bletest.errors import DeviceNotFound, TooFewNotifications
from bletest.link import clock
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral

HUB = profile.load(profile.shipped()["hub"])


class House:
    """A hub on an air, and phones that come to it."""

    def __init__(self, link: VirtualLink, hub: VirtualPeripheral, resources: AsyncExitStack):
        self.link = link
        self.hub = hub
        self._resources = resources

    async def radio(self, name: str) -> Station:
        station = await open_station(self.link, name=name, address=None, rng=random.Random(name))
        self._resources.push_async_callback(station.close)
        return station

    async def phone(self, name: str) -> tuple[GattClient, Station]:
        """Connect a phone that finds the hub by scanning; raises DeviceNotFound."""
        station = await self.radio(name)
        adapter = BumbleAdapter(station)
        self._resources.push_async_callback(adapter.close)
        found = await find(adapter, name="Home Hub", within=2)
        client = make_client(adapter, found, expectation=HUB.expectation)
        return await self._resources.enter_async_context(client), station


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    link = VirtualLink(seed=1)
    async with AsyncExitStack() as resources:
        hub = VirtualPeripheral(HUB)
        one = House(link, hub, resources)
        await hub.start(await one.radio("hub"))
        resources.push_async_callback(hub.stop)
        yield one


def test_a_phone_that_vanishes_leaves_the_others_alone_and_makes_room() -> None:
    async def main() -> None:
        async with house() as here:
            phones = [await here.phone(f"phone {number}") for number in range(4)]
            with pytest.raises(DeviceNotFound):
                await here.phone("a fifth")
            (first, _), (second, radio), *_ = phones
            async with first.subscribe("power") as power, second.subscribe("power"):
                await power.take(2, within=3)
                assert radio.controller is not None
                here.link.take_out_of_range(radio.controller)
                assert len(here.hub.clients) == 4  # nobody has noticed yet
                times = [reading.time for reading in await power.take(4, within=5)]
                assert [round(b - a, 6) for a, b in pairwise(times)] == [1] * 3
                assert len(here.hub.clients) == 3
                await here.phone("a fifth that waited")
                assert len(here.hub.clients) == 4

    clock.run(main())


def test_the_role_of_a_phone_is_its_own_and_ends_with_its_link() -> None:
    async def main() -> None:
        async with house() as here:
            (first, _), (second, _) = [await here.phone(name) for name in ("first", "second")]
            await first.write("control", b"\x01")
            assert (await second.attempt.write("control", b"\x10\x00")).code == 0x81
            assert (await first.attempt.write("control", b"\x10\x00")).succeeded
            await first.reconnect()
            assert (await first.attempt.write("control", b"\x10\x00")).code == 0x81

    clock.run(main())


def test_what_happens_is_told_to_every_phone_that_subscribed_and_answers_to_who_asked() -> None:
    async def main() -> None:
        async with house() as here, AsyncExitStack() as stack:
            clients = [(await here.phone(f"phone {number}"))[0] for number in range(3)]
            heard = [
                [
                    await stack.enter_async_context(client.subscribe(name))
                    for name in ("control", "happened")
                ]
                for client in clients[:2]
            ]
            await clients[0].write("control", b"\x01")
            await clients[0].write("control", b"\x10\x01")
            answers, happened = heard[0]
            assert [one.raw for one in await answers.take(2, within=1)] == [
                b"\x01\x01",
                b"\x10\x01",
            ]
            assert (await happened.next(within=1)).raw == b"\x10\x01"
            answers, happened = heard[1]
            assert (await happened.next(within=1)).raw == b"\x10\x01"
            with pytest.raises(TooFewNotifications):
                await answers.next(within=1)
            await asyncio.sleep(1)
            assert here.hub["happened"].subscribers.keys() == set(here.hub.clients[:2])

    clock.run(main())
