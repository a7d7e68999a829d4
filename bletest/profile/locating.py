"""Finding profiles by name."""

import glob
from pathlib import Path

from bletest.errors import NothingMatched
from bletest.profile.mistakes import suggestion
from bletest.resources import folder

_SUFFIXES = (".yaml", ".yml")


def shipped_profiles() -> dict[str, Path]:
    """Return the shipped profiles by name."""
    return {path.stem: path for path in sorted(folder("profiles").glob("*.yaml"))}


def find_profiles(pattern: str) -> list[Path]:
    """Return what ``pattern`` names: see :func:`bletest.profile.find`."""
    path = Path(pattern)
    if path.is_file():
        return [path]
    known = shipped_profiles()
    if pattern in known:
        return [known[pattern]]
    if any(sign in pattern for sign in "*?["):
        files = [Path(one) for one in sorted(glob.glob(pattern, recursive=True))]
        found = [one for one in files if one.is_file() and one.suffix in _SUFFIXES]
        found = found or [one for name, one in known.items() if Path(name).match(pattern)]
        if found:
            return found
        what = "no profile matches"
    elif path.is_dir():
        raise NothingMatched(
            f"{pattern} is a folder, not a profile", remedy=f"name what is in it: {pattern}/*.yaml"
        )
    else:
        what = "there is no file and no shipped profile"
    beside = []
    if path.parent.is_dir():
        beside = [str(one) for one in sorted(path.parent.iterdir()) if one.suffix in _SUFFIXES]
    close = suggestion(pattern, beside) if beside else ""
    if not close.startswith("did you mean"):
        close = suggestion(pattern.removesuffix(path.suffix), known)
    raise NothingMatched(f"{what} {pattern}", remedy=close)
