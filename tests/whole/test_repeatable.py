"""The same seed gives the same octets at the same times, whatever the process."""

import os
import subprocess
from pathlib import Path

from tests.support.serving import BLETEST

# Discovery, reads, writes, subscriptions, refusals, an advertisement; and pairing.
SAMPLE = "control_point or (battery_level and not remembered) or test_name or after_pairing"


def evidence(folder: Path, seed: int, hash_seed: str) -> dict[str, bytes]:
    """Run a sample of the suites; return every file that it left, by its name."""
    command = [*BLETEST, "run", "heart_rate", "smart_lock", f"--ble-seed={seed}"]
    command += [f"--ble-output={folder}", "--ble-capture=on"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run([*command, "--", "-k", SAMPLE], env=environment, capture_output=True, check=True)
    files = (path for kind in ("transcript.*", "*.btsnoop") for path in folder.rglob(kind))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_two_processes_with_the_same_seed_leave_the_same_transcripts_and_captures(
    tmp_path: Path,
) -> None:
    first = evidence(tmp_path / "first", 7, "1")
    assert len(first) > 120
    assert len([name for name in first if name.endswith("/device.btsnoop")]) > 30
    assert len([name for name in first if "after_pairing" in name]) > 4
    assert evidence(tmp_path / "second", 7, "2") == first
