"""The adapters of a process: which there are, and opening them."""

import os
import random
from collections.abc import Sequence

from bletest.bench.settings import VIRTUAL, parse_transport
from bletest.client.adapter import BumbleAdapter
from bletest.errors import BletestError, UsageMistake
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink

VARIABLE = "BLETEST_ADAPTERS"
"""The environment variable with the radios of this process, comma-separated; the n-th has the
index n. Each is ``virtual`` (the air of this process) or a bumble transport."""


def named_radios() -> tuple[str, ...]:
    """Return the radios that the environment names; one on the virtual air where it names none.

    Raises UsageMistake for a name that is no transport.
    """
    text = os.environ.get(VARIABLE, "").strip()
    return check_radios(VARIABLE, text.split(",") if text else [VIRTUAL])


def check_radios(where: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names without blanks around them; raises UsageMistake, which says ``where``."""
    stripped = [name.strip() for name in names]
    return tuple(one if one == VIRTUAL else parse_transport(where, one) for one in stripped)


async def open_radio(where: str, air: VirtualLink, *, name: str) -> Station:
    """Open a station on the air or on a transport; raises AdapterUnusable."""
    place: VirtualLink | str = air if where == VIRTUAL else where
    return await open_station(place, name=name, address=None, rng=random.SystemRandom())


class Radios:
    """Adapters by index, opened together. One that cannot be opened keeps its reason."""

    def __init__(self) -> None:
        self._opened: list[BumbleAdapter | BletestError] = []
        self._stations: list[Station] = []

    async def open(self, names: Sequence[str], air: VirtualLink) -> None:
        """Open them in order."""
        for number, where in enumerate(names):
            try:
                station = await open_radio(where, air, name=f"pybtle {number}")
            except BletestError as trouble:
                self._opened.append(trouble)
            else:
                self._stations.append(station)
                self._opened.append(BumbleAdapter(station))

    def take(self, adapter: BumbleAdapter) -> None:
        """Use an adapter that somebody else opened, and closes."""
        self._opened.append(adapter)

    def __getitem__(self, index: int) -> BumbleAdapter:
        """Return the n-th; raises UsageMistake where there is none, or why it is not open."""
        if not 0 <= index < len(self._opened):
            count = len(self._opened)
            raise UsageMistake(
                f"there is no adapter {index}: there {'is' if count == 1 else 'are'} {count}",
                remedy=f"count from 0, and name more of them in {VARIABLE}",
            )
        adapter = self._opened[index]
        if isinstance(adapter, BletestError):
            raise adapter.with_traceback(None)
        return adapter

    async def close(self) -> None:
        """Close what was opened here."""
        for adapter in self._opened:
            if isinstance(adapter, BumbleAdapter) and adapter.station in self._stations:
                await adapter.close()
        for station in self._stations:
            await station.close()
        self._opened.clear()
        self._stations.clear()
