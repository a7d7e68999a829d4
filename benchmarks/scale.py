"""What a read costs where a thousand devices are on the air."""

import asyncio
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from bleak import BleakScanner

from benchmarks import operations, ours, raw
from benchmarks.figures import HIGHER, LOWER, CannotMeasure, Figure, Measurement, Values
from benchmarks.harness import Effort, Stage, interleaved, median, rate, ratio
from bletest.client.backend import BumbleScanner

CROWD = 1000
INTERVAL_MS = 250

SETTLING = 0.6
"""Seconds a scanner runs before anything is measured; each advertiser was heard twice by then."""

ROOT = Path(__file__).parents[1]


def measure(effort: Effort) -> Values:
    """Compare a read beside one advertiser, beside a crowd, and beside a crowd that is scanned.

    On asyncio's own loop, where time is real and advertisers take real time.
    """
    profile = ours.profile(interval_ms=INTERVAL_MS)
    heard = operations.Counter()
    heard_per_s: list[float] = []
    with Stage() as stage:
        alone = stage.run(operations.pair_up(stage.open(ours.open_air(2, profile))))
        crowd = stage.run(
            operations.pair_up(stage.open(ours.open_air(1 + effort.of(CROWD), profile)))
        )
        adapter = stage.run(crowd.air.add_adapter("scanner"))
        # bleak wants a function with two parameters.
        scanner = BleakScanner(lambda _, __: heard(), backend=BumbleScanner.on(adapter))
        batch, crowd_batch = stage.run(operations.read(alone)), stage.run(operations.read(crowd))

        def beside_one() -> float:
            alone.air.transcript.clear()
            return stage.run(rate(batch, effort.seconds))

        def beside_a_crowd() -> float:
            crowd.air.transcript.clear()
            return stage.run(rate(crowd_batch, effort.seconds))

        async def while_scanning() -> float:
            async with scanner:
                await asyncio.sleep(SETTLING * effort.world)
                before, start = heard.count, perf_counter()
                reads = await rate(crowd_batch, effort.seconds)
                heard_per_s.append((heard.count - before) / (perf_counter() - start))
            return reads

        def beside_a_scanned_crowd() -> float:
            crowd.air.transcript.clear()
            return stage.run(while_scanning())

        samples = interleaved(
            effort.rounds,
            {"alone": beside_one, "crowd": beside_a_crowd, "scanned": beside_a_scanned_crowd},
        )
    return {
        "scale.ratio": ratio(samples["alone"], samples["crowd"]),
        "scale.scan_ratio": ratio(samples["alone"], samples["scanned"]),
        "scale.heard_per_s": median(heard_per_s),
    }


def measure_raw(effort: Effort) -> Values:
    """The same with plain bumble and no scanner: one read, for as long as ``effort`` allows."""
    with Stage() as stage:
        pair = stage.run(operations.raw_pair_up(stage.open(raw.open_air())))
        batch = stage.run(operations.raw_read(pair))
        samples = interleaved(
            effort.rounds, {"alone": lambda: stage.run(rate(batch, effort.seconds))}
        )
    seconds = one_raw_read(effort.of(CROWD), effort.patience)
    return {"scale.raw_ratio": seconds * median(samples["alone"])}


def one_raw_read(crowd: int, patience: float) -> float:
    """Return the seconds of a read in a process of its own; after ``patience`` it is given up."""
    command = (sys.executable, "-m", "benchmarks.raw_crowd", str(crowd), str(INTERVAL_MS))
    # Unbuffered, lest the first line takes the second along, out of communicate()'s reach.
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None  # it is a pipe
        try:
            if not process.stdout.readline():
                raise CannotMeasure("plain bumble failed to set up the crowd")
            start = perf_counter()
            try:
                answer, _ = process.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                return perf_counter() - start
        finally:
            process.kill()
    if not answer:
        raise CannotMeasure("plain bumble failed to read beside the crowd")
    return float(answer)


MEASUREMENTS = (
    Measurement(
        (
            Figure(
                "scale.ratio",
                "time of a read beside 1,000 idle advertisers, against one beside 1",
                "×",
                LOWER,
                "≤ 1.1",
            ),
            Figure(
                "scale.scan_ratio",
                "time of a read while somebody scans 1,000 advertisers at 250 ms, "
                "against one beside 1 that nobody scans",
                "×",
                LOWER,
                "≤ 1.25",
            ),
            Figure(
                "scale.heard_per_s",
                "sightings that this scanner had meanwhile (8,000 with none lost: each event is "
                "an advertisement and a scan response)",
                "/s",
                HIGHER,
            ),
        ),
        measure,
    ),
    Measurement(
        (
            Figure(
                "scale.raw_ratio",
                "the same with idle advertisers and plain bumble; a read that takes longer than "
                "two minutes (5 s with --quick) is given up, and this is the least it can be",
                "×",
                LOWER,
            ),
        ),
        measure_raw,
    ),
)
