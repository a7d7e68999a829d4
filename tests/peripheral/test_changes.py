"""Services of an emulated device that go and come back."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bletest import profile
from bletest.errors import ProfileError, UnknownAttribute, UsageMistake
from bletest.link import clock
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.raw_central import RawCentral

PROFILE = """
bletest: 1
name: changing
device: {name: Changing, gatt: {}}
security: {bonding: true}
services:
  - uuid: 0xFF00
    id: main
    includes: [inner]
    characteristics:
      - {uuid: 0xFF01, id: plain, properties: [read], value: {hex: 01}}
  - uuid: 0xFF10
    id: inner
    characteristics:
      - uuid: 0xFF11
        id: ticker
        properties: [read, write, notify]
        value: {text: tick}
        notify: 1s
        descriptors:
          - {uuid: 0xFF1A, id: first, properties: [read], value: {hex: 01}}
          - {uuid: characteristic_aggregate_format, id: all, value: {handles_of: [first]}}
"""


@asynccontextmanager
async def emulated(gatt: str = "{}") -> AsyncIterator[tuple[VirtualPeripheral, RawCentral]]:
    link = VirtualLink(seed=1)
    station = await open_station(link, name="device", address=None, rng=random.Random(1))
    peripheral = VirtualPeripheral(profile.loads(PROFILE.replace("{}", gatt)))
    await peripheral.start(station)
    async with RawCentral(link, peripheral.address) as central:
        yield peripheral, central
    await peripheral.stop()
    await station.close()
    assert not peripheral.failures


def u16(number: int) -> bytes:
    return number.to_bytes(2, "little")


def test_a_service_comes_back_with_the_profiles_values_at_new_handles():
    async def main():
        async with emulated() as (peripheral, central):
            ticker = peripheral["ticker"]
            before = ticker.attribute
            read = b"\x0a" + u16(before.value.handle)
            assert await central.request(b"\x12" + u16(before.value.handle) + b"tock") == b"\x13"
            assert await central.request(b"\x12" + u16(before.cccd.handle) + b"\x01\x00") == b"\x13"
            await ticker.subscribed(within=1)
            assert await central.notification(within=2) is not None
            peripheral.remove_service("main")
            peripheral.remove_service("inner")
            assert await central.request(read) == b"\x01" + read + b"\x01"
            while not central.notifications.empty():
                central.notifications.get_nowait()
            assert await central.notification(within=5) is None
            peripheral.add_service("inner")
            peripheral.add_service("main")
            assert ticker.attribute is not before
            assert ticker.attribute.value.handle > before.declaration.group_end
            assert await central.request(read) == b"\x01" + read + b"\x01"
            read = b"\x0a" + u16(ticker.attribute.value.handle)
            assert await central.request(read) == b"\x0btick"
            _, first, both = ticker.attribute.descriptors
            assert both.value == u16(first.handle)
            # It is the same characteristic to who holds it: it sends, and tells of its clients.
            cccd = u16(ticker.attribute.cccd.handle)
            assert await central.request(b"\x12" + cccd + b"\x01\x00") == b"\x13"
            await ticker.subscribed(within=1)
            expected = b"\x1b" + u16(ticker.attribute.value.handle) + b"tick"
            assert await central.notification(within=2) == expected

    clock.run(main())


def test_what_cannot_be_changed_is_said():
    async def main():
        async with emulated() as (peripheral, _):
            with pytest.raises(UsageMistake, match="inner is included by main"):
                peripheral.remove_service("inner")
            peripheral.remove_service("main")
            with pytest.raises(UsageMistake, match="main is not in the database now"):
                peripheral.remove_service("main")
            with pytest.raises(UsageMistake, match="inner is in the database already"):
                peripheral.add_service("inner")
            peripheral.remove_service("inner")
            with pytest.raises(UsageMistake, match="main includes inner, which is not there"):
                peripheral.add_service("main")
            with pytest.raises(UnknownAttribute, match='no service "iner"') as unknown:
                peripheral.remove_service("iner")
            assert unknown.value.remedy == 'did you mean "inner"?'

    clock.run(main())


@pytest.mark.parametrize(
    ("gatt", "found"),
    [
        ("{}", []),
        ("{service_changed: true}", ["052a"]),
        ("{robust_caching: true}", ["052a", "292b", "2a2b"]),
        ("{multiple_notifications: true}", ["292b"]),
        ("{eatt: true}", ["292b", "3a2b"]),
    ],
)
def test_the_gatt_service_has_what_the_profile_says(gatt, found):
    async def main():
        async with emulated(gatt) as (_, central):
            services = await central.request(b"\x06\x01\x00\xff\xff\x00\x28\x01\x18")
            uuids = []
            start, end = services[1:3], services[3:5]
            while True:
                response = await central.request(b"\x08" + start + end + b"\x03\x28")
                if response[0] == 0x01:
                    return uuids
                for at in range(2, len(response), response[1]):
                    uuids.append(response[at + 5 : at + response[1]].hex())
                    start = u16(int.from_bytes(response[at + 3 : at + 5], "little"))

    assert clock.run(main()) == found


def test_robust_caching_without_service_changed_is_a_mistake():
    gatt = "{service_changed: false, robust_caching: true}"
    with pytest.raises(ProfileError, match="robust caching needs Service Changed"):
        profile.loads(PROFILE.replace("{}", gatt))


def test_a_fault_follows_its_characteristic_to_its_new_handle():
    async def main():
        async with emulated() as (peripheral, central):
            peripheral.faults.add("ticker: read 1 answers 0x0E")
            peripheral.remove_service("main")
            peripheral.remove_service("inner")
            peripheral.add_service("inner")
            read = b"\x0a" + u16(peripheral["ticker"].attribute.value.handle)
            assert await central.request(read) == b"\x01" + read + b"\x0e"
            await asyncio.sleep(0)
            return await central.request(read)

    assert clock.run(main()) == b"\x0btick"
