"""The attribute table of a GATT server (Vol 3, Part F, 3.2; Part G, 3).

A table is built from front to back: a service, its characteristics, their descriptors. Handles
are given in that order, so every group is one unbroken range.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

from bletest.att.access import OPEN, Access
from bletest.att.handlers import AttributeHandler, AttributeWitness
from bletest.uuids import (
    AGGREGATE_FORMAT,
    CCCD,
    CHARACTERISTIC,
    CLIENT_SUPPORTED_FEATURES,
    EXTENDED_PROPERTIES,
    INCLUDE,
    PRESENTATION_FORMAT,
    PRIMARY_SERVICE,
    SCCD,
    SECONDARY_SERVICE,
    USER_DESCRIPTION,
    Uuid,
)

MAX_VALUE_LENGTH = 512
"""Octets that an attribute value has at most (Vol 3, Part F, 3.2.9)."""

PROPERTIES = {
    "broadcast": 0x01,
    "read": 0x02,
    "write_without_response": 0x04,
    "write": 0x08,
    "notify": 0x10,
    "indicate": 0x20,
    "authenticated_signed_write": 0x40,
    "extended_properties": 0x80,
}
"""Characteristic Properties by name (Vol 3, Part G, 3.3.1.1)."""

EXTENDED = {"reliable_write": 0x0001, "writable_auxiliaries": 0x0002}
"""Characteristic Extended Properties by name (Vol 3, Part G, 3.3.3.1)."""

NOTIFY_BIT = 0x0001
INDICATE_BIT = 0x0002
"""The two bits of a Client Characteristic Configuration (Vol 3, Part G, 3.3.3.3)."""

_HASHED_WITH_VALUE = {
    PRIMARY_SERVICE,
    SECONDARY_SERVICE,
    INCLUDE,
    CHARACTERISTIC,
    EXTENDED_PROPERTIES,
}
_HASHED_WITHOUT_VALUE = {USER_DESCRIPTION, CCCD, SCCD, PRESENTATION_FORMAT, AGGREGATE_FORMAT}
_handle_of = attrgetter("handle")


@dataclass(slots=True, eq=False)
class Attribute:
    """One attribute: what it is, what it takes to reach it, and its stored value.

    ``read`` and ``write`` are the security that reading and writing ask of the link, None where
    the attribute cannot be read or written at all. Which PDUs may write is said apart:
    ``write_request`` (Write Request, and Prepare Write Request with its execution),
    ``write_command`` and ``signed_write``. ``min_length`` and ``max_length`` bound what a client
    may write, in octets. ``per_client`` values are kept per client; ``value`` is then what a
    client that never wrote finds. ``group_end`` is the last handle of the group that a service
    or characteristic declaration opens, and the attribute's own handle for any other.
    ``characteristic`` is set on everything that belongs to one. ``name`` is for people.
    ``is_declaration`` says that it declares a service, an include or a characteristic.
    ``witness`` is told of reads and writes of the value, in place of the server's listener.
    """

    handle: int
    type: Uuid
    value: bytes = b""
    read: Access | None = OPEN
    write: Access | None = None
    write_request: bool = False
    write_command: bool = False
    signed_write: bool = False
    min_length: int = 0
    max_length: int = MAX_VALUE_LENGTH
    handler: AttributeHandler | None = None
    witness: AttributeWitness | None = None
    per_client: bool = False
    group_end: int = 0
    characteristic: "Characteristic | None" = field(default=None, repr=False)
    name: str = ""
    is_declaration: bool = field(init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.min_length <= self.max_length <= MAX_VALUE_LENGTH:
            raise ValueError(
                f"{self}: lengths of {self.min_length} to {self.max_length} octets do not fit"
                f" into 0 to {MAX_VALUE_LENGTH}"
            )
        # The engine tells open attributes by identity, which is all a plain read can afford.
        if self.read is not OPEN and self.read == OPEN:
            self.read = OPEN
        if self.write is not OPEN and self.write == OPEN:
            self.write = OPEN
        self.group_end = self.group_end or self.handle
        self.is_declaration = self.type in _DECLARATIONS

    def __str__(self) -> str:
        return f"{self.name or self.type.label} (handle 0x{self.handle:04X})"


_DECLARATIONS = {PRIMARY_SERVICE, SECONDARY_SERVICE, INCLUDE, CHARACTERISTIC}


@dataclass(slots=True, eq=False)
class Characteristic:
    """A characteristic in a table. ``properties`` holds names of both property tables."""

    declaration: Attribute
    value: Attribute
    properties: frozenset[str]
    cccd: Attribute | None = None
    descriptors: tuple[Attribute, ...] = ()

    @property
    def uuid(self) -> Uuid:
        """The characteristic's UUID, which is the type of its value."""
        return self.value.type

    @property
    def offered_configuration(self) -> int:
        """The bits a client may set in the CCCD: 0x0001 with notify, 0x0002 with indicate."""
        return (NOTIFY_BIT if "notify" in self.properties else 0) | (
            INDICATE_BIT if "indicate" in self.properties else 0
        )


@dataclass(slots=True, eq=False)
class Service:
    """A service in a table."""

    uuid: Uuid
    primary: bool
    declaration: Attribute
    includes: tuple["Service", ...] = ()
    characteristics: tuple[Characteristic, ...] = ()

    @property
    def handle(self) -> int:
        """The handle of the declaration, the first of the group."""
        return self.declaration.handle

    @property
    def end_handle(self) -> int:
        """The last handle of the group."""
        return self.declaration.group_end


class _Index(NamedTuple):
    """Attributes by handle and by type, each list in handle order."""

    in_order: list[Attribute]
    by_type: dict[Uuid, list[Attribute]]


class AttributeTable:
    """All attributes of a server, in handle order."""

    def __init__(self) -> None:
        self.by_handle: dict[int, Attribute] = {}
        self._index: _Index | None = None
        self._services: list[Service] = []
        self._last_handle = 0

    # Looking things up

    def get(self, handle: int) -> Attribute | None:
        """Return the attribute with that handle, None if there is none."""
        return self.by_handle.get(handle)

    def between(self, start: int, end: int) -> Sequence[Attribute]:
        """Return the attributes with handles from ``start`` to ``end``, both included."""
        return _cut(self._indexed().in_order, start, end)

    def of_type(self, type_: Uuid, start: int = 1, end: int = 0xFFFF) -> Sequence[Attribute]:
        """Return the attributes of that type from ``start`` to ``end``, both included."""
        return _cut(self._indexed().by_type.get(type_, []), start, end)

    def __iter__(self) -> Iterator[Attribute]:
        return iter(self.by_handle.values())

    def __len__(self) -> int:
        return len(self.by_handle)

    @property
    def services(self) -> tuple[Service, ...]:
        """All services, in handle order."""
        return tuple(self._services)

    def characteristics(self) -> Iterator[tuple[Service, Characteristic]]:
        """Yield every characteristic with its service, in handle order."""
        for service in self._services:
            for characteristic in service.characteristics:
                yield service, characteristic

    def find_characteristic(self, uuid: Uuid) -> Characteristic | None:
        """Return the first characteristic of that UUID, None if there is none."""
        return next((one for _, one in self.characteristics() if one.uuid == uuid), None)

    # Building

    def add_service(
        self,
        uuid: Uuid,
        *,
        primary: bool = True,
        includes: Iterable[Service] = (),
        handle: int | None = None,
        name: str = "",
    ) -> Service:
        """Open a new service at the end; what is added next belongs to it.

        ``includes`` are services already in the table. ``handle`` leaves a gap before the
        declaration; it must lie past the last handle given.
        """
        included_services = tuple(includes)
        if handle is not None and handle <= self._last_handle:
            raise ValueError(f"handle 0x{handle:04X} lies before the end of the table")
        declaration = self._enter(
            Attribute(
                handle=self._next_handle(1 + len(included_services), handle),
                type=PRIMARY_SERVICE if primary else SECONDARY_SERVICE,
                value=uuid.to_bytes(),
                name=name or uuid.label,
            )
        )
        service = Service(uuid, primary, declaration, included_services)
        self._services.append(service)
        for included in included_services:
            self._append(
                Attribute(
                    handle=self._next_handle(),
                    type=INCLUDE,
                    value=_include_value(included),
                    name=f"{declaration.name}/include {included.declaration.name}",
                )
            )
        return service

    def add_characteristic(
        self,
        uuid: Uuid,
        properties: Iterable[str] | int,
        value: bytes = b"",
        *,
        read: Access | None = OPEN,
        write: Access | None = OPEN,
        subscribe: Access | None = OPEN,
        min_length: int = 0,
        max_length: int = MAX_VALUE_LENGTH,
        handler: AttributeHandler | None = None,
        name: str = "",
    ) -> Characteristic:
        """Add a characteristic to the last service.

        ``properties`` are names of :data:`PROPERTIES` and :data:`EXTENDED`, or the octet of the
        declaration. Where a property lacks, ``read`` and ``write`` do not count. A CCCD
        follows the value where ``notify`` or ``indicate`` is set, written under ``subscribe``;
        a Characteristic Extended Properties descriptor where an extended property is.
        """
        if not self._services:
            raise ValueError("a characteristic needs a service before it")
        names = _property_names(properties)
        by_request = "write" in names or "reliable_write" in names
        by_command = "write_without_response" in names
        by_signed = "authenticated_signed_write" in names
        configurable = "notify" in names or "indicate" in names
        handle = self._next_handle(2 + configurable + ("extended_properties" in names))
        bits = sum(PROPERTIES[one] for one in names if one in PROPERTIES)
        name = name or uuid.label
        declaration = Attribute(
            handle=handle,
            type=CHARACTERISTIC,
            value=_declaration_value(bits, handle + 1, uuid),
            name=_name_within(name, "declaration"),
        )
        value_attribute = Attribute(
            handle=handle + 1,
            type=uuid,
            value=bytes(value),
            read=read if "read" in names else None,
            write=write if by_request or by_command or by_signed else None,
            write_request=by_request,
            write_command=by_command,
            signed_write=by_signed,
            min_length=min_length,
            max_length=max_length,
            handler=handler,
            per_client=uuid == CLIENT_SUPPORTED_FEATURES,
            name=name,
        )
        # Both are known to be good before either is in the table.
        self._append(declaration)
        self._append(value_attribute)
        characteristic = Characteristic(declaration, value_attribute, names)
        declaration.characteristic = value_attribute.characteristic = characteristic
        self._services[-1].characteristics += (characteristic,)
        declaration.group_end = value_attribute.handle
        if "extended_properties" in names:
            bits = sum(EXTENDED[one] for one in names if one in EXTENDED)
            self.add_descriptor(EXTENDED_PROPERTIES, bits.to_bytes(2, "little"))
        if configurable:
            characteristic.cccd = self.add_descriptor(CCCD, b"\x00\x00", write=subscribe)
        return characteristic

    def add_descriptor(
        self,
        uuid: Uuid,
        value: bytes = b"",
        *,
        read: Access | None = OPEN,
        write: Access | None = None,
        min_length: int = 0,
        max_length: int = MAX_VALUE_LENGTH,
        handler: AttributeHandler | None = None,
        name: str = "",
    ) -> Attribute:
        """Add a descriptor to the last characteristic.

        A CCCD has two octets, kept per client, and a characteristic has one at most.
        """
        if not (self._services and self._services[-1].characteristics):
            raise ValueError("a descriptor needs a characteristic before it")
        characteristic = self._services[-1].characteristics[-1]
        is_cccd = uuid == CCCD
        if is_cccd and any(one.type == CCCD for one in characteristic.descriptors):
            raise ValueError(f"{characteristic.value} already has a CCCD")
        attribute = self._append(
            Attribute(
                handle=self._next_handle(),
                type=uuid,
                value=bytes(value),
                read=read,
                write=write,
                write_request=write is not None,
                min_length=2 if is_cccd else min_length,
                max_length=2 if is_cccd else max_length,
                handler=handler,
                per_client=is_cccd,
                characteristic=characteristic,
                name=name or _name_within(characteristic.value.name, uuid.label),
            )
        )
        characteristic.declaration.group_end = attribute.handle
        characteristic.descriptors += (attribute,)
        return attribute

    def remove_service(self, service: Service) -> None:
        """Take a service and everything in it out. Its handles are not given again."""
        self._services.remove(service)
        for attribute in self.between(service.handle, service.end_handle):
            del self.by_handle[attribute.handle]
        self._index = None

    # The database hash

    def hash_input(self) -> bytes:
        """Return the octets that the Database Hash is computed over (Vol 3, Part G, 7.3.1)."""
        message = bytearray()
        for attribute in self:
            if attribute.type in _HASHED_WITH_VALUE:
                message += attribute.handle.to_bytes(2, "little")
                message += attribute.type.to_bytes() + attribute.value
            elif attribute.type in _HASHED_WITHOUT_VALUE:
                message += attribute.handle.to_bytes(2, "little") + attribute.type.to_bytes()
        return bytes(message)

    def database_hash(self, aes_cmac: Callable[[bytes, bytes], bytes]) -> bytes:
        """Return the 16 octets of the Database Hash as they travel, least significant first.

        ``aes_cmac(message, key)`` returns the 16 octets of RFC 4493. The key is zero.
        """
        return aes_cmac(self.hash_input(), bytes(16))[::-1]

    def _indexed(self) -> "_Index":
        """Return what finds attributes: made when somebody asks, which few devices live to see."""
        if self._index is None:
            self._index = _Index(list(self.by_handle.values()), {})
            for attribute in self._index.in_order:
                self._index.by_type.setdefault(attribute.type, []).append(attribute)
        return self._index

    def _next_handle(self, count: int = 1, handle: int | None = None) -> int:
        """Return the first of ``count`` handles that are free, at ``handle`` if it is given."""
        first = handle or self._last_handle + 1
        if first + count - 1 > 0xFFFF:
            raise ValueError("the table is full: there are 65,535 handles")
        return first

    def _enter(self, attribute: Attribute) -> Attribute:
        self._last_handle = attribute.handle
        self.by_handle[attribute.handle] = attribute
        self._index = None
        return attribute

    def _append(self, attribute: Attribute) -> Attribute:
        self._services[-1].declaration.group_end = attribute.handle
        return self._enter(attribute)


def _cut(attributes: list[Attribute], start: int, end: int) -> Sequence[Attribute]:
    first = bisect_left(attributes, start, key=_handle_of)
    return attributes[first : bisect_left(attributes, end + 1, lo=first, key=_handle_of)]


# Devices of one profile share these: they are a good part of what a table takes.
@lru_cache(maxsize=1024)
def _declaration_value(properties: int, value_handle: int, uuid: Uuid) -> bytes:
    """Vol 3, Part G, 3.3.1."""
    return bytes((properties,)) + value_handle.to_bytes(2, "little") + uuid.to_bytes()


@lru_cache(maxsize=1024)
def _name_within(name: str, part: str) -> str:
    return f"{name}/{part}"


def _include_value(included: Service) -> bytes:
    """Vol 3, Part G, 3.2: a 128-bit UUID is left out, the client reads it from the service."""
    octets = included.uuid.to_bytes()
    return (
        included.handle.to_bytes(2, "little")
        + included.end_handle.to_bytes(2, "little")
        + (octets if len(octets) == 2 else b"")
    )


def _property_names(properties: Iterable[str] | int) -> frozenset[str]:
    return _known_names(properties if isinstance(properties, int) else frozenset(properties))


@lru_cache(maxsize=256)
def _known_names(properties: frozenset[str] | int) -> frozenset[str]:
    if isinstance(properties, int):
        return frozenset(name for name, bit in PROPERTIES.items() if properties & bit)
    names = properties
    if unknown := names - PROPERTIES.keys() - EXTENDED.keys():
        raise ValueError(f"no GATT property is named {', '.join(sorted(unknown))}")
    if names & EXTENDED.keys():
        names |= {"extended_properties"}
    return names
