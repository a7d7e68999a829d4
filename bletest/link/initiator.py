"""The initiator of a virtual controller: from Create Connection to the connection."""

import abc
import asyncio

from bumble import hci

from bletest.link.addresses import AddressedController, ErrorCode, Status, Success
from bletest.link.advertiser import Advertiser
from bletest.link.connection import VirtualConnection, has_legal_parameters


class InitiatingController(AddressedController, abc.ABC):
    """Waits for a connectable advertiser on behalf of its host, and connects to it."""

    le_connections: dict[hci.Address, VirtualConnection]  # type: ignore[assignment]

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
        parameters: hci.HCI_LE_Create_Connection_Command,
    ) -> VirtualConnection:
        """Make this end of a connection and tell the host."""

    @abc.abstractmethod
    def _send_connection_failure(self, status: ErrorCode, peer_address: hci.Address) -> None: ...

    def on_hci_le_create_connection_command(
        self, command: hci.HCI_LE_Create_Connection_Command
    ) -> None:
        """Vol 4, Part E, 7.8.12: wait for a connectable advertisement of the peer."""
        by_list = bool(command.initiator_filter_policy)
        if self.pending_le_connection:
            status = ErrorCode.COMMAND_DISALLOWED_ERROR
        elif not by_list and command.peer_address in self.le_connections:
            status = ErrorCode.CONNECTION_ALREADY_EXISTS_ERROR
        elif not has_legal_parameters(command) or not any(
            bytes(self.own_address(command.own_address_type))
        ):
            status = ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
        else:
            status = ErrorCode.SUCCESS
            self.pending_le_connection = command
            self.link.set_initiating(self, None if by_list else command.peer_address)
        self._send_hci_command_status(status, command.op_code)

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
        own = self.own_address(pending.own_address_type)
        wanted = (
            advertiser.address in self._accept_list
            if pending.initiator_filter_policy
            else advertiser.address == pending.peer_address
        )
        if (
            not wanted
            or not advertiser.is_connectable
            or (advertiser.is_directed and advertiser.peer_address != own)
            or advertiser.address in self.le_connections
            or not advertiser.controller.accepts(advertiser, own)
        ):
            return
        self.pending_le_connection = None
        self.link.stop_initiating(self)
        refuse = advertiser.controller.refuse_connection
        if refuse is not None and (reason := refuse()) is not None:
            # The advertiser goes on as if it had not heard the CONNECT_IND. The initiator takes
            # the link for created until six intervals have passed in silence (Vol 6, Part B, 4.5).
            ours = self.new_connection(hci.Role.CENTRAL, own, advertiser.address, pending)
            asyncio.get_running_loop().call_later(
                6 * ours.interval * 0.00125, self.on_le_disconnected, ours, reason
            )
            return
        advertiser.stop()
        theirs = advertiser.controller.new_connection(
            hci.Role.PERIPHERAL, advertiser.address, own, pending
        )
        ours = self.new_connection(hci.Role.CENTRAL, own, advertiser.address, pending)
        ours.peer, theirs.peer = theirs, ours
        ours.is_short = theirs.is_short = self.is_short and advertiser.controller.is_short
