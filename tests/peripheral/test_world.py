"""What clients observe when the world does something to their device."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from bletest import profile
from bletest.client.adapter import BumbleAdapter
from bletest.client.connecting import make_client
from bletest.client.gatt import GattClient
from bletest.client.scan import find, scan
from bletest.contracts.events import Event, LinkEvent, Note
from bletest.errors import ConnectionFailed, DeviceNotFound, LinkLost, UsageMistake
from bletest.link.model import make_model
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.client.support import in_virtual_time, loop_time

PROFILE = """
bletest: 1
name: strap
device: {name: Strap, connections: 1}
advertising: {interval: 100ms, name: Strap}
security: {bonding: true, io: no_input_no_output}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: plain, properties: [read, write], value: {hex: 01}, length: 1}
      - {uuid: 0xFF02, id: ticker, properties: [notify], value: {hex: 00},
         notify: {every: 1s, values: {sequence: [{hex: 0A}, {hex: 0B}]}}}
      - {uuid: 0xFF03, id: secret, properties: [read], value: {hex: AA}, read: encrypted}
"""

TIMEOUT = 0.72
"""Seconds of supervision timeout that our client asks for."""

VANISHED = 0x08

MODELS = ["instant", "ideal", "noisy"]


@dataclass
class Scene:
    device: VirtualPeripheral
    adapter: BumbleAdapter
    events: list[Event]

    def client(self) -> GattClient:
        return make_client(
            self.adapter, self.device.address, expectation=self.device.profile.expectation
        )

    async def seen(self, seconds: float = 1.0) -> list[str]:
        return [one.name for one in await scan(self.adapter, within=seconds)]


@asynccontextmanager
async def scene(model: str = "instant", **keys: object) -> AsyncIterator[Scene]:
    link = VirtualLink(seed=5)
    link.radio.use(make_model(model, **keys))
    events: list[Event] = []
    station = await open_station(link, name="strap", address=None, rng=random.Random(1))
    device = VirtualPeripheral(profile.loads(PROFILE), on_event=events.append)
    await device.start(station)
    ours = await open_station(link, name="client", address=None, rng=random.Random(2))
    adapter = BumbleAdapter(ours, on_event=events.append)
    try:
        yield Scene(device, adapter, events)
    finally:
        await adapter.close()
        await ours.close()
        await device.stop()
        await station.close()


async def lost(client: GattClient) -> tuple[int | None, float]:
    """Read what is never answered until the link ends; return its reason and the moment."""
    with pytest.raises(LinkLost) as caught:
        await client.read("plain")
    return caught.value.reason, loop_time()


@pytest.mark.parametrize("model", MODELS)
@in_virtual_time
async def test_out_of_range_a_connected_client_loses_its_link_after_the_timeout(model):
    async with scene(model) as s, s.client() as client:
        await client.read("plain")
        start = loop_time()
        s.device.simulate_out_of_range()
        reason, ended = await lost(client)
        assert reason == VANISHED
        # From the last packet it heard, which on a paced link came an interval or so before.
        assert TIMEOUT - 0.2 < ended - start <= TIMEOUT + 1e-6
        await s.device.wait_disconnected(within=1)
        assert await s.seen() == []


@pytest.mark.parametrize("model", MODELS)
@in_virtual_time
async def test_a_read_that_is_on_its_way_waits_until_the_device_is_back(model):
    async with scene(model) as s, s.client() as client:
        s.device.simulate_out_of_range()
        start = loop_time()
        reading = asyncio.create_task(client.read("plain"))
        await asyncio.sleep(0.4)
        assert not reading.done()
        s.device.simulate_back_in_range()
        assert (await reading).raw == b"\x01"
        assert 0.3999 < loop_time() - start < 0.6
        await asyncio.sleep(10)
        assert (await client.read("plain")).raw == b"\x01"


@pytest.mark.parametrize("model", MODELS)
@in_virtual_time
async def test_a_device_that_is_back_can_be_found_and_connected_to(model):
    async with scene(model) as s:
        s.device.simulate_out_of_range()
        assert await s.seen() == []
        with pytest.raises(DeviceNotFound):
            await make_client(s.adapter, s.device.address, timeout=2).connect()
        s.device.simulate_back_in_range()
        assert await s.seen() == ["Strap"]
        async with s.client() as client:
            await client.read("plain")


@in_virtual_time
async def test_who_connects_while_the_device_is_away_is_told_that_no_link_came_up():
    async with scene() as s:
        found = await find(s.adapter, name="Strap", within=3)
        s.device.simulate_out_of_range()
        with pytest.raises(ConnectionFailed):
            await make_client(s.adapter, found, timeout=2).connect()


@pytest.mark.parametrize("model", MODELS)
@in_virtual_time
async def test_power_loss_is_silent_and_noticed_after_the_timeout(model):
    async with scene(model) as s, s.client() as client:
        await client.write("plain", b"\x02")
        start = loop_time()
        s.device.simulate_power_loss()
        s.device.simulate_power_loss()  # off already
        assert s.device.clients == ()
        reason, ended = await lost(client)
        assert reason == VANISHED
        assert TIMEOUT - 0.2 < ended - start <= TIMEOUT + 1e-6
        assert await s.seen(5) == []
        await s.device.simulate_power_return()
        await s.device.simulate_power_return()
        assert await s.seen() == ["Strap"]
        async with s.client() as again:
            assert (await again.read("plain")).raw == b"\x01"  # what was written is lost


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("down", [0, 0.3, 5])
@in_virtual_time
async def test_a_reboot_is_noticed_after_the_timeout_however_short_it_is(model, down):
    async with scene(model) as s, s.client() as client:
        start = loop_time()
        rebooting = asyncio.create_task(s.device.simulate_reboot(down=down))
        reason, ended = await lost(client)
        assert reason == VANISHED
        assert TIMEOUT - 0.2 < ended - start <= TIMEOUT + 1e-6
        await rebooting
        assert loop_time() - start == pytest.approx(max(down, ended - start), abs=0.01)
        async with s.client() as again:
            assert (await again.read("plain")).raw == b"\x01"


@in_virtual_time
async def test_bonds_survive_a_loss_of_power():
    async with scene() as s, s.client() as client:
        await client.pair()
        assert (await client.read("secret")).raw == b"\xaa"
        await s.device.simulate_reboot(down=1)
        async with s.client() as again:
            await again.pair()
            assert (await again.read("secret")).raw == b"\xaa"
        assert sum(e.what == "paired" for e in s.events if isinstance(e, LinkEvent)) <= 1


@in_virtual_time
async def test_notifications_end_with_the_power():
    async with scene() as s, s.client() as client, client.subscribe("ticker") as notifications:
        await notifications.take(2, within=5)
        s.device.simulate_power_loss()
        with pytest.raises(LinkLost):
            await notifications.take(2, within=5)


@in_virtual_time
async def test_moving_a_device_changes_its_rssi_and_the_models_range_ends_it():
    async with scene("ideal", range="20m") as s:
        heard = []
        for metres in (None, 1, 10):
            s.device.simulate_distance(metres)
            heard.append((await find(s.adapter, name="Strap", within=3)).advertisement.rssi)
        assert heard == [-50, -40, -60]
        s.device.simulate_distance(21)
        assert await s.seen() == []
        s.device.simulate_distance(20)
        assert await s.seen() == ["Strap"]


@in_virtual_time
async def test_what_the_world_did_stands_in_the_transcript():
    async with scene() as s:
        s.device.simulate_out_of_range()
        s.device.simulate_back_in_range()
        s.device.simulate_distance(3)
        await s.device.simulate_reboot(down=1)
        assert [event.text for event in s.events if isinstance(event, Note)] == [
            "strap: out of range",
            "strap: back in range",
            "strap: 3 m away",
            "strap: power lost",
            "strap: power is back",
        ]


@in_virtual_time
async def test_a_device_that_was_not_started_cannot_be_carried_away():
    with pytest.raises(UsageMistake, match="was not started"):
        VirtualPeripheral(profile.loads(PROFILE)).simulate_out_of_range()
