"""Indications that nobody confirms."""

import asyncio
import random

from bletest import profile
from bletest.link import clock
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.moments import before_a_hair
from tests.support.raw_central import RawCentral

PROFILE = """
bletest: 1
name: indicating
device: {name: Indicating}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: value, properties: [indicate], value: {hex: 00}}
"""


def test_a_confirmation_is_overdue_after_30_s_whatever_the_moment():
    async def main() -> None:
        link = VirtualLink(seed=1)
        station = await open_station(link, name="device", address=None, rng=random.Random(1))
        device = VirtualPeripheral(profile.loads(PROFILE))
        await device.start(station)
        value = device["value"].attribute
        async with RawCentral(link, device.address) as central:
            cccd = value.cccd.handle.to_bytes(2, "little")
            assert await central.request(b"\x12" + cccd + b"\x02\x00") == b"\x13"
            await before_a_hair(30.0)
            device["value"].value(b"\x01")
            (link_,) = device.links
            await asyncio.sleep(29.9)
            assert not link_.bearer.closed
            await asyncio.sleep(0.2)
            assert link_.bearer.closed
        await device.stop()
        await station.close()

    clock.run(main(), ceiling=clock.Ceiling(real=10))
