"""The initiator of a virtual controller: from Create Connection to the connection."""

import abc
import asyncio
from functools import partial

from bumble import hci

from bletest.link.addresses import (
    AddressedController,
    ErrorCode,
    Status,
    Success,
)
from bletest.link.advertiser import Advertiser
from bletest.link.connection import (
    ConnectionParameters,
    VirtualConnection,
    has_legal_parameters,
)
from bletest.link.privacy import is_private_type


class InitiatingController(AddressedController, abc.ABC):
    """Waits for a connectable advertiser on behalf of its host, and connects to it."""

    le_connections: dict[hci.Address, VirtualConnection]  # type: ignore[assignment]
    # Whether the pending command was the extended one, which finds extended PDUs too.
    _initiates_extended = False

    @property
    @abc.abstractmethod
    def is_short(self) -> bool:
        """Whether the host is ours and may do without HCI packets."""

    @abc.abstractmethod
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
        """Make this end of a connection and tell the host.

        ``own_address`` and ``peer_on_air`` are the addresses on the air, ``is_private`` says
        whether this controller has made the first; ``peer_address`` is as whom the peer is known.
        """

    @abc.abstractmethod
    def _send_connection_failure(self, status: ErrorCode, peer_address: hci.Address) -> None: ...

    def on_hci_le_create_connection_command(
        self, command: hci.HCI_LE_Create_Connection_Command
    ) -> None:
        """Vol 4, Part E, 7.8.12: wait for a connectable advertisement of the peer."""
        self._initiate(command)

    def _initiate(
        self, command: hci.HCI_LE_Create_Connection_Command, opcode: int | None = None
    ) -> None:
        by_list = bool(command.initiator_filter_policy)
        if self.pending_le_connection:
            status = ErrorCode.COMMAND_DISALLOWED_ERROR
        elif not by_list and command.peer_address in self.le_connections:
            status = ErrorCode.CONNECTION_ALREADY_EXISTS_ERROR
        elif not has_legal_parameters(command) or not any(
            bytes(self.own_address(command.own_address_type, command.peer_address))
        ):
            status = ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
        else:
            status = ErrorCode.SUCCESS
            self.pending_le_connection = command
            self._initiates_extended = opcode is not None
            # A peer that may hide behind a private address can be any of them.
            peer = self.resolving_list.find(command.peer_address)
            hidden = self.resolving_list.enabled and peer is not None and any(peer.peer_irk)
            self.link.set_initiating(self, None if by_list or hidden else command.peer_address)
        self._send_hci_command_status(status, opcode or command.op_code)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.13: the LE Connection Complete follows the Command Complete."""
        pending = self.pending_le_connection
        if pending is None:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        self.link.stop_initiating(self)
        asyncio.get_running_loop().call_soon(
            self._send_connection_failure,
            ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            pending.peer_address,
        )
        return Success

    def on_candidate(self, advertiser: Advertiser) -> None:
        """Connect if this is the advertiser that the pending command waits for."""
        pending = self.pending_le_connection
        if not isinstance(pending, hci.HCI_LE_Create_Connection_Command):
            return
        peer = self.known_as(advertiser.address)
        if (
            peer is None
            or not advertiser.is_connectable
            or (advertiser.is_extended and not self._initiates_extended)
        ):
            return
        wanted = (
            peer in self._accept_list
            if pending.initiator_filter_policy
            else pending.peer_address in (peer, advertiser.address)
        )
        own = self.own_address(pending.own_address_type, peer)
        if (
            not wanted
            or (advertiser.is_directed and not self.is_target(advertiser.target_address, own))
            or peer in self.le_connections
            or not advertiser.controller.accepts(advertiser, own)
            or not self.link.hears(
                self, advertiser, interval=pending.le_scan_interval, window=pending.le_scan_window
            )
        ):
            return
        self.pending_le_connection = None
        self.link.stop_initiating(self)
        parameters = self.link.parameters(ConnectionParameters.of(pending))
        make_ours = partial(
            self.new_connection,
            hci.Role.CENTRAL,
            own,
            peer,
            parameters,
            is_private=is_private_type(pending.own_address_type),
            peer_on_air=advertiser.address,
        )
        refuse = advertiser.controller.refuse_connection
        reason = refuse() if refuse is not None else None
        if reason is None and self.link.loses_request(self, advertiser.controller):
            reason = ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
        if reason is not None:
            # The advertiser goes on as if it had not heard the CONNECT_IND. The initiator takes
            # the link for created until six intervals have passed in silence (Vol 6, Part B, 4.5).
            ours = make_ours()
            ours.supervision = asyncio.get_running_loop().call_later(
                6 * ours.interval * 0.00125, self.on_le_disconnected, ours, reason
            )
            return
        advertiser.stop()
        theirs = advertiser.controller.new_connection(
            hci.Role.PERIPHERAL,
            advertiser.address,
            advertiser.controller.known_as(own) or own,
            parameters,
            is_private=advertiser.is_private,
            peer_on_air=own,
        )
        advertiser.on_connected(theirs)
        ours = make_ours()
        ours.peer, theirs.peer = theirs, ours
        self.link.on_connected(ours, theirs)
        ours.is_short = theirs.is_short = self.is_short and advertiser.controller.is_short
