"""The ways in which one device can be judged, none of which may change a verdict."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bletest.profile import load, shipped
from tests.support.serving import BLETEST, PORT, serving

Verdicts = dict[str, str]
"""Test id → outcome; a skip with the capability that was wanted: ``skipped (capability)``."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One way: options of ``bletest run``; ``served`` has the device in a process of its own.

    ``without`` names the capabilities that the way does not have.
    """

    name: str
    options: tuple[str, ...] = ()
    served: bool = False
    without: frozenset[str] = frozenset()


REFERENCE = Lane("virtual time")
LANES = (
    Lane("full HCI path", ("--ble-link=path=hci",)),
    Lane("real time", ("--ble-clock=real",)),
    # To the tests it is a real device, which nobody may move unless told so.
    Lane(
        "HCI port",
        ("--ble-allow=actuates,resets,wears,irreversible",),
        served=True,
        without=frozenset({"peripheral_control", "wake", "passkey"}),
    ),
)


def judge(profile: str, lane: Lane, pytest_arguments: Sequence[str] = ()) -> Verdicts:
    """Run the tests of a shipped profile on a lane, in processes of their own."""
    with _device(profile, lane) as options, tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command = [*BLETEST, "run", profile, f"--json={results}", *lane.options, *options]
        command += [f"--ble-output={folder}", "--", *pytest_arguments]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        text = results.read_text("utf-8") if results.exists() else ""
        if not text:
            raise RuntimeError(f"{' '.join(command)} gave no results:\n{run.stdout}{run.stderr}")
        return {one["id"]: _verdict(one) for one in json.loads(text)["results"]}


def differences(reference: Verdicts, other: Verdicts, lane: Lane) -> list[str]:
    """Return a line for each verdict that the lane has no right to have otherwise."""
    excused = {f"skipped ({capability})" for capability in lane.without}
    lines = []
    for test in sorted(reference.keys() | other.keys()):
        ours, theirs = reference.get(test, "missing"), other.get(test, "missing")
        if ours != theirs and theirs not in excused:
            lines.append(f"{test}: {ours} in {REFERENCE.name}, {theirs} in {lane.name}")
    return lines


@contextmanager
def _device(profile: str, lane: Lane) -> Iterator[list[str]]:
    if not lane.served:
        yield []
        return
    device = load(shipped()[profile]).expectation
    # a device that serves several is met by one more
    radios = 1 if device.clients == 1 else device.clients + 1
    with serving(profile, *("--hci-port", PORT) * radios) as served:
        adapters = [f"--ble-adapter={port}" for port in served.ports]
        yield [*adapters, f"--ble-device=name:{device.device_name}"]


def _verdict(result: dict[str, str]) -> str:
    if result["outcome"] != "skipped":
        return result["outcome"]
    return f"skipped ({result['message'].partition(':')[0].rpartition(' ')[2]})"
