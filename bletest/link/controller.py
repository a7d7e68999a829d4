"""A controller on the virtual air: bumble's, with what real controllers do and it does not."""

import asyncio
import logging
import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport
from bumble.transport.common import TransportSink

from bletest.link.addresses import ErrorCode, Status, Success
from bletest.link.advertiser import Advertiser, AdvertisingType
from bletest.link.connection import (
    ConnectionParameters,
    VirtualConnection,
    has_legal_parameters,
)
from bletest.link.data_path import DataPath
from bletest.link.initiator import InitiatingController
from bletest.link.negotiation import NEGOTIATION, NegotiatingController
from bletest.link.queries import QueriedController
from bletest.link.scanner import ScanningController

if TYPE_CHECKING:
    from bletest.link.host import AttHost
    from bletest.link.virtual import VirtualLink

logger = logging.getLogger(__name__)

_COMMAND = bytes((hci.HCI_COMMAND_PACKET,))
_ACL_DATA = bytes((hci.HCI_ACL_DATA_PACKET,))

# Answered although 6.27 has no bit for them, or though hosts send them without asking.
_ANSWERED_UNASKED = frozenset(
    {
        hci.HCI_READ_LOCAL_SUPPORTED_COMMANDS_COMMAND,
        hci.HCI_READ_LOCAL_EXTENDED_FEATURES_COMMAND,
        hci.HCI_READ_LE_HOST_SUPPORT_COMMAND,
        hci.HCI_WRITE_LE_HOST_SUPPORT_COMMAND,
        hci.HCI_WRITE_LOCAL_NAME_COMMAND,
        hci.HCI_READ_LOCAL_NAME_COMMAND,
    }
)


class VirtualController(
    ScanningController, InitiatingController, QueriedController, NegotiatingController
):
    """A Bluetooth LE controller with legacy advertising, made by ``VirtualLink``.

    It does not offer extended advertising, so that every host stack takes the path of the basic
    commands. It resolves private addresses for hosts that ask, without offering LL privacy.
    :class:`~bletest.link.extended.ExtendedController` offers both.
    """

    le_legacy_advertiser: Advertiser
    answered_commands: ClassVar[frozenset[int]]
    """Opcodes of the commands that it carries out."""

    le_features = (
        hci.LeFeatureMask.LE_ENCRYPTION
        | hci.LeFeatureMask.PERIPHERAL_INITIATED_FEATURE_EXCHANGE
        | hci.LeFeatureMask.LE_DATA_PACKET_LENGTH_EXTENSION
        | hci.LeFeatureMask.LE_2M_PHY
        | hci.LeFeatureMask.LE_CODED_PHY
    )
    # One L2CAP frame of the usual ATT_MTU (247) fits into one packet of this length.
    acl_data_packet_length = 251
    le_acl_data_packet_length = 251
    supported_max_tx_octets = 251
    supported_max_tx_time = 17040  # 251 octets on LE Coded
    supported_max_rx_octets = 251
    supported_max_rx_time = 17040

    def __init__(self, name: str, link: "VirtualLink", public_address: hci.Address) -> None:
        # Asked when a central wants to connect: a reason to refuse it with, or None.
        self.refuse_connection: Callable[[], int | None] | None = None
        self.our_host: AttHost | None = None
        super().__init__(name, link, public_address)
        self.le_legacy_advertiser = Advertiser(self)

    def fall_silent(self) -> None:
        """Stop everything on the air at once, saying nothing to host or peers."""
        self.le_legacy_advertiser.stop()
        self.link.set_scanning(self, False)
        self.link.stop_initiating(self)
        self.le_scan_enable = False
        self.pending_le_connection = None
        for connection in tuple(self.le_connections.values()):
            self._forget(connection)
            if (peer := connection.peer) is not None:
                connection.peer = None
                peer.controller.on_peer_vanished(peer)

    # Between host and controller.

    def on_packet(self, packet: bytes) -> None:
        """Take one H4 packet from the host. Nothing that a host sends raises."""
        is_command = packet[:1] == _COMMAND and len(packet) >= 4
        opcode = packet[1] | packet[2] << 8 if is_command else 0
        if is_command and opcode not in self.answered_commands:
            self._send_hci_command_status(ErrorCode.UNKNOWN_HCI_COMMAND_ERROR, opcode)
            return
        try:
            if is_command:
                self.on_hci_command_packet(hci.HCI_Command.from_bytes(packet))
            elif packet[:1] == _ACL_DATA:
                self.on_hci_acl_data_packet(hci.HCI_AclDataPacket.from_bytes(packet))
            else:
                logger.warning("[%s] dropped a packet that no host sends", self.name)
        except Exception:
            # Any octets may come through an HCI port, and bumble's parsers and handlers raise
            # all kinds of exceptions for them. A real controller survives its host.
            traceback = logger.isEnabledFor(logging.DEBUG)
            logger.warning("[%s] cannot take %s", self.name, packet.hex(), exc_info=traceback)
            if is_command:
                self._send_hci_command_status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR, opcode)

    def answer(self, command: hci.HCI_Command) -> hci.HCI_ReturnParameters | None:
        """Carry out a command that makes no event but its Command Complete.

        Return what that says; None where it is not a command that this controller knows and
        takes: send it as a packet.
        """
        if command.op_code not in self.answered_commands:
            return None
        try:
            result: hci.HCI_ReturnParameters = getattr(self, f"on_{command.name.lower()}")(command)
        except Exception:  # as in on_packet, which then tells of it
            return None
        return result

    def set_packet_sink(self, sink: TransportSink | None) -> None:
        """Take another host, or none; one of ours says so by :attr:`our_host` afterwards."""
        self.our_host = self.report_listener = None
        for connection in self.le_connections.values():
            connection.leave_short_path()
        super().set_packet_sink(sink)

    # Advertising.

    def on_directed_advertising_timeout(self, peer_address: hci.Address) -> None:
        """Tell the host that high duty cycle directed advertising found nobody."""
        self._send_connection_failure(ErrorCode.ADVERTISING_TIMEOUT_ERROR, peer_address)

    def on_hci_le_set_advertising_parameters_command(
        self, command: hci.HCI_LE_Set_Advertising_Parameters_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.5: 20 ms to 10.24 s, and not while advertising."""
        if self.le_legacy_advertiser.enabled:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        # High duty cycle directed advertising has its own interval and ignores these.
        if command.advertising_type != AdvertisingType.ADV_DIRECT_IND and not (
            0x0020 <= command.advertising_interval_min <= command.advertising_interval_max <= 0x4000
        ):
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        return super().on_hci_le_set_advertising_parameters_command(command)

    def on_hci_le_set_advertising_enable_command(
        self, command: hci.HCI_LE_Set_Advertising_Enable_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.9: refused while the address to advertise with is not set."""
        advertiser = self.le_legacy_advertiser
        if command.advertising_enable and not any(bytes(advertiser.own_address())):
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        return super().on_hci_le_set_advertising_enable_command(command)

    # Connections.

    def accepts(self, advertiser: Advertiser, initiator: hci.Address) -> bool:
        """Whether a CONNECT_IND of ``initiator`` is answered (Vol 6, Part B, 4.3.2)."""
        # Bit 1 of the policy: connection requests only from the filter accept list.
        peer = self.known_as(initiator)
        filtered = advertiser.advertising_filter_policy & 2 and peer not in self._accept_list
        return not filtered and peer is not None and peer not in self.le_connections

    def answers_scan(self, advertiser: Advertiser, scanner: hci.Address) -> bool:
        """Whether a SCAN_REQ of ``scanner`` is answered (Vol 6, Part B, 4.3.2)."""
        # Bit 0 of the policy: scan requests only from the filter accept list.
        if not advertiser.advertising_filter_policy & 1:
            return True
        return self.known_as(scanner) in self._accept_list

    def new_connection(
        self,
        role: hci.Role,
        own_address: hci.Address,
        peer_address: hci.Address,
        parameters: ConnectionParameters,
        *,
        is_private: bool,
        peer_on_air: hci.Address,
    ) -> VirtualConnection:
        """Make this end of a connection and tell the host (Vol 4, Part E, 7.7.65.1)."""
        connection = VirtualConnection(
            controller=self,
            handle=self.allocate_connection_handle(),
            role=role,
            self_address=own_address,
            peer_address=peer_address,
            link=self.link,
            transport=PhysicalTransport.LE,
            link_type=hci.HCI_Connection_Complete_Event.LinkType.ACL,
            interval=parameters.interval,
            latency=parameters.latency,
            timeout=parameters.timeout,
            private_address=own_address if is_private and own_address.is_resolvable else None,
            private_peer_address=peer_on_air if peer_address.is_resolved else None,
        )
        self.le_connections[peer_address] = connection
        self._send_connection_complete(ErrorCode.SUCCESS, peer_address, connection)
        return connection

    def _send_connection_failure(self, status: ErrorCode, peer_address: hci.Address) -> None:
        self._send_connection_complete(status, peer_address, None)

    def _send_connection_complete(
        self, status: ErrorCode, peer_address: hci.Address, connection: VirtualConnection | None
    ) -> None:
        enhanced = self.wants_le_event(hci.HCI_LE_ENHANCED_CONNECTION_COMPLETE_EVENT)
        kind = peer_address.address_type
        event = struct.pack(
            "<BBHBB6s",
            hci.HCI_LE_ENHANCED_CONNECTION_COMPLETE_EVENT
            if enhanced
            else hci.HCI_LE_CONNECTION_COMPLETE_EVENT,
            status,
            connection.handle if connection else 0,
            connection.role if connection else hci.Role.CENTRAL,
            # Only the enhanced event tells identity addresses from others.
            kind if enhanced else kind & 1,
            bytes(peer_address),
        )
        if enhanced:
            for private in (
                connection.private_address if connection else None,
                connection.private_peer_address if connection else None,
            ):
                event += bytes(private) if private is not None else bytes(6)
        event += struct.pack(
            "<HHHB",
            connection.interval if connection else 0,
            connection.latency if connection else 0,
            connection.timeout if connection else 0,
            0,
        )
        self._to_host(bytes((hci.HCI_EVENT_PACKET, hci.HCI_LE_META_EVENT, len(event))) + event)

    def on_data(self, connection: VirtualConnection, pdu: bytes) -> None:
        """Hand one L2CAP frame from the peer to the host, in packets of the usual length."""
        if not connection.is_up:
            return
        if connection.take_frame is not None and not self.news:
            connection.take_frame(pdu)
            return
        size = self.le_acl_data_packet_length
        # Packet boundary flag 0b10 starts a frame, 0b01 continues it (Vol 4, Part E, 5.4.2).
        first = pdu[:size]
        self._to_host(struct.pack("<BHH", 2, connection.handle | 0x2000, len(first)) + first)
        for offset in range(size, len(pdu), size):
            part = pdu[offset : offset + size]
            self._to_host(struct.pack("<BHH", 2, connection.handle | 0x1000, len(part)) + part)

    def on_control(self, connection: VirtualConnection, pdu: ll.ControlPdu) -> None:
        """Act on one link-layer control PDU from the peer."""
        if not connection.is_up:
            return
        if isinstance(pdu, ll.ConnectionUpdateInd):
            connection.at_instant(partial(self._on_update, connection, pdu))
        elif isinstance(pdu, NEGOTIATION):
            self.on_negotiation(connection, pdu)
        else:
            super().on_ll_control_pdu(connection.peer_address, pdu)

    def _on_update(self, connection: VirtualConnection, pdu: ll.ConnectionUpdateInd) -> None:
        """Take over new parameters at their instant; both hosts are told the same."""
        if connection.carrier is not None:
            ends = connection.carrier.update(connection, pdu)
        else:
            connection.update(pdu)
            ends = (connection,)
        for end in ends:
            if end.is_up:
                end.controller.tell_parameters(end)

    def tell_parameters(self, connection: VirtualConnection) -> None:
        """Tell the host that new parameters have taken effect (Vol 4, Part E, 7.7.65.3)."""
        self.send_hci_packet(
            hci.HCI_LE_Connection_Update_Complete_Event(
                status=ErrorCode.SUCCESS,
                connection_handle=connection.handle,
                connection_interval=connection.interval,
                peripheral_latency=connection.latency,
                supervision_timeout=connection.timeout,
            )
        )

    def on_peer_vanished(self, connection: VirtualConnection) -> None:
        """The other end is silent from now on: the supervision timeout runs."""
        connection.peer = None
        if connection.carrier is not None:
            return  # which knows when the last packet came, and waits from there
        connection.supervision = asyncio.get_running_loop().call_later(
            connection.timeout * 0.01,
            self.on_le_disconnected,
            connection,
            ErrorCode.CONNECTION_TIMEOUT_ERROR,
        )

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """End a connection and tell the host why."""
        if isinstance(connection, VirtualConnection) and connection.is_up:
            self._forget(connection)
            self.send_hci_packet(
                hci.HCI_Disconnection_Complete_Event(
                    status=ErrorCode.SUCCESS, connection_handle=connection.handle, reason=reason
                )
            )

    def _forget(self, connection: VirtualConnection) -> None:
        # What is on its way to it belongs to nobody from now on, even if the same two addresses
        # connect again.
        connection.is_up = False
        connection.leave_short_path()
        del self.le_connections[connection.peer_address]
        if connection.supervision is not None:
            connection.supervision.cancel()
            connection.supervision = None
        if connection.carrier is not None:
            connection.carrier.on_gone(connection)

    def on_hci_disconnect_command(self, command: hci.HCI_Disconnect_Command) -> None:
        """Vol 4, Part E, 7.1.6: the peer gets the reason, this host 0x16."""
        connection = self._find(command.connection_handle)
        if connection is None:
            status = ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
            self._send_hci_command_status(status, command.op_code)
            return
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        if connection.carrier is not None:
            connection.carrier.terminate(connection, command.reason)
            return
        connection.send_ll_control_pdu(ll.TerminateInd(command.reason))
        self.on_le_disconnected(connection, ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)

    def on_hci_le_connection_update_command(
        self, command: hci.HCI_LE_Connection_Update_Command
    ) -> None:
        """Vol 4, Part E, 7.8.18."""
        connection = self._find(command.connection_handle)
        if not has_legal_parameters(command):
            status = ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
            self._send_hci_command_status(status, command.op_code)
        elif connection is not None and connection.carrier is not None:
            self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
            update = ll.ConnectionUpdateInd(
                command.connection_interval_max, command.max_latency, command.supervision_timeout
            )
            self.link.send_control(connection, update)
        else:
            super().on_hci_le_connection_update_command(command)

    def on_le_long_term_key_reply(
        self, connection: Connection, request: ll.EncReq, long_term_key: bytes | None
    ) -> None:
        """Go on with encryption, unless the connection has ended meanwhile."""
        if isinstance(connection, VirtualConnection) and connection.is_up:
            super().on_le_long_term_key_reply(connection, request, long_term_key)

    @property
    def is_short(self) -> bool:
        """Whether the host is ours and may do without HCI packets."""
        return self.our_host is not None and self.link.path is DataPath.SHORT

    def find_short(self, handle: int) -> VirtualConnection | None:
        """Return a connection whose frames need no HCI at either end, None for any other."""
        connection = self._find(handle)
        return connection if connection is not None and connection.is_short else None

    def _find(self, handle: int) -> VirtualConnection | None:
        for connection in self.le_connections.values():
            if connection.handle == handle:
                return connection
        return None

    # Commands that bumble's controller lists but does not have, or answers wrongly.

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> Status:
        """Vol 4, Part E, 7.3.2: links end without a word, every setting is as when new."""
        self.fall_silent()
        self.le_legacy_advertiser = Advertiser(self)
        self._accept_list.clear()
        self.forget_reports()
        self.resolving_list.reset()
        self.le_scan_type = 0
        self.le_scanning_filter_policy = 0
        self.random_address = hci.Address.ANY_RANDOM
        self.set_default_event_masks()
        return Success

    def on_hci_read_rssi_command(
        self, command: hci.HCI_Read_RSSI_Command
    ) -> hci.HCI_Read_RSSI_ReturnParameters:
        """Vol 4, Part E, 7.5.4: dBm, 127 if it cannot be known."""
        connection = self._find(command.handle)
        if connection is None:
            status, rssi = ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, 127
        elif connection.peer is None:
            status, rssi = ErrorCode.SUCCESS, 127
        else:
            status, rssi = ErrorCode.SUCCESS, self.link.rssi(connection.peer.controller, self)
        return hci.HCI_Read_RSSI_ReturnParameters(status=status, handle=command.handle, rssi=rssi)

    def on_hci_read_remote_version_information_command(
        self, command: hci.HCI_Read_Remote_Version_Information_Command
    ) -> None:
        """Vol 4, Part E, 7.1.23."""
        connection = self._find(command.connection_handle)
        if connection is None:
            status = ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
            self._send_hci_command_status(status, command.op_code)
            return
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        self.send_hci_packet(
            hci.HCI_Read_Remote_Version_Information_Complete_Event(
                status=ErrorCode.SUCCESS,
                connection_handle=connection.handle,
                version=self.lmp_version,
                manufacturer_name=self.manufacturer_company_identifier,
                subversion=self.lmp_subversion,
            )
        )

    def on_hci_le_rand_command(
        self, _command: hci.HCI_LE_Rand_Command
    ) -> hci.HCI_LE_Rand_ReturnParameters:
        """Vol 4, Part E, 7.8.23, from the seed of the air."""
        return hci.HCI_LE_Rand_ReturnParameters(
            status=ErrorCode.SUCCESS, random_number=self._rng.randbytes(8)
        )


def _has_handler(opcode: int) -> bool:
    name = hci.HCI_Command.command_name(opcode).lower()
    return hasattr(VirtualController, f"on_{name}")


# bumble lists commands that it does not answer. A host that believes the list would wait for ever.
VirtualController.supported_commands = {
    *filter(_has_handler, Controller.supported_commands),
    hci.HCI_READ_ENCRYPTION_KEY_SIZE_COMMAND,
}

ANSWERED_COMMANDS = frozenset(VirtualController.supported_commands | _ANSWERED_UNASKED)
"""Opcodes of the commands that a virtual controller carries out."""

VirtualController.answered_commands = ANSWERED_COMMANDS
