"""What keeps a virtual clock from jumping, counted, and the threads that it belongs to.

A thread that works holds the time. While it waits for the loop it must not: its holds are
suspended when it begins to wait for what ``asyncio.run_coroutine_threadsafe`` returned, and are
back before it wakes, so that no moment passes in between unseen.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable
from typing import Any, Self, TypeVar, TypeVarTuple, cast

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

CALLBACK = "run_coroutine_threadsafe.<locals>.callback"
"""What asyncio hands to ``call_soon_threadsafe`` for a coroutine. It closes over the future."""


class Hold:
    """Time stands still from when this is made until it is released, from any thread.

    As a context manager it belongs to the thread that enters it, and is released at the end of
    the block. While that thread waits for the result of a coroutine it has handed to the loop
    with ``asyncio.run_coroutine_threadsafe``, time moves. Releasing twice is harmless.
    """

    def __init__(self, holds: "Holds | None", what: str, *, gives_way: bool = False) -> None:
        self.what = what
        self.gives_way = gives_way
        self._holds = holds
        if holds is not None:
            holds.add(self)

    def release(self) -> None:
        """Let time move again, as far as this is concerned."""
        if self._holds is not None:
            self._holds.discard(self)

    def __enter__(self) -> Self:
        if self._holds is not None:
            self._holds.of_this_thread.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._holds is not None:
            self._holds.of_this_thread.remove(self)
        self.release()

    def run(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """Do ``work`` as the thread to which this belongs, without releasing it at the end."""
        assert self._holds is not None
        own = self._holds.of_this_thread
        own.append(self)
        try:
            return work(*args)
        finally:
            own.remove(self)


class Holds:
    """The holds on one loop's time. Threads may come from anywhere."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.active = 0
        """How many hold time still at present."""
        self._wake = wake
        self._lock = threading.Lock()
        self._held: dict[Hold, bool] = {}  # True while its thread waits for the loop
        self._waiting = self._giving_way = 0
        self._threads = threading.local()

    @property
    def of_this_thread(self) -> list[Hold]:
        """The holds that belong to the thread that asks."""
        if not hasattr(self._threads, "holds"):
            self._threads.holds = []
        own: list[Hold] = self._threads.holds
        return own

    def add(self, hold: Hold) -> None:
        """Count a hold."""
        with self._lock:
            self._held[hold] = False
            self._giving_way += hold.gives_way
            self._count()

    def discard(self, hold: Hold) -> None:
        """Count a hold no more."""
        with self._lock:
            if (waits := self._held.pop(hold, None)) is None:
                return
            self._waiting -= waits
            self._giving_way -= hold.gives_way
            self._count()
        self._wake()

    def suspend(self) -> list[Hold]:
        """Suspend the holds of this thread, and return them."""
        with self._lock:
            suspended = [hold for hold in self.of_this_thread if self._held.get(hold) is False]
            self._held.update(dict.fromkeys(suspended, True))
            self._waiting += len(suspended)
            self._count()
        return suspended

    def resume(self, suspended: list[Hold]) -> None:
        """Count again what was suspended, as far as it was not released meanwhile."""
        with self._lock:
            for hold in suspended:
                if hold in self._held:
                    self._held[hold] = False
                    self._waiting -= 1
            self._count()

    def _count(self) -> None:
        # What only waits for threads to end gives way while one of them waits for the loop.
        unimportant = self._giving_way if self._waiting else 0
        self.active = len(self._held) - self._waiting - unimportant

    def describe(self) -> list[str]:
        """Say what holds time still."""
        with self._lock:
            return [hold.what for hold, waits in self._held.items() if not waits]


class Call(concurrent.futures.Future[Any]):
    """The future of a coroutine that a thread has handed to the loop; counts who waits for it.

    Timeouts are on the loop's clock.
    """

    _loop: asyncio.AbstractEventLoop
    _holds: Holds
    _waits: "list[_Wait]"

    @classmethod
    def adopt(
        cls, callback: Callable[..., object], loop: asyncio.AbstractEventLoop, holds: Holds
    ) -> None:
        """Turn the future behind asyncio's callback into one of these."""
        futures = (cell.cell_contents for cell in getattr(callback, "__closure__", None) or ())
        plain = [one for one in futures if type(one) is concurrent.futures.Future]
        if plain:
            # asyncio makes it by itself, and nobody has seen it yet.
            plain[0].__class__ = cls
            call = cast(Call, plain[0])
            call._loop, call._holds, call._waits = loop, holds, []
            call.add_done_callback(lambda _: call._on_done())

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result, ``timeout`` seconds of the loop's time at most."""
        return super().result(0 if self._wait(timeout) else timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end, ``timeout`` seconds of the loop's time at most."""
        return super().exception(0 if self._wait(timeout) else timeout)

    def _wait(self, timeout: float | None) -> bool:
        """Return True when it is done or the time is over, False if no loop runs to say so."""
        wait = _Wait(self._holds)
        with self._condition:
            if self.done():
                return True
            self._waits.append(wait)
            wait.suspended = self._holds.suspend()
        try:
            # Also wakes a loop whose time stood still until now.
            self._loop.call_soon_threadsafe(wait.arm, self._loop, timeout)
        except RuntimeError:
            wait.end()  # the loop is closed
            return False
        wait.ended.acquire()
        return True

    def _on_done(self) -> None:
        with self._condition:
            waits, self._waits = self._waits, []
        for wait in waits:
            wait.end()
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                self._loop.call_soon_threadsafe(wait.disarm)


class _Wait:
    """One thread that waits for one call."""

    def __init__(self, holds: Holds) -> None:
        self.ended = threading.Semaphore(0)
        self.suspended: list[Hold] = []
        self._holds = holds
        self._timer: asyncio.TimerHandle | None = None
        self._first_end = threading.Lock()

    def arm(self, loop: asyncio.AbstractEventLoop, timeout: float | None) -> None:
        """Set the timer, in the loop."""
        if timeout is not None and not self._first_end.locked():
            self._timer = loop.call_later(max(0.0, timeout), self.end)

    def disarm(self) -> None:
        """Take the timer back, in the loop."""
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """Wake the thread, once. Its holds count again before it runs."""
        if self._first_end.acquire(blocking=False):
            self._holds.resume(self.suspended)
            self.ended.release()
