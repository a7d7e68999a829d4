"""Devices on the air of this process, for scripts and for a Python prompt."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bletest import profile
from bletest.compat.engine import Engine
from bletest.link.station import open_station
from bletest.peripheral.virtual import VirtualPeripheral

STARTING = 10.0
"""Seconds that a device may take to start, or to stop."""


@dataclass(frozen=True, slots=True)
class Emulated:
    """A device that runs: its ``address`` (of the type ``"random"``), and its controls.

    What the controls offer has to be called in the loop's thread, by ``Engine.shared().call``.
    """

    address: str
    peripheral: VirtualPeripheral


@contextmanager
def emulated(pattern: str) -> Iterator[Emulated]:
    """Emulate the device of a profile, a file or a shipped name, for the length of a block.

    Raises ProfileError, or NothingMatched where there is no such profile.
    """
    engine = Engine.shared()
    described = profile.load(profile.find(pattern)[0])
    peripheral = VirtualPeripheral(described)

    async def start() -> Emulated:
        station = await open_station(
            engine.air,
            name=described.name,
            address=described.device.address,
            rng=random.SystemRandom(),
        )
        await peripheral.start(station)
        return Emulated(peripheral.address, peripheral)

    async def stop() -> None:
        station = peripheral.station
        await peripheral.stop()
        if station is not None:
            await station.close()

    device = engine.call(start(), within=STARTING)
    try:
        yield device
    finally:
        engine.call(stop(), within=STARTING)
