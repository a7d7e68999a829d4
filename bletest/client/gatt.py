"""The client that tests and checks hold: a profile's names on any ``bleak.BleakClient``."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic

from bletest.att.procedures import Procedure
from bletest.client.attempts import GattAttempts
from bletest.client.discovered import Discovered
from bletest.client.errors import BLEAK_ERRORS, reraise
from bletest.client.names import AttributeNames, NamedCharacteristic, NamedDescriptor
from bletest.client.presented import presented
from bletest.client.raw import RawAtt, Unasked
from bletest.client.subscriptions import Listener, NotificationQueue, Taker
from bletest.contracts.advertisements import Advertisement
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Attempts, CharacteristicName, Client, DescriptorName, Reading
from bletest.contracts.database import RemoteDatabase
from bletest.contracts.windows import LinkTiming
from bletest.errors import (
    AttributeMissing,
    BletestError,
    CapabilityMissing,
    LinkLost,
    UnknownAttribute,
    UsageMistake,
)
from bletest.profile.expectation import DeviceExpectation
from bletest.profile.presentation import Quantity
from bletest.uuids import CCCD

T = TypeVar("T")


Elsewhere = Callable[
    [str | None, str | None, float],
    Awaitable[tuple[BleakClient, RawAtt | None, Advertisement]],
]
"""Finds another device, by address or name, within so many seconds: its client, not connected."""


class LinkWatch:
    """Tells a :class:`GattClient` that its link has ended.

    bleak takes its ``disconnected_callback`` only when a ``BleakClient`` is made, so this is
    made first and handed to both.
    """

    def __init__(self) -> None:
        self.client: GattClient | None = None

    def __call__(self, _: BleakClient) -> None:
        """Take bleak's call."""
        if self.client is not None:
            self.client.on_disconnected()


class Around(Protocol):
    """What a client knows of the device beside its own link: whoever connects it, knows it."""

    def another(self) -> "AbstractAsyncContextManager[GattClient]":
        """Connect one more client from another radio for the length of a block."""

    async def seen(self, *, within: float) -> bool:
        """Whether the device is seen advertising within so many seconds."""

    async def wake(self) -> None:
        """Wake a device that sleeps, where that can be done; else do nothing."""


class GattClient:
    """Implements :class:`bletest.contracts.client.Client` on bleak's public interface.

    ``expectation`` gives names and formats. ``watch`` is what the ``BleakClient`` has for its
    ``disconnected_callback``; without it a lost link is noticed only by the next operation.
    ``raw`` is there where the back end is ours, and ``raw_att`` is a capability then.
    ``timing`` overrides what ``raw`` says of the link. ``around`` is what is known of the
    device beside the link, ``elsewhere`` looks for another device.

    ``async with`` connects where there is no link yet, and disconnects at the end.
    """

    def __init__(
        self,
        client: BleakClient,
        *,
        expectation: DeviceExpectation | None = None,
        watch: LinkWatch | None = None,
        raw: RawAtt | None = None,
        timing: LinkTiming | None = None,
        capabilities: frozenset[Capability] = frozenset(),
        advertisement: Advertisement | None = None,
        around: Around | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.bleak = client
        self.raw = raw
        self._expectation = expectation
        self._timing = timing
        self._capabilities = capabilities
        self._advertisement = advertisement
        self._around = around
        self._discovered: Discovered | None = None
        self._names: AttributeNames | None = None
        self._channels: dict[str, _Channel] = {}
        self._attempts = GattAttempts(self)
        self._subscribing = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self.on_discovery: Callable[[str, RemoteDatabase], None] | None = None
        """Told of each new link by the name that events have for it, and of its database."""
        self._elsewhere = elsewhere
        self._over = asyncio.Event()
        if watch is not None:
            watch.client = self

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this client can do beyond reading, writing and subscribing."""
        return self._capabilities

    @property
    def database(self) -> RemoteDatabase:
        """What was discovered on this connection, or on the last one."""
        return self._discovery.database

    @property
    def advertisement(self) -> Advertisement | None:
        """What the device advertised before the connection, None if it was not scanned for."""
        return self._advertisement

    @property
    def address(self) -> str:
        """What the adapter calls the device."""
        return self.bleak.address

    @property
    def mtu(self) -> int:
        """ATT_MTU in octets; 23 where the adapter does not tell."""
        with warnings.catch_warnings():
            # bleak warns on BlueZ that the number means nothing there: mtu_choice says so too.
            warnings.simplefilter("ignore", UserWarning)
            return self.bleak.mtu_size

    @property
    def timing(self) -> LinkTiming:
        """What link and adapter add to any moment."""
        if self._timing is not None:
            return self._timing
        return self.raw.timing if self.raw is not None else LinkTiming()

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return self.bleak.is_connected

    @property
    def is_encrypted(self) -> bool | None:
        """Whether the link is encrypted, None where the adapter does not tell."""
        return None if self.raw is None else self.raw.is_encrypted

    @property
    def attempt(self) -> GattAttempts:
        """Operations that answer with an outcome."""
        return self._attempts

    @property
    def names(self) -> AttributeNames:
        """Names of what was discovered."""
        if self._names is None:
            self._names = AttributeNames(self._discovery.database, self._expectation)
        return self._names

    def now(self) -> float:
        """Return seconds on the client's clock, which is the event loop's."""
        return self._loop.time()

    async def __aenter__(self) -> Self:
        if not self.is_connected:
            await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self.disconnect()
        else:
            # What went wrong inside is what matters; an adapter that is in trouble cannot
            # disconnect and would hide it.
            with suppress(BletestError):
                await self.disconnect()

    async def connect(self) -> None:
        """Connect and discover.

        Raises :class:`~bletest.errors.DeviceNotFound`,
        :class:`~bletest.errors.ConnectionFailed`, :class:`~bletest.errors.LinkLost`.
        """
        try:
            await self.bleak.connect()
        except BLEAK_ERRORS as error:
            reraise(error, "connect", "")
        self._channels.clear()
        self._over.clear()
        self._know_database()

    async def disconnect(self) -> None:
        """Disconnect; harmless where there is no link."""
        try:
            await self.bleak.disconnect()
        except BLEAK_ERRORS as error:
            reraise(error, "disconnect", "")

    async def reconnect(self) -> None:
        """Disconnect, connect again and discover again. Subscriptions have ended then."""
        await self.disconnect()
        if self._around is not None:
            await self._around.wake()
        await self.connect()

    async def discover(self) -> None:
        """Discover the database again, on the link that is up; subscriptions go on.

        Needs ``raw_att``: other adapters discover when they connect, and at no other time.
        """
        raw = self._raw("discover on a link that is up")
        await self.do("discover", "", raw.discover())
        self._know_database()

    def _know_database(self) -> None:
        self._names = None
        self._discovered = Discovered(self.bleak.services)
        if self.on_discovery is not None and self.raw is not None:
            self.on_discovery(self.raw.link_name, self.database)

    async def ended(self, *, within: float) -> bool:
        """Wait ``within`` seconds at most for the link to end; return whether it has."""
        if self.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._over.wait()
        return not self.is_connected

    async def connect_to(self, *, address: str | None, name: str | None, within: float) -> None:
        """Look for a device by ``address`` or ``name``, connect to it instead, and discover it."""
        if self._elsewhere is None:
            raise CapabilityMissing(
                "this client cannot look for another device",
                capability="scanning",
                remedy="make it with bletest.client.connecting.make_client",
            )
        await self.disconnect()
        found = await self._elsewhere(address, name, within)
        self.bleak, self.raw, self._advertisement = found
        await self.connect()

    async def read(self, characteristic: CharacteristicName) -> Reading:
        """Read the whole value; raises what the device or the link is to blame for."""
        named = self.names.characteristic(characteristic)
        raw = await self.do("read", named.path, self.read_now(named))
        return Reading(raw, self.now(), named.path, named.decoder)

    async def write(
        self, characteristic: CharacteristicName, value: bytes, *, response: bool = True
    ) -> None:
        """Write ``value``; without ``response`` it is sent and nothing is known of its fate."""
        named = self.names.characteristic(characteristic)
        await self.do("write", named.path, self.write_now(named, value, response))

    async def read_descriptor(self, descriptor: DescriptorName) -> Reading:
        """Read the whole value of a descriptor."""
        named = self.names.descriptor(descriptor)
        raw = await self.do("read", named.path, self.read_descriptor_now(named))
        return Reading(raw, self.now(), named.path, named.decoder)

    async def write_descriptor(self, descriptor: DescriptorName, value: bytes) -> None:
        """Write a descriptor; the CCCD (0x2902) needs ``raw_att``."""
        named = self.names.descriptor(descriptor)
        await self.do("write", named.path, self.write_descriptor_now(named, value))

    @asynccontextmanager
    async def subscribe(
        self, characteristic: CharacteristicName
    ) -> AsyncIterator[NotificationQueue]:
        """Subscribe for the length of an ``async with`` block.

        Several subscriptions to one characteristic share it on the air.
        """
        named = self.names.characteristic(characteristic)
        queue = NotificationQueue(
            named.path, now=self.now, end=self._ended, acquit_adapter=self._acquit_adapter
        )
        await self.do("subscribe", named.path, self.subscribe_now(named, queue))
        try:
            yield queue
        except BaseException:
            with suppress(BletestError):  # what happened inside is what matters
                await self._leave(named, queue)
            raise
        await self._leave(named, queue)

    async def listen(
        self,
        characteristic: CharacteristicName,
        on_reading: Callable[[Reading], object],
        on_end: Callable[[BletestError], object] = lambda _: None,
    ) -> Callable[[], Awaitable[None]]:
        """Subscribe until what is returned is called and awaited; nothing is kept.

        ``on_reading`` is called for each value as it comes, ``on_end`` if the link ends before.
        Both run on the loop and must not wait; what they raise is logged there.
        """
        named = self.names.characteristic(characteristic)
        listener = Listener(on_reading, on_end)
        await self.do("subscribe", named.path, self.subscribe_now(named, listener))
        return partial(self._leave, named, listener)

    def write_signed(self, characteristic: CharacteristicName, value: bytes) -> None:
        """Send a Signed Write Command; nothing is known of its fate.

        It takes a link that is not encrypted, and a device that was given the client's signing
        key in an earlier pairing: ``PairingAgent(signing=True)``. :class:`UsageMistake` otherwise.
        """
        raw = self._raw("sign writes")
        named = self.names.characteristic(characteristic)
        self._check_link()
        assert named.found.value_handle is not None  # an adapter with raw ATT knows handles
        raw.write_signed(named.found.value_handle, value)

    async def presented(self, characteristic: CharacteristicName) -> tuple[Quantity, ...]:
        """Read a value as its Presentation Format says, or as the several of its Aggregate Format.

        Raises :class:`AttributeMissing` where it has neither, and
        :class:`~bletest.errors.ProtocolViolation` where the value does not fit them.
        """
        return await presented(self, characteristic)

    async def run(self, procedure: Procedure[T]) -> T:
        """Run any procedure of :mod:`bletest.att.procedures`, bleak having calls for some only."""
        return await self._raw("run procedures").run(procedure)

    async def exchange(self, pdu: bytes, *, within: float = 30.0) -> bytes | None:
        """Send any ATT PDU and return the next response PDU, None for silence."""
        raw = self._raw("exchange raw PDUs")
        return await self.do("exchange", "", raw.exchange(pdu, within=within))

    async def unasked(self, *, within: float) -> list[Reading]:
        """Wait ``within`` seconds; return what came on this connection for nobody, each once."""
        raw = self._raw("tell what comes without a subscription")
        came = await self.do("listen", "", raw.unasked(within=within))
        return [self._unasked_reading(one) for one in came]

    def send(self, pdu: bytes) -> None:
        """Send any ATT PDU that has no response."""
        try:
            self._raw("send raw PDUs").send(pdu)
        except BletestError as error:
            reraise(error, "send", "")

    def another(self) -> "AbstractAsyncContextManager[GattClient]":
        """Connect one more client to the device, from another radio, for the length of a block."""
        if self._around is None:
            raise CapabilityMissing(
                "there is no second radio for another client",
                capability=Capability.SECOND_CLIENT,
                remedy=f"use {Capability.SECOND_CLIENT.provided_by}",
            )
        return self._around.another()

    async def advertises(self, *, within: float, after: float = 0.0) -> bool:
        """Whether the device is seen within so many seconds of looking, ``after`` a while."""
        if self._around is None:
            raise CapabilityMissing(
                "the client connected without scanning, and cannot look for the device",
                capability="scanning",
                remedy="let bletest connect: ble_client, or ble_connect()",
            )
        await asyncio.sleep(after)
        return await self._around.seen(within=within)

    async def pair(self, *, authenticated: bool = True) -> None:
        """Pair, or encrypt with the key of an earlier bond.

        ``authenticated`` False leaves it at Just Works, whatever the agent could do; raises
        :class:`~bletest.errors.CapabilityMissing` on an adapter that does not let one choose.
        """
        if authenticated:
            await self.do("pair", "", self.bleak.pair())
            return
        if self.raw is None:
            raise CapabilityMissing(
                "this adapter pairs as the operating system likes",
                capability=Capability.PAIRING_CHOICE,
                remedy=f"use {Capability.PAIRING_CHOICE.provided_by}",
            )
        await self.do("pair", "", self.bleak.pair(authenticated=False))

    async def unpair(self) -> None:
        """Forget the keys of this device; an encrypted link ends."""
        try:
            await self.bleak.unpair()
        except BLEAK_ERRORS as error:
            reraise(error, "unpair", "")

    def on_disconnected(self) -> None:
        """Take the news that the link has ended; :class:`LinkWatch` brings it."""
        self._over.set()
        reason = self._end()
        for channel in self._channels.values():
            for queue in channel.queues:
                queue.end(reason)
        self._channels.clear()

    # What both the raising operations and the attempts are made of.

    async def do(self, operation: str, attribute: str, work: Awaitable[T]) -> T:
        """Await ``work`` and raise its errors in our words, named by ``attribute``."""
        try:
            return await work
        except BLEAK_ERRORS as error:
            reraise(error, operation, attribute)

    async def read_now(self, named: NamedCharacteristic) -> bytes:
        """Read, with bleak's errors."""
        self._check_link()
        return bytes(await self.bleak.read_gatt_char(self._characteristic(named)))

    async def write_now(self, named: NamedCharacteristic, value: bytes, response: bool) -> None:
        """Write, with bleak's errors."""
        self._check_link()
        await self.bleak.write_gatt_char(self._characteristic(named), value, response=response)

    async def read_descriptor_now(self, named: NamedDescriptor) -> bytes:
        """Read a descriptor, with bleak's errors."""
        self._check_link()
        descriptor = self._discovery.descriptor(named.found)
        return bytes(await self.bleak.read_gatt_descriptor(descriptor))

    async def write_descriptor_now(self, named: NamedDescriptor, value: bytes) -> None:
        """Write a descriptor, with bleak's errors; the CCCD past bleak, which refuses it."""
        self._check_link()
        if named.found.uuid == CCCD:
            raw = self._raw("write a CCCD by hand")
            if named.found.handle is not None:
                await raw.write(named.found.handle, value)
            return
        await self.bleak.write_gatt_descriptor(self._discovery.descriptor(named.found), value)

    async def subscribe_now(self, named: NamedCharacteristic, queue: Taker | None) -> None:
        """Enable notifications if they are not; ``queue`` None keeps them enabled by hand."""
        self._check_link()
        if not named.found.properties & {"notify", "indicate"}:
            raise AttributeMissing(f"{named.path} can neither notify nor indicate")
        async with self._subscribing:
            channel = self._channels.get(named.path)
            is_new = channel is None
            if channel is None:
                channel = self._channels[named.path] = _Channel(self, named)
            if queue is not None:
                channel.queues.append(queue)
            if is_new:
                try:
                    await self.bleak.start_notify(self._characteristic(named), channel.take)
                except BaseException:
                    self._channels.pop(named.path, None)
                    raise
            channel.by_hand |= queue is None

    async def unsubscribe_now(self, named: NamedCharacteristic) -> None:
        """Disable notifications that were enabled by hand."""
        self._check_link()
        async with self._subscribing:
            channel = self._channels.get(named.path)
            if channel is not None:
                channel.by_hand = False
                if channel.queues:
                    return
                del self._channels[named.path]
            await self.bleak.stop_notify(self._characteristic(named))

    async def _leave(self, named: NamedCharacteristic, queue: Taker) -> None:
        async with self._subscribing:
            channel = self._channels.get(named.path)
            if channel is None or queue not in channel.queues:
                return  # the link ended meanwhile, and every subscription with it
            channel.queues.remove(queue)
            if channel.queues or channel.by_hand or not self.is_connected:
                return
            del self._channels[named.path]
            stop = self.bleak.stop_notify(self._characteristic(named))
            await self.do("unsubscribe", named.path, stop)

    def _unasked_reading(self, one: Unasked) -> Reading:
        try:
            named = self.names.characteristic(one.handle)
        except UnknownAttribute:  # a device that sends unasked may send for any handle
            return Reading(one.value, one.time, f"handle 0x{one.handle:04X}")
        return Reading(one.value, one.time, named.path, named.decoder)

    def _check_link(self) -> None:
        if not self.is_connected:
            raise self._end()

    async def _acquit_adapter(self) -> None:
        if self.raw is not None and self.is_connected:
            await self.raw.acquit_adapter()

    def _ended(self) -> BletestError | None:
        return None if self.is_connected else self._end()

    def _end(self) -> BletestError:
        end = self.raw.end if self.raw is not None else None
        return end or LinkLost(f"the link to {self.address} has ended")

    def _raw(self, wish: str) -> RawAtt:
        if self.raw is None:
            raise CapabilityMissing(
                f"this adapter cannot {wish}",
                capability=Capability.RAW_ATT,
                remedy=f"use {Capability.RAW_ATT.provided_by}",
            )
        return self.raw

    @property
    def _discovery(self) -> Discovered:
        if self._discovered is None:
            if not self.is_connected:
                raise UsageMistake("nothing is discovered before the first connection")
            self._discovered = Discovered(self.bleak.services)
        return self._discovered

    def _characteristic(self, named: NamedCharacteristic) -> BleakGATTCharacteristic:
        return self._discovery.characteristic(named.found)


class _Channel:
    """One characteristic that is subscribed to on the air, and who listens."""

    def __init__(self, client: GattClient, named: NamedCharacteristic) -> None:
        self.queues: list[Taker] = []
        self.by_hand = False
        self._client = client
        self._named = named

    def take(self, _: BleakGATTCharacteristic, value: bytearray) -> None:
        named = self._named
        reading = Reading(bytes(value), self._client.now(), named.path, named.decoder)
        for queue in self.queues:
            queue.put(reading)


if TYPE_CHECKING:

    def _keeps_the_contract(client: GattClient) -> tuple[Client, Attempts]:
        return client, client.attempt
