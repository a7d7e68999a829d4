"""From a profile to the attribute table of its emulated device."""

from collections.abc import Callable, Mapping

from bletest.att.access import OPEN
from bletest.att.database import AttributeTable, Characteristic, Service
from bletest.att.handlers import AttributeHandler
from bletest.profile.spec import CharacteristicSpec, DeviceSpec, GattSpec, Profile, ServiceSpec
from bletest.uuids import (
    APPEARANCE,
    CENTRAL_ADDRESS_RESOLUTION,
    CLIENT_SUPPORTED_FEATURES,
    DATABASE_HASH,
    DEVICE_NAME,
    GAP_SERVICE,
    GATT_SERVICE,
    PREFERRED_PARAMETERS,
    SECURITY_LEVELS,
    SERVER_SUPPORTED_FEATURES,
    SERVICE_CHANGED,
)

EATT_SUPPORTED = b"\x01"
"""Server Supported Features with the one bit it has (Vol 3, Part G, 7.4)."""

HandlerFor = Callable[[CharacteristicSpec], AttributeHandler]


def build_table(
    profile: Profile, handler_for: HandlerFor
) -> tuple[AttributeTable, dict[str, Characteristic]]:
    """Return the table, and its characteristics by the paths of the profile.

    GAP and GATT come first, as on real devices; a profile that describes one of them itself
    replaces it. What is not present yet has its characteristics, but no place in it.
    Raises ValueError for a database that has no room in 65,535 handles.
    """
    table = AttributeTable()
    described = {service.uuid for service in profile.services}
    if GAP_SERVICE not in described:
        _add_gap_service(table, profile.device)
    if GATT_SERVICE not in described:
        _add_gatt_service(table, profile.device.gatt)
    by_path: dict[str, Characteristic] = {}
    services: dict[str, Service] = {}
    for spec in _included_first(profile.services):
        services[spec.path] = add_service(table, spec, services, handler_for, by_path)
    point_aggregates(profile, table)
    for spec in reversed(profile.services):
        if not spec.present:
            table.remove_service(services[spec.path])
    return table, by_path


def add_service(
    table: AttributeTable,
    spec: ServiceSpec,
    services: Mapping[str, Service],
    handler_for: HandlerFor,
    by_path: dict[str, Characteristic],
) -> Service:
    """Put a service at the end of the table, and its characteristics into ``by_path``.

    ``services`` holds those that it includes, by path.
    """
    service = table.add_service(
        spec.uuid,
        primary=spec.primary,
        includes=[services[path] for path in spec.includes],
        name=spec.path,
    )
    for characteristic in spec.characteristics:
        by_path[characteristic.path] = _add(table, characteristic, handler_for(characteristic))
    return service


def _add_gap_service(table: AttributeTable, device: DeviceSpec) -> None:
    """Add the GAP service (Vol 3, Part C, 12)."""
    gap = device.gap

    def properties(of: str) -> set[str]:
        return {"read", "write"} if of in gap.writable else {"read"}

    table.add_service(GAP_SERVICE)
    name = device.name.encode()
    table.add_characteristic(DEVICE_NAME, properties("name"), name, max_length=248)
    appearance = device.appearance.to_bytes(2, "little")
    table.add_characteristic(
        APPEARANCE, properties("appearance"), appearance, min_length=2, max_length=2
    )
    if gap.preferred_parameters is not None:
        table.add_characteristic(PREFERRED_PARAMETERS, {"read"}, gap.preferred_parameters)
    if gap.central_address_resolution:
        table.add_characteristic(CENTRAL_ADDRESS_RESOLUTION, {"read"}, b"\x01")
    if gap.security_levels is not None:
        table.add_characteristic(SECURITY_LEVELS, {"read"}, gap.security_levels)


def _add_gatt_service(table: AttributeTable, gatt: GattSpec) -> None:
    """Add the GATT service with what the profile says of it (Vol 3, Part G, 7)."""
    table.add_service(GATT_SERVICE)
    if gatt.service_changed:
        table.add_characteristic(SERVICE_CHANGED, {"indicate"}, bytes(4))
    if gatt.robust_caching or gatt.multiple_notifications or gatt.eatt:
        table.add_characteristic(
            CLIENT_SUPPORTED_FEATURES, {"read", "write"}, b"\x00", min_length=1
        )
    if gatt.robust_caching:
        table.add_characteristic(DATABASE_HASH, {"read"}, bytes(16))
    if gatt.eatt:
        table.add_characteristic(SERVER_SUPPORTED_FEATURES, {"read"}, EATT_SUPPORTED)


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


def point_aggregates(profile: Profile, table: AttributeTable) -> None:
    """Fill in the handles that Aggregate Format descriptors list, now that all are given."""
    by_name = {attribute.name: attribute for attribute in table}
    for spec in profile.characteristics():
        for descriptor in spec.descriptors:
            if descriptor.handles_of and descriptor.path in by_name:
                by_name[descriptor.path].value = b"".join(
                    by_name[path].handle.to_bytes(2, "little")
                    for path in descriptor.handles_of
                    if path in by_name
                )
