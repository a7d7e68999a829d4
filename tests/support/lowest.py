"""Prints the lowest version that ``pyproject.toml`` allows of a dependency, for pip.

``python -m tests.support.lowest bumble`` prints ``bumble==0.0.235``.
"""

import re
import sys
import tomllib
from pathlib import Path


def lowest(name: str) -> str:
    """Return ``name==version`` for the ``>=`` bound of that dependency."""
    document = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    for requirement in document["project"]["dependencies"]:
        match = re.fullmatch(rf"{re.escape(name)}>=([^,]+).*", requirement)
        if match:
            return f"{name}=={match[1]}"
    raise SystemExit(f"{name} has no lower bound in pyproject.toml")


if __name__ == "__main__":
    print(lowest(sys.argv[1]))
