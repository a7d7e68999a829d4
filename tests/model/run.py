"""Plays many sequences, and makes the ones that found something short."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from bletest.link import clock
from tests.model.lanes import ON_AIR, Finding, Lane, OpenLane, Player, Trouble, sequence
from tests.model.sequences import Step

CHUNK = 1_000
"""Sequences after which all devices are made anew."""


@dataclass(frozen=True)
class Found:
    """A sequence that found something: its seed, and the steps that do.

    ``alone`` says that it needs no other sequences before it, ``named`` that somebody chose
    the lane.
    """

    seed: int
    lane: Lane
    finding: Finding
    alone: bool = True
    named: bool = False

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, lane {self.lane.name}:"]
        lines += [f"  {number}. {step}" for number, step in enumerate(self.finding.steps, 1)]
        lines += [f"  {line}" for line in str(self.finding.wrong).splitlines()]
        again = "again with" if self.alone else "only after those before it, not with"
        where = f' --lane "{self.lane.name}"' if self.named else ""
        lines += [f"  {again}: python -m tests.model --seed {self.seed}{where}"]
        return "\n".join(lines)


async def play_all(
    seeds: Iterable[int],
    most: int | None = None,
    tally: Counter[str] | None = None,
    lane_name: str = "",
) -> list[Found]:
    """Play sequences; return those that found something, as they are, ``most`` at most.

    ``tally`` counts sequences by lane, and PDUs. ``lane_name`` plays all of them in one lane.
    """
    found: list[Found] = []
    lanes: dict[Lane, OpenLane] = {}
    loop = asyncio.get_running_loop()
    assert isinstance(loop, clock.VirtualClockLoop)
    with Trouble() as trouble:
        try:
            for seed in seeds:
                if len(found) == most:
                    break
                loop.start_ceiling()  # no sequence takes a minute
                lane, steps = sequence(seed, lane_name)
                finding = await _play(lane, steps, lanes, trouble, seed)
                if finding is not None:
                    found.append(Found(seed, lane, finding, named=bool(lane_name)))
                if tally is not None:
                    tally[lane.name] += 1
                    tally["PDUs"] += sum(one.do in ON_AIR for one in steps)
        finally:
            for one in lanes.values():
                await one.__aexit__()
    return found


async def _play(
    lane: Lane, steps: Sequence[Step], lanes: dict[Lane, OpenLane], trouble: Trouble, seed: int
) -> Finding | None:
    try:
        if lane.fresh:
            async with OpenLane(lane, trouble) as fresh:
                return await Player(fresh, steps).play()
        if lane not in lanes:
            lanes[lane] = await OpenLane(lane, trouble).__aenter__()
        finding = await Player(lanes[lane], steps).play()
    except BaseException as error:  # a clock that ran away, or a mistake of this package
        error.add_note(f"seed {seed}")
        raise
    if finding is not None:
        await lanes.pop(lane).__aexit__()
    return finding


def run(
    seeds: Iterable[int],
    most: int | None = None,
    tally: Counter[str] | None = None,
    lane_name: str = "",
) -> list[Found]:
    """Play sequences in virtual time; see :func:`play_all`."""
    found: list[Found] = []
    left = iter(seeds)
    while chunk := list(islice(left, CHUNK)):
        left_over = None if most is None else most - len(found)
        found += clock.run(play_all(chunk, left_over, tally, lane_name))
        if len(found) == most:
            break
    return found


async def play_alone(lane: Lane, steps: Sequence[Step]) -> Finding | None:
    """Play one sequence on devices of its own."""
    with Trouble() as trouble:
        async with OpenLane(lane, trouble) as opened:
            return await Player(opened, steps).play()


def shortened(found: Found) -> Found:
    """The shortest sequence that still finds something."""

    def fails(steps: Sequence[Step]) -> Finding | None:
        return clock.run(play_alone(found.lane, steps))

    finding = fails(found.finding.steps)
    if finding is None:
        return replace(found, alone=False)
    for simpler in (_fewer, _plainer):
        finding = _simplest(finding, simpler, fails)
    return replace(found, finding=finding)


Simpler = Callable[[tuple[Step, ...]], Iterator[tuple[Step, ...]]]


def _simplest(
    finding: Finding, simpler: Simpler, fails: Callable[[Sequence[Step]], Finding | None]
) -> Finding:
    while True:
        for steps in simpler(finding.steps):
            shorter = fails(steps)
            if shorter is not None:
                finding = shorter
                break
        else:
            return finding


def _fewer(steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    size = len(steps) // 2
    while size:
        for at in range(0, len(steps), size):
            yield steps[:at] + steps[at + size :]
        size //= 2


def _plainer(steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    for at, step in enumerate(steps):
        blank = step.pdu[:5] + bytes(len(step.pdu[5:]))
        for pdu in (step.pdu[: len(step.pdu) // 2], step.pdu[:-1], blank):
            if pdu and pdu != step.pdu:
                yield (*steps[:at], step._replace(pdu=pdu), *steps[at + 1 :])
