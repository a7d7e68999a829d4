"""Typed values: what a profile writes, as the octets that travel, and back.

A :class:`Format` is one way to write a value: ``uint16``, ``text``, ``hex``, or the codec of a
SIG characteristic (:mod:`bletest.profile.sig`). Numbers are little-endian, as everywhere in
GATT (Vol 3, Part G, 2.4).
"""

import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping

from bletest.profile.mistakes import Refusal
from bletest.profile.scalars import (
    read_boolean,
    read_hex,
    read_integer,
    read_number,
    read_text,
)
from bletest.profile.spec import MAXIMUM_LENGTH


class Format(ABC):
    """One way to write a value.

    ``fields`` are the names of its parts, empty for a single value; a part of a part is written
    with a dot. Every method that reads a node raises :class:`Refusal`.
    """

    name: str
    fields: tuple[str, ...] = ()

    @abstractmethod
    def encode(self, node: object, numbers: Mapping[str, float] | None = None) -> bytes:
        """Return the octets of ``node``; ``numbers`` take the place of fields (a ramp's).

        The key ``""`` of ``numbers`` stands for the value itself.
        """

    @abstractmethod
    def decode(self, raw: bytes) -> object:
        """Return the value; :class:`ValueError` for octets that do not hold one."""

    @abstractmethod
    def lengths(self, encoded: bytes | None) -> tuple[int, int | None]:
        """Return the least and the greatest length in octets; None where nothing bounds it.

        ``encoded`` is the value of the profile, for formats that fix no length themselves.
        """

    @abstractmethod
    def literal(self, field: str, node: object) -> object:
        """Read what ``field`` (``""`` for the value itself) may be, to be compared later."""

    def bound(self, field: str, node: object) -> float:
        """Read a least or greatest value of ``field``."""
        del field
        return read_number(node)


class IntegerFormat(Format):
    """A whole number of fixed length."""

    def __init__(self, name: str, octets: int, *, signed: bool) -> None:
        self.name = name
        self.octets = octets
        self.signed = signed
        self.low = -(1 << 8 * octets - 1) if signed else 0
        self.high = (1 << 8 * octets - signed) - 1

    def encode(self, node: object, numbers: Mapping[str, float] | None = None) -> bytes:
        """Return the octets."""
        value = self.literal("", node)
        if numbers and "" in numbers:
            value = self.literal("", str(numbers[""]))
        return value.to_bytes(self.octets, "little", signed=self.signed)

    def decode(self, raw: bytes) -> int:
        """Return the number."""
        _demand(raw, self.octets, self.name)
        return int.from_bytes(raw, "little", signed=self.signed)

    def lengths(self, encoded: bytes | None) -> tuple[int, int | None]:
        """Return the one length it has."""
        del encoded
        return self.octets, self.octets

    def literal(self, field: str, node: object) -> int:
        """Read a number within the range of the format."""
        del field
        return read_integer(node, self.low, self.high, f"a whole number ({self.name})")


class FloatFormat(Format):
    """An IEEE 754 number of 4 or 8 octets."""

    def __init__(self, name: str, code: str) -> None:
        self.name = name
        self._struct = struct.Struct(code)

    def encode(self, node: object, numbers: Mapping[str, float] | None = None) -> bytes:
        """Return the octets."""
        value = numbers[""] if numbers and "" in numbers else self.literal("", node)
        try:
            return self._struct.pack(value)
        except OverflowError:
            raise Refusal(f"{value} is out of range", f"{self.name} cannot hold it") from None

    def decode(self, raw: bytes) -> float:
        """Return the number."""
        _demand(raw, self._struct.size, self.name)
        value: float = self._struct.unpack(raw)[0]
        return value

    def lengths(self, encoded: bytes | None) -> tuple[int, int | None]:
        """Return the one length it has."""
        del encoded
        return self._struct.size, self._struct.size

    def literal(self, field: str, node: object) -> float:
        """Read a number, as near as the format can hold it."""
        del field
        value = read_number(node)
        if self._struct.size == 4 and math.isfinite(value):
            try:
                return float(self._struct.unpack(self._struct.pack(value))[0])
            except OverflowError:
                raise Refusal(f"{node} is out of range", "float32 cannot hold it") from None
        return value


class BooleanFormat(Format):
    """One octet, 0 or 1."""

    name = "bool"

    def encode(self, node: object, numbers: Mapping[str, float] | None = None) -> bytes:
        """Return the octet."""
        if numbers:
            raise Refusal("true and false make no ramp", "use a sequence")
        return bytes([self.literal("", node)])

    def decode(self, raw: bytes) -> bool:
        """Return True or False."""
        _demand(raw, 1, self.name)
        if raw[0] > 1:
            raise ValueError(f"0x{raw[0]:02X} is neither 0 nor 1")
        return bool(raw[0])

    def lengths(self, encoded: bytes | None) -> tuple[int, int | None]:
        """Return the one length it has."""
        del encoded
        return 1, 1

    def literal(self, field: str, node: object) -> bool:
        """Read ``true`` or ``false``."""
        del field
        return read_boolean(node)

    def bound(self, field: str, node: object) -> float:
        """Refuse: nothing lies between true and false."""
        raise Refusal("true and false have no bounds", "write the value itself, or one_of")


class TextFormat(Format):
    """UTF-8 of any length."""

    name = "text"

    def encode(self, node: object, numbers: Mapping[str, float] | None = None) -> bytes:
        """Return the octets."""
        if numbers:
            raise Refusal("text makes no ramp", "use a sequence")
        return self.literal("", node).encode()

    def decode(self, raw: bytes) -> str:
        """Return the text."""
        return raw.decode()

    def lengths(self, encoded: bytes | None) -> tuple[int, int | None]:
        """Return what any attribute can hold."""
        del encoded
        return 0, MAXIMUM_LENGTH

    def literal(self, field: str, node: object) -> str:
        """Read a text."""
        del field
        return read_text(node)

    def bound(self, field: str, node: object) -> float:
        """Refuse: text has no order here."""
        raise Refusal("text has no bounds", "bound its length: {length: {min: 1, max: 20}}")


class OctetsFormat(Format):
    """Octets that nobody interprets."""

    name = "hex"

    def encode(self, node: object, numbers: Mapping[str, float] | None = None) -> bytes:
        """Return the octets."""
        if numbers:
            raise Refusal("octets make no ramp", "write the value as a number, such as {uint8: 1}")
        return self.literal("", node)

    def decode(self, raw: bytes) -> bytes:
        """Return the octets."""
        return raw

    def lengths(self, encoded: bytes | None) -> tuple[int, int | None]:
        """Return the length of the value, or what any attribute can hold."""
        return (0, None) if encoded is None else (len(encoded), len(encoded))

    def literal(self, field: str, node: object) -> bytes:
        """Read octets."""
        del field
        return read_hex(node)

    def bound(self, field: str, node: object) -> float:
        """Refuse: octets have no order."""
        raise Refusal("octets have no bounds", "write the value as a number, such as {uint8: 1}")


def _demand(raw: bytes, octets: int, name: str) -> None:
    if len(raw) != octets:
        raise ValueError(f"{name} has {octets} octets, not {len(raw)}")


def _plain_formats() -> dict[str, Format]:
    formats: dict[str, Format] = {"hex": OctetsFormat(), "bytes": OctetsFormat()}
    formats["text"] = TextFormat()
    formats["bool"] = BooleanFormat()
    for prefix, signed in (("uint", False), ("sint", True)):
        for bits in (8, 16, 24, 32, 40, 48, 64):
            name = f"{prefix}{bits}"
            formats[name] = IntegerFormat(name, bits // 8, signed=signed)
    formats["float32"] = FloatFormat("float32", "<f")
    formats["float64"] = FloatFormat("float64", "<d")
    return formats


PLAIN_FORMATS: Mapping[str, Format] = _plain_formats()
"""Every format that needs no codec, by the key it is written with."""
