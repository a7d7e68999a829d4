"""What every part of a virtual controller builds on: its host, its addresses, whom it knows."""

import asyncio
import random
import struct
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from bumble import hci
from bumble.controller import Controller
from bumble.transport.common import TransportSink

from bletest.link.event_masks import (
    DEFAULT_EVENT_MASK,
    DEFAULT_EVENT_MASK_PAGE_2,
    DEFAULT_LE_EVENT_MASK,
    is_masked,
)
from bletest.link.privacy import KnownPeer, ResolvingList, is_private_type

if TYPE_CHECKING:
    from bletest.link.virtual import VirtualLink

Status = hci.HCI_StatusReturnParameters
ErrorCode = hci.HCI_ErrorCode
Success = Status(ErrorCode.SUCCESS)


class AddressedController(Controller):
    """bumble's controller with true addresses, a filter accept list and a resolving list."""

    link: "VirtualLink"

    def __init__(self, name: str, link: "VirtualLink", public_address: hci.Address) -> None:
        # Packets on their way to the host: whoever comes while there are any stands behind them.
        self.news = 0
        self._accept_list: dict[hci.Address, None] = {}
        self.resolving_list = ResolvingList(f"{link.seed}/{name}/private addresses")
        super().__init__(name, link=link, public_address=public_address)
        self.set_default_event_masks()

    def set_default_event_masks(self) -> None:
        """Send the events that a host gets before it has said which it wants."""
        self.event_mask, self.event_mask_page_2 = DEFAULT_EVENT_MASK, DEFAULT_EVENT_MASK_PAGE_2
        self.le_event_mask = DEFAULT_LE_EVENT_MASK

    @cached_property
    def _rng(self) -> random.Random:
        # Made when it is asked for: few controllers ever are, and it takes 2.5 kB.
        return random.Random(f"{self.link.seed}/{self.name}/controller")

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Send an event or data to the host, in a later turn of the loop."""
        self._to_host(bytes(packet))

    def _to_host(self, packet: bytes) -> None:
        if self.hci_sink is not None and not (
            packet[0] == hci.HCI_EVENT_PACKET
            and is_masked(packet, self.event_mask, self.event_mask_page_2, self.le_event_mask)
        ):
            self.news += 1
            asyncio.get_running_loop().call_soon(_deliver, self, self.hci_sink, packet)

    def send_command_complete(self, opcode: int, return_parameters: bytes) -> None:
        """Answer a command; for those of which bumble does not know the return parameters."""
        parameters = struct.pack("<BH", 1, opcode) + return_parameters
        self._to_host(bytes((hci.HCI_EVENT_PACKET, 0x0E, len(parameters))) + parameters)

    def wants_le_event(self, subevent: int) -> bool:
        """Whether the host has asked for an LE event (Vol 4, Part E, 7.8.1)."""
        return bool(self.le_event_mask >> (subevent - 1) & 1)

    # Addresses.

    def own_address(
        self, own_address_type: int, peer_address: hci.Address = hci.Address.ANY
    ) -> hci.Address:
        """Return the address that an ``Own_Address_Type`` of HCI stands for.

        ``peer_address`` is the identity address of the peer that it is for, where the type asks
        for a resolvable one.
        """
        if is_private_type(own_address_type):
            now = asyncio.get_running_loop().time()
            private = self.resolving_list.own_address_for(peer_address, now)
            if private is not None:
                return private
        if own_address_type in (hci.OwnAddressType.PUBLIC, hci.OwnAddressType.RESOLVABLE_OR_PUBLIC):
            return self.public_address
        return self.random_address

    def has_address(self, own_address_type: int) -> bool:
        """Whether an ``Own_Address_Type`` stands for an address that the host has set."""
        is_public = own_address_type in (
            hci.OwnAddressType.PUBLIC,
            hci.OwnAddressType.RESOLVABLE_OR_PUBLIC,
        )
        return is_public or any(bytes(self.random_address))

    def known_as(self, address: hci.Address) -> hci.Address | None:
        """Return as whom the sender of a PDU is known: its identity address if that is found.

        None where the sender must be ignored: it is a device whose key is known, and it goes by
        its identity address in network privacy mode (Vol 6, Part B, 6.2.1 and 6.4).
        """
        if not self.resolving_list.enabled:
            return address
        if (peer := self.resolving_list.resolve(address)) is not None:
            return hci.Address(
                bytes(peer.identity),
                hci.Address.PUBLIC_IDENTITY_ADDRESS
                if peer.identity.is_public
                else hci.Address.RANDOM_IDENTITY_ADDRESS,
            )
        peer = self.resolving_list.find(address)
        if peer is not None and peer.network_privacy and any(peer.peer_irk):
            return None
        return address

    def is_target(self, target: hci.Address, own_address: hci.Address) -> bool:
        """Whether a directed PDU is for this device, which goes by ``own_address``."""
        if target == own_address:
            return True
        return self.resolving_list.enabled and self.resolving_list.is_own(target)

    @property
    def is_busy_on_air(self) -> bool:
        """Whether it advertises, scans or initiates: then its addresses are in use."""
        return self.is_advertising or self.le_scan_enable or self.pending_le_connection is not None

    # Commands.

    def on_hci_le_set_random_address_command(
        self, command: hci.HCI_LE_Set_Random_Address_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.4: not while the address is in use."""
        if self.le_legacy_advertiser.enabled or self.le_scan_enable or self.pending_le_connection:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        return super().on_hci_le_set_random_address_command(command)

    def on_hci_le_clear_filter_accept_list_command(
        self, _command: hci.HCI_LE_Clear_Filter_Accept_List_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.15."""
        self._accept_list.clear()
        return Success

    def on_hci_le_add_device_to_filter_accept_list_command(
        self, command: hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.16."""
        if len(self._accept_list) >= self.filter_accept_list_size:
            return Status(ErrorCode.MEMORY_CAPACITY_EXCEEDED_ERROR)
        self._accept_list[command.address] = None
        return Success

    def on_hci_le_remove_device_from_filter_accept_list_command(
        self, command: hci.HCI_LE_Remove_Device_From_Filter_Accept_List_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.17."""
        self._accept_list.pop(command.address, None)
        return Success

    # The resolving list. Where it is in use, nothing may change it.

    @property
    def _is_resolving(self) -> bool:
        return self.resolving_list.enabled and self.is_busy_on_air

    def on_hci_le_add_device_to_resolving_list_command(
        self, command: hci.HCI_LE_Add_Device_To_Resolving_List_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.38."""
        identity = command.peer_identity_address
        if self._is_resolving:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        if self.resolving_list.find(identity) is not None:
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        if len(self.resolving_list) >= self.resolving_list_size:
            return Status(ErrorCode.MEMORY_CAPACITY_EXCEEDED_ERROR)
        peer = KnownPeer(identity, bytes(command.peer_irk), bytes(command.local_irk))
        self.resolving_list.add(peer)
        return Success

    def on_hci_le_remove_device_from_resolving_list_command(self, command: hci.HCI_Command) -> None:
        """Vol 4, Part E, 7.8.39. bumble has no class for it."""
        identity = hci.Address(command.parameters[1:7], hci.AddressType(command.parameters[0]))
        if self._is_resolving:
            status = ErrorCode.COMMAND_DISALLOWED_ERROR
        elif self.resolving_list.find(identity) is None:
            status = ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
        else:
            status = ErrorCode.SUCCESS
            self.resolving_list.remove(identity)
        self.send_command_complete(command.op_code, bytes((status,)))

    def on_hci_le_clear_resolving_list_command(
        self, _command: hci.HCI_LE_Clear_Resolving_List_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.40."""
        if self._is_resolving:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.resolving_list.clear()
        return Success

    def on_hci_le_read_peer_resolvable_address_command(self, command: hci.HCI_Command) -> None:
        """Vol 4, Part E, 7.8.42: the private address of a peer, were it to use one now."""
        self._send_private_address(command, self.resolving_list.address_of)

    def on_hci_le_read_local_resolvable_address_command(self, command: hci.HCI_Command) -> None:
        """Vol 4, Part E, 7.8.43: the own private address towards a peer."""
        self._send_private_address(command, self.resolving_list.own_address_for)

    def _send_private_address(
        self,
        command: hci.HCI_Command,
        find: Callable[[hci.Address, float], hci.Address | None],
    ) -> None:
        identity = hci.Address(command.parameters[1:7], hci.AddressType(command.parameters[0]))
        address = find(identity, asyncio.get_running_loop().time())
        if address is None:
            status = ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
            self.send_command_complete(command.op_code, bytes((status, *bytes(6))))
        else:
            self.send_command_complete(command.op_code, b"\x00" + bytes(address))

    def on_hci_le_set_address_resolution_enable_command(
        self, command: hci.HCI_LE_Set_Address_Resolution_Enable_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.44."""
        if self.is_busy_on_air:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        if command.address_resolution_enable > 1:
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        self.resolving_list.enabled = bool(command.address_resolution_enable)
        return Success

    def on_hci_le_set_resolvable_private_address_timeout_command(
        self, command: hci.HCI_LE_Set_Resolvable_Private_Address_Timeout_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.45: 1 s to 1 h."""
        if not 0x0001 <= command.rpa_timeout <= 0x0E10:
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        self.resolving_list.timeout = float(command.rpa_timeout)
        return Success

    def on_hci_le_set_privacy_mode_command(
        self, command: hci.HCI_LE_Set_Privacy_Mode_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.77."""
        if self._is_resolving:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        peer = self.resolving_list.find(command.peer_identity_address)
        if peer is None:
            return Status(ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR)
        peer.network_privacy = command.privacy_mode == 0
        return Success


def _deliver(controller: AddressedController, sink: TransportSink, packet: bytes) -> None:
    controller.news -= 1
    # What was on its way to a host that has left meanwhile must not reach it, nor its successor.
    if controller.hci_sink is sink:
        sink.on_packet(packet)
