"""What a device on the air costs: time to set it up, and memory."""

import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from time import perf_counter

from benchmarks import ours, raw
from benchmarks.figures import LOWER, Figure, Measurement, Values
from benchmarks.harness import Effort, Stage, interleaved, median

DEVICES = 50

Add = Callable[[], Awaitable[object]]
Cost = Callable[[Add, int], Awaitable[float]]


async def milliseconds(add: Add, devices: int) -> float:
    """Return the time per device."""
    start = perf_counter()
    for _ in range(devices):
        await add()
    return (perf_counter() - start) / devices * 1000


async def kilobytes(add: Add, devices: int) -> float:
    """Return the memory per device, in units of 1,000 octets."""
    await add()  # what is made once is not the device's
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(devices):
            await add()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / devices / 1000


def measure(effort: Effort) -> Values:
    devices = effort.of(DEVICES)

    async def of_ours(air: ours.Air, cost: Cost) -> float:
        return await cost(lambda: air.add_device(ours.profile()), devices)

    async def of_raw(air: raw.RawAir, cost: Cost) -> float:
        async def add() -> None:
            device = await air.add_device()
            # Advertising as rarely as can be: what advertisers cost each other is `scale`'s matter.
            await device.advertise(10_000.0)

        return await cost(add, devices)

    def our_cost(cost: Cost) -> float:
        with Stage() as stage:
            return stage.run(of_ours(stage.open(ours.open_air(1, ours.profile())), cost))

    def raw_cost(cost: Cost) -> float:
        with Stage() as stage:
            return stage.run(of_raw(stage.open(raw.open_air()), cost))

    samples = interleaved(
        effort.rounds,
        {"ours": lambda: our_cost(milliseconds), "raw": lambda: raw_cost(milliseconds)},
    )
    return {
        "setup.ms": median(samples["ours"]),
        "setup.raw_ms": median(samples["raw"]),
        "setup.kb": our_cost(kilobytes),
        "setup.raw_kb": raw_cost(kilobytes),
    }


MEASUREMENTS = (
    Measurement(
        (
            Figure("setup.ms", "setting up a device", "ms", LOWER, "≤ 0.5"),
            Figure("setup.raw_ms", "setting up a device, plain bumble", "ms", LOWER),
            Figure("setup.kb", "memory of a device", "kB", LOWER, "≤ 30"),
            Figure("setup.raw_kb", "memory of a device, plain bumble", "kB", LOWER),
        ),
        measure,
    ),
)
