"""What a caller of the ATT driver waits for: soon, late, never, and in vain."""

import asyncio

import pytest

from bletest.client.work import Work
from tests.client.support import in_virtual_time


@in_virtual_time
async def test_a_result_that_is_there_costs_no_turn_of_the_loop():
    turns = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    work: Work[bytes] = Work(asyncio.get_running_loop(), None)
    work.finish(b"value")
    assert await work == b"value"
    assert turns == []


@in_virtual_time
async def test_a_result_of_the_next_turn_wakes_its_caller_in_that_turn():
    loop = asyncio.get_running_loop()
    work: Work[bytes] = Work(loop, None)
    turns = []
    loop.call_soon(work.finish, b"value")
    loop.call_soon(lambda: loop.call_soon(turns.append, "another turn"))
    assert await work == b"value"
    assert turns == []


@pytest.mark.parametrize("delay", [0.0, 1.0])
@in_virtual_time
async def test_a_late_result_and_a_late_error_reach_their_caller(delay):
    loop = asyncio.get_running_loop()
    good: Work[bytes] = Work(loop, None)
    bad: Work[bytes] = Work(loop, None)
    loop.call_later(delay, good.finish, b"value")
    loop.call_later(delay, bad.fail, ValueError("no"))
    assert await good == b"value"
    with pytest.raises(ValueError, match="no"):
        await bad


@pytest.mark.parametrize("turns", [1, 3])
@in_virtual_time
async def test_a_caller_who_leaves_is_not_waited_for_any_more(turns):
    loop = asyncio.get_running_loop()
    work: Work[bytes] = Work(loop, None)

    async def wait() -> bytes:
        return await work

    task = asyncio.create_task(wait())
    for _ in range(turns):
        await asyncio.sleep(0)
    assert not work.is_over
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.is_over
    work.finish(b"value")  # nobody is there to hear it, and that is no mistake
