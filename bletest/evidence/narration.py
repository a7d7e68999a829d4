"""Steps that read like the test: a client that tells a keeper what is done with it.

``read heart_rate/body_sensor_location → 1 octet 01``, ``take 10 notifications within 13 s``.
The wrapped client does the work; nothing here judges it.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from bletest.contracts.advertisements import Advertisement
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import (
    Attempts,
    CharacteristicName,
    Client,
    DescriptorName,
    Reading,
    Subscription,
)
from bletest.contracts.database import RemoteDatabase
from bletest.contracts.outcomes import Outcome
from bletest.contracts.windows import LinkTiming
from bletest.evidence.keeper import Keeper
from bletest.uuids import Uuid

_MOST_OCTETS = 16


def octets(value: bytes) -> str:
    """Return a value as a step shows it: ``2 octets 00 48``, long ones cut."""
    count = "1 octet" if len(value) == 1 else f"{len(value)} octets"
    shown = value[:_MOST_OCTETS].hex(" ")
    return f"{count} {shown}{' …' if len(value) > _MOST_OCTETS else ''}".rstrip()


def call(name: CharacteristicName | DescriptorName) -> str:
    """Return what people call an attribute that a test names in any of the ways there are."""
    match name:
        case str():
            return name
        case int():
            return f"handle 0x{name:04X}"
        case Uuid():
            return name.label
        case _:
            return name.uuid.label


class PlainClient(Client, Protocol):
    """A client whose operations answer with the value, or raise."""

    async def read(self, characteristic: CharacteristicName) -> Reading:
        """Read the whole value, long ones too."""

    async def write(
        self, characteristic: CharacteristicName, value: bytes, *, response: bool = True
    ) -> None:
        """Write, with or without response."""

    async def read_descriptor(self, descriptor: DescriptorName) -> Reading:
        """Read the whole value of a descriptor."""

    async def write_descriptor(self, descriptor: DescriptorName, value: bytes) -> None:
        """Write a descriptor."""

    def another(self) -> AbstractAsyncContextManager["PlainClient"]:
        """Connect one more client."""


class NarratingClient:
    """A :class:`~bletest.contracts.client.Client` that shows every operation as a step.

    Anything beyond the protocol is the wrapped client's own, reached through this one too.
    """

    def __init__(self, client: PlainClient, keeper: Keeper) -> None:
        self._client = client
        self._keeper = keeper
        self._attempt = _NarratingAttempts(client.attempt, keeper)

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    @property
    def wrapped(self) -> PlainClient:
        """The client that does the work."""
        return self._client

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the wrapped client can do."""
        return self._client.capabilities

    @property
    def database(self) -> RemoteDatabase:
        """What the wrapped client discovered."""
        return self._client.database

    @property
    def advertisement(self) -> Advertisement | None:
        """What the device advertised before the connection."""
        return self._client.advertisement

    @property
    def mtu(self) -> int:
        """ATT_MTU in octets."""
        return self._client.mtu

    @property
    def timing(self) -> LinkTiming:
        """What link and adapter add to any moment."""
        return self._client.timing

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return self._client.is_connected

    @property
    def is_encrypted(self) -> bool | None:
        """Whether the link is encrypted, None where the adapter does not tell."""
        return self._client.is_encrypted

    @property
    def attempt(self) -> Attempts:
        """Operations that answer with an outcome, as steps."""
        return self._attempt

    def now(self) -> float:
        """Return seconds on the client's clock."""
        return self._client.now()

    async def read(self, characteristic: CharacteristicName) -> Reading:
        """Read."""
        with self._keeper.step(f"read {call(characteristic)}") as step:
            reading = await self._client.read(characteristic)
            step.says(octets(reading.raw))
            return reading

    async def write(
        self, characteristic: CharacteristicName, value: bytes, *, response: bool = True
    ) -> None:
        """Write."""
        how = "" if response else " without response"
        with self._keeper.step(f"write {octets(value)} to {call(characteristic)}{how}"):
            await self._client.write(characteristic, value, response=response)

    async def read_descriptor(self, descriptor: DescriptorName) -> Reading:
        """Read a descriptor."""
        with self._keeper.step(f"read descriptor {call(descriptor)}") as step:
            reading = await self._client.read_descriptor(descriptor)
            step.says(octets(reading.raw))
            return reading

    async def write_descriptor(self, descriptor: DescriptorName, value: bytes) -> None:
        """Write a descriptor."""
        with self._keeper.step(f"write {octets(value)} to descriptor {call(descriptor)}"):
            await self._client.write_descriptor(descriptor, value)

    def subscribe(
        self, characteristic: CharacteristicName
    ) -> AbstractAsyncContextManager[Subscription]:
        """Subscribe; the block is the step, what is taken in it are steps of that one."""
        return self._subscribed(characteristic)

    @asynccontextmanager
    async def _subscribed(self, characteristic: CharacteristicName) -> AsyncIterator[Subscription]:
        with self._keeper.step(f"subscribed to {call(characteristic)}"):
            async with self._client.subscribe(characteristic) as subscription:
                yield _NarratingSubscription(subscription, self._keeper)

    async def exchange(self, pdu: bytes, *, within: float = 30.0) -> bytes | None:
        """Send any ATT PDU."""
        with self._keeper.step(f"send the ATT PDU {pdu.hex(' ')}") as step:
            answer = await self._client.exchange(pdu, within=within)
            step.says("silence" if answer is None else answer.hex(" "))
            return answer

    async def unasked(self, *, within: float) -> list[Reading]:
        """Wait for what nobody subscribed to."""
        with self._keeper.step(f"wait {within:g} s for what nobody subscribed to") as step:
            readings = await self._client.unasked(within=within)
            names = ", ".join(dict.fromkeys(one.attribute for one in readings))
            step.says(f"{_summary(readings)} from {names}" if readings else "nothing")
            return readings

    def another(self) -> AbstractAsyncContextManager["NarratingClient"]:
        """Connect one more client; the block is the step, and what it does are steps of that."""
        return self._with_another()

    @asynccontextmanager
    async def _with_another(self) -> AsyncIterator["NarratingClient"]:
        with self._keeper.step("with another client"):
            async with self._client.another() as client:
                yield NarratingClient(client, self._keeper)

    async def pair(self, *, authenticated: bool = True) -> None:
        """Pair."""
        with self._keeper.step("pair" if authenticated else "pair without authentication"):
            await self._client.pair(authenticated=authenticated)

    async def unpair(self) -> None:
        """Forget the keys."""
        with self._keeper.step("forget the keys of the device"):
            await self._client.unpair()

    async def disconnect(self) -> None:
        """Disconnect."""
        with self._keeper.step("disconnect"):
            await self._client.disconnect()

    async def advertises(self, *, within: float, after: float = 0.0) -> bool:
        """Look for the device."""
        wait = f"wait {after:g} s, then " if after else ""
        with self._keeper.step(f"{wait}look {within:g} s for its advertising") as step:
            seen = await self._client.advertises(within=within, after=after)
            step.says("seen" if seen else "nothing")
            return seen

    @property
    def address(self) -> str:
        """What the adapter calls the device."""
        return self._client.address

    async def ended(self, *, within: float) -> bool:
        """Wait ``within`` seconds at most for the link to end; return whether it has."""
        with self._keeper.step(f"wait {within:g} s at most for the link to end") as step:
            over = await self._client.ended(within=within)
            step.says("it has" if over else "it has not")
            return over

    async def connect_to(self, *, address: str | None, name: str | None, within: float) -> None:
        """Look for a device by ``address`` or ``name``, connect to it instead, and discover it."""
        with self._keeper.step(f"connect to {address or name}"):
            await self._client.connect_to(address=address, name=name, within=within)

    async def reconnect(self) -> None:
        """Disconnect, connect and discover again."""
        with self._keeper.step("disconnect and connect again"):
            await self._client.reconnect()


class _NarratingAttempts:
    def __init__(self, attempts: Attempts, keeper: Keeper) -> None:
        self._attempts = attempts
        self._keeper = keeper

    async def read(self, characteristic: CharacteristicName) -> Outcome:
        with self._keeper.step(f"try to read {call(characteristic)}") as step:
            outcome = await self._attempts.read(characteristic)
            step.says(str(outcome))
            return outcome

    async def write(
        self, characteristic: CharacteristicName, value: bytes, *, response: bool = True
    ) -> Outcome:
        how = "" if response else " without response"
        title = f"try to write {octets(value)} to {call(characteristic)}{how}"
        with self._keeper.step(title) as step:
            outcome = await self._attempts.write(characteristic, value, response=response)
            step.says(str(outcome))
            return outcome

    async def read_descriptor(self, descriptor: DescriptorName) -> Outcome:
        with self._keeper.step(f"try to read descriptor {call(descriptor)}") as step:
            outcome = await self._attempts.read_descriptor(descriptor)
            step.says(str(outcome))
            return outcome

    async def write_descriptor(self, descriptor: DescriptorName, value: bytes) -> Outcome:
        title = f"try to write {octets(value)} to descriptor {call(descriptor)}"
        with self._keeper.step(title) as step:
            outcome = await self._attempts.write_descriptor(descriptor, value)
            step.says(str(outcome))
            return outcome

    async def subscribe(self, characteristic: CharacteristicName) -> Outcome:
        with self._keeper.step(f"try to subscribe to {call(characteristic)}") as step:
            outcome = await self._attempts.subscribe(characteristic)
            step.says(str(outcome))
            return outcome

    async def unsubscribe(self, characteristic: CharacteristicName) -> Outcome:
        with self._keeper.step(f"try to unsubscribe from {call(characteristic)}") as step:
            outcome = await self._attempts.unsubscribe(characteristic)
            step.says(str(outcome))
            return outcome

    async def pair(self) -> Outcome:
        with self._keeper.step("try to pair") as step:
            outcome = await self._attempts.pair()
            step.says(str(outcome))
            return outcome


class _NarratingSubscription:
    def __init__(self, subscription: Subscription, keeper: Keeper) -> None:
        self._subscription = subscription
        self._keeper = keeper

    @property
    def received(self) -> tuple[Reading, ...]:
        return self._subscription.received

    async def next(self, *, within: float) -> Reading:
        with self._keeper.step(f"wait for a notification within {within:g} s") as step:
            reading = await self._subscription.next(within=within)
            step.says(octets(reading.raw))
            return reading

    async def take(self, count: int, *, within: float) -> list[Reading]:
        title = f"take {count} notification{'' if count == 1 else 's'} within {within:g} s"
        with self._keeper.step(title) as step:
            readings = await self._subscription.take(count, within=within)
            step.says(_summary(readings))
            return readings


def _summary(readings: Iterable[Reading]) -> str:
    shown = [reading.raw.hex(" ") for reading in readings]
    return ", ".join(shown[:3]) + (", …" if len(shown) > 3 else "")
