"""What a device sends although nobody subscribed: kept, named, handed out once."""

import asyncio

import pytest

from bletest.client.driver import UNASKED_KEPT, AttDriver
from bletest.client.raw import Unasked
from bletest.errors import LinkLost
from tests.client.support import in_virtual_time, loop_time, open_bench

BATTERY = "battery/battery_level"


class Owner:
    """Whoever a driver works for, with an ear for what it sends."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send_att(self, pdu: bytes) -> None:
        self.sent.append(pdu)

    def on_callback_failed(self, value_handle: int, error: Exception) -> None:
        raise error

    def on_unexpected(self, pdu: bytes, reason: str) -> None:
        raise AssertionError(reason)

    def confirm(self, value_handle: int, confirmation: bytes) -> None:
        self.send_att(confirmation)

    def on_timeout(self, request: bytes) -> None:
        raise AssertionError(request)


# The driver


@in_virtual_time
async def test_what_comes_without_a_listener_is_kept_with_its_time_and_handed_out_once():
    owner = Owner()
    driver = AttDriver(owner, asyncio.get_running_loop())
    heard: list[bytes] = []
    driver.listen(7, heard.append)
    driver.receive(b"\x1b\x03\x00a")
    driver.receive(b"\x1b\x07\x00heard")
    await asyncio.sleep(2)
    driver.receive(b"\x1d\x05\x00b")
    driver.receive(b"\x23\x03\x00\x01\x00c\x07\x00\x01\x00d")
    now = loop_time()
    assert driver.take_unasked() == [
        Unasked(3, b"a", now - 2),
        Unasked(5, b"b", now),
        Unasked(3, b"c", now),
    ]
    assert driver.take_unasked() == []
    assert heard == [b"heard", b"d"]
    assert owner.sent == [b"\x1e"]


@in_virtual_time
async def test_of_very_many_the_latest_are_kept():
    driver = AttDriver(Owner(), asyncio.get_running_loop())
    for number in range(UNASKED_KEPT + 3):
        driver.receive(b"\x1b\x03\x00" + number.to_bytes(2, "little"))
    numbers = [int.from_bytes(one.value, "little") for one in driver.take_unasked()]
    assert numbers == list(range(3, UNASKED_KEPT + 3))


# The client


@in_virtual_time
async def test_what_comes_from_the_connection_on_has_name_time_and_meaning():
    async with open_bench() as bench:

        def send_at_the_first_request(_: bytes) -> None:
            bench.device.on_request = None
            bench.device.notify(0x2A19, b"\x32")

        bench.device.on_request = send_at_the_first_request
        async with bench.client() as client:
            connected = loop_time()
            asyncio.get_running_loop().call_later(2, bench.device.indicate, 0xFF03, b"\x01")
            early, late = await client.unasked(within=3)
            assert loop_time() == pytest.approx(connected + 3)
    assert (early.attribute, early.raw, early.decoded) == (BATTERY, b"\x32", 50)
    assert early.time <= connected
    assert (late.attribute, late.raw) == ("0xFF00/0xFF03", b"\x01")
    assert late.time == pytest.approx(connected + 2, abs=0.1)


@in_virtual_time
async def test_each_is_returned_once_and_none_outlives_its_connection():
    async with open_bench() as bench, bench.client() as client:
        bench.device.notify(0x2A19, b"\x01")
        assert [one.raw for one in await client.unasked(within=1)] == [b"\x01"]
        assert await client.unasked(within=1) == []
        bench.device.notify(0x2A19, b"\x02")
        await asyncio.sleep(1)
        await client.reconnect()
        assert await client.unasked(within=0) == []


@in_virtual_time
async def test_what_is_subscribed_to_is_not_unasked_until_the_subscription_ends():
    async with open_bench() as bench, bench.client() as client:
        async with client.subscribe(BATTERY) as notifications:
            bench.device.notify(0x2A19, b"\x01")
            await notifications.next(within=1)
            assert await client.unasked(within=1) == []
        bench.device.notify(0x2A19, b"\x02")
        assert [one.raw for one in await client.unasked(within=1)] == [b"\x02"]


@in_virtual_time
async def test_a_handle_that_is_no_value_is_called_by_its_number():
    async with open_bench() as bench, bench.client() as client:
        bench.device.send(b"\x1b\x34\x12x")
        [reading] = await client.unasked(within=1)
        assert (reading.attribute, reading.raw) == ("handle 0x1234", b"x")
        with pytest.raises(ValueError, match="no format"):
            _ = reading.decoded


@in_virtual_time
async def test_waiting_for_it_ends_with_the_link():
    async with open_bench() as bench, bench.client() as client:
        bench.device.notify(0x2A19, b"\x01")
        hanging_up = asyncio.ensure_future(bench.device.hang_up())
        before = loop_time()
        with pytest.raises(LinkLost, match="the device closed the link") as caught:
            await client.unasked(within=3600)
        await hanging_up
        assert loop_time() - before < 60
        assert caught.value.reason == 0x13
        with pytest.raises(LinkLost):
            await client.unasked(within=3600)
