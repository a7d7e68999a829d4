"""What happened, as values: every row that sees something tells a sink, evidence renders it.

``time`` is in seconds on the session's clock (virtual or real), from an arbitrary start.
``link`` names the connection, in words that are the same in every run (``"1"``, ``"2"``, …).

PDUs are named tuples, not dataclasses: a transcript keeps two for each read, and making them is a
good part of what a read costs. So an ``AttPdu`` equals an ``SmpPdu`` of the same fields.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Direction(StrEnum):
    """Which way a PDU went, from the client's point of view."""

    SENT = "sent"
    RECEIVED = "received"


class AttPdu(NamedTuple):
    """An ATT PDU on a bearer, as the client's host saw it."""

    time: float
    link: str
    direction: Direction
    pdu: bytes


class SmpPdu(NamedTuple):
    """A Security Manager PDU, as the client's host saw it."""

    time: float
    link: str
    direction: Direction
    pdu: bytes


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """Something about the link itself: connected, disconnected, encrypted, paired, …

    ``what`` is one word or two for machines, ``detail`` the rest for people.
    """

    time: float
    link: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A line that a test, a check or an emulated device adds to the transcript.

    ``detail`` is what belongs beneath it, of any number of lines: a traceback.
    """

    time: float
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FaultFired:
    """A planned fault of an emulated device is due now, for the ``count``-th time."""

    time: float
    device: str
    fault: str
    count: int = 1


Event = AttPdu | SmpPdu | LinkEvent | Note | FaultFired
EventSink = Callable[[Event], None]


def nowhere(event: Event) -> None:
    """Swallow an event: the sink of those who keep no evidence."""
