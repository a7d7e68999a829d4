"""What the clock replaces of asyncio's loop: its timers, and the selector that it waits with."""

import asyncio
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol

SECOND = 1_000_000_000
"""Nanoseconds in a second."""


class Clock(Protocol):
    """What the selector asks of the loop."""

    def settle_mode(self) -> None:
        """Look again whether time is real."""

    def wait_for_something(self, timeout: float | None) -> list[Any]:
        """Wait as the mode of the clock says."""


class Timer(asyncio.TimerHandle):
    """A timer that is ordered by its moment in nanoseconds, then by when it was set."""

    __slots__ = ("due", "order")

    def __init__(
        self,
        due: int,
        number: int,
        callback: Callable[..., object],
        args: Any,
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        super().__init__(due / SECOND, callback, args, loop, context)
        self.due = due
        self.order = (due << 48) + number

    def __lt__(self, other: object) -> bool:
        if isinstance(other, Timer):
            return self.order < other.order
        return super().__lt__(other)  # type: ignore[operator]


class ClockSelector(selectors.DefaultSelector):
    """The system's selector, asking the loop how to wait."""

    def __init__(self, loop: "Clock") -> None:
        super().__init__()
        self._loop = loop
        self._own: int | None = None
        self.foreign = 0

    def settle(self) -> None:
        """What is registered by now is the loop's own: the pipe by which threads wake it."""
        self._own = len(self.get_map())

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a file descriptor."""
        key = super().register(fileobj, events, data)
        self._count()
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch it no more."""
        key = super().unregister(fileobj)
        self._count()
        return key

    def _count(self) -> None:
        if self._own is not None:
            self.foreign = max(0, len(self.get_map()) - self._own)
            self._loop.settle_mode()

    def select(self, timeout: float | None = None) -> list[Any]:
        """Wait as the loop says."""
        return self._loop.wait_for_something(timeout)

    def really_select(self, timeout: float | None) -> list[Any]:
        """Wait as the system does."""
        return super().select(timeout)
