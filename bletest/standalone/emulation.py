"""Devices on the air of this process, for scripts and for a Python prompt."""

import random
from collections.abc import Awaitable
from typing import Self, TypeVar

from bletest import profile
from bletest.link.station import Station, open_station
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.spec import Profile
from bletest.standalone.engine import Engine

T = TypeVar("T")

STARTING = 10.0
"""Seconds that a device may take to start, or to stop."""


class Emulated:
    """A device that runs, until :meth:`close` or the end of a ``with`` block.

    ``address`` is where clients find it, of the type ``"random"``. ``peripheral`` are its
    controls; they belong to the loop's thread, where :meth:`wait` awaits what they offer.
    """

    def __init__(self, described: Profile) -> None:
        self.peripheral = VirtualPeripheral(described)
        self._engine = Engine.shared()
        self._station: Station = self._engine.call(self._start(described), within=STARTING)
        self.address = self.peripheral.address

    def wait(self, work: Awaitable[T], *, within: float = 10.0) -> T:
        """Await something of the controls: ``device.wait(device.peripheral["led"].written())``."""

        async def wait() -> T:
            return await work

        return self._engine.call(wait(), within=within)

    def close(self) -> None:
        """End it; a program that ends need not."""
        self._engine.call(self._stop(), within=STARTING)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _start(self, described: Profile) -> Station:
        station = await open_station(
            self._engine.air,
            name=described.name,
            address=described.device.address,
            rng=random.SystemRandom(),
        )
        await self.peripheral.start(station)
        return station

    async def _stop(self) -> None:
        await self.peripheral.stop()
        await self._station.close()


def emulate(pattern: str) -> Emulated:
    """Emulate the device of a profile, a file or a shipped name, on the air of this process.

    Raises ProfileError, or NothingMatched where there is no such profile.
    """
    return Emulated(profile.load(profile.find(pattern)[0]))
