"""From what a profile writes to octets, and to what any device's octets must look like."""

from collections.abc import Callable
from dataclasses import dataclass

from bletest.profile.expectation import FieldExpectation, ValueExpectation
from bletest.profile.mistakes import KEY, Refusal, suggestion
from bletest.profile.model import LengthModel
from bletest.profile.scalars import read_integer
from bletest.profile.shape import Shaped
from bletest.profile.sig import sig_format
from bletest.profile.spec import MAXIMUM_LENGTH
from bletest.profile.tree import Fields, Items, Node, Path, Text
from bletest.profile.values import PLAIN_FORMATS, Format
from bletest.uuids import USER_DESCRIPTION, Uuid

_BOUNDS = ("min", "max", "one_of")


@dataclass(frozen=True, slots=True)
class Typing:
    """What is known of the type of an attribute before its value is read.

    ``label`` names it for people; ``known`` is False where its UUID is wrong. ``codec`` finds
    the format that the UUID implies, None where it implies none; it is called only where a value
    needs it, since loading a codec takes time.
    """

    label: str
    codec: Callable[[], Format | None]
    known: bool = True


@dataclass(frozen=True, slots=True)
class ResolvedValue:
    """A value as octets, and the format it was written in; ``node`` is what was written."""

    format: Format
    octets: bytes
    node: Node


def characteristic_typing(uuid: Uuid, *, known: bool) -> Typing:
    """Say how values of a characteristic may be written."""
    return Typing(uuid.label, lambda: sig_format(uuid), known)


def descriptor_typing(uuid: Uuid, *, known: bool) -> Typing:
    """Say how values of a descriptor may be written."""
    described = uuid == USER_DESCRIPTION
    return Typing(uuid.label, lambda: PLAIN_FORMATS["text"] if described else None, known)


def resolve_value(shaped: Shaped, typing: Typing, node: Node, path: Path) -> ResolvedValue | None:
    """Encode a value; None, with the mistake noted, where it cannot be."""
    plain = isinstance(node, Fields) and any(key in PLAIN_FORMATS for key in node)
    if not typing.known and not plain:
        return None  # the UUID's own mistake
    try:
        format_, inner, prefix = _choose(typing, node)
    except Refusal as refusal:
        shaped.refuse(path, refusal)
        return None
    try:
        octets = format_.encode(inner)
        if len(octets) > MAXIMUM_LENGTH:
            raise Refusal(
                f"this value has {len(octets)} octets, an attribute holds {MAXIMUM_LENGTH}",
                "shorten it (Vol 3, Part F, 3.2.9)",
            )
    except Refusal as refusal:
        shaped.refuse((*path, *prefix), refusal)
        return None
    return ResolvedValue(format_, octets, inner)


def _choose(typing: Typing, node: Node) -> tuple[Format, Node, Path]:
    """Find the format a value is written in, and the part of the node that it reads."""
    if not isinstance(node, Fields):
        codec = typing.codec()
        if codec is None:
            shown = node if isinstance(node, Text) else "…"
            raise Refusal(
                f"a value of {typing.label} needs its type",
                f"write {{text: {shown}}}, {{hex: {shown}}} or {{uint8: {shown}}}",
            )
        return codec, node, ()
    plain = [key for key in node if key in PLAIN_FORMATS]
    if len(node) == 1 and plain:
        return PLAIN_FORMATS[plain[0]], node[plain[0]], (plain[0],)
    if plain:
        raise Refusal("a value is written in one way", "keep one of these keys")
    codec = typing.codec()
    first = next(iter(node), None)
    if first is None:
        raise Refusal("this value is empty", "write {hex: …}, {text: …} or {uint8: …}")
    if codec is not None and any(key in codec.fields for key in node):
        return codec, node, ()
    if codec is not None and codec.fields:
        raise Refusal(
            f"{codec.name} has no field `{first}`",
            suggestion(first, (*top_fields(codec), *PLAIN_FORMATS)),
            inner=(first, KEY),
        )
    raise Refusal(
        f"`{first}` is no way to write a value of {typing.label}",
        suggestion(first, PLAIN_FORMATS),
        inner=(first, KEY),
    )


def top_fields(codec: Format) -> list[str]:
    """Return the fields of a format that are not parts of other fields."""
    return [name for name in codec.fields if "." not in name]


def resolve_expectation(
    shaped: Shaped,
    typing: Typing,
    node: Node | None,
    path: Path,
    value: ResolvedValue | None,
    length: LengthModel | None,
) -> ValueExpectation:
    """Resolve ``expect``; where it is silent, format and length come from value and length."""
    judge = _Judge(shaped, typing, path, value, length)
    try:
        if node is not None:
            judge.read(node)
    except Refusal as refusal:
        shaped.refuse(path, refusal)
    return judge.expectation()


class _Judge:
    """Collects an expectation while ``expect`` is read."""

    def __init__(
        self,
        shaped: Shaped,
        typing: Typing,
        path: Path,
        value: ResolvedValue | None,
        length: LengthModel | None,
    ) -> None:
        self.shaped = shaped
        self.typing = typing
        self.path = path
        self.value = value
        self.length = length
        self.format = value.format if value is not None else None
        self.exact: bytes | None = None
        self.fields: dict[str, FieldExpectation] = {}

    def expectation(self) -> ValueExpectation:
        octets = self.value.octets if self.value is not None else None
        low, high = self.format.lengths(octets) if self.format is not None else (0, None)
        if self.length is not None:
            low = self.length.min if self.length.min is not None else 0
            high = self.length.max
        if self.exact is not None:
            low = high = len(self.exact)
        opaque = self.format is None or (self.format.name == "hex" and not self.fields)
        return ValueExpectation(
            exact=self.exact,
            min_length=low,
            max_length=high,
            format=None if self.format is None or opaque else self.format.name,
            decode=None if self.format is None or opaque else self.format.decode,
            fields=self.fields,
        )

    def read(self, node: Node) -> None:
        if isinstance(node, Text) and node.plain and node == "same":
            if self.value is None:
                raise Refusal("`expect: same` needs a `value` to be the same as", "add `value: …`")
            self.exact = self.value.octets
        elif isinstance(node, Fields):
            self._read_fields(node)
        else:
            self._read_one(node)

    def _read_one(self, node: Node) -> None:
        format_ = self._single()
        self.fields[""] = FieldExpectation(one_of=(format_.literal("", node),))

    def _read_fields(self, node: Fields) -> None:
        if len(node) == 1 and (key := next(iter(node))) in PLAIN_FORMATS:
            self._read_plain(key, node[key])
            return
        rest = {key: value for key, value in node.items() if key != "length"}
        if "length" in node:
            self.length = self._read_length(node["length"])
        if not rest:
            return
        if all(key in _BOUNDS for key in rest) and not self._has_fields(rest):
            bounds = self._bounds(self._single(), "", rest, ())
            if bounds is not None:
                self.fields[""] = bounds
            return
        format_ = self._structured(next(iter(rest)))
        for key, value in rest.items():
            self._read_field(format_, key, value, (key,))

    def _read_plain(self, key: str, node: Node) -> None:
        self.format = PLAIN_FORMATS[key]
        if self.value is not None and self.value.format is not self.format:
            self.value = None  # its length says nothing about this format
        if isinstance(node, Fields):
            rest = {name: value for name, value in node.items() if name != "length"}
            if "length" in node:
                self.length = self._read_length(node["length"])
            if rest and (bounds := self._bounds(self.format, "", rest, (key,))) is not None:
                self.fields[""] = bounds
            return
        try:
            self.exact = self.format.encode(node)
        except Refusal as refusal:
            raise refusal.under(key) from None

    def _read_field(self, format_: Format, name: str, node: Node, way: Path) -> None:
        if name not in format_.fields:
            names = [one for one in format_.fields if one.count(".") == name.count(".")]
            self._note(
                way,
                Refusal(
                    f"{format_.name} has no field `{name}`", suggestion(name, names), inner=(KEY,)
                ),
            )
        elif isinstance(node, Fields) and not any(key in _BOUNDS for key in node):
            if not any(one.startswith(f"{name}.") for one in format_.fields):
                self._bounds(format_, name, node, way)
                return
            for key, value in node.items():
                self._read_field(format_, f"{name}.{key}", value, (*way, key))
        elif isinstance(node, Fields):
            if (bounds := self._bounds(format_, name, node, way)) is not None:
                self.fields[name] = bounds
        else:
            try:
                self.fields[name] = FieldExpectation(one_of=(format_.literal(name, node),))
            except Refusal as refusal:
                self._note(way, refusal)

    def _bounds(
        self, format_: Format, name: str, node: "dict[str, Node]", way: Path
    ) -> FieldExpectation | None:
        """Read ``{min, max}`` or ``{one_of}``; None, with the mistakes noted, if that fails."""
        found: dict[str, object] = {}
        sound = True
        for key, value in node.items():
            try:
                if key not in _BOUNDS:
                    raise Refusal(f"unknown bound `{key}`", suggestion(key, _BOUNDS), inner=(KEY,))
                if key != "one_of":
                    found[key] = format_.bound(name, value)
                elif not isinstance(value, Items) or not value:
                    raise Refusal("one_of is a list of values", "such as one_of: [1, 2]")
                else:
                    found[key] = tuple(format_.literal(name, one) for one in value)
            except Refusal as refusal:
                self._note((*way, key), refusal)
                sound = False
        low, high, one_of = found.get("min"), found.get("max"), found.get("one_of")
        if one_of is not None and len(found) > 1:
            self._note(way, Refusal("one_of stands alone", "remove it, or min and max"))
            return None
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            self._note(
                (*way, "min"), Refusal(f"min {low:g} is greater than max {high:g}", "swap them")
            )
            return None
        if not sound:
            return None
        return FieldExpectation(
            minimum=low if isinstance(low, int | float) else None,
            maximum=high if isinstance(high, int | float) else None,
            one_of=one_of if isinstance(one_of, tuple) else None,
        )

    def _read_length(self, node: Node) -> LengthModel:
        way: Path = ("length",)
        try:
            if not isinstance(node, Fields):
                number = read_integer(node, 0, MAXIMUM_LENGTH)
                return LengthModel.model_construct(min=number, max=number)
            found: dict[str, int] = {}
            for key, value in node.items():
                way = ("length", key)
                if key not in ("min", "max"):
                    raise Refusal(
                        f"unknown bound `{key}`", suggestion(key, ("min", "max")), inner=(KEY,)
                    )
                found[key] = read_integer(value, 0, MAXIMUM_LENGTH)
        except Refusal as refusal:
            self._note(way, refusal)
            return LengthModel.model_construct(min=0, max=None)
        return LengthModel.model_construct(min=found.get("min"), max=found.get("max"))

    def _has_fields(self, rest: "dict[str, Node]") -> bool:
        return self.format is not None and all(key in self.format.fields for key in rest)

    def _single(self) -> Format:
        if self.format is None:
            self.format = self.typing.codec()
        if self.format is None:
            raise Refusal(
                f"a value of {self.typing.label} has no type yet",
                "add a `value`, or write the type: {uint8: {min: …, max: …}}",
            )
        if self.format.fields:
            raise Refusal(
                f"a value of {self.format.name} has several fields",
                f"name the one that is meant: {', '.join(top_fields(self.format))}",
            )
        return self.format

    def _structured(self, first: str) -> Format:
        if self.format is not None and self.format.fields:
            return self.format
        codec = self.typing.codec()
        if codec is not None and codec.fields:
            self.format = codec
            return codec
        known = (*_BOUNDS, "length", *PLAIN_FORMATS)
        raise Refusal(
            f"a value of {self.typing.label} has no field `{first}`",
            suggestion(first, known),
            inner=(first, KEY),
        )

    def _note(self, way: Path, refusal: Refusal) -> None:
        self.shaped.refuse((*self.path, *way), refusal)
