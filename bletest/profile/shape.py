"""Holds a tree against the model: mistakes of shape, and what is left once they are cut out.

A file with mistakes of shape is still searched for mistakes of meaning, so that all of them are
reported at once. What the model refuses is cut out of a copy of the tree, what it cannot do
without is replaced by a stand-in, and :meth:`Shaped.sound` tells later steps what not to trust.
"""

import typing
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bletest.profile.field_types import Shape
from bletest.profile.mistakes import KEY, Mistake, Refusal, suggestion
from bletest.profile.model import ProfileModel
from bletest.profile.tree import (
    Fields,
    Items,
    Node,
    Path,
    Reader,
    Text,
    copy_of,
    fields_at,
    items_at,
    node_at,
    place_at,
    text_at,
)

_ROUNDS = 100  # each cuts something out, and a model is not that deep


@dataclass(slots=True)
class Shaped:
    """A tree that has the shape of the model, and the model of it.

    ``root`` is the cut copy, ``original`` the tree as it was read.
    """

    reader: Reader
    original: Fields
    root: Fields
    model: ProfileModel | None = None
    cut: set[tuple[int, str]] = field(default_factory=set)

    def sound(self, path: Path, key: str) -> bool:
        """Whether nothing at or under ``key`` of the mapping at ``path`` had to be cut out."""
        return (id(node_at(self.root, path)), key) not in self.cut

    def mistake(self, path: Path, message: str, remedy: str = "") -> None:
        """Note a mistake at ``path`` of the cut tree."""
        self.reader.mistake(place_at(self.root, path), message, remedy)

    def mistake_at(self, path: Path, message: str, remedy: str = "") -> Mistake:
        """Return a mistake at ``path`` of the cut tree, without noting it."""
        return self.reader.mistake_at(place_at(self.root, path), message, remedy)

    def refuse(self, path: Path, refusal: Refusal) -> None:
        """Note the mistakes of a refusal that was raised while ``path`` was read."""
        for one in (refusal, *refusal.others):
            self.mistake((*path, *one.inner), one.message, one.remedy)


def hold_against_model(reader: Reader, root: Fields) -> Shaped:
    """Note every mistake of shape, and return what can be worked with."""
    copy = copy_of(root)
    assert isinstance(copy, Fields)
    shaped = Shaped(reader, root, copy)
    _cut_nothings(shaped, copy, ())
    for number in range(_ROUNDS):
        try:
            shaped.model = ProfileModel.model_validate(copy)
        except ValidationError as error:
            details = error.errors(include_url=False)
            if number == 0:
                _report(shaped, details)
            # Deeper and later ones first: indices of what is left to cut stay true.
            for one in sorted(details, key=lambda one: _order(one["loc"]), reverse=True):
                _cut(shaped, one)
        else:
            break
    return shaped


def _order(path: Path) -> list[tuple[bool, int, str]]:
    return [
        (isinstance(step, str), step if isinstance(step, int) else 0, str(step)) for step in path
    ]


def _cut_nothings(shaped: Shaped, node: Node, path: Path) -> None:
    if isinstance(node, Fields):
        for key, value in list(node.items()):
            if isinstance(value, Text) and value.is_nothing:
                shaped.reader.mistake(
                    node.keys_at[key], f"`{key}` has no value", "write one, or remove the key"
                )
                shaped.cut.add((id(node), key))
                del node[key]
            else:
                _cut_nothings(shaped, value, (*path, key))
    elif isinstance(node, Items):
        for index in range(len(node) - 1, -1, -1):
            if isinstance(node[index], Text) and node[index].is_nothing:
                shaped.reader.mistake(
                    node[index].place, "this item has no value", "write one, or remove it"
                )
                del node[index]
                _mark(shaped, path)
            else:
                _cut_nothings(shaped, node[index], (*path, index))


def _report(shaped: Shaped, details: list[ErrorDetails]) -> None:
    missing: dict[Path, list[str]] = {}
    for one in details:
        path = one["loc"]
        kind = one["type"]
        if kind == "missing":
            if not _emptied(shaped, path):
                missing.setdefault(path[:-1], []).append(str(path[-1]))
        elif kind == "extra_forbidden":
            known = _known_keys(path[:-1])
            shaped.mistake(
                (*path, KEY), f"unknown key `{path[-1]}`", suggestion(str(path[-1]), known)
            )
        elif kind == "refusal":
            context = one["ctx"]
            shaped.mistake(path, context["message"], context["remedy"])
        elif kind == "later":
            _report_later(shaped, path)
        else:
            shaped.mistake(path, *_wrong_kind(kind, node_at(shaped.root, path), path))
    for path, keys in missing.items():
        names = " and ".join(f"`{key}`" for key in keys)
        what = _noun(path)
        shaped.mistake(
            path,
            f"{what} lacks {names}",
            f"add {', '.join(f'{key}: …' for key in keys)}",
        )


def _emptied(shaped: Shaped, path: Path) -> bool:
    """Whether a missing key was there, but with nothing after it."""
    return not shaped.sound(path[:-1], str(path[-1]))


def _report_later(shaped: Shaped, path: Path) -> None:
    key = str(path[-1])
    node = node_at(shaped.root, path)
    if isinstance(node, Text):
        shaped.mistake(
            path,
            f"`{key}: {node}` comes with a later version of bletest",
            "it belongs to the format, but this version cannot run it: leave it out for now",
        )
        return
    shaped.mistake(
        (*path, KEY),
        f"`{key}` comes with a later version of bletest",
        "it belongs to the format, but this version cannot run it: leave it out for now",
    )


def _wrong_kind(kind: str, node: Node | None, path: Path) -> tuple[str, str]:
    if isinstance(node, Text):
        found = f"`{node}`"
    else:
        found = "a list" if isinstance(node, Items) else "a mapping"
    if kind == "list_type":
        remedy = f"write [{node}]" if isinstance(node, Text) else "each item after a `-`"
        return f"expected a list, found {found}", remedy
    keys = _known_keys(path)
    remedy = f"with the keys {', '.join(keys)}" if keys else "of the form {key: value}"
    return f"expected a mapping, found {found}", remedy


def _noun(path: Path) -> str:
    """Name the mapping at ``path`` for people."""
    names = [str(step) for step in path if isinstance(step, str)]
    if not names:
        return "the profile"
    last = names[-1]
    nouns = {
        "services": "the service",
        "characteristics": "the characteristic",
        "descriptors": "the descriptor",
        "on_write": "the rule",
    }
    return nouns.get(last, f"`{last}`")


def _known_keys(path: Path) -> list[str]:
    model = _model_at(path)
    if model is None:
        return []
    fields = model.model_fields.items()
    return [info.alias or name for name, info in fields if info.annotation is not type(None)]


def _model_at(path: Path) -> type[Shape] | None:
    model: type[Shape] | None = ProfileModel
    named = False  # whether the next step is a name that the profile has made up
    for step in path:
        if isinstance(step, int) or model is None:
            continue
        if named:
            named = False
            continue
        annotation = next(
            (i.annotation for n, i in model.model_fields.items() if step == (i.alias or n)), None
        )
        named = typing.get_origin(annotation) is dict
        model = next(_models_in(annotation), None)
    return model


def _models_in(annotation: object) -> Iterator[type[Shape]]:
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)


def _cut(shaped: Shaped, detail: ErrorDetails) -> None:
    path = detail["loc"]
    if path and path[-1] == KEY:
        path = path[:-1]
    if detail["type"] == "missing":
        holder = node_at(shaped.root, path[:-1])
        make = _STAND_INS.get(str(path[-1]))
        if isinstance(holder, Fields) and make is not None:
            holder[str(path[-1])] = make(holder)
            holder.keys_at[str(path[-1])] = holder.place
            shaped.cut.add((id(holder), str(path[-1])))
            return
        path = path[:-1]
    _remove(shaped, path)


_STAND_INS: dict[str, typing.Callable[[Fields], Node]] = {
    "bletest": lambda holder: text_at(holder.place, "1", plain=True),
    "name": lambda holder: text_at(holder.place, "unnamed", plain=True),
    "uuid": lambda holder: text_at(holder.place, "0xFFFF", plain=True),
    "every": lambda holder: text_at(holder.place, "1s", plain=True),
    "properties": lambda holder: items_at(holder.place),
    "services": lambda holder: items_at(holder.place),
    "device": lambda holder: fields_at(holder.place),
}


def _remove(shaped: Shaped, path: Path) -> None:
    """Cut the deepest thing on ``path`` that the tree has; the model may see more than it has."""
    while path:
        holder = node_at(shaped.root, path[:-1])
        last = path[-1]
        if isinstance(holder, Fields) and isinstance(last, str):
            if last in holder:
                shaped.cut.add((id(holder), last))
                del holder[last]
            return
        if isinstance(holder, Items) and isinstance(last, int):
            if last < len(holder):
                del holder[last]
                _mark(shaped, path[:-1])
            return
        path = path[:-1]


def _mark(shaped: Shaped, path: Path) -> None:
    """Mark the key that leads to ``path`` as cut."""
    for end in range(len(path), 0, -1):
        holder = node_at(shaped.root, path[: end - 1])
        if isinstance(holder, Fields):
            shaped.cut.add((id(holder), str(path[end - 1])))
            return
