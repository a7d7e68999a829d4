"""A key from the environment: used where it is there, named where it is not, shown nowhere."""

import os
import subprocess
from pathlib import Path

from tests.support.serving import BLETEST

KEY = bytes(range(0x61, 0x71))


def run(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "LOCK_KEY"}
    for_pytest = ["-k", "test_protocols", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*BLETEST, "run", "challenge_lock", "--ble-output", str(folder), "--", *for_pytest],
        env={**clean, **environment},
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )


def test_with_the_key_the_lock_is_opened_and_no_evidence_holds_the_key(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = run(folder, {"LOCK_KEY": KEY.hex()})

    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout
    files = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    assert files
    forms = (KEY, KEY.hex().encode(), KEY.hex(" ").encode(), KEY.hex().upper().encode())
    for text in (*files, done.stdout.encode(), done.stderr.encode()):
        assert not any(form in text for form in forms)


def test_without_the_key_the_tests_that_need_it_are_skipped_by_its_name(tmp_path: Path) -> None:
    done = run(tmp_path / "out", {})

    assert "6 skipped" in done.stdout
    assert "the environment variable LOCK_KEY is not set" in done.stdout
    assert done.returncode == 5  # nothing ran


def test_a_key_that_is_no_key_is_the_benchs_trouble(tmp_path: Path) -> None:
    done = run(tmp_path / "out", {"LOCK_KEY": "hunter2"})

    assert done.returncode == 2
    assert "LOCK_KEY does not hold octets in hexadecimal" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
