"""What a link of an emulated device is taken for, from its pairing on."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bumble.pairing import PairingConfig, PairingDelegate

from bletest import profile
from bletest.link import clock
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.raw_central import RawCentral

PROFILE = """
bletest: 1
name: link_security
device: {name: Safe}
security: {bonding: BONDING}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: shut, properties: [read], value: {text: hidden}, read: encrypted}
      - {uuid: 0xFF02, id: safe, properties: [read], value: {text: hidden}, read: authenticated}
"""
DISPLAY = PairingDelegate.DISPLAY_OUTPUT_ONLY
KEYBOARD = PairingDelegate.KEYBOARD_INPUT_ONLY


class Person(PairingDelegate):
    async def generate_passkey(self) -> int:
        return 161803

    async def get_number(self) -> int:
        return 161803


def pairs(device, io=None, *, sc=True):
    """Have one side pair with a passkey, or by Just Works."""
    keys = PairingDelegate.DEFAULT_KEY_DISTRIBUTION
    device.pairing_config_factory = lambda _: PairingConfig(
        sc=sc,
        mitm=io is not None,
        delegate=Person(PairingDelegate.NO_OUTPUT_NO_INPUT if io is None else io, keys, keys),
        identity_address_type=PairingConfig.AddressType.RANDOM,
    )


@asynccontextmanager
async def emulated(
    *, bonding: bool = True
) -> AsyncIterator[tuple[VirtualPeripheral, Station, RawCentral]]:
    link = VirtualLink(seed=1)
    station = await open_station(link, name="device", address=None, rng=random.Random(1))
    described = PROFILE.replace("BONDING", str(bonding).lower())
    peripheral = VirtualPeripheral(profile.loads(described))
    await peripheral.start(station)
    async with RawCentral(link, peripheral.address) as central:
        yield peripheral, station, central
    await peripheral.stop()
    await station.close()


def read(peripheral, name):
    return b"\x0a" + peripheral[name].attribute.value.handle.to_bytes(2, "little")


def refused(request, code):
    return b"\x01" + request + bytes((code,))


@pytest.mark.parametrize("sc", [True, False])
def test_without_bonding_a_pairing_is_worth_as_much_as_its_link(sc):
    async def main():
        async with emulated(bonding=False) as (peripheral, station, central):
            pairs(central.device, sc=sc)
            shut = read(peripheral, "shut")
            await central.pair()
            assert await central.request(shut) == b"\x0bhidden"
            await central.disconnect()
            await central.connect()
            assert await central.request(shut) == refused(shut, 0x05)
            assert await station.device.keystore.get_all() == []

    clock.run(main())


@pytest.mark.parametrize("sc", [True, False])
def test_while_a_pairing_is_under_way_the_link_is_worth_what_its_new_key_is(sc):
    async def main():
        async with emulated() as (peripheral, station, central):
            safe = read(peripheral, "safe")
            pairs(station.device, DISPLAY)
            pairs(central.device, KEYBOARD)
            await central.pair()
            assert await central.request(safe) == b"\x0bhidden"
            # The older bond is authenticated; the key that is in use from now on is not.
            pairs(station.device, sc=sc)
            pairs(central.device, sc=sc)
            central.connection.once("connection_encryption_change", lambda: central.send(safe))
            await central.pair()
            assert await central.response() == refused(safe, 0x05)
            assert await central.request(safe) == refused(safe, 0x05)

    clock.run(main())
