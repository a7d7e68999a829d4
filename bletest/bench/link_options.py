"""What ``--ble-link`` says of the virtual air: a model's name, and ``key=value,…``.

Link models are imported when one is wanted: every pytest run reads this option.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bletest.errors import UsageMistake
from bletest.link.data_path import DataPath

if TYPE_CHECKING:
    from bletest.link.model import LinkModel

INSTANT = "instant"
"""The air of every run that asks for no other: no model."""


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How the virtual air carries what stations send; ``model`` None is ``instant``."""

    path: DataPath = DataPath.SHORT
    model: "LinkModel | None" = None


def parse_link(option: str, text: str) -> LinkOptions:
    """Return what ``text`` says; raise UsageMistake that names ``option`` and the remedy."""
    if text == INSTANT:
        return LinkOptions()
    from bletest.link.model import MODELS, make_model

    known = _known_keys()
    said: dict[str, Any] = {}
    of_model: dict[str, object] = {}
    base = ""
    for word in filter(None, (word.strip() for word in text.split(","))):
        key, equals, value = word.partition("=")
        if not equals and word in MODELS and not base:
            base = word
            continue
        if not equals or key not in known:
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
    from bletest.link.model import MODELS

    key, known = word.partition("=")[0], _known_keys()
    close = get_close_matches(key, (*MODELS, *known), n=1)
    hint = f"write {', '.join(MODELS)}, or KEY=VALUE with one of {', '.join(known)}"
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


def _known_keys() -> tuple[str, ...]:
    from bletest.link.model import KEYS

    return (*_KEYS, *(key.name for key in KEYS))
