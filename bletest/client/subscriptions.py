"""Notifications and indications in the order they came, and what is said when too few did."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from bletest.contracts.client import Reading
from bletest.errors import (
    AdapterLost,
    BletestError,
    LinkLost,
    SubscriptionEnded,
    TooFewNotifications,
)

_SHOWN_GAPS = 8


class Taker(Protocol):
    """Who takes what comes of a subscription."""

    def put(self, reading: Reading) -> None:
        """Take a value."""

    def end(self, reason: BletestError) -> None:
        """The link is gone: nothing more will come."""


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """Passes on what comes of a subscription, and keeps nothing."""

    on_reading: Callable[[Reading], object]
    on_end: Callable[[BletestError], object]

    def put(self, reading: Reading) -> None:
        """Pass a value on."""
        self.on_reading(reading)

    def end(self, reason: BletestError) -> None:
        """Pass the end on."""
        self.on_end(reason)


class NotificationQueue:
    """One subscription to one characteristic; implements ``contracts.client.Subscription``.

    Readings are kept until the subscription ends: taking them moves a mark and drops nothing.
    ``now`` returns seconds; ``end`` what ended the link, for those whom nobody told;
    ``acquit_adapter`` raises if it is not the device's fault that nothing comes.
    """

    def __init__(
        self,
        attribute: str,
        *,
        now: Callable[[], float],
        end: Callable[[], BletestError | None] = lambda: None,
        acquit_adapter: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.attribute = attribute
        self._now = now
        self._look_for_end = end
        self._acquit_adapter = acquit_adapter
        self._began = now()
        self._received: list[Reading] = []
        self._taken = 0
        self._waiter: asyncio.Future[None] | None = None
        self._end: BletestError | None = None

    @property
    def received(self) -> tuple[Reading, ...]:
        """Everything that came since the subscription began, taken or not."""
        return tuple(self._received)

    async def next(self, *, within: float) -> Reading:
        """Return the oldest one not yet taken, waiting ``within`` seconds at most."""
        return (await self.take(1, within=within))[0]

    async def take(self, count: int, *, within: float) -> list[Reading]:
        """Return the next ``count``, waiting ``within`` seconds at most for all of them.

        Raises :class:`TooFewNotifications`, or :class:`SubscriptionEnded` as soon as the link
        has ended and they cannot come any more. What came nevertheless is not taken then.
        """
        deadline = self._now() + within
        while len(self._received) - self._taken < count:
            if not await self._more(deadline):
                await self._find_culprit()
                raise self._too_few(f"{count} notification{'s' * (count != 1)}", count, within)
        start = self._taken
        self._taken += count
        return self._received[start : self._taken]

    async def until(self, predicate: Callable[[Reading], bool], *, within: float) -> Reading:
        """Return the first one not yet taken that ``predicate`` accepts, dropping those before.

        Raises as :meth:`take` does; what was looked at is taken then, too.
        """
        deadline = self._now() + within
        looked_at = 0
        while True:
            while self._taken < len(self._received):
                reading = self._received[self._taken]
                self._taken += 1
                looked_at += 1
                if predicate(reading):
                    return reading
            if not await self._more(deadline):
                await self._find_culprit()
                wanted = f"a notification that fits (none of {looked_at} did)"
                raise self._too_few(wanted, None, within)

    def put(self, reading: Reading) -> None:
        """Add one that came."""
        self._received.append(reading)
        self._wake()

    def end(self, reason: BletestError) -> None:
        """The link is gone, or the adapter: nothing more will come."""
        self._end = reason
        self._wake()

    async def _more(self, deadline: float) -> bool:
        """Wait for one more, or for the end; return whether one came."""
        before = len(self._received)
        remaining = deadline - self._now()
        if self._end is not None or remaining <= 0:
            return False
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(remaining):
                await self._waiter
        except TimeoutError:
            pass
        finally:
            self._waiter = None
        return len(self._received) > before

    async def _find_culprit(self) -> None:
        if self._end is None and self._acquit_adapter is not None:
            await self._acquit_adapter()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _too_few(
        self, wanted: str, count: int | None, within: float
    ) -> TooFewNotifications | SubscriptionEnded | AdapterLost:
        waiting = self._received[self._taken :]
        came = f"{len(waiting)} of " if count is not None else ""
        facts = "\n".join(f"  {line}" for line in self._facts())
        self._end = self._end or self._look_for_end()
        if self._end is not None:
            text = (
                f"{self.attribute}: the link ended when {came}{wanted} had come\n"
                f"{facts}\n  link: {self._end.message}"
            )
            if isinstance(self._end, LinkLost):
                return SubscriptionEnded(text, reason=self._end.reason)
            return AdapterLost(text)
        return TooFewNotifications(
            f"{self.attribute}: {came}{wanted} came within {within:g} s\n{facts}\n  link: up",
            received=waiting if count is not None else self._received,
        )

    def _facts(self) -> list[str]:
        received = self._received
        now = self._now()
        if not received:
            return [f"none since the subscription began {now - self._began:.3f} s ago"]
        times = [reading.time for reading in received]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        return [
            f"{len(received)} since the subscription began {now - self._began:.3f} s ago,"
            f" the first after {times[0] - self._began:.3f} s",
            f"gaps: {describe_gaps(gaps)}; none for the last {now - times[-1]:.3f} s",
            f"last value: {received[-1].raw.hex(' ') or 'empty'}",
        ]


def describe_gaps(gaps: Sequence[float]) -> str:
    """Return the times between arrivals, in seconds: all of a few, or the range of many."""
    if not gaps:
        return "none"
    if len(gaps) <= _SHOWN_GAPS:
        return ", ".join(f"{gap:.3f} s" for gap in gaps)
    mean = sum(gaps) / len(gaps)
    return f"{min(gaps):.3f} s to {max(gaps):.3f} s, {mean:.3f} s on average"
