"""Rounds, interleaving, medians, event loops: what every measurement needs.

Contestants take turns in one process, each on an event loop of its own. What disturbs a shared
machine for a while then disturbs both sides of a ratio.
"""

import asyncio
import contextlib
import gc
import logging
import statistics
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

Samples = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to do.

    ``rounds`` is the number of samples a median is taken of, ``seconds`` how long one of them
    lasts, ``patience`` the seconds that one operation is waited for. ``world`` scales what a
    figure is *about* (devices on the air, hours of a soak); anything but 1 gives figures that are
    not the ones their names promise, for tests of the benchmarks alone.
    """

    rounds: int = 7
    seconds: float = 0.4
    patience: float = 120.0
    world: float = 1.0

    def of(self, size: int) -> int:
        """Return ``size`` as this effort has it, at least 1."""
        return max(1, round(size * self.world))


FULL = Effort()
QUICK = Effort(rounds=5, seconds=0.1, patience=5.0)


class Stage:
    """An event loop that stands still between two calls of :meth:`run`.

    ``loop_factory`` None gives asyncio's own loop. Debug mode is off whatever the environment
    says: it costs a factor of fifteen.
    """

    def __init__(self, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        self._runner = asyncio.Runner(debug=False, loop_factory=loop_factory)
        self._worlds = contextlib.AsyncExitStack()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._runner.run(self._worlds.aclose())
        finally:
            self._runner.__exit__(kind, error, trace)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` to its end."""
        return self._runner.run(work)

    def open(self, world: contextlib.AbstractAsyncContextManager[T]) -> T:
        """Enter ``world`` until the stage is left."""
        return self._runner.run(self._worlds.enter_async_context(world))


def interleaved(
    rounds: int, contestants: Mapping[str, Callable[[], float]], *, warm_up: bool = True
) -> Samples:
    """Sample the contestants in turn; whoever was first in one round is last in the next.

    ``warm_up`` samples each once before, and throws that away. No garbage collection of what
    one contestant made falls into the time of another.
    """
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    if warm_up:
        for sample in contestants.values():
            sample()
    for number in range(rounds):
        for name in list(contestants)[:: 1 if number % 2 == 0 else -1]:
            gc.collect()
            gc.freeze()
            samples[name].append(contestants[name]())
    return samples


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Return the median of the ratios within each round: a slow moment cancels out."""
    return median([one / other for one, other in zip(over, under, strict=True)])


async def rate(batch: Callable[[], Awaitable[int]], seconds: float) -> float:
    """Return operations per second; ``batch`` does some and returns how many."""
    done = 0
    start = perf_counter()
    while (elapsed := perf_counter() - start) < seconds or not done:
        done += await batch()
    return done / elapsed


async def until(condition: Callable[[], bool]) -> None:
    """Turn the loop until ``condition`` holds; raise TimeoutError after ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - whoever changes it knows nothing of us
            await asyncio.sleep(0)


@contextlib.contextmanager
def calm() -> Iterator[None]:
    """Keep logging at WARNING, and leave no frozen garbage behind."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.setLevel(level)
        gc.unfreeze()
