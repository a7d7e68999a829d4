"""How a process of its own finds its radios, and us."""

import os
from collections.abc import Sequence
from pathlib import Path

import bletest
from bletest.standalone.radios import VARIABLE

STARTUP = Path(__file__).parent / "startup"
"""The folder with what Python runs when a program under test starts."""


def environment_for(radios: Sequence[str]) -> dict[str, str]:
    """Return what a program's environment has to say so that its plain bleak ends up on them."""
    ours = [str(STARTUP), str(Path(bletest.__file__).parent.parent)]
    already = os.environ.get("PYTHONPATH", "")
    paths = [*ours, *filter(None, already.split(os.pathsep))]
    return {VARIABLE: ",".join(radios), "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
