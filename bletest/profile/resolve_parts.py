"""From parts to patterns and templates: what a write consists of, what a reply is made of."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bletest.profile.mistakes import KEY, Refusal, count, suggestion
from bletest.profile.rules import (
    Computed,
    Field,
    Function,
    Named,
    Part,
    Pattern,
    Random,
    Secret,
    Template,
    Verify,
)
from bletest.profile.scalars import read_hex, read_identifier, read_integer, read_text
from bletest.profile.shape import Shaped
from bletest.profile.tree import Fields, Items, Node, Path, Text
from bletest.profile.values import PLAIN_FORMATS

_FUNCTIONS = tuple(str(one) for one in Function)
_LONGEST = 512

T = TypeVar("T")


def remembered_names(node: Node) -> dict[str, int]:
    """Return the names by which random octets are remembered anywhere in a file, with lengths."""
    found: dict[str, int] = {}
    if isinstance(node, Fields):
        if "random" in node and isinstance(node.get("as"), Text):
            try:
                found[str(node["as"])] = read_integer(node["random"], 1, _LONGEST)
            except Refusal:
                found[str(node["as"])] = 0  # a mistake of its own
        for value in node.values():
            found |= remembered_names(value)
    elif isinstance(node, Items):
        for value in node:
            found |= remembered_names(value)
    return found


@dataclass(frozen=True, slots=True)
class PartReader:
    """Reads parts; every mistake is noted, and None returned for what cannot be read.

    ``remembered`` are the names of random octets in this file, with their lengths.
    """

    shaped: Shaped
    remembered: Mapping[str, int]

    def pattern(self, items: Items, path: Path) -> Pattern | None:
        """Read the parts of a ``match``."""
        parts: list[bytes | Field] = []
        sound = True
        for index, item in enumerate(items):
            part = self._try((*path, index), partial(_match_part, item))
            if part is None:
                sound = False
                continue
            parts.append(part)
            if not isinstance(part, Field):
                continue
            if part.length is None and index + 1 < len(items):
                self.shaped.mistake(
                    (*path, index),
                    f"where does `{part.name}` end? Only the last part can be of any length",
                    "add `length: …`",
                )
                sound = False
            if any(isinstance(one, Field) and one.name == part.name for one in parts[:-1]):
                self.shaped.mistake(
                    (*path, index, "field"), f"`{part.name}` is a field already", "rename one"
                )
                sound = False
        if not items:
            self.shaped.mistake(path, "this `match` has no parts", "write octets, or {field: …}")
        return Pattern(tuple(parts)) if sound and items else None

    def template(self, node: Node, fields: Mapping[str, int | None], path: Path) -> Template | None:
        """Read the parts of a reply's ``bytes``; ``fields`` are those of the match."""
        items: list[tuple[Node, Path]] = (
            [(one, (*path, index)) for index, one in enumerate(node)]
            if isinstance(node, Items)
            else [(node, path)]
        )
        parts = [
            self._try(at, partial(_reply_part, one, {**self.remembered, **fields}))
            for one, at in items
        ]
        whole = [one for one in parts if one is not None]
        return Template(tuple(whole)) if len(whole) == len(parts) else None

    def verify(self, node: Node, fields: Mapping[str, int | None], path: Path) -> Verify | None:
        """Read a ``verify``; ``fields`` are those of the match."""
        return self._try(path, lambda: _verify(node, {**self.remembered, **fields}))

    def length_of(self, template: Template, fields: Mapping[str, int | None]) -> int | None:
        """Return how many octets a template gives, None where that depends on what is written."""
        total = 0
        known = {**self.remembered, **fields}
        for part in template.parts:
            match part:
                case bytes():
                    total += len(part)
                case Named(name):
                    length = known.get(name)
                    if length is None:
                        return None
                    total += length
                case _:
                    total += part.length
        return total

    def _try(self, path: Path, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except Refusal as refusal:
            self.shaped.refuse(path, refusal)
            return None


def _match_part(node: Node) -> bytes | Field:
    if not isinstance(node, Fields):
        return read_hex(node)
    if "field" not in node:
        return _literal(node, ("field", "hex", "text"))
    _only(node, ("field", "length"), "a field")
    name = _inside(node, "field", read_identifier)
    if "length" not in node:
        return Field(name, None)
    return Field(name, _inside(node, "length", lambda one: read_integer(one, 1, _LONGEST)))


def _reply_part(node: Node, known: Mapping[str, int | None]) -> Part:
    if not isinstance(node, Fields):
        return read_hex(node)
    if "random" in node:
        _only(node, ("random", "as"), "random octets")
        length = _inside(node, "random", lambda one: read_integer(one, 1, _LONGEST))
        return Random(length, _inside(node, "as", read_identifier) if "as" in node else None)
    if "field" in node:
        _only(node, ("field",), "a field")
        return Named(_inside(node, "field", lambda one: _name(one, known)))
    function = _function(node)
    if function is not None:
        _only(node, (function,), "a function")
        return _inside(node, function, lambda one: _computed(Function(function), one, known, ()))
    return _literal(node, ("random", "field", *_FUNCTIONS, "hex", "text"))


def _literal(node: Fields, known: Collection[str]) -> bytes:
    keys = list(node)
    if len(keys) == 1 and keys[0] in PLAIN_FORMATS:
        return _inside(node, keys[0], PLAIN_FORMATS[keys[0]].encode)
    wrong = next((key for key in keys if key not in PLAIN_FORMATS), None)
    if wrong is None:
        raise Refusal("a part is written in one way", "keep one of these keys")
    raise Refusal(f"`{wrong}` is no part", suggestion(wrong, known), inner=(wrong, KEY))


def _verify(node: Node, known: Mapping[str, int | None]) -> Verify:
    if not isinstance(node, Fields) or len(node) != 1:
        raise Refusal("`verify` names one function", f"one of: {', '.join(_FUNCTIONS)}")
    (key,) = node
    if key not in _FUNCTIONS:
        raise Refusal(
            f"`{key}` is no function of a profile", suggestion(key, _FUNCTIONS), inner=(key, KEY)
        )
    return _inside(node, key, lambda inner: _verified(Function(key), inner, known))


def _verified(function: Function, node: Node, known: Mapping[str, int | None]) -> Verify:
    computed = _computed(function, node, known, ("equals",))
    assert isinstance(node, Fields)  # _computed said so
    if "equals" not in node:
        raise Refusal("`verify` compares with something", "add `equals: …` with a field's name")
    equals = _inside(node, "equals", lambda one: _name(one, known))
    length = known[equals]
    if length is not None and length != computed.length:
        raise Refusal(
            f"`{equals}` has {count(length, 'octet')}, {function} gives {computed.length}",
            "change the length of the field, or add `length: …` here",
            inner=("equals",),
        )
    return Verify(computed, equals)


def _computed(
    function: Function, node: Node, known: Mapping[str, int | None], more: tuple[str, ...]
) -> Computed:
    if not isinstance(node, Fields):
        raise Refusal(f"{function} is computed over something", "such as {over: nonce}")
    keys = ("over", "length", *(("key",) if function.takes_key else ()), *more)
    _only(node, keys, str(function))
    if "over" not in node:
        raise Refusal(f"{function} is computed over something", "add `over: …`")
    if function.takes_key and "key" not in node:
        raise Refusal(
            f"{function} takes a key", "add key: {env: NAME}, or octets that are no secret"
        )
    length = function.length
    if "length" in node:
        length = _inside(node, "length", lambda one: read_integer(one, 1, function.length))
    key = _inside(node, "key", lambda one: _key(function, one)) if "key" in node else None
    return Computed(function, _inside(node, "over", lambda one: _over(one, known)), length, key)


def _key(function: Function, node: Node) -> bytes | Secret:
    if isinstance(node, Fields) and "env" in node:
        _only(node, ("env",), "a key")
        return Secret(_inside(node, "env", read_identifier))
    if isinstance(node, Fields):
        _only(node, ("hex",), "a key")
        if not node:
            raise Refusal("this key is empty", "write octets, or {env: NAME}")
    octets = _inside(node, "hex", read_hex) if isinstance(node, Fields) else read_hex(node)
    if function is Function.AES_CMAC and len(octets) != 16:
        raise Refusal(f"this key has {count(len(octets), 'octet')}", "a key of AES-CMAC has 16")
    return octets


def _over(node: Node, known: Mapping[str, int | None]) -> tuple[bytes | Named, ...]:
    items = node if isinstance(node, Items) else [node]
    found: list[bytes | Named] = []
    for index, item in enumerate(items):
        try:
            if isinstance(item, Fields):
                found.append(_literal(item, ("hex", "text")))
            else:
                found.append(Named(_name(item, known)))
        except Refusal as refusal:
            raise refusal.under(index) if isinstance(node, Items) else refusal from None
    if not found:
        raise Refusal("this list is empty", "name what is to be computed over")
    return tuple(found)


def _name(node: Node, known: Mapping[str, int | None]) -> str:
    name = read_text(node, "a name")
    if name not in known:
        raise Refusal(
            f"neither a field of this rule nor remembered octets are called `{name}`",
            suggestion(name, known) if known else "name one: {field: …} or {random: …, as: …}",
        )
    return name


def _function(node: Fields) -> str | None:
    return next((key for key in node if key in _FUNCTIONS), None)


def _only(node: Fields, known: Collection[str], what: str) -> None:
    for key in node:
        if key not in known:
            raise Refusal(
                f"unknown key `{key}` of {what}", suggestion(key, known), inner=(key, KEY)
            )


def _inside(node: Fields, key: str, read: Callable[[Node], T]) -> T:
    try:
        return read(node[key])
    except Refusal as refusal:
        raise refusal.under(key) from None
