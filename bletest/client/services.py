"""What discovery found, as bleak's service collection."""

from collections.abc import Callable, Sequence

from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection

from bletest.att.procedures import FoundCharacteristic, FoundService


def collection(
    services: Sequence[FoundService],
    extended: dict[int, int],
    largest_command: Callable[[], int],
) -> BleakGATTServiceCollection:
    """Build the collection. ``handle`` of a characteristic is its declaration's, as on BlueZ.

    ``extended`` holds Characteristic Extended Properties by declaration handle;
    ``largest_command`` returns how many octets a write without response carries. ``obj`` of
    each entry is what discovery found (a characteristic's value handle is there).
    """
    result = BleakGATTServiceCollection()
    for found in services:
        service = BleakGATTService(found, found.handle, str(found.uuid))
        result.add_service(service)
        for one in found.characteristics:
            # bleak numbers the extended properties on from the octet of the declaration.
            bits = one.properties | (extended.get(one.handle, 0) & 0x03) << 8
            characteristic = BleakGATTCharacteristic(
                one,
                one.handle,
                str(one.uuid),
                sorted(gatt_char_props_to_strs(bits)),
                largest_command,
                service,
            )
            result.add_characteristic(characteristic)
            for descriptor in one.descriptors:
                result.add_descriptor(
                    BleakGATTDescriptor(
                        descriptor, descriptor.handle, str(descriptor.uuid), characteristic
                    )
                )
    return result


def value_handle(characteristic: BleakGATTCharacteristic) -> int:
    """Return the handle of the characteristic's value."""
    found = characteristic.obj
    if isinstance(found, FoundCharacteristic):
        return found.value_handle
    raise TypeError(f"{characteristic} was not discovered by this back end")
