"""Plays random PDU sequences to the emulated device: ``python -m tests.model``.

``--count N`` sequences from ``--seed S`` on. One seed alone is shown step by step. Ends with 1
if the device answered one wrongly.
"""

import argparse
import sys
import time
from collections import Counter

from tests.model.lanes import BY_NAME, sequence
from tests.model.run import run, shortened

CHUNK = 5_000
"""Sequences between two lines of progress."""
SHORTENED = 20
"""Of more findings than that, the rest are shown as they are."""


def main() -> int:
    """Play; return 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first sequence")
    parser.add_argument("--count", type=int, default=1, help="how many sequences")
    parser.add_argument("--lane", choices=BY_NAME, default="", help="play all of them there")
    arguments = parser.parse_args()
    first, end = arguments.seed, arguments.seed + arguments.count
    if arguments.count == 1:
        lane, steps = sequence(first, arguments.lane)
        print(f"seed {first}, lane {lane.name}:", *steps, sep="\n  ")
    start, spent, failed = time.monotonic(), time.process_time(), 0
    tally: Counter[str] = Counter()
    for at in range(first, end, CHUNK):
        found = run(range(at, min(at + CHUNK, end)), tally=tally, lane_name=arguments.lane)
        for one in found:
            print(shortened(one) if failed < SHORTENED else one, flush=True)
            failed += 1
        print(f"{min(at + CHUNK, end) - first} played, {failed} wrong", flush=True)
    for name, number in sorted(tally.items()):
        print(f"{number:10,} {name}")
    print(
        f"{arguments.count} sequences from {first}: {failed} answered wrongly, "
        f"{time.process_time() - spent:.1f} s of CPU, {time.monotonic() - start:.1f} s"
    )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
