"""bleak's service collection as the database of the contracts, and the way back."""

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection

from bletest.att.database import EXTENDED, PROPERTIES
from bletest.att.procedures import FoundCharacteristic, FoundService
from bletest.contracts.database import (
    RemoteCharacteristic,
    RemoteDatabase,
    RemoteDescriptor,
    RemoteService,
)
from bletest.uuids import Uuid

# bleak writes the names as BlueZ does, with hyphens and one plural.
_PROPERTY_NAMES = {name.replace("_", "-"): name for name in (*PROPERTIES, *EXTENDED)}
_PROPERTY_NAMES["authenticated-signed-writes"] = "authenticated_signed_write"


class Discovered:
    """A database with bleak's object behind each of its characteristics and descriptors.

    Handles are known only where our own back end discovered them: what other back ends call a
    handle is the declaration's on one system and the value's on another.
    """

    def __init__(self, services: BleakGATTServiceCollection) -> None:
        self._characteristics: dict[int, BleakGATTCharacteristic] = {}
        self._descriptors: dict[int, BleakGATTDescriptor] = {}
        ordered = sorted(services, key=lambda one: one.handle)
        self.database = RemoteDatabase(tuple(self._service(one) for one in ordered))

    def characteristic(self, remote: RemoteCharacteristic) -> BleakGATTCharacteristic:
        """Return bleak's object for a characteristic of :attr:`database`."""
        return self._characteristics[id(remote)]

    def descriptor(self, remote: RemoteDescriptor) -> BleakGATTDescriptor:
        """Return bleak's object for a descriptor of :attr:`database`."""
        return self._descriptors[id(remote)]

    def _service(self, service: BleakGATTService) -> RemoteService:
        found = service.obj if isinstance(service.obj, FoundService) else None
        return RemoteService(
            uuid=Uuid.parse(service.uuid),
            handle=found.handle if found else None,
            end_handle=found.end_handle if found else None,
            characteristics=tuple(
                self._remote_characteristic(one)
                for one in sorted(service.characteristics, key=lambda one: one.handle)
            ),
        )

    def _remote_characteristic(self, one: BleakGATTCharacteristic) -> RemoteCharacteristic:
        found = one.obj if isinstance(one.obj, FoundCharacteristic) else None
        remote = RemoteCharacteristic(
            uuid=Uuid.parse(one.uuid),
            handle=found.handle if found else None,
            value_handle=found.value_handle if found else None,
            properties=frozenset(
                _PROPERTY_NAMES[name] for name in one.properties if name in _PROPERTY_NAMES
            ),
            descriptors=tuple(
                self._remote_descriptor(descriptor, known=found is not None)
                for descriptor in sorted(one.descriptors, key=lambda each: each.handle)
            ),
        )
        self._characteristics[id(remote)] = one
        return remote

    def _remote_descriptor(self, one: BleakGATTDescriptor, *, known: bool) -> RemoteDescriptor:
        remote = RemoteDescriptor(uuid=Uuid.parse(one.uuid), handle=one.handle if known else None)
        self._descriptors[id(remote)] = one
        return remote
