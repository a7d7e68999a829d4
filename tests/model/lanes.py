"""Emulated devices on the air, and plain bumble centrals that play sequences to them.

A lane is a device with its clients. Its links stay up from one sequence to the next: in between
the device's ends of them are closed and opened again, as after a disconnection, and its values
put back. The lanes that are ``fresh`` begin with a new device and new links each time.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from bletest import profile
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.characteristic import Trigger
from bletest.peripheral.virtual import VirtualPeripheral
from tests.model.database import Database, aes_cmac, describe
from tests.model.judge import Judge, Wrong, is_request, text
from tests.model.port import AttCentral, HciCentral, ShortCentral
from tests.model.sequences import Sequences, Step
from tests.model.world import Bearer, Client, World
from tests.support.raw_central import CSRK, EnhancedBearer

HERE = Path(__file__).parent
OFFICIAL = HERE.parent / "conformance" / "official" / "device.yaml"
SETTLING = 0.26
"""Virtual seconds after which nothing more is under way. 30 s are no multiple of it."""
SLOW = 0.01
"""Seconds that a slow value takes."""
ON_AIR = ("send", "hurry", "sign")
UNASKED = (0x1B, 0x1D, 0x23)
EMPTY = "dropped an empty ATT PDU"
"""Logged of octets without an opcode, as it should be."""


@dataclass(frozen=True)
class Lane:
    """A kind of lane: the device, its clients' links, and of 100 sequences, how many run here.

    ``hci`` says that PDUs travel in HCI packets, and not by the air's short path.
    One with a share of 0 costs too much for that, and is played by its name.
    """

    name: str
    device: Path
    links: tuple[str, ...]
    share: int
    enhanced: int = 0
    slow: str = ""
    changing: str = ""
    hci: bool = False

    @property
    def fresh(self) -> bool:
        """Whether each sequence has a device of its own."""
        return bool(self.changing)

    @property
    def bearers(self) -> tuple[Bearer, ...]:
        """The bearers as they are at the beginning."""
        return (
            *(Bearer(number) for number in range(len(self.links))),
            *(Bearer(0, mtu=64, enhanced=True) for _ in range(self.enhanced)),
        )


LANES = (
    Lane("official plain", OFFICIAL, ("plain", "plain"), 35),
    Lane("official bonded", OFFICIAL, ("bonded", "plain"), 14),
    Lane("official encrypted", OFFICIAL, ("encrypted",), 10),
    Lane("official short key", OFFICIAL, ("short", "plain"), 7, hci=True),
    Lane("official enhanced", OFFICIAL, ("encrypted",), 4, enhanced=2, hci=True),
    Lane("official changing", OFFICIAL, ("plain", "encrypted"), 1, changing="changing", hci=True),
    Lane("enhanced changing", OFFICIAL, ("encrypted",), 0, enhanced=2, changing="changing"),
    Lane("small plain", HERE / "small.yaml", ("plain", "plain"), 19),
    Lane("small slow", HERE / "small.yaml", ("encrypted",), 10, slow="slow"),
)
_WHICH = [lane for lane in LANES for _ in range(lane.share)]
assert len(_WHICH) == 100
BY_NAME = {lane.name: lane for lane in LANES}

described = lru_cache(describe)
load = lru_cache(profile.load)


@lru_cache
def sequences_of(lane: Lane) -> Sequences:
    """What makes the sequences of a lane."""
    return Sequences(
        described(lane.device, slow=lane.slow),
        len(lane.bearers),
        enhanced=frozenset(n for n, one in enumerate(lane.bearers) if one.enhanced),
        signing="bonded" in lane.links or bool(lane.enhanced),
        changing=lane.changing,
    )


def sequence(seed: int, name: str = "") -> tuple[Lane, list[Step]]:
    """The lane and the steps of a number; in the lane of that name, if there is one."""
    rng = random.Random(seed)
    lane = rng.choice(_WHICH)
    lane = BY_NAME.get(name, lane)
    return lane, sequences_of(lane).make(seed, rng)


class Trouble(logging.Handler):
    """Collects what goes wrong beside the answers: what is logged so, and what nobody handled."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        # asyncio says there what is wrong with other tests' loops; of ours it tells the handler.
        if record.name != "asyncio" and not message.startswith(EMPTY):
            trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
            self.found.append(f"{record.name} logged {message} {trace}".strip())

    def __enter__(self) -> "Trouble":
        logging.getLogger().addHandler(self)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.found.append(f"unhandled: {context}"))
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)
        asyncio.get_running_loop().set_exception_handler(None)


@dataclass
class OpenLane:
    """A lane in operation."""

    lane: Lane
    trouble: Trouble
    arrived: Callable[[int, bytes], None] | None = None
    centrals: list[AttCentral] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    counter: int = 0

    async def __aenter__(self) -> "OpenLane":
        self._stack = AsyncExitStack()
        link = VirtualLink(seed=5)
        station = await open_station(link, name="device", address=None, rng=random.Random(5))
        self._stack.push_async_callback(station.close)
        self.device = VirtualPeripheral(load(self.lane.device))
        await self.device.start(station)
        self._stack.push_async_callback(self.device.stop)
        if self.lane.slow:
            take_time = self._take_time
            self.device[self.lane.slow].callback(Trigger.READ | Trigger.WRITE, take_time)
        self._values = [(one, one.value) for one in self.device.table]
        self._channels: list[EnhancedBearer] = []
        for number, kind in enumerate(self.lane.links):
            await self._connect(link, number, kind)
        await self._open_channels()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @staticmethod
    async def _take_time(_: object) -> None:
        await asyncio.sleep(SLOW)

    async def _connect(self, link: VirtualLink, number: int, kind: str) -> None:
        central = (HciCentral if self.lane.hci else ShortCentral)(
            link,
            self.device.address,
            address=f"F0:00:00:00:00:{number + 1:02X}",
            key_size=7 if kind == "short" else 16,
        )
        central.on_pdu = lambda pdu: self._on_pdu(number, pdu)
        await self._stack.enter_async_context(central)
        self.centrals.append(central)
        if kind != "plain":
            await central.pair()
        if kind == "bonded":
            await central.disconnect()
            await central.connect()

    async def _open_channels(self) -> None:
        if self.lane.enhanced:
            self._channels = await self.centrals[0].open_enhanced(self.lane.enhanced)
            for number, one in enumerate(self._channels, len(self.centrals)):
                one.channel.sink = lambda pdu, number=number: self._on_pdu(number, pdu)

    def _on_pdu(self, bearer: int, pdu: bytes) -> None:
        if self.arrived is None:
            self.strays.append(f"bearer {bearer}: {pdu.hex(' ')}")
        else:
            self.arrived(bearer, pdu)

    # What steps do

    def send(self, bearer: int, pdu: bytes) -> None:
        """Send octets on a bearer."""
        if bearer < len(self.centrals):
            self.centrals[bearer].send(pdu)
        else:
            self._channels[bearer - len(self.centrals)].send(pdu)

    def signed(self, step: Step) -> bytes:
        """Sign a command (Vol 3, Part H, 2.4.5)."""
        message = step.pdu + (self.counter + step.number).to_bytes(4, "little")
        signature = aes_cmac(message[::-1], CSRK[::-1])[:8][::-1]
        return message + (bytes(8) if step.name == "forged" else signature)

    async def reset(self) -> None:
        """Begin anew: no client is known, nothing was written."""
        self.arrived = None
        self.counter += 10
        for one in self._channels:
            await one.close()
        device = self.device
        for link in device.links:
            link.bearer.close()
        for link in device.links:
            device.server.forget(link.identity)
            link.bearer = device.server.connect(link.identity, link.security)
        for attribute, value in self._values:
            attribute.value = value
        await self._open_channels()

    async def reconnect(self, client: int) -> None:
        """A client leaves and comes back."""
        central = self.centrals[client]
        await central.disconnect()
        await central.connect()
        if self.lane.links[client] == "encrypted":
            await central.encrypt()

    def world(self) -> World:
        """The world at the beginning."""
        device = described(self.lane.device, slow=self.lane.slow)
        clients = [
            Client(link, None if link == "plain" else CSRK, self.counter - 1)
            for link in self.lane.links
        ]
        return World(device.database, device.mtu, clients, [*map(_copy, self.lane.bearers)])

    def wounds(self) -> str:
        """What is wrong with the device beside its answers; empty where nothing is."""
        if self.device.failures:
            return f"the device raised {self.device.failures[0]!r}"
        if self.trouble.found:
            found, self.trouble.found = self.trouble.found, []
            return found[0]
        if self.strays:
            return f"came late: {self.strays[0]}"
        for central in self.centrals:
            if central.connection.handle not in central.device.connections:
                return "the link is gone"
        return ""


def _copy(bearer: Bearer) -> Bearer:
    return Bearer(bearer.client, bearer.mtu, bearer.enhanced)


@dataclass(frozen=True)
class Finding:
    """What was wrong, after which steps."""

    steps: tuple[Step, ...]
    wrong: Wrong


class Player:
    """Plays one sequence: a request goes out when the one before it is answered."""

    def __init__(self, lane: OpenLane, steps: Sequence[Step]) -> None:
        self.lane, self.steps = lane, steps
        self.judge = Judge(lane.world())
        self.next = 0
        self.waiting: list[Step] = []
        self.answers: list[bytes] = []
        self.wrong: Wrong | None = None
        self.last_news = 0.0
        self.time = asyncio.get_running_loop().time
        self.database: Database = self.judge.worlds[0].database

    async def play(self) -> Finding | None:
        """Play all steps; return what was wrong first."""
        await self.lane.reset() if not self.lane.lane.fresh else None
        self.lane.arrived = self._on_pdu
        self._guarded(self._go_on)
        while self.wrong is None:
            await asyncio.sleep(SETTLING)
            if self.time() - self.last_news < SETTLING / 2:
                continue
            if self._guarded(self._settled):
                break
            if self.next < len(self.steps) and self.steps[self.next].do not in ON_AIR:
                self.next += 1
                await self._do(self.steps[self.next - 1])
            else:
                self._guarded(self._go_on)
        self.lane.arrived = None
        wounds = self.lane.wounds()
        if self.wrong is None and wounds:
            self.wrong = Wrong("the device", ["no harm"], wounds)
        if self.wrong is None:
            return None
        return Finding(tuple(self.steps[: self.next]), self.wrong)

    def _guarded(self, act: Callable[[], Any]) -> Any:
        """What is wrong is told in the end, and never to whoever calls back."""
        if self.wrong is None:
            try:
                return act()
            except Wrong as wrong:
                self.wrong = wrong
        return True

    def _go_on(self) -> None:
        """Send until something has to be waited for."""
        while self.next < len(self.steps) and not self.waiting:
            step = self.steps[self.next]
            if step.do == "hurry":
                self._hurry(step.bearer)
            elif step.do in ON_AIR:
                self.next += 1
                pdu = self.lane.signed(step) if step.do == "sign" else step.pdu
                if is_request(pdu):
                    self.waiting = [step._replace(pdu=pdu)]
                else:
                    self.judge.answered(step.bearer, pdu, None)
                self.lane.send(step.bearer, pdu)
                if pdu[:1] == b"\x1e":
                    return  # it may set an indication free, and the next one is not for that
            else:
                return  # what is on its way comes first

    def _hurry(self, bearer: int) -> None:
        while self.next < len(self.steps) and self.steps[self.next].do == "hurry":
            self.waiting.append(self.steps[self.next])
            self.next += 1
        self.waiting = [one._replace(bearer=bearer) for one in self.waiting]
        for one in self.waiting:
            self.lane.send(bearer, one.pdu)

    def _on_pdu(self, bearer: int, pdu: bytes) -> None:
        self.last_news = self.time()
        self._guarded(lambda: self._take(bearer, pdu))

    def _take(self, bearer: int, pdu: bytes) -> None:
        if pdu and pdu[0] in UNASKED:
            self.judge.arrived(bearer, pdu, self.time())
        elif not self.waiting or self.waiting[0].bearer != bearer:
            raise Wrong(f"nothing that is answered, on bearer {bearer}", ["silence"], text(pdu))
        elif self.waiting[0].do == "hurry":
            self.answers.append(pdu)
        else:
            asked = self.waiting.pop()
            self.judge.answered(bearer, asked.pdu, pdu)
            self._go_on()

    def _settled(self) -> bool:
        """Nothing more is under way; return whether that was all."""
        if self.waiting:
            waiting, answers = self.waiting, self.answers
            self.waiting, self.answers = [], []
            bearer = waiting[0].bearer
            if waiting[0].do == "hurry":
                slow = bool(self.lane.lane.slow)
                self.judge.burst(bearer, [one.pdu for one in waiting], answers, slow)
            else:
                self.judge.answered(bearer, waiting[0].pdu, None)
            return False
        self.judge.settled(self.time())
        return self.next >= len(self.steps)

    async def _do(self, step: Step) -> None:
        """Something happens that is no PDU; nothing is on its way."""
        if step.do == "set":
            handle = next(
                (one.handle for one in self.database.attributes if one.name == step.name), 0
            )
            if handle:
                self.judge.change(lambda world: world.set_value(handle, step.pdu))
                self.lane.device[step.name].value(step.pdu)
        elif step.do == "together":
            names = step.name.split()
            for name in names:
                handle = self.database.by_name[name].handle
                self.judge.change(lambda world, at=handle: world.tell(at, step.pdu))
            self.lane.device.notify_together(dict.fromkeys(names, step.pdu))
        elif step.do == "pass":
            await asyncio.sleep(step.number)
        elif step.do == "reconnect":
            self.judge.change(lambda world: world.reconnects(step.number))
            await self.lane.reconnect(step.number)
        else:
            name = self.lane.lane.changing
            if any(block == name for block, _ in self.database.blocks):
                self.database, start, end = self.database.without(name)
                change = self.lane.device.remove_service
            else:
                service = described(self.lane.lane.device).service(name)
                self.database, start, end = self.database.restored(service)
                change = self.lane.device.add_service
            self.judge.database_changed(self.database, start, end)
            change(name)
