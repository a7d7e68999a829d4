"""Waiting for what a client does, by name and without a race."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

from bletest.errors import NotSeen

T = TypeVar("T")


class Occurrences(Generic[T]):
    """Things that happened, each handed out once, in order.

    What happened before anybody waited is not lost: a test may write first and wait afterwards.
    """

    __slots__ = ("_untaken", "_waiters", "count", "what")

    def __init__(self, what: str) -> None:
        """``what`` completes the sentence "the device saw no …"."""
        self.what = what
        self.count = 0
        # Made when something happens: most of what a device could see it never does.
        self._untaken: deque[T] | None = None
        self._waiters: deque[asyncio.Future[T]] | None = None

    def add(self, occurrence: T) -> None:
        """Note that it happened; the longest waiter is served first."""
        self.count += 1
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(occurrence)
                return
        if self._untaken is None:
            self._untaken = deque()
        self._untaken.append(occurrence)

    async def next(self, *, within: float) -> T:
        """Return the next one not taken yet; raises NotSeen after ``within`` seconds."""
        if self._untaken:
            return self._untaken.popleft()
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._waiters is None:
            self._waiters = deque()
        waiters = self._waiters
        waiters.append(waiter)
        try:
            async with asyncio.timeout(within):
                return await waiter
        except TimeoutError:
            before = f", {self.count} earlier" if self.count else ""
            raise NotSeen(
                f"the emulated device saw no {self.what} in {within:g} s{before}"
            ) from None
        finally:
            if waiter in waiters:
                waiters.remove(waiter)

    def forget(self) -> None:
        """Drop what was not taken."""
        self._untaken = None
