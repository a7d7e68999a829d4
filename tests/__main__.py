"""Everything a change has to pass: ``python -m tests``.

Runs each tool in turn, shows what it prints, and ends with a line for each. The exit code is
the number of tools that failed. ``--only NAME`` runs one of them.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent

TOOLS: dict[str, list[str]] = {
    "lint": [sys.executable, "-m", "ruff", "check", "."],
    "format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "types": [sys.executable, "-m", "mypy"],
    "imports": [str(BIN / "lint-imports")],
    "pytest": [sys.executable, "-m", "pytest", "-q", "-n", "auto"],
}


def main() -> int:
    """Run the tools and return how many failed."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("--only", choices=TOOLS)
    parser.add_argument("rest", nargs="*", help="handed to pytest")
    arguments = parser.parse_args()
    chosen = [arguments.only] if arguments.only else list(TOOLS)
    results: list[tuple[str, bool, float]] = []
    for name in chosen:
        command = TOOLS[name] + (arguments.rest if name == "pytest" else [])
        print(f"== {name}: {' '.join(command)}", flush=True)
        start = time.monotonic()
        passed = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
        results.append((name, passed, time.monotonic() - start))
    for name, passed, seconds in results:
        print(f"{name:8} {'passed' if passed else 'FAILED'} in {seconds:.1f} s", flush=True)
    return sum(not passed for _, passed, _ in results)


if __name__ == "__main__":
    sys.exit(main())
