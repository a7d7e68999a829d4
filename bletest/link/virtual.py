"""The virtual air, in place of bumble's ``LocalLink``: who hears whom, and when."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Any

from bumble import hci, ll
from bumble.controller import Controller
from bumble.link import LocalLink

from bletest.link.advertiser import Advertiser
from bletest.link.att_frames import LONGEST, att_frame
from bletest.link.carrier import HeldCarrier, PacedCarrier
from bletest.link.connection import ConnectionParameters, VirtualConnection
from bletest.link.controller import VirtualController
from bletest.link.data_path import DataPath
from bletest.link.extended import ExtendedController
from bletest.link.initiator import InitiatingController
from bletest.link.radio import Radio
from bletest.link.scanner import ScanningController
from bletest.link.schedule import Schedule
from bletest.link.time_source import caller_of

IN_ONE_TURN = 64
"""PDUs that the air delivers before it lets others on the loop have a turn."""


class VirtualLink(LocalLink):
    """An air on which every controller hears every other one.

    Advertisements reach only controllers that scan or initiate, and no timer runs while nobody
    does. Everything random on the air comes from ``seed``; the order of events depends on
    nothing but the order of calls. Data and link-layer control share one queue, so that neither
    overtakes the other. ``path`` may be :attr:`DataPath.HCI` to see every packet.
    """

    def __init__(self, *, seed: int = 0, path: DataPath = DataPath.SHORT) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seed = seed
        self.path = path
        # Receivers and what they receive; what takes it, where that is not an ATT PDU.
        self._on_its_way: deque[
            tuple[Callable[[VirtualConnection, Any], None] | None, VirtualConnection, Any]
        ] = deque()
        self._delivering = False
        self._deliver_soon: Callable[[], object] = _nothing
        # What hosts of ours have learned of controllers, by their kind.
        self.setups: dict[object, tuple[dict[str, Any], dict[str, Any]]] = {}
        self.schedule = Schedule()
        """When advertisers send; it runs a timer only while somebody listens."""
        self._members: dict[VirtualController, None] = {}
        self._advertisers: dict[hci.Address, dict[Advertiser, None]] = {}
        self._private_advertisers: dict[Advertiser, None] = {}
        self._scanners: dict[ScanningController, None] = {}
        # What each initiator waits for: an address, or None for any on its filter accept list.
        self._initiators: dict[InitiatingController, hci.Address | None] = {}
        self._addresses = random.Random(f"{seed}/public addresses")
        self.radio = Radio(seed)
        """Who hears whom. Its model is in force for new connections and for advertising."""

    @property
    def members(self) -> tuple[VirtualController, ...]:
        """The controllers on the air, in the order in which they came."""
        return tuple(self._members)

    def new_controller(
        self,
        name: str,
        public_address: str | hci.Address | None = None,
        *,
        extended: bool = False,
    ) -> VirtualController:
        """Put a new controller on the air; call it while the loop runs.

        ``name`` is for people and names the stream of its randomness. Without
        ``public_address`` (``AA:BB:CC:DD:EE:FF``) it reports none (all zeros), and its host
        sets a random address. ``extended`` makes it one of Bluetooth 5, with extended
        advertising and LL privacy.
        """
        if isinstance(public_address, str):
            public_address = hci.Address(public_address, hci.Address.PUBLIC_DEVICE_ADDRESS)
        kind = ExtendedController if extended else VirtualController
        return kind(name, self, public_address or hci.Address.ANY)

    def new_public_address(self) -> str:
        """Make up a public address, from the seed; it repeats in the next run."""
        # 0x02 in the first octet marks an address that no manufacturer owns (IEEE 802, 8.2).
        return ":".join(f"{octet:02X}" for octet in (0x02, *self._addresses.randbytes(5)))

    def add_controller(self, controller: VirtualController) -> None:  # type: ignore[override]
        """Put a controller on the air; its constructor does this."""
        self._members[controller] = None

    def remove_controller(self, controller: VirtualController) -> None:  # type: ignore[override]
        """Take a controller off the air, as when its battery is pulled.

        Its host hears nothing more. Its peers get a disconnection with reason 0x08 (Connection
        Timeout) when their supervision timeout has passed. Removing it twice is harmless.
        """
        controller.fall_silent()
        controller.set_packet_sink(None)
        self._members.pop(controller, None)
        self.radio.forget(controller)

    def rssi(self, sender: Controller, receiver: Controller) -> int:
        """Return at how many dBm ``receiver`` hears ``sender``."""
        return self.radio.rssi(sender, receiver)

    # The world: where everybody is.

    def take_out_of_range(self, controller: VirtualController) -> None:
        """Let nobody hear ``controller``, nor it anybody.

        Its connections end with reason 0x08 at both ends when nothing has come for their
        supervision timeout, unless it is back before that: then nothing is lost.
        """
        self.radio.silence(controller)
        self._settle_connections(controller)

    def bring_back_in_range(self, controller: VirtualController) -> None:
        """Undo :meth:`take_out_of_range`; harmless where it is in range."""
        self.radio.unsilence(controller)
        self._settle_connections(controller)

    def place(self, controller: VirtualController, distance: float | None) -> None:
        """Put it ``distance`` metres away from everybody; None is where the model has it."""
        self.radio.place(controller, distance)
        self._settle_connections(controller)

    def _settle_connections(self, controller: VirtualController) -> None:
        for connection in controller.le_connections.values():
            peer = connection.peer
            if peer is None:
                continue
            if self.radio.reaches(controller, peer.controller):
                if connection.carrier is not None:
                    connection.carrier.resume()
            elif connection.carrier is not None:
                connection.carrier.fall_silent()
            elif connection.role == hci.Role.CENTRAL:
                HeldCarrier(connection, peer)
            else:
                HeldCarrier(peer, connection)

    # Advertising: who is on the air, who listens, what wakes whom.

    def on_advertiser_started(self, advertiser: Advertiser) -> None:
        """Note an advertiser that was enabled."""
        self._advertisers.setdefault(advertiser.address, {})[advertiser] = None
        if advertiser.is_private:
            self._private_advertisers[advertiser] = None
        if self._scanners or self._is_awaited(advertiser.address):
            advertiser.arm()

    def on_advertiser_stopped(self, advertiser: Advertiser) -> None:
        """Forget an advertiser that was disabled, or has a connection now."""
        same_address = self._advertisers[advertiser.address]
        del same_address[advertiser]
        self._private_advertisers.pop(advertiser, None)
        if not same_address:
            del self._advertisers[advertiser.address]

    def on_advertising_event(self, advertiser: Advertiser) -> None:
        """Deliver one advertising event to whoever listens now."""
        clear = self.radio.is_clear
        for scanner in tuple(self._scanners):
            if scanner is not advertiser.controller and (
                clear
                or self.hears(
                    scanner,
                    advertiser,
                    interval=scanner.le_scan_interval,
                    window=scanner.le_scan_window,
                )
            ):
                scanner.on_heard(advertiser)
        for initiator in tuple(self._initiators):
            if initiator is not advertiser.controller and advertiser.enabled:
                initiator.on_candidate(advertiser)

    def hears(
        self, listener: Controller, advertiser: Advertiser, *, interval: int, window: int
    ) -> bool:
        """Whether ``listener`` receives this advertising event in its scan windows."""
        if self.radio.is_clear:
            return True
        now = asyncio.get_running_loop().time()
        return self.radio.hears(listener, advertiser, now, interval=interval, window=window)

    def set_scanning(self, controller: ScanningController, scanning: bool) -> None:
        """Note that a controller scans, or no longer does."""
        if scanning:
            self._scanners[controller] = None
            self.radio.on_listening(controller, asyncio.get_running_loop().time())
            self._for_each_advertiser(Advertiser.arm)
        elif self._scanners.pop(controller, controller) is None and not self._scanners:
            self._for_each_advertiser(self._disarm_unless_awaited)

    def set_initiating(self, controller: InitiatingController, address: hci.Address | None) -> None:
        """Note that a controller waits for an address, or for any on its accept list (None)."""
        self._initiators[controller] = address
        self.radio.on_listening(controller, asyncio.get_running_loop().time())
        # While nobody listened nobody needed to know how their addresses have changed.
        for advertiser in tuple(self._private_advertisers):
            advertiser.renew_address()
        if address is None:
            self._for_each_advertiser(Advertiser.arm)
        else:
            for advertiser in tuple(self._advertisers.get(address, ())):
                advertiser.arm()

    def stop_initiating(self, controller: InitiatingController) -> None:
        """Note that a controller waits for nobody any more."""
        if controller not in self._initiators:
            return
        address = self._initiators.pop(controller)
        if self._scanners:
            return
        if address is None:
            self._for_each_advertiser(self._disarm_unless_awaited)
        else:
            for advertiser in tuple(self._advertisers.get(address, ())):
                self._disarm_unless_awaited(advertiser)

    def _is_awaited(self, address: hci.Address) -> bool:
        return any(wanted is None or wanted == address for wanted in self._initiators.values())

    def _disarm_unless_awaited(self, advertiser: Advertiser) -> None:
        if not self._is_awaited(advertiser.address):
            advertiser.disarm()

    def _for_each_advertiser(self, act: Callable[[Advertiser], None]) -> None:
        for same_address in tuple(self._advertisers.values()):
            for advertiser in tuple(same_address):
                act(advertiser)

    # Connections: the one place through which everything between two controllers passes.

    def parameters(self, wanted: ConnectionParameters) -> ConnectionParameters:
        """Return the parameters of a new connection for which a host wants ``wanted``."""
        model = self.radio.model
        return wanted if model is None else ConnectionParameters(*model.parameters(*wanted))

    def loses_request(self, initiator: Controller, advertiser: Controller) -> bool:
        """Whether a CONNECT_IND does not get through."""
        return not self.radio.is_clear and self.radio.loses(initiator, advertiser, "connect")

    def on_connected(self, central: VirtualConnection, peripheral: VirtualConnection) -> None:
        """Two ends have found each other: carry what they send as the link model says."""
        if not self._delivering:
            self._deliver_soon = caller_of(asyncio.get_running_loop(), self._deliver)
        model = self.radio.model
        if model is None:
            return
        radio = self.radio
        PacedCarrier(
            central,
            peripheral,
            model,
            chance=radio.new_connection(central.controller, peripheral.controller),
            rate=radio.rate(central.controller),
        )
        for end in (central, peripheral):
            end.controller.start_with(end, model.phy, model.data_length)

    def send_data(self, sender: VirtualConnection, pdu: bytes) -> None:
        """Carry one L2CAP frame to the peer; it is lost if the peer is gone."""
        if sender.carrier is not None:
            if sender.is_up:
                sender.carrier.send_data(sender, pdu)
            return
        peer = sender.peer
        if peer is not None and sender.is_up:
            self._on_its_way.append((peer.controller.on_data, peer, pdu))
            if not self._delivering:
                self._delivering = True
                self._deliver_soon()

    def att_sender(self, sender: VirtualConnection) -> Callable[[bytes], None]:
        """Return what carries the ATT PDUs of one end, each as :meth:`send_data` its frame.

        Between hosts that take them without a frame, none is made.
        """
        on_its_way = self._on_its_way

        def send(pdu: bytes) -> None:
            peer = sender.peer
            if (
                peer is None
                or peer.take_att is None
                or sender.carrier is not None
                or len(pdu) > LONGEST
            ):
                self.send_data(sender, att_frame(pdu))
            elif sender.is_up:
                on_its_way.append((None, peer, pdu))
                if not self._delivering:
                    self._delivering = True
                    self._deliver_soon()

        return send

    def send_control(self, sender: VirtualConnection, pdu: ll.ControlPdu) -> None:
        """Carry one link-layer control PDU to the peer; it is lost if the peer is gone."""
        if sender.carrier is not None:
            sender.carrier.send_control(sender, pdu)
            return
        peer = sender.peer
        if peer is not None:
            self._on_its_way.append((peer.controller.on_control, peer, pdu))
            if not self._delivering:
                self._delivering = True
                self._deliver_soon()

    def _deliver(self) -> None:
        """Deliver what is on its way, and what is sent in answer to it, in order.

        A request and its response take one turn of the loop together: a turn costs more than
        either.
        """
        queue = self._on_its_way
        left = IN_ONE_TURN
        try:
            while queue and left:
                left -= 1
                deliver, receiver, pdu = queue.popleft()
                if deliver is not None:
                    deliver(receiver, pdu)
                elif (take := receiver.take_att) is not None and not receiver.controller.news:
                    take(pdu)
                else:
                    receiver.controller.on_data(receiver, att_frame(pdu))
        finally:
            if queue:
                self._deliver_soon()
            else:
                self._delivering = False


def _nothing() -> None:
    """What comes of data before there is a connection."""
