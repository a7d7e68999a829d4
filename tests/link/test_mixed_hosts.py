"""Plain bumble hosts and ours on one air: each as central and as peripheral of the other.

The plain ones have nothing of ours above HCI. All of it runs on controllers that take the legacy
commands, and on those of Bluetooth 5, where bumble uses the extended ones.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from bumble import core, hci
from bumble.device import (
    AdvertisingData,
    AdvertisingEventProperties,
    AdvertisingParameters,
    Connection,
    Device,
    DeviceConfiguration,
    Peer,
)
from bumble.gatt import Characteristic, Service
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from bletest import profile
from bletest.client.adapter import BumbleAdapter
from bletest.client.connecting import make_client
from bletest.link.clock import run
from bletest.link.privacy import is_made_with
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral

PLAIN, OURS = "C0:00:00:00:00:01", "C0:00:00:00:00:02"
KEY = bytes(range(16))
LEVEL = core.UUID("2A19")

PROFILE = """
bletest: 1
name: battery
device: {name: Ours, connections: 3}
advertising: {interval: 100ms, name: Ours}
security: {bonding: true, io: no_input_no_output}
services:
  - uuid: battery
    characteristics:
      - {uuid: battery_level, id: level, properties: [read, notify], value: {hex: 2a},
         read: encrypted}
"""

both_kinds = pytest.mark.parametrize("extended", [False, True], ids=["legacy", "extended"])


@dataclass
class Plain:
    """A device that is bumble alone, with a battery service."""

    device: Device
    level: Characteristic


async def plain(
    link: VirtualLink,
    name: str,
    address: str = PLAIN,
    *,
    extended: bool,
    private: bool = False,
    offload: bool = False,
) -> Plain:
    """Power one on. ``private``: its host makes private addresses; ``offload``: its controller."""
    controller = link.new_controller(name, "02:00:00:00:00:0F", extended=extended)
    config = DeviceConfiguration(
        name=name,
        address=hci.Address(address),
        irk=KEY,
        le_privacy_enabled=private,
        le_rpa_timeout=0,
        address_resolution_offload=offload,
        address_generation_offload=offload,
        advertising_interval_min=100,
        advertising_interval_max=100,
    )
    device = Device(config=config, host=Host(controller, controller))
    device.keystore = MemoryKeyStore()
    device.pairing_config_factory = lambda _: PairingConfig(
        mitm=False,
        delegate=PairingDelegate(PairingDelegate.NO_OUTPUT_NO_INPUT),
        identity_address_type=PairingConfig.AddressType.RANDOM,
    )
    level = Characteristic(
        LEVEL,
        Characteristic.Properties.READ | Characteristic.Properties.NOTIFY,
        Characteristic.READABLE | Characteristic.READ_REQUIRES_ENCRYPTION,
        b"\x2a",
    )
    device.add_service(Service("180F", [level]))
    await device.power_on()
    return Plain(device, level)


@asynccontextmanager
async def our_peripheral(
    link: VirtualLink, text: str = PROFILE
) -> AsyncIterator[VirtualPeripheral]:
    station = await open_station(link, name="ours", address=OURS, rng=random.Random("ours"))
    peripheral = VirtualPeripheral(profile.loads(text))
    await peripheral.start(station)
    yield peripheral
    await peripheral.stop()
    await station.close()


@asynccontextmanager
async def our_adapter(link: VirtualLink, name: str = "adapter") -> AsyncIterator[BumbleAdapter]:
    station = await open_station(link, name=name, address=None, rng=random.Random(name))
    adapter = BumbleAdapter(station)
    yield adapter
    await adapter.close()
    await station.close()


async def found_by(device: Device, address: str) -> AdvertisingData:
    """Scan until a device is heard, and return its data."""
    found: asyncio.Future[AdvertisingData] = asyncio.get_running_loop().create_future()

    def on_advertisement(advertisement):  # type: ignore[no-untyped-def]
        if str(advertisement.address) == address and not found.done():
            found.set_result(advertisement.data)

    device.on("advertisement", on_advertisement)
    await device.start_scanning()
    data = await found
    await device.stop_scanning()
    device.remove_listener("advertisement", on_advertisement)
    return data


async def level_of(connection: Connection) -> tuple[Peer, object]:
    peer = Peer(connection)
    await peer.discover_services()
    await peer.discover_characteristics()
    (level,) = peer.get_characteristics_by_uuid(LEVEL)
    await peer.discover_descriptors(level)
    return peer, level


@both_kinds
def test_a_plain_central_finds_pairs_with_reads_and_hears_our_peripheral(extended):
    async def main() -> None:
        link = VirtualLink()
        async with our_peripheral(link) as peripheral:
            central = (await plain(link, "central", extended=extended)).device
            data = await found_by(central, OURS)
            assert data.get(AdvertisingData.COMPLETE_LOCAL_NAME) == "Ours"
            connection = await central.connect(OURS)
            await connection.pair()
            _, level = await level_of(connection)
            assert await level.read_value() == b"\x2a"  # type: ignore[attr-defined]
            heard: list[bytes] = []
            await level.subscribe(heard.append)  # type: ignore[attr-defined]
            peripheral["level"].notify(b"\x2b")
            await asyncio.sleep(1)
            assert heard == [b"\x2b"]
            await connection.disconnect()
            await asyncio.sleep(1)
            again = await central.connect(OURS)
            await again.encrypt()
            _, level = await level_of(again)
            assert await level.read_value() == b"\x2a"  # type: ignore[attr-defined]
            await again.disconnect()

    run(main())


@both_kinds
def test_our_central_finds_pairs_with_reads_and_hears_a_plain_peripheral(extended):
    async def main() -> None:
        link = VirtualLink()
        peripheral = await plain(link, "peripheral", extended=extended)
        name = bytes(AdvertisingData([(AdvertisingData.COMPLETE_LOCAL_NAME, b"Plain")]))
        await peripheral.device.start_advertising(advertising_data=name, auto_restart=True)
        async with our_adapter(link) as adapter:
            heard: list[bytes] = []
            async with make_client(adapter, PLAIN) as client:
                await client.pair()
                assert (await client.read("battery_level")).raw == b"\x2a"
                async with client.subscribe("battery_level") as subscription:
                    await peripheral.device.notify_subscribers(peripheral.level, b"\x2c")
                    heard.append((await subscription.next(within=5)).raw)
            assert heard == [b"\x2c"]
            async with make_client(adapter, PLAIN, pair=True) as client:
                assert (await client.read("battery_level")).raw == b"\x2a"

    run(main())


@pytest.mark.parametrize("central_extended", [False, True])
@pytest.mark.parametrize("peripheral_extended", [False, True])
def test_plain_devices_of_either_kind_meet_and_come_back_by_their_bond(
    central_extended, peripheral_extended
):
    async def main() -> None:
        link = VirtualLink()
        peripheral = await plain(link, "peripheral", extended=peripheral_extended)
        central = await plain(link, "central", OURS, extended=central_extended)
        await peripheral.device.start_advertising(auto_restart=True)
        await found_by(central.device, PLAIN)
        connection = await central.device.connect(PLAIN)
        await connection.pair()
        _, level = await level_of(connection)
        assert await level.read_value() == b"\x2a"  # type: ignore[attr-defined]
        await connection.disconnect()
        await asyncio.sleep(1)
        again = await central.device.connect(PLAIN)
        await again.encrypt()
        assert again.is_encrypted
        assert again.encryption_key_size == 16

    run(main())


def test_plain_devices_meet_by_extended_pdus_with_more_data_than_legacy_ones_hold():
    async def main() -> None:
        link = VirtualLink()
        peripheral = await plain(link, "peripheral", extended=True)
        central = await plain(link, "central", OURS, extended=True)
        old = await plain(link, "old", "C0:00:00:00:00:03", extended=False)
        data = bytes(AdvertisingData([(AdvertisingData.MANUFACTURER_SPECIFIC_DATA, bytes(150))]))
        await peripheral.device.create_advertising_set(
            advertising_parameters=AdvertisingParameters(
                advertising_event_properties=AdvertisingEventProperties(is_connectable=True),
                primary_advertising_interval_min=100,
                primary_advertising_interval_max=100,
            ),
            advertising_data=data,
            auto_restart=True,
        )
        assert bytes(await found_by(central.device, PLAIN)) == data
        with pytest.raises(core.TimeoutError):
            await old.device.connect(PLAIN, timeout=5)
        connection = await central.device.connect(PLAIN)
        await connection.pair()
        _, level = await level_of(connection)
        assert await level.read_value() == b"\x2a"  # type: ignore[attr-defined]

    run(main())


@both_kinds
def test_several_centrals_of_both_kinds_share_our_peripheral(extended):
    async def main() -> None:
        link = VirtualLink()
        async with AsyncExitStack() as stack:
            peripheral = await stack.enter_async_context(our_peripheral(link))
            adapter = await stack.enter_async_context(our_adapter(link))
            first = await plain(link, "first", "C0:00:00:00:01:01", extended=extended)
            second = await plain(link, "second", "C0:00:00:00:01:02", extended=False)
            connections = [await one.device.connect(OURS) for one in (first, second)]
            client = await stack.enter_async_context(make_client(adapter, OURS))
            assert len(peripheral.clients) == 3
            await client.pair()
            assert (await client.read("battery_level")).raw == b"\x2a"
            for connection in connections:
                await connection.pair()
                _, level = await level_of(connection)
                assert await level.read_value() == b"\x2a"  # type: ignore[attr-defined]
            third = await plain(link, "third", "C0:00:00:00:01:03", extended=extended)
            with pytest.raises(core.TimeoutError):
                await third.device.connect(OURS, timeout=5)
            await connections[0].disconnect()
            await third.device.connect(OURS, timeout=5)

    run(main())


def test_a_device_may_stop_advertising_while_it_has_a_link():
    async def main() -> None:
        link = VirtualLink()
        alone = PROFILE.replace(
            "connections: 3", "connections: 3, advertise_while_connected: false"
        )
        async with our_peripheral(link, alone) as peripheral:
            first = await plain(link, "first", "C0:00:00:00:01:01", extended=False)
            second = await plain(link, "second", "C0:00:00:00:01:02", extended=False)
            connection = await first.device.connect(OURS)
            with pytest.raises(core.TimeoutError):
                await second.device.connect(OURS, timeout=5)
            await connection.disconnect()
            await second.device.connect(OURS, timeout=5)
            assert peripheral.clients == ("C0:00:00:00:01:02",)

    run(main())


@both_kinds
@pytest.mark.parametrize("offload", [False, True], ids=["host's", "controller's"])
def test_a_peripheral_behind_private_addresses_is_found_again_by_a_bonded_central(
    extended, offload
):
    async def main() -> None:
        link = VirtualLink()
        peripheral = await plain(
            link, "peripheral", extended=extended, private=not offload, offload=offload
        )
        central = await plain(link, "central", OURS, extended=extended, offload=offload)
        own = hci.OwnAddressType.RESOLVABLE_OR_RANDOM if offload else hci.OwnAddressType.RANDOM
        await peripheral.device.start_advertising(own_address_type=own)
        seen: list[hci.Address] = []
        central.device.on("advertisement", lambda one: seen.append(one.address))
        await central.device.start_scanning()
        await asyncio.sleep(1)
        await central.device.stop_scanning()
        (private,) = set(seen)
        assert is_made_with(KEY, private)
        connection = await central.device.connect(private, own_address_type=own)
        await connection.pair()
        await connection.disconnect()
        await asyncio.sleep(1)
        if not offload:
            await peripheral.device.stop_advertising()
            await peripheral.device.power_off()
            await peripheral.device.power_on()
        for device in (peripheral.device, central.device):
            await device.refresh_resolving_list()
        await asyncio.sleep(2000)  # By now the controller has taken another address too.
        await peripheral.device.start_advertising(own_address_type=own)
        again = await central.device.connect(PLAIN, own_address_type=own, timeout=20)
        assert str(again.peer_address) == PLAIN
        assert again.peer_resolvable_address not in (None, private)
        await again.encrypt()
        _, level = await level_of(again)
        assert await level.read_value() == b"\x2a"  # type: ignore[attr-defined]

    run(main())


def test_a_central_behind_private_addresses_comes_back_to_its_bond_with_our_peripheral():
    async def main() -> None:
        link = VirtualLink()
        async with our_peripheral(link) as peripheral:
            central = await plain(link, "central", extended=False, private=True)
            connection = await central.device.connect(OURS)
            first = central.device.random_address
            await connection.pair()
            _, level = await level_of(connection)
            await level.subscribe(lambda _: None)  # type: ignore[attr-defined]
            assert await peripheral.wait_subscribed("level")
            await connection.disconnect()
            await central.device.power_off()
            await central.device.power_on()
            assert central.device.random_address not in (first, hci.Address(PLAIN))
            again = await central.device.connect(OURS)
            await again.encrypt()
            _, level = await level_of(again)
            assert await level.read_value() == b"\x2a"  # type: ignore[attr-defined]
            (subscription,) = level.descriptors  # type: ignore[attr-defined]
            assert await subscription.read_value() == b"\x01\x00"
            assert peripheral.clients == (PLAIN,)
            await again.disconnect()

    run(main())
