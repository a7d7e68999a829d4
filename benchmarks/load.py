"""A hundred clients that read at once."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from benchmarks import operations, ours, raw
from benchmarks.figures import HIGHER, Figure, Measurement, Values
from benchmarks.harness import Effort, Stage, interleaved, median, ratio

CENTRALS = 100
PER_DEVICE = 10


async def connect(air: ours.Air, centrals: int) -> list[operations.Batch]:
    """Connect the centrals, ten to a device, each through a radio of its own."""
    batches = []
    for number in range(centrals):
        peripheral = air.peripherals[number // PER_DEVICE]
        client = await air.connect(peripheral, await air.add_adapter(f"central {number}"))
        batches.append(await operations.read(operations.OurPair(air, peripheral, client)))
    return batches


async def raw_connect(air: raw.RawAir, centrals: int) -> list[operations.Batch]:
    batches = []
    device = await air.add_device()
    for number in range(centrals):
        if number and number % PER_DEVICE == 0:
            device = await air.add_device()
        await device.advertise(20.0)
        central = await air.add_central()
        peer = await air.connect(central, device)
        pair = operations.RawPair(device, peer, device.link_to(central))
        batches.append(await operations.raw_read(pair))
    return batches


async def all_at_once(batches: Sequence[operations.Batch], seconds: float) -> float:
    """Return the operations per second of all together."""
    start = perf_counter()

    async def keep_on(batch: operations.Batch) -> int:
        done = 0
        while perf_counter() - start < seconds:
            done += await batch()
        return done

    done = sum(await asyncio.gather(*map(keep_on, batches)))
    return done / (perf_counter() - start)


def measure(effort: Effort) -> Values:
    centrals = effort.of(CENTRALS)
    # Rounds too short for everybody's first batch would count only how they begin.
    seconds = max(effort.seconds, 0.01 * centrals)
    profile = ours.profile(connections=PER_DEVICE)
    with Stage() as stage, Stage() as raw_stage:
        air = stage.open(ours.open_air(-(-centrals // PER_DEVICE), profile))
        batches = stage.run(connect(air, centrals))
        raw_batches = raw_stage.run(raw_connect(raw_stage.open(raw.open_air()), centrals))

        def sample() -> float:
            air.transcript.clear()
            return stage.run(all_at_once(batches, seconds))

        samples = interleaved(
            effort.rounds,
            {"ours": sample, "raw": lambda: raw_stage.run(all_at_once(raw_batches, seconds))},
        )
    return {
        "load.ops_per_s": median(samples["ours"]),
        "load.raw_ops_per_s": median(samples["raw"]),
        "load.ratio": ratio(samples["ours"], samples["raw"]),
    }


MEASUREMENTS = (
    Measurement(
        (
            Figure("load.ops_per_s", "reads of 100 clients at once", "/s", HIGHER),
            Figure("load.raw_ops_per_s", "reads of 100 clients, plain bumble", "/s", HIGHER),
            Figure("load.ratio", "reads of 100 clients, against plain bumble", "×", HIGHER),
        ),
        measure,
    ),
)
