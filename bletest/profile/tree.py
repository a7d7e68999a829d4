"""YAML as a tree of source text: every scalar is the text that stands in the file.

YAML 1.1 would read ``0x180D``, ``0123``, ``on`` or ``10:20:30`` as something else; nothing here
guesses types. The tree consists of dictionaries, lists and strings that know their place, built
from the parser's events without recursion, within fixed bounds of size and depth.
"""

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from bletest.profile.mistakes import KEY, Mistake

MAXIMUM_OCTETS = 256 * 1024
MAXIMUM_NODES = 50_000
MAXIMUM_DEPTH = 32
_TOO_DEEP = f"this is nested more than {MAXIMUM_DEPTH} levels deep"

_ENCODING = "a profile is YAML in UTF-8"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")

Place = tuple[int, int]
"""Line and column, both from 1."""


class Text(str):
    """A scalar. ``plain`` is True where it stands without quotes."""

    __slots__ = ("place", "plain")
    place: Place
    plain: bool

    @property
    def is_nothing(self) -> bool:
        """Whether nothing stands there, or a word for it."""
        return self.plain and self.lower() in ("", "~", "null")


class Items(list[Any]):
    """A list."""

    __slots__ = ("place", "weight")
    place: Place
    weight: tuple[int, int]


class Fields(dict[str, Any]):
    """A mapping; ``keys_at`` holds the places of its keys."""

    __slots__ = ("keys_at", "place", "weight")
    place: Place
    keys_at: dict[str, Place]
    weight: tuple[int, int]


Node = Text | Items | Fields
Path = tuple[str | int, ...]


def text_at(place: Place, value: str, *, plain: bool) -> Text:
    """Make a scalar."""
    text = Text(value)
    text.place, text.plain = place, plain
    return text


def items_at(place: Place) -> Items:
    """Make an empty list."""
    items = Items()
    items.place, items.weight = place, (1, 1)
    return items


def fields_at(place: Place) -> Fields:
    """Make an empty mapping."""
    fields = Fields()
    fields.place, fields.keys_at, fields.weight = place, {}, (1, 1)
    return fields


def copy_of(node: Node) -> Node:
    """Copy a tree with its places."""
    if isinstance(node, Fields):
        fields = fields_at(node.place)
        fields.keys_at = dict(node.keys_at)
        fields.weight = node.weight
        fields.update((key, copy_of(value)) for key, value in node.items())
        return fields
    if isinstance(node, Items):
        items = items_at(node.place)
        items.weight = node.weight
        items.extend(copy_of(item) for item in node)
        return items
    return node


def node_at(root: Node, path: Path) -> Node | None:
    """Return the node at ``path``, None if the tree has none there."""
    node: Any = root
    for step in path:
        inside = (isinstance(node, Fields) and step in node) or (
            isinstance(node, Items) and isinstance(step, int) and 0 <= step < len(node)
        )
        if not inside:
            return None
        node = node[step]
    found: Node = node
    return found


def place_at(root: Node, path: Path) -> Place:
    """Return the place of what stands at ``path``, or of the nearest thing around it.

    Steps that the tree does not have are skipped: a model may see a list where the file has a
    single item. ``KEY`` at the end means the key.
    """
    node: Any = root
    place = root.place
    for step in path:
        if isinstance(node, Fields) and step in node:
            place, node = node.keys_at[str(step)], node[str(step)]
            if path[-1] == KEY and path[-2] == step:
                return place
            place = node.place
        elif isinstance(node, Items) and isinstance(step, int) and 0 <= step < len(node):
            node = node[step]
            place = node.place
    return place


class Reader:
    """Turns a text into a tree, and keeps the mistakes it meets on the way.

    :meth:`read` returns None where nothing can be made of the text.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.lines = text.splitlines()
        self.mistakes: list[Mistake] = []
        self._weight = 0

    def mistake(self, place: Place, message: str, remedy: str = "") -> None:
        """Note a mistake at ``place``."""
        self.mistakes.append(self.mistake_at(place, message, remedy))

    def mistake_at(self, place: Place, message: str, remedy: str = "") -> Mistake:
        """Return a mistake at ``place``, without noting it."""
        line, column = place
        source = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return Mistake(self.name, line, column, source, message, remedy)

    def read(self) -> Node | None:
        """Return the tree of the first document."""
        if found := _CONTROL.search(self.text):
            before = self.text[: found.start()]
            line = before.count("\n") + 1
            place = (line, found.start() - (before.rfind("\n") + 1) + 1)
            if place[1] > 1000:
                line = 0
            self.lines = [_CONTROL.sub("�", one) for one in self.text.split("\n")[:line]]
            self.mistake(
                (line, place[1]),
                f"this is no text: it holds the control character 0x{ord(found[0]):02X}",
                _ENCODING,
            )
            return None
        try:
            return self._build(yaml.parse(self.text, Loader=_LOADER))
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
        except yaml.YAMLError as error:  # the reader's own, for characters that YAML forbids
            self.mistake((0, 0), f"this is no YAML: {str(error).splitlines()[0]}", _ENCODING)
        except _GiveUp:
            pass
        return None

    def _build(self, events: Iterator[Any]) -> Node | None:
        stack: list[_Open] = []
        anchors: dict[str | None, Node | None] = {}
        root: Node | None = None
        for event in events:
            place = (event.start_mark.line + 1, event.start_mark.column + 1)
            node: Node
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self.mistake(place, "a second document starts here", "one profile a file")
                    return root
                continue
            if isinstance(event, yaml.AliasEvent):
                node = self._alias(event.anchor, anchors, place, len(stack))
            elif isinstance(event, yaml.ScalarEvent):
                self._plain_tag(event, place)
                plain = event.style in (None, "")
                node = text_at(place, event.value, plain=plain)
                self._count(place, 1)
                if event.anchor:
                    anchors[event.anchor] = node
            elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
                self._plain_tag(event, place)
                self._count(place, 1)
                if len(stack) >= MAXIMUM_DEPTH:
                    self._give_up(place, _TOO_DEEP, "a profile needs eight levels or so")
                mapping = isinstance(event, yaml.MappingStartEvent)
                stack.append(_Open(fields_at(place) if mapping else items_at(place), event.anchor))
                if event.anchor:
                    anchors[event.anchor] = None  # an alias to it in here would be endless
                continue
            elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                done = stack.pop()
                node = done.node
                if done.anchor:
                    anchors[done.anchor] = node
            else:
                continue
            if stack:
                self._add(stack[-1], node, place)
            else:
                root = node
        return root

    def _add(self, parent: "_Open", node: Node, place: Place) -> None:
        nodes, height = _weight(node)
        total, tallest = parent.node.weight
        parent.node.weight = (total + nodes, max(tallest, height + 1))
        if isinstance(parent.node, Items):
            parent.node.append(node)
        elif not parent.has_key:
            parent.has_key = True
            parent.key = node if isinstance(node, Text) else None
            if parent.key is None:
                self.mistake(
                    node.place,
                    "a key has to be plain text",
                    "braces inside a value need quotes or a space after each colon",
                )
        else:
            key, parent.has_key = parent.key, False
            if key is None:
                return
            if key in parent.node:
                line = parent.node.keys_at[key][0]
                self.mistake(
                    key.place,
                    f"`{key}` is here a second time; the first is on line {line}",
                    "remove one of the two",
                )
                return
            parent.node[str(key)] = node
            parent.node.keys_at[str(key)] = key.place

    def _alias(
        self, anchor: str | None, anchors: dict[str | None, Node | None], place: Place, depth: int
    ) -> Node:
        # An alias to an anchor that does not exist is the parser's or ours to report: libyaml
        # leaves it to the composer, which is not used here.
        node = anchors.get(anchor)
        if node is None:
            if anchor in anchors:
                self._give_up(
                    place, f"*{anchor} stands inside what it refers to", "write it out instead"
                )
            self._give_up(
                place,
                f"no anchor &{anchor} comes before this alias",
                "quote it if it is a text that starts with *",
            )
        nodes, height = _weight(node)
        self._count(place, nodes)
        if depth + height > MAXIMUM_DEPTH:
            self._give_up(place, _TOO_DEEP, "a profile needs eight levels or so")
        return copy_of(node)

    def _count(self, place: Place, nodes: int) -> None:
        self._weight += nodes
        if self._weight > MAXIMUM_NODES:
            self._give_up(
                place,
                f"with its aliases the file has more than {MAXIMUM_NODES:,} values",
                "a profile describes one device; write out what repeats, or drop it",
            )

    def _plain_tag(self, event: Any, place: Place) -> None:
        if event.tag is not None:
            self.mistake(
                place,
                f"`{event.tag}` is a YAML tag; a profile is plain data and has none",
                "remove the tag",
            )

    def _give_up(self, place: Place, message: str, remedy: str) -> NoReturn:
        self.mistake(place, message, remedy)
        raise _GiveUp

    def _syntax(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problem = str(error.problem or error.context or "cannot be read")
        for sign, message, remedy in _SYNTAX:
            if sign in problem:
                self.mistake(place, message, remedy)
                return
        self.mistake(place, f"this is no YAML: {problem}", "quoting a text often helps")


_SYNTAX = (
    (
        "cannot start any token",
        "no value starts with this character",
        "indent with spaces, never tabs; quote a text that starts with a special character",
    ),
    (
        "mapping values are not allowed",
        "a `:` makes no sense here",
        'quote a text that holds ": ", and check the indentation',
    ),
    (
        "did not find expected ',' or",
        "a `,` or the closing bracket is missing before this",
        "every [ needs its ] and every { its }",
    ),
    (
        "expected ',' or",
        "a `,` or the closing bracket is missing before this",
        "every [ needs its ] and every { its }",
    ),
    (
        "did not find expected key",
        "a key is expected here",
        "keys of one mapping stand in the same column",
    ),
    (
        "expected <block end>",
        "a key is expected here",
        "keys of one mapping stand in the same column",
    ),
    (
        "did not find expected '-' indicator",
        "an item of the list is expected here",
        "items of one list stand in the same column, each after a `-`",
    ),
    (
        "could not find expected ':'",
        "a `:` is missing after a key",
        "write `key: value`, with a space after the colon",
    ),
    (
        "unexpected end of stream",
        "the closing quote is missing",
        "quotes that are opened have to be closed",
    ),
)


class _GiveUp(Exception):
    """Reading on would help nobody."""


class _Open:
    """A list or mapping whose end has not been read yet."""

    __slots__ = ("anchor", "has_key", "key", "node")

    def __init__(self, node: Items | Fields, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.has_key = False
        self.key: Text | None = None


def _weight(node: Node) -> tuple[int, int]:
    """Count the nodes of a tree, and its levels."""
    return (1, 1) if isinstance(node, Text) else node.weight
