"""A client and a device in one process and no loop: checks are tested on these.

The device is a profile behind the real ATT server engine, the client speaks real ATT PDUs to
it, and time is a number that waiting moves on. A :class:`Meddler` stands between the two and
makes the device faulty in one way.
"""

import heapq
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from bletest.att import procedures
from bletest.att.access import LinkSecurity
from bletest.att.codes import error_text
from bletest.att.handlers import AttRefusal, ReadAccess, WriteAccess
from bletest.att.server import Server
from bletest.att.server_events import ServerEvent, Subscribed
from bletest.behaviour import Memory, Reaction, guard, make_procedures, react
from bletest.contracts.advertisements import Advertisement
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import CharacteristicName, DescriptorName, Reading
from bletest.contracts.database import (
    RemoteCharacteristic,
    RemoteDatabase,
    RemoteDescriptor,
    RemoteService,
)
from bletest.contracts.outcomes import Outcome
from bletest.contracts.windows import LinkTiming
from bletest.errors import AttributeRefused, DeviceNotFound, NoAnswer, TooFewNotifications
from bletest.peripheral.table import build_table
from bletest.profile.rules import ReplyKind
from bletest.profile.secrets import find_key
from bletest.profile.spec import CharacteristicSpec, Profile
from bletest.uuids import CCCD

CLIENT = "C0:00:00:00:00:01"
ALL = frozenset(Capability) - {Capability.SECOND_CLIENT}


@dataclass
class Meddler:
    """A fault of the device.

    ``answer(request, response)`` returns the response that goes out in place of the right one,
    None for silence. ``deaf(request)`` says that a request never reaches the server. ``sent``
    does the same to notifications and indications; ``late`` returns by how many seconds the
    n-th comes too late (or early). ``sends_until_configured`` sends what is scheduled from the
    connection on, until a CCCD is written. ``keeps_configuration`` never takes a client's CCCD
    away.
    """

    answer: Callable[[bytes, bytes | None], bytes | None] = lambda request, response: response
    deaf: Callable[[bytes], bool] = lambda request: False
    sent: Callable[[bytes], bytes | None] = lambda pdu: pdu
    late: Callable[[int], float] = lambda number: 0.0
    sends_when_off: bool = False
    sends_until_configured: bool = False
    keeps_configuration: bool = False
    forgets_bonds: bool = False


class _Behaviour:
    """Stands behind a value: the profile's rules, and nothing else."""

    def __init__(self, device: "TableDevice", spec: CharacteristicSpec) -> None:
        self.device = device
        self.spec = spec

    def read(self, request: ReadAccess) -> None:
        return None

    def write(self, request: WriteAccess) -> None:
        device = self.device
        if self.spec.procedure is not None:
            reaction = device.stored[self.spec.path].write(
                CLIENT, request.value, device.now, subscribed=device.subscribed()
            )
            if reaction.cancels:
                via = getattr(self.spec.procedure, "via", self.spec.path)
                device.cancel({self.spec.path, via})
            self._carry_out(reaction)
            return
        situation = device.memory.situation(CLIENT, device.now, draw=device.draw, keys=find_key)
        reaction = react(
            self.spec.rules, request.value, mtu=request.bearer.mtu, situation=situation
        )
        if self.spec.control_point:
            busy = device.now < device.busy_until.get(self.spec.path, device.now)
            reaction = guard(reaction, busy=busy, subscribed=device.subscribed())
            if reaction.cancels:
                device.cancel({one.via for rule in self.spec.rules for one in rule.replies})
            ends = [device.now + one.after for one in reaction.sendings]
            if reaction.error is None:
                device.busy_until[self.spec.path] = max(ends, default=device.now)
        device.memory.keep(CLIENT, reaction, device.now)
        self._carry_out(reaction)

    def _carry_out(self, reaction: Reaction) -> None:
        device = self.device
        if reaction.error is not None:
            raise AttRefusal(reaction.error)
        for sending in reaction.sendings:
            only = "notify" not in device.specs[sending.via].properties
            indicates = sending.kind is ReplyKind.INDICATION or (sending.kind is None and only)
            self.device.send(sending.via, sending.value, indicates, sending.after)


@dataclass(order=True)
class _Due:
    time: float
    number: int
    path: str = field(compare=False)
    value: bytes = field(compare=False)
    indicate: bool = field(compare=False)
    schedule: int | None = field(compare=False, default=None)


class TableDevice:
    """What a profile describes, behind the ATT server engine. ``now`` is in seconds."""

    def __init__(self, profile: Profile, meddler: Meddler | None = None) -> None:
        self.profile = profile
        self.meddler = meddler or Meddler()
        self.table, self.by_path = build_table(profile, lambda spec: _Behaviour(self, spec))
        self.server = Server(self.table, mtu=profile.device.mtu, on_event=self._on_event)
        self.specs = {spec.path: spec for spec in profile.characteristics()}
        self.now = 0.0
        self.memory = Memory(profile.state)
        self.busy_until: dict[str, float] = {}
        self.stored = make_procedures(profile.characteristics())
        self.draw: Callable[[int], bytes] = random.Random(profile.name).randbytes
        self.bonded = False
        self._due: list[_Due] = []
        self._numbers = count()
        self._sent = 0
        self._cccds = {one.cccd.handle for one in self.by_path.values() if one.cccd}
        self._configured = False
        self.security = LinkSecurity()
        self.bearer = self.server.connect(CLIENT, self.security)

    def connect(self) -> None:
        """A new link of the same client."""
        self.close()
        self._due.clear()
        self.security = LinkSecurity(bonded=self._keeps)
        self.bearer = self.server.connect(CLIENT, self.security)
        self._configured = False
        if self.meddler.sends_until_configured:
            for path, spec in self.specs.items():
                if spec.notify is not None:
                    self._schedule(path, 0)

    def close(self) -> None:
        """The link ends; the server looks at the bond to know what it keeps."""
        self.security.bonded = self._keeps
        self.memory.forget(CLIENT)
        for stored in self.stored.values():
            stored.forget(CLIENT)
        self.bearer.close()

    @property
    def _keeps(self) -> bool:
        meddler = self.meddler
        return (self.bonded or meddler.keeps_configuration) and not meddler.forgets_bonds

    def pair(self) -> None:
        """Just Works with LE Secure Connections."""
        self.bonded = self.profile.security.bonding
        self.security.encrypted = self.security.secure_connections = True
        self.security.bonded = self.bonded
        self.security.key_size = 16

    def receive(self, pdu: bytes) -> bytes | None:
        """Take a PDU and return the response."""
        response = None
        if pdu[:1] == b"\x12" and int.from_bytes(pdu[1:3], "little") in self._cccds:
            self._configured = True
        if not self.meddler.deaf(pdu):
            response = self.bearer.receive(pdu, self.now)
        return self.meddler.answer(pdu, response)

    def send(self, path: str, value: bytes, indicate: bool, after: float) -> None:
        """Send through a characteristic ``after`` seconds from now, if the client wants it."""
        due = _Due(self.now + after, next(self._numbers), path, value, indicate)
        heapq.heappush(self._due, due)

    def subscribed(self) -> set[str]:
        """The paths of what sends to the client."""
        bearer = self.bearer
        return {
            path
            for path, one in self.by_path.items()
            if bearer.notifies(one.value.handle) or bearer.indicates(one.value.handle)
        }

    def cancel(self, paths: set[str]) -> None:
        """Send nothing of what is due on these paths."""
        self._due = [one for one in self._due if one.path not in paths]
        heapq.heapify(self._due)

    def run_until(self, end: float) -> list[bytes]:
        """Let time pass up to the next PDU that goes out, or to ``end``."""
        while self._due and self._due[0].time <= end:
            due = heapq.heappop(self._due)
            self.now = max(self.now, due.time)
            if (pdu := self._pdu(due)) is not None:
                return [pdu]
        self.now = max(self.now, end)
        return []

    def _pdu(self, due: _Due) -> bytes | None:
        handle = self.by_path[due.path].value.handle
        bearer = self.bearer
        wanted = bearer.indicates(handle) if due.indicate else bearer.notifies(handle)
        wanted = wanted or self.meddler.sends_when_off
        wanted = wanted or (self.meddler.sends_until_configured and not self._configured)
        if due.schedule is not None and wanted:
            self._schedule(due.path, due.schedule + 1)
        if not wanted:
            return None
        pdu = (bearer.indicate if due.indicate else bearer.notify)(handle, due.value, self.now)
        return self.meddler.sent(pdu) if pdu is not None else None

    def _schedule(self, path: str, number: int) -> None:
        notify = self.specs[path].notify
        assert notify is not None
        self._sent += 1
        time = self.now + notify.every + self.meddler.late(number)
        value = notify.values.at(number)
        indicate = notify.kind is ReplyKind.INDICATION
        due = _Due(time, next(self._numbers), path, value, indicate, number)
        heapq.heappush(self._due, due)

    def _on_event(self, event: ServerEvent) -> None:
        if not isinstance(event, Subscribed):
            return
        for path, characteristic in self.by_path.items():
            if characteristic.value is event.attribute and self.specs[path].notify is not None:
                self._due = [one for one in self._due if one.path != path]
                heapq.heapify(self._due)
                self._schedule(path, 0)


class TableSubscription:
    """Implements :class:`bletest.contracts.client.Subscription`."""

    def __init__(self, client: "TableClient", handle: int) -> None:
        self._client = client
        self.handle = handle
        self._received: list[Reading] = []
        self._taken = 0

    @property
    def received(self) -> tuple[Reading, ...]:
        return tuple(self._received)

    def put(self, reading: Reading) -> None:
        self._received.append(reading)

    async def next(self, *, within: float) -> Reading:
        return (await self.take(1, within=within))[0]

    async def take(self, count: int, *, within: float) -> list[Reading]:
        deadline = self._client.now() + within
        while len(self._received) - self._taken < count:
            if self._client.now() >= deadline and not self._client.pending(deadline):
                raise TooFewNotifications(
                    f"fewer than {count}", received=self._received[self._taken :]
                )
            self._client.wait(deadline)
        start, self._taken = self._taken, self._taken + count
        return self._received[start : self._taken]


class TableAttempts:
    """Implements :class:`bletest.contracts.client.Attempts`."""

    def __init__(self, client: "TableClient") -> None:
        self._client = client

    async def read(self, characteristic: CharacteristicName) -> Outcome:
        handle = _value_handle(characteristic)
        return self._client.do("read", procedures.read_long(handle, mtu=self._client.mtu))

    async def write(
        self, characteristic: CharacteristicName, value: bytes, *, response: bool = True
    ) -> Outcome:
        return self._client.write("write", _value_handle(characteristic), value, response)

    async def read_descriptor(self, descriptor: DescriptorName) -> Outcome:
        handle = _descriptor_handle(descriptor)
        return self._client.do("read", procedures.read_long(handle, mtu=self._client.mtu))

    async def write_descriptor(self, descriptor: DescriptorName, value: bytes) -> Outcome:
        return self._client.write("write", _descriptor_handle(descriptor), value, True)

    async def subscribe(self, characteristic: CharacteristicName) -> Outcome:
        return self._client.configure("subscribe", characteristic, on=True)

    async def unsubscribe(self, characteristic: CharacteristicName) -> Outcome:
        return self._client.configure("unsubscribe", characteristic, on=False)

    async def pair(self) -> Outcome:
        await self._client.pair()
        return Outcome("pair", "device", value=b"")


class TableClient:
    """Implements :class:`bletest.contracts.client.Client` on a :class:`TableDevice`."""

    def __init__(
        self,
        device: TableDevice,
        *,
        mtu: int = 517,
        capabilities: frozenset[Capability] = ALL,
        timing: LinkTiming | None = None,
        advertisement: Advertisement | None = None,
    ) -> None:
        self.device = device
        self.capabilities = capabilities
        self.timing = timing or LinkTiming()
        self.advertisement = advertisement
        self.attempt = TableAttempts(self)
        self.is_connected = True
        self.mtu = 23
        self.database = RemoteDatabase()
        self._offer = mtu
        self._bond = False
        self._subscriptions: list[TableSubscription] = []
        self._unasked: list[Reading] = []
        self._discover()

    @property
    def is_encrypted(self) -> bool | None:
        return self.is_connected and self.device.security.encrypted

    @property
    def address(self) -> str:
        return "C0:00:00:00:00:99"

    async def ended(self, *, within: float) -> bool:
        while self.is_connected and self.now() < (until := self.now() + within):
            self.wait(until)
            within = until - self.now()
        return not self.is_connected

    async def connect_to(self, *, address: str | None, name: str | None, within: float) -> None:
        raise DeviceNotFound(f"there is nobody else here, {address or name} neither")

    def now(self) -> float:
        return self.device.now

    def pending(self, until: float) -> bool:
        """Whether something is due by ``until``."""
        return bool(self.device._due) and self.device._due[0].time <= until

    def wait(self, until: float) -> None:
        """Let time pass until something comes, or ``until``."""
        for pdu in self.device.run_until(until):
            self._deliver(pdu)

    def _deliver(self, pdu: bytes) -> None:
        handle = int.from_bytes(pdu[1:3], "little")
        listening = [one for one in self._subscriptions if one.handle == handle]
        for one in listening:
            one.put(Reading(pdu[3:], self.now()))
        if not listening:
            names = {one.value.handle: path for path, one in self.device.by_path.items()}
            name = names.get(handle, f"handle 0x{handle:04X}")
            self._unasked.append(Reading(pdu[3:], self.now(), name))
        if pdu[0] == 0x1D:
            following = self.device.receive(b"\x1e")
            if following is not None:
                self._deliver(following)

    async def exchange(self, pdu: bytes, *, within: float = 30.0) -> bytes | None:
        return self.ask(pdu, within)

    async def unasked(self, *, within: float) -> list[Reading]:
        until = self.now() + within
        while self.now() < until or self.pending(until):
            self.wait(until)
        taken, self._unasked = self._unasked, []
        return taken

    def ask(self, pdu: bytes, within: float = 30.0) -> bytes | None:
        """Send a PDU; silence takes ``within`` seconds."""
        response = self.device.receive(pdu)
        if response is None:
            until = self.now() + within
            while self.now() < until:
                self.wait(until)
        return response

    def _answered(self, pdu: bytes) -> bytes:
        response = self.ask(pdu)
        if response is None:
            raise NoAnswer("no answer")
        return response

    def do(self, operation: str, procedure: procedures.Procedure[bytes | None]) -> Outcome:
        """Run a procedure to an outcome."""
        try:
            value = procedures.run(procedure, self._answered)
        except procedures.Refused as refused:
            return Outcome(operation, "", code=refused.code)
        except NoAnswer:
            return Outcome(operation, "", symptom="no_answer")
        return Outcome(operation, "", value=value or b"")

    def write(self, operation: str, handle: int, value: bytes, response: bool) -> Outcome:
        """Write at a handle, in parts where one PDU is too short."""
        if not response:
            self.device.receive(procedures.write_command(handle, value))
            return Outcome(operation, "", value=b"")
        if len(value) > self.mtu - 3:
            return self.do(operation, procedures.write_long(handle, value, mtu=self.mtu))
        return self.do(operation, procedures.write(handle, value))

    def configure(self, operation: str, target: CharacteristicName, *, on: bool) -> Outcome:
        """Write the CCCD."""
        assert isinstance(target, RemoteCharacteristic)
        bits = (1 if "notify" in target.properties else 2) if on else 0
        handle = next(one.handle for one in target.descriptors if one.uuid == CCCD)
        assert handle is not None
        return self.write(operation, handle, bits.to_bytes(2, "little"), True)

    @asynccontextmanager
    async def subscribe(
        self, characteristic: CharacteristicName
    ) -> AsyncIterator[TableSubscription]:
        subscription = TableSubscription(self, _value_handle(characteristic))
        self._subscriptions.append(subscription)
        outcome = self.configure("subscribe", characteristic, on=True)
        if outcome.code is not None:
            raise AttributeRefused(
                code=outcome.code,
                operation="subscribe",
                attribute="",
                meaning=error_text(outcome.code),
            )
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)
            self.configure("unsubscribe", characteristic, on=False)

    async def pair(self, *, authenticated: bool = True) -> None:
        self.device.pair()
        self._bond = True

    async def unpair(self) -> None:
        self._bond = False
        self.device.bonded = False
        if self.device.security.encrypted:
            self.device.close()
            self.is_connected = False

    async def reconnect(self) -> None:
        if self.is_connected:
            self.device.close()
        self._subscriptions.clear()
        self._unasked.clear()
        self.device.connect()
        self.is_connected = True
        self._discover()

    def _discover(self) -> None:
        self.mtu = procedures.run(procedures.exchange_mtu(self._offer), self._answered)
        found = procedures.run(procedures.discover_all(), self._answered)
        self.database = RemoteDatabase(tuple(_service(one) for one in found))


def _service(found: procedures.FoundService) -> RemoteService:
    return RemoteService(
        found.uuid, found.handle, found.end_handle, tuple(map(_remote, found.characteristics))
    )


def _remote(found: procedures.FoundCharacteristic) -> RemoteCharacteristic:
    return RemoteCharacteristic(
        found.uuid,
        found.handle,
        found.value_handle,
        procedures.property_names(found.properties),
        tuple(RemoteDescriptor(one.uuid, one.handle) for one in found.descriptors),
    )


def _value_handle(name: CharacteristicName) -> int:
    assert isinstance(name, RemoteCharacteristic)
    assert name.value_handle is not None
    return name.value_handle


def _descriptor_handle(name: DescriptorName) -> int:
    assert isinstance(name, RemoteDescriptor)
    assert name.handle is not None
    return name.handle


def advertised(profile: Profile) -> Advertisement:
    """Return what a scanner gathers about the device of ``profile``."""
    said = profile.advertising
    return Advertisement(
        address=CLIENT,
        name=said.name,
        services=said.services,
        manufacturer_data=said.manufacturer_data,
        service_data=said.service_data,
        tx_power=said.tx_power,
        rssi=-50,
    )


def client_of(
    profile: Profile,
    meddler: Meddler | None = None,
    *,
    mtu: int = 517,
    timing: LinkTiming | None = None,
) -> TableClient:
    """Return a client connected to the device of ``profile``, which has the fault ``meddler``."""
    device = TableDevice(profile, meddler)
    return TableClient(device, mtu=mtu, timing=timing, advertisement=advertised(profile))
