"""The emulated device: a profile served by our ATT engine on a bumble host."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
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
from bletest.att.handlers import AttRefusal, Deferred
from bletest.att.server import Server, ServerBearer
from bletest.contracts.events import EventSink, Note, nowhere
from bletest.errors import UnknownAttribute
from bletest.faults import FaultPlan
from bletest.link import enhanced
from bletest.link.station import Station
from bletest.link.time_source import clock_of
from bletest.peripheral.changes import ChangesDatabase
from bletest.peripheral.characteristic import Answer, ServerCharacteristic
from bletest.peripheral.enhanced import enhanced_bearers
from bletest.peripheral.faults import Saboteur
from bletest.peripheral.links import ClientLink
from bletest.peripheral.presence import Presence
from bletest.peripheral.reactions import Reactions
from bletest.peripheral.security import Bonds, pairing_config
from bletest.peripheral.table import build_table
from bletest.peripheral.waits import Occurrences
from bletest.peripheral.world import InTheWorld
from bletest.profile.rules import ReplyKind
from bletest.profile.spec import Profile

logger = logging.getLogger(__name__)

GOODBYE = 2.0
"""Seconds that ending advertising and links may take."""

_REMOTE_USER = 0x13
"""Remote User Terminated Connection (Vol 1, Part F, 2.19)."""


class VirtualPeripheral(InTheWorld, ChangesDatabase):
    """A device as its profile describes it, on the virtual air or on a real controller.

    ``peripheral["body_sensor_location"]`` is a characteristic by id, path or name. ``failures``
    holds what handlers raised; the client was answered with 0x0E each time. ``faults`` is what
    is planned to go wrong: what the profile says, and whatever is added.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        on_event: EventSink = nowhere,
        kill_adapter: Callable[[], None] | None = None,
    ) -> None:
        """``on_event`` gets a Note for what a transcript of the client cannot show, and each fault.

        ``kill_adapter`` is what a fault that kills the client's adapter does; None where the
        device does not know one.
        """
        self.profile = profile
        self.failures: list[BaseException] = []
        self.connected: Occurrences[str] = Occurrences("connection")
        self.disconnected: Occurrences[str] = Occurrences("disconnection")
        self._on_event = on_event
        self._station: Station | None = None
        self._time: Callable[[], float] = _now
        self._links: dict[str, ClientLink] = {}
        self._by_connection: dict[int, ClientLink] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._bonds = Bonds()
        self._characteristics: dict[str, ServerCharacteristic] = {}
        table, by_path = build_table(profile, self._handler_for)
        for path, characteristic in by_path.items():
            self._characteristics[path].stand_behind(characteristic)
        self.table = table
        self.server = Server(
            table,
            mtu=profile.device.mtu,
            on_event=self._on_server_event,
            verify_signature=self._bonds.verify,
            aes_cmac=aes_cmac,
        )
        self.faults = FaultPlan(profile)
        self.reactions = Reactions(self)
        self._saboteur = Saboteur(self, self.faults, on_event, kill_adapter)
        self._presence = Presence(self, before=self._saboteur.on_advertising)

    def _handler_for(self, spec: Any) -> ServerCharacteristic:
        characteristic = ServerCharacteristic(self, spec)
        self._characteristics[spec.path] = characteristic
        return characteristic

    # The characteristics

    def __getitem__(self, name: str) -> ServerCharacteristic:
        """Return a characteristic by id, path or SIG name; raises UnknownAttribute."""
        spec = self.profile.characteristic(name)
        if spec is not None:
            return self._characteristics[spec.path]
        known = [*self._characteristics, *(one.spec.id or "" for one in self)]
        close = get_close_matches(name, known, n=1)
        raise UnknownAttribute(
            f'{self.profile.name} has no characteristic "{name}"',
            remedy=f'did you mean "{close[0]}"?' if close else f"it has {', '.join(known)}",
        )

    def __iter__(self) -> Iterator[ServerCharacteristic]:
        return iter(self._characteristics.values())

    async def wait_connected(self, *, within: float = 10.0) -> str:
        """Wait for the next connection and return the client's address; raises NotSeen."""
        return await self.connected.next(within=within)

    async def wait_disconnected(self, *, within: float = 10.0) -> str:
        """Wait for the next disconnection and return the client's address; raises NotSeen."""
        return await self.disconnected.next(within=within)

    async def wait_written(self, name: str, *, within: float = 10.0) -> bytes:
        """Wait for a write of that characteristic and return what was written."""
        return await self[name].written(within=within)

    async def wait_subscribed(self, name: str, *, within: float = 10.0) -> str:
        """Wait for a subscription to that characteristic; return the client's address."""
        return await self[name].subscribed(within=within)

    async def wait_unsubscribed(self, name: str, *, within: float = 10.0) -> str:
        """Wait for the end of a subscription; return the client's address."""
        return await self[name].unsubscribed(within=within)

    async def wait_read(self, name: str, *, within: float = 10.0) -> str:
        """Wait for a read of that characteristic; return the client's address."""
        return await self[name].read_by_client(within=within)

    # Life

    @property
    def address(self) -> str:
        """The address it advertises, ``C0:…``; empty before :meth:`start`."""
        station = self._station or self._unpowered
        return station.device.random_address.to_string(False) if station else ""

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
        self._station = station
        self._time = clock_of(asyncio.get_running_loop())
        device = station.device
        device.pairing_config_factory = partial(pairing_config, self.profile)
        device.on("connection", self._on_connection)
        station.host.on_att_server_pdu = self.receive
        # A device that asks nothing has no use for responses; bumble would wonder about them.
        station.host.on_att_client_pdu = lambda _handle, _pdu: None
        if self.profile.device.gatt.eatt:
            mtu = self.profile.device.mtu
            enhanced.offer(device, enhanced_bearers(self.server, mtu, self.link_of))
        self._saboteur.start()
        await self._presence.after("power_on")

    async def stop(self) -> None:
        """Stop advertising, disconnect every client, end every behaviour."""
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

    def _cancel_tasks(self) -> tuple["asyncio.Task[None]", ...]:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        return tasks

    def _halt(self, station: Station) -> None:
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
        """Reboot: links drop, values and unbonded clients' settings are lost, bonds stay."""
        station = self._station
        await self.stop()
        self._restore()
        if station is not None:
            self.note("reset")
            await self.start(station)

    def _restore(self) -> None:
        for characteristic in self:
            characteristic.restore()
        self.reactions.reset()

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

    def forget_bonds(self) -> None:
        """Lose all keys, and what is kept for bonded clients; links that are up stay up."""
        for identity in tuple(self._bonds):
            self.server.forget(identity)
        self._bonds.clear()
        for link in self._links.values():
            link.security.bonded = False
        if self._station is not None and self._station.device.keystore is not None:
            self.spawn(self._station.device.keystore.delete_all())

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
        self.spawn(self._presence.after("disconnect"))

    def _close(self, link: ClientLink) -> None:
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
            case seen.HandlerFailed(exception=error):
                self._failed(error)
            case seen.Subscribed(client, attribute, notify):
                if (characteristic := self._of(attribute)) is not None:
                    self._subscribed(client, characteristic, notify=notify)
            case seen.Unsubscribed(client, attribute):
                if (characteristic := self._of(attribute)) is not None:
                    characteristic.on_unsubscribed(client)
                    if client in self._links:
                        self._links[client].stop(characteristic.path)
            case seen.TransactionTimeout(client, handle):
                self.note(f"{client} did not confirm an indication of handle 0x{handle:04X}")
            case _:
                pass

    def _of(self, attribute: Attribute) -> ServerCharacteristic | None:
        witness = attribute.witness
        return witness if isinstance(witness, ServerCharacteristic) else None

    def _subscribed(
        self, client: str, characteristic: ServerCharacteristic, *, notify: bool
    ) -> None:
        kind = ReplyKind.NOTIFICATION if notify else ReplyKind.INDICATION
        characteristic.on_subscribed(client, kind)
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
        if wanted is ReplyKind.NOTIFICATION:
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
        characteristic.on_sent()

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
                    characteristic.on_sent()
            else:
                for characteristic, octets in wanted:
                    self.send(client, characteristic, octets)

    def answer_later(
        self,
        bearer: ServerBearer,
        answer: Awaitable[Answer],
        encode: Callable[[Answer], bytes | None],
        *,
        undo: tuple[Attribute, bytes] | None = None,
    ) -> Deferred:
        """Promise the response to a request whose handler is a coroutine."""
        deferred = Deferred()
        self.spawn(self._complete(bearer, deferred, answer, encode, undo))
        return deferred

    async def _complete(
        self,
        bearer: ServerBearer,
        deferred: Deferred,
        answer: Awaitable[Answer],
        encode: Callable[[Answer], bytes | None],
        undo: tuple[Attribute, bytes] | None,
    ) -> None:
        result: bytes | AttRefusal | Exception | None
        try:
            result = encode(await answer)
        except Exception as error:  # the client must be answered whatever a handler raises
            result = error
            if undo is not None:
                undo[0].value = undo[1]
        response = bearer.complete(deferred, result, _now())
        link = self._links.get(bearer.identity)
        if response is not None and link is not None:
            link.send_on(bearer, response)

    def run_handler(self, call: Callable[[], Answer | Awaitable[Answer]]) -> None:
        """Run a handler whose answer nobody waits for."""

        async def run() -> None:
            try:
                answer = call()
                if isinstance(answer, Awaitable):
                    await answer
            except Exception as error:  # a handler's mistake ends the test, not the device
                self._failed(error)

        self.spawn(run())

    def _failed(self, error: BaseException) -> None:
        self.failures.append(error)
        self.note(f"a handler raised {type(error).__name__}: {error}")

    def note(self, text: str) -> None:
        """Tell the transcript what a client cannot see."""
        self._on_event(Note(_now(), f"{self.profile.name}: {text}"))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work of the device; it ends with the device, and what it raises ends the test."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)


def _now() -> float:
    return asyncio.get_running_loop().time()
