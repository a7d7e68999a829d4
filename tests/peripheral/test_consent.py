"""Values of an emulated device that somebody has to authorize."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bletest import profile
from bletest.errors import UsageMistake
from bletest.link import clock
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.raw_central import RawCentral

PROFILE = """
bletest: 1
name: consent
device: {name: Consent, connections: 2}
services:
  - uuid: 0xFF00
    characteristics:
      - uuid: 0xFF01
        id: asked
        properties: [read, write, notify]
        value: {text: hidden}
        read: authorized
        write: {access: authorized, fresh: 30s}
        subscribe: {access: authorized, fresh: 30s}
"""
OTHER = "F0:00:00:00:00:02"
ON = b"\x01\x00"


class Scene:
    """The device and two clients."""

    def __init__(self, device: VirtualPeripheral, one: RawCentral, two: RawCentral) -> None:
        self.device = device
        self.clients = (one, two)
        attribute = device["asked"].attribute
        self.handle = attribute.value.handle.to_bytes(2, "little")
        self.cccd = (attribute.value.handle + 1).to_bytes(2, "little")

    async def code(self, pdu: bytes, client: int = 0) -> int:
        """Send a request; return the code that it was refused with, 0 where it was not."""
        response = await self.clients[client].request(pdu)
        return response[4] if response[0] == 0x01 else 0

    async def reads(self, client: int = 0) -> int:
        return await self.code(b"\x0a" + self.handle, client)

    async def writes(self, client: int = 0) -> int:
        return await self.code(b"\x12" + self.handle + b"new", client)


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    link = VirtualLink(seed=1)
    station = await open_station(link, name="device", address=None, rng=random.Random(1))
    device = VirtualPeripheral(profile.loads(PROFILE))
    await device.start(station)
    async with (
        RawCentral(link, device.address) as one,
        RawCentral(link, device.address, address=OTHER) as two,
    ):
        yield Scene(device, one, two)
    await device.stop()
    await station.close()


def test_consent_is_for_one_client_until_it_is_taken_back():
    async def main():
        async with scene() as on:
            assert await on.reads() == 0x08
            on.device.authorize(OTHER)
            assert [await on.reads(0), await on.reads(1)] == [0x08, 0]
            on.device.authorize()
            assert [await on.reads(0), await on.reads(1)] == [0, 0]
            on.device.withdraw_authorization(OTHER)
            assert [await on.reads(0), await on.reads(1)] == [0, 0x08]

    clock.run(main())


def test_consent_ends_with_the_link():
    async def main():
        async with scene() as on:
            on.device.authorize()
            assert await on.reads() == 0
            await on.clients[0].disconnect()
            await on.clients[0].connect()
            assert await on.reads() == 0x08

    clock.run(main())


def test_consent_grows_old_for_what_wants_it_fresh():
    async def main():
        async with scene() as on:
            on.device.authorize()
            assert await on.writes() == 0
            assert await on.code(b"\x12" + on.cccd + ON) == 0
            on.device["asked"].notify()
            assert await on.clients[0].notification() is not None
            await asyncio.sleep(31)
            assert [await on.reads(), await on.writes()] == [0, 0x08]
            on.device["asked"].notify()
            assert await on.clients[0].notification() is None
            on.device.authorize()
            assert await on.writes() == 0
            on.device["asked"].notify()
            assert await on.clients[0].notification() is not None

    clock.run(main())


def test_a_person_is_asked_once_where_any_consent_will_do():
    async def main():
        async with scene() as on:
            asked = []

            def person(client, characteristic):
                asked.append((client, characteristic.path))
                return client == OTHER

            on.device.on_authorization(person)
            assert [await on.reads(0), await on.reads(1), await on.reads(1)] == [0x08, 0, 0]
            assert [client for client, _ in asked] == ["F0:00:00:00:00:01", OTHER]
            assert {path for _, path in asked} == {on.device["asked"].path}
            await asyncio.sleep(31)
            assert await on.writes(1) == 0
            assert len(asked) == 3
            on.device.on_authorization(None)
            on.device.withdraw_authorization()
            assert await on.reads(1) == 0x08
            assert len(asked) == 3

    clock.run(main())


def test_a_person_who_raises_ends_the_test_as_any_handler_does():
    async def main():
        async with scene() as on:
            on.device.on_authorization(lambda _client, _characteristic: 1 / 0)
            assert await on.reads() == 0x08
            (failure,) = on.device.failures
            return failure

    assert isinstance(clock.run(main()), ZeroDivisionError)


def test_nobody_is_authorized_who_is_not_there():
    async def main():
        async with scene() as on:
            with pytest.raises(UsageMistake, match="not connected"):
                on.device.authorize("F0:00:00:00:00:03")

    clock.run(main())
