"""A client's radio: scanning and connecting through a station."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from bumble import hci
from bumble.core import BaseBumbleError, ProtocolError
from bumble.core import ConnectionError as BumbleConnectionError
from bumble.device import Connection, Device
from bumble.pairing import PairingConfig
from bumble.transport.common import TransportLostError

from bletest.client import security
from bletest.client.advertising import Gatherer, Sighting
from bletest.client.agent import JUST_WORKS
from bletest.client.link import CallbackFailure, ClientLink
from bletest.client.reasons import NOT_ESTABLISHED, VANISHED, link_reason
from bletest.client.signing import SigningKey
from bletest.contracts.events import AttPdu, Direction, EventSink, LinkEvent, SmpPdu, nowhere
from bletest.contracts.windows import LinkTiming
from bletest.errors import (
    AdapterLost,
    AdapterUnusable,
    BenchTrouble,
    ConnectionFailed,
    ConnectionTimedOut,
    DeviceNotFound,
    LinkLost,
    PairingFailed,
)
from bletest.evidence.transcript import Noted, Transcript, what_is_noted
from bletest.faults import FaultPlan
from bletest.link.host import AttHost, Observer
from bletest.link.station import Station
from bletest.link.time_source import clock_of

T = TypeVar("T")

logger = logging.getLogger(__name__)

CONNECTION_TRIES = 3
"""How often establishing a link is tried at most. Nothing else is ever tried twice."""

COMMAND_TIME = 5.0
"""Seconds that a controller may take for a command; then it counts as broken."""

PREFERRED_MTU = 517
"""ATT_MTU asked for by default: the least that carries a value of 512 octets whole."""

# A link that comes up and dies at once was never established (Vol 6, Part B, 4.5): try again.
_WORTH_ANOTHER_TRY = frozenset((NOT_ESTABLISHED, VANISHED))

# Event types of reports (Vol 4, Part E, 7.7.65.2), as plain numbers: enumerations are slow.
_SCAN_RSP = int(hci.HCI_LE_Advertising_Report_Event.EventType.SCAN_RSP)
_CONNECTABLE = (
    int(hci.HCI_LE_Advertising_Report_Event.EventType.ADV_IND),
    int(hci.HCI_LE_Advertising_Report_Event.EventType.ADV_DIRECT_IND),
)

# How a transcript notes what was received, and what was sent.
_ATT = tuple(what_is_noted(smp=False, sent=sent) for sent in (False, True))
_SMP = tuple(what_is_noted(smp=True, sent=sent) for sent in (False, True))

ScanListener = Callable[[Sighting], None]

_Report = (
    hci.HCI_LE_Advertising_Report_Event.Report | hci.HCI_LE_Extended_Advertising_Report_Event.Report
)
_ANONYMOUS = hci.HCI_LE_Extended_Advertising_Report_Event.ANONYMOUS_ADDRESS_TYPE


class BumbleAdapter:
    """Scans and connects through a :class:`~bletest.link.station.Station`.

    ``on_event`` is told of every ATT and SMP PDU and of every change of a link; ``timing`` is
    what links on this adapter add to any moment, None to take it from each connection's
    parameters; ``mtu`` the ATT_MTU asked for after connecting, 23 to ask for none.
    ``fault_plans`` are those of emulated devices, by address, looked up whenever one indicates.
    ``name`` stands before the names of its links, where there are several adapters.

    It takes the station's host for itself (one adapter per station) and leaves opening and
    closing the station to whoever handed it over.
    """

    def __init__(
        self,
        station: Station,
        *,
        on_event: EventSink = nowhere,
        timing: LinkTiming | None = None,
        mtu: int = PREFERRED_MTU,
        fault_plans: Mapping[str, FaultPlan] | None = None,
        name: str = "",
    ) -> None:
        self.station = station
        self.device: Device = station.device
        self.host: AttHost = station.host
        self.timing = timing
        self.mtu = mtu
        self.fault_plans: Mapping[str, FaultPlan] = {} if fault_plans is None else fault_plans
        self._loop = asyncio.get_running_loop()
        self._time = clock_of(self._loop)
        self._links: dict[int, ClientLink] = {}
        self._connections = 0
        self._name = name
        self._latest: ClientLink | None = None
        self._address_types: dict[str, bool] = {}
        self._identities: dict[str, str] = {}
        self._signing_keys: dict[str, SigningKey] = {}
        self._known_to_peers = False
        self._gatherer = Gatherer()
        # The senders heard without HCI, as text, and whether that is a random address.
        self._heard: dict[hci.Address, tuple[str, bool]] = {}
        self._fragments: dict[tuple[str, int], bytes] = {}
        self._listeners: dict[ScanListener, bool] = {}
        self._scanning: bool | None = None
        self._scan_lock = asyncio.Lock()
        self._connect_lock = asyncio.Lock()
        self._lost: str | None = None
        self._closed = False
        self._failures: list[CallbackFailure] = []
        self.device.pairing_config_factory = self._pairing_config
        self.device.on(Device.EVENT_CONNECTION, self._on_connection)
        self.host.on("advertising_report", self._on_report)
        self.host.hear_reports(self._on_heard)
        self.host.on_att_client_pdu = self._on_client_pdu
        self.host.on_att_server_pdu = self._on_server_pdu
        self.host.on_lost = self._on_lost
        self.host.on("flush", self._on_flush)
        self.send_events_to(on_event)

    def send_events_to(self, sink: EventSink) -> None:
        """Tell ``sink`` from now on, instead of whom it was told before."""
        self._on_event = sink
        # Where nobody wants events of PDUs, none is made.
        if sink is nowhere:
            self.host.observe = None
        elif isinstance(sink, Transcript):
            self.host.observe = self._noting(sink.note)
        else:
            self.host.observe = self._observe

    @property
    def is_lost(self) -> bool:
        """Whether the transport to the controller has ended."""
        return self._lost is not None or self.host.lost

    @property
    def links(self) -> tuple[ClientLink, ...]:
        """The links that are up."""
        return tuple(self._links.values())

    def check(self) -> None:
        """Raise :class:`AdapterLost` if the adapter is gone."""
        if self.is_lost:
            raise AdapterLost(
                f"the adapter is gone: {self._lost or 'the transport to the controller ended'}",
                remedy="check its cable, or the process that its transport leads to",
            )

    def take_callback_failures(self) -> list[CallbackFailure]:
        """Return the failures of user callbacks since the last call, and forget them.

        Whoever runs tests fails the test with them: a callback that raises must not go unseen.
        """
        failures, self._failures = self._failures, []
        return failures

    async def start_scanning(self, listener: ScanListener, *, active: bool = True) -> None:
        """Pass every report on to ``listener`` from now on.

        Several may listen; one of them asking for an active scan makes it active for all.
        """
        self.check()
        self._listeners[listener] = active
        try:
            await self._adjust_scanning()
        except BaseException:
            self._listeners.pop(listener, None)
            raise

    async def stop_scanning(self, listener: ScanListener) -> None:
        """Stop passing reports on; harmless where ``listener`` does not listen."""
        if self._listeners.pop(listener, None) is not None and not self.is_lost:
            await self._adjust_scanning()

    async def connect(
        self, address: str, *, address_type: str | None = None, timeout: float = 30.0
    ) -> ClientLink:
        """Connect, exchange MTU, and return the link; ``timeout`` is in seconds, for everything.

        ``address_type`` is ``"public"`` or ``"random"``; None takes what scanning told, or else
        guesses by the two top bits and gives half the time to the other type. A link that dies
        while it is being established is tried anew, three times in all.

        Raises :class:`DeviceNotFound` if a device never scanned does not answer,
        :class:`ConnectionTimedOut` if a known one does not, :class:`ConnectionFailed` if the
        tries are used up,
        :class:`LinkLost` if the device closes the link at once, :class:`AdapterLost`,
        :class:`AdapterUnusable`.
        """
        address = address.upper()
        self.check()
        for other in self._links.values():
            if other.address == address:
                raise ConnectionFailed(
                    f"{address} is connected already, as link {other.name}",
                    remedy="use that client, or disconnect it first",
                )
        kinds = self._address_kinds(address, address_type)
        deadline = self._loop.time() + timeout
        async with self._connect_lock:
            await self._become_a_stranger()
            share = timeout / len(kinds)
            for number, is_random in enumerate(kinds, start=1):
                last = deadline if number == len(kinds) else self._loop.time() + share
                link = await self._establish(address, is_random, last)
                if link is not None:
                    return link
        if address in self._address_types:
            raise ConnectionTimedOut(
                f"{address} was seen advertising but no link came up within {timeout:g} s",
                remedy="is it connected elsewhere, or has it stopped advertising?",
            )
        raise DeviceNotFound(
            f"{address} did not answer within {timeout:g} s and was not seen in a scan",
            remedy="is it asleep, out of range, or connected elsewhere?",
        )

    async def pair(self, link: ClientLink, *, authenticated: bool = True) -> None:
        """Encrypt ``link``, pairing if there is no bond yet; see :func:`security.pair`."""
        self.check()
        before = self.host.last_failure
        agent = link.agent
        try:
            link.agent = agent if authenticated else JUST_WORKS
            await security.pair(link, self.device)
        except PairingFailed as failure:
            command = self.host.last_failure
            if command is not None and command is not before:
                # Nobody waits for what the Security Manager asks of the controller.
                raise security.refused(link, command) from failure
            if failure.reason is None:
                await self.acquit(link)
            raise
        finally:
            link.agent = agent
        # Pairing tells the identity behind a resolvable address; keys are kept under that.
        identity = link.connection.peer_address.to_string(False)
        self._identities[link.address] = identity
        key = security.signing_key(link, self.device)
        known = self._signing_keys.get(identity)
        if key is not None and (known is None or known.csrk != key.csrk):
            self._signing_keys[identity] = key

    def signing_key(self, link: ClientLink) -> SigningKey | None:
        """Return the key that writes to the device are signed with, None if it was given none."""
        return self._signing_keys.get(self._identities.get(link.address, link.address))

    def _pairing_config(self, connection: Connection) -> PairingConfig:
        return security.pairing_config(
            self._links.get(connection.handle), self.station.security_manager
        )

    async def is_authenticated(self, link: ClientLink) -> bool:
        """Return whether ``link`` is encrypted with a key that was made against a MITM."""
        return link.is_encrypted and await security.is_authenticated(self.device, link.connection)

    async def rssi(self, link: ClientLink) -> int:
        """Return the RSSI of a link in dBm (Vol 4, Part E, 7.5.4)."""
        if not link.is_up:
            raise link.error()
        command = hci.HCI_Read_RSSI_Command(handle=link.connection.handle)
        answer = await self._command("read the RSSI", self.host.send_sync_command(command))
        return int(answer.rssi)

    async def unpair(self, address: str) -> None:
        """Forget the keys of ``address``; an encrypted link with it ends.

        The device may keep its half of the bond, and what it remembers with it. So the adapter
        takes a fresh address before it connects again, as soon as no other link needs the old.
        """
        address = address.upper()
        identity = self._identities.pop(address, address)
        self._signing_keys.pop(identity, None)
        forgotten = await security.forget(self.device, identity)
        self._known_to_peers = self._known_to_peers or forgotten
        for link in self.links:
            if link.address == address:
                if forgotten:
                    link.tell("unpaired", "the keys of this device are forgotten")
                if link.is_encrypted:
                    await link.disconnect()

    async def _become_a_stranger(self) -> None:
        if self._known_to_peers and not self._links and self._scanning is None:
            self._known_to_peers = False
            self.tell("", "address", await self.station.renew_address())

    async def acquit(self, link: ClientLink) -> None:
        """Raise if it is the adapter's fault that nothing comes from the device on ``link``.

        A controller that is stuck looks like a device that does not answer. So it is asked for
        something itself, and whether it has sent what it was given. Raises
        :class:`AdapterLost`, :class:`AdapterUnusable`.
        """
        self.check()
        unsent = self.host.unsent(link.connection.handle) if link.is_up else 0
        if unsent:
            raise AdapterUnusable(
                f"the controller has not sent the last {unsent} packets to {link.address}",
                remedy="unplug the adapter and plug it in again",
            )
        command = self.host.send_sync_command(hci.HCI_Read_BD_ADDR_Command())
        await self._command("answer", command)

    async def close(self) -> None:
        """Stop scanning, end all links, let go of the host.

        Trouble of the adapter is logged, not raised; closing twice is harmless.
        """
        if self._closed:
            return
        self._closed = True
        self._listeners.clear()
        try:
            if not self.is_lost:
                await self._adjust_scanning()
                for link in self.links:
                    await link.disconnect()
        except BenchTrouble as trouble:
            logger.warning("while closing the adapter: %s", trouble)
        finally:
            for link in self.links:
                link.adapter_lost("the adapter was closed")
            self.device.remove_listener(Device.EVENT_CONNECTION, self._on_connection)
            self.host.remove_listener("advertising_report", self._on_report)
            self.host.hear_reports(None)
            self.host.remove_listener("flush", self._on_flush)
            self.host.on_att_client_pdu = self.host.on_att_server_pdu = None
            self.host.on_lost = self.host.observe = None

    def tell(self, link: str, what: str, detail: str = "") -> None:
        """Emit a link event."""
        self._on_event(LinkEvent(self._loop.time(), link, what, detail))

    def on_callback_failed(self, failure: CallbackFailure) -> None:
        """Keep the failure for :meth:`take_callback_failures`, log it, put it in the events."""
        self._failures.append(failure)
        self.tell(failure.link, "callback_failed", f"{failure.what}: {failure.error!r}")
        logger.error("a callback raised on %s", failure.what, exc_info=failure.error)

    # Scanning

    async def _adjust_scanning(self) -> None:
        async with self._scan_lock:
            wanted = any(self._listeners.values()) if self._listeners else None
            if wanted == self._scanning:
                return
            if self._scanning is not None:
                self._scanning = None
                await self._command("stop scanning", self.device.stop_scanning())
            if wanted is not None:
                self._gatherer.clear()
                self._fragments.clear()
                self._scanning = wanted
                await self._command(
                    "start scanning",
                    self.device.start_scanning(active=wanted, filter_duplicates=False),
                )

    def _on_report(self, report: _Report) -> None:
        if not self._listeners:
            return
        kind = report.event_type
        data = report.data
        address = report.address.to_string(False)
        if isinstance(report, hci.HCI_LE_Extended_Advertising_Report_Event.Report):
            flags = hci.HCI_LE_Extended_Advertising_Report_Event.EventType
            if report.address.address_type == _ANONYMOUS:
                return
            is_scan_response = bool(kind & flags.SCAN_RESPONSE)
            connectable = bool(kind & flags.CONNECTABLE_ADVERTISING)
            # Long data comes in several reports; bits 5 and 6 tell whether there is more.
            key = (address, report.advertising_sid << 1 | is_scan_response)
            data = self._fragments.pop(key, b"") + data
            if kind >> 5 & 3 == 1:
                self._fragments[key] = data
                return
        else:
            is_scan_response = kind == _SCAN_RSP
            connectable = kind in _CONNECTABLE
        self._see(
            address, report.address.is_random, connectable, is_scan_response, data, report.rssi
        )

    def _on_heard(self, sender: hci.Address, kind: int, data: bytes, rssi: int) -> bool:
        """Take a report that came without HCI, unless it is bumble that scans, for a bond."""
        if not self._listeners or self.device.listeners("advertisement"):
            return False
        known = self._heard.get(sender)
        if known is None:
            known = self._heard[sender] = (sender.to_string(False), sender.is_random)
        address, is_random = known
        self._see(address, is_random, kind in _CONNECTABLE, kind == _SCAN_RSP, data, rssi)
        return True

    def _see(
        self,
        address: str,
        is_random: bool,
        connectable: bool,
        is_scan_response: bool,
        data: bytes,
        rssi: int,
    ) -> None:
        self._address_types[address] = is_random
        sighting = self._gatherer.add(
            address,
            is_random=is_random,
            connectable=connectable,
            is_scan_response=is_scan_response,
            data=data,
            rssi=rssi,
        )
        for listener in tuple(self._listeners):
            try:
                listener(sighting)
            except Exception as error:  # user code: the scan goes on for everybody else
                self.on_callback_failed(CallbackFailure("", f"advertisement of {address}", error))

    # Connecting

    def _address_kinds(self, address: str, address_type: str | None) -> tuple[bool, ...]:
        """Return whether to try ``address`` as random, and then what else to try."""
        if address_type is not None:
            return (address_type == "random",)
        if address in self._address_types:
            return (self._address_types[address],)
        # Vol 6, Part B, 1.3.2: 0b11 is random static and 0b01 resolvable; company identifiers
        # of public addresses begin with anything, but mostly with 0b00.
        is_random = int(address[:2], 16) >> 6 in (0b11, 0b01)
        return (is_random, not is_random)

    async def _establish(self, address: str, is_random: bool, deadline: float) -> ClientLink | None:
        """Return a link with its MTU exchanged, None if the device was not heard in time."""
        failures: list[str] = []
        for attempt in range(1, CONNECTION_TRIES + 1):
            code: int | None
            try:
                link = await self._create(address, is_random, deadline)
                if link is None:
                    return None
                detail = f"{address}, try {attempt} of {CONNECTION_TRIES}"
                self.tell(link.name, "connected", detail)
                try:
                    await link.negotiate_mtu(self.mtu)
                except BaseException:
                    if link.is_up:
                        await link.disconnect()
                    raise
                return link
            except BumbleConnectionError as error:
                code = int(error.error_code or 0)
                if code not in _WORTH_ANOTHER_TRY:
                    raise ConnectionFailed(
                        f"no link with {address}: {link_reason(code)}"
                    ) from error
            except LinkLost as error:
                code = error.reason
                if code not in _WORTH_ANOTHER_TRY:
                    raise
            failures.append(str(link_reason(code)))
            self.tell(
                f"{self._name}{self._connections + 1}",
                "connection_try_failed",
                f"{address}, try {attempt} of {CONNECTION_TRIES}: {failures[-1]}",
            )
        raise ConnectionFailed(
            f"no link with {address} after {CONNECTION_TRIES} tries: " + "; ".join(failures)
        )

    async def _create(self, address: str, is_random: bool, deadline: float) -> ClientLink | None:
        target = hci.Address(
            address,
            hci.Address.RANDOM_DEVICE_ADDRESS if is_random else hci.Address.PUBLIC_DEVICE_ADDRESS,
        )
        # In a task of its own: bumble forgets to cancel at the controller when it is cancelled,
        # and the next attempt is then disallowed.
        task = asyncio.ensure_future(self.device.connect_le(target, timeout=None))
        try:
            await asyncio.wait({task}, timeout=max(0.0, deadline - self._loop.time()))
        finally:
            if not task.done():
                await self._cancel_connecting(task)
        if task.cancelled():
            self.check()
            return None
        error = task.exception()
        if error is None:
            link = self._links.get(task.result().handle)
            if link is not None:
                return link
            ended = self._latest
            if ended is not None and ended.connection is task.result():
                raise ended.error()
            raise LinkLost(
                f"the link to {address} ended as it came up: {link_reason(NOT_ESTABLISHED)}",
                reason=NOT_ESTABLISHED,
            )
        if isinstance(error, TransportLostError):
            self.check()
        if isinstance(error, BumbleConnectionError):
            if error.error_code == hci.HCI_UNKNOWN_CONNECTION_IDENTIFIER_ERROR:
                return None  # what a cancelled attempt ends with
            raise error
        if isinstance(error, ProtocolError):
            reason = link_reason(int(error.error_code or 0))
            raise ConnectionFailed(f"no link with {address}: {reason}") from error
        if isinstance(error, BaseBumbleError):
            raise AdapterUnusable(f"the adapter cannot connect: {error}") from error
        raise error

    async def _cancel_connecting(self, task: "asyncio.Future[Connection]") -> None:
        try:
            async with asyncio.timeout(COMMAND_TIME):
                await self.host.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
                await asyncio.wait({task})
        except (TimeoutError, BaseBumbleError) as error:
            if not self.is_lost:
                raise AdapterUnusable(
                    f"the controller did not cancel a connection attempt: {error!r}",
                    remedy="unplug the adapter and plug it in again",
                ) from error
        finally:
            task.cancel()

    def _on_connection(self, connection: Connection) -> None:
        if connection.role != hci.Role.CENTRAL:
            return
        # At once, not when connect() wakes: the peer may send before that.
        self._connections += 1
        link = ClientLink(self, connection, f"{self._name}{self._connections}")
        self._links[connection.handle] = self._latest = link
        link.on_end(lambda: self._drop(connection.handle, link))

    def _drop(self, handle: int, link: ClientLink) -> None:
        if self._links.get(handle) is link:
            del self._links[handle]

    # The host

    def _on_client_pdu(self, handle: int, pdu: bytes) -> None:
        link = self._links.get(handle)
        if link is not None:
            link.driver.receive(pdu)

    def _on_server_pdu(self, handle: int, pdu: bytes) -> None:
        link = self._links.get(handle)
        if link is not None:
            link.serve(pdu)

    def _observe(self, kind: str, handle: int, sent: bool, pdu: bytes) -> None:
        link = self._links.get(handle)
        if link is None:
            return
        event = AttPdu if kind == "att" else SmpPdu
        direction = Direction.SENT if sent else Direction.RECEIVED
        self._on_event(event(self._time(), link.name, direction, pdu))

    def _noting(self, note: Callable[[Noted], None]) -> Observer:
        """Return an observer for a transcript, which takes PDUs before they are events."""
        links, now = self._links, self._time

        def note_pdu(kind: str, handle: int, sent: bool, pdu: bytes) -> None:
            link = links.get(handle)
            if link is not None:
                note((now(), link.name, (_ATT if kind == "att" else _SMP)[sent], pdu))

        return note_pdu

    def _on_lost(self, why: str) -> None:
        self._lost = self._lost or why
        for link in self.links:
            link.adapter_lost(why)

    def _on_flush(self) -> None:
        # A station that is closed under our feet takes itself off on_lost first.
        if self.host.lost:
            self._on_lost("its station was closed, or the transport has ended")

    async def _command(self, what: str, command: Awaitable[T]) -> T:
        """Await a command of bumble, for a bounded time, with errors of our own."""
        self.check()
        try:
            async with asyncio.timeout(COMMAND_TIME):
                return await command
        except TimeoutError:
            self.check()
            raise AdapterUnusable(
                f"the controller did not {what} within {COMMAND_TIME:g} s",
                remedy="unplug the adapter and plug it in again",
            ) from None
        except BaseBumbleError as error:
            self.check()
            raise AdapterUnusable(f"the adapter cannot {what}: {error}") from error
