"""One connection event as arithmetic: who sends what when, what gets through, what comes again.

Vol 6, Part B, 4.5.1 (connection events), 4.5.6 (when they close) and 4.5.9 (acknowledgement and
flow control). The central sends at the anchor point, the peripheral answers T_IFS later, and so
on in turn as long as either has more data and the next exchange fits. A packet that is not
received closes the event; it is sent again in the next one, and so is a packet whose
acknowledgement was not received, which the receiver then recognises by its sequence number.

Pure: no loop, no bumble. Times are whole microseconds from the anchor point.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bletest.link.airtime import SHORTEST_DATA, T_IFS, Phy, air_time, most_octets


@dataclass(slots=True, eq=False)
class Load:
    """One L2CAP frame or LL control PDU on its way: ``octets`` long, ``sent`` of them got through.

    A frame is cut into packets; a control PDU goes as it is.
    """

    content: object
    octets: int
    is_control: bool = False
    sent: int = 0


@dataclass(slots=True, eq=False)
class _Packet:
    octets: int
    load: Load | None
    received: bool = False


class Lane:
    """One direction of a connection: what waits, and the packet that is not acknowledged yet.

    ``octets`` and ``time`` (µs) bound each packet (4.5.10), ``phy`` is how it is sent.
    """

    def __init__(self, *, phy: Phy = Phy.LE_1M, octets: int = SHORTEST_DATA) -> None:
        self.phy = phy
        self.octets = octets
        self.time: int | None = None
        self.waiting: deque[Load] = deque()
        self._packet: _Packet | None = None
        self._most = SHORTEST_DATA

    @property
    def has_something(self) -> bool:
        """Whether data or control waits to be sent, or to be acknowledged."""
        return bool(self.waiting)

    def open_event(self, room: int) -> None:
        """Settle how much a packet carries, so that full ones both ways fit into ``room``."""
        time = (room - T_IFS) // 2
        if self.time is not None:
            time = min(time, self.time)
        self._most = min(self.octets, most_octets(self.phy, time))

    def duration(self) -> int:
        """Return how long the packet takes that is sent next."""
        packet = self._packet
        if packet is None:
            return air_time(self.phy, self._next_octets())
        return air_time(self.phy, packet.octets)

    def duration_after_acknowledgement(self) -> int:
        """Return the same for when the outstanding packet, if received, is acknowledged first."""
        packet = self._packet
        if packet is None or not packet.received:
            return self.duration()
        load = packet.load
        octets = self._next_octets()
        if load is not None:
            left = load.octets - load.sent - packet.octets
            if left > 0:
                octets = min(left, self._most)
            else:
                octets = self._octets_of(self.waiting[1]) if len(self.waiting) > 1 else 0
        return air_time(self.phy, octets)

    def transmit(self) -> tuple[int, bool]:
        """Send the outstanding packet again, or the next one; return its time and MD bit."""
        packet = self._packet
        if packet is None:
            load = self.waiting[0] if self.waiting else None
            packet = self._packet = _Packet(self._next_octets(), load)
        if packet.load is None:
            more = bool(self.waiting)
        else:
            left = packet.load.octets - packet.load.sent - packet.octets
            more = left > 0 or len(self.waiting) > 1
        return air_time(self.phy, packet.octets), more

    def receive(self) -> Load | None:
        """The peer has received the packet; return the load that is complete by it."""
        packet = self._packet
        if packet is None or packet.received:
            return None  # seen before: its sequence number tells
        packet.received = True
        load = packet.load
        if load is not None and load.sent + packet.octets >= load.octets:
            return load
        return None

    def acknowledge(self) -> Load | None:
        """The acknowledgement has come, if there was one; return the load that is done with."""
        packet = self._packet
        if packet is None or not packet.received:
            return None
        self._packet = None
        load = packet.load
        if load is None:
            return None
        load.sent += packet.octets
        if load.sent < load.octets:
            return None
        self.waiting.popleft()
        return load

    def _next_octets(self) -> int:
        return self._octets_of(self.waiting[0]) if self.waiting else 0

    def _octets_of(self, load: Load) -> int:
        return load.octets if load.is_control else min(load.octets - load.sent, self._most)


@dataclass(slots=True)
class Outcome:
    """What one connection event brought.

    ``central_heard`` and ``peripheral_heard`` are when each last received a packet, None if it
    received none. ``more`` is whether the last packet of the central that was received said that
    more would follow. ``arrived`` and ``acknowledged`` hold moment, lane and load in order.
    """

    central_heard: int | None = None
    peripheral_heard: int | None = None
    more: bool = False
    arrived: list[tuple[int, Lane, Load]] = field(default_factory=list)
    acknowledged: list[tuple[int, Lane, Load]] = field(default_factory=list)


def run_event(
    down: Lane, up: Lane, *, interval: int, lost: Callable[[], bool], packets: int | None = None
) -> Outcome:
    """Run one connection event that both attend; ``down`` leads from central to peripheral.

    ``interval`` is the time to the next anchor point, before which the event closes by T_IFS;
    ``lost()`` decides for each packet whether its receiver misses it. ``packets`` is how many
    the central sends at most.
    """
    outcome = Outcome()
    room = interval - T_IFS
    down.open_event(room)
    up.open_event(room)
    at = 0
    sent = 0
    while packets is None or sent < packets:
        if sent and at + down.duration() + T_IFS + up.duration_after_acknowledgement() > room:
            break
        sent += 1
        time, central_has_more = down.transmit()
        at += time
        if lost():
            break
        outcome.peripheral_heard, outcome.more = at, central_has_more
        if (done := up.acknowledge()) is not None:
            outcome.acknowledged.append((at, up, done))
        if (load := down.receive()) is not None:
            outcome.arrived.append((at, down, load))
        time, peripheral_has_more = up.transmit()
        at += T_IFS + time
        if lost():
            break
        outcome.central_heard = at
        if (done := down.acknowledge()) is not None:
            outcome.acknowledged.append((at, down, done))
        if (load := up.receive()) is not None:
            outcome.arrived.append((at, up, load))
        if not (central_has_more or peripheral_has_more):
            break
        at += T_IFS
    return outcome
