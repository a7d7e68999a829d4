"""Our side: a bench on the virtual air, its devices, and bleak's client with evidence kept."""

import contextlib
import random
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic

from bletest import profile as profiles
from bletest.bench.bench import Bench
from bletest.bench.settings import CaptureChoice, Settings
from bletest.client.adapter import BumbleAdapter
from bletest.client.backend import BumbleClient
from bletest.evidence.transcript import Transcript
from bletest.link.station import open_station
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.spec import Profile

VALUE = bytes(range(20))
"""What is read, written and notified: as much as a notification carries at ATT_MTU 23."""

READING, WRITING, PUSHED, TICKING = "reading", "writing", "pushed", "ticking"

_UUIDS = {READING: 0xFF01, WRITING: 0xFF02, PUSHED: 0xFF03, TICKING: 0xFF04}

_PROFILE = """
bletest: 1
name: benchmark
device: {{name: Benchmark, mtu: 247, connections: {connections}}}
advertising: {{interval: {interval}ms, services: [battery]}}
services:
  - uuid: 0xFF00
    characteristics:
      - {{uuid: 0xFF01, id: reading, properties: [read], value: {{hex: {value}}}}}
      - {{uuid: 0xFF02, id: writing, properties: [write, write_without_response],
         value: {{hex: {value}}}}}
      - {{uuid: 0xFF03, id: pushed, properties: [notify], value: {{hex: {value}}}}}
      - {{uuid: 0xFF04, id: ticking, properties: [notify], value: {{uint16: 0}},
         notify: {{every: 1s, values: {{ramp: {{from: 0, to: 4000, step: 1}}}}}}}}
  - uuid: battery
    characteristics:
      - {{uuid: battery_level, properties: [read, notify], value: {{uint8: 77}}}}
  - uuid: device_information
    characteristics:
      - {{uuid: manufacturer_name_string, properties: [read], value: {{text: Example}}}}
      - {{uuid: model_number_string, properties: [read], value: {{text: B-1}}}}
"""


@cache
def profile(*, interval_ms: int = 100, connections: int = 1) -> Profile:
    """Return the device that is measured with; plain bumble's twin of it is in ``raw``."""
    text = _PROFILE.format(interval=interval_ms, connections=connections, value=VALUE.hex())
    return profiles.loads(text, "benchmark")


@dataclass
class Air:
    """A bench with devices on its air; ``transcript`` keeps what its clients exchange."""

    bench: Bench
    transcript: Transcript
    peripherals: list[VirtualPeripheral] = field(default_factory=list)
    _resources: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def close(self) -> None:
        """Disconnect the clients, and take everybody off the air."""
        await self._resources.aclose()

    async def add_device(self, of: Profile) -> VirtualPeripheral:
        """Put another device on the air; it advertises."""
        # The name chooses the stream of randomness that the address comes from.
        named = replace(of, name=f"{of.name} {len(self.peripherals)}")
        device = await self._resources.enter_async_context(self.bench.device(named))
        assert device.peripheral is not None  # the adapter is virtual, so the device is emulated
        self.peripherals.append(device.peripheral)
        return device.peripheral

    async def add_adapter(self, name: str) -> BumbleAdapter:
        """Open another client's radio, whose events go into the same transcript."""
        assert self.bench.air is not None  # the adapter is virtual
        station = await open_station(
            self.bench.air, name=name, address=None, rng=random.Random(name)
        )
        self._resources.push_async_callback(station.close)
        adapter = BumbleAdapter(station, on_event=self.transcript)
        self._resources.push_async_callback(adapter.close)
        return adapter

    async def connect(
        self, peripheral: VirtualPeripheral, adapter: BumbleAdapter | None = None
    ) -> BleakClient:
        """Return bleak's client, connected, its services discovered."""
        backend = BumbleClient.on(adapter or await self.bench.adapter())
        client = BleakClient(peripheral.address, backend=backend)
        await client.connect()
        self._resources.push_async_callback(client.disconnect)
        return client


def characteristic(client: BleakClient, name: str) -> BleakGATTCharacteristic:
    """Return what the client found of a characteristic of :func:`profile`."""
    found = client.services.get_characteristic(
        f"0000{_UUIDS[name]:04x}-0000-1000-8000-00805f9b34fb"
    )
    assert found is not None  # the profile has it
    return found


@contextlib.asynccontextmanager
async def open_air(devices: int, of: Profile, *, captured: bool = False) -> AsyncIterator[Air]:
    """Open a bench with that many devices, which all advertise.

    With ``captured``, what hosts and controllers say to each other goes into btsnoop files, which
    are removed with the bench.
    """
    transcript = Transcript()
    settings = Settings(capture=CaptureChoice.ON if captured else CaptureChoice.OFF)
    async with Bench(settings) as bench, contextlib.AsyncExitStack() as resources:
        resources.enter_context(bench.recording(transcript))
        if captured:
            folder = resources.enter_context(tempfile.TemporaryDirectory())
            resources.enter_context(bench.capturing(Path(folder)))
        air = Air(bench, transcript)
        resources.push_async_callback(air.close)
        for _ in range(devices):
            await air.add_device(of)
        yield air
