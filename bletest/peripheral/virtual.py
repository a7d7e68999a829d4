"""The emulated device: a profile served by our ATT engine on a bumble host."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

from bumble import hci
from bumble.core import BaseBumbleError
from bumble.crypto.cryptography import aes_cmac
from bumble.device import Connection
from bumble.keys import PairingKeys

from bletest.att import server_events as seen
from bletest.att.database import Attribute
from bletest.att.server import Server
from bletest.contracts.events import EventSink, nowhere
from bletest.errors import UnknownAttribute
from bletest.faults import FaultPlan
from bletest.link import enhanced
from bletest.link.station import Station
from bletest.link.time_source import clock_of
from bletest.peripheral.asking import AsksClients
from bletest.peripheral.behaviours import (
    NO_BEHAVIOURS,
    Behaviour,
    Behaviours,
    named_behaviours,
)
from bletest.peripheral.bonds import Bonds
from bletest.peripheral.characteristic import NOTIFICATION, ServerCharacteristic
from bletest.peripheral.consent import TakesConsent
from bletest.peripheral.enhanced import enhanced_bearers
from bletest.peripheral.faults import Saboteur
from bletest.peripheral.handlers import RunsHandlers
from bletest.peripheral.hooks import (
    Confirmed,
    Connected,
    Disconnected,
    HasHooks,
    MtuChanged,
    PairingEnded,
    Subscribed,
    Unsubscribed,
)
from bletest.peripheral.links import ClientLink
from bletest.peripheral.modes import Reboots
from bletest.peripheral.persistence import BondKeeper
from bletest.peripheral.presence import Presence
from bletest.peripheral.waits import Occurrences, Waits
from bletest.profile.rules import ReplyKind
from bletest.profile.spec import Profile

logger = logging.getLogger(__name__)

GOODBYE = 2.0
"""Seconds that ending advertising and links may take."""


class VirtualPeripheral(RunsHandlers, HasHooks, Waits, Reboots, TakesConsent, AsksClients):
    """A device as its profile describes it, on the virtual air or on a real controller.

    ``peripheral["body_sensor_location"]`` is a characteristic by id, path or name, or a descriptor.
    ``failures`` holds what its own code raised; the client was answered with 0x0E each time.
    ``faults`` is what is planned to go wrong: what the profile says, and whatever is added.
    """

    _behaviours: Behaviours | None = None

    def __init__(
        self,
        profile: Profile,
        *,
        on_event: EventSink = nowhere,
        behaviours: Mapping[str, Behaviour] = NO_BEHAVIOURS,
        kill_adapter: Callable[[], None] | None = None,
        bonds: BondKeeper | None = None,
    ) -> None:
        """``on_event`` gets a Note for what a transcript of the client cannot show, and each fault.

        ``behaviours`` are those that the profile may name, by name; raises BehaviourMissing where
        it names another. ``kill_adapter`` is what a fault that kills the client's adapter does;
        None where the device does not know one. ``bonds`` is where its bonds outlive it, None
        where they do not.
        """
        self.failures = []
        self.connected = Occurrences("connection", self.note)
        self.disconnected = Occurrences("disconnection", self.note)
        self._on_event = on_event
        self._station: Station | None = None
        self._time: Callable[[], float] = _now
        self._links: dict[str, ClientLink] = {}
        self.by_client: Mapping[str, ClientLink] = self._links
        """The links that are up, by the addresses of the clients."""
        self._by_connection: dict[int, ClientLink] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._set_up_pairing(bonds)
        super().__init__(profile)
        self.faults = FaultPlan(profile)
        self._saboteur = Saboteur(self, self.faults, on_event, kill_adapter)
        self._presence = Presence(self, before=self._saboteur.on_advertising)
        if any(named_behaviours(profile)):
            self._behaviours = Behaviours(self, behaviours)

    def _new_server(self, bonds: Bonds) -> Server:
        return Server(
            self.table,
            mtu=self.profile.device.mtu,
            on_event=self._on_server_event,
            verify_signature=bonds.verify,
            authorize=self._is_authorized,
            aes_cmac=aes_cmac,
        )

    def _handler_for(self, spec: Any) -> ServerCharacteristic:
        characteristic = ServerCharacteristic(self, spec)
        self._characteristics[spec.path] = characteristic
        return characteristic

    # The characteristics

    def __getitem__(self, name: str) -> ServerCharacteristic | Any:
        """Return a characteristic by id, path or SIG name; raises UnknownAttribute.

        Or a :class:`~bletest.peripheral.descriptor.ServerDescriptor` by id or path, with the
        service before it or without: ``peripheral["battery_level/user_description"]``.
        """
        spec = self.profile.characteristic(name)
        if spec is not None:
            return self._characteristics[spec.path]
        descriptor = self.descriptors.find(name)
        if descriptor is not None:
            return descriptor
        known = [*self._characteristics, *(one.spec.id or "" for one in self)]
        close = get_close_matches(name, [*known, *self.descriptors.names()], n=1)
        raise UnknownAttribute(
            f'{self.profile.name} has no characteristic "{name}"',
            remedy=f'did you mean "{close[0]}"?' if close else f"it has {', '.join(known)}",
        )

    def __iter__(self) -> Iterator[ServerCharacteristic]:
        return iter(self._characteristics.values())

    # Life

    @property
    def station(self) -> Station | None:
        """Where it runs, None while it is off."""
        return self._station

    @property
    def clients(self) -> tuple[str, ...]:
        """The addresses of the connected clients."""
        return tuple(self._links)

    async def start(self, station: Station) -> None:
        """Take over the station's ATT and pairing, and advertise."""
        await self._take_identity(station)
        self._station = station
        self._time = clock_of(asyncio.get_running_loop())
        device = station.device
        await self._prepare_pairing(station)
        device.on("connection", self._on_connection)
        station.host.on_att_server_pdu = self.receive
        # A device that asks nothing has no use for responses; bumble would wonder about them.
        station.host.on_att_client_pdu = lambda _handle, _pdu: None
        if self.profile.device.gatt.eatt:
            mtu = self.profile.device.mtu
            enhanced.offer(device, enhanced_bearers(self.server, mtu, self.link_of))
        self._saboteur.start()
        if self._behaviours is not None:
            self._behaviours.begin()
        await self._presence.after("power_on")

    async def stop(self) -> None:
        """Stop advertising, disconnect every client, end every behaviour."""
        self._cancel_reboot()
        if self._station is None:
            return
        station, self._station = self._station, None
        self._saboteur.stop()
        self._presence.end()
        tasks = self._cancel_tasks()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not station.host.lost:
            await self._say_goodbye(station)
        self._leave(station)
        await asyncio.sleep(0)  # what hooks of a goodbye have begun gets a turn, and no more
        await asyncio.gather(*self._cancel_tasks(), return_exceptions=True)
        self._keep_bonds()

    def _cancel_tasks(self) -> tuple["asyncio.Task[None]", ...]:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        return tasks

    def _halt(self, station: Station) -> None:
        self._cancel_reboot()
        self._saboteur.stop()
        self._presence.end()
        self._cancel_tasks()
        self._leave(station)

    def _leave(self, station: Station) -> None:
        """Forget every link, and let go of the station."""
        for link in tuple(self._links.values()):
            self._close(link)
        station.host.on_att_server_pdu = station.host.on_att_client_pdu = None
        enhanced.offer(station.device, None)
        if station.controller is not None:
            station.controller.refuse_connection = None
        station.device.remove_listener("connection", self._on_connection)

    async def _say_goodbye(self, station: Station) -> None:
        """End advertising and links; a controller that is gone must not keep us from stopping."""
        with contextlib.suppress(TimeoutError, hci.HCI_Error, BaseBumbleError):
            async with asyncio.timeout(GOODBYE):
                await station.device.stop_advertising()
                # A round trip to the controller brings in a disconnection that is on its way,
                # so that nobody ends a link that has ended already.
                await station.device.send_sync_command(hci.HCI_Read_BD_ADDR_Command())
                for link in tuple(self._links.values()):
                    await link.connection.disconnect()

    async def reset(self) -> None:
        """Reboot: links drop, values and unbonded clients' settings are lost, bonds stay.

        The device is in its normal mode then.
        """
        station = self._station or self._cancel_reboot()
        await self.stop()
        self._restore()
        if station is not None:
            self.note("reset")
            await station.device.stop_advertising()  # as bumble believes of one that was down
            await self.start(station)

    def _restore(self) -> None:
        self._return()
        for characteristic in self:
            characteristic.restore()
        self.descriptors.restore()
        self.reactions.reset()

    def add_service(self, name: str) -> None:
        """Put a service that was removed back, with the profile's values and at new handles."""
        super().add_service(name)
        self.descriptors.stand_again()

    def pause_advertising(self, seconds: float) -> None:
        """Stop advertising now, and do not begin again for so long."""
        self._presence.pause(seconds)

    @property
    def asleep(self) -> bool:
        """Whether the profile gives advertising a window, and it is not open now."""
        return self._presence.asleep

    async def wake(self) -> None:
        """Press its button: the window of advertising opens, anew where it was open.

        Returns when it advertises; one that has no room for a client does not. Harmless where the
        profile has no window.
        """
        await self._presence.wake()

    # Links

    @property
    def links(self) -> tuple[ClientLink, ...]:
        """The links that are up."""
        return tuple(self._links.values())

    def disconnect(self, link: ClientLink, reason: int) -> None:
        """End a link with an HCI reason, such as 0x13 (Vol 1, Part F, 1.3)."""

        async def end() -> None:
            # The client, or a fault, may have been quicker.
            with contextlib.suppress(hci.HCI_Error, BaseBumbleError):
                await link.connection.disconnect(reason)

        self.spawn(end())

    def hang_up(self, client: str, reason: int) -> None:
        """End the link with that client, if there is one, with an HCI reason."""
        link = self._links.get(client)
        if link is not None:
            self.disconnect(link, reason)

    def link_of(self, connection_handle: int) -> ClientLink | None:
        """Return the link with that handle, None if there is none."""
        return self._by_connection.get(connection_handle)

    def link_to(self, client: str) -> ClientLink | None:
        """Return the link with that client, by its address; None if it is not connected."""
        return self._links.get(client)

    def _on_connection(self, connection: Connection) -> None:
        identity = connection.peer_address.to_string(False)
        link = ClientLink(identity, connection, self._bonds)
        link.bearer = self.server.connect(identity, link.security)
        self._links[identity] = link
        self._by_connection[connection.handle] = link
        connection.on("disconnection", partial(self._on_disconnection, link))
        connection.on("pairing", partial(self._on_pairing, link))
        link.watch_security()
        if self.faults:
            self._saboteur.on_connection(link)
        self.connected.add(identity)
        if self._hooks is not None:
            if self._hooks.wants(PairingEnded):
                self._watch_pairing(link)
            self._hooks.fire(Connected, identity)
        self.spawn(self._presence.advertise())

    def _on_pairing(self, link: ClientLink, _keys: PairingKeys) -> None:
        # A client behind a private address says who it is while it pairs.
        identity = link.connection.peer_address.to_string(False)
        if identity != link.identity:
            del self._links[link.identity]
            link.identity = identity
            self._links[identity] = link
            link.bearer.identify(identity)

    def _on_disconnection(self, link: ClientLink, reason: int) -> None:
        if self._by_connection.get(link.connection.handle) is not link:
            return  # closed by stop() already
        self._close(link)
        if self.faults:
            self._saboteur.on_disconnection(link)
        self.disconnected.add(link.identity)
        if self._hooks is not None:
            self._hooks.fire(Disconnected, link.identity, reason=reason)
        self.spawn(self._presence.after("disconnect"))

    def _close(self, link: ClientLink) -> None:
        self._bonds_changed(link.identity)
        self.reactions.forget(link.identity)
        del self._links[link.identity]
        del self._by_connection[link.connection.handle]
        link.close()

    def receive(self, connection_handle: int, pdu: bytes) -> None:
        """Take one ATT PDU of a client, and send what answers it."""
        link = self._by_connection.get(connection_handle)
        if link is None:
            return
        response = link.bearer.receive(pdu, self._time())
        if response is not None:
            link.send(response)
        if link.bearer.deadline is not None:
            link.watch_confirmation()

    # What the server engine tells

    def _on_server_event(self, event: seen.ServerEvent) -> None:
        match event:
            case seen.HandlerFailed(attribute=attribute, exception=error):
                self.failed(error, f"the handler of {attribute.name}")
            case seen.Subscribed(client, attribute):
                if (characteristic := self._of(attribute)) is not None:
                    self._subscribed(client, characteristic, event)
            case seen.Unsubscribed(client, attribute, closed):
                if (characteristic := self._of(attribute)) is not None:
                    characteristic.was_unsubscribed(client)
                    if client in self._links:
                        self._links[client].stop(characteristic.path)
                    if self._hooks is not None and self._unpowered is None:
                        self._hooks.fire(Unsubscribed, client, of=characteristic, closed=closed)
            case seen.Confirmed(client, handle, value):
                self._bonds_changed(client)
                confirmed = self.table.get(handle)
                if confirmed and (characteristic := self._of(confirmed)) is not None:
                    characteristic.was_confirmed(client)
                    if self._hooks is not None:
                        self._hooks.fire(Confirmed, client, of=characteristic, value=value)
            case seen.MtuExchanged(client, mtu, asked):
                if self._hooks is not None:
                    self._hooks.fire(MtuChanged, client, mtu=mtu, asked=asked)
            # Only attributes without a witness come this way: descriptors at their first use.
            case seen.Read(client, attribute, offset):
                if (descriptor := self.descriptors.used(attribute)) is not None:
                    descriptor.was_read(client, offset)
            case seen.Written(client, attribute, value):
                if attribute.per_client:
                    self._bonds_changed(client)
                if (descriptor := self.descriptors.used(attribute)) is not None:
                    descriptor.was_written(value)
            case seen.TransactionTimeout(client, handle):
                self.note(f"{client} did not confirm an indication of handle 0x{handle:04X}")
            case _:
                pass

    def _of(self, attribute: Attribute) -> ServerCharacteristic | None:
        witness = attribute.witness
        return witness if isinstance(witness, ServerCharacteristic) else None

    def _subscribed(
        self, client: str, characteristic: ServerCharacteristic, event: seen.Subscribed
    ) -> None:
        kind = ReplyKind.NOTIFICATION if event.notify else ReplyKind.INDICATION
        characteristic.was_subscribed(client, kind)
        if self._hooks is not None:
            _, _, notify, indicate, restored = event
            facts = {"notify": notify, "indicate": indicate, "restored": restored}
            fire = partial(self._hooks.fire, Subscribed, client, of=characteristic, **facts)
            asyncio.get_running_loop().call_soon(fire) if restored else fire()
        schedule = characteristic.spec.notify
        # The event of a bond's restored subscription comes before the link is known here.
        if schedule is not None:
            asyncio.get_running_loop().call_soon(self._start_schedule, client, characteristic)

    def _start_schedule(self, client: str, characteristic: ServerCharacteristic) -> None:
        schedule = characteristic.spec.notify
        link = self._links.get(client)
        if link is None or schedule is None or client not in characteristic.subscribers:
            return
        link.start_schedule(
            characteristic.path,
            schedule.every,
            lambda count: self.send(client, characteristic, schedule.values.at(count)),
        )

    # What characteristics ask for

    def send(
        self,
        client: str,
        characteristic: ServerCharacteristic,
        value: bytes,
        kind: ReplyKind | None = None,
    ) -> None:
        """Send a value to one subscriber; a client that has not subscribed gets nothing."""
        wanted = characteristic.subscribers.get(client)
        link = self._links.get(client)
        if link is None or wanted is None or (kind is not None and kind is not wanted):
            return
        # The bearer also looks at the link: what a bond restored may wait for encryption.
        if wanted is NOTIFICATION:
            pdu = link.bearer.notification(characteristic.attribute, value)
            if pdu is None:
                return
        else:
            handle = characteristic.attribute.value.handle
            if not link.bearer.indicates(handle):
                return
            pdu = link.bearer.indicate(handle, value, self._time())
            link.watch_confirmation()
        if pdu is not None:
            link.send(pdu)
        characteristic.was_sent()

    def notify_together(self, values: Mapping[str, bytes]) -> None:
        """Send values of several characteristics to every subscriber, in one PDU if it can be.

        It can where a client takes Multiple Handle Value Notifications, has enabled
        notifications of two of them or more, and ATT_MTU has room; else they go one by one.
        """
        for client, link in tuple(self._links.items()):
            wanted = [
                (self[name], octets)
                for name, octets in values.items()
                if self[name].subscribers.get(client) is ReplyKind.NOTIFICATION
                and link.bearer.notifies(self[name].attribute.value.handle)
            ]
            tuples = [(one.attribute.value.handle, octets) for one, octets in wanted]
            if link.notify_together(tuples, self._time()):
                for characteristic, _ in wanted:
                    characteristic.was_sent()
            else:
                for characteristic, octets in wanted:
                    self.send(client, characteristic, octets)


def _now() -> float:
    return asyncio.get_running_loop().time()
