"""What a person waits for: processes from their start to their end."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from benchmarks.figures import LOWER, CannotMeasure, Figure, Measurement, Values
from benchmarks.harness import Effort, interleaved, median

PROFILE = "heart_rate"

A_BLE_TEST = """
async def test_body_sensor_location(ble_client):
    assert (await ble_client.read("body_sensor_location")).raw == b"\\x01"
"""

A_TEST = """
def test_nothing():
    assert True
"""

PYTEST = (sys.executable, "-m", "pytest", "-q")


@contextmanager
def folder(test: str = "") -> Iterator[Path]:
    """Provide a folder of a user's own, with one test file and no settings but pytest's."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        (path / "pytest.ini").write_text(
            "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
        )
        if test:
            (path / "test_one.py").write_text(test)
        yield path


def seconds(command: tuple[str, ...], where: Path) -> float:
    """Return the wall time of a process; CannotMeasure if it does not succeed."""
    start = perf_counter()
    _run(command, where)
    return perf_counter() - start


def _run(command: tuple[str, ...], where: Path) -> str:
    # Users let Python keep what it has compiled; with this variable each start compiles anew.
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    done = subprocess.run(
        command, cwd=where, env=ours, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise CannotMeasure(f"{command[0]} ended with {done.returncode}: {' / '.join(last)}")
    return done.stdout


def suite(effort: Effort) -> Values:
    bletest = Path(sys.executable).with_name("bletest")
    if not bletest.exists():
        raise CannotMeasure(f"bletest is not installed beside {sys.executable}")
    with folder() as where:
        command = (str(bletest), "run", PROFILE)
        samples = interleaved(
            effort.rounds, {"suite": lambda: seconds(command, where)}, warm_up=False
        )
    return {"startup.suite_s": median(samples["suite"])}


def first_test(effort: Effort) -> Values:
    with folder(A_BLE_TEST) as where:
        command = (*PYTEST, "--ble-profile", PROFILE)
        samples = interleaved(
            effort.rounds, {"first": lambda: seconds(command, where)}, warm_up=False
        )
    return {"startup.first_test_s": median(samples["first"])}


def unused(effort: Effort) -> Values:
    """Ask ``pytest_runs``, in fresh processes, for what the plugin costs who does not use it."""
    command = (sys.executable, str(Path(__file__).with_name("pytest_runs.py")))
    with folder(A_TEST) as where:
        answers = [json.loads(_run(command, where)) for _ in range(effort.rounds)]
    return {
        "startup.unused_ms": median([answer["unused_ms"] for answer in answers]),
        "startup.pytest_ms": median([answer["pytest_ms"] for answer in answers]),
    }


MEASUREMENTS = (
    Measurement(
        (Figure("startup.suite_s", f"`bletest run {PROFILE}` from a cold start", "s", LOWER),),
        suite,
    ),
    Measurement(
        (Figure("startup.first_test_s", "a pytest run of one test of a device", "s", LOWER),),
        first_test,
    ),
    Measurement(
        (
            Figure(
                "startup.unused_ms",
                "processor time that the plugin adds to a pytest run that does not use it",
                "ms",
                LOWER,
            ),
            Figure("startup.pytest_ms", "processor time of that run without it", "ms", LOWER),
        ),
        unused,
    ),
)
