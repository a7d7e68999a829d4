"""What the tests of the client share: a device, an adapter and the air between them."""

import asyncio
import functools
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ParamSpec

from bleak import BleakClient

from bletest.att.database import AttributeTable
from bletest.client.adapter import BumbleAdapter
from bletest.client.backend import BumbleClient
from bletest.client.connecting import make_client
from bletest.client.gatt import GattClient
from bletest.contracts.events import AttPdu, Direction, Event, LinkEvent
from bletest.link.clock import run
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from tests.support.scripted_peripheral import ADDRESS, ScriptedPeripheral

P = ParamSpec("P")


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a coroutine test on a loop of its own, whose time is virtual."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return wrapper


def loop_time() -> float:
    """Return the seconds on the running loop's clock."""
    return asyncio.get_running_loop().time()


@dataclass
class Bench:
    """An air with one device and one adapter on it."""

    air: VirtualLink
    device: ScriptedPeripheral
    adapter: BumbleAdapter
    events: list[Event] = field(default_factory=list)

    def bleak(self, target: Any = ADDRESS, *args: Any, **options: Any) -> BleakClient:
        """Return bleak's client over this adapter."""
        return BleakClient(target, *args, backend=BumbleClient.on(self.adapter), **options)

    def client(self, target: Any = ADDRESS, **options: Any) -> GattClient:
        """Return our client over this adapter."""
        return make_client(self.adapter, target, **options)

    def link_events(self) -> list[str]:
        """Return what happened to links."""
        return [event.what for event in self.events if isinstance(event, LinkEvent)]

    def pdus(self, direction: Direction) -> list[bytes]:
        """Return the ATT PDUs that went one way."""
        return [
            event.pdu
            for event in self.events
            if isinstance(event, AttPdu) and event.direction is direction
        ]


@asynccontextmanager
async def open_bench(
    table: AttributeTable | None = None, *, mtu: int = 517, device_mtu: int = 517, **device: Any
) -> AsyncIterator[Bench]:
    """Open an air with a device that advertises, and an adapter."""
    air = VirtualLink()
    events: list[Event] = []
    async with ScriptedPeripheral(air, table, mtu=device_mtu, **device) as peripheral:
        station = await open_station(air, name="client", address=None, rng=random.Random(7))
        adapter = BumbleAdapter(station, on_event=events.append, mtu=mtu)
        try:
            yield Bench(air, peripheral, adapter, events)
        finally:
            await adapter.close()
            await station.close()
