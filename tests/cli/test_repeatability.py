"""The same seed gives the same evidence, octet for octet, in another process."""

import os
import subprocess
import sys
from pathlib import Path

BLETEST = [sys.executable, "-c", "from bletest.cli import main; main()"]


def evidence(folder: Path, hash_seed: str) -> dict[str, bytes]:
    """Run the checks of a lock that need pairing and return the transcripts by name."""
    options = ["--ble-seed", "7", "--ble-output", str(folder)]
    for_pytest = ["-k", "after_pairing", "-p", "no:cacheprovider", "-p", "no:randomly"]
    subprocess.run(
        [*BLETEST, "run", "smart_lock", *options, "--", *for_pytest],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=folder.parent,
        check=True,
        capture_output=True,
    )
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_transcripts_repeat_in_another_process_pairing_included(tmp_path: Path) -> None:
    first, second = evidence(tmp_path / "first", "1"), evidence(tmp_path / "second", "2")
    assert sum(b"Pairing Public Key" in text for text in first.values()) >= 5
    assert first == second
