"""One connection of a client: the bumble connection, its ATT driver, and how it ended."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from bumble import hci
from bumble.core import BaseBumbleError
from bumble.device import Connection

from bletest.att.access import LinkSecurity
from bletest.att.codes import ErrorCode, error_text
from bletest.att.database import AttributeTable
from bletest.att.pdu import describe
from bletest.att.procedures import (
    FoundService,
    Refused,
    discover_all,
    exchange_mtu,
    read,
    read_long,
    write,
    write_command,
    write_long,
)
from bletest.att.server import Server
from bletest.att.server_events import MtuExchanged, ServerEvent
from bletest.client.agent import JUST_WORKS, PairingAgent
from bletest.client.driver import EXECUTE_WRITE_CANCEL, AttDriver
from bletest.client.reasons import CLOSED_BY_PEER, link_reason
from bletest.client.work import Work
from bletest.contracts.windows import LinkTiming
from bletest.errors import (
    AdapterLost,
    AdapterUnusable,
    AttributeRefused,
    BletestError,
    LinkLost,
    NoAnswer,
    UsageMistake,
)
from bletest.faults import FaultPlan
from bletest.link.host import AttHost
from bletest.link.pairing_policy import PairingPolicy
from bletest.uuids import EXTENDED_PROPERTIES

DISCOVERY_TIME = 300.0
"""Seconds that a discovery may take, beside the intervals of the link that requests wait for."""

DISCONNECTION_TIME = 5.0
"""Seconds that a controller may take to end a link that it was told to end."""

# A write command is gone when it is queued. Every so many, let others run and the queue drain.
_COMMANDS_IN_A_ROW = 8


@dataclass(frozen=True, slots=True)
class CallbackFailure:
    """A callback of the user raised; whatever it was called for went on."""

    link: str
    what: str
    error: Exception


class LinkOwner(Protocol):
    """What a link needs of its adapter."""

    host: AttHost
    fault_plans: Mapping[str, FaultPlan]

    async def acquit(self, link: "ClientLink") -> None:
        """Raise if it is the adapter's fault that nothing comes from the device."""

    def tell(self, link: str, what: str, detail: str = "") -> None:
        """Emit a link event."""

    def on_callback_failed(self, failure: CallbackFailure) -> None:
        """Note that a callback raised."""


class ClientLink:
    """A link to one device, from the client's side.

    ``name`` is what events call it, ``address`` the device's (upper case, no type),
    ``connection`` bumble's object, ``driver`` the ATT client on it. ``gone`` is a future that is
    done when the link has ended, whatever ended it. ``agent`` answers where a pairing asks for a
    person; ``pairing_policy`` is bumble's view of it in the latest pairing.
    """

    def __init__(self, owner: LinkOwner, connection: Connection, name: str) -> None:
        self.name = name
        self.address: str = connection.peer_address.to_string(False)
        self.connection = connection
        self.agent: PairingAgent = JUST_WORKS
        self.pairing_policy: PairingPolicy | None = None
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.send_att: Callable[[bytes], None] = owner.host.att_sender(connection.handle)
        """Puts a PDU on the air; nothing happens on a link that has ended."""
        self.driver = AttDriver(self, self._loop)
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._end: Callable[[], BletestError] | None = None
        self._closing = False
        self._commands = 0
        self._end_listeners: list[Callable[[], None]] = []
        # A peer may send requests to us too; with an empty table each gets its proper error.
        self._server = Server(AttributeTable(), on_event=self._on_server_event).connect(
            self.address, LinkSecurity()
        )
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        connection.on(Connection.EVENT_CONNECTION_ENCRYPTION_CHANGE, self._on_encryption)
        connection.on(Connection.EVENT_SECURITY_REQUEST, self._on_security_request)

    @property
    def is_up(self) -> bool:
        """Whether the link exists."""
        return self._end is None

    @property
    def is_encrypted(self) -> bool:
        """Whether the link is encrypted now."""
        return self._end is None and self.connection.is_encrypted

    @property
    def mtu(self) -> int:
        """ATT_MTU in octets."""
        return self.driver.bearer.mtu

    @property
    def timing(self) -> LinkTiming:
        """Connection interval and latency as the controllers agreed on them."""
        parameters = self.connection.parameters
        return LinkTiming(
            interval=parameters.connection_interval / 1000,
            latency=parameters.peripheral_latency,
        )

    def error(self) -> BletestError:
        """Return what ended the link: :class:`LinkLost` or :class:`AdapterLost`."""
        if self._end is not None:
            return self._end()
        return LinkLost(f"the link to {self.address} is up")

    def on_end(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called when the link has ended and its waiters have failed."""
        if self._end is None:
            self._end_listeners.append(listener)
        else:
            listener()

    async def negotiate_mtu(self, wanted: int) -> None:
        """Exchange MTU (Vol 3, Part F, 3.4.2); a server that does not know it keeps 23."""
        if wanted <= 23:
            return
        try:
            await self.driver.run(exchange_mtu(wanted))
        except NoAnswer:
            await self._owner.acquit(self)
            raise
        except Refused as refusal:
            if refusal.code != ErrorCode.REQUEST_NOT_SUPPORTED:
                self.tell("mtu", f"{wanted} wanted, refused: {error_text(refusal.code)}")
                return
            self.tell("mtu", f"{wanted} wanted, the device does not negotiate: 23 stays")
            return
        self._server.mtu = self.mtu
        self.tell("mtu", f"{wanted} wanted, {self.mtu} agreed")

    async def read(self, handle: int) -> bytes:
        """Read a whole value, with Read Blob Requests where it is long."""
        try:
            return await self.begin_read(handle)
        except (Refused, BletestError) as trouble:
            raise await self.explain(trouble, handle, "read")  # noqa: B904 - its cause is set

    def begin_read(self, handle: int) -> Work[bytes]:
        """Do what :meth:`read` does without a coroutine; a refusal comes as :class:`Refused`."""
        driver = self.driver
        return driver.start(read_long(handle, mtu=driver.bearer.mtu))

    async def write(self, handle: int, value: bytes) -> None:
        """Write a value, by prepared parts where it is longer than ATT_MTU - 3."""
        try:
            await self.begin_write(handle, value)
        except (Refused, BletestError) as trouble:
            raise await self.explain(trouble, handle, "write")  # noqa: B904 - its cause is set

    def begin_write(self, handle: int, value: bytes) -> Work[None]:
        """Do what :meth:`write` does without a coroutine; a refusal comes as :class:`Refused`."""
        driver = self.driver
        mtu = driver.bearer.mtu
        if len(value) <= mtu - 3:
            return driver.start(write(handle, value))
        long_write = write_long(handle, value, mtu=mtu)
        return driver.start(long_write, cleanup=EXECUTE_WRITE_CANCEL)

    async def command(self, handle: int, value: bytes) -> None:
        """Write without response; :class:`UsageMistake` for more than ATT_MTU - 3 octets."""
        most = self.driver.bearer.mtu - 3
        if len(value) > most:
            raise UsageMistake(
                f"a write without response carries {most} octets on this link, not {len(value)}"
            )
        self.driver.send(write_command(handle, value))
        self._commands += 1
        if self._commands % _COMMANDS_IN_A_ROW == 0:
            await asyncio.sleep(0)
            if self.is_up:
                await self.connection.drain()

    async def discover(self) -> tuple[tuple[FoundService, ...], dict[int, int]]:
        """Return all services, and the extended properties by declaration handle.

        A device that answers each request at the last moment is given up: :class:`NoAnswer`
        after 300 s, and the time that 1000 requests wait for their turn on a slow link.
        """
        timing = self.timing
        most = DISCOVERY_TIME + 1000 * timing.interval * (1 + timing.latency)
        try:
            async with asyncio.timeout(most):
                services = await self.driver.run(discover_all())
                return services, await self._extended_properties(services)
        except TimeoutError:
            raise NoAnswer(f"the discovery had not ended after {most:g} s") from None
        except (Refused, BletestError) as trouble:
            raise await self.explain(trouble, 0, "discover")  # noqa: B904 - its cause is set

    async def _extended_properties(self, services: tuple[FoundService, ...]) -> dict[int, int]:
        extended: dict[int, int] = {}
        for service in services:
            for characteristic in service.characteristics:
                for descriptor in characteristic.descriptors:
                    if descriptor.uuid == EXTENDED_PROPERTIES:
                        with suppress(Refused):
                            octets = await self.driver.run(read(descriptor.handle))
                            extended[characteristic.handle] = int.from_bytes(octets, "little")
        return extended

    async def exchange(self, pdu: bytes, *, within: float) -> bytes | None:
        """Send any octets; return the next response PDU, None after ``within`` seconds."""
        answer = await self.driver.exchange(pdu, within=within)
        if answer is None:
            await self._owner.acquit(self)
        return answer

    async def acquit_adapter(self) -> None:
        """Raise if it is the adapter's fault that nothing comes from the device."""
        await self._owner.acquit(self)

    async def disconnect(self) -> None:
        """End the link and wait until it has ended; harmless where it has already.

        Raises :class:`AdapterUnusable` if the controller does not manage in 5 s.
        """
        if self._end is not None:
            return
        self._closing = True
        try:
            async with asyncio.timeout(DISCONNECTION_TIME):
                await self._owner.host.send_async_command(
                    hci.HCI_Disconnect_Command(
                        connection_handle=self.connection.handle, reason=CLOSED_BY_PEER
                    )
                )
                await asyncio.shield(self.gone)
        except TimeoutError:
            raise AdapterUnusable(
                f"the controller did not end the link to {self.address} within"
                f" {DISCONNECTION_TIME:g} s",
                remedy="unplug the adapter and plug it in again",
            ) from None
        except BaseBumbleError as error:
            if self._end is None:
                raise AdapterUnusable(
                    f"the controller would not end the link to {self.address}: {error}"
                ) from error

    def receive(self, pdu: bytes) -> None:
        """Take a PDU for our client."""
        self.driver.receive(pdu)

    def serve(self, pdu: bytes) -> None:
        """Take a PDU for our server, and answer it."""
        answer = self._server.receive(pdu, self._loop.time())
        if answer is not None:
            self.send_att(answer)

    def confirm(self, value_handle: int, confirmation: bytes) -> None:
        """Confirm an indication, if no fault is planned to prevent that."""
        plan = self._owner.fault_plans.get(self.address)
        if not plan:
            self.send_att(confirmation)
            return
        for delay, pdu in plan.confirm(value_handle, confirmation):
            if delay:
                # What sends is looked up then: the link may have ended.
                self._loop.call_later(delay, lambda late: self.send_att(late), pdu)
            else:
                self.send_att(pdu)

    def adapter_lost(self, why: str) -> None:
        """The adapter is gone, and the link with it."""
        self._finish(lambda: AdapterLost(why), "adapter_lost", why)

    def tell(self, what: str, detail: str = "") -> None:
        """Emit a link event under this link's name."""
        self._owner.tell(self.name, what, detail)

    def on_callback_failed(self, value_handle: int, error: Exception) -> None:
        """Pass on that a notification callback raised."""
        self._owner.on_callback_failed(
            CallbackFailure(self.name, f"notification of handle 0x{value_handle:04X}", error)
        )

    def on_unexpected(self, pdu: bytes, reason: str) -> None:
        """Note a PDU that the specification does not allow here."""
        self.tell("unexpected_pdu", f"{describe(pdu)}: {reason}")

    def on_timeout(self, request: bytes) -> None:
        """Note that the bearer died of a missing response."""
        self.tell("att_timeout", f"no response to {describe(request)} within 30 s")

    async def explain(
        self, trouble: Refused | BletestError, handle: int, operation: str
    ) -> BletestError:
        """Return why an operation failed: the trouble, or the adapter if that is to blame."""
        if isinstance(trouble, NoAnswer):
            try:
                await self._owner.acquit(self)
            except BletestError as other:
                return other
        if isinstance(trouble, Refused):
            return _refused(trouble, handle, operation)
        return trouble

    def _on_disconnection(self, code: int) -> None:
        if self._owner.host.lost:
            self.adapter_lost("the transport to the controller has ended")
            return
        reason = link_reason(code)
        words = "the link was closed on this side" if self._closing else str(reason)
        self._finish(
            lambda: LinkLost(f"the link to {self.address} ended: {words}", reason=code),
            "disconnected",
            words,
        )

    def _finish(self, end: Callable[[], BletestError], what: str, detail: str) -> None:
        if self._end is not None:
            return
        self._end = end
        self.send_att = _send_nothing
        self.tell(what, detail)
        self._server.close()
        self.driver.end(end)
        self.gone.set_result(None)
        for listener in self._end_listeners:
            listener()
        self._end_listeners.clear()

    def _on_encryption(self) -> None:
        if self.connection.is_encrypted:
            size = self.connection.encryption_key_size
            self.tell("encrypted", f"key of {size} octets" if size else "")
        else:
            self.tell("plain", "encryption was switched off")

    def _on_security_request(self, auth_req: int) -> None:
        self.tell("security_request", f"the device asks for security, AuthReq 0x{auth_req:02X}")

    def _on_server_event(self, event: ServerEvent) -> None:
        # ATT_MTU is one for both directions of a bearer (Vol 3, Part F, 3.4.2).
        if isinstance(event, MtuExchanged):
            self.driver.bearer.mtu = event.mtu
            self.tell("mtu", f"{event.mtu} agreed, the device had asked")


def _send_nothing(_pdu: bytes) -> None:
    """What a link that has ended sends."""


def _refused(refusal: Refused, handle: int, operation: str) -> AttributeRefused:
    """Return what a refusal of the server is to those who asked for the operation."""
    error = AttributeRefused(
        code=refusal.code,
        operation=operation,
        attribute=f"handle 0x{handle:04X}",
        meaning=error_text(refusal.code),
    )
    error.__cause__ = refusal
    return error
