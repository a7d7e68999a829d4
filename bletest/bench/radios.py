"""The client's radios: the first, and one more for each further client of a device."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

from bletest.bench.settings import VIRTUAL, Settings
from bletest.client.adapter import BumbleAdapter
from bletest.contracts.capabilities import Capability
from bletest.contracts.events import EventSink, nowhere
from bletest.errors import AdapterUnusable, CapabilityMissing
from bletest.faults import FaultPlan
from bletest.link.station import Station


class Radios:
    """Adapters, opened as they are needed.

    ``open_station(where, role)`` opens the station of one; ``role`` names it in captures.
    ``fault_plans`` are those of emulated devices.
    """

    def __init__(
        self,
        settings: Settings,
        open_station: Callable[[str, str], Awaitable[Station]],
        fault_plans: Mapping[str, FaultPlan],
    ) -> None:
        self._settings = settings
        self._open_station = open_station
        self._fault_plans = fault_plans
        self._sink: EventSink = nowhere
        self._first: BumbleAdapter | None = None
        self._trouble: AdapterUnusable | None = None
        self._more: list[BumbleAdapter] = []
        self._connecting: list[tuple[BumbleAdapter, str]] = []

    def __iter__(self) -> Iterator[BumbleAdapter]:
        """Yield those that are open."""
        if self._first is not None:
            yield self._first
        yield from self._more

    def tell(self, sink: EventSink) -> None:
        """Send what happens on any of them to ``sink`` from now on."""
        self._sink = sink
        for adapter in self:
            adapter.send_events_to(sink)

    def is_first(self, adapter: BumbleAdapter) -> bool:
        """Whether it is the first."""
        return adapter is self._first

    async def first(self) -> BumbleAdapter:
        """Return the first, opened on first use, and anew after it was lost.

        Raises AdapterUnusable; an adapter that could not be opened once is not tried again.
        """
        if self._trouble is not None:
            # A new exception each time: one that is raised again drags its tracebacks along.
            raise AdapterUnusable(self._trouble.message, remedy=self._trouble.remedy)
        if self._first is not None and self._first.is_lost:
            await self.close()
        if self._first is None:
            try:
                self._first = await self._open(self._settings.adapter, "adapter")
            except AdapterUnusable as trouble:
                self._trouble = trouble
                raise
        return self._first

    async def for_link_to(self, address: str) -> BumbleAdapter:
        """Return one that has no link to that device, and will have none: one more if need be.

        Raises AdapterUnusable, and CapabilityMissing where there cannot be one more.
        """
        address = address.upper()
        await self.first()
        for adapter in self:
            linked = any(link.address == address for link in adapter.links)
            if not linked and (adapter, address) not in self._connecting:
                return adapter
        number, settings = len(self._more), self._settings
        if settings.adapter == VIRTUAL:
            where = VIRTUAL
        elif number < len(settings.more_adapters):
            where = settings.more_adapters[number]
        else:
            which = "each adapter" if number else f"the adapter {settings.adapter}"
            raise CapabilityMissing(
                f"{which} has its link to {address} already, and one more would be needed",
                capability=Capability.SECOND_CLIENT,
                remedy="give --ble-adapter once for each client",
            )
        adapter = await self._open(where, f"adapter{number + 2}", f"{number + 2}.")
        self._more.append(adapter)
        return adapter

    @contextmanager
    def taken(self, adapter: BumbleAdapter, address: str) -> Iterator[None]:
        """Let nobody else have it for that device, until its link is up or has failed."""
        pair = (adapter, address.upper())
        self._connecting.append(pair)
        try:
            yield
        finally:
            self._connecting.remove(pair)

    async def _open(self, where: str, role: str, name: str = "") -> BumbleAdapter:
        station = await self._open_station(where, role)
        return BumbleAdapter(station, on_event=self._sink, fault_plans=self._fault_plans, name=name)

    def kill_first(self) -> None:
        """Let the first vanish, as when it is pulled out."""
        if self._first is not None:
            self._first.station.vanish()

    async def close(self) -> None:
        """Close all of them; the next use opens them anew."""
        adapters = tuple(self)
        self._first = None
        self._more.clear()
        for adapter in adapters:
            await adapter.close()
            await adapter.station.close()
