"""Emulated devices that reboot, into other firmware or the same."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bletest import profile
from bletest.client.adapter import BumbleAdapter
from bletest.client.connecting import make_client
from bletest.client.gatt import GattClient
from bletest.client.scan import scan
from bletest.contracts.events import Event, LinkEvent
from bletest.errors import AttributeRefused
from bletest.link import clock
from bletest.link.model import make_model
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.rules import Reboot
from tests.client.support import loop_time

PROFILE = """
bletest: 1
name: sensor
device: {name: Sensor, mtu: 247, gatt: {robust_caching: true}}
security: {bonding: true}
state: {armed: {initial: no, scope: device}}
services:
  - uuid: 0xFF00
    characteristics:
      - uuid: 0xFF01
        id: control
        properties: [write, notify]
        on_write:
          - {match: 01, enter: boot, down: 2s}
          - {match: 02, enter: boot, down: 1s, disconnect: true}
          - {match: 03, enter: other, down: 1s}
          - {match: 04, down: 1s, after: 500ms}
          - {match: 05, set: {armed: yes}}
          - {match: 06, when: {armed: yes}, reply: {via: control, bytes: 06, after: 3s}, enter: other}
          - {match: 07, add_service: extra, after: 1s}
          - {match: 08, remove_service: extra}
          - {match: 09, reply: {via: control, bytes: 09, after: 3s}}
          - {match: 0A, reply: {via: control, bytes: 0A, after: 3s, to: subscribers}}
          - {otherwise: true, error: 0x80}
      - {uuid: 0xFF02, id: note, properties: [read, write], value: {text: factory}, length: {min: 0, max: 20}}
      - {uuid: 0xFF03, id: secret, properties: [read], value: {hex: 01}, read: encrypted}
  - {uuid: 0xFF10, id: extra, present: false, characteristics: [{uuid: 0xFF11, id: inner, properties: [read], value: {hex: 0A}}]}
modes:
  boot:
    device: {name: Boot, address: +1, mtu: 23, gatt: {}}
    services:
      - uuid: 0xFE59
        characteristics:
          - {uuid: 0xFF21, id: leave, properties: [write], on_write: [{match: 00, enter: normal, down: 1s}]}
          - {uuid: 0xFF03, id: sealed, properties: [read], value: {hex: 02}, read: encrypted}
  other:
    device: {appearance: 0x0200}
    services:
      - {uuid: 0xFF30, characteristics: [{uuid: 0xFF31, id: note, properties: [read, write], value: {text: other}, length: {min: 0, max: 20}}]}
"""  # noqa: E501


class Scene:
    def __init__(self, device: VirtualPeripheral, adapter: BumbleAdapter, events: list[Event]):
        self.device = device
        self.adapter = adapter
        self.events = events
        self.home = device.address

    async def client(self) -> GattClient:
        expectation = self.device.profile.expectation
        client = make_client(self.adapter, self.device.address, expectation=expectation)
        await client.connect()
        return client

    async def names(self) -> list[str | None]:
        return [one.name for one in await scan(self.adapter, within=0.5)]

    def ends(self) -> list[str]:
        return [one.text for one in self.events if isinstance(one, LinkEvent) and one.what == "end"]


@asynccontextmanager
async def scene(model: str = "instant") -> AsyncIterator[Scene]:
    link = VirtualLink(seed=5)
    link.radio.use(make_model(model))
    events: list[Event] = []
    station = await open_station(link, name="sensor", address=None, rng=random.Random(1))
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
    assert not device.failures


@pytest.mark.parametrize("model", ["instant", "ideal"])
def test_a_device_that_reboots_is_gone_without_a_word_and_comes_back_as_another(model: str) -> None:
    async def main() -> None:
        async with scene(model) as it:
            client = await it.client()
            await client.write("note", b"changed")
            start = loop_time()
            await client.write("control", b"\x01")
            assert await client.ended(within=5)
            assert 0.1 + 0.7 < loop_time() - start < 0.1 + 1.0
            assert await it.names() == []
            assert it.device.mode == "boot"
            await asyncio.sleep(1.5)
            assert await it.names() == ["Boot"]
            last = int(it.home[-2:], 16)
            assert it.device.address == f"{it.home[:-2]}{(last + 1) % 256:02X}"
            boot = await it.client()
            uuids = [one.uuid.label for one in boot.database.services]
            assert uuids == ["gap", "gatt", "0xFE59"]
            assert (await boot.read("device_name")).raw == b"Boot"
            assert boot.mtu == 23
            await boot.write("leave", b"\x00")
            assert await boot.ended(within=5)
            await asyncio.sleep(1)
            assert (it.device.mode, it.device.address) == ("normal", it.home)
            await client.connect()
            assert (await client.read("note")).raw == b"factory"

    clock.run(main())


def test_with_a_goodbye_the_link_ends_at_once() -> None:
    async def main() -> None:
        async with scene() as it:
            client = await it.client()
            start = loop_time()
            await client.write("control", b"\x02")
            assert await client.ended(within=5)
            assert loop_time() - start < 0.2
            assert await it.names() == []
            await asyncio.sleep(1.5)
            assert await it.names() == ["Boot"]

    clock.run(main())


def test_a_plain_reboot_comes_back_as_it_was_and_forgets_what_a_reboot_forgets() -> None:
    async def main() -> None:
        async with scene() as it:
            client = await it.client()
            await client.write("control", b"\x05")
            await client.write("note", b"changed")
            await client.write("control", b"\x04")
            await asyncio.sleep(0.4)
            assert (await client.read("note")).raw == b"changed"
            assert await client.ended(within=5)
            await asyncio.sleep(1)
            await client.connect()
            assert (await client.read("note")).raw == b"factory"
            with pytest.raises(AttributeRefused):
                await client.write("control", b"\x06")

    clock.run(main())


def test_what_was_to_be_sent_is_not_sent_after_the_reboot() -> None:
    async def main() -> None:
        async with scene() as it:
            client = await it.client()
            await client.pair()
            await client.write("control", b"\x05")
            async with client.subscribe("control"):
                await client.write("control", b"\x06")
                assert await client.ended(within=5)
            await client.connect()
            await client.pair()
            assert await client.unasked(within=5) == []
            assert it.device.mode == "other"

    clock.run(main())


@pytest.mark.parametrize(("written", "reboots"), [(9, True), (9, False), (10, True)])
def test_a_late_answer_is_for_the_link_that_asked(written: int, reboots: bool) -> None:
    async def main() -> None:
        async with scene() as it:
            client = await it.client()
            await client.pair()
            await client.attempt.subscribe("control")
            await client.write("control", bytes([written]))
            if reboots:
                await client.write("control", b"\x04")
                assert await client.ended(within=5)
                await asyncio.sleep(1)
                await client.connect()
            else:
                await client.reconnect()
            await client.pair()
            assert await client.unasked(within=5) == []
            await client.write("control", bytes([written]))
            assert [one.raw for one in await client.unasked(within=5)] == [bytes([written])]

    clock.run(main())


def test_a_bonded_client_that_enabled_service_changed_is_told_each_time() -> None:
    async def main() -> None:
        async with scene() as it:
            client = await it.client()
            await client.pair()
            await client.attempt.subscribe("service_changed")
            before = (await client.read("database_hash")).raw
            await client.write("control", b"\x03")
            assert await client.ended(within=5)
            await asyncio.sleep(1)
            await client.connect()
            # The link is plain: whose bond it is, is not known.
            assert await client.unasked(within=1) == []
            await client.pair()
            told = [one.raw for one in await client.unasked(within=1)]
            assert told == [b"\x01\x00\xff\xff"]
            assert (await client.read("database_hash")).raw != before
            assert (await client.read("appearance")).raw == b"\x00\x02"
            assert (await client.read("0xFF31")).raw == b"other"
            await it.device.reset()
            await client.connect()
            await client.pair()
            assert [one.raw for one in await client.unasked(within=1)] == [b"\x01\x00\xff\xff"]
            assert (await client.read("database_hash")).raw == before

    clock.run(main())


def test_each_address_has_bonds_of_its_own() -> None:
    async def main() -> None:
        async with scene() as it:
            client = await it.client()
            await client.pair()
            await client.attempt.subscribe("service_changed")
            await client.write("control", b"\x02")
            assert await client.ended(within=5)
            await asyncio.sleep(1.5)
            boot = await it.client()
            with pytest.raises(AttributeRefused):
                await boot.read("sealed")
            await boot.pair()
            assert (await boot.read("sealed")).raw == b"\x02"
            await boot.write("leave", b"\x00")
            assert await boot.ended(within=5)
            await asyncio.sleep(1.5)
            await client.connect()
            await client.pair()
            assert (await client.read("secret")).raw == b"\x01"
            # To who was not there the database has not changed.
            assert await client.unasked(within=1) == []

    clock.run(main())


def test_a_loss_of_power_and_a_reset_lead_back_to_the_normal_mode() -> None:
    async def main() -> None:
        async with scene() as it:
            for way in (it.device.reset, it.device.simulate_reboot):
                it.device.reboot(Reboot(enter="boot", after=0.0))
                await asyncio.sleep(0.1)
                assert it.device.mode == "boot"
                assert it.device["leave"].value() == b""
                await way()
                assert (it.device.mode, it.device.address) == ("normal", it.home)
                assert await it.names() == ["Sensor"]

    clock.run(main())


def test_a_reset_ends_a_reboot_that_is_under_way_and_a_stop_too() -> None:
    async def main() -> None:
        async with scene() as it:
            it.device.reboot(Reboot(enter="boot", down=10.0, after=0.0))
            await asyncio.sleep(1)
            assert await it.names() == []
            await it.device.reset()
            assert await it.names() == ["Sensor"]
            it.device.reboot(Reboot(enter="boot", down=10.0, after=5.0))
            await it.device.reset()
            await asyncio.sleep(10)
            assert it.device.mode == "normal"
            it.device.reboot(Reboot(down=10.0, after=0.0))
            await asyncio.sleep(1)
            await it.device.stop()
            await asyncio.sleep(20)
            assert it.device.station is None

    clock.run(main())


def test_a_device_that_is_switched_on_during_a_reboot_is_not_switched_on_twice() -> None:
    async def main() -> None:
        async with scene() as it:
            it.device.reboot(Reboot(down=5.0, after=0.0))
            await asyncio.sleep(1)
            await it.device.simulate_power_return()
            client = await it.client()
            await asyncio.sleep(10)
            assert client.is_connected

    clock.run(main())


def test_a_callback_belongs_to_its_mode_and_outlives_a_reboot() -> None:
    async def main() -> None:
        async with scene() as it:
            note = it.device["note"]
            it.device.reboot(Reboot(enter="other", after=0.0))
            await asyncio.sleep(0.1)
            assert it.device["note"] is not note
            assert it.device["note"].value() == b"other"
            it.device.reboot(Reboot(after=0.0))
            await asyncio.sleep(0.1)
            assert it.device["note"] is note

    clock.run(main())


def test_services_come_and_go_by_rules_and_a_reboot_puts_them_where_they_were() -> None:
    async def main() -> None:
        async with scene() as it:
            client = await it.client()
            before = it.device["inner"].attribute.value.handle
            assert not it.device.has_service("extra")
            await client.write("control", b"\x08")  # it is gone already: nothing to do
            await client.write("control", b"\x07")
            await asyncio.sleep(0.9)
            assert not it.device.has_service("extra")
            await asyncio.sleep(0.2)
            assert it.device.has_service("extra")
            await client.reconnect()
            assert (await client.read("0xFF11")).raw == b"\x0a"
            assert it.device["inner"].attribute.value.handle > before
            await it.device.reset()
            assert not it.device.has_service("extra")
            assert it.device["inner"].attribute.value.handle == before
            await client.connect()
            await client.write("control", b"\x07")
            await client.write("control", b"\x04")
            assert await client.ended(within=5)
            await asyncio.sleep(2)
            assert not it.device.has_service("extra")

    clock.run(main())
