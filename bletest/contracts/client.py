"""The client that checks and tests hold, whichever radio is behind it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from bletest.contracts.advertisements import Advertisement
from bletest.contracts.capabilities import Capability
from bletest.contracts.database import RemoteCharacteristic, RemoteDatabase, RemoteDescriptor
from bletest.contracts.outcomes import Outcome
from bletest.contracts.windows import LinkTiming
from bletest.uuids import Uuid

CharacteristicName = RemoteCharacteristic | Uuid | str | int
"""A discovered object, a UUID, a profile id, path or SIG name, or a value handle."""

DescriptorName = RemoteDescriptor | str | int
"""A discovered object, a path (``service/characteristic/descriptor``), or a handle."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that came from the device: the octets, when they came, and what they mean.

    ``time`` is in seconds on the client's clock. ``decoded`` raises :class:`ValueError` where
    the octets do not fit the format, and where no format is known.
    """

    raw: bytes
    time: float
    attribute: str = ""
    decoder: Callable[[bytes], object] | None = field(default=None, repr=False, compare=False)

    @property
    def decoded(self) -> object:
        """The value in the format that the profile or the Bluetooth SIG gives it."""
        if self.decoder is None:
            raise ValueError(f"no format is known for {self.attribute or 'this value'}")
        return self.decoder(self.raw)


class Subscription(Protocol):
    """Notifications or indications of one characteristic, in order, none lost."""

    @property
    def received(self) -> tuple[Reading, ...]:
        """Everything that came since the subscription began, taken or not."""

    async def next(self, *, within: float) -> Reading:
        """Return the oldest one not yet taken, waiting ``within`` seconds at most.

        Raises :class:`~bletest.errors.TooFewNotifications`, or
        :class:`~bletest.errors.SubscriptionEnded` when the link ended.
        """

    async def take(self, count: int, *, within: float) -> list[Reading]:
        """Return the next ``count``, waiting ``within`` seconds at most for all of them."""


class Attempts(Protocol):
    """The same operations as the client's, answering with an outcome and raising nothing
    that the device could be to blame for (a dead adapter still raises BenchTrouble)."""

    async def read(self, characteristic: CharacteristicName) -> Outcome:
        """Read the whole value, long ones too."""

    async def write(
        self, characteristic: CharacteristicName, value: bytes, *, response: bool = True
    ) -> Outcome:
        """Write, with or without response; without one, success means it was sent."""

    async def read_descriptor(self, descriptor: DescriptorName) -> Outcome:
        """Read the whole value of a descriptor."""

    async def write_descriptor(self, descriptor: DescriptorName, value: bytes) -> Outcome:
        """Write a descriptor, the CCCD (0x2902) too where the adapter allows it."""

    async def subscribe(self, characteristic: CharacteristicName) -> Outcome:
        """Enable notifications (or indications where only those exist)."""

    async def unsubscribe(self, characteristic: CharacteristicName) -> Outcome:
        """Disable them again."""

    async def pair(self) -> Outcome:
        """Pair with the device."""


class Client(Protocol):
    """A connected GATT client."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this client can do beyond reading, writing and subscribing."""

    @property
    def address(self) -> str:
        """What the adapter calls the device: its address, or what stands for it."""

    @property
    def database(self) -> RemoteDatabase:
        """What was discovered on this connection."""

    @property
    def advertisement(self) -> Advertisement | None:
        """What the device advertised before the connection, None if it was not scanned for."""

    @property
    def mtu(self) -> int:
        """ATT_MTU in octets."""

    @property
    def timing(self) -> LinkTiming:
        """What link and adapter add to any moment."""

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""

    @property
    def is_encrypted(self) -> bool | None:
        """Whether the link is encrypted, None where the adapter does not tell."""

    @property
    def attempt(self) -> Attempts:
        """Operations that answer with an outcome."""

    def now(self) -> float:
        """Return seconds on the client's clock."""

    def subscribe(
        self, characteristic: CharacteristicName
    ) -> AbstractAsyncContextManager[Subscription]:
        """Subscribe for the length of a ``with`` block."""

    async def exchange(self, pdu: bytes, *, within: float = 30.0) -> bytes | None:
        """Send any ATT PDU and return the next response PDU, None for silence.

        Needs ``raw_att``. Notifications and indications are not responses and go to their
        subscriptions. Nothing checks or mends ``pdu``.
        """

    async def unasked(self, *, within: float) -> list[Reading]:
        """Wait ``within`` seconds, then return what came and was not listened for.

        Needs ``raw_att``. These are the notifications and indications of this connection, since
        it began, of characteristics that were not subscribed to through this client when they
        came: in order, each returned once, the oldest dropped where there are very many.
        ``attribute`` is the name of the characteristic, ``handle 0x…`` where the discovered
        database has none with that value handle. Raises :class:`~bletest.errors.LinkLost` as
        soon as the link ends.
        """

    def another(self) -> AbstractAsyncContextManager["Client"]:
        """Connect one more client to the same device for the length of a block.

        Needs ``second_client``: it has a radio, and so an address, of its own, and no bond.
        Raises :class:`~bletest.errors.DeviceNotFound` where the device does not advertise,
        :class:`~bletest.errors.ConnectionFailed` where it does and takes no connection.
        """

    async def pair(self, *, authenticated: bool = True) -> None:
        """Pair as well as both sides can; raises :class:`~bletest.errors.PairingFailed`.

        ``authenticated`` False leaves it at Just Works, which takes the capability
        ``pairing_choice``.
        """

    async def unpair(self) -> None:
        """Forget the keys of this device; an encrypted link ends."""

    async def disconnect(self) -> None:
        """End the link; harmless where there is none."""

    async def reconnect(self) -> None:
        """Disconnect, connect again and discover again; a device that sleeps is woken first."""

    async def advertises(self, *, within: float, after: float = 0.0) -> bool:
        """Whether the device is seen advertising within that time; returns as soon as it is.

        ``within`` seconds are counted from the moment when it begins to look, ``after`` seconds
        from now. Raises :class:`~bletest.errors.CapabilityMissing` where the
        client has nothing to scan with.
        """

    async def ended(self, *, within: float) -> bool:
        """Wait ``within`` seconds at most for the link to end; return whether it has."""

    async def connect_to(self, *, address: str | None, name: str | None, within: float) -> None:
        """Look for a device, ``within`` seconds at most, connect to it and discover it.

        It takes the place of the one before, whose link ends. It is looked for by ``address``,
        or by the ``name`` that it advertises where that is None. Raises
        :class:`~bletest.errors.DeviceNotFound` where it is not seen, and
        :class:`~bletest.errors.CapabilityMissing` where this client cannot look.
        """
