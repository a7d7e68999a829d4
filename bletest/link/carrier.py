"""What carries a connection that is not instant: connection events, and silence.

Most connections have no carrier: the air hands over what they send at once. A
:class:`PacedCarrier` sends it in connection events, as a link model says. A
:class:`HeldCarrier` keeps it while one of the two is out of reach.
"""

import abc
import asyncio
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bumble import hci, ll

from bletest.link.connection_event import Lane, Load, run_event
from bletest.link.model import INTERVAL_UNIT, TIMEOUT_UNIT, LinkModel
from bletest.link.negotiation import octets_of, phy_of

if TYPE_CHECKING:
    from bletest.link.connection import VirtualConnection

TRANSMIT_WINDOW_DELAY = 0.00125
"""Seconds from a CONNECT_IND to the first anchor point (Vol 6, Part B, 4.5.3)."""

EVENTS_TO_ESTABLISH = 6
"""Intervals in which a new connection must hear its first packet (4.5.2)."""

EVENTS_TO_INSTANT = 6
"""Connection events until a change of parameters takes effect (5.1.1)."""

BUFFERED = 256
"""Frames that a controller takes from its host, in each direction, before it lets it wait."""

_ROLES = (hci.Role.CENTRAL, hci.Role.PERIPHERAL)
_MICROSECOND = 1e-6
_NANOSECOND = 1e-9

LinkEnded = hci.HCI_ErrorCode


class Carrier(abc.ABC):
    """Carries what the two ends of one connection send, and notices when nothing comes."""

    def __init__(self, central: "VirtualConnection", peripheral: "VirtualConnection") -> None:
        self.central = central
        self.peripheral = peripheral
        self.loop = asyncio.get_running_loop()
        self._terminating: VirtualConnection | None = None
        central.carrier = peripheral.carrier = self

    @property
    def ends(self) -> "tuple[VirtualConnection, VirtualConnection]":
        """The central's end and the peripheral's."""
        return self.central, self.peripheral

    @abc.abstractmethod
    def send_data(self, sender: "VirtualConnection", frame: bytes) -> None:
        """Carry one L2CAP frame."""

    @abc.abstractmethod
    def send_control(self, sender: "VirtualConnection", pdu: ll.ControlPdu) -> None:
        """Carry one link-layer control PDU."""

    @abc.abstractmethod
    def heard_until(self, end: "VirtualConnection") -> float | None:
        """Return when ``end`` last received a packet, None if it never did."""

    @abc.abstractmethod
    def fall_silent(self) -> None:
        """Let nothing through any more; both ends wait for their supervision timeouts."""

    @abc.abstractmethod
    def resume(self) -> None:
        """Let packets through again."""

    def is_full(self, end: "VirtualConnection") -> bool:
        """Whether ``end`` has sent so much that it should wait."""
        return False

    def when_there_is_room(self, end: "VirtualConnection", act: Callable[[], None]) -> None:
        """Call ``act`` once ``end`` may send more, or the connection has ended."""
        act()

    def at_instant(self, act: Callable[[], None]) -> None:
        """Call ``act`` when a change takes effect that both ends have agreed on."""
        act()

    def update(
        self, receiver: "VirtualConnection", pdu: ll.ConnectionUpdateInd
    ) -> "tuple[VirtualConnection, ...]":
        """Take over new parameters, and return the ends whose hosts have not been told."""
        receiver.update(pdu)
        return (receiver,)

    @abc.abstractmethod
    def change_packets(self, end: "VirtualConnection") -> None:
        """Data length or PHY of ``end`` have changed."""

    def terminate(self, end: "VirtualConnection", reason: int) -> None:
        """End the connection in order: it is over for ``end`` when the peer has acknowledged.

        Where it never does, the supervision timeout ends it (Vol 6, Part B, 5.1.6).
        """
        if self._terminating is None:
            self._terminating = end
            self.send_control(end, ll.TerminateInd(reason))

    def on_gone(self, end: "VirtualConnection") -> None:
        """``end`` is no more, and the other hears nothing from now on."""
        self.fall_silent()

    # Supervision (Vol 6, Part B, 4.5.2).

    def watch(self, end: "VirtualConnection") -> None:
        """Let the supervision timeout of ``end`` run, from the last packet it received on."""
        if end.supervision is not None:
            end.supervision.cancel()
            end.supervision = None
        if end.is_up:
            end.supervision = self.loop.call_at(self._deadline(end), self._on_deadline, end)

    def unwatch(self, end: "VirtualConnection") -> None:
        """Let it run no more."""
        if end.supervision is not None:
            end.supervision.cancel()
            end.supervision = None

    def _deadline(self, end: "VirtualConnection") -> float:
        heard = self.heard_until(end)
        if heard is None:
            return self.establishing_until(end)
        return heard + end.timeout * TIMEOUT_UNIT

    def establishing_until(self, end: "VirtualConnection") -> float:
        """Return until when a first packet has to come."""
        raise NotImplementedError

    def _on_deadline(self, end: "VirtualConnection") -> None:
        end.supervision = None
        if not end.is_up:
            return
        if self._deadline(end) > self.loop.time() + _NANOSECOND:
            self.watch(end)
            return
        if self._terminating is end:
            reason = LinkEnded.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR
        elif self.heard_until(end) is None:
            reason = LinkEnded.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
        else:
            reason = LinkEnded.CONNECTION_TIMEOUT_ERROR
        end.controller.on_le_disconnected(end, reason)


class HeldCarrier(Carrier):
    """Keeps what is sent on an instant connection while the two cannot hear each other.

    Link layers send again until they are heard, so nothing is lost if they meet again in time.
    """

    def __init__(self, central: "VirtualConnection", peripheral: "VirtualConnection") -> None:
        super().__init__(central, peripheral)
        self._since = self.loop.time()
        self._held: deque[Callable[[], None]] = deque()
        self.fall_silent()

    def send_data(self, sender: "VirtualConnection", frame: bytes) -> None:
        """Keep one L2CAP frame."""
        self._held.append(partial(sender.controller.link.send_data, sender, frame))

    def send_control(self, sender: "VirtualConnection", pdu: ll.ControlPdu) -> None:
        """Keep one link-layer control PDU."""
        self._held.append(partial(sender.controller.link.send_control, sender, pdu))

    def change_packets(self, end: "VirtualConnection") -> None:
        """Nothing is cut into packets here."""

    def heard_until(self, end: "VirtualConnection") -> float | None:
        """Return when the silence began."""
        return self._since

    def fall_silent(self) -> None:
        """Let the supervision timeouts run."""
        for end in self.ends:
            if end.supervision is None:
                self.watch(end)

    def resume(self) -> None:
        """Send what was kept, and let the connection be instant again."""
        if not all(end.is_up for end in self.ends):
            return
        for end in self.ends:
            self.unwatch(end)
            end.carrier = None
        for act in self._held:
            act()
        if self._terminating is not None:
            self._terminating.controller.on_le_disconnected(
                self._terminating, LinkEnded.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR
            )


class PacedCarrier(Carrier):
    """Sends in connection events, one after another, at the anchor points of the central.

    An event carries what the hosts had handed over by its anchor point; what a host answers to
    a packet of an event goes into the next. The peripheral attends every ``1 + latency``-th
    event, and every one while it has something to send or to be acknowledged, while the
    central has said that there is more, or after one that it missed. While nobody has anything
    to send no timer runs: what happened in the events between is worked out afterwards.
    """

    def __init__(
        self,
        central: "VirtualConnection",
        peripheral: "VirtualConnection",
        model: LinkModel,
        *,
        chance: Callable[[], float],
        rate: float,
    ) -> None:
        """``chance`` draws from 0 to 1, ``rate`` is how fast the central's clock runs."""
        super().__init__(central, peripheral)
        self.down, self.up = Lane(), Lane()
        self._loss = model.loss
        self._chance = chance
        self._packets = model.packets_per_event
        self._rate = rate
        self._created = self.loop.time()
        self._origin = self._created + TRANSMIT_WINDOW_DELAY
        self._first = 0
        # The first event that was not run, and the next one that the peripheral attends.
        self._next = 0
        self._attended = 0
        self._silent = False
        # By role: connections have no hash.
        self._heard: dict[hci.Role, float] = {}
        self._instants: list[tuple[int, Callable[[], None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0
        self._waiters: list[tuple[VirtualConnection, Callable[[], None]]] = []
        if self._loss:
            for end in self.ends:
                self.watch(end)
        else:
            # Without loss the first events are sure to be heard.
            self._heard = dict.fromkeys(_ROLES, self._origin)

    # What is sent.

    def lane_of(self, sender: "VirtualConnection") -> Lane:
        """Return the direction in which ``sender`` sends."""
        return self.down if sender is self.central else self.up

    def send_data(self, sender: "VirtualConnection", frame: bytes) -> None:
        """Queue one L2CAP frame for the next connection event."""
        self._queue(sender, Load(frame, len(frame)))

    def send_control(self, sender: "VirtualConnection", pdu: ll.ControlPdu) -> None:
        """Queue one link-layer control PDU behind everything that was sent before."""
        self._queue(sender, Load(pdu, octets_of(pdu), is_control=True))

    def _queue(self, sender: "VirtualConnection", load: Load) -> None:
        self._catch_up()
        self.lane_of(sender).waiting.append(load)
        self._arm()

    def is_full(self, end: "VirtualConnection") -> bool:
        """Whether ``BUFFERED`` frames of ``end`` wait already."""
        return len(self.lane_of(end).waiting) >= BUFFERED

    def when_there_is_room(self, end: "VirtualConnection", act: Callable[[], None]) -> None:
        """Call ``act`` once fewer wait, or the connection has ended."""
        if end.is_up and self.is_full(end):
            self._waiters.append((end, act))
        else:
            act()

    def _let_go(self) -> None:
        waiters, self._waiters = self._waiters, []
        for end, act in waiters:
            self.when_there_is_room(end, act)

    # Silence.

    def heard_until(self, end: "VirtualConnection") -> float | None:
        """Return when ``end`` last received a packet, None if it never did."""
        self._catch_up()
        return self._heard.get(end.role)

    def establishing_until(self, end: "VirtualConnection") -> float:
        """Return the end of the sixth interval."""
        return self._created + EVENTS_TO_ESTABLISH * end.interval * INTERVAL_UNIT

    def fall_silent(self) -> None:
        """Let nothing through any more; both ends wait for their supervision timeouts."""
        if not self._silent:
            self._catch_up()
            self._silent = True
            self._arm()
        for end in self.ends:
            if end.supervision is None:
                self.watch(end)

    def resume(self) -> None:
        """Let packets through again, from the next anchor point on."""
        if not self._silent or not all(end.is_up for end in self.ends):
            return
        self._silent = False
        self._next = self._attended = self._number(self.loop.time()) + 1
        if not self._loss:
            for end in self.ends:
                self.unwatch(end)
        self._arm()

    def on_gone(self, end: "VirtualConnection") -> None:
        """``end`` is no more, and the other hears nothing from now on."""
        super().on_gone(end)
        self._let_go()

    # Changes of parameters.

    def at_instant(self, act: Callable[[], None]) -> None:
        """Call ``act`` at the anchor point six events after the one that is on the air.

        Whoever calls has just received the PDU that says so. A central of flesh and blood
        names the instant when it sends the PDU, and has to send it again where it is lost.
        """
        self._instants.append((self._next - 1 + EVENTS_TO_INSTANT, act))
        self._arm()

    def update(
        self, receiver: "VirtualConnection", pdu: ll.ConnectionUpdateInd
    ) -> "tuple[VirtualConnection, ...]":
        """Take over new parameters at the anchor point of the event that comes now."""
        self._origin = self._anchor(self._next)
        self._first = self._attended = self._next
        for end in self.ends:
            end.update(pdu)
            if end.supervision is not None:
                self.watch(end)
        return self.ends

    def change_packets(self, end: "VirtualConnection") -> None:
        """Send what comes next by the data length and PHY of ``end``."""
        lane = self.lane_of(end)
        lane.octets, lane.time = end.data_length.tx_octets, end.data_length.tx_time
        lane.phy = phy_of(end.tx_phy, end.phy_options)

    # Connection events.

    @property
    def _spacing(self) -> float:
        return self.central.interval * INTERVAL_UNIT / self._rate

    def _anchor(self, event: int) -> float:
        return self._origin + (event - self._first) * self._spacing

    def _number(self, now: float) -> int:
        """Return the number of the last event whose anchor point is not after ``now``."""
        return self._first + math.floor((now + _NANOSECOND - self._origin) / self._spacing)

    def _arm(self) -> None:
        """Set the timer for the next event in which anything happens."""
        event: int | None = None
        if self._silent:
            pass
        elif self.up.has_something:
            event = self._next
        elif self.down.has_something:
            event = max(self._next, self._attended)
        if self._instants and not self._silent:
            instant = max(self._next, min(number for number, _ in self._instants))
            event = instant if event is None else min(event, instant)
        if self._timer is not None:
            if event == self._armed:
                return
            self._timer.cancel()
            self._timer = None
        if event is not None:
            self._armed = event
            self._timer = self.loop.call_at(self._anchor(event), self._on_anchor)

    def _on_anchor(self) -> None:
        self._timer = None
        self._run_until(self._armed)
        self._arm()

    def _catch_up(self) -> None:
        """Run the events that have passed since something was last sent."""
        if self._silent:
            return
        last = self._number(self.loop.time())
        if self._timer is not None:
            # The event that the timer is set for runs by the timer, however close it is.
            last = min(last, self._armed - 1)
        self._run_until(last)

    def _run_until(self, last: int) -> None:
        while self._next <= last:
            if self._loss or self.down.has_something or self.up.has_something or self._instants:
                self._run_next()
            else:
                self._skip_to(last)

    def _skip_to(self, last: int) -> None:
        """Pass over events in which there is nothing to send and nothing to lose."""
        stride = 1 + self.peripheral.latency
        if self._attended <= last:
            attended = self._attended + (last - self._attended) // stride * stride
            self._heard = dict.fromkeys(_ROLES, self._anchor(attended))
            self._attended = attended + stride
        self._next = last + 1

    def _run_next(self) -> None:
        number = self._next
        for instant, act in tuple(self._instants):
            if instant <= number:
                self._instants.remove((instant, act))
                act()
        self._next = number + 1
        if number < self._attended and not self.up.has_something:
            return  # the peripheral sleeps, and the central is not heard
        outcome = run_event(
            self.down,
            self.up,
            interval=round(self._spacing / _MICROSECOND),
            lost=self._loses,
            packets=self._packets,
        )
        anchor = self._anchor(number)
        for role, heard in zip(
            _ROLES, (outcome.central_heard, outcome.peripheral_heard), strict=True
        ):
            if heard is not None:
                self._heard[role] = anchor + heard * _MICROSECOND
        slept = 0 if outcome.peripheral_heard is None or outcome.more else self.peripheral.latency
        self._attended = number + 1 + slept
        for at, lane, load in outcome.arrived:
            self.loop.call_at(anchor + at * _MICROSECOND, self._on_arrival, lane, load)
        for at, lane, load in outcome.acknowledged:
            self.loop.call_at(anchor + at * _MICROSECOND, self._on_acknowledgement, lane, load)

    def _loses(self) -> bool:
        return self._loss > 0 and self._chance() < self._loss

    def _on_arrival(self, lane: Lane, load: Load) -> None:
        receiver = self.peripheral if lane is self.down else self.central
        content: Any = load.content
        if load.is_control:
            receiver.controller.on_control(receiver, content)
        else:
            receiver.controller.on_data(receiver, content)

    def _on_acknowledgement(self, lane: Lane, load: Load) -> None:
        sender = self.central if lane is self.down else self.peripheral
        if isinstance(load.content, ll.TerminateInd) and sender is self._terminating:
            sender.controller.on_le_disconnected(
                sender, LinkEnded.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR
            )
        if self._waiters:
            self._let_go()
