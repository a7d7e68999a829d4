"""An event loop whose time is virtual: when nothing is ready, it jumps to the next timer.

Time is an integer count of nanoseconds, so it is exact and adds up. Timers that are due at the
same moment fire in the order in which they were set. What comes from outside the loop decides
how time passes:

=============================================  ==========================================
a file descriptor beside the loop's own pipe   time follows the wall clock
(a socket), a process that the loop started,
:func:`real_time`
:func:`hold`, a job in an executor             time stands still until it is over, but not
                                               while its thread waits for the loop
none of these, a timer is set                  time jumps to the timer
none of these, no timer                        nothing can ever happen: ``ClockDeadlock``
=============================================  ==========================================
"""

import asyncio
import contextlib
import heapq
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from bletest.errors import BenchTrouble, CeilingReached, ClockDeadlock
from bletest.link.holds import CALLBACK, Call, Hold, Holds
from bletest.link.timers import SECOND, ClockSelector, Timer
from bletest.link.waiting import (
    caller,
    describe_callable,
    describe_tasks,
    describe_threads,
    describe_tickers,
    section,
)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

FOREVER = 1 << 63
"""Nanoseconds (292 years) beyond which a timer is no promise that anything will happen."""

CANCELLATIONS = 3
"""How often a task is cancelled that hangs again while it cleans up."""

_GRACE_VIRTUAL = 600 * SECOND
_GRACE_REAL = 5 * SECOND
_CHECK_EVERY = 64
"""Turns of the loop between two looks at the wall clock, and at the loop's own pipe."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many seconds of virtual and of real time a test may use; None is without end."""

    virtual: float | None = 4 * 3600.0
    real: float | None = 60.0


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """asyncio's selector loop on a virtual clock.

    When nothing can ever wake the loop, or a ceiling is reached, the task that
    ``run_until_complete`` runs is cancelled, so that its ``finally`` blocks run, and
    ``run_until_complete`` raises :class:`~bletest.errors.ClockDeadlock` or
    :class:`~bletest.errors.CeilingReached`. The loop can be used again afterwards.
    """

    # What this class uses of asyncio's insides; tests say if a release of Python moves them.
    _scheduled: list[asyncio.TimerHandle]
    _ready: deque[asyncio.Handle]
    _clock_resolution: float
    _default_executor: Any
    if TYPE_CHECKING:

        def _check_closed(self) -> None: ...
        def _check_default_executor(self) -> None: ...

    def __init__(self) -> None:
        self._now = 0
        self._seconds = 0.0
        self._real_since: int | None = None
        self._real_claims: dict[object, str] = {}
        self._holds = Holds(self._wake)
        self._timers_set = 0
        self._turns = 0
        self._main: asyncio.Future[Any] | None = None
        self._trouble: BenchTrouble | None = None
        self._cancellations = 0
        self._virtual_limit: int | None = None
        self._real_limit: int | None = None
        self._started = (0, 0)
        self.ceiling = Ceiling()
        """What :meth:`start_ceiling` counts against."""
        self._clock_selector = ClockSelector(self)
        super().__init__(self._clock_selector)
        self._clock_selector.settle()

    # The clock.

    def time(self) -> float:
        """Return the seconds since the loop was made, on the virtual clock."""
        if self._real_since is None:
            return self._seconds
        return self.time_ns() / SECOND

    def time_ns(self) -> int:
        """Return the nanoseconds since the loop was made, on the virtual clock."""
        if self._real_since is None:
            return self._now
        return self._now + time.monotonic_ns() - self._real_since

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at ``when``, to the nanosecond; in order where timers fall together."""
        self._check_closed()
        due = round(when * SECOND) if abs(when) < FOREVER / SECOND else FOREVER
        self._timers_set += 1
        timer = Timer(due, self._timers_set, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    @property
    def is_real(self) -> bool:
        """Whether time follows the wall clock at present."""
        return self._real_since is not None

    @property
    def real_because(self) -> tuple[str, ...]:
        """What makes time follow the wall clock at present, nothing where it does not."""
        descriptors = self._clock_selector.foreign
        watched = (f"{descriptors} file descriptors of others are watched",) if descriptors else ()
        return (*self._real_claims.values(), *watched)

    def hold(self, what: str = "", *, gives_way: bool = False) -> Hold:
        """Let time stand still from now on: something outside works; see :class:`Hold`."""
        return Hold(self._holds, what or f"hold() at {caller()}", gives_way=gives_way)

    @contextlib.contextmanager
    def follow_wall_clock(self, because: str = "") -> Iterator[None]:
        """Let time pass as on the wall: something outside keeps its own time."""
        claim = object()
        self._real_claims[claim] = because or "real time was asked for"
        self.settle_mode()
        try:
            yield
        finally:
            del self._real_claims[claim]
            self.settle_mode()

    def settle_mode(self) -> None:
        """Follow the wall clock while there is a reason to, else stand at the moment reached."""
        real = bool(self._real_claims) or self._clock_selector.foreign > 0
        if real and self._real_since is None:
            self._real_since = time.monotonic_ns()
        elif not real and self._real_since is not None:
            self._set_now(self.time_ns())
            self._real_since = None

    def _set_now(self, now: int) -> None:
        self._now = now
        self._seconds = now / SECOND
        # asyncio fires what is due before time() plus this. Where floats are coarser than a
        # nanosecond (after 48 days), one nanosecond would vanish in the sum.
        self._clock_resolution = max(1e-9, 2 * math.ulp(self._seconds))

    # Ceilings.

    def start_ceiling(self) -> None:
        """Count virtual and real time against ``ceiling`` from now on: a test begins."""
        self._started = (self.time_ns(), time.monotonic_ns())
        virtual, real = self.ceiling.virtual, self.ceiling.real
        self._virtual_limit = None if virtual is None else self._started[0] + _ns(virtual)
        self._real_limit = None if real is None else self._started[1] + _ns(real)

    def stop_ceiling(self) -> None:
        """Count no more: between tests nothing is limited."""
        self._virtual_limit = self._real_limit = None

    # What the selector asks for.

    def wait_for_something(self, timeout: float | None) -> list[Any]:
        """Wait as the mode of the clock says; ``timeout`` is what asyncio would wait."""
        select = self._clock_selector.really_select
        if timeout is not None and timeout <= 0:
            # Callbacks are ready. The loop's own pipe only wakes a loop that sleeps, so a look
            # at it now and then is enough; looking costs more than most callbacks do.
            self._turns += 1
            if self._turns % _CHECK_EVERY == 0:
                self._check_real_ceiling()
            elif not self.is_real:
                return []
            return select(0)
        if self.is_real or self._holds.active:
            return self._really_wait(timeout if self.is_real else None)
        due = self._next_due()
        self._turns += 1
        look = due is None or self._turns % _CHECK_EVERY == 0
        if look and (events := select(0)):
            return events
        if self._ready:  # a thread has called in meanwhile
            return []
        if look and self._check_real_ceiling():
            return []
        if due is None:
            self._on_deadlock()
        elif self._virtual_limit is not None and due > self._virtual_limit:
            self._on_virtual_ceiling()
        else:
            self._set_now(max(self._now, due))
        return []

    def _next_due(self) -> int | None:
        """Return when the next timer is due, None where none ever is."""
        # asyncio has just removed the cancelled ones from the head of this heap.
        timer = self._scheduled[0] if self._scheduled else None
        if timer is None:
            return None
        due = timer.due if isinstance(timer, Timer) else round(timer.when() * SECOND)
        return due if due < FOREVER else None

    def _really_wait(self, timeout: float | None) -> list[Any]:
        if self._real_limit is not None:
            left = max(0.0, (self._real_limit - time.monotonic_ns()) / SECOND)
            timeout = left if timeout is None else min(timeout, left)
        events = self._clock_selector.really_select(timeout)
        if not events:
            self._check_real_ceiling()
        return events

    def _check_real_ceiling(self) -> bool:
        if self._real_limit is None or time.monotonic_ns() < self._real_limit:
            return False
        self._real_limit = time.monotonic_ns() + _GRACE_REAL
        seconds = (time.monotonic_ns() - self._started[1]) / SECOND
        self._deliver(
            CeilingReached(
                f"the test has run for {seconds:.1f} s of real time "
                f"({self._elapsed()} on the virtual clock) and may not run longer"
                f"{self._report()}",
                remedy="end what ticks, or give what waits a timeout; "
                "raise the ceiling where the test needs the time",
            )
        )
        return True

    def _on_virtual_ceiling(self) -> None:
        assert self._virtual_limit is not None
        limit = (self._virtual_limit - self._started[0]) / SECOND
        self._virtual_limit = self.time_ns() + _GRACE_VIRTUAL
        self._deliver(
            CeilingReached(
                f"the test would use more than its {limit:g} s of virtual time{self._report()}",
                remedy="end what ticks, or give what waits a timeout; "
                "raise the ceiling where the test needs the time",
            )
        )

    def _on_deadlock(self) -> None:
        self._deliver(
            ClockDeadlock(
                f"nothing can ever wake this loop: no callback is ready, no timer is set, nothing "
                f"outside is attached ({self._elapsed()} on the virtual clock){self._report()}",
                remedy="await something that will happen, or give the wait a timeout; where a "
                "thread of yours is to bring it about, let it hold the clock "
                "(bletest.link.clock.hold)",
            )
        )

    def _elapsed(self) -> str:
        return f"{(self.time_ns() - self._started[0]) / SECOND:g} s"

    def _report(self) -> str:
        sections = [
            section("time is held by:", self._holds.describe()),
            section("time is real:", list(self.real_because)),
            describe_tickers(self, self._scheduled),
            describe_tasks(self),
            describe_threads(),
        ]
        return "".join("\n" + one for one in sections if one)

    def _deliver(self, trouble: BenchTrouble) -> None:
        if self._trouble is None:
            self._trouble = trouble
            self._cancellations = 0
        self._cancellations += 1
        main = self._main
        if main is None or main.done() or self._cancellations > CANCELLATIONS:
            raise self._trouble
        main.cancel(trouble.message)

    # Running.

    def run_until_complete(
        self, future: Generator[Any, None, T] | Awaitable[T] | Coroutine[Any, Any, T]
    ) -> T:
        """Run until ``future`` is done; see the class for what else it raises."""
        task: asyncio.Future[T] = asyncio.ensure_future(future, loop=self)  # type: ignore[arg-type]
        outer, self._main = self._main, task
        self._trouble = None
        try:
            result = super().run_until_complete(task)
        except BaseException as error:
            trouble = self._trouble
            if (
                trouble is None
                or error is trouble
                or not isinstance(error, Exception | asyncio.CancelledError)
            ):
                raise
            raise trouble from error
        finally:
            if not task.done():
                # It would not end, even cancelled. Its remains must not be reported as a
                # surprise in some later test.
                task._log_destroy_pending = False  # type: ignore[attr-defined]
            self._main = outer
        if (trouble := self._trouble) is not None:
            raise trouble
        return result

    # Work outside the loop.

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call back soon, from any thread."""
        if getattr(callback, "__qualname__", None) == CALLBACK:
            Call.adopt(callback, self, self._holds)
        return super().call_soon_threadsafe(callback, *args, context=context)

    def run_in_executor(
        self, executor: Any, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run ``func`` in a thread; time stands still until it has ended.

        But while it waits for the result of ``asyncio.run_coroutine_threadsafe``, time moves.
        """
        self._check_closed()
        if executor is None:
            self._check_default_executor()
            if self._default_executor is None:
                self.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
            executor = self._default_executor
        hold = self.hold(f"a job of an executor: {describe_callable(func)}")
        try:
            job: Future[T]
            if isinstance(executor, ThreadPoolExecutor):
                job = executor.submit(partial(hold.run, func, *args))
            else:  # what goes to another process must be sent there as it is
                job = executor.submit(func, *args)
            result = asyncio.wrap_future(job, loop=self)
        except BaseException:
            hold.release()
            raise
        # After wrap_future's own callback, which brings in the result. A job that was cancelled
        # here may still run, and holds until it ends.
        job.add_done_callback(lambda _: hold.release())
        return result

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Wait for the threads of the executor to end."""
        with self.hold("the end of the executor's threads", gives_way=True):
            await super().shutdown_default_executor(*args)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # closed: nothing waits any more
            self.call_soon_threadsafe(_nothing)

    async def subprocess_exec(
        self, protocol_factory: Callable[[], Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Start a process; time follows the wall clock until it has ended."""
        with self._until_exit(protocol_factory) as followed:
            return await super().subprocess_exec(followed, *args, **kwargs)

    async def subprocess_shell(
        self, protocol_factory: Callable[[], Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Start a shell; time follows the wall clock until it has ended."""
        with self._until_exit(protocol_factory) as followed:
            return await super().subprocess_shell(followed, *args, **kwargs)

    @contextlib.contextmanager
    def _until_exit(self, protocol_factory: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
        # A pipe to the process makes time real anyway, but it may have none, or close it early.
        with contextlib.ExitStack() as starting:
            starting.enter_context(self.follow_wall_clock("a process is running"))
            running = contextlib.ExitStack()

            def followed() -> Any:
                protocol = protocol_factory()
                exited = protocol.process_exited

                def process_exited() -> None:
                    running.close()
                    exited()

                protocol.process_exited = process_exited
                return protocol

            yield followed
            running.push(starting.pop_all())


def new_loop() -> VirtualClockLoop:
    """Return a new loop on a virtual clock, at 0 s; a loop factory for ``asyncio.Runner``."""
    return VirtualClockLoop()


def run(main: Coroutine[Any, Any, T], *, ceiling: Ceiling | None = None) -> T:
    """Run ``main`` on a new virtual clock, as ``asyncio.run`` does on the wall's."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualClockLoop)
        if ceiling is not None:
            loop.ceiling = ceiling
        loop.start_ceiling()
        return runner.run(main)


def hold(loop: asyncio.AbstractEventLoop | None = None) -> Hold:
    """Let time stand still on ``loop`` (the running one) until the result is released.

    For work outside the loop that it cannot see: a thread of your own, a program that you
    started and that will call in. For a thread, take it before the thread starts, and let the
    thread enter it::

        def work(held):
            with held:  # time moves only while this thread waits for the loop
                asyncio.run_coroutine_threadsafe(client.read("led"), loop).result()

        threading.Thread(target=work, args=(clock.hold(),)).start()

    On a loop that follows the wall clock it does nothing.
    """
    loop = loop or asyncio.get_running_loop()
    what = f"hold() at {caller()}"
    return loop.hold(what) if isinstance(loop, VirtualClockLoop) else Hold(None, what)


def real_time(
    loop: asyncio.AbstractEventLoop, because: str = ""
) -> contextlib.AbstractContextManager[None]:
    """Let ``loop`` follow the wall clock for a ``with`` block, if it does not anyway."""
    if isinstance(loop, VirtualClockLoop):
        return loop.follow_wall_clock(because)
    return contextlib.nullcontext()


def _nothing() -> None:
    """Be called, so that the loop looks around."""


def _ns(seconds: float) -> int:
    return round(seconds * SECOND)
