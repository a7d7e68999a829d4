"""What any device is held to: the oracle's half of a profile.

A profile's ``value`` is what the emulated device serves. Checks never see it: they see these
objects, in which ``expect`` is resolved (where it is silent, format and length come from
``value`` or ``length``; ``expect: same`` means exactly those octets).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bletest.att.access import Access
from bletest.contracts.database import (
    RemoteCharacteristic,
    RemoteDatabase,
    RemoteDescriptor,
    RemoteService,
)
from bletest.contracts.effects import SideEffect
from bletest.profile.procedures import ProcedureExpectation
from bletest.profile.rules import Variable, WriteRule
from bletest.profile.security import NO_PAIRING, SecuritySpec
from bletest.uuids import Uuid

__all__ = [
    "AdvertisingExpectation",
    "AttributeExpectation",
    "CharacteristicExpectation",
    "DescriptorExpectation",
    "DeviceExpectation",
    "FieldExpectation",
    "ModeExpectation",
    "NotifyExpectation",
    "ServiceExpectation",
    "SideEffect",
    "ValueExpectation",
    "WindowExpectation",
]


@dataclass(frozen=True, slots=True)
class FieldExpectation:
    """Bounds of one field of a decoded value; None leaves a bound open."""

    minimum: float | None = None
    maximum: float | None = None
    one_of: tuple[object, ...] | None = None


@dataclass(frozen=True, slots=True)
class ValueExpectation:
    """What a value must look like.

    ``exact`` are the only octets accepted. ``min_length`` and ``max_length`` bound the length
    in octets; ``max_length`` None means that nothing is known. ``fields`` bounds fields of the
    decoded value; the key ``""`` stands for the value itself where it is a single number or
    text. ``format`` names the format (``uint8``, ``text``, a SIG characteristic), None when
    the octets are opaque; ``decode`` reads it and raises ValueError.
    """

    exact: bytes | None = None
    min_length: int = 0
    max_length: int | None = None
    format: str | None = None
    decode: Callable[[bytes], object] | None = field(default=None, repr=False, compare=False)
    fields: Mapping[str, FieldExpectation] = field(default_factory=dict)

    def mismatch(self, raw: bytes) -> str | None:
        """Say what is wrong with ``raw``, None if nothing is."""
        from bletest.profile.judging import mismatch  # formats need the codecs: load them late

        return mismatch(self, raw)

    def describe(self) -> str:
        """Say in a few words what is expected."""
        from bletest.profile.judging import describe

        return describe(self)


@dataclass(frozen=True, slots=True)
class NotifyExpectation:
    """How a characteristic notifies by itself.

    ``every`` is the declared period in seconds, None if it notifies only when something
    happens; ``tolerance`` a share of it.
    """

    every: float | None = None
    tolerance: float = 0.1


@dataclass(frozen=True, slots=True)
class AttributeExpectation:
    """What descriptors and characteristics have in common.

    ``path`` names the attribute for people (``heart_rate/body_sensor_location``); it is unique
    in its profile (a repeated UUID is told apart by its id, or by ``#2``). ``occurrence`` counts
    the earlier siblings with the same UUID. ``read`` and ``write`` are None where the operation
    is refused.
    """

    path: str
    uuid: Uuid
    id: str | None
    occurrence: int
    read: Access | None
    write: Access | None
    value: ValueExpectation
    side_effect: SideEffect


@dataclass(frozen=True, slots=True)
class DescriptorExpectation(AttributeExpectation):
    """A descriptor of a characteristic."""

    def locate(self, characteristic: RemoteCharacteristic) -> RemoteDescriptor | None:
        """Return the discovered descriptor, None if the device lacks it."""
        same = [found for found in characteristic.descriptors if found.uuid == self.uuid]
        return same[self.occurrence] if self.occurrence < len(same) else None


@dataclass(frozen=True, slots=True)
class CharacteristicExpectation(AttributeExpectation):
    """A characteristic: ``properties`` by GATT's names in snake case (``notify``).

    ``subscribe`` is what it takes to write the CCCD, None where there is none to write.
    ``rules`` are tried in order for a write; none means that any value of a legal length is
    accepted; ``procedure`` stands in their place. ``control_point``: who has not enabled what it
    answers by is refused with 0xFD, and who does not wait with 0xFE. ``service_uuid`` and
    ``service_occurrence`` name the service it stands in. ``steady`` says that what is read is what
    stands there, and no answer made for each read: only then can two reads be compared, or a read
    and a write.
    """

    service_uuid: Uuid
    service_occurrence: int
    properties: frozenset[str]
    subscribe: Access | None
    notify: NotifyExpectation | None
    rules: tuple[WriteRule, ...]
    descriptors: tuple[DescriptorExpectation, ...]
    steady: bool = True
    procedure: ProcedureExpectation | None = None
    control_point: bool = False

    def locate(self, database: RemoteDatabase) -> RemoteCharacteristic | None:
        """Return the discovered characteristic, None if the device lacks it."""
        services = database.find_services(self.service_uuid)
        if self.service_occurrence >= len(services):
            return None
        service = services[self.service_occurrence]
        same = [found for found in service.characteristics if found.uuid == self.uuid]
        return same[self.occurrence] if self.occurrence < len(same) else None


@dataclass(frozen=True, slots=True)
class ServiceExpectation:
    """A primary service with its characteristics."""

    path: str
    uuid: Uuid
    id: str | None
    occurrence: int
    characteristics: tuple[CharacteristicExpectation, ...]

    def locate(self, database: RemoteDatabase) -> RemoteService | None:
        """Return the discovered service, None if the device lacks it."""
        same = database.find_services(self.uuid)
        return same[self.occurrence] if self.occurrence < len(same) else None


@dataclass(frozen=True, slots=True)
class WindowExpectation:
    """When a device advertises: for ``length`` seconds after each of the occasions in ``after``.

    ``power_on`` is one, ``disconnect`` (the end of any link) the other. Else somebody has to wake
    it.
    """

    length: float
    after: frozenset[str]

    def __str__(self) -> str:
        words = {"power_on": "it is switched on", "disconnect": "a link has ended"}
        occasions = " or ".join(words[one] for one in sorted(self.after, reverse=True))
        return f"for {self.length:g} s after {occasions}"


@dataclass(frozen=True, slots=True)
class AdvertisingExpectation:
    """What advertising data and scan response together must carry.

    ``name`` is None where the profile promises none. ``interval`` is in seconds; ``window`` is
    when the device advertises at all, None for always. Where it is not ``connectable``, nothing
    but the advertising can be judged.
    """

    interval: float
    name: str | None
    services: tuple[Uuid, ...]
    manufacturer_data: Mapping[int, bytes]
    service_data: Mapping[Uuid, bytes]
    tx_power: int | None
    window: WindowExpectation | None = None
    connectable: bool = True


@dataclass(frozen=True, slots=True)
class ModeExpectation:
    """What the device is after a reboot into other firmware.

    ``address`` is another address, or how far the last octet is from that of the device: 0 where
    it keeps its address.
    """

    name: str
    device: "DeviceExpectation"
    address: int | str = 0


@dataclass(frozen=True, slots=True)
class DeviceExpectation:
    """Everything that a profile promises of a device.

    ``name`` is the profile's, ``device_name`` the GAP Device Name; ``mtu`` the ATT_MTU the
    device offers; ``bonding`` whether it can be paired with at all, and bonds.
    ``services`` holds the profile's own services; GAP is implied and not among them; ``absent``
    those that are not there until a rule adds them. ``state`` are the variables that rules set and
    ask for. ``service_changed`` and ``database_hash`` say whether the GATT service has them.
    ``connections`` are the links it serves at a time, ``advertise_while_connected`` whether it
    advertises on while it could serve another one. ``security`` is how it pairs.
    """

    name: str
    device_name: str
    appearance: int
    mtu: int
    connections: int
    pairing: bool
    bonding: bool
    advertising: AdvertisingExpectation
    services: tuple[ServiceExpectation, ...]
    state: Mapping[str, Variable] = field(default_factory=dict)
    security: SecuritySpec = NO_PAIRING
    advertise_while_connected: bool = True
    absent: tuple[ServiceExpectation, ...] = ()
    modes: Mapping[str, ModeExpectation] = field(default_factory=dict)
    service_changed: bool = False
    database_hash: bool = False

    @property
    def clients(self) -> int:
        """How many clients can be connected at a time; one that falls silent gets no second."""
        return self.connections if self.advertise_while_connected else 1

    def characteristics(self) -> tuple[CharacteristicExpectation, ...]:
        """Return every characteristic of every service, in file order."""
        return tuple(one for service in self.services for one in service.characteristics)

    def characteristic(self, name: str) -> CharacteristicExpectation | None:
        """Find one by id, path or label of its UUID; None if there is none."""
        found = self.characteristics()
        return next(
            (one for one in found if name in (one.id, one.path)),
            next((one for one in found if one.uuid.label == name), None),
        )
