"""tshark, Wireshark's command line: what somebody else's dissector makes of a capture."""

import shutil
import subprocess
from pathlib import Path

import pytest


def dissect(capture: Path, *fields: str, where: str = "frame") -> list[list[str]]:
    """Return the fields of each frame that the display filter ``where`` lets through.

    Skips the test where there is no tshark. Fails it if tshark cannot read the file to its end.
    """
    tool = shutil.which("tshark")
    if tool is None:
        pytest.skip("tshark is not installed (Debian and Ubuntu: apt-get install tshark)")
    arguments = [argument for field in fields for argument in ("-e", field)]
    done = subprocess.run(
        [tool, "-n", "-r", str(capture), "-Y", where, "-T", "fields", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cut short" not in done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def complaints(capture: Path) -> list[list[str]]:
    """Return the frames that tshark finds malformed, short, or otherwise worth an error."""
    return dissect(
        capture,
        "frame.number",
        "_ws.col.Info",
        where="_ws.malformed or _ws.short or _ws.unreassembled or _ws.expert.severity == error",
    )
