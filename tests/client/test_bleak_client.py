"""bleak's client over an adapter behaves as on any other back end."""

import asyncio

import pytest
from bleak import BleakScanner
from bleak.exc import (
    BleakCharacteristicNotFoundError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from bletest.client.backend import BumbleScanner
from bletest.contracts.events import Direction
from bletest.errors import (
    AttributeRefused,
    ConnectionFailed,
    DeviceNotFound,
    LinkLost,
    ProtocolViolation,
    UsageMistake,
)
from bletest.uuids import Uuid
from tests.client.support import in_virtual_time, loop_time, open_bench
from tests.support.scripted_peripheral import ADDRESS, LONG_VALUE, NAME

BATTERY_LEVEL = str(Uuid(0x2A19))
HEART_RATE_MEASUREMENT = str(Uuid(0x2A37))
LONG = str(Uuid(0xFF01))
COMMANDS = str(Uuid(0xFF02))
INDICATED = str(Uuid(0xFF03))
TWICE = str(Uuid(0xFF05))
BOTH = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"


# Connecting


@in_virtual_time
async def test_a_device_that_was_scanned_for_is_connected_to_with_its_name():
    async with open_bench() as bench:
        found = await BleakScanner.find_device_by_name(
            NAME, backend=BumbleScanner.on(bench.adapter)
        )
        async with bench.bleak(found) as client:
            assert client.is_connected
            assert client.name == NAME
            assert client.address == ADDRESS
        assert not client.is_connected
    assert bench.link_events() == ["connected", "mtu", "disconnected"]


@in_virtual_time
async def test_an_address_that_was_never_scanned_for_is_enough():
    async with open_bench() as bench, bench.bleak(ADDRESS.lower()) as client:
        assert await client.read_gatt_char(BATTERY_LEVEL) == b"\x64"


@in_virtual_time
async def test_a_device_that_does_not_answer_is_bleaks_device_not_found():
    async with open_bench() as bench:
        before = loop_time()
        with pytest.raises(BleakDeviceNotFoundError) as caught:
            await bench.bleak("C0:00:00:00:00:99", timeout=8).connect()
        assert loop_time() - before == pytest.approx(8, abs=0.1)
        assert caught.value.identifier == "C0:00:00:00:00:99"
        assert isinstance(caught.value.__cause__, DeviceNotFound)
        async with bench.bleak() as client:
            assert client.is_connected


@in_virtual_time
async def test_connecting_can_be_cancelled_and_tried_again():
    async with open_bench() as bench:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await bench.bleak("C0:00:00:00:00:99").connect()
        async with bench.bleak() as client:
            assert client.is_connected


@in_virtual_time
async def test_a_public_address_can_be_named_as_such():
    async with open_bench() as bench:
        before = loop_time()
        with pytest.raises(BleakError):
            await bench.bleak(address_type="public", timeout=5).connect()
        assert loop_time() - before == pytest.approx(5, abs=0.1)


@in_virtual_time
async def test_a_second_client_of_the_same_device_is_told_that_it_is_connected():
    async with open_bench() as bench, bench.bleak():
        with pytest.raises(BleakError, match="connected already, as link 1") as caught:
            await bench.bleak().connect()
        assert isinstance(caught.value.__cause__, ConnectionFailed)


@in_virtual_time
async def test_a_client_connects_again_and_again_and_its_links_are_numbered():
    async with open_bench() as bench:
        client = bench.bleak()
        for _ in range(3):
            await client.connect()
            assert await client.read_gatt_char(BATTERY_LEVEL) == b"\x64"
            await client.disconnect()
        await client.disconnect()
    names = [event.link for event in bench.events]
    assert sorted(set(names)) == ["1", "2", "3"]


@in_virtual_time
async def test_a_connected_client_cannot_be_connected():
    async with open_bench() as bench, bench.bleak() as client:
        with pytest.raises(BleakError, match="already"):
            await client.connect()


@in_virtual_time
async def test_the_disconnected_callback_is_called_once_with_the_client():
    calls = []
    async with open_bench() as bench:
        async with bench.bleak(ADDRESS, calls.append) as client:
            assert calls == []
        assert calls == [client]
        await client.connect()
        await bench.device.hang_up()
        await asyncio.sleep(1)
        assert calls == [client, client]
        assert not client.is_connected


# Services


@in_virtual_time
async def test_services_characteristics_and_descriptors_are_found_with_their_properties():
    async with open_bench() as bench, bench.bleak() as client:
        services = client.services
        assert [Uuid.parse(service.uuid).alias for service in services][:4] == [
            0x1800,
            0x180F,
            0x180D,
            0xFF00,
        ]
        battery = services.get_characteristic(BATTERY_LEVEL)
        assert battery is not None
        assert battery.properties == ["notify", "read"]
        assert [descriptor.uuid for descriptor in battery.descriptors] == [str(Uuid(0x2902))]
        reliable = services.get_characteristic(str(Uuid(0xFF06)))
        assert reliable is not None
        assert "reliable-write" in reliable.properties
        assert battery.max_write_without_response_size == 514


@in_virtual_time
async def test_only_the_services_that_were_asked_for_are_kept():
    async with open_bench() as bench, bench.bleak(services=["180f"]) as client:
        assert [service.uuid for service in client.services] == [str(Uuid(0x180F))]


@in_virtual_time
async def test_services_are_gone_with_the_link():
    async with open_bench() as bench:
        async with bench.bleak() as client:
            pass
        with pytest.raises(BleakError, match="not been performed"):
            _ = client.services


@pytest.mark.parametrize(
    ("wanted", "offered", "agreed"), [(517, 517, 517), (247, 517, 247), (517, 64, 64)]
)
@in_virtual_time
async def test_mtu_size_is_the_smaller_wish_of_the_two(wanted, offered, agreed):
    async with open_bench(mtu=wanted, device_mtu=offered) as bench:
        async with bench.bleak() as client:
            assert client.mtu_size == agreed
        assert client.mtu_size == 23


@in_virtual_time
async def test_a_device_that_does_not_know_mtu_exchange_stays_at_23():
    async with open_bench() as bench:
        bench.device.replies[0x02] = bytes((0x01, 0x02, 0, 0, 0x06))
        async with bench.bleak() as client:
            assert client.mtu_size == 23
            assert await client.read_gatt_char(LONG) == LONG_VALUE


# Reading and writing


@in_virtual_time
async def test_a_value_is_read_by_uuid_by_handle_and_by_object():
    async with open_bench() as bench, bench.bleak() as client:
        characteristic = client.services.get_characteristic(BATTERY_LEVEL)
        assert characteristic is not None
        for specifier in (BATTERY_LEVEL, characteristic.handle, characteristic):
            value = await client.read_gatt_char(specifier)
            assert value == bytearray(b"\x64")
            assert isinstance(value, bytearray)


@in_virtual_time
async def test_a_uuid_that_occurs_twice_is_read_by_object():
    async with open_bench() as bench, bench.bleak() as client:
        with pytest.raises(BleakError, match="Multiple"):
            await client.read_gatt_char(TWICE)
        both = [
            characteristic
            for characteristic in client.services.characteristics.values()
            if characteristic.uuid == TWICE
        ]
        values = [await client.read_gatt_char(characteristic) for characteristic in both]
    assert values == [b"first", b"second"]


@in_virtual_time
async def test_an_unknown_uuid_is_bleaks_characteristic_not_found():
    async with open_bench() as bench, bench.bleak() as client:
        with pytest.raises(BleakCharacteristicNotFoundError):
            await client.read_gatt_char(str(Uuid(0xABCD)))


@pytest.mark.parametrize("mtu", [23, 64, 517])
@in_virtual_time
async def test_a_long_value_is_read_and_written_whole_on_any_mtu(mtu):
    async with open_bench(mtu=mtu) as bench, bench.bleak() as client:
        assert await client.read_gatt_char(LONG) == LONG_VALUE
        new = LONG_VALUE[::-1]
        await client.write_gatt_char(LONG, new, response=True)
        assert await client.read_gatt_char(LONG) == new
    assert [written.value for written in bench.device.written] == [new]
    assert (0x18 in {pdu[0] for pdu in bench.pdus(Direction.SENT)}) == (mtu < 515)


@pytest.mark.parametrize(("length", "opcode"), [(20, 0x12), (21, 0x16)])
@in_virtual_time
async def test_a_write_is_prepared_in_parts_only_where_one_request_cannot_carry_it(length, opcode):
    async with open_bench(mtu=23) as bench, bench.bleak() as client:
        sent = len(bench.pdus(Direction.SENT))
        await client.write_gatt_char(LONG, bytes(length), response=True)
        assert bench.pdus(Direction.SENT)[sent][0] == opcode


@in_virtual_time
async def test_a_cached_read_sends_nothing_after_the_first():
    async with open_bench() as bench, bench.bleak() as client:
        await client.read_gatt_char(BATTERY_LEVEL, use_cached=True)
        sent = len(bench.pdus(Direction.SENT))
        assert await client.read_gatt_char(BATTERY_LEVEL, use_cached=True) == b"\x64"
        assert len(bench.pdus(Direction.SENT)) == sent
        await client.read_gatt_char(BATTERY_LEVEL)
        assert len(bench.pdus(Direction.SENT)) == sent + 1


@in_virtual_time
async def test_a_write_without_response_is_a_command_and_arrives():
    async with open_bench() as bench, bench.bleak() as client:
        for number in range(100):
            await client.write_gatt_char(COMMANDS, bytes((number,)), response=False)
        assert await client.read_gatt_char(COMMANDS) == bytes((99,))
    assert [written.value for written in bench.device.written] == [bytes((n,)) for n in range(100)]
    assert 0x12 not in {pdu[0] for pdu in bench.pdus(Direction.SENT)}


@in_virtual_time
async def test_a_command_that_does_not_fit_is_the_callers_mistake_and_is_not_sent():
    async with open_bench(mtu=23) as bench, bench.bleak() as client:
        with pytest.raises(BleakError, match="20 octets") as caught:
            await client.write_gatt_char(COMMANDS, bytes(21), response=False)
        assert isinstance(caught.value.__cause__, UsageMistake)
    assert bench.device.written == []


@in_virtual_time
async def test_descriptors_are_read_and_a_refused_write_carries_its_code():
    async with open_bench() as bench, bench.bleak() as client:
        characteristic = client.services.get_characteristic(LONG)
        assert characteristic is not None
        (description,) = characteristic.descriptors
        assert await client.read_gatt_descriptor(description) == b"a long value"
        assert await client.read_gatt_descriptor(description.handle) == b"a long value"
        with pytest.raises(BleakGATTProtocolError) as caught:
            await client.write_gatt_descriptor(description, b"x")
    assert caught.value.code == 0x05


@pytest.mark.parametrize(
    ("uuid", "code"), [(HEART_RATE_MEASUREMENT, 0x02), (str(Uuid(0xFF04)), 0x05)]
)
@in_virtual_time
async def test_a_refused_read_is_bleaks_protocol_error_with_ours_behind_it(uuid, code):
    async with open_bench() as bench, bench.bleak() as client:
        with pytest.raises(BleakGATTProtocolError) as caught:
            await client.read_gatt_char(uuid)
        assert caught.value.code == code
        cause = caught.value.__cause__
        assert isinstance(cause, AttributeRefused)
        assert cause.code == code
        assert await client.read_gatt_char(BATTERY_LEVEL) == b"\x64"


@in_virtual_time
async def test_an_answer_that_does_not_fit_the_request_is_a_violation_and_the_link_goes_on():
    async with open_bench() as bench, bench.bleak() as client:
        bench.device.replies[0x0A] = b"\x13"
        with pytest.raises(BleakError) as caught:
            await client.read_gatt_char(BATTERY_LEVEL)
        assert isinstance(caught.value.__cause__, ProtocolViolation)
        bench.device.replies.clear()
        assert await client.read_gatt_char(BATTERY_LEVEL) == b"\x64"


@in_virtual_time
async def test_operations_of_several_tasks_queue_and_each_gets_its_own_answer():
    async with open_bench() as bench, bench.bleak() as client:
        both = [
            characteristic
            for characteristic in client.services.characteristics.values()
            if characteristic.uuid == TWICE
        ]
        jobs = [client.read_gatt_char(both[number % 2]) for number in range(20)]
        values = await asyncio.gather(*jobs)
    assert values == [b"first", b"second"] * 10


@in_virtual_time
async def test_nothing_works_without_a_link():
    async with open_bench() as bench:
        client = bench.bleak()
        with pytest.raises(BleakError):
            await client.read_gatt_char(BATTERY_LEVEL)
        with pytest.raises(BleakError) as caught:
            await client.pair()
        assert isinstance(caught.value.__cause__, LinkLost)


# Notifications


@in_virtual_time
async def test_notifications_reach_the_callback_with_their_characteristic():
    seen = []
    async with open_bench() as bench, bench.bleak() as client:
        await client.start_notify(BATTERY_LEVEL, lambda sender, data: seen.append((sender, data)))
        bench.device.notify(0x2A19, b"\x32")
        bench.device.notify(0x2A37, b"not subscribed to")
        await asyncio.sleep(1)
        await client.stop_notify(BATTERY_LEVEL)
        bench.device.notify(0x2A19, b"\x31")
        await asyncio.sleep(1)
        characteristic = client.services.get_characteristic(BATTERY_LEVEL)
        assert seen == [(characteristic, bytearray(b"\x32"))]
    assert [written.value for written in bench.device.written] == [b"\x01\x00", b"\x00\x00"]


@in_virtual_time
async def test_a_coroutine_may_be_the_callback():
    seen = []

    async def callback(sender, data):
        await asyncio.sleep(0)
        seen.append(bytes(data))

    async with open_bench() as bench, bench.bleak() as client:
        await client.start_notify(BATTERY_LEVEL, callback)
        bench.device.notify(0x2A19, b"\x32")
        await asyncio.sleep(1)
    assert seen == [b"\x32"]


@in_virtual_time
async def test_notifications_are_preferred_over_indications():
    async with open_bench() as bench, bench.bleak() as client:
        await client.start_notify(BOTH, lambda *_: None)
    assert [written.value for written in bench.device.written] == [b"\x01\x00"]


@in_virtual_time
async def test_indications_are_confirmed_one_by_one():
    seen = []
    async with open_bench() as bench, bench.bleak() as client:
        await client.start_notify(INDICATED, lambda _, data: seen.append(bytes(data)))
        for value in (b"one", b"two"):
            bench.device.indicate(0xFF03, value)
            await asyncio.sleep(1)
    assert seen == [b"one", b"two"]
    assert [written.value for written in bench.device.written] == [b"\x02\x00"]
    assert bench.pdus(Direction.SENT).count(b"\x1e") == 2


@in_virtual_time
async def test_an_indication_that_nobody_subscribed_to_is_confirmed_all_the_same():
    async with open_bench() as bench, bench.bleak():
        bench.device.indicate(0xFF03, b"one")
        await asyncio.sleep(1)
    assert bench.pdus(Direction.SENT).count(b"\x1e") == 1


@in_virtual_time
async def test_several_values_in_one_notification_reach_their_callbacks():
    seen = []
    async with open_bench() as bench, bench.bleak() as client:
        for uuid in (BATTERY_LEVEL, HEART_RATE_MEASUREMENT):
            await client.start_notify(uuid, lambda sender, data: seen.append(bytes(data)))
        values = b"".join(
            bench.device.handle_of(uuid).to_bytes(2, "little") + b"\x01\x00" + value
            for uuid, value in ((0x2A19, b"\x32"), (0x2A37, b"\x48"))
        )
        bench.device.send(b"\x23" + values)
        await asyncio.sleep(1)
    assert seen == [b"\x32", b"\x48"]


@in_virtual_time
async def test_a_characteristic_without_notifications_cannot_be_subscribed_to():
    async with open_bench() as bench, bench.bleak() as client:
        with pytest.raises(BleakError, match="0x2902"):
            await client.start_notify(LONG, lambda *_: None)


@in_virtual_time
async def test_a_subscription_is_not_made_twice_and_ends_with_the_link():
    async with open_bench() as bench, bench.bleak() as client:
        await client.start_notify(BATTERY_LEVEL, lambda *_: None)
        with pytest.raises(BleakError, match="already"):
            await client.start_notify(BATTERY_LEVEL, lambda *_: None)
        await client.disconnect()
        await client.connect()
        await client.start_notify(BATTERY_LEVEL, lambda *_: None)


@in_virtual_time
async def test_stopping_what_was_never_started_is_harmless():
    async with open_bench() as bench, bench.bleak() as client:
        await client.stop_notify(BATTERY_LEVEL)
    assert bench.device.written == []


# Being asked


@in_virtual_time
async def test_a_device_that_asks_us_gets_the_error_it_is_due():
    async with open_bench() as bench, bench.bleak() as client:
        bench.device.send(b"\x10\x01\x00\xff\xff\x00\x28")
        await asyncio.sleep(1)
        assert await client.read_gatt_char(BATTERY_LEVEL) == b"\x64"
    assert b"\x01\x10\x01\x00\x0a" in bench.pdus(Direction.SENT)


@in_virtual_time
async def test_an_mtu_that_the_device_asks_for_counts_for_the_client_too():
    async with open_bench(mtu=23) as bench, bench.bleak() as client:
        bench.device.send(b"\x02\x64\x00")
        await asyncio.sleep(1)
        assert client.mtu_size == 100
    assert b"\x03\x05\x02" in bench.pdus(Direction.SENT)
