"""What the clock uses of asyncio without being asked to; a new Python may have moved it."""

import asyncio
import platform
from collections.abc import Iterator

import pytest

from bletest.link.clock import VirtualClockLoop, new_loop
from bletest.link.holds import CALLBACK, Call

MOVED = (
    f"asyncio of Python {platform.python_version()} no longer has {{}}, on which "
    "bletest/link/clock.py is built; the virtual clock must be changed for it"
)


@pytest.fixture
def loop() -> Iterator[VirtualClockLoop]:
    loop = new_loop()
    yield loop
    loop.close()


def test_the_loop_keeps_its_timers_in_a_heap_of_handles(loop: VirtualClockLoop) -> None:
    timer = loop.call_later(1, lambda: None)
    assert loop._scheduled == [timer], MOVED.format("the heap loop._scheduled")
    assert timer._when == timer.when() == 1.0, MOVED.format("timer._when")  # type: ignore[attr-defined]
    assert timer._scheduled is True, MOVED.format("timer._scheduled")  # type: ignore[attr-defined]
    assert callable(timer._callback), MOVED.format("timer._callback")  # type: ignore[attr-defined]
    timer.cancel()
    loop.run_until_complete(asyncio.sleep(2))
    assert loop._scheduled == [], MOVED.format("the removal of cancelled timers from the heap")


def test_the_loop_fires_what_is_due_within_its_resolution(loop: VirtualClockLoop) -> None:
    assert loop._clock_resolution > 0, MOVED.format("loop._clock_resolution")
    loop._clock_resolution = 0.5
    fired: list[float] = []
    loop.call_soon(lambda: loop.call_later(0.4, lambda: fired.append(loop.time())))
    loop.run_until_complete(asyncio.sleep(0, None))
    for _ in range(3):
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert fired == [0.0], MOVED.format("the use of loop._clock_resolution in time() + resolution")


def test_the_loop_keeps_what_is_ready_where_the_clock_looks(loop: VirtualClockLoop) -> None:
    assert len(loop._ready) == 0, MOVED.format("loop._ready")
    task = loop.create_task(asyncio.sleep(0))
    assert len(loop._ready) == 1, MOVED.format("loop._ready, with the first step of a task")
    assert task._log_destroy_pending is True, MOVED.format("task._log_destroy_pending")  # type: ignore[attr-defined]
    loop.run_until_complete(task)


def test_the_loop_waits_with_the_selector_it_is_given_and_owns_one_pipe(
    loop: VirtualClockLoop,
) -> None:
    selector = loop._selector  # type: ignore[attr-defined]
    assert selector is loop._clock_selector, MOVED.format("loop._selector")
    assert len(selector.get_map()) == 1, MOVED.format("exactly one descriptor of its own")
    assert not loop.real_because


def test_a_task_says_what_it_waits_for(loop: VirtualClockLoop) -> None:
    async def look() -> object:
        event = asyncio.Event()
        task = asyncio.ensure_future(event.wait())
        await asyncio.sleep(0)
        waiter = task._fut_waiter  # type: ignore[attr-defined]
        event.set()
        await task
        return waiter

    assert isinstance(loop.run_until_complete(look()), asyncio.Future), MOVED.format(
        "task._fut_waiter"
    )


def test_the_loop_can_be_asked_whether_it_is_closed_or_its_executor_is(
    loop: VirtualClockLoop,
) -> None:
    assert callable(loop._check_closed), MOVED.format("loop._check_closed")
    assert loop._default_executor is None, MOVED.format("loop._default_executor")
    assert callable(loop._check_default_executor), MOVED.format("loop._check_default_executor")
    loop.run_until_complete(loop.shutdown_default_executor())
    with pytest.raises(RuntimeError):
        loop.run_in_executor(None, print)


def test_a_coroutine_from_a_thread_comes_as_a_callback_over_its_future(
    loop: VirtualClockLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    plain = asyncio.SelectorEventLoop.call_soon_threadsafe

    def call_soon_threadsafe(self, callback, *args, context=None):  # type: ignore[no-untyped-def]
        names.append(getattr(callback, "__qualname__", ""))
        return plain(self, callback, *args, context=context)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "call_soon_threadsafe", call_soon_threadsafe)
    future = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop)
    assert names == [CALLBACK], MOVED.format("the inner function of run_coroutine_threadsafe")
    assert type(future) is Call, MOVED.format("the future in the closure of that function")
    loop.run_until_complete(asyncio.sleep(1))
    assert future.done()
