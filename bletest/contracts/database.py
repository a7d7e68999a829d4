"""A GATT database as a client discovered it. Handles are None where an adapter hides them."""

from collections.abc import Iterator
from dataclasses import dataclass

from bletest.uuids import Uuid


@dataclass(frozen=True, slots=True)
class RemoteDescriptor:
    """A descriptor of a discovered characteristic."""

    uuid: Uuid
    handle: int | None


@dataclass(frozen=True, slots=True)
class RemoteCharacteristic:
    """A discovered characteristic. ``properties`` are GATT's names in snake case (``notify``)."""

    uuid: Uuid
    handle: int | None
    value_handle: int | None
    properties: frozenset[str]
    descriptors: tuple[RemoteDescriptor, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteService:
    """A discovered primary service; ``handle`` to ``end_handle`` is its group."""

    uuid: Uuid
    handle: int | None
    end_handle: int | None
    characteristics: tuple[RemoteCharacteristic, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteDatabase:
    """All primary services, in handle order."""

    services: tuple[RemoteService, ...] = ()

    def characteristics(self) -> Iterator[tuple[RemoteService, RemoteCharacteristic]]:
        """Yield every characteristic with its service, in handle order."""
        for service in self.services:
            for characteristic in service.characteristics:
                yield service, characteristic

    def find_services(self, uuid: Uuid) -> tuple[RemoteService, ...]:
        """Return the services of that UUID, in handle order."""
        return tuple(service for service in self.services if service.uuid == uuid)
