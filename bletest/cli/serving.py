"""Emulated devices that run until somebody ends the program."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from bletest.bench.behaviours import registered_behaviours
from bletest.contracts.events import Event, FaultFired, Note
from bletest.errors import AdapterLost
from bletest.link.capture import Recorder
from bletest.link.hci_port import HciPort
from bletest.link.port_spec import PortSpec
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.persistence import BondKeeper, identity_of, keeper_of
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.spec import Profile

Say = Callable[[str], None]
"""Takes one line for people."""

_FOREVER = 1e9  # seconds


async def serve_on_air(
    profiles: Sequence[Profile],
    ports: Sequence[PortSpec],
    seed: int,
    say: Say,
    *,
    capture: Path | None = None,
    distributions: Sequence[str] = (),
    bond_store: Path | None = None,
) -> None:
    """Emulate ``profiles`` on an air of their own and offer ``ports`` on it, until a signal.

    ``say`` gets a line for each device and port, and then ``ready``. Each device writes its HCI
    traffic to a file in the folder ``capture``, if there is one. ``distributions`` are trusted with
    the behaviours that profiles name. Bonds are kept in ``bond_store``, where
    it is given. Raises BenchTrouble, and BehaviourMissing.
    """
    link = VirtualLink(seed=seed)
    async with AsyncExitStack() as resources:
        crew = await resources.enter_async_context(_crew())
        recorder = _capturing(capture, resources)
        for number, profile in enumerate(profiles):
            # A profile may be served twice: each device has randomness, and an address, of its own.
            rng = random.Random(f"{seed}/{number}/{profile.name}")
            same = sum(one.name == profile.name for one in profiles[:number])
            bonds = keeper_of(bond_store, f"{profile.name} {same + 1}" if same else profile.name)
            device = _device(profile, link, rng, crew, say, recorder, distributions, bonds)
            await resources.enter_async_context(device)
        for number, spec in enumerate(ports):
            port = HciPort(link, spec, name=f"port {number}", say=say)
            await resources.enter_async_context(port)
            say(f"HCI port {port.transport}")
        say(f"ready, seed {seed}; end with Ctrl-C")
        await crew.wait()


async def serve_on_radio(
    profile: Profile,
    transport: str,
    seed: int | None,
    say: Say,
    *,
    capture: Path | None = None,
    distributions: Sequence[str] = (),
    bond_store: Path | None = None,
) -> None:
    """Emulate ``profile`` on a real controller, until a signal or until the controller is lost.

    Without ``seed`` address and keys are fresh ones that nobody can foretell. ``capture`` and
    ``distributions`` and ``bond_store`` as in :func:`serve_on_air`.
    """
    rng = random.SystemRandom() if seed is None else random.Random(f"{seed}/0/{profile.name}")
    async with AsyncExitStack() as resources:
        crew = await resources.enter_async_context(_crew())
        recorder = _capturing(capture, resources)
        bonds = keeper_of(bond_store, profile.name)
        device = _device(profile, transport, rng, crew, say, recorder, distributions, bonds)
        await resources.enter_async_context(device)
        say(f"ready on {transport}; end with Ctrl-C")
        await crew.wait()


class _Crew:
    """What goes on beside the devices, and the moment at which all of it ends."""

    def __init__(self) -> None:
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        if not self._end.done():
            self._end.set_result(None)

    def fail(self, error: BaseException) -> None:
        if not self._end.done():
            self._end.set_exception(error)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def wait(self) -> None:
        """Wait for the end; raise what ended it, if it was trouble."""
        await self._end


@asynccontextmanager
async def _crew() -> AsyncIterator[_Crew]:
    """Provide a crew that SIGINT and SIGTERM send home; its tasks end with the block."""
    loop = asyncio.get_running_loop()
    crew = _Crew()
    ending = (signal.SIGINT, signal.SIGTERM)
    for number in ending:
        loop.add_signal_handler(number, crew.stop)
    try:
        yield crew
    finally:
        for number in ending:
            loop.remove_signal_handler(number)
        tasks = tuple(crew.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _capturing(folder: Path | None, resources: AsyncExitStack) -> Recorder:
    """Return what writes captures to ``folder``, if it is given, until ``resources`` are closed.

    Closing them raises BenchTrouble if the captures could not be written.
    """
    recorder = Recorder()
    if folder is not None:
        capture = resources.enter_context(recorder.into(folder))
        resources.callback(capture.check)
    return recorder


@asynccontextmanager
async def _device(
    profile: Profile,
    where: VirtualLink | str,
    rng: random.Random,
    crew: _Crew,
    say: Say,
    recorder: Recorder,
    distributions: Sequence[str],
    bonds: BondKeeper | None,
) -> AsyncIterator[None]:
    """Emulate one device for the length of a block."""

    def on_event(event: Event) -> None:
        if isinstance(event, Note):
            say("\n".join(filter(None, (event.text, event.detail))))
        elif isinstance(event, FaultFired):
            say(f"fault of {event.device}: {event.fault}")

    address, irk = identity_of(profile, bonds)
    station = await open_station(
        where,
        name=profile.device.name,
        address=address,
        rng=rng,
        irk=irk,
        tap=recorder.tap(profile.name) if recorder.capture is not None else None,
    )
    try:
        if recorder.capture is not None:
            recorder.capture.check()
        _watch(station, where, crew)
        behaviours = registered_behaviours(profile, {}, distributions)
        peripheral = VirtualPeripheral(
            profile, on_event=on_event, behaviours=behaviours, bonds=bonds
        )
        await peripheral.start(station)
        try:
            say(f"{profile.name} at {peripheral.address} ({profile.device.name})")
            crew.start(_tell(peripheral.connected.next, f"{profile.name}: connected", say))
            crew.start(_tell(peripheral.disconnected.next, f"{profile.name}: disconnected", say))
            yield
        finally:
            await peripheral.stop()
    finally:
        await station.close()


def _watch(station: Station, where: VirtualLink | str, crew: _Crew) -> None:
    def lost(reason: str) -> None:
        crew.fail(
            AdapterLost(
                f"the controller at {where} is gone: {reason}",
                remedy="check its cable, or the process that its transport leads to",
            )
        )

    station.host.on_lost = lost


async def _tell(next_one: Callable[..., Coroutine[Any, Any, str]], what: str, say: Say) -> None:
    while True:
        say(f"{what} {await next_one(within=_FOREVER)}")
