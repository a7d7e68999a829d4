"""UUIDs as Bluetooth writes them, and the names the Bluetooth SIG gave them.

Core Specification Vol 3, Part B, 2.5.1: a 16- or 32-bit UUID is an alias of a 128-bit one on
the Bluetooth Base UUID. Two :class:`Uuid` are equal when their 128-bit forms are.
"""

import re
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache

from bletest._assigned_numbers import CHARACTERISTICS, DECLARATIONS, DESCRIPTORS, SERVICES

_BASE = 0x00000000_0000_1000_8000_00805F9B34FB
_BASE_MASK = (1 << 96) - 1
_FULL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_SHORT = re.compile(r"(?:0x)?([0-9a-f]{4}|[0-9a-f]{8})", re.I)


class UuidKind(StrEnum):
    """What a UUID names; the same word can name a service and a characteristic."""

    SERVICE = "service"
    CHARACTERISTIC = "characteristic"
    DESCRIPTOR = "descriptor"
    DECLARATION = "declaration"


_TABLES: dict[UuidKind, dict[str, int]] = {
    UuidKind.SERVICE: SERVICES,
    UuidKind.CHARACTERISTIC: CHARACTERISTICS,
    UuidKind.DESCRIPTOR: DESCRIPTORS,
    UuidKind.DECLARATION: DECLARATIONS,
}


class Uuid:
    """An immutable, hashable UUID.

    ``value`` is the 128-bit number. Build one from a 16- or 32-bit alias (``Uuid(0x180D)``),
    from text (:meth:`parse`) or from the octets of a PDU (:meth:`from_bytes`).
    """

    __slots__ = ("_octets", "value")

    value: int

    def __init__(self, alias: int) -> None:
        """Take an alias of 16 or 32 bits, or a number of 128 bits."""
        if not 0 <= alias < 1 << 128:
            raise ValueError(f"a UUID has at most 128 bits, not {alias:#x}")
        full = _BASE | alias << 96 if alias < 1 << 32 else alias
        self.value = full
        number = full >> 96
        self._octets = (
            number.to_bytes(2, "little")
            if full & _BASE_MASK == _BASE and number < 1 << 16
            else full.to_bytes(16, "little")
        )

    @classmethod
    def from_bytes(cls, octets: bytes) -> "Uuid":
        """Read 2, 4 or 16 little-endian octets; :class:`ValueError` for any other length."""
        if len(octets) not in (2, 4, 16):
            raise ValueError(f"a UUID has 2, 4 or 16 octets, not {len(octets)}")
        return _interned(int.from_bytes(octets, "little"), len(octets) == 16)

    @classmethod
    def parse(cls, text: str, kind: UuidKind | None = None) -> "Uuid":
        """Read a SIG name, ``0x180D``, ``180d`` or a 128-bit UUID with hyphens.

        ``kind`` says which table a name is looked up in first (``current_time`` names a
        service and a characteristic). Raises :class:`ValueError` with a suggestion.
        """
        if _FULL.fullmatch(text):
            return cls(int(text.replace("-", ""), 16)) if int(text[:8], 16) else _small_full(text)
        if match := _SHORT.fullmatch(text):
            return cls(int(match[1], 16))
        name = text.lower().replace("-", "_").replace(" ", "_")
        tables = [_TABLES[kind]] if kind else list(_TABLES.values())
        for table in tables:
            if name in table:
                return cls(table[name])
        raise ValueError(_unknown(text, name, tables, kind))

    def to_bytes(self) -> bytes:
        """Return the octets an ATT PDU carries, little-endian: 2 where an alias fits, or 16.

        Vol 3, Part F, 3.2.1: ATT has no 32-bit form, such a UUID travels as 128 bits.
        """
        return self._octets

    @property
    def alias(self) -> int | None:
        """The 16- or 32-bit alias, None for a UUID that is not on the Base UUID."""
        return self.value >> 96 if self.value & _BASE_MASK == _BASE else None

    @property
    def name(self) -> str | None:
        """The SIG's name in snake case (``heart_rate_measurement``), None where it has none."""
        return _names().get(self.value)

    @property
    def label(self) -> str:
        """The shortest way to write it: SIG name, ``0xFF01`` or the full UUID."""
        if name := self.name:
            return name
        alias = self.alias
        if alias is None:
            return str(self)
        return f"0x{alias:04X}" if alias < 1 << 16 else f"0x{alias:08X}"

    def __str__(self) -> str:
        digits = f"{self.value:032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def __repr__(self) -> str:
        return f"Uuid({self.label})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Uuid) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


def _small_full(text: str) -> Uuid:
    """Read a 128-bit UUID whose leading octets are zero, which is not an alias by itself."""
    uuid = Uuid.__new__(Uuid)
    uuid.value = int(text.replace("-", ""), 16)
    uuid._octets = uuid.value.to_bytes(16, "little")
    if uuid.value & _BASE_MASK == _BASE:
        return Uuid(uuid.value >> 96)
    return uuid


@lru_cache(maxsize=4096)
def _interned(number: int, full: bool) -> Uuid:
    if full and number < 1 << 32:
        return _small_full(f"{number:032x}")
    return Uuid(number)


@lru_cache(maxsize=1)
def _names() -> dict[int, str]:
    names: dict[int, str] = {}
    for table in _TABLES.values():
        for name, alias in table.items():
            names.setdefault(_BASE | alias << 96, name)
    return names


def _unknown(text: str, name: str, tables: list[dict[str, int]], kind: UuidKind | None) -> str:
    close = get_close_matches(name, [known for table in tables for known in table], n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    what = f"a {kind} of the Bluetooth SIG" if kind else "a name of the Bluetooth SIG"
    return f'"{text}" is neither {what}, a short UUID such as 0x180D, nor a 128-bit UUID{hint}'


PRIMARY_SERVICE = Uuid(0x2800)
SECONDARY_SERVICE = Uuid(0x2801)
INCLUDE = Uuid(0x2802)
CHARACTERISTIC = Uuid(0x2803)
EXTENDED_PROPERTIES = Uuid(0x2900)
USER_DESCRIPTION = Uuid(0x2901)
CCCD = Uuid(0x2902)
SCCD = Uuid(0x2903)
PRESENTATION_FORMAT = Uuid(0x2904)
AGGREGATE_FORMAT = Uuid(0x2905)

GAP_SERVICE = Uuid(0x1800)
GATT_SERVICE = Uuid(0x1801)
DEVICE_NAME = Uuid(0x2A00)
APPEARANCE = Uuid(0x2A01)
PREFERRED_PARAMETERS = Uuid(0x2A04)
CENTRAL_ADDRESS_RESOLUTION = Uuid(0x2AA6)
SECURITY_LEVELS = Uuid(0x2BF5)
SERVICE_CHANGED = Uuid(0x2A05)
SERVICE_CHANGED = Uuid(0x2A05)
CLIENT_SUPPORTED_FEATURES = Uuid(0x2B29)
DATABASE_HASH = Uuid(0x2B2A)
SERVER_SUPPORTED_FEATURES = Uuid(0x2B3A)
SERVER_SUPPORTED_FEATURES = Uuid(0x2B3A)
