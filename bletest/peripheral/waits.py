"""Waiting for what a client does, by name and without a race."""

import abc
import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bletest.errors import NotSeen

if TYPE_CHECKING:
    from bletest.peripheral.characteristic import ServerCharacteristic

T = TypeVar("T")

KEPT = 1024
"""Occurrences that are kept for whoever may yet wait for them; of more, the last."""


class Occurrences(Generic[T]):
    """Things that happened, each handed out once, in order.

    What happened before anybody waited is not lost: a test may write first and wait afterwards.
    Of a device that runs for hours and that nobody asks, the last :data:`KEPT` are there; whoever
    asks then is told by ``tell`` that there were more.
    """

    __slots__ = ("_tell", "_untaken", "_waiters", "count", "taken", "what")

    def __init__(self, what: str, tell: Callable[[str], object]) -> None:
        """``what`` completes the sentence "the device saw no …"."""
        self.what = what
        self.count = 0
        self.taken = 0
        self._tell = tell
        # Made when something happens: most of what a device could see it never does.
        self._untaken: deque[T] | None = None
        self._waiters: deque[asyncio.Future[T]] | None = None

    def add(self, occurrence: T) -> None:
        """Note that it happened; the longest waiter is served first."""
        self.count += 1
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self.taken += 1
                waiter.set_result(occurrence)
                return
        if self._untaken is None:
            self._untaken = deque(maxlen=KEPT)
        self._untaken.append(occurrence)

    async def next(self, *, within: float) -> T:
        """Return the next one not taken yet; raises NotSeen after ``within`` seconds."""
        if self._untaken:
            missed = self.count - self.taken - len(self._untaken)
            if missed:
                self.taken += missed
                self._tell(f"{missed} times nobody waited for a {self.what}; the last {KEPT} count")
            self.taken += 1
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
        self.taken = self.count


class Waits(abc.ABC):
    """The waits of an emulated device, for its links and, by name, for its characteristics."""

    connected: Occurrences[str]
    disconnected: Occurrences[str]

    @abc.abstractmethod
    def __getitem__(self, name: str) -> "ServerCharacteristic | Any":
        """Return a characteristic or a descriptor."""

    async def wait_connected(self, *, within: float = 10.0) -> str:
        """Wait for the next connection and return the client's address; raises NotSeen."""
        return await self.connected.next(within=within)

    async def wait_disconnected(self, *, within: float = 10.0) -> str:
        """Wait for the next disconnection and return the client's address; raises NotSeen."""
        return await self.disconnected.next(within=within)

    async def wait_written(self, name: str, *, within: float = 10.0) -> bytes:
        """Wait for a write of that characteristic or descriptor and return what was stored."""
        written: bytes = await self[name].written(within=within)
        return written

    async def wait_read(self, name: str, *, within: float = 10.0) -> str:
        """Wait for a read of that characteristic or descriptor; return the client's address."""
        client: str = await self[name].read_by_client(within=within)
        return client

    async def wait_subscribed(self, name: str, *, within: float = 10.0) -> str:
        """Wait for a subscription to that characteristic; return the client's address."""
        client: str = await self[name].subscribed(within=within)
        return client

    async def wait_unsubscribed(self, name: str, *, within: float = 10.0) -> str:
        """Wait for the end of a subscription; return the client's address."""
        client: str = await self[name].unsubscribed(within=within)
        return client

    async def wait_confirmed(self, name: str, *, within: float = 10.0) -> str:
        """Wait for the confirmation of an indication; return the client's address."""
        client: str = await self[name].confirmed(within=within)
        return client
