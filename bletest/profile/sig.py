"""The value codecs of the Bluetooth SIG's characteristics, by their UUID.

They come from ``bluetooth-sig``, which takes half a second to load as a whole; only the modules
of the characteristics that a profile types by name are loaded, when they are needed.
"""

import datetime
import enum
import importlib
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import combinations

from bletest.profile.medfloat import corrected
from bletest.profile.mistakes import KEY, Refusal, suggestion
from bletest.profile.scalars import (
    read_boolean,
    read_duration,
    read_hex,
    read_integer,
    read_number,
    read_text,
)
from bletest.profile.spec import MAXIMUM_LENGTH
from bletest.profile.tree import Fields, Items
from bletest.profile.values import Format
from bletest.uuids import Uuid

_OUT_OF_RANGE = re.compile(r"outside allowed range \[([-0-9.e+]+), ([-0-9.e+]+)\]")
_PACKAGE = "bluetooth_sig.gatt.characteristics"
_MAXIMUM_FLAGS = 8  # flags tried in all combinations; 256 encodings take a few milliseconds


class SpecialValue:
    """A value that stands for a state, such as "value is not known"."""

    __slots__ = ("meaning", "raw")

    def __init__(self, raw: bytes, meaning: str) -> None:
        self.raw = raw
        self.meaning = meaning

    def __repr__(self) -> str:
        return f"<{self.meaning}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpecialValue) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)


@lru_cache(maxsize=256)
def sig_format(uuid: Uuid) -> "SigFormat | None":
    """Return the codec of a characteristic, None where the SIG has not assigned its UUID."""
    if uuid.alias is None or uuid.name is None:
        return None
    codec = _codec(uuid)
    return None if codec is None else SigFormat(uuid.name, codec)


def _codec(uuid: Uuid) -> typing.Any:
    """Make the codec; the one module is tried first, the whole registry after it."""
    name = str(uuid.name)
    try:
        module = importlib.import_module(f"{_PACKAGE}.{name}")
    except ModuleNotFoundError:
        module = None
    wanted = name.replace("_", "") + "characteristic"
    for title, thing in vars(module).items() if module else ():
        if title.lower() == wanted and isinstance(thing, type):
            found = thing()
            if Uuid.parse(str(found.uuid)) == uuid:
                return found
    registry = importlib.import_module(_PACKAGE).CharacteristicRegistry
    known = registry.get_characteristic_class_by_uuid(f"{uuid.alias:04X}")
    return known() if known is not None else None


class SigFormat(Format):
    """The codec of one characteristic.

    Fields carry the codec's names, enumerations are written by name in snake case. A ``flags``
    field that only says which others are there may be left out: it is found.
    """

    def __init__(self, name: str, codec: typing.Any) -> None:
        self.name = name
        self._codec = codec
        self._type = _value_type(codec)
        self._members = _members(self._type)
        self.fields = tuple(_paths(self._members)) if self._members else ()

    @property
    def required(self) -> tuple[str, ...]:
        """The fields without which there is no value."""
        return tuple(
            name
            for name, member in self._members.items()
            if member.required and not _is_flags(name, member)
        )

    def encode(self, node: object, numbers: Mapping[str, float] | None = None) -> bytes:
        """Return the octets."""
        if not self._members:
            value = numbers[""] if numbers and "" in numbers else _convert(self._type, node)
            raw = self._build(value, node)
            self._verify_single(raw, value, node)
            return raw
        given = self._given(node, numbers or {})
        if self._type is None or not isinstance(self._type, type):
            raise Refusal(f"{self.name} cannot be written by fields", "write it as {hex: …}")
        flags = next((n for n, m in self._members.items() if _is_flags(n, m)), None)
        if flags is None or flags in given:
            raw = self._build(self._make(given), node)
            if lost := self._lost(raw, given):
                raise self._would_lose(lost, flags)
            return raw
        best: list[str] | None = None
        refusal: Refusal | None = None
        for value in _flag_values(_bare(self._members[flags].type)):
            try:
                raw = self._build(self._make({**given, flags: value}), node)
            except Refusal as error:
                refusal = refusal or error
                continue
            lost = self._lost(raw, given)
            if not lost:
                return raw
            best = lost if best is None or len(lost) < len(best) else best
        if best is None and refusal is not None:
            raise refusal
        raise self._would_lose(best or [flags], flags)

    def decode(self, raw: bytes) -> object:
        """Return the decoded value, or a :class:`SpecialValue`."""
        if self.name == "cgm_measurement":
            _demand_records(raw)
        try:
            with corrected():
                return self._codec.parse_value(bytearray(raw))
        except Exception as error:  # the codecs of 500 characteristics raise what they like
            if type(error).__name__ == "SpecialValueDetectedError":
                return SpecialValue(raw, str(error).rpartition(": ")[2])
            raise ValueError(_cleaned(error)) from error

    def lengths(self, encoded: bytes | None) -> tuple[int, int | None]:
        """Return the lengths the codec knows, or that of the value where it is of fixed shape."""
        if exact := self._codec.expected_length:
            return int(exact), int(exact)
        low, high = self._codec.min_length, self._codec.max_length
        flexible = self._codec.allow_variable_length or self._type in (str, bytes, None)
        if flexible or low is not None or high is not None or self._is_elastic():
            return int(low or 0), MAXIMUM_LENGTH if high is None else int(high)
        if size := self._codec.size:
            return int(size), int(size)
        return (0, None) if encoded is None else (len(encoded), len(encoded))

    def literal(self, field: str, node: object) -> object:
        """Read what a field may be."""
        return _convert(self._type_of(field), node)

    def bound(self, field: str, node: object) -> float:
        """Read a bound of a field that is a number."""
        kind = _bare(self._type_of(field))
        if typing.get_origin(kind) in (tuple, list):  # a bound holds for every item
            kind = typing.get_args(kind)[0]
        number = isinstance(kind, type) and issubclass(kind, int | float)
        if not number or issubclass(kind, enum.Enum | bool):
            what = f"`{field}`" if field else self.name
            raise Refusal(f"{what} is no number and has no bounds", "write the value, or one_of")
        return read_number(node)

    def _is_elastic(self) -> bool:
        """Whether fields can be left out, or repeat."""
        return any(
            not member.required or typing.get_origin(_bare(member.type)) in (tuple, list)
            for member in self._members.values()
        )

    def _type_of(self, field: str) -> typing.Any:
        if not field:
            return self._type
        kind: typing.Any = self._type
        for part in field.split("."):
            kind = _members(_bare(kind))[part].type
        return kind

    def _given(self, node: object, numbers: Mapping[str, float]) -> dict[str, typing.Any]:
        if not isinstance(node, Fields):
            raise Refusal(
                f"a value of {self.name} has several fields",
                f"write {{{', '.join(f'{name}: …' for name in self.required)}}}, or {{hex: …}}",
            )
        given = _convert_fields(self._members, node, self.name)
        given.update((name, number) for name, number in numbers.items() if name)
        missing = [name for name in self.required if name not in given]
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            raise Refusal(
                f"{self.name} needs {names} too",
                "fields: " + ", ".join(self._members),
            )
        return given

    def _make(self, given: Mapping[str, typing.Any]) -> typing.Any:
        try:
            return self._type(**given)
        except (ValueError, TypeError) as error:
            raise self._impossible("this value", error) from None

    def _build(self, value: object, node: object) -> bytes:
        try:
            with corrected():
                return bytes(self._codec.build_value(value))
        except Exception as error:  # the codecs of 500 characteristics raise what they like
            shown = f"`{node}`" if isinstance(node, str) else "this value"
            raise self._impossible(shown, error) from None

    def _impossible(self, shown: str, error: Exception) -> Refusal:
        """Say that the codec does not take a value, in the format's words where it can be."""
        reason = _cleaned(error)
        if bounds := _OUT_OF_RANGE.search(reason):
            low, high = (float(one) for one in bounds.groups())
            return Refusal(f"{self.name} cannot be {shown}", f"from {low:g} to {high:g}")
        return Refusal(
            f"{self.name} cannot be {shown}: {reason}", "octets of any kind go under {hex: …}"
        )

    def _verify_single(self, raw: bytes, value: object, node: object) -> None:
        try:
            decoded = self.decode(raw)
        except ValueError as error:
            raise self._impossible(f"`{node}`", error) from None
        if not isinstance(decoded, SpecialValue) and not _alike(decoded, value):
            raise Refusal(
                f"{self.name} cannot be `{node}`: it would be read as {decoded}",
                "octets of any kind go under {hex: …}",
            )

    def _lost(self, raw: bytes, given: Mapping[str, typing.Any]) -> list[str]:
        """Name the fields that do not come back when the octets are decoded."""
        try:
            decoded = self.decode(raw)
        except ValueError:
            return list(given)
        return [
            name for name, value in given.items() if not _alike(getattr(decoded, name, None), value)
        ]

    def _would_lose(self, fields: list[str], flags: str | None) -> Refusal:
        remedy = f"leave it out, or set `{flags}`" if flags else "or write {hex: …}"
        return Refusal(
            f"`{fields[0]}` would be lost: {self.name} does not carry it like this",
            remedy,
            inner=(fields[0],),
        )


def _demand_records(raw: bytes) -> None:
    """Walk the records of a CGM Measurement by their sizes, each at least 6 octets (CGMS, 3.1.1).

    bluetooth-sig 0.6.0 follows a size of 0 for ever.
    """
    offset = 0
    while offset < len(raw):
        if raw[offset] < 6 or offset + raw[offset] > len(raw):
            raise ValueError(f"a record of {raw[offset]} octets cannot be")
        offset += raw[offset]


class _Member(typing.NamedTuple):
    type: typing.Any
    required: bool


def _value_type(codec: typing.Any) -> typing.Any:
    """Find the type of the decoded value, None where it cannot be written by name."""
    kind = codec.python_type
    if isinstance(kind, type) and kind not in (dict, tuple, list):
        return kind
    hints = typing.get_type_hints(type(codec)._decode_value)
    return hints.get("return")


def _members(kind: typing.Any) -> dict[str, _Member]:
    """Return the fields of a structure, none for anything else."""
    from msgspec import Struct, structs  # comes with bluetooth-sig, as late as it

    if not (isinstance(kind, type) and issubclass(kind, Struct)):
        return {}
    return {one.name: _Member(one.type, one.required) for one in structs.fields(kind)}


def _paths(members: Mapping[str, _Member], prefix: str = "") -> Iterator[str]:
    for name, member in members.items():
        yield prefix + name
        yield from _paths(_members(_bare(member.type)), f"{prefix}{name}.")


def _is_flags(name: str, member: _Member) -> bool:
    kind = _bare(member.type)
    return name == "flags" and isinstance(kind, type) and issubclass(kind, enum.Flag)


def _bare(kind: typing.Any) -> typing.Any:
    """Take ``None`` out of ``X | None``."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        rest = [one for one in typing.get_args(kind) if one is not type(None)]
        return rest[0] if len(rest) == 1 else None
    return kind


def _flag_values(kind: type[enum.Flag]) -> Iterator[enum.Flag]:
    """Yield combinations of flags, those with few first."""
    members = list(kind)
    for count in range(min(len(members), _MAXIMUM_FLAGS) + 1 if len(members) <= 10 else 3):
        for chosen in combinations(members, count):
            value = kind(0)
            for one in chosen:
                value |= one
            yield value


def _convert_fields(
    members: Mapping[str, _Member], node: Fields, name: str
) -> dict[str, typing.Any]:
    given: dict[str, typing.Any] = {}
    refusals: list[Refusal] = []
    for key, value in node.items():
        if key not in members:
            unknown = f"{name} has no field `{key}`"
            refusals.append(Refusal(unknown, suggestion(key, members), inner=(key, KEY)))
            continue
        try:
            given[key] = _convert(members[key].type, value)
        except Refusal as refusal:
            refusals.append(refusal.under(key))
    if refusals:
        refusals[0].others = tuple(one for top in refusals for one in (top, *top.others))[1:]
        raise refusals[0]
    return given


def _convert(kind: typing.Any, node: object) -> typing.Any:
    """Read a node as a type of the codec."""
    kind = _bare(kind)
    if members := _members(kind):
        if not isinstance(node, Fields):
            raise Refusal("several fields are needed here", "fields: " + ", ".join(members))
        return kind(**_convert_fields(members, node, kind.__name__))
    if typing.get_origin(kind) in (tuple, list):
        if not isinstance(node, Items):
            raise Refusal("expected a list", "such as [1, 2]")
        inner = typing.get_args(kind)[0]
        return typing.get_origin(kind)(_convert_items(inner, node))
    if not isinstance(kind, type) or (kind not in _READERS and not issubclass(kind, enum.Enum)):
        raise Refusal("this cannot be written by name", "write the value as {hex: …}")
    if issubclass(kind, enum.Flag):
        return _convert_flags(kind, node)
    if issubclass(kind, enum.Enum):
        return _convert_name(kind, node)
    return _READERS[kind](node)


def _convert_items(kind: typing.Any, node: Items) -> Iterator[typing.Any]:
    for index, one in enumerate(node):
        try:
            yield _convert(kind, one)
        except Refusal as refusal:
            raise refusal.under(index) from None


def _convert_name(kind: type[enum.Enum], node: object) -> enum.Enum:
    text = read_text(node, "a name")
    names = {name.lower(): member for name, member in kind.__members__.items()}
    if text.lower() in names:
        return names[text.lower()]
    try:
        return kind(read_integer(text, -(1 << 31), 1 << 32))
    except ValueError:
        raise Refusal(f"`{text}` is not one of its names", suggestion(text, names)) from None


def _convert_flags(kind: type[enum.Flag], node: object) -> enum.Flag:
    value = kind(0)
    for one in node if isinstance(node, Items) else [node]:
        text = read_text(one, "a flag")
        names = {name.lower(): member for name, member in kind.__members__.items()}
        if text.lower() in names:
            value |= names[text.lower()]
            continue
        try:
            value |= kind(read_integer(text, 0, 1 << 64))
        except ValueError:
            raise Refusal(f"`{text}` is not one of its flags", suggestion(text, names)) from None
    return value


def _date(node: object) -> datetime.date:
    try:
        return datetime.date.fromisoformat(read_text(node, "a date"))
    except ValueError:
        raise Refusal(f"`{node}` is no date", "such as 2026-11-21") from None


def _moment(node: object) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(read_text(node, "a date and time"))
    except ValueError:
        raise Refusal(f"`{node}` is no date and time", "such as 2026-11-21 12:30:00") from None


_READERS: Mapping[type, typing.Callable[[object], object]] = {
    int: lambda node: read_integer(node, -(1 << 63), (1 << 64) - 1),
    float: lambda node: float(read_number(node)),
    bool: read_boolean,
    str: read_text,
    bytes: read_hex,
    datetime.timedelta: lambda node: datetime.timedelta(seconds=read_duration(node)),
    datetime.date: _date,
    datetime.datetime: _moment,
}


def _alike(decoded: object, given: object) -> bool:
    """Compare within the resolution of a codec: the question is whether a value got lost."""
    if isinstance(given, float) and isinstance(decoded, int | float):
        return math.isclose(decoded, given, rel_tol=0.05, abs_tol=0.01)
    if isinstance(given, tuple | list) and isinstance(decoded, tuple | list):
        return len(given) == len(decoded) and all(map(_alike, decoded, given))
    return bool(decoded == given)


def _cleaned(error: Exception) -> str:
    """Cut what the codecs repeat about themselves: ``Name (UUID): …  (source …) [unit …]``."""
    text = str(error).partition(" (source")[0].partition(" (class-level")[0]
    text = text.partition(" (YAML")[0]
    head, separator, rest = text.partition("): ")
    return rest if separator and "-0000-1000-" in head else text
