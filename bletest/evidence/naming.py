"""Handles to names, so that a transcript says ``heart_rate/body_sensor_location``."""

from bletest.contracts.database import RemoteDatabase
from bletest.profile.expectation import DeviceExpectation


def attribute_names(
    database: RemoteDatabase, expected: DeviceExpectation | None = None
) -> dict[int, str]:
    """Return a name for every handle that ``database`` shows.

    Attributes of the profile are called by their path there, others by the labels of their
    UUIDs. A declaration is named after what it declares. Handles an adapter hides are left out.
    """
    paths = _profile_paths(database, expected) if expected else {}
    names: dict[int, str] = {}
    for service in database.services:
        if service.handle is not None:
            names[service.handle] = service.uuid.label
        for characteristic in service.characteristics:
            path = f"{service.uuid.label}/{characteristic.uuid.label}"
            if characteristic.value_handle is not None:
                path = paths.get(characteristic.value_handle, path)
                names[characteristic.value_handle] = path
            if characteristic.handle is not None:
                names[characteristic.handle] = f"{path} (declaration)"
            for descriptor in characteristic.descriptors:
                if descriptor.handle is not None:
                    below = f"{path}/{descriptor.uuid.label}"
                    names[descriptor.handle] = paths.get(descriptor.handle, below)
    return names


def _profile_paths(database: RemoteDatabase, expected: DeviceExpectation) -> dict[int, str]:
    paths: dict[int, str] = {}
    for wanted in expected.characteristics():
        found = wanted.locate(database)
        if found is None:
            continue
        if found.value_handle is not None:
            paths[found.value_handle] = wanted.path
        for below in wanted.descriptors:
            descriptor = below.locate(found)
            if descriptor is not None and descriptor.handle is not None:
                paths[descriptor.handle] = below.path
    return paths
