"""The client of tests and checks: names, outcomes, subscriptions, and other back ends."""

import asyncio
import warnings

import pytest
from bleak import BleakClient
from bleak.exc import BleakDBusError, BleakError

from bletest.client.backend import BumbleClient
from bletest.client.gatt import GattClient
from bletest.contracts.capabilities import Capability
from bletest.contracts.events import Direction
from bletest.contracts.windows import LinkTiming
from bletest.errors import (
    AttributeMissing,
    AttributeRefused,
    CapabilityMissing,
    DeviceFault,
    SubscriptionEnded,
    TooFewNotifications,
    UnknownAttribute,
    UsageMistake,
)
from bletest.uuids import Uuid
from tests.client.support import in_virtual_time, loop_time, open_bench
from tests.support.scripted_peripheral import ADDRESS, LONG_VALUE

BATTERY = "battery_level"


@in_virtual_time
async def test_a_reading_carries_octets_time_name_and_meaning():
    async with open_bench() as bench, bench.client() as client:
        await asyncio.sleep(5)
        reading = await client.read(BATTERY)
        assert reading.raw == b"\x64"
        assert reading.time == loop_time() == client.now()
        assert reading.attribute == "battery/battery_level"
        assert reading.decoded == 100
        with pytest.raises(ValueError, match="no format"):
            _ = (
                (await client.read("0xFF05#2")).decoded
                if False
                else (await client.read("0xFF01")).decoded
            )


@in_virtual_time
async def test_a_value_is_read_by_every_kind_of_name():
    async with open_bench() as bench, bench.client() as client:
        found = client.database.services[1].characteristics[0]
        for name in (
            "battery_level",
            "battery/battery_level",
            "2A19",
            "0x2A19",
            str(Uuid(0x2A19)),
            Uuid(0x2A19),
            found,
            found.value_handle,
        ):
            assert (await client.read(name)).raw == b"\x64"


@in_virtual_time
async def test_writing_raises_what_the_device_refuses_and_names_it():
    async with open_bench() as bench, bench.client() as client:
        await client.write("heart_rate_control_point", b"\x01")
        with pytest.raises(AttributeRefused) as caught:
            await client.write("heart_rate_control_point", b"\x01\x02")
        assert caught.value.code == 0x0D
        assert str(caught.value) == (
            "write of heart_rate/heart_rate_control_point was refused: 0x0D"
            " INVALID_ATTRIBUTE_VALUE_LENGTH"
            " (the value has a length that this attribute does not allow)"
        )
        await client.write("0xFF02", b"command", response=False)
        assert (await client.read("0xFF02")).raw == b"command"


@in_virtual_time
async def test_an_attempt_answers_with_a_value_or_a_code_and_raises_neither():
    async with open_bench() as bench, bench.client() as client:
        read = await client.attempt.read(BATTERY)
        assert read.succeeded
        assert read.value == b"\x64"
        assert read.attribute == "battery/battery_level"
        assert (await client.attempt.read("heart_rate_measurement")).refused_with(0x02)
        assert (await client.attempt.write(BATTERY, b"\x01")).refused_with(0x03)
        assert (await client.attempt.write("0xFF02", b"x", response=False)).succeeded
        assert (
            await client.attempt.read_descriptor("0xFF01/characteristic_user_description")
        ).value == b"a long value"
        outcome = await client.attempt.write_descriptor(
            "0xFF01/characteristic_user_description", b"x"
        )
        assert outcome.refused_with(0x05)
        bench.device.mute.add(0x0A)
        assert (await client.attempt.read(BATTERY)).refused_with("no_answer")
        await bench.device.hang_up()
        await asyncio.sleep(1)
        assert (await client.attempt.read(BATTERY)).refused_with("link_lost")
        assert (await client.attempt.subscribe(BATTERY)).refused_with("link_lost")


@in_virtual_time
async def test_an_attempt_raises_the_callers_mistake():
    async with open_bench() as bench, bench.client() as client:
        with pytest.raises(UnknownAttribute):
            await client.attempt.read("batery_level")


@in_virtual_time
async def test_an_answer_that_breaks_the_protocol_is_a_symptom():
    async with open_bench() as bench, bench.client() as client:
        bench.device.replies[0x0A] = b"\x13"
        assert (await client.attempt.read(BATTERY)).refused_with("protocol_violation")


@in_virtual_time
async def test_descriptors_are_read_by_path_and_handle():
    async with open_bench() as bench, bench.client() as client:
        reading = await client.read_descriptor("0xFF00/0xFF01/characteristic_user_description")
        assert reading.raw == b"a long value"
        handle = client.database.services[3].characteristics[0].descriptors[0].handle
        assert handle is not None
        assert (await client.read_descriptor(handle)).raw == b"a long value"


@in_virtual_time
async def test_the_cccd_can_be_written_by_hand_where_there_is_raw_att():
    path = "battery/battery_level/client_characteristic_configuration"
    async with open_bench() as bench, bench.client() as client:
        await client.write_descriptor(path, b"\x01\x00")
        assert (await client.read_descriptor(path)).raw == b"\x01\x00"
        outcome = await client.attempt.write_descriptor(path, b"\x01")
        assert outcome.refused_with(0x0D)


@in_virtual_time
async def test_long_values_pass_through_whole():
    async with open_bench(mtu=23) as bench, bench.client() as client:
        await client.write("0xFF01", LONG_VALUE[::-1])
        assert (await client.read("0xFF01")).raw == LONG_VALUE[::-1]


# Subscriptions


async def tick(bench, count, every=1.0):
    """Notify the battery level, counting down."""
    for number in range(count):
        await asyncio.sleep(every)
        bench.device.notify(0x2A19, bytes((100 - number,)))


@in_virtual_time
async def test_take_returns_as_many_as_asked_for_as_soon_as_they_are_there():
    async with open_bench() as bench, bench.client() as client:
        async with client.subscribe(BATTERY) as notifications:
            ticking = asyncio.ensure_future(tick(bench, 5))
            before = loop_time()
            readings = await notifications.take(3, within=10)
            assert loop_time() - before == pytest.approx(3)
            last = await notifications.next(within=10)
            await ticking
            await asyncio.sleep(0.1)
        assert [reading.decoded for reading in readings] == [100, 99, 98]
        assert last.raw == b"\x61"
        assert [reading.raw for reading in notifications.received][-1] == b"\x60"


@in_virtual_time
async def test_until_drops_what_does_not_fit():
    async with open_bench() as bench, bench.client() as client:
        async with client.subscribe(BATTERY) as notifications:
            ticking = asyncio.ensure_future(tick(bench, 5))
            reading = await notifications.until(lambda one: one.raw == b"\x62", within=10)
            await ticking
            assert (await notifications.next(within=1)).raw == b"\x61"
        assert reading.raw == b"\x62"


@in_virtual_time
async def test_too_few_notifications_say_count_gaps_last_value_and_link_state():
    async with (
        open_bench() as bench,
        bench.client() as client,
        client.subscribe(BATTERY) as notifications,
    ):
        ticking = asyncio.ensure_future(tick(bench, 3))
        with pytest.raises(TooFewNotifications) as caught:
            await notifications.take(10, within=13)
        await ticking
        assert len(await notifications.take(3, within=1)) == 3
    assert str(caught.value) == (
        "battery/battery_level: 3 of 10 notifications came within 13 s\n"
        "  3 since the subscription began 13.000 s ago, the first after 1.000 s\n"
        "  gaps: 1.000 s, 1.000 s; none for the last 10.000 s\n"
        "  last value: 62\n"
        "  link: up"
    )
    assert [reading.raw for reading in caught.value.received] == [b"\x64", b"\x63", b"\x62"]


@in_virtual_time
async def test_silence_and_misfits_are_told_apart():
    async with (
        open_bench() as bench,
        bench.client() as client,
        client.subscribe(BATTERY) as notifications,
    ):
        with pytest.raises(TooFewNotifications, match="none since the subscription began"):
            await notifications.next(within=2)
        bench.device.notify(0x2A19, b"\x01")
        with pytest.raises(TooFewNotifications, match="none of 1 did"):
            await notifications.until(lambda _: False, within=2)


@in_virtual_time
async def test_a_subscription_ends_on_the_air_with_its_block():
    async with open_bench() as bench, bench.client() as client:
        async with client.subscribe(BATTERY):
            pass
        with pytest.raises(ZeroDivisionError):
            async with client.subscribe(BATTERY):
                _ = 1 / 0
        written = [one.value for one in bench.device.written]
        assert written == [b"\x01\x00", b"\x00\x00"] * 2


@in_virtual_time
async def test_subscriptions_to_one_characteristic_share_it():
    async with open_bench() as bench, bench.client() as client:
        async with client.subscribe(BATTERY) as outer:
            async with client.subscribe(BATTERY) as inner:
                bench.device.notify(0x2A19, b"\x01")
                assert (await inner.next(within=1)).raw == b"\x01"
            bench.device.notify(0x2A19, b"\x02")
            assert [one.raw for one in await outer.take(2, within=1)] == [b"\x01", b"\x02"]
        assert [one.value for one in bench.device.written] == [b"\x01\x00", b"\x00\x00"]


@in_virtual_time
async def test_a_subscription_that_is_refused_raises_and_leaves_nothing_behind():
    async with open_bench() as bench, bench.client() as client:
        bench.device.replies[0x12] = bytes((0x01, 0x12, 7, 0, 0x11))
        with pytest.raises(AttributeRefused, match="subscribe of battery/battery_level"):
            async with client.subscribe(BATTERY):
                pass
        assert (await client.attempt.subscribe(BATTERY)).refused_with(0x11)
        bench.device.replies.clear()
        async with client.subscribe(BATTERY) as notifications:
            bench.device.notify(0x2A19, b"\x01")
            await notifications.next(within=1)


@in_virtual_time
async def test_an_attempt_to_subscribe_lasts_until_it_is_undone():
    async with open_bench() as bench, bench.client() as client:
        assert (await client.attempt.subscribe(BATTERY)).succeeded
        async with client.subscribe(BATTERY):
            pass
        assert bench.device.written[-1].value == b"\x01\x00"
        assert (await client.attempt.unsubscribe(BATTERY)).succeeded
        assert bench.device.written[-1].value == b"\x00\x00"


@in_virtual_time
async def test_a_characteristic_that_does_not_notify_cannot_be_subscribed_to():
    async with open_bench() as bench, bench.client() as client:
        with pytest.raises(AttributeMissing, match="neither notify nor indicate"):
            async with client.subscribe("body_sensor_location"):
                pass
        outcome = await client.attempt.subscribe("body_sensor_location")
        assert outcome.refused_with("attribute_missing")


@in_virtual_time
async def test_a_subscription_that_is_given_up_while_it_starts_leaves_nothing_behind():
    async with open_bench() as bench, bench.client() as client:
        bench.device.mute.add(0x12)
        with pytest.raises(TimeoutError):
            await give_up_after(1, client)
        bench.device.mute.clear()
        bench.device.send(b"\x13")
        async with client.subscribe(BATTERY) as notifications:
            bench.device.notify(0x2A19, b"\x01")
            await notifications.next(within=1)
        assert [one.value for one in bench.device.written] == [b"\x01\x00", b"\x00\x00"]


async def give_up_after(seconds, client):
    async with asyncio.timeout(seconds), client.subscribe(BATTERY):
        pass


@in_virtual_time
async def test_a_client_that_nobody_tells_of_the_end_of_the_link_finds_out_at_the_deadline():
    async with open_bench() as bench:
        backend = BumbleClient.on(bench.adapter)
        async with (
            GattClient(BleakClient(ADDRESS, backend=backend)) as client,
            client.subscribe(BATTERY) as notifications,
        ):
            await bench.device.hang_up()
            with pytest.raises(SubscriptionEnded):
                await notifications.next(within=5)


# Raw ATT


@in_virtual_time
async def test_any_pdu_can_be_sent_and_its_answer_awaited():
    async with open_bench() as bench, bench.client() as client:
        assert await client.exchange(b"\x0a\x06\x00") == b"\x0b\x64"
        assert await client.exchange(b"\x0a\xff\x0f") == b"\x01\x0a\xff\x0f\x01"
        assert await client.exchange(b"\x0a\x06") == b"\x01\x0a\x00\x00\x04"
        assert await client.exchange(b"\x3a\x01") == b"\x01\x3a\x00\x00\x06"


@in_virtual_time
async def test_silence_is_none_and_the_client_goes_on():
    async with open_bench() as bench, bench.client() as client:
        before = loop_time()
        assert await client.exchange(b"\x52\x15\x00x", within=2) is None
        assert loop_time() - before == pytest.approx(2)
        assert await client.exchange(b"\xd2\x00", within=30) is None
        assert (await client.read("0xFF02")).raw == b"x"
        client.send(b"\x52\x15\x00y")
        assert (await client.read("0xFF02")).raw == b"y"


@in_virtual_time
async def test_notifications_are_no_answers():
    async with (
        open_bench() as bench,
        bench.client() as client,
        client.subscribe(BATTERY) as notifications,
    ):
        bench.device.mute.add(0x0A)
        loop = asyncio.get_running_loop()
        loop.call_later(1, bench.device.notify, 0x2A19, b"\x01")
        loop.call_later(2, bench.device.send, b"\x0b\x05")
        assert await client.exchange(b"\x0a\x06\x00") == b"\x0b\x05"
        assert (await notifications.next(within=0.1)).raw == b"\x01"


@in_virtual_time
async def test_an_mtu_exchanged_by_hand_counts():
    async with open_bench(mtu=23) as bench, bench.client() as client:
        assert client.mtu == 23
        assert await client.exchange(b"\x02\x64\x00") == b"\x03\x05\x02"
        assert client.mtu == 100


@in_virtual_time
async def test_raw_exchanges_and_reads_take_turns():
    async with open_bench() as bench, bench.client() as client:
        results = await asyncio.gather(
            client.read(BATTERY),
            client.exchange(b"\x0a\x0d\x00"),
            client.read(BATTERY),
            client.exchange(b"\x0a\x0d\x00"),
        )
    assert results[1] == results[3] == b"\x0b\x01"
    assert results[0].raw == results[2].raw == b"\x64"


@in_virtual_time
async def test_every_pdu_is_in_the_events_with_its_direction():
    async with open_bench() as bench, bench.client() as client:
        await client.exchange(b"\x0a\x06\x00")
        assert bench.pdus(Direction.SENT)[-1] == b"\x0a\x06\x00"
        assert bench.pdus(Direction.RECEIVED)[-1] == b"\x0b\x64"


# What it is


@in_virtual_time
async def test_an_adapter_of_ours_can_do_everything_that_a_client_can():
    async with open_bench() as bench, bench.client(capabilities=[Capability.PRISTINE]) as client:
        assert client.capabilities == {
            Capability.RAW_ATT,
            Capability.PAIRING,
            Capability.PAIRING_CHOICE,
            Capability.HANDLES,
            Capability.MTU_CHOICE,
            Capability.ALL_SERVICES,
            Capability.PRISTINE,
        }
        assert client.mtu == 517
        assert client.advertisement is None
        assert client.timing.interval > 0
        assert client.timing.latency == 0
        bench.adapter.timing = LinkTiming(slack=0.5)
        assert client.timing == LinkTiming(slack=0.5)


@in_virtual_time
async def test_the_database_outlives_the_link_and_does_not_exist_before_it():
    async with open_bench() as bench:
        client = bench.client()
        with pytest.raises(UsageMistake):
            _ = client.database
        await client.connect()
        before = client.database
        await client.reconnect()
        assert client.database == before
        assert (await client.read(before.services[1].characteristics[0])).raw == b"\x64"
        await client.disconnect()
        assert client.database == before


@in_virtual_time
async def test_a_body_that_raises_is_heard_even_if_disconnecting_fails():
    async with open_bench() as bench:
        with pytest.raises(ZeroDivisionError):
            await fail_inside(bench)


async def fail_inside(bench):
    """Lose the controller, then raise, in the body of a client."""
    async with bench.client():
        bench.adapter.host.hci_sink = None
        raise ZeroDivisionError


# Other back ends


class Coarse(BumbleClient):
    """A back end with the limits of BlueZ: no handles we know, one text for three codes."""

    failure: BaseException | None = None

    async def read_gatt_char(self, characteristic, *, use_cached=False, **kwargs):
        if self.failure is not None:
            raise self.failure
        return await super().read_gatt_char(characteristic)

    async def pair(self, *args, **kwargs):
        raise NotImplementedError("no pairing here")

    @property
    def mtu_size(self):
        warnings.warn("the MTU is not known", UserWarning, stacklevel=2)
        return 23


@in_virtual_time
async def test_a_client_on_a_back_end_that_is_not_ours_speaks_only_bleak():
    async with open_bench() as bench:
        backend = Coarse.on(bench.adapter)
        async with GattClient(BleakClient(ADDRESS, backend=backend)) as client:
            assert client.mtu == 23
            assert client.is_encrypted is None
            assert client.timing == LinkTiming()
            assert client.capabilities == frozenset()
            assert (await client.read(BATTERY)).raw == b"\x64"
            with pytest.raises(CapabilityMissing, match="raw PDUs") as caught:
                await client.exchange(b"\x0a\x06\x00")
            assert caught.value.capability == "raw_att"
            with pytest.raises(CapabilityMissing, match="without a subscription") as caught:
                await client.unasked(within=1)
            assert caught.value.capability == "raw_att"
            with pytest.raises(CapabilityMissing):
                await client.attempt.write_descriptor(
                    "battery/battery_level/client_characteristic_configuration", b"\x01\x00"
                )
            with pytest.raises(CapabilityMissing, match="cannot pair") as caught:
                await client.pair()
            assert caught.value.capability == "pairing"


@pytest.mark.parametrize(
    ("failure", "symptom"),
    [
        (BleakDBusError("org.bluez.Error.NotPermitted", ["Not paired"]), "not_paired"),
        (BleakError("Not connected"), "link_lost"),
        (TimeoutError(), "no_answer"),
    ],
)
@in_virtual_time
async def test_what_a_coarse_back_end_says_becomes_a_symptom(failure, symptom):
    async with open_bench() as bench:
        backend = Coarse.on(bench.adapter)
        async with GattClient(BleakClient(ADDRESS, backend=backend)) as client:
            backend.failure = failure
            assert (await client.attempt.read(BATTERY)).refused_with(symptom)
            with pytest.raises(DeviceFault):
                await client.read(BATTERY)
