"""The same seed gives the same octets at the same times, whatever the process."""

import os
import subprocess
from pathlib import Path

from tests.support.serving import BLETEST

# Discovery, reads, writes, subscriptions, refusals, an advertisement: no pairing.
SAMPLE = "control_point or (battery_level and not remembered) or test_name"


def evidence(folder: Path, seed: int, hash_seed: str) -> dict[str, bytes]:
    """Run a sample of the suites; return every file that it left, by its name."""
    command = [*BLETEST, "run", "heart_rate", f"--ble-seed={seed}", f"--ble-output={folder}"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run([*command, "--", "-k", SAMPLE], env=environment, capture_output=True, check=True)
    files = (path for path in folder.rglob("transcript.*"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_two_processes_with_the_same_seed_leave_the_same_transcripts(tmp_path: Path) -> None:
    first = evidence(tmp_path / "first", 7, "1")
    assert len(first) > 60
    assert evidence(tmp_path / "second", 7, "2") == first
