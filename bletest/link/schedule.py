"""When the advertisers of one air are due: one heap, and one timer of the loop for all of them."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count


class Appointment:
    """One call at one moment, until it is cancelled."""

    __slots__ = ("_schedule", "callback")

    def __init__(self, schedule: "Schedule", callback: Callable[[], None]) -> None:
        self._schedule = schedule
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget it; cancelling it twice, or when it is over, is harmless."""
        if self.callback is not None:
            self.callback = None
            self._schedule.on_cancelled()


class Schedule:
    """Calls back at given moments, those of the same moment in the order they were asked for.

    A loop sorts its timers with a function in Python and makes an object for each. With a
    thousand advertisers that costs more than what they send. No timer is set while nothing is
    due.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Appointment]] = []
        self._numbers = count()
        self._live = 0
        self._timer: asyncio.TimerHandle | None = None
        self._firing = False

    def call_at(self, moment: float, callback: Callable[[], None]) -> Appointment:
        """Call back when the running loop's clock is at ``moment``, in seconds."""
        appointment = Appointment(self, callback)
        heapq.heappush(self._heap, (moment, next(self._numbers), appointment))
        self._live += 1
        if not self._firing:
            self._set_timer()
        return appointment

    def on_cancelled(self) -> None:
        """An appointment was cancelled: where none is left, nothing is due."""
        self._live -= 1
        if not self._live:
            self._heap.clear()
            self._cancel_timer()

    def _set_timer(self) -> None:
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
        if not heap:
            self._cancel_timer()
            return
        due = heap[0][0]
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due, self._fire, due)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self, due: float) -> None:
        self._timer = None
        # A loop may call a hair too early: what it was asked for is due all the same.
        now = max(due, asyncio.get_running_loop().time())
        heap = self._heap
        self._firing = True
        try:
            while heap and heap[0][0] <= now:
                appointment = heapq.heappop(heap)[2]
                callback = appointment.callback
                if callback is not None:
                    appointment.callback = None
                    self._live -= 1
                    callback()
        finally:
            self._firing = False
            self._set_timer()
