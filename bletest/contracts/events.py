"""What happened, as values: every row that sees something tells a sink, evidence renders it.

``time`` is in seconds on the session's clock (virtual or real), from an arbitrary start.
``link`` names the connection, in words that are the same in every run (``"1"``, ``"2"``, …).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Which way a PDU went, from the client's point of view."""

    SENT = "sent"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True)
class AttPdu:
    """An ATT PDU on a bearer, as the client's host saw it."""

    time: float
    link: str
    direction: Direction
    pdu: bytes


@dataclass(frozen=True, slots=True)
class SmpPdu:
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
    """A line that a test, a check or an emulated device adds to the transcript."""

    time: float
    text: str


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
