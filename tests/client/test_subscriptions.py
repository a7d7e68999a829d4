"""A queue of notifications by itself: order, deadlines, and its messages."""

import asyncio

import pytest

from bletest.client.subscriptions import NotificationQueue, describe_gaps
from bletest.contracts.client import Reading
from bletest.errors import AdapterLost, LinkLost, SubscriptionEnded, TooFewNotifications
from tests.client.support import in_virtual_time, loop_time


def queue() -> NotificationQueue:
    return NotificationQueue("battery/battery_level", now=asyncio.get_running_loop().time)


def put(target: NotificationQueue, value: bytes) -> None:
    target.put(Reading(value, loop_time()))


@in_virtual_time
async def test_what_came_before_is_taken_without_waiting():
    notifications = queue()
    for value in (b"a", b"b", b"c"):
        put(notifications, value)
    before = loop_time()
    assert [one.raw for one in await notifications.take(2, within=0)] == [b"a", b"b"]
    assert (await notifications.next(within=0)).raw == b"c"
    assert loop_time() == before


@in_virtual_time
async def test_taking_none_waits_for_nothing():
    assert await queue().take(0, within=10) == []


@in_virtual_time
async def test_a_deadline_counts_for_all_of_them_together():
    notifications = queue()
    loop = asyncio.get_running_loop()
    for second in range(1, 10):
        loop.call_later(second, put, notifications, b"x")
    before = loop_time()
    with pytest.raises(TooFewNotifications):
        await notifications.take(9, within=5.5)
    assert loop_time() - before == pytest.approx(5.5)
    assert len(notifications.received) == 5


@in_virtual_time
async def test_what_was_not_enough_can_still_be_taken():
    notifications = queue()
    put(notifications, b"a")
    with pytest.raises(TooFewNotifications) as caught:
        await notifications.take(2, within=1)
    assert [one.raw for one in caught.value.received] == [b"a"]
    assert (await notifications.next(within=0)).raw == b"a"


@in_virtual_time
async def test_the_end_of_the_link_wakes_who_waits_and_fails_who_comes_later():
    notifications = queue()
    end = LinkLost("the link ended: 0x13", reason=0x13)
    asyncio.get_running_loop().call_later(2, notifications.end, end)
    with pytest.raises(SubscriptionEnded, match="0x13") as caught:
        await notifications.next(within=100)
    assert caught.value.reason == 0x13
    assert loop_time() == pytest.approx(2)
    with pytest.raises(SubscriptionEnded):
        await notifications.until(lambda _: True, within=100)
    assert loop_time() == pytest.approx(2)


@in_virtual_time
async def test_what_came_before_the_end_can_still_be_taken():
    notifications = queue()
    put(notifications, b"a")
    notifications.end(LinkLost("gone"))
    assert (await notifications.next(within=1)).raw == b"a"


@in_virtual_time
async def test_a_lost_adapter_is_not_the_devices_fault():
    notifications = queue()
    notifications.end(AdapterLost("unplugged"))
    with pytest.raises(AdapterLost, match="unplugged"):
        await notifications.next(within=1)


@pytest.mark.parametrize(
    ("gaps", "text"),
    [
        ([], "none"),
        ([1.0, 0.25], "1.000 s, 0.250 s"),
        ([1.0] * 8 + [3.0], "1.000 s to 3.000 s, 1.222 s on average"),
    ],
)
def test_a_few_gaps_are_listed_and_many_are_summed_up(gaps, text):
    assert describe_gaps(gaps) == text
