"""One YAML file of a device: loading, its model, its values, and what it promises.

:func:`load` reads a file, :func:`loads` a string; both raise
:class:`~bletest.errors.ProfileError` with every mistake at once. :func:`find` and
:func:`shipped` turn names into paths. Importing this package is cheap: the parser, pydantic and
the codecs come with the first profile.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bletest.profile.spec import Profile

__all__ = ["find", "load", "loads", "shipped"]


def load(path: str | Path) -> "Profile":
    """Read the profile at ``path``.

    Raises :class:`~bletest.errors.ProfileError` whose ``mistakes`` are
    :class:`~bletest.profile.mistakes.Mistake`, also for a file that cannot be read.
    """
    from bletest.profile.loading import load_path

    return load_path(Path(path))


def loads(text: str, name: str = "<string>") -> "Profile":
    """Read a profile from ``text``; ``name`` stands for the file in its mistakes."""
    from bletest.profile.loading import load_text

    return load_text(text, name)


def find(pattern: str) -> list[Path]:
    """Return the profiles that ``pattern`` names: a file, a shipped profile, or a glob over either.

    Raises :class:`~bletest.errors.NothingMatched`, with a suggestion, where it names none.
    """
    from bletest.profile.locating import find_profiles

    return find_profiles(pattern)


def shipped() -> dict[str, Path]:
    """Return the profiles that come with bletest, by name, in alphabetical order."""
    from bletest.profile.locating import shipped_profiles

    return shipped_profiles()
