"""Signed writes at an emulated device: counters, replays, bonds (Vol 3, Part H, 2.4.5)."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bletest import profile
from bletest.link import clock
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.raw_central import RawCentral
from tests.support.signing import signature

PROFILE = """
bletest: 1
name: signed
device: {name: Signed, connections: 2}
security: {bonding: true}
services:
  - uuid: 0xFF00
    characteristics:
      - uuid: 0xFF01
        id: value
        properties: [read, authenticated_signed_write]
        value: {text: old}
"""
OTHER = "F0:00:00:00:00:02"


class Scene:
    """The device on its air."""

    def __init__(self, link: VirtualLink, device: VirtualPeripheral) -> None:
        self.link = link
        self.device = device
        self.handle = device["value"].attribute.value.handle.to_bytes(2, "little")

    def client(self, address: str = "F0:00:00:00:00:01") -> RawCentral:
        return RawCentral(self.link, self.device.address, address=address)

    async def takes(self, client: RawCentral, value: bytes, counter: int) -> bool:
        """Whether a genuine signed write is carried out; it is never answered."""
        message = b"\xd2" + self.handle + value
        client.send(message + signature(message, counter))
        response = await client.request(b"\x0a" + self.handle)
        assert response is not None
        assert response[0] == 0x0B
        return response[1:] == value


async def come_back(client: RawCentral) -> None:
    await client.disconnect()
    await client.connect()


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    link = VirtualLink(seed=1)
    station = await open_station(link, name="device", address=None, rng=random.Random(1))
    device = VirtualPeripheral(profile.loads(PROFILE))
    await device.start(station)
    yield Scene(link, device)
    await device.stop()
    await station.close()


def test_a_client_without_a_bond_signs_in_vain():
    async def main():
        async with scene() as on, on.client() as client:
            assert not await on.takes(client, b"new", 1)
            await client.pair()
            on.device.forget_bonds()
            await come_back(client)
            assert not await on.takes(client, b"new", 1)

    clock.run(main())


def test_on_an_encrypted_link_nothing_is_signed_and_no_counter_is_used_up():
    async def main():
        async with scene() as on, on.client() as client:
            await client.pair()
            assert not await on.takes(client, b"new", 5)
            await come_back(client)
            assert await on.takes(client, b"new", 5)
            await client.encrypt()
            assert not await on.takes(client, b"newer", 6)

    clock.run(main())


@pytest.mark.parametrize("again", ["reconnected", "restarted"])
def test_a_counter_goes_up_only(again):
    async def main():
        async with scene() as on, on.client() as client:
            await client.pair()
            await come_back(client)
            assert await on.takes(client, b"7", 7)
            for counter in (7, 6, 0):
                assert not await on.takes(client, b"replay", counter)
            if again == "restarted":
                await on.device.reset()
                await client.connect()
            else:
                await come_back(client)
            assert not await on.takes(client, b"replay", 7)
            assert await on.takes(client, b"8", 8)
            assert await on.takes(client, b"far", 0xFFFFFFFF)

    clock.run(main())


def test_a_forged_signature_uses_no_counter_up():
    async def main():
        async with scene() as on, on.client() as client:
            await client.pair()
            await come_back(client)
            message = b"\xd2" + on.handle + b"forged"
            client.send(message + signature(message, 9, key=bytes(16)))
            client.send(message + signature(message, 9)[:-1] + b"\x00")
            assert await on.takes(client, b"4", 4)

    clock.run(main())


def test_every_client_has_a_counter_of_its_own():
    async def main():
        async with scene() as on, on.client() as one, on.client(OTHER) as two:
            for client in (one, two):
                await client.pair()
                await come_back(client)
            assert await on.takes(one, b"one", 100)
            assert await on.takes(two, b"two", 1)
            assert not await on.takes(two, b"replay", 1)
            assert await on.takes(one, b"more", 101)

    clock.run(main())


def test_a_new_bond_begins_a_new_count():
    async def main():
        async with scene() as on, on.client() as client:
            await client.pair()
            await come_back(client)
            assert await on.takes(client, b"3", 3)
            await client.pair()
            await come_back(client)
            assert await on.takes(client, b"0", 0)

    clock.run(main())
