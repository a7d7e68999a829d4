"""Judges every shipped profile on every lane: ``python -m tests.matrix``.

Prints a table, and each verdict that differs from the one in virtual time; ends with 1 if any
does. It takes some minutes, because most lanes keep real time. Arguments name the profiles to
keep to.
"""

import argparse
import os
import sys
from collections import Counter

from bletest.profile import shipped
from tests.matrix.lanes import LANES, REFERENCE, Verdicts, differences, judge


def main(names: list[str]) -> int:
    """Print the matrix; return 1 if a verdict differs between lanes, or a test fails on one."""
    os.environ.setdefault("LOCK_KEY", "00 01 02 03")  # of challenge_lock
    wrong: list[str] = []
    width = max(map(len, shipped()))
    for profile in names or sorted(shipped()):
        reference = judge(profile, REFERENCE)
        print(f"{profile:{width}}  {REFERENCE.name:12}  {_summary(reference)}", flush=True)
        for lane in LANES:
            verdicts = judge(profile, lane)
            found = differences(reference, verdicts, lane)
            equal = "the same" if not found else f"{len(found)} differ"
            print(f"{'':{width}}  {lane.name:12}  {_summary(verdicts)}: {equal}", flush=True)
            wrong += [f"{profile}: {line}" for line in found]
        wrong += [
            f"{profile}: {test} is {outcome} in {REFERENCE.name}"
            for test, outcome in reference.items()
            if outcome in ("failed", "broken")
        ]
    print(*wrong, sep="\n")
    return bool(wrong)


def _summary(verdicts: Verdicts) -> str:
    counted = Counter(verdicts.values())
    return ", ".join(f"{number} {outcome}" for outcome, number in counted.most_common())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("profile", nargs="*", help="a shipped profile to keep to")
    wanted = parser.parse_args().profile
    for unknown in set(wanted) - shipped().keys():
        parser.error(f"{unknown} is none of {', '.join(sorted(shipped()))}")
    sys.exit(main(wanted))
