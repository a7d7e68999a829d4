"""What ``--ble-link`` says of the virtual air: comma-separated ``key=value``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bletest.errors import UsageMistake
from bletest.link.data_path import DataPath


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How the virtual air carries what stations send."""

    path: DataPath = DataPath.SHORT


def parse_link(option: str, text: str) -> LinkOptions:
    """Return what ``text`` says; raise UsageMistake that names ``option`` and the remedy."""
    said: dict[str, Any] = {}
    for word in filter(None, (word.strip() for word in text.split(","))):
        key, equals, value = word.partition("=")
        parse = _KEYS.get(key)
        if parse is None or not equals:
            raise UsageMistake(
                f'{option}: "{word}" is unknown',
                remedy=f"write KEY=VALUE with one of {', '.join(_KEYS)}",
            )
        if key in said:
            raise UsageMistake(f"{option}: {key} is given twice", remedy="give it once")
        try:
            said[key] = parse(value)
        except ValueError as error:
            raise UsageMistake(f'{option}: "{word}"', remedy=str(error)) from None
    return LinkOptions(**said)


def _path(text: str) -> DataPath:
    try:
        return DataPath(text)
    except ValueError:
        raise ValueError(f"choose from {', '.join(DataPath)}") from None


_KEYS: dict[str, Callable[[str], Any]] = {"path": _path}
"""Fields of :class:`LinkOptions`. A parser raises ValueError with what to write instead."""
