"""Procedures that a profile names: what a control point of a SIG service does as a whole."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """A stored record: its sequence number, and the value that reports it."""

    number: int
    value: bytes


@dataclass(frozen=True, slots=True)
class RecordAccess:
    """A Record Access Control Point (Glucose Service 1.0, 3.4).

    ``via`` is the path of the characteristic that reports records, one each ``every`` seconds.
    ``records`` are what the emulated device has stored, by rising sequence number.
    """

    via: str
    every: float
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class RecordAccessExpectation:
    """What any device is held to of a Record Access Control Point; ``via`` as there.

    ``within`` is the time in seconds in which the next record, or a response, comes.
    """

    via: str
    within: float
