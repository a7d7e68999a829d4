"""The building blocks of ATT PDUs: how one parameter is cut from octets, and put back.

Every block reads from an offset and returns the value with the offset after it. It raises
:class:`ValueError` with a phrase that completes "malformed: …". All numbers are little-endian
(Vol 3, Part F, 3.3).
"""

from dataclasses import dataclass
from typing import Any, Protocol

from bletest.uuids import Uuid


class Block(Protocol):
    """Reads and writes one parameter."""

    def read(self, octets: bytes, at: int) -> tuple[Any, int]:
        """Return the value that starts at ``at`` and the offset behind it."""

    def write(self, value: Any) -> bytes:
        """Return the octets of a value."""


@dataclass(frozen=True, slots=True)
class Number:
    """An unsigned number of ``size`` octets."""

    size: int

    def read(self, octets: bytes, at: int) -> tuple[int, int]:
        """Read it; too few octets are an error."""
        end = at + self.size
        if end > len(octets):
            raise ValueError(f"{count(end - len(octets))} missing")
        return int.from_bytes(octets[at:end], "little"), end

    def write(self, value: int) -> bytes:
        """Write it; :class:`OverflowError` if it does not fit."""
        return value.to_bytes(self.size, "little")


class Rest:
    """All octets that are left, none included."""

    def read(self, octets: bytes, at: int) -> tuple[bytes, int]:
        """Read to the end."""
        return octets[at:], len(octets)

    def write(self, value: bytes) -> bytes:
        """Write the octets as they are."""
        return bytes(value)


class UuidRest:
    """A UUID of 2 or 16 octets that ends the PDU (Vol 3, Part F, 3.2.1 knows no others)."""

    def read(self, octets: bytes, at: int) -> tuple[Uuid, int]:
        """Read it; any other length is an error."""
        left = octets[at:]
        if len(left) not in (2, 16):
            raise ValueError(f"a UUID has 2 or 16 octets, not {len(left)}")
        return Uuid.from_bytes(left), len(octets)

    def write(self, value: Uuid) -> bytes:
        """Write the short form where there is one."""
        return value.to_bytes()


@dataclass(frozen=True, slots=True)
class Signed:
    """A value followed by a signature of 12 octets: read as (value, signature)."""

    size: int = 12

    def read(self, octets: bytes, at: int) -> tuple[tuple[bytes, bytes], int]:
        """Read both; an error where the signature does not fit."""
        cut = len(octets) - self.size
        if cut < at:
            raise ValueError(f"{count(at - cut)} missing from the signature")
        return (octets[at:cut], octets[cut:]), len(octets)

    def write(self, value: tuple[bytes, bytes]) -> bytes:
        """Write both; :class:`ValueError` for a signature of another length."""
        if len(value[1]) != self.size:
            raise ValueError(f"a signature has {self.size} octets, not {len(value[1])}")
        return value[0] + value[1]


@dataclass(frozen=True, slots=True)
class Records:
    """``at_least`` records of the same size to the end, each of them ``numbers`` × 16 bits."""

    numbers: int
    at_least: int = 1

    def read(self, octets: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        """Read them; single numbers stay bare, several become a tuple."""
        left = len(octets) - at
        size = 2 * self.numbers
        if left % size:
            raise ValueError(f"{left} octets do not divide into records of {size}")
        if left // size < self.at_least:
            raise ValueError(f"{left // size} of at least {self.at_least} records")
        flat = [int.from_bytes(octets[i : i + 2], "little") for i in range(at, len(octets), 2)]
        if self.numbers == 1:
            return tuple(flat), len(octets)
        rows = range(0, len(flat), self.numbers)
        return tuple(tuple(flat[i : i + self.numbers]) for i in rows), len(octets)

    def write(self, value: tuple[Any, ...]) -> bytes:
        """Write them one after the other."""
        rows = ((one,) for one in value) if self.numbers == 1 else value
        return b"".join(number.to_bytes(2, "little") for row in rows for number in row)


@dataclass(frozen=True, slots=True)
class SizedRecords:
    """One octet with the size of each record, then the records: 16-bit numbers and a value."""

    numbers: int

    def read(self, octets: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        """Read them; a size that the records do not have is an error."""
        size, at = Number(1).read(octets, at)
        head = 2 * self.numbers
        if size < head:
            raise ValueError(f"records of size {size} have no room for their handles")
        left = len(octets) - at
        if not left or left % size:
            raise ValueError(f"{left} octets do not divide into records of {size}")
        records = []
        for start in range(at, len(octets), size):
            numbers, _ = Records(self.numbers).read(octets[start : start + head], 0)
            row = (numbers,) if self.numbers == 1 else (numbers[0],)
            records.append((*row[0], octets[start + head : start + size]))
        return tuple(records), len(octets)

    def write(self, value: tuple[Any, ...]) -> bytes:
        """Write size and records; :class:`ValueError` if their sizes differ."""
        rows = [
            b"".join(number.to_bytes(2, "little") for number in row[:-1]) + row[-1] for row in value
        ]
        if len({len(row) for row in rows}) != 1:
            raise ValueError("the records of one response have one size")
        return bytes([len(rows[0])]) + b"".join(rows)


class HandlesWithUuids:
    """The Information Data of a Find Information Response: format, then handles with UUIDs."""

    def read(self, octets: bytes, at: int) -> tuple[tuple[tuple[int, Uuid], ...], int]:
        """Read them; formats are 0x01 (16-bit UUIDs) and 0x02 (128-bit UUIDs)."""
        form, at = Number(1).read(octets, at)
        if form not in (1, 2):
            raise ValueError(f"there is no format 0x{form:02X}")
        size = 4 if form == 1 else 18
        left = len(octets) - at
        if not left or left % size:
            raise ValueError(f"{left} octets do not divide into records of {size}")
        return tuple(
            (
                int.from_bytes(octets[i : i + 2], "little"),
                Uuid.from_bytes(octets[i + 2 : i + size]),
            )
            for i in range(at, len(octets), size)
        ), len(octets)

    def write(self, value: tuple[tuple[int, Uuid], ...]) -> bytes:
        """Write format and records; :class:`ValueError` if the UUIDs differ in length."""
        rows = [handle.to_bytes(2, "little") + uuid.to_bytes() for handle, uuid in value]
        if len({len(row) for row in rows}) != 1:
            raise ValueError("the UUIDs of one response have one length")
        return bytes([1 if len(rows[0]) == 4 else 2]) + b"".join(rows)


@dataclass(frozen=True, slots=True)
class Tuples:
    """Values with their lengths, each behind its handle if ``handles``, to the end.

    ``may_be_cut``: the last value may be shorter than its length says, because the PDU ended
    (Vol 3, Part F, 3.4.4.12). Such a value keeps its declared length; a single octet left over
    is half a length, and not read.
    """

    handles: bool
    may_be_cut: bool
    at_least: int = 2

    def read(self, octets: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        """Read (handle, value) pairs, or (declared length, value) pairs."""
        rows: list[tuple[int, bytes]] = []
        while at < len(octets) - (1 if self.may_be_cut else 0):
            handle = 0
            if self.handles:
                handle, at = Number(2).read(octets, at)
            length, at = Number(2).read(octets, at)
            value = octets[at : at + length]
            if len(value) < length and not self.may_be_cut:
                raise ValueError(f"{count(length - len(value))} missing in a value")
            at += len(value)
            rows.append((handle if self.handles else length, value))
        if len(rows) < self.at_least:
            raise ValueError(f"{len(rows)} of at least {self.at_least} values")
        return tuple(rows), at

    def write(self, value: tuple[tuple[int, bytes], ...]) -> bytes:
        """Write the pairs one after the other."""
        parts = []
        for number, octets in value:
            parts.append(number.to_bytes(2, "little"))
            if self.handles:
                parts.append(len(octets).to_bytes(2, "little"))
            parts.append(octets)
        return b"".join(parts)


def count(octets: int) -> str:
    """Return the beginning of a sentence about so many octets."""
    return "1 octet is" if octets == 1 else f"{octets} octets are"


def wire(block: Block) -> dict[str, Block]:
    """Return the metadata of a dataclass field that travels as ``block``."""
    return {"block": block}
