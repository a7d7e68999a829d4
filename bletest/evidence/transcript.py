"""What went over the link in a test, as text for people and JSON Lines for machines."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias, cast

from bletest.att import pdu as att
from bletest.contracts.events import (
    AttPdu,
    Direction,
    Event,
    FaultFired,
    LinkEvent,
    Note,
    SmpPdu,
)
from bletest.evidence import smp

_LONGEST_DUMP = 64
"""Octets of one PDU that the text shows; the JSON Lines always hold all of them."""

_LONGEST_SAYING = 110
"""Characters of a PDU's description that the text shows; what is cut stands in the dump."""

_WIDEST_COLUMN = 64
"""A column is no wider than this; a cell that is longer pushes what stands behind it."""


Noted: TypeAlias = tuple[float, str, int, bytes]
"""Time, link, what (:func:`what_is_noted`), and a PDU.

Nothing in it can be part of a cycle, so the garbage collector lets go of it at its first look. A
long test keeps hundreds of thousands.
"""


def what_is_noted(*, smp: bool, sent: bool) -> int:
    """Return the number that stands for protocol and direction in a :data:`Noted`."""
    return 2 * smp + sent


def _event(kept: Event | Noted) -> Event:
    if type(kept) is not tuple:
        return cast(Event, kept)
    time, link, what, pdu = cast(Noted, kept)
    direction = Direction.SENT if what & 1 else Direction.RECEIVED
    return SmpPdu(time, link, direction, pdu) if what & 2 else AttPdu(time, link, direction, pdu)


class Transcript:
    """An event sink that keeps what it is told, and renders it when asked.

    Keeping an event is one ``append``; nothing is formatted before :meth:`text` or
    :meth:`json_lines`. ``names`` maps attribute handles to names (see
    :func:`~bletest.evidence.naming.attribute_names`) and may be set at any time before
    rendering; ``names_on`` holds those of links on which the database is another one. The same
    events and names give the same octets.
    """

    __slots__ = ("_events", "names", "names_on", "note")

    def __init__(self, names: Mapping[int, str] | None = None) -> None:
        self._events: list[Event | Noted] = []
        self.note: Callable[[Noted], None] = self._events.append
        """Keeps a PDU before it is an event: for those who tell every one."""
        self.names: Mapping[int, str] = names or {}
        self.names_on: dict[str, Mapping[int, str]] = {}

    def __call__(self, event: Event) -> None:
        """Keep ``event``."""
        self._events.append(event)

    def __len__(self) -> int:
        return len(self._events)

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything kept so far, in the order it came."""
        return tuple(map(_event, self._events))

    def clear(self) -> None:
        """Forget the events, as before the next test; ``names`` stay."""
        self._events.clear()

    def text(self, *, limit: int | None = None) -> str:
        """Return one line an event, columns aligned, ending in a newline; "" if there are none.

        A line holds the seconds since the first event with microseconds, the link where there
        is more than one, an arrow (→ sent by the client's host, ← received), the attribute that
        the PDU concerns, what it says, and its octets. The detail of a note stands beneath it.
        ``limit`` keeps that many lines, from both
        ends, and says how many are left out between them.
        """
        return _render(list(self._rows()), limit)

    def _rows(self) -> "Iterator[_Row]":
        return _rows(self.events, lambda link: self.names_on.get(link, self.names))

    def json_lines(self) -> str:
        """Return one JSON object an event, each on a line of its own.

        Keys, always in this order and always present for the kind:

        ``time``
            seconds since the first event, six decimals
        ``kind``
            ``att``, ``smp``, ``link``, ``note`` or ``fault``
        ``link``, ``direction``, ``opcode``, ``name``, ``attribute``, ``text``, ``pdu``
            of ``att`` and ``smp``: which link; ``sent`` or ``received``; the first octet as a
            number (null for an empty PDU); what the specification calls it; the name of the
            attribute (null where none is concerned or known); the line for people; all octets
            in hexadecimal
        ``link``, ``what``, ``detail``
            of ``link``
        ``text``
            of ``note``; and ``detail`` where there is more to say, such as a traceback
        ``device``, ``fault``, ``count``
            of ``fault``: whose it is; what was planned, in words; how often it has fired
        """
        return "".join(f"{row.as_json()}\n" for row in self._rows())


@dataclass(frozen=True, slots=True)
class _Row:
    """One event with everything that rendering needs; ``attribute`` is "" where none is known."""

    event: Event
    seconds: str
    said: str
    attribute: str = ""

    @property
    def link(self) -> str:
        return "" if isinstance(self.event, Note | FaultFired) else self.event.link

    @property
    def arrow(self) -> str:
        match self.event:
            case AttPdu() | SmpPdu():
                return "→" if self.event.direction is Direction.SENT else "←"
            case LinkEvent():
                return "·"
            case Note():
                return "#"
            case FaultFired():
                return "!"

    @property
    def detail(self) -> list[str]:
        return self.event.detail.splitlines() if isinstance(self.event, Note) else []

    @property
    def dump(self) -> str:
        if not isinstance(self.event, AttPdu | SmpPdu):
            return ""
        pdu = self.event.pdu
        shown = pdu[:_LONGEST_DUMP].hex(" ")
        return shown if len(pdu) <= _LONGEST_DUMP else f"{shown} … ({len(pdu)} octets)"

    def as_json(self) -> str:
        event = self.event
        facts: dict[str, object]
        match event:
            case AttPdu() | SmpPdu():
                is_att = isinstance(event, AttPdu)
                opcode = event.pdu[0] if event.pdu else None
                facts = {
                    "kind": "att" if is_att else "smp",
                    "link": event.link,
                    "direction": event.direction.value,
                    "opcode": opcode,
                    "name": None if opcode is None else (att if is_att else smp).name_of(opcode),
                    "attribute": self.attribute or None,
                    "text": self.said,
                    "pdu": event.pdu.hex(),
                }
            case LinkEvent():
                facts = {
                    "kind": "link",
                    "link": event.link,
                    "what": event.what,
                    "detail": event.detail,
                }
            case Note():
                facts = {"kind": "note", "text": event.text}
                if event.detail:
                    facts["detail"] = event.detail
            case FaultFired():
                facts = {
                    "kind": "fault",
                    "device": event.device,
                    "fault": event.fault,
                    "count": event.count,
                }
        # json would drop trailing zeros, and with them the fixed precision.
        return f'{{"time": {self.seconds}, {json.dumps(facts, ensure_ascii=False)[1:]}'


def _rows(events: Iterable[Event], names_on: Callable[[str], Mapping[int, str]]) -> Iterator[_Row]:
    first: float | None = None
    subjects = _Subjects()
    in_words = cache(att.describe)  # the same few PDUs make up most of a long transcript
    for event in events:
        first = event.time if first is None else first
        seconds = f"{round((event.time - first) * 1_000_000) / 1_000_000:.6f}"
        match event:
            case AttPdu():
                handles, names = subjects.of(event), names_on(event.link)
                known = ", ".join(names[handle] for handle in handles if handle in names)
                yield _Row(event, seconds, in_words(event.pdu), known)
            case SmpPdu():
                yield _Row(event, seconds, smp.describe(event.pdu))
            case LinkEvent():
                yield _Row(event, seconds, f"{event.what} {event.detail}".rstrip())
            case Note():
                yield _Row(event, seconds, event.text)
            case FaultFired():
                yield _Row(event, seconds, f"fault of {event.device}: {event.fault}")


class _Subjects:
    """Finds the attributes that PDUs concern.

    Most responses carry no handle: they concern what was asked before on the same link, the
    other way. So does a confirmation, which concerns the indication.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[str, Direction], tuple[int, ...]] = {}
        self._indicated: dict[tuple[str, Direction], tuple[int, ...]] = {}

    def of(self, event: AttPdu) -> tuple[int, ...]:
        """Return the handles that ``event`` concerns, none if it concerns none."""
        if not event.pdu:
            return ()
        opcode = event.pdu[0]
        here = (event.link, event.direction)
        there = (event.link, _OTHER[event.direction])
        if opcode in _ANSWERS:
            return self._asked.get(there, ())
        if opcode == _CONFIRMATION:
            return self._indicated.get(there, ())
        handles = _handles(event.pdu)
        if opcode == _INDICATION:
            self._indicated[here] = handles
        elif att.is_request(opcode):
            self._asked[here] = handles
        return handles


_OTHER = {Direction.SENT: Direction.RECEIVED, Direction.RECEIVED: Direction.SENT}

# Opcodes of Vol 3, Part F, 3.4.8, by where their PDUs carry attribute handles. A table here and
# not parsed PDUs, because a transcript also has to name the attribute of a PDU that is wrong.
_HANDLE_AT = {
    0x01: 2,  # Error Response: after the opcode of the request
    0x0A: 1,  # Read Request
    0x0C: 1,  # Read Blob Request
    0x12: 1,  # Write Request
    0x16: 1,  # Prepare Write Request
    0x17: 1,  # Prepare Write Response
    0x1B: 1,  # Handle Value Notification
    0x1D: 1,  # Handle Value Indication
    0x52: 1,  # Write Command
    0xD2: 1,  # Signed Write Command
}
_HANDLE_LISTS = frozenset({0x0E, 0x20})  # Read Multiple (Variable) Request
_ABOUT_ATTRIBUTES = frozenset(_HANDLE_AT) | _HANDLE_LISTS
_ERROR = 0x01
_MULTIPLE_NOTIFICATION = 0x23
_INDICATION = 0x1D
_CONFIRMATION = 0x1E
_ANSWERS = frozenset({0x0B, 0x0D, 0x0F, 0x13, 0x21})  # responses that carry no handle


def _handles(pdu: bytes) -> tuple[int, ...]:
    opcode = pdu[0]
    if opcode == _ERROR and not (len(pdu) > 1 and pdu[1] in _ABOUT_ATTRIBUTES):
        return ()  # of a discovery: the handle is where the search began
    if opcode in _HANDLE_LISTS:
        starts = range(1, len(pdu) - 1, 2)
    elif opcode == _MULTIPLE_NOTIFICATION:
        return tuple(_tuple_handles(pdu))
    else:
        at = _HANDLE_AT.get(opcode)
        starts = range(at, at + 1) if at is not None and len(pdu) >= at + 2 else range(0)
    return tuple(int.from_bytes(pdu[start : start + 2], "little") for start in starts)


def _tuple_handles(pdu: bytes) -> Iterator[int]:
    """Walk the handle-length-value tuples of a Multiple Handle Value Notification."""
    at = 1
    while at + 4 <= len(pdu):
        yield int.from_bytes(pdu[at : at + 2], "little")
        at += 4 + int.from_bytes(pdu[at + 2 : at + 4], "little")


def _render(rows: list[_Row], limit: int | None) -> str:
    if not rows:
        return ""
    left_out = 0 if limit is None else max(0, len(rows) - limit)
    if limit is not None and left_out:
        head = (limit + 1) // 2
        tail = rows[len(rows) - (limit - head) :]
        shown = rows[:head] + tail
        cut = head
    else:
        shown, cut = rows, len(rows)
    several = len({row.link for row in rows if row.link}) > 1
    clock = max(len(row.seconds) for row in shown)
    link = max(len(row.link) for row in shown) if several else 0
    said = _width(row.said for row in shown if row.dump)
    attribute = _width(row.attribute for row in shown if row.dump)

    def line(row: _Row) -> str:
        who = f"{row.link:<{link}}  " if several else ""
        words = " ".join(row.said.splitlines())
        if row.dump and len(words) > _LONGEST_SAYING:
            words = f"{words[: _LONGEST_SAYING - 1]}…"
        about = f"{row.attribute:<{attribute}}  " if attribute and row.dump else ""
        start = f"{row.seconds:>{clock}}  {who}{row.arrow}  "
        head = f"{start}{about}{words:<{said}}  {row.dump}".rstrip()
        return "\n".join((head, *(f"{'':>{clock}}  {one}" for one in row.detail)))

    lines = [line(row) for row in shown]
    if left_out:
        lines.insert(cut, f"… {left_out} lines left out …")
    return "\n".join(lines) + "\n"


def _width(cells: Iterable[str]) -> int:
    """Return the width of a column of ``cells``."""
    return min(_WIDEST_COLUMN, max((len(cell) for cell in cells), default=0))
