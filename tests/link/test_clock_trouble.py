"""An event that never comes is reported by name, and the loop goes on afterwards."""

import asyncio
import itertools
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from bletest.errors import BenchTrouble, CeilingReached, ClockDeadlock
from bletest.link.clock import Ceiling, VirtualClockLoop, new_loop, run


async def waits_for_ever(event: asyncio.Event) -> None:
    await event.wait()


async def ticks(every: float = 1.0) -> None:
    for _ in itertools.count():
        await asyncio.sleep(every)


def trouble_of(main: Coroutine[Any, Any, Any], ceiling: Ceiling | None = None) -> BenchTrouble:
    began = time.monotonic()
    with pytest.raises(BenchTrouble) as caught:
        run(main, ceiling=ceiling)
    assert time.monotonic() - began < 10
    return caught.value


def test_an_event_that_never_comes_is_reported_with_name_place_and_what_is_awaited():
    async def main() -> None:
        await asyncio.create_task(waits_for_ever(asyncio.Event()), name="the listener")

    trouble = trouble_of(main())
    assert isinstance(trouble, ClockDeadlock)
    lines = trouble.message.splitlines()
    (listener,) = [line for line in lines if "the listener:" in line]
    assert "waits_for_ever" in listener
    assert f"test_clock_trouble.py:{waits_for_ever.__code__.co_firstlineno + 1}" in listener
    assert "await event.wait()" in listener
    assert "Event.wait" in listener
    (waiter,) = [line for line in lines if "main at" in line]
    assert "task the listener" in waiter


def test_a_future_that_nobody_sets_is_named_by_the_line_that_awaits_it():
    async def main() -> None:
        answer = asyncio.get_running_loop().create_future()
        await answer

    assert "await answer  [Future]" in trouble_of(main()).message


def test_tasks_are_named_in_the_order_in_which_they_were_made():
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(waits_for_ever(asyncio.Event()), name=f"w{number}")

    message = trouble_of(main()).message
    places = [message.index(f"w{number}:") for number in range(12)]
    assert places == sorted(places)


def test_the_task_is_cancelled_so_that_it_can_clean_up():
    cleaned = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            cleaned.append(asyncio.get_running_loop().time())

    trouble = trouble_of(main())
    assert cleaned == [1.0]
    assert isinstance(trouble.__cause__, asyncio.CancelledError)


def test_trouble_is_raised_even_if_the_task_turns_the_cancellation_into_its_own_error():
    async def main() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("something else") from None

    trouble = trouble_of(main())
    assert isinstance(trouble, ClockDeadlock)
    assert isinstance(trouble.__cause__, ValueError)


def test_trouble_is_raised_even_if_the_task_swallows_the_cancellation():
    async def main() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "fine"
        return "never"

    assert isinstance(trouble_of(main()), ClockDeadlock)


def test_a_task_that_hangs_again_while_it_cleans_up_is_cancelled_again():
    attempts = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await asyncio.Event().wait()
            finally:
                attempts.append("second")

    assert isinstance(trouble_of(main()), ClockDeadlock)
    assert attempts == ["second"]


def test_a_task_that_refuses_to_end_is_abandoned_and_the_loop_works_on():
    give_up = asyncio.Event()

    async def stubborn() -> None:
        while not give_up.is_set():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    loop = new_loop()
    try:
        stuck = loop.create_task(stubborn())
        with pytest.raises(ClockDeadlock, match="stubborn"):
            loop.run_until_complete(stuck)
        assert loop.run_until_complete(asyncio.sleep(1, "works")) == "works"
        give_up.set()
        stuck.cancel()
        loop.run_until_complete(stuck)
    finally:
        loop.close()


def test_the_loop_serves_the_next_test_after_trouble():
    loop = new_loop()
    try:
        for _ in range(3):
            with pytest.raises(ClockDeadlock):
                loop.run_until_complete(waits_for_ever(asyncio.Event()))
            assert loop.run_until_complete(asyncio.sleep(2, "next")) == "next"
        assert loop.time() == 6.0
    finally:
        loop.close()


def test_an_error_of_the_test_itself_is_left_alone():
    async def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main())


def test_a_plain_cancellation_is_left_alone():
    async def main() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(main())


def test_a_ticker_beside_an_event_that_never_comes_reaches_the_virtual_ceiling():
    async def main() -> None:
        heartbeat = asyncio.create_task(ticks(), name="the heartbeat")
        await waits_for_ever(asyncio.Event())
        heartbeat.cancel()

    trouble = trouble_of(main(), Ceiling(virtual=60, real=None))
    assert isinstance(trouble, CeilingReached)
    ticking, waiting = trouble.message.split("ticking:")[1].split("waiting:")
    assert "the heartbeat" in ticking
    assert "asyncio.sleep(every)" in ticking
    assert "waits_for_ever" in waiting
    assert "the heartbeat" not in waiting


def test_a_ticker_beside_an_event_that_never_comes_reaches_the_real_ceiling():
    async def main() -> None:
        heartbeat = asyncio.create_task(ticks(), name="the heartbeat")
        await waits_for_ever(asyncio.Event())
        heartbeat.cancel()

    trouble = trouble_of(main(), Ceiling(virtual=None, real=0.1))
    assert isinstance(trouble, CeilingReached)
    assert "the heartbeat" in trouble.message.split("waiting:")[0]
    assert "waits_for_ever" in trouble.message.split("waiting:")[1]


def test_a_callback_that_sets_its_own_timer_again_is_named_as_what_ticks():
    async def main() -> None:
        def again() -> None:
            asyncio.get_running_loop().call_later(1, again)

        again()
        await waits_for_ever(asyncio.Event())

    message = trouble_of(main(), Ceiling(virtual=60)).message
    assert "main.<locals>.again" in message.split("waiting:")[0]


def test_polling_with_sleep_0_reaches_the_real_ceiling():
    async def main() -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    assert isinstance(trouble_of(main(), Ceiling(real=0.1)), CeilingReached)


def test_a_silent_outside_reaches_the_real_ceiling():
    async def main() -> None:
        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read()
            finally:
                writer.close()

        async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            try:
                await reader.read()
            finally:
                writer.close()

    trouble = trouble_of(main(), Ceiling(real=0.1))
    assert isinstance(trouble, CeilingReached)
    assert "await reader.read()" in trouble.message


def test_time_that_is_held_for_ever_reaches_the_real_ceiling():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualClockLoop)
        with loop.hold():
            await asyncio.sleep(1)

    assert isinstance(trouble_of(main(), Ceiling(real=0.1)), CeilingReached)


def test_ceilings_count_from_the_start_of_each_test():
    loop = new_loop()
    loop.ceiling = Ceiling(virtual=10, real=60)
    try:
        for _ in range(5):
            loop.start_ceiling()
            loop.run_until_complete(asyncio.sleep(9))
        with pytest.raises(CeilingReached, match="10 s of virtual time"):
            loop.run_until_complete(asyncio.sleep(9))
        loop.stop_ceiling()
        loop.run_until_complete(asyncio.sleep(1000))
    finally:
        loop.close()


def test_there_is_time_to_clean_up_beyond_the_ceiling():
    cleaned = []

    async def main() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(30)
            cleaned.append(asyncio.get_running_loop().time())

    trouble_of(main(), Ceiling(virtual=60))
    assert cleaned == [30.0]


def test_a_runner_as_pytest_uses_it_sees_the_trouble_and_goes_on():
    with asyncio.Runner(loop_factory=new_loop) as runner:
        with pytest.raises(ClockDeadlock):
            runner.run(waits_for_ever(asyncio.Event()))
        assert runner.run(asyncio.sleep(1, "next")) == "next"
        loop = runner.get_loop()
        assert isinstance(loop, VirtualClockLoop)
        assert loop.time() == 1.0
