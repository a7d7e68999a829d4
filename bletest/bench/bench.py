"""One run's adapter and devices, opened as the settings say."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from types import TracebackType
from typing import Self

from bletest.bench.behaviours import registered_behaviours
from bletest.bench.device import DeviceUnderTest
from bletest.bench.firmware import Firmware
from bletest.bench.pairing import DeviceAgent
from bletest.bench.radios import Radios
from bletest.bench.settings import (
    VIRTUAL,
    CaptureChoice,
    DeviceSelector,
    Lifetime,
    SelectBy,
    Settings,
)
from bletest.client.adapter import BumbleAdapter
from bletest.client.agent import PairingAgent
from bletest.client.connecting import make_client
from bletest.client.gatt import GattClient
from bletest.client.scan import Found, find
from bletest.contracts.events import Event, EventSink, FaultFired, nowhere
from bletest.errors import (
    BenchTrouble,
    CapabilityMissing,
    DeviceNotFound,
    EmulationError,
    LinkLost,
    UsageMistake,
)
from bletest.faults import FaultPlan
from bletest.link.capture import Capture, Recorder
from bletest.link.clock import Ceiling, VirtualClockLoop
from bletest.link.hci_port import HciPort
from bletest.link.model import LinkModel
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.behaviours import NO_BEHAVIOURS, Behaviour
from bletest.peripheral.persistence import identity_of, keeper_of
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.spec import Profile

FIRMWARE_STARTS = 10.0
"""Seconds that firmware may take to open its port."""

SHORTEST_SCAN = 3.0
"""Seconds a device is looked for at least."""

CONNECTING = 10.0
"""Seconds that establishing a link may take."""

INTERVALS_SCANNED = 10
"""Advertising intervals a device is looked for; each may be missed by a scanner."""


class Bench:
    """The radio of the client, and the devices under test, for one run.

    Use it as an async context manager. It decides what is virtual and what is real; nothing
    above it knows. ``label`` tells benches apart that share a folder of evidence.
    """

    def __init__(self, settings: Settings, *, label: str = "") -> None:
        self.settings = settings
        self.air: VirtualLink | None = None
        self.port: HciPort | None = None
        self.firmware: Firmware | None = None
        self._label = label
        self._app_adapters: dict[int, BumbleAdapter] = {}
        self._sink: EventSink = nowhere
        self._names: set[str] = set()
        self._on_fault: Callable[[FaultFired], None] | None = None
        self._fault_plans: dict[str, FaultPlan] = {}
        self._radios = Radios(settings, self._open_radio, self._fault_plans)
        captures = settings.capture is not CaptureChoice.OFF
        self._recorder = Recorder() if captures else None

    async def __aenter__(self) -> Self:
        if self.settings.adapter == VIRTUAL:
            self.air = VirtualLink(seed=self.settings.seed, path=self.settings.link.path)
            self.air.radio.use(self.settings.link.model)
        if self.settings.hci_port is not None:
            assert self.air is not None  # Settings let no other adapter have a port
            self.port = await HciPort(self.air, self.settings.hci_port).__aenter__()
            if self.settings.device_command:
                self.firmware = self._new_firmware(self.port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.firmware is not None:
            await self.firmware.stop()
        await self.close_app_adapters()
        await self._radios.close()
        if self.port is not None:
            await self.port.__aexit__()

    def start_ceiling(self, *, virtual: float = 4 * 3600.0, real: float = 60.0) -> None:
        """Give the test that begins ``virtual`` seconds of virtual and ``real`` of real time."""
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualClockLoop):
            loop.ceiling = Ceiling(virtual=virtual, real=real)
            loop.start_ceiling()

    @contextmanager
    def link_model(self, model: LinkModel | None) -> Iterator[None]:
        """Put a model in force on the virtual air for the length of a block: one test.

        What is random in a model begins anew with it, so that a test does not depend on those
        that ran before. Raises CapabilityMissing where the air is real.
        """
        if self.air is None:
            raise CapabilityMissing(
                "the air is real, and follows no link model",
                capability="virtual_air",
                remedy="leave --ble-adapter away",
            )
        self.air.radio.use(model)
        try:
            yield
        finally:
            self.air.radio.use(self.settings.link.model)

    # Firmware

    def _new_firmware(self, port: HciPort) -> Firmware:
        log = self.settings.output / "-".join(filter(None, ("firmware", self._label)))
        log = log.with_suffix(".log")
        log.unlink(missing_ok=True)
        environment = {"BLETEST_HCI_PORT": port.place, "BLETEST_HCI_TRANSPORT": port.other_end}
        return Firmware(self.settings.device_command, log=log, environment=environment)

    async def begin_test(self) -> None:
        """Have the firmware on the air, as fresh as the settings want it; or do nothing.

        Firmware that has died, or has lost its port, is started anew. Raises FirmwareDied if it
        dies before it has opened the port, BenchTrouble if it does not open it.
        """
        if self.firmware is None or self.port is None:
            return
        keep = self.settings.device_lifetime is Lifetime.SESSION
        if not (keep and self.firmware.is_running and self.port.controller is not None):
            await self.restart_firmware()

    async def end_test(self) -> None:
        """Stop firmware that lives for one test; raises FirmwareDied if it has died by itself."""
        if self.firmware is not None and self.settings.device_lifetime is Lifetime.TEST:
            death = self.firmware.death()
            await self.firmware.stop()
            if death is not None and not self.firmware.is_told:
                raise death

    async def restart_firmware(self) -> None:
        """End the firmware, start it anew, and wait until it has opened its port."""
        assert self.firmware is not None  # whoever starts it has it,
        assert self.port is not None  # and the settings let nobody have it without a port
        await self.firmware.stop()
        await self.port.hang_up()
        self.firmware.start()
        window = FIRMWARE_STARTS * self.settings.timeout_scale
        deadline = asyncio.get_running_loop().time() + window
        while self.port.controller is None:
            if (death := self.firmware.death()) is not None:
                raise death
            if asyncio.get_running_loop().time() > deadline:
                raise BenchTrouble(
                    f"the firmware has not opened {self.port.place} within {window:g} s",
                    remedy="open what the environment variable BLETEST_HCI_PORT names, and speak "
                    "H4 there; give slow firmware time with --ble-timeout-scale",
                )
            await asyncio.sleep(0.01)

    # Evidence

    @contextmanager
    def recording(
        self, sink: EventSink, *, on_fault: Callable[[FaultFired], None] | None = None
    ) -> Iterator[None]:
        """Send what happens on the client's radio to ``sink`` for the length of a block.

        ``on_fault`` too is told of every planned fault that fires.
        """
        before = self._sink, self._on_fault
        self._tell(sink, on_fault)
        try:
            yield
        finally:
            self._tell(*before)

    def _tell(self, sink: EventSink, on_fault: Callable[[FaultFired], None] | None) -> None:
        self._sink, self._on_fault = sink, on_fault
        self._radios.tell(sink)
        for adapter in self._app_adapters.values():
            adapter.send_events_to(sink)

    def _on_device_event(self, event: Event) -> None:
        self._sink(event)
        if self._on_fault is not None and isinstance(event, FaultFired):
            self._on_fault(event)

    @contextmanager
    def capturing(self, folder: Path) -> Iterator[Capture | None]:
        """Write what hosts and controllers say to each other to ``folder`` for a block.

        ``adapter.btsnoop`` is the client's view, ``device.btsnoop`` the emulated device's. None
        where the settings want no captures.
        """
        if self._recorder is None:
            yield None
            return
        with self._recorder.into(folder) as capture:
            yield capture

    def raise_callback_failures(self) -> None:
        """Raise what a test's callbacks raised while nobody was there to catch it."""
        failures = [one for each in self._radios for one in each.take_callback_failures()]
        if failures:
            first = failures[0]
            raise UsageMistake(
                f"a callback of the test raised on {first.what}: "
                f"{type(first.error).__name__}: {first.error}"
            ) from first.error

    # The client's radio

    async def adapter(self) -> BumbleAdapter:
        """Return the client's radio, opened on first use, and anew after it was lost.

        Raises AdapterUnusable; an adapter that could not be opened once is not tried again.
        """
        return await self._radios.first()

    async def _open_radio(self, where: str, role: str) -> Station:
        return await self._open(where, role, None, role)

    async def app_adapter(self, index: int) -> BumbleAdapter:
        """Return a radio for the program under test, opened on first use: the n-th it asks for.

        On the virtual air each is one of its own; a real adapter is shared with the program, and
        is the only one. Raises AdapterUnusable, UsageMistake for any other.
        """
        if self.air is None:
            if index:
                raise UsageMistake(
                    f"the program asks for adapter {index}, and there is one: "
                    f"{self.settings.adapter}"
                )
            return await self.adapter()
        known = self._app_adapters.get(index)
        if known is None:
            name = f"app {index}"
            station = await self._open(VIRTUAL, name, None, name.replace(" ", "-"))
            known = self._app_adapters[index] = BumbleAdapter(
                station, on_event=self._sink, name=f"{name}/", fault_plans=self._fault_plans
            )
        return known

    async def close_app_adapters(self) -> None:
        """End the links of the program under test, and take its radios off the air."""
        adapters, self._app_adapters = self._app_adapters, {}
        for adapter in adapters.values():
            await adapter.close()
            await adapter.station.close()

    async def _open(
        self, where: str, name: str, address: str | None, role: str, irk: bytes | None = None
    ) -> Station:
        """Open a station with randomness of its own: one stream a seed and purpose.

        ``role`` names its captures: what it is on this bench.
        """
        place: VirtualLink | str = where
        if where == VIRTUAL:
            assert self.air is not None  # only a virtual adapter asks for a place on it
            place = self.air
        rng = (
            random.Random(f"{self.settings.seed}/{name}")
            if where == VIRTUAL
            else random.SystemRandom()
        )
        tap = self._recorder.tap(role) if self._recorder is not None else None
        return await open_station(place, name=name, address=address, rng=rng, irk=irk, tap=tap)

    # The device under test

    @asynccontextmanager
    async def device(
        self,
        profile: Profile,
        *,
        faults: Sequence[str] = (),
        behaviours: Mapping[str, Behaviour] = NO_BEHAVIOURS,
    ) -> AsyncIterator[DeviceUnderTest]:
        """Provide the device under test: the emulated one for the length of a block, or the real.

        ``faults`` are planned beside those of the profile, for an emulated device alone; raises
        UsageMistake for one that makes no sense. So are ``behaviours``, by the names that the
        profile may use, beside those of trusted distributions; raises BehaviourMissing where it
        names another. Raises EmulationError at the end if a handler of the emulated device raised.
        """
        if self.settings.device is not None:
            restart = self.restart_firmware if self.firmware is not None else None
            yield DeviceUnderTest(profile, selector=self.settings.device, restart=restart)
            return
        if self.air is None and self.settings.emulate_on is None:
            await self.adapter()  # an adapter that is not there is the greater trouble
            raise BenchTrouble(
                f"the adapter {self.settings.adapter} cannot hear a device emulated on the "
                "virtual air",
                remedy="name the device with --ble-device, or give the emulated one a radio of "
                "its own with --ble-emulate-on",
            )
        # Plain blocks: thousands of devices may be up, and a stack of exits takes 3 kB of each.
        name, address = self._lend_name(profile.name), ""
        try:
            bonds = keeper_of(self.settings.bond_store, name)
            peripheral = VirtualPeripheral(
                profile,
                on_event=self._on_device_event,
                behaviours=registered_behaviours(profile, behaviours, self.settings.behaviours),
                kill_adapter=self._radios.kill_first,
                bonds=bonds,
            )
            for sentence in faults:
                peripheral.faults.add(sentence)
            known, irk = identity_of(profile, bonds)
            where = self.settings.emulate_on or VIRTUAL
            station = await self._open(where, name, known, "device", irk)
            try:
                await peripheral.start(station)
                address = peripheral.address
                self._fault_plans[address] = peripheral.faults
                yield DeviceUnderTest(profile, peripheral=peripheral, address=address)
            finally:
                self._fault_plans.pop(address, None)
                try:
                    await peripheral.stop()
                finally:
                    await station.close()
        finally:
            self._names.discard(name)
        if peripheral.failures:
            first, *others = peripheral.failures
            more = f" ({len(others)} more like it)" if others else ""
            raise EmulationError(
                f"a handler of the emulated device raised {type(first).__name__}: {first}{more}",
                remedy="refuse with AttRefusal(code) where the client should get an error",
            ) from first

    def _lend_name(self, wanted: str) -> str:
        """Return a name nobody has: two devices of one profile have randomness of their own."""
        numbered = (f"{wanted} {number}" for number in count(2))
        name = next(one for one in chain([wanted], numbered) if one not in self._names)
        self._names.add(name)
        return name

    def pairing_agent(self, device: DeviceUnderTest) -> DeviceAgent:
        """Return who answers right, at the client, for a person who sees the device."""
        return DeviceAgent(
            device.profile.security,
            peripheral=device.peripheral,
            firmware=self.firmware,
            timeout_scale=self.settings.timeout_scale,
        )

    async def connect(
        self,
        device: DeviceUnderTest,
        *,
        pair: bool = False,
        timeout: float | None = None,
        agent: PairingAgent | None = None,
    ) -> GattClient:
        """Find the device, connect to it and discover its database.

        One radio has one link to a device, so that each further client has a radio of its own.
        ``timeout`` is in seconds, for scanning and for connecting each; None takes it from the
        profile's advertising interval. ``agent`` answers where pairing asks for a person; None is
        :meth:`pairing_agent`. Raises BenchTrouble where no link comes up, and CapabilityMissing
        where there is no further radio.
        """
        await device.wake_if_asleep()
        adapter = await self._radios.for_link_to(device.address)
        with self._radios.taken(adapter, device.address):
            found = await self.find(device, within=timeout, adapter=adapter)
            device.address = found.advertisement.address
            client = make_client(
                adapter,
                found,
                expectation=device.expectation,
                capabilities=self.settings.capabilities,
                timeout=(timeout or CONNECTING) * self.settings.timeout_scale,
                around=_AroundDevice(self, device, adapter),
                agent=agent or self.pairing_agent(device),
            )
            await client.connect()
        if pair:
            await client.pair()
        return client

    @asynccontextmanager
    async def another(self, device: DeviceUnderTest) -> AsyncIterator[GattClient]:
        """Connect one more client for the length of a block; raises as :meth:`connect` does."""
        client = await self.connect(device)
        try:
            yield client
        finally:
            await self.release(client)

    async def find(
        self,
        device: DeviceUnderTest,
        *,
        within: float | None = None,
        adapter: BumbleAdapter | None = None,
    ) -> Found:
        """Scan for the device and return what was seen of it; raises DeviceNotFound.

        ``adapter`` None is the first. Another one looks for the device that the first has found,
        by its address: there may be more of its kind.
        """
        window = within or max(
            SHORTEST_SCAN, INTERVALS_SCANNED * device.profile.advertising.interval
        )
        wanted = device.selector
        if wanted is None or not (adapter is None or self._radios.is_first(adapter)):
            # An emulated device may go by another address after a reboot.
            emulated = device.peripheral.address if device.peripheral is not None else ""
            wanted = DeviceSelector(SelectBy.ADDRESS, emulated or device.address)
        try:
            return await find(
                adapter or await self.adapter(),
                within=window * self.settings.timeout_scale,
                **{str(wanted.by): wanted.value},
            )
        except DeviceNotFound as missing:
            if device.profile.advertising.window is None or device.peripheral is not None:
                raise
            raise DeviceNotFound(
                missing.message,
                remedy=f"its profile says that it advertises {device.profile.advertising.window}: "
                "wake it just before the run, by its button or its switch",
            ) from None

    async def release(self, client: GattClient) -> None:
        """End a test's client: its link, and its keys, so that the next test starts fresh."""
        try:
            await client.unpair()
            await client.disconnect()
        except (BenchTrouble, LinkLost):
            return  # the link or the adapter is gone, which the test has been told already


@dataclass(frozen=True, slots=True)
class _AroundDevice:
    """Implements :class:`bletest.client.gatt.Around` for a client on ``adapter``."""

    bench: Bench
    device: DeviceUnderTest
    adapter: BumbleAdapter

    def another(self) -> AbstractAsyncContextManager[GattClient]:
        """Connect one more client."""
        return self.bench.another(self.device)

    async def seen(self, *, within: float) -> bool:
        """Whether the device advertises."""
        try:
            await self.bench.find(self.device, within=within, adapter=self.adapter)
        except DeviceNotFound:
            return False
        return True

    async def wake(self) -> None:
        """Wake it, if it is emulated."""
        await self.device.wake_if_asleep()
