"""A database that changes while clients are connected: services that go and come back."""

from collections.abc import Mapping
from difflib import get_close_matches

from bletest.att.database import AttributeTable, Characteristic, Service
from bletest.att.server import Server
from bletest.errors import UnknownAttribute, UsageMistake
from bletest.peripheral.characteristic import ServerCharacteristic
from bletest.peripheral.faults import Saboteur
from bletest.peripheral.keeping import KeepsBonds
from bletest.peripheral.links import ClientLink
from bletest.peripheral.table import HandlerFor, add_service, point_aggregates
from bletest.profile.spec import Profile, ServiceSpec

Range = tuple[int, int]
"""The first and the last handle of a change."""


class ChangesDatabase(KeepsBonds):
    """The part of an emulated device that changes its database, and tells its clients."""

    profile: Profile
    table: AttributeTable
    server: Server
    _characteristics: Mapping[str, ServerCharacteristic]
    _links: Mapping[str, ClientLink]
    _saboteur: Saboteur
    _services_changed = False

    def remove_service(self, name: str) -> None:
        """Take a service out of the database, by id, path or SIG name, and tell the clients.

        Clients that have enabled Service Changed are sent it, at once or when they come back.
        Raises UsageMistake where it is not there, or where another service includes it.
        """
        self._changed(*remove_service(self.table, self.profile, name))

    def has_service(self, name: str) -> bool:
        """Whether a service is in the database now, by id, path or SIG name."""
        return _present(self.table, find_service(self.profile, name)) is not None

    def add_service(self, name: str) -> None:
        """Put a service that was removed back, with the profile's values and at new handles."""
        changed, by_path = restore_service(
            self.table, self.profile, name, lambda spec: self._characteristics[spec.path]
        )
        for path, attribute in by_path.items():
            self._characteristics[path].stand_behind(attribute)
        self._changed(*changed)

    def _changed(self, start: int, end: int) -> None:
        self._services_changed = True
        self.server.database_changed(start, end)
        self._saboteur.on_database_changed()
        self._bonds_changed()
        for link in self._links.values():
            link.tell_of_changes()


def remove_service(table: AttributeTable, profile: Profile, name: str) -> Range:
    """Take a service out of the table, by id, path or SIG name; return what has changed.

    Raises UsageMistake where it is not there now, or where another service includes it.
    """
    spec = find_service(profile, name)
    service = _present(table, spec)
    if service is None:
        raise UsageMistake(f"{spec.path} is not in the database now")
    for one in table.services:
        if service in one.includes:
            raise UsageMistake(
                f"{spec.path} is included by {one.declaration.name}",
                remedy="remove that one first",
            )
    table.remove_service(service)
    return service.handle, service.end_handle


def restore_service(
    table: AttributeTable, profile: Profile, name: str, handler_for: HandlerFor
) -> tuple[Range, dict[str, Characteristic]]:
    """Put a service back, at handles that were never used; return what has changed.

    The characteristics come by path. Raises UsageMistake where it is there already, or lacks a
    service that it includes.
    """
    spec = find_service(profile, name)
    if _present(table, spec) is not None:
        raise UsageMistake(f"{spec.path} is in the database already")
    services = {one.declaration.name: one for one in table.services}
    for path in spec.includes:
        if path not in services:
            raise UsageMistake(f"{spec.path} includes {path}, which is not there")
    by_path: dict[str, Characteristic] = {}
    service = add_service(table, spec, services, handler_for, by_path)
    point_aggregates(profile, table)
    return (service.handle, service.end_handle), by_path


def find_service(profile: Profile, name: str) -> ServiceSpec:
    """Return a service by id, path or SIG name; raises UnknownAttribute."""
    for spec in profile.services:
        if name in (spec.id, spec.path):
            return spec
    for spec in profile.services:
        if name == spec.uuid.label:
            return spec
    known = [spec.id or spec.path for spec in profile.services]
    close = get_close_matches(name, known, n=1)
    raise UnknownAttribute(
        f'{profile.name} has no service "{name}"',
        remedy=f'did you mean "{close[0]}"?' if close else f"it has {', '.join(known)}",
    )


def _present(table: AttributeTable, spec: ServiceSpec) -> Service | None:
    return next((one for one in table.services if one.declaration.name == spec.path), None)
