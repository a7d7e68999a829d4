"""Threads and the clock: time stands still while they work, and moves while they wait."""

import asyncio
import concurrent.futures
import contextlib
import re
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bletest.errors import CeilingReached, ClockDeadlock
from bletest.link.clock import Ceiling, VirtualClockLoop, hold, real_time, run
from bletest.link.holds import Hold

WORK = 0.02
"""Seconds a thread works in these tests: long against a jump of the clock."""


def clock() -> VirtualClockLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    return loop


class Caller:
    """What a thread uses to call into a loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def call(self, coroutine: Coroutine[Any, Any, Any], timeout: float | None = None) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def now(self) -> float:
        return self.loop.time()


@contextlib.asynccontextmanager
async def ticker() -> Any:
    """Something that always has a timer set, so that time moves whenever it may."""

    loop = asyncio.get_running_loop()
    timer: list[asyncio.TimerHandle] = []

    def tick() -> None:
        timer[:] = [loop.call_later(0.01, tick)]

    tick()
    yield
    timer[0].cancel()


def works_and_calls(caller: Caller) -> list[float]:
    moments = []
    for delay in (10.0, 0.5, 0.0, 36.0):
        time.sleep(WORK)
        moments.append(caller.now())
        caller.call(asyncio.sleep(delay))
        moments.append(caller.now())
    time.sleep(WORK)
    moments.append(caller.now())
    return moments


EXACTLY = [0.0, 10.0, 10.0, 10.5, 10.5, 10.5, 10.5, 46.5, 46.5]


@pytest.mark.parametrize("beside", [ticker, contextlib.AsyncExitStack], ids=["ticker", "alone"])
def test_a_job_of_an_executor_that_calls_in_is_timed_exactly(beside: Callable[[], Any]) -> None:
    async def main() -> list[float]:
        async with beside():
            return await asyncio.to_thread(works_and_calls, Caller(clock()))

    assert run(main()) == EXACTLY


@pytest.mark.parametrize("beside", [ticker, contextlib.AsyncExitStack], ids=["ticker", "alone"])
def test_a_thread_of_ones_own_that_holds_is_timed_exactly(beside: Callable[[], Any]) -> None:
    moments: list[float] = []

    def work(caller: Caller, held: Hold, ended: asyncio.Event) -> None:
        with held:
            moments.extend(works_and_calls(caller))
            caller.loop.call_soon_threadsafe(ended.set)

    async def main() -> float:
        async with beside():
            ended = asyncio.Event()
            threading.Thread(target=work, args=(Caller(clock()), hold(), ended)).start()
            async with asyncio.timeout(50):
                await ended.wait()
            return clock().time()

    assert run(main()) == 46.5
    assert moments == EXACTLY


def test_many_threads_take_turns_without_losing_a_moment() -> None:
    def work(caller: Caller, every: float) -> list[float]:
        moments = []
        for _ in range(20):
            caller.call(asyncio.sleep(every))
            time.sleep(0.0005)
            moments.append(round(caller.now(), 6))
        return moments

    async def main() -> list[list[float]]:
        caller = Caller(clock())
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            jobs = [clock().run_in_executor(pool, work, caller, every) for every in range(1, 9)]
            return await asyncio.gather(*jobs)

    for every, moments in enumerate(run(main()), 1):
        assert moments == [every * count for count in range(1, 21)]


def test_a_timeout_of_a_waiting_thread_is_on_the_loops_clock() -> None:
    def work(caller: Caller) -> tuple[float, float, bool]:
        began = time.monotonic()
        future = asyncio.run_coroutine_threadsafe(asyncio.sleep(100), caller.loop)
        with pytest.raises(TimeoutError):
            future.result(30)
        at = caller.now()
        assert future.exception(71) is None
        return at, caller.now(), time.monotonic() - began < 10

    async def main() -> tuple[float, float, bool]:
        return await asyncio.to_thread(work, Caller(clock()))

    assert run(main()) == (30.0, 100.0, True)


def test_a_timeout_that_was_not_needed_moves_nothing() -> None:
    async def main() -> float:
        caller = Caller(clock())
        await asyncio.to_thread(lambda: caller.call(asyncio.sleep(1), timeout=50))
        with pytest.raises(ClockDeadlock):
            raise await deadlock()
        return clock().time()

    async def deadlock() -> BaseException:
        # Were the timer of 50 s still set, time would jump there first.
        return ClockDeadlock("", remedy="") if not clock()._scheduled else AssertionError()

    assert run(main()) == 1.0


def test_what_a_coroutine_raises_reaches_the_thread() -> None:
    async def refuse() -> None:
        await asyncio.sleep(5)
        raise ValueError("no")

    async def main() -> float:
        with pytest.raises(ValueError, match="no"):
            await asyncio.to_thread(Caller(clock()).call, refuse())
        return clock().time()

    assert run(main()) == 5.0


def test_a_call_that_is_cancelled_wakes_the_thread() -> None:
    async def main() -> tuple[float, str]:
        caller = Caller(clock())
        future = asyncio.run_coroutine_threadsafe(asyncio.sleep(1000), caller.loop)

        def work() -> str:
            try:
                future.result()
            except concurrent.futures.CancelledError:
                return "cancelled"
            return "done"

        job = asyncio.create_task(asyncio.to_thread(work))
        await asyncio.sleep(7)
        future.cancel()
        return clock().time(), await job

    assert run(main()) == (7.0, "cancelled")


def test_a_future_that_is_done_already_is_read_without_the_loop() -> None:
    async def main() -> tuple[str, str]:
        loop = clock()

        async def answer() -> str:
            return "answer"

        def work() -> tuple[str, str]:
            future = asyncio.run_coroutine_threadsafe(answer(), loop)
            return future.result(), future.result(5)

        return await asyncio.to_thread(work)

    assert run(main()) == ("answer", "answer")


def test_a_job_whose_caller_gave_up_holds_until_it_ends() -> None:
    async def main() -> tuple[float, float]:
        loop, go_on = clock(), threading.Event()
        job = loop.run_in_executor(None, go_on.wait)
        await asyncio.sleep(0)
        job.cancel()
        threading.Timer(0.05, go_on.set).start()
        began = time.monotonic()
        await asyncio.sleep(1000)
        return time.monotonic() - began, loop.time()

    real, virtual = run(main())
    assert real >= 0.04
    assert virtual == 1000.0


def test_a_job_that_never_began_holds_nothing_after_it_was_cancelled() -> None:
    async def main() -> float:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            go_on = threading.Event()
            first = clock().run_in_executor(pool, go_on.wait)
            second = clock().run_in_executor(pool, time.sleep, 100)
            await asyncio.sleep(0)
            second.cancel()
            go_on.set()
            await first
        await asyncio.sleep(50)
        return clock().time()

    assert run(main()) == 50.0


def test_a_job_of_another_process_holds_too() -> None:
    async def main() -> tuple[float, float]:
        with concurrent.futures.ProcessPoolExecutor(1) as pool:
            async with asyncio.timeout(0.001):
                answer = await clock().run_in_executor(pool, pow, 2.0, 3)
        return answer, clock().time()

    assert run(main()) == (8.0, 0.0)


def test_an_executor_that_takes_nothing_more_leaves_no_hold() -> None:
    async def main() -> float:
        pool = concurrent.futures.ThreadPoolExecutor(1)
        pool.shutdown()
        with pytest.raises(RuntimeError):
            clock().run_in_executor(pool, print)
        await asyncio.sleep(5)
        return clock().time()

    assert run(main()) == 5.0


def test_shutting_down_waits_for_a_job_that_still_waits_for_the_loop() -> None:
    async def main() -> tuple[float, float]:
        caller = Caller(clock())

        def work() -> float:
            for _ in range(3):
                time.sleep(WORK)
                caller.call(asyncio.sleep(10))
            return caller.now()

        job = asyncio.create_task(asyncio.to_thread(work))
        await asyncio.sleep(1)
        async with asyncio.timeout(100):
            await clock().shutdown_default_executor()
        return clock().time(), await job

    assert run(main()) == (30.0, 30.0)


def test_shutting_down_takes_no_time() -> None:
    async def main() -> float:
        await asyncio.to_thread(int)
        async with asyncio.timeout(0.001):
            await clock().shutdown_default_executor()
        return clock().time()

    assert run(main()) == 0.0


def test_a_thread_may_also_only_call_back() -> None:
    async def main() -> float:
        loop, answered = clock(), loop_future()

        def work(held: Hold) -> None:
            with held:
                time.sleep(WORK)
                loop.call_soon_threadsafe(lambda: answered.set_result(loop.time()))

        threading.Thread(target=work, args=(hold(),)).start()
        async with asyncio.timeout(0.001), ticker():
            return await answered

    assert run(main()) == 0.0


def loop_future() -> "asyncio.Future[float]":
    return asyncio.get_running_loop().create_future()


def test_holds_add_up_and_releasing_twice_is_harmless() -> None:
    async def main() -> float:
        one, other = hold(), hold()
        one.release()
        one.release()
        loop = clock()
        threading.Timer(0.05, lambda: loop.call_soon_threadsafe(other.release)).start()
        began = time.monotonic()
        await asyncio.sleep(10)
        return time.monotonic() - began

    assert run(main()) >= 0.04


def test_holding_does_nothing_where_time_is_real() -> None:
    async def main() -> float:
        began = time.monotonic()
        with hold():
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    assert asyncio.run(main()) >= 0.019


def test_name_resolution_holds() -> None:
    async def main() -> float:
        async with asyncio.timeout(0.001):
            await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
        return clock().time()

    assert run(main()) == 0.0


def trouble_of(main: Coroutine[Any, Any, Any], kind: type[Exception], **ceiling: float) -> str:
    with pytest.raises(kind) as caught:
        run(main, ceiling=Ceiling(**ceiling) if ceiling else None)
    return str(caught.value)


def test_a_thread_that_waits_for_what_never_comes_is_a_deadlock_told_at_once() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        loop = clock()
        await asyncio.to_thread(lambda: Caller(loop).call(never()))

    said = trouble_of(main(), ClockDeadlock)
    assert "never at" in said
    # Other threads of this process are none of this test's business.
    (line,) = re.findall(r"^  asyncio_0: .*", said.split("\nthreads:")[1], re.M)
    assert "test_clock_threads.py" in line


def test_a_thread_that_the_clock_does_not_know_is_named_with_a_remedy() -> None:
    go_on = threading.Event()

    async def main() -> None:
        event = asyncio.Event()
        threading.Thread(target=go_on.wait, name="the app").start()
        await event.wait()

    try:
        said = trouble_of(main(), ClockDeadlock)
    finally:
        go_on.set()
    assert "\n  the app: " in said.split("\nthreads:")[1]
    assert "bletest.link.clock.hold" in said


def test_what_holds_the_clock_for_ever_is_named() -> None:
    go_on = threading.Event()

    def stuck() -> None:
        go_on.wait()

    async def main() -> None:
        with hold():
            try:
                await asyncio.to_thread(stuck)
            finally:
                go_on.set()

    said = trouble_of(main(), CeilingReached, real=0.1)
    holders = said.split("time is held by:")[1].split("waiting:")[0]
    assert "hold() at " in holders
    assert "test_clock_threads.py" in holders
    assert "a job of an executor: " in holders
    assert "stuck" in holders


def test_what_makes_time_real_is_named() -> None:
    async def main() -> None:
        with real_time(asyncio.get_running_loop(), "a radio is attached"):
            await asyncio.sleep(60)

    said = trouble_of(main(), CeilingReached, real=0.1)
    assert "time is real:\n  a radio is attached" in said


def test_a_process_is_named_as_what_makes_time_real() -> None:
    async def main() -> tuple[tuple[str, ...], tuple[str, ...]]:
        process = await asyncio.create_subprocess_exec("true")
        meanwhile = clock().real_because
        await process.wait()
        return meanwhile, clock().real_because

    meanwhile, afterwards = run(main())
    assert meanwhile[0] == "a process is running"
    assert afterwards == ()
