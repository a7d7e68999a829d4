"""The client against a GATT server that shares no line with ours, and against noise."""

import asyncio
import random

from bumble.core import UUID
from bumble.device import Device
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.host import Host
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.client.adapter import BumbleAdapter
from bletest.client.connecting import make_client
from bletest.client.scan import find
from bletest.link.clock import run
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from tests.client.support import in_virtual_time, open_bench
from tests.support.scripted_peripheral import ad


@in_virtual_time
async def test_a_stock_bumble_device_is_found_read_written_and_subscribed_to():
    air = VirtualLink()
    written = []
    counter = Characteristic(
        "2A19", Characteristic.Properties.READ | Characteristic.Properties.NOTIFY, 1, b"\x05"
    )
    control = Characteristic(
        "6E400002-B5A3-F393-E0A9-E50E24DCCA9E",
        Characteristic.Properties.WRITE,
        2,
        CharacteristicValue(write=lambda _, value: written.append(value)),
    )
    host = Host()
    controller = air.new_controller("stock")
    host.set_packet_sink(controller)
    host.set_packet_source(controller)
    device = Device(name="Stock", address=Address("C0:00:00:00:00:05"), host=host)
    device.add_service(Service(UUID("180F"), [counter, control]))
    await device.power_on()
    await device.start_advertising(
        auto_restart=True, advertising_data=ad(0x01, b"\x06") + ad(0x09, b"Stock")
    )
    station = await open_station(air, name="client", address=None, rng=random.Random(3))
    adapter = BumbleAdapter(station)
    async with make_client(adapter, await find(adapter, name="Stock")) as client:
        assert client.mtu == 517
        assert (await client.read("battery_level")).decoded == 5
        await client.write("6e400002-b5a3-f393-e0a9-e50e24dcca9e", b"hello")
        assert written == [b"hello"]
        async with client.subscribe("battery_level") as notifications:
            await device.notify_subscribers(counter, b"\x06")
            assert (await notifications.next(within=1)).raw == b"\x06"
        await client.pair()
        assert client.is_encrypted
    await adapter.close()
    await station.close()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=30))
def test_no_octets_from_a_device_harm_the_client(pdus):
    async def scenario():
        async with open_bench() as bench, bench.client() as client:
            async with client.subscribe("battery_level"):
                for pdu in pdus:
                    bench.device.send(pdu)
                await asyncio.sleep(1)
            assert (await client.read("body_sensor_location")).raw == b"\x01"
            assert bench.adapter.take_callback_failures() == []

    run(scenario())


@in_virtual_time
async def test_a_response_that_nothing_asked_for_is_noted_and_ignored():
    async with open_bench() as bench, bench.client() as client:
        bench.device.send(b"\x0b\x63")
        await asyncio.sleep(1)
        assert (await client.read("battery_level")).raw == b"\x64"
    assert "unexpected_pdu" in bench.link_events()
