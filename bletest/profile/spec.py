"""A resolved profile: what the emulated device is, in plain frozen values.

The emulated device reads this half. Checks read :attr:`Profile.expectation` and nothing else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bletest.att.access import Access
from bletest.profile.expectation import DeviceExpectation, SideEffect, WindowExpectation
from bletest.profile.faults import FaultSpec
from bletest.profile.known_issues import KnownIssue
from bletest.profile.mistakes import Mistake
from bletest.profile.procedures import Procedure
from bletest.profile.rules import ReplyKind, Variable, WriteRule
from bletest.profile.security import SecuritySpec
from bletest.profile.sources import ReadSource, ValueSource
from bletest.uuids import Uuid

MAXIMUM_LENGTH = 512
"""Octets an attribute value can have at most (Vol 3, Part F, 3.2.9)."""


@dataclass(frozen=True, slots=True)
class GattSpec:
    """What the device's GATT service offers, each as a characteristic or a bit of one (Part G, 7).

    ``service_changed``: Service Changed. ``robust_caching``: Client Supported Features and the
    Database Hash. ``multiple_notifications``: Client Supported Features. ``eatt``: that,
    Server Supported Features, and enhanced bearers on encrypted links.
    """

    service_changed: bool = False
    robust_caching: bool = False
    multiple_notifications: bool = False
    eatt: bool = False


@dataclass(frozen=True, slots=True)
class BehaviourSpec:
    """A behaviour that the profile names, for whoever emulates the device to find.

    ``unregistered`` is the mistake, with its place in the file, of emulating it without.
    """

    name: str
    unregistered: Mistake = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class GapSpec:
    """What the device's GAP service has beside name and appearance (Part C, 12).

    ``writable`` are those of ``name`` and ``appearance`` that clients may write.
    ``preferred_parameters`` and ``security_levels`` (LE GATT Security Levels) are the values of
    those characteristics; None: it has none. ``central_address_resolution`` says that the device
    resolves private addresses.
    """

    writable: frozenset[str] = frozenset()
    preferred_parameters: bytes | None = None
    central_address_resolution: bool = False
    security_levels: bytes | None = None


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """The device as such.

    ``name`` is the GAP Device Name and ``appearance`` the GAP Appearance (16 bits). ``mtu`` is
    the ATT_MTU the device offers, 23 to 517 octets; ``connections`` the number of links it
    serves at a time, ``advertise_while_connected`` whether it advertises on while it has one and
    could have another. ``gatt`` and ``gap`` are what those services have; ``behaviour`` Python of
    the user's that makes up the rest. ``address`` is a static random or public address written
    ``C0:11:22:33:44:55``, None for a fresh one.
    """

    name: str
    appearance: int = 0
    mtu: int = 247
    connections: int = 1
    address: str | None = None
    advertise_while_connected: bool = True
    gatt: GattSpec = GattSpec()
    behaviour: BehaviourSpec | None = None
    gap: GapSpec = GapSpec()


@dataclass(frozen=True, slots=True)
class AdvertisingSpec:
    """What the device advertises.

    ``interval`` is in seconds. ``connectable`` says whether clients can connect; a device that
    cannot be connected is still scannable where it has a scan response. ``discoverable`` is the
    mode of Vol 3, Part C, 9.2 in a word, ``limited`` ending after 180 s; ``window`` is when it
    advertises at all, None for always. ``name`` is the local name of the advertisement, None
    where it carries none. ``data`` and ``scan_response`` are the finished octets, at most 31
    each, flags included (Supplement to the Core Specification, Part A); the other fields say
    what they hold together.
    """

    interval: float
    name: str | None
    services: tuple[Uuid, ...]
    manufacturer_data: Mapping[int, bytes]
    service_data: Mapping[Uuid, bytes]
    tx_power: int | None
    data: bytes
    scan_response: bytes
    window: WindowExpectation | None = None
    connectable: bool = True
    discoverable: str = "general"


@dataclass(frozen=True, slots=True)
class NotifySpec:
    """A value sent by itself, to every subscribed client.

    ``every`` is the period in seconds, counted from the subscription; ``tolerance`` the share of
    it by which a device may be off. ``kind`` is how it travels: a notification where the
    characteristic has the property, or an indication.
    """

    every: float
    tolerance: float
    values: ValueSource
    kind: ReplyKind


@dataclass(frozen=True, slots=True)
class DescriptorSpec:
    """A descriptor the profile lists.

    The CCCD, SCCD and Extended Properties descriptors are implied by the properties of their
    characteristic and never listed. ``handles_of`` are the paths of the attributes whose handles
    make up the value of an Aggregate Format descriptor, empty for any other; ``value`` is empty
    then.
    """

    path: str
    uuid: Uuid
    id: str | None
    value: bytes
    read: Access | None
    write: Access | None
    min_length: int = 0
    max_length: int = MAXIMUM_LENGTH
    handles_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CharacteristicSpec:
    """A characteristic the device serves.

    ``properties`` are GATT's names in snake case (Vol 3, Part G, 3.3.1.1 and 3.3.3.1):
    ``broadcast``, ``read``, ``write_without_response``, ``write``, ``notify``, ``indicate``,
    ``authenticated_signed_write``, ``extended_properties``, and of the extended ones
    ``reliable_write``, ``writable_auxiliaries`` (``extended_properties`` is there whenever one of
    these two is). ``value`` is what it starts with. ``read``, ``write`` and ``subscribe`` are None
    where the operation is refused. A write of fewer than ``min_length`` or more than
    ``max_length`` octets is refused. ``notify`` is a schedule, None where nothing comes by itself;
    ``procedure`` stands in place of rules where it is one of a SIG service; ``on_read`` is what
    reads are answered with in place of the stored value; ``behaviour`` Python of the user's.
    ``procedure`` stands in place of rules where it is one of a SIG service. ``control_point``: it
    refuses with 0xFD who has not enabled what it answers by, and with 0xFE while it answers.
    """

    path: str
    uuid: Uuid
    id: str | None
    service: str
    properties: frozenset[str]
    value: bytes
    read: Access | None
    write: Access | None
    subscribe: Access | None
    min_length: int
    max_length: int
    notify: NotifySpec | None
    rules: tuple[WriteRule, ...]
    descriptors: tuple[DescriptorSpec, ...]
    side_effect: SideEffect
    on_read: ReadSource | None = None
    behaviour: BehaviourSpec | None = None
    procedure: Procedure | None = None
    control_point: bool = False


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service; ``includes`` are the paths of the services it includes.

    ``present`` False: it is not in the database until a rule adds it.
    """

    path: str
    uuid: Uuid
    id: str | None
    characteristics: tuple[CharacteristicSpec, ...]
    primary: bool = True
    includes: tuple[str, ...] = ()
    present: bool = True


@dataclass(frozen=True, slots=True)
class ModeSpec:
    """The device after a reboot into other firmware: ``profile`` as if it were one of its own.

    ``address`` is another address, or how far the last octet is from that of the device: 0 where
    it keeps its address.
    """

    profile: "Profile"
    address: int | str = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """One device as one file describes it. ``source`` is None for a profile read from a string.

    ``services`` are in file order, which is handle order; GAP and GATT are implied and come
    before them. ``faults`` are what the emulated device does wrong, each with its ``path`` known.
    ``state`` are the variables that rules set and ask for, ``modes`` what the device can be
    beside. ``known_issues`` are findings that fail no test.
    """

    name: str
    source: Path | None
    device: DeviceSpec
    advertising: AdvertisingSpec
    security: SecuritySpec
    services: tuple[ServiceSpec, ...]
    expectation: DeviceExpectation = field(repr=False)
    faults: tuple[FaultSpec, ...] = ()
    state: Mapping[str, Variable] = field(default_factory=dict)
    known_issues: tuple[KnownIssue, ...] = ()
    modes: Mapping[str, ModeSpec] = field(default_factory=dict)

    def characteristics(self) -> Iterator[CharacteristicSpec]:
        """Yield every characteristic, in file order."""
        for service in self.services:
            yield from service.characteristics

    def characteristic(self, name: str) -> CharacteristicSpec | None:
        """Find one by id, path or label of its UUID; None if there is none."""
        found = tuple(self.characteristics())
        return next(
            (one for one in found if name in (one.id, one.path)),
            next((one for one in found if one.uuid.label == name), None),
        )
