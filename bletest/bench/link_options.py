"""What ``--ble-link`` says of the virtual air: a model's name, and ``key=value,…``."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from bletest.errors import UsageMistake
from bletest.link.data_path import DataPath
from bletest.link.model import INSTANT, KEYS, MODELS, LinkModel, make_model


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How the virtual air carries what stations send; ``model`` None is ``instant``."""

    path: DataPath = DataPath.SHORT
    model: LinkModel | None = None


def parse_link(option: str, text: str) -> LinkOptions:
    """Return what ``text`` says; raise UsageMistake that names ``option`` and the remedy."""
    said: dict[str, Any] = {}
    of_model: dict[str, object] = {}
    base = ""
    for word in filter(None, (word.strip() for word in text.split(","))):
        key, equals, value = word.partition("=")
        if not equals and word in MODELS and not base:
            base = word
            continue
        if not equals or key not in _KNOWN:
            raise _unknown(option, word)
        if key in said or key in of_model:
            raise UsageMistake(f"{option}: {key} is given twice", remedy="give it once")
        parse = _KEYS.get(key)
        if parse is None:
            of_model[key] = value
            continue
        try:
            said[key] = parse(value)
        except ValueError as error:
            raise UsageMistake(f'{option}: "{word}"', remedy=str(error)) from None
    model = make_model(base or ("ideal" if of_model else INSTANT), where=option, **of_model)
    return LinkOptions(**said, model=model)


def _unknown(option: str, word: str) -> UsageMistake:
    key = word.partition("=")[0]
    close = get_close_matches(key, (*MODELS, *_KNOWN), n=1)
    hint = f"write {', '.join(MODELS)}, or KEY=VALUE with one of {', '.join(_KNOWN)}"
    if close:
        meant = close[0] if close[0] in MODELS else f"{close[0]}=…"
        hint = f'did you mean "{meant}"? {hint}'
    return UsageMistake(f'{option}: "{word}" is unknown', remedy=hint)


def _path(text: str) -> DataPath:
    try:
        return DataPath(text)
    except ValueError:
        raise ValueError(f"choose from {', '.join(DataPath)}") from None


_KEYS: dict[str, Callable[[str], Any]] = {"path": _path}
"""Fields of :class:`LinkOptions`. A parser raises ValueError with what to write instead."""

_KNOWN = (*_KEYS, *(key.name for key in KEYS))
