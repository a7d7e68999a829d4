"""Characteristic Presentation Format: what a value means, as its device says.

The paragraph is Vol 3, Part G, 3.3.3.5. A Characteristic Aggregate Format (3.3.3.6) lists several
of them, by handle, for a value that is made of several.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from bletest.profile.medfloat import MEDFLOAT16, MEDFLOAT32
from bletest.uuids import Uuid

Presented: TypeAlias = bool | int | float | str | bytes | tuple[int, int]

# Assigned Numbers, 2.4.1: bits by format.
_UNSIGNED = {
    0x02: 2,
    0x03: 4,
    0x04: 8,
    0x05: 12,
    0x06: 16,
    0x07: 24,
    0x08: 32,
    0x09: 48,
    0x0A: 64,
    0x0B: 128,
}
_SIGNED = {0x0C: 8, 0x0D: 12, 0x0E: 16, 0x0F: 24, 0x10: 32, 0x11: 48, 0x12: 64, 0x13: 128}
_IEEE_754 = {0x14: struct.Struct("<f"), 0x15: struct.Struct("<d")}
_MEDICAL = {0x16: MEDFLOAT16, 0x17: MEDFLOAT32}
_BOOLEAN, _TWO_NUMBERS, _UTF8, _UTF16, _STRUCTURE, _ASN1 = 0x01, 0x18, 0x19, 0x1A, 0x1B, 0x1C


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value, and the unit that it is in."""

    value: Presented
    unit: Uuid


@dataclass(frozen=True, slots=True)
class PresentationFormat:
    """The fields of the descriptor; ``exponent`` is to base 10."""

    format: int
    exponent: int
    unit: Uuid
    name_space: int
    description: int

    @classmethod
    def parse(cls, octets: bytes) -> "PresentationFormat":
        """Read the descriptor; :class:`ValueError` for another length or an unknown format."""
        if len(octets) != 7:
            raise ValueError(f"a presentation format has 7 octets, not {len(octets)}")
        kind, exponent, unit, name_space, description = struct.unpack("<BbHBH", octets)
        if not _BOOLEAN <= kind <= _ASN1:
            raise ValueError(f"0x{kind:02X} is no format")
        return cls(kind, exponent, Uuid(unit), name_space, description)

    @property
    def octets(self) -> int | None:
        """How many octets a value has, None where it takes all there are."""
        if self.format in _IEEE_754:
            return _IEEE_754[self.format].size
        if self.format in _MEDICAL:
            return _MEDICAL[self.format].octets
        if self.format == _TWO_NUMBERS:
            return 4
        bits = {_BOOLEAN: 1, **_UNSIGNED, **_SIGNED}.get(self.format)
        return None if bits is None else (bits + 7) // 8

    def quantity(self, raw: bytes) -> Quantity:
        """Return what ``raw`` says; :class:`ValueError` where it has another length."""
        if self.octets is not None and len(raw) != self.octets:
            raise ValueError(
                f"format 0x{self.format:02X} takes {self.octets} octets, not {len(raw)}"
            )
        return Quantity(self._value(raw), self.unit)

    def _value(self, raw: bytes) -> Presented:
        number = int.from_bytes(raw, "little")
        if self.format == _BOOLEAN:
            return bool(number & 1)
        if (bits := _UNSIGNED.get(self.format)) is not None:
            return self._scaled(number & (1 << bits) - 1)
        if (bits := _SIGNED.get(self.format)) is not None:
            sign = 1 << bits - 1
            return self._scaled((number & (1 << bits) - 1 ^ sign) - sign)
        if self.format in _IEEE_754:
            return float(_IEEE_754[self.format].unpack(raw)[0])
        if self.format in _MEDICAL:
            return _MEDICAL[self.format].decode(raw)
        if self.format == _TWO_NUMBERS:
            return number & 0xFFFF, number >> 16
        if self.format in (_UTF8, _UTF16):
            return raw.decode("utf-8" if self.format == _UTF8 else "utf-16-le")
        return raw

    def _scaled(self, number: int) -> int | float:
        # Through its decimal spelling: 2150 and -2 are 21.5, not 21.5 and some dust.
        return float(f"{number}e{self.exponent}") if self.exponent else number


def quantities(formats: Iterable[PresentationFormat], raw: bytes) -> tuple[Quantity, ...]:
    """Read a value that is made of several, in the order of ``formats``.

    Raises :class:`ValueError` where it has another length than they have together.
    """
    found = []
    for one in formats:
        octets = len(raw) if one.octets is None else one.octets
        found.append(one.quantity(raw[:octets]))
        raw = raw[octets:]
    if raw:
        raise ValueError(f"{len(raw)} octets more than the formats take")
    return tuple(found)
