"""Whatever goes wrong, the operation ends in bounded time and says what happened."""

import asyncio
import logging
import random

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError

from bletest.client.adapter import BumbleAdapter
from bletest.client.backend import BumbleClient, BumbleScanner
from bletest.client.connecting import make_client
from bletest.contracts.events import Direction, LinkEvent
from bletest.errors import (
    AdapterLost,
    AdapterUnusable,
    BletestError,
    ConnectionFailed,
    LinkLost,
    NoAnswer,
    ProtocolViolation,
    SubscriptionEnded,
)
from bletest.link.clock import run
from bletest.link.hci_port import HciPort
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.uuids import Uuid
from tests.client.support import in_virtual_time, loop_time, open_bench
from tests.support.moments import before_a_hair
from tests.support.scripted_peripheral import ADDRESS, ScriptedPeripheral

BATTERY_LEVEL = str(Uuid(0x2A19))
LONG = str(Uuid(0xFF01))
READ = 0x0A
PREPARE = 0x16


# The peer vanishes


@in_virtual_time
async def test_a_read_ends_when_the_device_vanishes_and_says_so():
    async with open_bench() as bench, bench.client() as client:
        bench.device.on_request = lambda pdu: bench.device.vanish()
        before = loop_time()
        with pytest.raises(LinkLost) as caught:
            await client.read("battery_level")
        assert loop_time() - before < 30
        assert caught.value.reason == 0x08
        assert str(caught.value) == (
            "read of battery/battery_level: the link to C0:00:00:00:00:01 ended: 0x08,"
            " the device vanished: nothing was heard from it within the supervision timeout"
        )
        assert not client.is_connected


@in_virtual_time
async def test_after_a_device_vanished_the_next_one_is_tested_with_the_same_adapter():
    async with open_bench() as bench:
        async with bench.client() as client:
            bench.device.mute.add(READ)
            bench.device.on_request = lambda pdu: bench.device.vanish()
            with pytest.raises(LinkLost):
                await client.read("battery_level")
        async with (
            ScriptedPeripheral(bench.air, address="C0:00:00:00:00:02"),
            bench.client("C0:00:00:00:00:02") as client,
        ):
            assert (await client.read("battery_level")).raw == b"\x64"


@in_virtual_time
async def test_all_operations_that_wait_fail_when_the_link_goes():
    async with open_bench() as bench, bench.client() as client:
        bench.device.mute.add(READ)
        jobs = [asyncio.ensure_future(client.read("battery_level")) for _ in range(5)]
        await asyncio.sleep(1)
        await bench.device.hang_up()
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LinkLost] * 5
    assert {outcome.reason for outcome in outcomes} == {0x13}
    assert len({id(outcome) for outcome in outcomes}) == 5


@in_virtual_time
async def test_operations_after_the_link_went_say_why_it_went():
    async with open_bench() as bench, bench.client() as client:
        await bench.device.hang_up()
        await asyncio.sleep(1)
        with pytest.raises(LinkLost, match="0x13, the device closed the link") as caught:
            await client.read("battery_level")
        assert caught.value.reason == 0x13
        with pytest.raises(LinkLost):
            await client.exchange(b"\x0a\x03\x00")
        with pytest.raises(LinkLost):
            client.send(b"\x52\x03\x00")


@in_virtual_time
async def test_a_subscription_ends_with_the_link_at_once_and_keeps_what_came():
    async with open_bench() as bench, bench.client() as client:
        async with client.subscribe("battery_level") as notifications:
            bench.device.notify(0x2A19, b"\x32")
            asyncio.get_running_loop().call_later(2, bench.device.vanish)
            before = loop_time()
            with pytest.raises(SubscriptionEnded) as caught:
                await notifications.take(3, within=3600)
            assert loop_time() - before < 60
            assert caught.value.reason == 0x08
            assert "1 of 3 notifications" in str(caught.value)
            assert "last value: 32" in str(caught.value)
            assert (await notifications.next(within=1)).raw == b"\x32"
        with pytest.raises(LinkLost):
            await client.read("battery_level")


# The device does not answer


@in_virtual_time
async def test_a_request_without_response_ends_after_30_s_and_the_bearer_with_it():
    async with open_bench() as bench, bench.client() as client:
        bench.device.mute.add(READ)
        before = loop_time()
        with pytest.raises(NoAnswer, match="Read Request 0x0006") as caught:
            await client.read("battery_level")
        assert loop_time() - before == pytest.approx(30)
        assert "battery/battery_level" in str(caught.value)
        bench.device.mute.clear()
        before = loop_time()
        with pytest.raises(NoAnswer, match="until the device is reconnected"):
            await client.read("battery_level")
        assert loop_time() == before
        await client.reconnect()
        assert (await client.read("battery_level")).raw == b"\x64"
    assert "att_timeout" in bench.link_events()


@in_virtual_time
async def test_a_request_without_response_ends_whatever_the_moment():
    async with open_bench() as bench, bench.client() as client:
        await client.read("battery_level")
        bench.device.mute.add(READ)
        await before_a_hair(30.0)
        with pytest.raises(NoAnswer):
            await client.read("battery_level")


@in_virtual_time
async def test_a_bearer_that_is_used_all_the_time_does_not_time_out():
    async with open_bench() as bench, bench.client() as client:
        for _ in range(100):
            await asyncio.sleep(1)
            await client.read("battery_level")


@in_virtual_time
async def test_an_answer_after_29_s_is_an_answer():
    async with open_bench() as bench, bench.client() as client:
        bench.device.mute.add(READ)
        asyncio.get_running_loop().call_later(29, bench.device.send, b"\x0b\x63")
        assert (await client.read("battery_level")).raw == b"\x63"


@in_virtual_time
async def test_a_caller_who_gives_up_leaves_the_bearer_in_order():
    async with open_bench() as bench, bench.client() as client:
        bench.device.mute.add(READ)
        asyncio.get_running_loop().call_later(5, bench.device.send, b"\x0b\x63")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await client.read("battery_level")
        bench.device.mute.clear()
        assert (await client.read("battery_level")).raw == b"\x64"


@in_virtual_time
async def test_a_request_that_is_given_up_while_it_queues_is_never_sent():
    async with open_bench() as bench, bench.client() as client:
        bench.device.mute.add(READ)
        first = asyncio.ensure_future(client.read("battery_level"))
        second = asyncio.ensure_future(client.write("heart_rate_control_point", b"\x01"))
        third = asyncio.ensure_future(client.write("heart_rate_control_point", b"\x02"))
        await asyncio.sleep(1)
        second.cancel()
        bench.device.send(b"\x0b\x63")
        assert (await first).raw == b"\x63"
        await third
    assert [written.value for written in bench.device.written] == [b"\x02"]


@in_virtual_time
async def test_a_long_write_that_is_given_up_leaves_nothing_prepared():
    async with open_bench(mtu=23) as bench, bench.client() as client:
        bench.device.mute.add(PREPARE)
        job = asyncio.ensure_future(client.write("0xFF01", bytes(100)))
        await asyncio.sleep(1)
        job.cancel()
        bench.device.send(b"\x17" + bench.device.received[-1][1:])
        await asyncio.sleep(1)
        assert bench.device.received[-1] == b"\x18\x00"
        bench.device.mute.clear()
        await client.write("0xFF01", bytes(100))
    assert [written.value[:100] for written in bench.device.written] == [bytes(100)]


# Callbacks that raise


@in_virtual_time
async def test_a_notification_callback_that_raises_is_told_and_the_next_operation_works(caplog):
    def callback(sender, data):
        raise ZeroDivisionError("my callback is broken")

    async with open_bench() as bench, bench.bleak() as client:
        await client.start_notify(BATTERY_LEVEL, callback)
        with caplog.at_level(logging.ERROR):
            bench.device.notify(0x2A19, b"\x32")
            await asyncio.sleep(1)
        assert await client.read_gatt_char(BATTERY_LEVEL) == b"\x64"
        (failure,) = bench.adapter.take_callback_failures()
        assert bench.adapter.take_callback_failures() == []
    assert isinstance(failure.error, ZeroDivisionError)
    assert failure.link == "1"
    assert "0x0006" in failure.what
    assert "callback_failed" in bench.link_events()
    assert "my callback is broken" in caplog.text


@in_virtual_time
async def test_an_indication_whose_callback_raises_is_confirmed():
    def callback(sender, data):
        raise ZeroDivisionError

    async with open_bench() as bench, bench.bleak() as client:
        await client.start_notify(str(Uuid(0xFF03)), callback)
        bench.device.indicate(0xFF03, b"one")
        await asyncio.sleep(1)
    assert bench.pdus(Direction.SENT).count(b"\x1e") == 1


@in_virtual_time
async def test_a_disconnected_callback_that_raises_does_not_keep_the_link_from_ending():
    def callback(client):
        raise ZeroDivisionError("my callback is broken")

    async with open_bench() as bench:
        async with bench.bleak(ADDRESS, callback) as client:
            pass
        assert not client.is_connected
        (failure,) = bench.adapter.take_callback_failures()
        assert failure.what == "disconnected_callback"
        await client.connect()


# Establishing a link


@in_virtual_time
async def test_a_link_that_dies_while_it_comes_up_is_tried_three_times_and_counted():
    async with open_bench() as bench:
        bench.device.mute.add(0x02)
        bench.device.on_request = lambda pdu: cut(bench)
        with pytest.raises(ConnectionFailed, match="after 3 tries") as caught:
            await bench.client().connect()
        assert "0x3E" in str(caught.value)
    tries = [
        event.detail
        for event in bench.events
        if isinstance(event, LinkEvent) and event.what == "connection_try_failed"
    ]
    assert len(tries) == 3
    assert "try 2 of 3" in tries[1]


@in_virtual_time
async def test_a_second_try_that_succeeds_is_a_connection():
    async with open_bench() as bench:
        attempts = []

        def once(pdu):
            attempts.append(pdu)
            if len(attempts) == 1:
                bench.device.mute.add(0x02)
                cut(bench)
            else:
                bench.device.mute.clear()

        bench.device.on_request = once
        async with bench.client() as client:
            assert (await client.read("battery_level")).raw == b"\x64"
    assert bench.link_events()[:3] == ["connected", "disconnected", "connection_try_failed"]


@in_virtual_time
async def test_a_device_that_closes_the_link_at_once_is_to_blame_and_not_tried_again():
    async with open_bench() as bench:
        tasks = []
        bench.device.mute.add(0x02)
        bench.device.on_request = lambda pdu: tasks.append(
            asyncio.ensure_future(bench.device.hang_up())
        )
        with pytest.raises(LinkLost, match="the device closed the link"):
            await bench.client().connect()
    assert bench.link_events().count("connected") == 1


@in_virtual_time
async def test_a_link_that_is_lost_during_discovery_is_not_tried_again():
    async with open_bench() as bench:
        bench.device.on_request = lambda pdu: bench.device.vanish() if pdu[0] == 0x10 else None
        with pytest.raises(LinkLost):
            await bench.client().connect()
    assert bench.link_events().count("connected") == 1


def cut(bench):
    """End the link as a controller does that never heard its peer (0x3E)."""
    end = bench.device.connection.disconnect(0x3E)
    asyncio.ensure_future(end)  # noqa: RUF006 - ends by itself


@in_virtual_time
async def test_a_discovery_that_fails_leaves_no_link_behind():
    async with open_bench() as bench:
        bench.device.replies[0x10] = b"\x13"
        with pytest.raises(ProtocolViolation):
            await bench.client().connect()
        assert bench.adapter.links == ()
        bench.device.replies.clear()
        async with bench.client() as client:
            assert client.is_connected


# The transport closes


def test_a_read_ends_when_the_transport_closes_and_the_adapter_is_to_blame():
    async def scenario():
        air = VirtualLink()
        async with ScriptedPeripheral(air) as device:
            async with HciPort(air, "tcp-server:127.0.0.1:0") as port:
                station = await open_station(
                    f"tcp-client:127.0.0.1:{port_number(port)}",
                    name="client",
                    address=None,
                    rng=random.Random(1),
                )
                adapter = BumbleAdapter(station)
                client = BleakClient(ADDRESS, backend=BumbleClient.on(adapter))
                await client.connect()
                assert await client.read_gatt_char(BATTERY_LEVEL) == b"\x64"
                device.mute.add(READ)
                read = asyncio.ensure_future(client.read_gatt_char(BATTERY_LEVEL))
                await asyncio.sleep(0.05)
            before = loop_time()
            with pytest.raises(BleakError) as caught:
                await read
            assert isinstance(caught.value.__cause__, AdapterLost)
            with pytest.raises(AdapterLost):
                await make_client(adapter, ADDRESS).connect()
            with pytest.raises(BleakError, match="the adapter is gone"):
                await BleakClient(ADDRESS, backend=BumbleClient.on(adapter)).connect()
            with pytest.raises(BleakError, match="the adapter is gone"):
                await BleakScanner.discover(1, backend=BumbleScanner.on(adapter))
            await client.disconnect()
            await adapter.close()
            await station.close()
            assert loop_time() - before < 5

    run(scenario())


def port_number(port):
    _, _, place = port.transport.partition(":")
    return place.rpartition(":")[2]


@in_virtual_time
async def test_a_station_that_is_closed_under_its_adapter_ends_what_waits():
    async with open_bench() as bench, bench.client() as client:
        bench.device.mute.add(READ)
        read = asyncio.ensure_future(client.read("battery_level"))
        await asyncio.sleep(1)
        await bench.adapter.station.close()
        with pytest.raises(BletestError):
            await read
        with pytest.raises(AdapterLost):
            bench.adapter.check()


@in_virtual_time
async def test_closing_the_adapter_ends_its_links():
    async with open_bench() as bench:
        client = bench.client()
        await client.connect()
        await bench.adapter.close()
        assert not client.is_connected
        assert bench.adapter.links == ()


@in_virtual_time
async def test_a_controller_that_does_not_answer_is_unusable_after_5_s():
    async with open_bench() as bench:
        bench.adapter.host.hci_sink = Silence()
        before = loop_time()
        with pytest.raises(AdapterUnusable, match="did not start scanning within 5 s"):
            await bench.adapter.start_scanning(lambda sighting: None)
        assert loop_time() - before == pytest.approx(5)


class Silence:
    """A controller that takes everything and says nothing."""

    def on_packet(self, packet: bytes) -> None:
        """Take a packet."""
