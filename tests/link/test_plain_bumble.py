"""Plain bumble devices, with nothing of ours above HCI, live on the air as on ``LocalLink``."""

import asyncio

import pytest
from bumble import core, hci
from bumble.device import Device, Peer
from bumble.gatt import Characteristic, Service
from bumble.pairing import PairingConfig, PairingDelegate

from bletest.link.clock import run
from bletest.link.virtual import VirtualLink
from tests.link.support import now, plain_device


def add_service(device: Device, *, protected: bool = False) -> None:
    permissions = Characteristic.READABLE
    if protected:
        permissions |= Characteristic.READ_REQUIRES_ENCRYPTION
    device.add_service(
        Service(
            "180F",
            [
                Characteristic(
                    "2A19",
                    Characteristic.Properties.READ | Characteristic.Properties.NOTIFY,
                    permissions,
                    b"\x2a",
                )
            ],
        )
    )


async def pair_of_devices(
    *, public: bool = False, protected: bool = False
) -> tuple[Device, Device, hci.Address]:
    link = VirtualLink()
    own = hci.OwnAddressType.PUBLIC if public else hci.OwnAddressType.RANDOM
    peripheral = await plain_device(
        link, "peripheral", "C0:00:00:00:00:01", public="02:00:00:00:00:01"
    )
    central = await plain_device(link, "central", "C0:00:00:00:00:02", public="02:00:00:00:00:02")
    add_service(peripheral, protected=protected)
    await peripheral.start_advertising(own_address_type=own)
    return central, peripheral, peripheral.public_address if public else peripheral.random_address


async def read_battery(peer: Peer) -> bytes:
    await peer.discover_services()
    await peer.discover_characteristics()
    (level,) = peer.get_characteristics_by_uuid(core.UUID("2A19"))
    return bytes(await level.read_value())


@pytest.mark.parametrize("public", [False, True], ids=["random", "public"])
@pytest.mark.parametrize("central_public", [False, True], ids=["from random", "from public"])
def test_a_central_scans_connects_discovers_and_reads(public, central_public):
    async def main() -> tuple[bool, bytes]:
        central, _, address = await pair_of_devices(public=public)
        found = asyncio.get_running_loop().create_future()
        central.once("advertisement", found.set_result)
        await central.start_scanning()
        seen = await found
        await central.stop_scanning()
        own = hci.OwnAddressType.PUBLIC if central_public else hci.OwnAddressType.RANDOM
        connection = await central.connect(address, own_address_type=own)
        return seen.address == address, await read_battery(Peer(connection))

    assert run(main()) == (True, b"\x2a")


def test_notifications_arrive_in_order():
    async def main() -> list[bytes]:
        central, peripheral, address = await pair_of_devices()
        peer = Peer(await central.connect(address))
        await peer.discover_services()
        await peer.discover_characteristics()
        (level,) = peer.get_characteristics_by_uuid(core.UUID("2A19"))
        received: list[bytes] = []
        await peer.discover_descriptors(level)
        await level.subscribe(received.append)
        (value,) = [
            attribute
            for attribute in peripheral.gatt_server.attributes
            if isinstance(attribute, Characteristic) and attribute.uuid == core.UUID("2A19")
        ]
        for number in range(20):
            await peripheral.notify_subscribers(value, bytes([number]))
        await asyncio.sleep(1)
        return received

    assert run(main()) == [bytes([number]) for number in range(20)]


def test_just_works_pairing_encrypts_the_link_and_opens_protected_values():
    async def main() -> tuple[bool, bool, bytes]:
        central, peripheral, address = await pair_of_devices(protected=True)
        for device in (central, peripheral):
            device.pairing_config_factory = lambda _: PairingConfig(
                sc=True,
                mitm=False,
                bonding=True,
                delegate=PairingDelegate(PairingDelegate.IoCapability.NO_OUTPUT_NO_INPUT),
            )
        connection = await central.connect(address)
        await connection.pair()
        (theirs,) = peripheral.connections.values()
        return (
            connection.is_encrypted,
            theirs.is_encrypted,
            await read_battery(Peer(connection)),
        )

    assert run(main()) == (True, True, b"\x2a")


def test_connecting_to_nobody_times_out_and_the_next_connection_works():
    async def main() -> tuple[float, bool]:
        central, _, address = await pair_of_devices()
        began = now()
        with pytest.raises(core.TimeoutError):
            await central.connect("C0:00:00:00:00:99", timeout=7)
        waited = now() - began
        connection = await central.connect(address)
        return waited, connection.handle in central.connections

    assert run(main()) == (7.0, True)


def test_the_peripheral_side_knows_the_true_connection_parameters():
    async def main() -> tuple[float, float, float, float]:
        central, peripheral, address = await pair_of_devices()
        connection = await central.connect(address)
        (theirs,) = peripheral.connections.values()
        ours = connection.parameters
        return (
            ours.connection_interval,
            theirs.parameters.connection_interval,
            ours.supervision_timeout,
            theirs.parameters.supervision_timeout,
        )

    ours, theirs, our_timeout, their_timeout = run(main())
    assert ours == theirs > 0
    assert our_timeout == their_timeout == 720.0


def test_a_disconnect_is_seen_by_both_and_advertising_restarts_on_request():
    async def main() -> tuple[int, bytes]:
        central, peripheral, address = await pair_of_devices()
        await peripheral.start_advertising(auto_restart=True)
        connection = await central.connect(address)
        (theirs,) = peripheral.connections.values()
        ended = asyncio.get_running_loop().create_future()
        theirs.on("disconnection", ended.set_result)
        await connection.disconnect()
        reason = await ended
        return reason, await read_battery(Peer(await central.connect(address)))

    assert run(main()) == (0x13, b"\x2a")


def test_rssi_can_be_read_through_bumble():
    async def main() -> int:
        central, _, address = await pair_of_devices()
        return int(await (await central.connect(address)).get_rssi())

    assert run(main()) == -50


def test_the_whole_exchange_repeats_to_the_octet():
    class Recorder:
        def __init__(self) -> None:
            self.octets: list[bytes] = []

        def snoop(self, packet: bytes, direction: object) -> None:
            self.octets.append(packet)

    async def main() -> list[bytes]:
        central, _, address = await pair_of_devices()
        recorder = Recorder()
        central.host.snooper = recorder  # type: ignore[assignment]
        await read_battery(Peer(await central.connect(address)))
        return recorder.octets

    assert run(main()) == run(main())
