"""A central on bumble's own host, in a process of its own: it prints what it finds as JSON lines.

It imports nothing of bletest, and opens the transport that BLETEST_HCI_TRANSPORT names.
"""

import asyncio
import json
import os

from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Device, DeviceConfiguration, Peer
from bumble.hci import Address, OwnAddressType
from bumble.host import Host
from bumble.transport import open_transport


def say(what: str, detail: object) -> None:
    print(json.dumps({what: detail}), flush=True)


async def find(device: Device, name: str) -> Advertisement:
    found: asyncio.Future[Advertisement] = asyncio.get_running_loop().create_future()

    def on_advertisement(advertisement: Advertisement) -> None:
        complete = AdvertisingData.Type.COMPLETE_LOCAL_NAME
        if advertisement.data.get(complete) == name and not found.done():
            found.set_result(advertisement)

    device.on("advertisement", on_advertisement)
    await device.start_scanning(own_address_type=OwnAddressType.PUBLIC)
    advertisement = await found
    await device.stop_scanning()
    return advertisement


async def main() -> None:
    async with await open_transport(os.environ["BLETEST_HCI_TRANSPORT"]) as transport:
        config = DeviceConfiguration(name="central", address=Address("F0:00:00:00:00:01"))
        device = Device(config=config, host=Host(transport.source, transport.sink))
        await device.power_on()
        strap = await find(device, "HR-Strap")
        say("found", strap.address.to_string(with_type_qualifier=False))
        connection = await device.connect(strap.address, own_address_type=OwnAddressType.PUBLIC)
        peer = Peer(connection)
        say("mtu", await peer.request_mtu(247))
        await peer.discover_all()
        say("services", [service.uuid.to_hex_str() for service in peer.services])
        for uuid in ("2A38", "2A19", "2A29"):
            (characteristic,) = peer.get_characteristics_by_uuid(UUID(uuid))
            say(uuid, (await characteristic.read_value()).hex())
        await connection.disconnect()
        say("done", True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
