"""Carries out the faults planned for an emulated device, at the border of its ATT server."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from bletest.att.pdu import is_command
from bletest.contracts.events import EventSink, FaultFired
from bletest.errors import UsageMistake
from bletest.faults import Effect, Fault, FaultPlan, FaultSpec, Occasion
from bletest.faults.pdus import answer_to, spoil
from bletest.peripheral.links import ClientLink

if TYPE_CHECKING:
    from bletest.peripheral.virtual import VirtualPeripheral

_SERVER_INITIATED = frozenset((0x1B, 0x1D, 0x23))
_NEEDS_VIRTUAL_AIR = {
    Effect.REFUSED: "no controller but a virtual one refuses a connection",
    Effect.KILLS: "no adapter but a virtual one dies on command",
}


class Saboteur:
    """Stands between an emulated device and its clients while there are faults planned.

    An empty plan costs nothing: PDUs then take the device's own way, past this class.
    """

    def __init__(
        self,
        peripheral: "VirtualPeripheral",
        plan: FaultPlan,
        on_event: EventSink,
        kill_adapter: Callable[[], None] | None,
    ) -> None:
        self.plan = plan
        self._kill_adapter = kill_adapter
        self._peripheral = peripheral
        self._on_event = on_event
        self._moments: dict[Fault, float] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._of_response: dict[ClientLink, tuple[FaultSpec, ...]] = {}
        self._of_connection: tuple[FaultSpec, ...] | None = None
        plan.on_fired = self._tell
        plan.on_added = self._on_added
        plan.perform = self._perform

    # Life

    def start(self) -> None:
        """The device is up: take its PDUs if anything is planned, and watch the clock."""
        for fault in self.plan:
            self._check(fault.spec)
            self._watch(fault)
        if self.plan:
            self._step_in()

    def stop(self) -> None:
        """The device is down. What waits for a moment goes on waiting when it comes back."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._of_response.clear()

    def _on_added(self, fault: Fault) -> None:
        station = self._peripheral.station
        if station is not None:
            self._check(fault.spec)
            self._step_in()
            self._watch(fault)

    def _check(self, spec: FaultSpec) -> None:
        station = self._peripheral.station
        why = _NEEDS_VIRTUAL_AIR.get(spec.effect)
        if why is not None and station is not None and not station.is_virtual:
            raise UsageMistake(
                f'the fault "{spec}" is for the virtual air: {why}',
                remedy="run it with --ble-adapter virtual",
            )

    def _step_in(self) -> None:
        station = self._peripheral.station
        assert station is not None  # only a device that is up has PDUs
        if not self.plan.handles:
            self._look_up_handles()
        station.host.on_att_server_pdu = self.receive
        if station.controller is not None:
            station.controller.refuse_connection = self._on_connection_request
        for link in self._peripheral.links:
            self.adopt(link)

    def _look_up_handles(self) -> None:
        self.plan.handles = {one.handle: one.name for one in self._peripheral.table if one.name}
        self.plan.cccds = {
            one.attribute.cccd.handle: one.path
            for one in self._peripheral
            if one.attribute.cccd is not None
        }

    def on_database_changed(self) -> None:
        """Handles have moved: what is planned for an attribute follows it."""
        if self.plan.handles:
            self._look_up_handles()

    def _watch(self, fault: Fault) -> None:
        if fault.spec.occasion is not Occasion.AT or fault.fired or fault.seen:
            return
        loop = asyncio.get_running_loop()
        due = self._moments.setdefault(fault, loop.time() + fault.spec.moment)
        self._timers.append(loop.call_at(due, self._on_moment, fault))

    def _on_moment(self, fault: Fault) -> None:
        if fault.fired or fault.seen:
            return
        fault.seen += 1
        if fault.spec.effect is not Effect.DISCONNECTS:
            self.plan.reach(fault)
        elif links := self._peripheral.links:
            self.plan.reach(fault)
            for link in links:
                self._hang_up(link, (fault.spec,))

    # Occasions

    def adopt(self, link: ClientLink) -> None:
        """Have what the device sends on this link pass through here."""
        link.send = partial(self.send, link)

    def receive(self, connection_handle: int, pdu: bytes) -> None:
        """A client's PDU has arrived: let the device handle it, or do what is planned."""
        link = self._peripheral.link_of(connection_handle)
        due = self.plan.ask_request(pdu) if link is not None else ()
        if link is None or not due:
            self._peripheral.receive(connection_handle, pdu)
            return
        if self._hang_up(link, due):
            return
        if is_command(pdu[0]):
            if all(spec.effect is not Effect.DROPPED for spec in due):
                self._peripheral.receive(connection_handle, pdu)
            return
        self._of_response[link] = due
        answer = answer_to(pdu, due)
        if answer is None:
            self._peripheral.receive(connection_handle, pdu)
        else:
            link.send(answer)

    def send(self, link: ClientLink, pdu: bytes) -> None:
        """The device sends a PDU: let it pass, or send what is planned in its place."""
        if pdu[0] in _SERVER_INITIATED:
            due = self.plan.ask_sending(pdu)
        else:
            due = self._of_response.pop(link, ())
        if not due:
            link.transmit(pdu)
            return
        for delay, what in spoil(pdu, due):
            if delay:
                asyncio.get_running_loop().call_later(delay, self._send_late, link, what)
            else:
                link.transmit(what)
        if pdu[0] in _SERVER_INITIATED:
            self._hang_up(link, due)

    def _send_late(self, link: ClientLink, pdu: bytes) -> None:
        if link in self._peripheral.links:
            link.transmit(pdu)

    def _on_connection_request(self) -> int | None:
        """A central asks for a connection: return the reason to refuse it with, or None."""
        due = self.plan.ask(Occasion.CONNECTION)
        for spec in due:
            if spec.effect is Effect.REFUSED:
                return int(spec.argument or 0)
        self._of_connection = due
        return None

    def on_connection(self, link: ClientLink) -> None:
        """A link is up."""
        self.adopt(link)
        due, self._of_connection = self._of_connection, None
        # A controller that is not ours asks nobody before it accepts.
        self._hang_up(link, self.plan.ask(Occasion.CONNECTION) if due is None else due)

    def on_disconnection(self, link: ClientLink) -> None:
        """A link has ended."""
        self._of_response.pop(link, None)
        self.plan.ask(Occasion.DISCONNECTION)

    def on_advertising(self) -> None:
        """The device is about to advertise."""
        self.plan.ask(Occasion.ADVERTISING)

    # Effects

    def _hang_up(self, link: ClientLink, due: tuple[FaultSpec, ...]) -> bool:
        """End a link if that is what is due; return whether it is."""
        for spec in due:
            if spec.effect is Effect.DISCONNECTS:
                self._peripheral.disconnect(link, int(spec.argument or 0))
                return True
        return False

    def _perform(self, spec: FaultSpec) -> None:
        match spec.effect:
            case Effect.PAUSES:
                self._peripheral.pause_advertising(float(spec.argument or 0.0))
            case Effect.FORGETS:
                self._peripheral.forget_bonds()
            case Effect.KILLS if self._kill_adapter is not None:
                self._kill_adapter()
            case _:
                pass

    def _tell(self, fault: Fault) -> None:
        now = asyncio.get_running_loop().time()
        name = self._peripheral.profile.name
        self._on_event(FaultFired(now, name, str(fault), fault.fired))
