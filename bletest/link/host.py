"""A bumble host that hands ATT to our engines before bumble parses it."""

import asyncio
import logging
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

from bumble import core, hci
from bumble.host import Connection, DataPacketQueue
from bumble.transport.common import TransportLostError, TransportSource

from bletest.att.pdu import goes_to_server
from bletest.link.att_frames import ATT_CID, att_frame
from bletest.link.capture import Tap
from bletest.link.connection import VirtualConnection
from bletest.link.controller import VirtualController
from bletest.link.quick_host import QuickHost
from bletest.link.scanner import ReportListener

logger = logging.getLogger(__name__)

SMP_CID = 0x0006
"""The fixed L2CAP channel of the Security Manager on LE."""

_SIGNALLING_OF_BR_EDR = 0x0001

WHOLE_KEY = 16
"""Octets of an encryption key that is not shortened."""

_KEY_COMMANDS = (
    hci.HCI_LE_Enable_Encryption_Command,
    hci.HCI_LE_Long_Term_Key_Request_Reply_Command,
)

AttReceiver = Callable[[int, bytes], None]
"""Takes a connection handle and one ATT PDU."""

Observer = Callable[[str, int, bool, bytes], None]
"""Takes ``"att"`` or ``"smp"``, a connection handle, whether this host sent it, and the PDU."""

Route = Callable[[bytes], None]
"""Takes one L2CAP frame with its header, on the way to or from the air without HCI."""

_TO_SERVER = tuple(goes_to_server(opcode) for opcode in range(256))

# What bumble's parsers of SMP and L2CAP signalling raise for octets they do not expect. Some
# of them index, unpack or look up an enumeration without checking lengths first.
_UNPARSABLE = (
    struct.error,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    core.BaseBumbleError,
)


class _NothingQueued(DataPacketQueue):
    """What flow control sees of a connection whose frames never wait for a controller."""

    async def drain(self, connection_handle: int) -> None:
        """Return at once."""


class _CarrierQueue(_NothingQueued):
    """What flow control sees of a connection whose frames wait for connection events."""

    def __init__(self, connection: VirtualConnection) -> None:
        super().__init__(max_packet_size=0xFFFF, max_in_flight=1, send=lambda _: None)
        self._connection = connection

    async def drain(self, connection_handle: int) -> None:
        """Wait until the controller would take more, or the connection has ended."""
        if self._connection.carrier is not None:
            room = asyncio.get_running_loop().create_future()
            self._connection.carrier.when_there_is_room(
                self._connection, lambda: None if room.done() else room.set_result(None)
            )
            await room


_NOTHING_QUEUED = _NothingQueued(max_packet_size=0xFFFF, max_in_flight=1, send=lambda _: None)


class CommandFailed(hci.HCI_Error):
    """The controller would not carry out a command of ours; no peer has any part in that."""

    def __init__(self, opcode: int, status: int | None) -> None:
        super().__init__(status)  # type: ignore[no-untyped-call]
        self.opcode = opcode


class AttHost(QuickHost):
    """A bumble ``Host`` with ATT routed past bumble's parser.

    ``on_att_server_pdu``
        Takes every ATT PDU that is addressed to a server (requests, commands, confirmations,
        undefined opcodes). None leaves them to bumble's GATT server.
    ``on_att_client_pdu``
        Takes responses, notifications and indications. None leaves them to bumble's client.
    ``observe``
        Sees every ATT and SMP PDU in both directions, before anybody acts on it.
    ``tap``
        Notes every HCI packet in both directions, for capture files.
    ``on_lost``
        Is told in one sentence that the transport to the controller has ended. All connections
        have been reported as disconnected by then; later commands raise
        ``bumble.transport.common.TransportLostError``.
    """

    on_att_server_pdu: AttReceiver | None = None
    on_att_client_pdu: AttReceiver | None = None
    observe: Observer | None = None
    tap: Tap | None = None
    on_lost: Callable[[str], None] | None = None
    lost = False
    last_failure: CommandFailed | None = None

    def __init__(self) -> None:
        super().__init__()
        self._routes: dict[int, Route] = {}
        self._att_routes: dict[int, Route] = {}
        self.observe = None  # it is asked for with every PDU, which takes longer in the class
        self._key_sizes: dict[bytes, int] = {}
        self._keys: dict[int, bytes] = {}

    def set_packet_source(self, source: TransportSource) -> None:
        """Take packets from a controller; one on the virtual air learns that its host is ours."""
        super().set_packet_source(source)
        if isinstance(source, VirtualController):
            source.our_host = self

    def hear_reports(self, listener: ReportListener | None) -> None:
        """Have advertising reports told to ``listener``, where that needs no HCI packets.

        Where it does, they come as bumble's event ``advertising_report``, as always.
        """
        if isinstance(self.hci_sink, VirtualController):
            direct = self.direct_controller()
            self.hci_sink.report_listener = None if direct is None else listener

    def att_sender(self, connection_handle: int) -> Callable[[bytes], None]:
        """Return a function that does what :meth:`send_att` does on one connection."""
        route = self._att_routes.get(connection_handle)
        if route is None:
            return partial(self.send_l2cap_pdu, connection_handle, ATT_CID)

        def send(pdu: bytes) -> None:
            if self.observe is not None:
                self.observe("att", connection_handle, True, pdu)
            route(pdu)

        return send

    def send_att(self, connection_handle: int, pdu: bytes) -> None:
        """Send one ATT PDU, whatever it holds. Nothing is sent on an unknown handle."""
        self.att_sender(connection_handle)(pdu)

    def send_l2cap_pdu(self, connection_handle: int, cid: int, pdu: bytes) -> None:
        """Send one L2CAP frame (basic mode) on a fixed or dynamic channel."""
        if self.observe is not None:
            if cid == ATT_CID:
                self.observe("att", connection_handle, True, pdu)
            elif cid == SMP_CID:
                self.observe("smp", connection_handle, True, pdu)
        route = self._routes.get(connection_handle)
        if route is None:
            super().send_l2cap_pdu(connection_handle, cid, pdu)
        else:
            route(struct.pack("<HH", len(pdu), cid) + pdu)

    def send_acl_sdu(self, connection_handle: int, sdu: bytes) -> None:
        """Send one L2CAP frame that is complete with its header: signalling, CoC."""
        route = self._routes.get(connection_handle)
        if route is not None and len(sdu) >= 4 and sdu[0] | sdu[1] << 8 == len(sdu) - 4:
            route(sdu)
        else:
            # What its header does not fit is for the controllers to make something of.
            super().send_acl_sdu(connection_handle, sdu)

    def get_data_packet_queue(self, connection_handle: int) -> DataPacketQueue | None:
        """Return the queue to the controller; on the short path no packets are in it."""
        if connection_handle in self._routes and isinstance(self.hci_sink, VirtualController):
            connection = self.hci_sink.find_short(connection_handle)
            if connection is None or connection.carrier is None:
                return _NOTHING_QUEUED
            return _CarrierQueue(connection)
        return super().get_data_packet_queue(connection_handle)

    def on_l2cap_pdu(self, connection: Connection, cid: int, pdu: bytes) -> None:
        """Route one L2CAP frame that came from the peer."""
        if cid == ATT_CID:
            if self.observe is not None:
                self.observe("att", connection.handle, False, pdu)
            if not pdu:
                # Without an opcode nobody could answer it, nor say whom it was for.
                logger.warning("dropped an empty ATT PDU on handle 0x%04X", connection.handle)
                return
            receiver = self.on_att_server_pdu if _TO_SERVER[pdu[0]] else self.on_att_client_pdu
            if receiver is not None:
                receiver(connection.handle, pdu)
                return
        elif cid == SMP_CID and self.observe is not None:
            self.observe("smp", connection.handle, False, pdu)
        elif cid == _SIGNALLING_OF_BR_EDR:
            logger.warning("dropped a frame on a channel that LE does not have")
            return
        try:
            super().on_l2cap_pdu(connection, cid, pdu)
        except _UNPARSABLE:
            logger.warning(
                "dropped a PDU on CID 0x%04X that bumble could not take: %s",
                cid,
                pdu.hex(),
                exc_info=True,
            )

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Feed one ACL data packet to its connection."""
        if len(packet.data) < 4 and packet.pb_flag != hci.HCI_ACL_PB_CONTINUATION:
            # bumble reads the L2CAP header from the first fragment without checking it is there.
            logger.warning("dropped an ACL fragment too short for an L2CAP header")
            return
        super().on_hci_acl_data_packet(packet)

    def on_hci_le_connection_complete_event(
        self,
        event: hci.HCI_LE_Connection_Complete_Event
        | hci.HCI_LE_Enhanced_Connection_Complete_Event
        | hci.HCI_LE_Enhanced_Connection_Complete_V2_Event,
    ) -> None:
        """Note a new connection, and take its frames without an L2CAP object for each."""
        handle, short = event.connection_handle, None
        if event.status == hci.HCI_SUCCESS and isinstance(self.hci_sink, VirtualController):
            short = self.hci_sink.find_short(handle)
            if short is not None:
                # First, because whoever hears of the connection may ask for its sender.
                self._open_route(short)
        super().on_hci_le_connection_complete_event(event)
        connection = self.connections.get(handle)
        if event.status == hci.HCI_SUCCESS and connection is not None:
            take_att = self._att_taker(connection)
            take_frame = self._frame_taker(connection, take_att)
            connection.assembler.callback = take_frame
            if short is None:
                return
            if self.tap is None:
                short.take_frame, short.take_att = take_frame, take_att
            else:  # which notes frames
                short.take_frame = self._noting(self.tap, take_frame, handle)

    def _open_route(self, connection: VirtualConnection) -> None:
        link, tap, handle = connection.controller.link, self.tap, connection.handle
        if tap is None:
            self._routes[handle] = partial(link.send_data, connection)
            self._att_routes[handle] = link.att_sender(connection)
            return

        def send_noted(frame: bytes) -> None:
            tap.frame_sent(handle, frame)
            link.send_data(connection, frame)

        self._routes[handle] = send_noted
        self._att_routes[handle] = lambda pdu: send_noted(att_frame(pdu))

    def _noting(self, tap: Tap, take_frame: Route, handle: int) -> Route:
        def take_noted(frame: bytes) -> None:
            tap.frame_received(handle, frame)
            take_frame(frame)

        return take_noted

    def on_hci_disconnection_complete_event(
        self, event: hci.HCI_Disconnection_Complete_Event
    ) -> None:
        """Note that a connection has ended, and its route with it."""
        if event.status == hci.HCI_SUCCESS:
            self._routes.pop(event.connection_handle, None)
            self._att_routes.pop(event.connection_handle, None)
        super().on_hci_disconnection_complete_event(event)

    def _att_taker(self, connection: Connection) -> Route:
        handle = connection.handle

        def take_att(pdu: bytes) -> None:
            # What on_l2cap_pdu would do with most of them, in one step.
            if pdu:
                receiver = self.on_att_server_pdu if _TO_SERVER[pdu[0]] else self.on_att_client_pdu
                if receiver is not None:
                    if self.observe is not None:
                        self.observe("att", handle, False, pdu)
                    receiver(handle, pdu)
                    return
            self.on_l2cap_pdu(connection, ATT_CID, pdu)

        return take_att

    def _frame_taker(self, connection: Connection, take_att: Route) -> Route:
        def take_frame(frame: bytes) -> None:
            if frame[2] == ATT_CID and frame[3] == 0:
                take_att(frame[4:])
            else:
                self.on_l2cap_pdu(connection, frame[2] | frame[3] << 8, frame[4:])

        return take_frame

    # Security

    def remember_key_size(self, key: bytes, octets: int) -> None:
        """Note how many octets a link key has that was filled up to 16 (Vol 3, Part H, 2.3.4)."""
        self._key_sizes[key] = octets

    def on_hci_encryption_change_event(self, event: hci.HCI_Encryption_Change_Event) -> None:
        """Tell that a link is encrypted, and with how long a key, which no controller knows."""
        if event.status == hci.HCI_SUCCESS:
            self._tell_encryption(event)
        else:
            super().on_hci_encryption_change_event(event)

    def on_hci_encryption_change_v2_event(self, event: hci.HCI_Encryption_Change_V2_Event) -> None:
        """Tell that a link is encrypted, as the older event does."""
        if event.status == hci.HCI_SUCCESS:
            self._tell_encryption(event)
        else:
            super().on_hci_encryption_change_v2_event(event)

    def _tell_encryption(
        self, event: hci.HCI_Encryption_Change_Event | hci.HCI_Encryption_Change_V2_Event
    ) -> None:
        key = self._keys.get(event.connection_handle, b"")
        size = self._key_sizes.get(key, WHOLE_KEY) if event.encryption_enabled else 0
        self.emit(
            "connection_encryption_change", event.connection_handle, event.encryption_enabled, size
        )

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Send a packet to the controller; raises ``TransportLostError`` if it is gone."""
        if self.lost:
            if isinstance(packet, hci.HCI_Command):
                raise TransportLostError("the transport to the controller has ended")
            return
        if self.tap is not None:
            self.tap.sent(bytes(packet))
        if isinstance(packet, _KEY_COMMANDS):
            self._keys[packet.connection_handle] = packet.long_term_key
        super().send_hci_packet(packet)

    def on_packet(self, packet: bytes) -> None:
        """Take one H4 packet from the controller."""
        if self.tap is not None:
            self.tap.received(packet)
        super().on_packet(packet)

    async def send_sync_command_raw(
        self, command: Any, response_timeout: float | None = None
    ) -> Any:
        """Send a command that ends with Command Complete; raises :class:`CommandFailed`."""
        response = await self._send_command(command, response_timeout)
        if isinstance(response, hci.HCI_Command_Status_Event):
            # An error may come that way too (Vol 4, Part E, 4.4); bumble asserts that none does.
            raise self._failed(command, response.status)
        return response

    async def send_sync_command(self, command: Any, response_timeout: float | None = None) -> Any:
        """Send it and check its status; raises :class:`CommandFailed`."""
        try:
            return await super().send_sync_command(command, response_timeout)
        except CommandFailed:
            raise
        except hci.HCI_Error as error:
            raise self._failed(command, error.error_code) from error

    async def send_async_command(
        self,
        command: hci.HCI_AsyncCommand,
        check_status: bool = True,
        response_timeout: float | None = None,
    ) -> hci.HCI_ErrorCode:
        """Send a command whose result comes in an event; raises :class:`CommandFailed`."""
        try:
            return await super().send_async_command(command, check_status, response_timeout)
        except hci.HCI_Error as error:
            raise self._failed(command, error.error_code) from error

    def _failed(self, command: hci.HCI_Command, status: int | None) -> CommandFailed:
        failure = CommandFailed(command.op_code, status)
        self.last_failure = failure
        return failure

    def unsent(self, connection_handle: int) -> int:
        """Return how many data packets of a connection the controller has not sent yet."""
        queue = self.get_data_packet_queue(connection_handle)
        state = queue._connection_state.get(connection_handle) if queue is not None else None
        return state.in_flight if state is not None else 0

    def forget_connections(self) -> None:
        """Know of no connection any more, and tell nobody: the transport or the power is gone."""
        self.emit("flush")
        if self.le_acl_packet_queue is not None:
            for handle in self.connections:
                self.le_acl_packet_queue.flush(handle)
        self.connections.clear()
        self._routes.clear()
        self._att_routes.clear()

    def on_transport_lost(self) -> None:
        """End everything that waits for the controller, and say so once."""
        if self.lost:
            return
        self.lost = True
        if self.pending_response is not None and not self.pending_response.done():
            self.pending_response.set_exception(
                TransportLostError("the transport to the controller has ended")
            )
        self.forget_connections()
        if self.on_lost is not None:
            self.on_lost("the transport to the controller has ended")
