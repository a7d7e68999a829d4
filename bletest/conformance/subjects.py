"""What a check can be about, and how a profile is searched for it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bletest.att.access import Access
from bletest.contracts.effects import SideEffect
from bletest.profile.expectation import (
    AttributeExpectation,
    CharacteristicExpectation,
    DescriptorExpectation,
    DeviceExpectation,
    ServiceExpectation,
)
from bletest.profile.procedures import TransferExpectation
from bletest.profile.rules import Reply, WriteRule
from bletest.uuids import GAP_SERVICE, GATT_SERVICE, Uuid


@dataclass(frozen=True, slots=True)
class DescriptorOf:
    """A descriptor, with the characteristic that it is found by."""

    characteristic: CharacteristicExpectation
    descriptor: DescriptorExpectation


@dataclass(frozen=True, slots=True)
class RuleOf:
    """A write rule of a characteristic, with a value that it is the rule for.

    ``via`` holds the characteristics that its replies come through, in the rule's order.
    """

    characteristic: CharacteristicExpectation
    rule: WriteRule
    value: bytes
    via: tuple[CharacteristicExpectation, ...]


@dataclass(frozen=True, slots=True)
class Challenge:
    """A write that makes the device send random octets, ``reply``, through ``via``."""

    characteristic: CharacteristicExpectation
    rule: WriteRule
    value: bytes
    reply: Reply
    via: CharacteristicExpectation


@dataclass(frozen=True, slots=True)
class ProtocolOf:
    """A rule that verifies what is written, and what has to come before it.

    ``number`` counts the rules of the characteristic from 1. ``challenge`` is None where the
    right answer follows from what is written alone. ``via`` are all characteristics through
    which replies come.
    """

    device: DeviceExpectation
    characteristic: CharacteristicExpectation
    number: int
    rule: WriteRule
    challenge: Challenge | None
    via: tuple[CharacteristicExpectation, ...]


@dataclass(frozen=True, slots=True)
class StateOf:
    """A write, ``opener``, after which the device does something else about ``value``.

    Before it the device takes ``value``, written to ``characteristic``, with ``before`` (an ATT
    error, None for acceptance), after it with ``after``; both from the beginning of a connection.
    """

    characteristic: CharacteristicExpectation
    value: bytes
    opened_by: CharacteristicExpectation
    opener: bytes
    before: int | None
    after: int | None
    via: tuple[CharacteristicExpectation, ...]


@dataclass(frozen=True, slots=True)
class ProcedureOf:
    """A control point, and the characteristic that it reports through."""

    characteristic: CharacteristicExpectation
    via: tuple[CharacteristicExpectation, ...]


@dataclass(frozen=True, slots=True)
class UpheavalOf:
    """A rule after which the device is another one, with the ``value`` that it is for.

    ``number`` counts the rules of the characteristic from 1.
    """

    device: DeviceExpectation
    characteristic: CharacteristicExpectation
    number: int
    rule: WriteRule
    value: bytes
    via: tuple[CharacteristicExpectation, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceOf:
    """A service that rules add and remove; ``first`` is the one of them that is followed first."""

    first: UpheavalOf
    service: ServiceExpectation
    adds: UpheavalOf | None
    removes: UpheavalOf | None


@dataclass(frozen=True, slots=True)
class TransferOf:
    """What takes an image: in which mode, through what, and what controls it."""

    device: DeviceExpectation
    mode: str
    characteristic: CharacteristicExpectation
    control: CharacteristicExpectation
    procedure: TransferExpectation


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One PDU to send to a device, ``name`` says which."""

    device: DeviceExpectation
    name: str
    pdu: bytes


Subject = (
    DeviceExpectation
    | ServiceExpectation
    | CharacteristicExpectation
    | DescriptorOf
    | RuleOf
    | ProtocolOf
    | ProcedureOf
    | StateOf
    | UpheavalOf
    | ServiceOf
    | TransferOf
    | Stimulus
)

_HIDDEN = frozenset({GAP_SERVICE, GATT_SERVICE, Uuid(0x180F), Uuid(0x1812)})
"""Services that one operating system or another keeps to itself: GAP, GATT, Battery, HID."""


def name_of(subject: Subject) -> str:
    """Return the name of a case about ``subject``, unique among subjects of its kind."""
    match subject:
        case DeviceExpectation():
            return subject.name
        case DescriptorOf():
            return subject.descriptor.path
        case RuleOf():
            condition = "otherwise" if subject.rule.match is None else subject.value.hex()
            return f"{subject.characteristic.path}/{condition}"
        case ProcedureOf():
            return subject.characteristic.path
        case StateOf():
            return f"{subject.characteristic.path}/{subject.value.hex()}"
        case ProtocolOf() | UpheavalOf():
            return f"{subject.characteristic.path}/rule {subject.number}"
        case ServiceOf():
            return subject.service.path
        case TransferOf():
            return f"{subject.mode}/{subject.characteristic.path}"
        case Stimulus():
            return f"{subject.device.name}/{subject.name}"
        case _:
            return subject.path


def attribute_of(subject: Subject) -> str:
    """Return the path of the attribute that ``subject`` is about, or ``"device"``."""
    match subject:
        case DeviceExpectation() | Stimulus():
            return "device"
        case DescriptorOf():
            return subject.descriptor.path
        case RuleOf() | ProtocolOf() | ProcedureOf() | StateOf() | UpheavalOf() | TransferOf():
            return subject.characteristic.path
        case ServiceOf():
            return subject.service.path
        case _:
            return subject.path


def side_effect_of(subject: Subject) -> SideEffect:
    """Return what writing to ``subject`` does to the world."""
    match subject:
        case CharacteristicExpectation():
            return subject.side_effect
        case DescriptorOf():
            return subject.descriptor.side_effect
        case RuleOf() | ProtocolOf() | ProcedureOf() | StateOf() | UpheavalOf() | TransferOf():
            return subject.characteristic.side_effect
        case ServiceOf():
            return side_effect_of(subject.first)
        case _:
            return SideEffect.NONE


def accesses(subject: Subject, operations: Iterable[str]) -> Iterator[Access]:
    """Yield what ``operations`` (``read``, ``write``, ``subscribe``) on ``subject`` take."""
    for attribute, operation in _operands(subject, tuple(operations)):
        access = getattr(attribute, operation, None)
        if isinstance(access, Access):
            yield access


def _operands(
    subject: Subject, operations: tuple[str, ...]
) -> Iterator[tuple[AttributeExpectation, str]]:
    match subject:
        case CharacteristicExpectation():
            yield from ((subject, operation) for operation in operations)
        case DescriptorOf():
            yield from ((subject.descriptor, operation) for operation in operations)
        case ServiceOf():
            yield from _operands(subject.first, operations)
        case RuleOf() | ProtocolOf() | ProcedureOf() | StateOf() | UpheavalOf():
            # the rule's own characteristic is written, the others bring the replies
            for operation in operations:
                if operation == "subscribe":
                    yield from ((via, operation) for via in subject.via)
                else:
                    yield subject.characteristic, operation
                    if isinstance(subject, StateOf):
                        yield subject.opened_by, operation


def hidden_by_some_adapters(subject: Subject) -> bool:
    """Whether ``subject`` stands in a service that some operating systems do not show."""
    match subject:
        case ServiceExpectation():
            return subject.uuid in _HIDDEN
        case CharacteristicExpectation():
            return subject.service_uuid in _HIDDEN
        case DescriptorOf():
            return subject.characteristic.service_uuid in _HIDDEN
        case ServiceOf():
            return subject.service.uuid in _HIDDEN or hidden_by_some_adapters(subject.first)
        case RuleOf() | ProtocolOf() | ProcedureOf() | StateOf() | UpheavalOf():
            return any(
                one.service_uuid in _HIDDEN for one in (subject.characteristic, *subject.via)
            )
        case _:
            return False


def device(expectation: DeviceExpectation) -> list[DeviceExpectation]:
    """Pick the device itself."""
    return [expectation]


def services(expectation: DeviceExpectation) -> tuple[ServiceExpectation, ...]:
    """Pick every service."""
    return expectation.services


def characteristics(
    wanted: Callable[[CharacteristicExpectation], bool] = lambda one: True,
) -> Callable[[DeviceExpectation], list[CharacteristicExpectation]]:
    """Return a picker of the characteristics that ``wanted`` says yes to."""
    return lambda expectation: [one for one in expectation.characteristics() if wanted(one)]


def descriptors(
    wanted: Callable[[DescriptorExpectation], bool] = lambda one: True,
) -> Callable[[DeviceExpectation], list[DescriptorOf]]:
    """Return a picker of the descriptors that ``wanted`` says yes to."""
    return lambda expectation: [
        DescriptorOf(characteristic, descriptor)
        for characteristic in expectation.characteristics()
        for descriptor in characteristic.descriptors
        if wanted(descriptor)
    ]


def readable(one: CharacteristicExpectation | DescriptorExpectation) -> bool:
    """Whether the value can be read."""
    return one.read is not None


def steady(one: CharacteristicExpectation) -> bool:
    """Whether the value can be read, and a later read has to give the same."""
    return readable(one) and one.steady


def unreadable(one: CharacteristicExpectation | DescriptorExpectation) -> bool:
    """Whether reading is refused."""
    return one.read is None


def writes_back(one: CharacteristicExpectation) -> bool:
    """Whether a plain write can be seen in a later read: no rule stands between the two."""
    decided = one.rules or one.procedure
    return steady(one) and "write" in one.properties and one.write is not None and not decided


def unwritable(one: CharacteristicExpectation) -> bool:
    """Whether every kind of write is refused."""
    return one.write is None and not one.properties & WRITE_PROPERTIES


def subscribable(one: CharacteristicExpectation) -> bool:
    """Whether there is something to subscribe to."""
    return one.subscribe is not None and bool(one.properties & {"notify", "indicate"})


def periodic(one: CharacteristicExpectation) -> bool:
    """Whether it notifies or indicates by itself, and how often is known."""
    return subscribable(one) and one.notify is not None and one.notify.every is not None


WRITE_PROPERTIES = frozenset(
    {
        "write",
        "write_without_response",
        "authenticated_signed_write",
        "reliable_write",
    }
)
