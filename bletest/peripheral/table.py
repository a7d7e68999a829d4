"""From a profile to the attribute table of its emulated device."""

from collections.abc import Callable

from bletest.att.access import OPEN
from bletest.att.database import AttributeTable, Characteristic, Service
from bletest.att.handlers import AttributeHandler
from bletest.profile.spec import CharacteristicSpec, Profile, ServiceSpec
from bletest.uuids import APPEARANCE, DEVICE_NAME, GAP_SERVICE, GATT_SERVICE

HandlerFor = Callable[[CharacteristicSpec], AttributeHandler]


def build_table(
    profile: Profile, handler_for: HandlerFor
) -> tuple[AttributeTable, dict[str, Characteristic]]:
    """Return the table, and its characteristics by the paths of the profile.

    GAP and GATT come first, as on real devices; a profile that describes one of them itself
    replaces it. Raises ValueError for a database that has no room in 65,535 handles.
    """
    table = AttributeTable()
    described = {service.uuid for service in profile.services}
    if GAP_SERVICE not in described:
        table.add_service(GAP_SERVICE)
        table.add_characteristic(DEVICE_NAME, {"read"}, profile.device.name.encode())
        table.add_characteristic(
            APPEARANCE, {"read"}, profile.device.appearance.to_bytes(2, "little")
        )
    if GATT_SERVICE not in described:
        table.add_service(GATT_SERVICE)
    by_path: dict[str, Characteristic] = {}
    services: dict[str, Service] = {}
    for spec in _included_first(profile.services):
        service = table.add_service(
            spec.uuid,
            primary=spec.primary,
            includes=[services[path] for path in spec.includes],
            name=spec.path,
        )
        services[spec.path] = service
        for characteristic in spec.characteristics:
            by_path[characteristic.path] = _add(table, characteristic, handler_for(characteristic))
    _point_aggregates(profile, table, by_path)
    return table, by_path


def _included_first(services: tuple[ServiceSpec, ...]) -> list[ServiceSpec]:
    """Put each service after those it includes, and otherwise leave the order of the file."""
    by_path = {service.path: service for service in services}
    ordered: dict[str, ServiceSpec] = {}

    def place(service: ServiceSpec) -> None:
        if service.path in ordered:
            return
        for path in service.includes:
            place(by_path[path])
        ordered[service.path] = service

    for service in services:
        place(service)
    return list(ordered.values())


def _add(
    table: AttributeTable, spec: CharacteristicSpec, handler: AttributeHandler
) -> Characteristic:
    characteristic = table.add_characteristic(
        spec.uuid,
        spec.properties,
        spec.value,
        read=spec.read,
        write=spec.write,
        subscribe=spec.subscribe or OPEN,
        min_length=spec.min_length,
        max_length=spec.max_length,
        handler=handler,
        name=spec.path,
    )
    for descriptor in spec.descriptors:
        table.add_descriptor(
            descriptor.uuid,
            descriptor.value,
            read=descriptor.read,
            write=descriptor.write,
            min_length=descriptor.min_length,
            max_length=descriptor.max_length,
            name=descriptor.path,
        )
    return characteristic


def _point_aggregates(
    profile: Profile, table: AttributeTable, by_path: dict[str, Characteristic]
) -> None:
    """Fill in the handles that Aggregate Format descriptors list, now that all are given."""
    by_name = {attribute.name: attribute for attribute in table}
    for spec in profile.characteristics():
        for descriptor in spec.descriptors:
            if descriptor.handles_of:
                by_name[descriptor.path].value = b"".join(
                    by_name[path].handle.to_bytes(2, "little") for path in descriptor.handles_of
                )
