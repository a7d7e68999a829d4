"""Python that users register, and that profiles name."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bletest import profile
from bletest.errors import BehaviourMissing, EmulationError
from bletest.link import clock
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.behaviours import Behaviour
from bletest.peripheral.requests import Trigger
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.rules import Reboot
from tests.peripheral.devices import CLIENT, cccd, handle
from tests.support.raw_central import RawCentral

PROFILE = """\
bletest: 1
name: behaving
device: {name: Tag, behaviour: acme.device}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: count, properties: [read, notify], value: {hex: 00},
         behaviour: acme.count}
      - {uuid: 0xFF02, id: plain, properties: [read, write], value: {hex: 01}}
"""
READ, WRITE = b"\x0a", b"\x12"


@asynccontextmanager
async def device(**known: Behaviour) -> AsyncIterator[tuple[VirtualPeripheral, RawCentral]]:
    behaviours = {name.replace("_", "."): one for name, one in known.items()}
    link = VirtualLink(seed=1)
    station = await open_station(link, name="device", address=None, rng=random.Random(1))
    peripheral = VirtualPeripheral(profile.loads(PROFILE), behaviours=behaviours)
    await peripheral.start(station)
    async with RawCentral(link, peripheral.address) as central:
        yield peripheral, central
    await peripheral.stop()
    await station.close()


def test_a_behaviour_gets_its_characteristic_or_the_device_and_begins_anew_after_a_reboot() -> None:
    class Count:
        def __init__(self, characteristic: Any) -> None:
            self.count = 0
            characteristic.on_read(self.read)

        def read(self, request: Any) -> int:
            self.count += 1
            return self.count

    seen: list[str] = []

    def whole(peripheral: Any) -> None:
        peripheral.on_connect(lambda event: seen.append(event.client))
        peripheral["plain"].callback(Trigger.WRITE, lambda plain: seen.append(plain.path))
        peripheral["plain"].on_read(lambda request: b"mine")

    async def main() -> None:
        async with device(acme_count=Count, acme_device=whole) as (peripheral, central):
            count, plain = handle(peripheral, "count"), handle(peripheral, "plain")
            for _ in range(2):
                assert await central.request(READ + count) == b"\x0b\x01"
                assert await central.request(READ + count) == b"\x0b\x02"
                assert await central.request(READ + plain) == b"\x0bmine"
                assert await central.request(WRITE + plain + b"x") == b"\x13"
                await peripheral.reset()
                await central.connect()
            assert seen == [CLIENT, "0xFF00/plain", CLIENT, "0xFF00/plain", CLIENT]

    clock.run(main())


def test_what_a_test_has_set_is_not_taken_back() -> None:
    async def main() -> None:
        async with device(acme_count=lambda _: None, acme_device=lambda _: None) as (
            peripheral,
            central,
        ):
            peripheral["count"].on_read(lambda request: b"the test's")
            peripheral["plain"].callback(Trigger.READ, lambda _: b"this too")
            await peripheral.reset()
            await central.connect()
            for name, value in (("count", b"the test's"), ("plain", b"this too")):
                assert await central.request(READ + handle(peripheral, name)) == b"\x0b" + value

    clock.run(main())


def test_a_coroutine_goes_on_until_the_device_goes_down() -> None:
    ticks = 0

    async def tick(characteristic: Any) -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(1)
            ticks += 1
            characteristic.value(ticks)

    async def main() -> None:
        async with device(acme_count=tick, acme_device=lambda _: None) as (peripheral, central):
            await central.request(WRITE + cccd(peripheral, "count") + b"\x01\x00")
            for _ in range(2):
                assert await central.notification() is not None
            peripheral.simulate_power_loss()
            before = ticks
            await asyncio.sleep(10)
            assert ticks == before

    clock.run(main())


def test_a_behaviour_that_is_not_registered_is_told_with_its_place_and_what_to_do() -> None:
    with pytest.raises(BehaviourMissing) as caught:
        VirtualPeripheral(profile.loads(PROFILE, "tag.yaml"), behaviours={"acme.counter": print})
    text = str(caught.value)
    assert "tag.yaml:3:32: the behaviour `acme.device` is registered nowhere" in text
    assert "ble_behaviours" in text
    assert "--ble-behaviours" in text
    assert 'did you mean "acme.counter"?' in text
    assert len(caught.value.mistakes) == 2


def test_a_behaviour_that_raises_is_told_by_its_name() -> None:
    def broken(_: object) -> None:
        raise RuntimeError("no sensor")

    async def main() -> None:
        async with device(acme_count=broken, acme_device=lambda _: None):
            raise AssertionError("it came up all the same")

    with pytest.raises(EmulationError, match=r"acme\.count raised RuntimeError: no sensor"):
        clock.run(main())


MODES = """\
modes:
  boot:
    device: {name: Boot}
    services:
      - uuid: 0xFF10
        characteristics:
          - {uuid: 0xFF01, id: count, properties: [read], value: {hex: 07}, behaviour: acme.boot}
"""


def test_each_mode_has_behaviours_of_its_own() -> None:
    begun: list[str] = []

    async def main() -> None:
        link = VirtualLink(seed=1)
        station = await open_station(link, name="device", address=None, rng=random.Random(1))
        known: dict[str, Behaviour] = {
            "acme.device": lambda device: begun.append(device.mode),
            "acme.count": lambda count: count.on_read(lambda request: b"normal"),
            "acme.boot": lambda count: count.on_read(lambda request: b"boot"),
        }
        peripheral = VirtualPeripheral(profile.loads(PROFILE + MODES), behaviours=known)
        await peripheral.start(station)
        async with RawCentral(link, peripheral.address) as central:
            for mode in ("normal", "boot", "normal"):
                if mode != peripheral.mode:
                    peripheral.reboot(Reboot(enter=mode, goodbye=True))
                    await peripheral.wait_disconnected()
                    await asyncio.sleep(1)
                    await central.connect()
                number = handle(peripheral, "count")
                assert await central.request(READ + number) == b"\x0b" + mode.encode()
        await peripheral.stop()
        await station.close()
        assert begun == ["normal", "boot", "normal"]  # what a mode does not say is as without

    clock.run(main())


def test_a_behaviour_of_a_mode_is_missed_before_the_device_gets_there() -> None:
    known: dict[str, Behaviour] = {"acme.device": print, "acme.count": print}
    with pytest.raises(BehaviourMissing, match=r"acme\.boot` is registered nowhere"):
        VirtualPeripheral(profile.loads(PROFILE + MODES), behaviours=known)
