"""A script of ``startup``: runs pytest in one process, and prints what a plugin added, in ms.

Everything that the other plugins import is imported by the runs without ours, so what the one
run with it takes longer is its import, its options and its hooks. Processor time: a plugin waits
for nothing.
"""

import contextlib
import io
import json
import statistics
import sys
from time import process_time

import pytest

RUNS = 6
ARGUMENTS = ("-q", "-p", "no:cacheprovider")
WITHOUT = ("-p", "no:bletest")


def milliseconds(*arguments: str) -> float:
    """Return the processor time of one run; exit if it does not pass."""
    start = process_time()
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = pytest.main([*ARGUMENTS, *arguments])
    elapsed = (process_time() - start) * 1000
    if code:
        sys.exit(f"pytest ended with {code}: {output.getvalue()}")
    return elapsed


if __name__ == "__main__":
    first = milliseconds(*WITHOUT)
    without = statistics.median(milliseconds(*WITHOUT) for _ in range(RUNS))
    with_it = milliseconds()
    if "pytest_bletest" not in sys.modules:
        sys.exit("pytest did not load the plugin: bletest is not installed")
    print(json.dumps({"unused_ms": with_it - without, "pytest_ms": first}))
