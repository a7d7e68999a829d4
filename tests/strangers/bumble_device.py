"""A device on bumble's own stack, in a process of its own, on its public address.

It imports nothing of bletest, and opens the transport that BLETEST_HCI_TRANSPORT names. It has a
memory of 512 octets, and a value that ticks every few milliseconds.
"""

import asyncio
import os

from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Attribute, Characteristic, CharacteristicValue, Service
from bumble.hci import OwnAddressType
from bumble.host import Host
from bumble.transport import open_transport

ADVERTISING = bytes.fromhex("020106 0709") + b"Memory"
MTU = 247


async def main() -> None:
    properties, memory = Characteristic.Properties, bytearray(bytes(range(256)) * 2)

    def write(_connection: Connection, value: bytes) -> None:
        memory[:] = value

    store = Characteristic(
        "6F2B0002-90D5-4A2C-8C3E-0D1F2E3A4B5C",
        properties.READ | properties.WRITE,
        Attribute.READABLE | Attribute.WRITEABLE,
        CharacteristicValue(read=lambda _connection: bytes(memory), write=write),
    )
    ticks = Characteristic(
        "6F2B0003-90D5-4A2C-8C3E-0D1F2E3A4B5C", properties.NOTIFY, Attribute.READABLE, bytes(200)
    )
    async with await open_transport(os.environ["BLETEST_HCI_TRANSPORT"]) as transport:
        config = DeviceConfiguration(name="Memory", advertising_data=ADVERTISING)
        device = Device(config=config, host=Host(transport.source, transport.sink))
        device.gatt_server.max_mtu = MTU
        device.add_service(Service("6F2B0001-90D5-4A2C-8C3E-0D1F2E3A4B5C", [store, ticks]))
        await device.power_on()
        await device.start_advertising(
            auto_restart=True,
            own_address_type=OwnAddressType.PUBLIC,
            advertising_interval_min=20,
            advertising_interval_max=20,
        )
        print(f"pid {os.getpid()}", flush=True)
        while True:
            await device.notify_subscribers(ticks)
            await asyncio.sleep(0.002)


if __name__ == "__main__":
    asyncio.run(main())
