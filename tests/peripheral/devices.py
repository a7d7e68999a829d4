"""An emulated device on an air of its own, and a central that shares no line with it."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bletest import profile
from bletest.contracts.events import EventSink, nowhere
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.raw_central import RawCentral

CLIENT = "F0:00:00:00:00:01"


@asynccontextmanager
async def device_and_central(
    text: str, *, on_event: EventSink = nowhere
) -> AsyncIterator[tuple[VirtualPeripheral, RawCentral]]:
    """Provide both, connected."""
    link = VirtualLink(seed=1)
    station = await open_station(link, name="device", address=None, rng=random.Random(1))
    peripheral = VirtualPeripheral(profile.loads(text), on_event=on_event)
    await peripheral.start(station)
    async with RawCentral(link, peripheral.address, address=CLIENT) as central:
        yield peripheral, central
    await peripheral.stop()
    await station.close()


def handle(peripheral: VirtualPeripheral, name: str) -> bytes:
    """Return the handle of a value, as it travels."""
    octets: bytes = peripheral[name].stored.handle.to_bytes(2, "little")
    return octets


def cccd(peripheral: VirtualPeripheral, name: str) -> bytes:
    """Return the handle of a characteristic's client configuration, as it travels."""
    attribute = peripheral[name].attribute.cccd
    assert attribute is not None
    octets: bytes = attribute.handle.to_bytes(2, "little")
    return octets
