"""From the names people use to the attributes that were discovered.

A profile gives attributes ids and paths and says what must be there; without a profile, paths
are made from the SIG's names. A name that the profile promises and the device lacks is the
device's fault (:class:`AttributeMissing`), any other unknown name the caller's
(:class:`UnknownAttribute`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from bletest.contracts.client import CharacteristicName, DescriptorName
from bletest.contracts.database import RemoteCharacteristic, RemoteDatabase, RemoteDescriptor
from bletest.errors import AttributeMissing, UnknownAttribute
from bletest.profile.expectation import (
    AttributeExpectation,
    CharacteristicExpectation,
    DescriptorExpectation,
    DeviceExpectation,
)
from bletest.profile.mistakes import did_you_mean
from bletest.uuids import Uuid, UuidKind

Decoder = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class NamedCharacteristic:
    """A discovered characteristic with its path, and how to read its octets."""

    path: str
    found: RemoteCharacteristic
    decoder: Decoder | None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class NamedDescriptor:
    """A discovered descriptor with its path, and how to read its octets."""

    path: str
    found: RemoteDescriptor
    characteristic: NamedCharacteristic
    decoder: Decoder | None
    id: str | None = None


_Named = TypeVar("_Named", NamedCharacteristic, NamedDescriptor)


class AttributeNames:
    """Names of one discovered database, in the light of a profile where there is one."""

    def __init__(
        self, database: RemoteDatabase, expectation: DeviceExpectation | None = None
    ) -> None:
        self._expectation = expectation
        self.characteristics = tuple(_name_characteristics(database, expectation))
        self.descriptors = tuple(_name_descriptors(self.characteristics, database, expectation))
        self._known: dict[Uuid | str | int, NamedCharacteristic] = {}

    def characteristic(self, name: CharacteristicName) -> NamedCharacteristic:
        """Return the characteristic that ``name`` means.

        Raises :class:`AttributeMissing` or :class:`UnknownAttribute`; the latter also for a UUID
        or a SIG's name that several characteristics share.
        """
        if isinstance(name, RemoteCharacteristic):
            return self._look_up(name)
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._look_up(name)
        return known

    def descriptor(self, name: DescriptorName) -> NamedDescriptor:
        """Return the descriptor that ``name`` means; raises as :meth:`characteristic` does."""
        if isinstance(name, RemoteDescriptor):
            matches = [one for one in self.descriptors if one.found is name] or [
                one for one in self.descriptors if one.found == name
            ]
        elif isinstance(name, int):
            matches = [one for one in self.descriptors if one.found.handle == name]
        else:
            matches = [one for one in self.descriptors if name in (one.path, one.id)]
            if not matches:
                self._check_promise(name, _promised_descriptors(self._expectation))
                matches = self._descriptors_by_uuid(name)
        return _only(matches, name, [one.path for one in self.descriptors], "descriptor")

    def _look_up(self, name: CharacteristicName) -> NamedCharacteristic:
        everything = self.characteristics
        if isinstance(name, RemoteCharacteristic):
            matches = [one for one in everything if one.found is name] or [
                one for one in everything if one.found == name
            ]
        elif isinstance(name, Uuid):
            matches = [one for one in everything if one.found.uuid == name]
            if not matches:
                self._check_uuid_promise(name)
        elif isinstance(name, int):
            matches = [one for one in everything if one.found.value_handle == name]
        else:
            matches = [one for one in everything if name in (one.path, one.id)]
            if not matches:
                self._check_promise(name, _promised_characteristics(self._expectation))
                uuid = _uuid(name, UuidKind.CHARACTERISTIC)
                matches = [one for one in everything if one.found.uuid == uuid]
                if uuid is not None and not matches:
                    self._check_uuid_promise(uuid)
        return _only(matches, name, self._spellings(), "characteristic")

    def _descriptors_by_uuid(self, name: str) -> list[NamedDescriptor]:
        """``characteristic/descriptor``, the characteristic by any of its names."""
        characteristic_name, slash, descriptor_name = name.rpartition("/")
        uuid = _uuid(descriptor_name, UuidKind.DESCRIPTOR)
        if not slash or uuid is None:
            return []
        characteristic = self.characteristic(characteristic_name)
        return [
            one
            for one in self.descriptors
            if one.characteristic is characteristic and one.found.uuid == uuid
        ]

    def _check_promise(self, name: str, promised: Iterator[AttributeExpectation]) -> None:
        for one in promised:
            if name in (one.path, one.id):
                raise AttributeMissing(f"the profile promises {one.path}, the device lacks it")

    def _check_uuid_promise(self, uuid: Uuid) -> None:
        for one in _promised_characteristics(self._expectation):
            if one.uuid == uuid:
                raise AttributeMissing(f"the profile promises {one.path}, the device lacks it")

    def _spellings(self) -> list[str]:
        names: dict[str, None] = {}
        for one in self.characteristics:
            names.update(dict.fromkeys(filter(None, (one.id, one.found.uuid.label, one.path))))
        for promised in _promised_characteristics(self._expectation):
            names.update(dict.fromkeys(filter(None, (promised.id, promised.path))))
        return list(names)


def _name_characteristics(
    database: RemoteDatabase, expectation: DeviceExpectation | None
) -> Iterator[NamedCharacteristic]:
    promised: dict[int, CharacteristicExpectation] = {}
    for one in _promised_characteristics(expectation):
        if (located := one.locate(database)) is not None:
            promised[id(located)] = one
    paths: dict[str, int] = {}
    for service, characteristic in database.characteristics():
        promise = promised.get(id(characteristic))
        path = promise.path if promise else f"{service.uuid.label}/{characteristic.uuid.label}"
        paths[path] = paths.get(path, 0) + 1
        yield NamedCharacteristic(
            path=path if paths[path] == 1 else f"{path}#{paths[path]}",
            found=characteristic,
            decoder=_decoder(characteristic.uuid, promise),
            id=promise.id if promise else None,
        )


def _name_descriptors(
    characteristics: tuple[NamedCharacteristic, ...],
    database: RemoteDatabase,
    expectation: DeviceExpectation | None,
) -> Iterator[NamedDescriptor]:
    promised: dict[int, DescriptorExpectation] = {}
    for one in _promised_characteristics(expectation):
        located = one.locate(database)
        for descriptor in one.descriptors if located is not None else ():
            if located is not None and (found := descriptor.locate(located)) is not None:
                promised[id(found)] = descriptor
    for characteristic in characteristics:
        paths: dict[str, int] = {}
        for remote in characteristic.found.descriptors:
            promise = promised.get(id(remote))
            path = promise.path if promise else f"{characteristic.path}/{remote.uuid.label}"
            paths[path] = paths.get(path, 0) + 1
            yield NamedDescriptor(
                path=path if paths[path] == 1 else f"{path}#{paths[path]}",
                found=remote,
                characteristic=characteristic,
                decoder=promise.value.decode if promise else None,
                id=promise.id if promise else None,
            )


def _decoder(uuid: Uuid, promise: CharacteristicExpectation | None) -> Decoder | None:
    if promise is not None and promise.value.decode is not None:
        return promise.value.decode
    if uuid.alias is None or uuid.name is None:
        return None

    def decode(raw: bytes) -> object:
        from bletest.profile.sig import sig_format  # half a second: only for who decodes

        known = sig_format(uuid)
        if known is None:
            raise ValueError(f"no format is known for {uuid.label}")
        return known.decode(raw)

    return decode


def _promised_characteristics(
    expectation: DeviceExpectation | None,
) -> Iterator[CharacteristicExpectation]:
    if expectation is not None:
        yield from expectation.characteristics()


def _promised_descriptors(expectation: DeviceExpectation | None) -> Iterator[DescriptorExpectation]:
    for characteristic in _promised_characteristics(expectation):
        yield from characteristic.descriptors


def _uuid(name: str, kind: UuidKind) -> Uuid | None:
    try:
        return Uuid.parse(name, kind)
    except ValueError:
        return None


def _only(matches: list[_Named], name: object, spellings: list[str], what: str) -> _Named:
    if len(matches) == 1:
        return matches[0]
    shown = f"0x{name:04X}" if isinstance(name, int) else str(name)
    if isinstance(name, RemoteCharacteristic | RemoteDescriptor):
        shown = f"{name.uuid.label}, an object of an earlier discovery,"
    if matches:
        paths = ", ".join(one.path for one in matches)
        raise UnknownAttribute(
            f"{shown} names {len(matches)} {what}s: {paths}", remedy="use one of these paths"
        )
    hint = did_you_mean(name, spellings) if isinstance(name, str) else ""
    listing = ", ".join(sorted(spellings)[:12]) or "none at all"
    raise UnknownAttribute(
        f"{shown} is no {what} of the profile or of this device",
        remedy=hint or f"it has {listing}",
    )
