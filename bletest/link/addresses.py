"""What every part of a virtual controller builds on: its host, its addresses, its accept list."""

import asyncio
import random
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

if TYPE_CHECKING:
    from bletest.link.virtual import VirtualLink

Status = hci.HCI_StatusReturnParameters
ErrorCode = hci.HCI_ErrorCode
Success = Status(ErrorCode.SUCCESS)


class AddressedController(Controller):
    """bumble's controller with true own addresses and a filter accept list."""

    link: "VirtualLink"

    def __init__(self, name: str, link: "VirtualLink", public_address: hci.Address) -> None:
        self._to_host_count = 0
        self._accept_list: dict[hci.Address, None] = {}
        self._rng = random.Random(f"{link.seed}/{name}/controller")
        super().__init__(name, link=link, public_address=public_address)
        self.set_default_event_masks()

    def set_default_event_masks(self) -> None:
        """Send the events that a host gets before it has said which it wants."""
        self.event_mask, self.event_mask_page_2 = DEFAULT_EVENT_MASK, DEFAULT_EVENT_MASK_PAGE_2
        self.le_event_mask = DEFAULT_LE_EVENT_MASK

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Send an event or data to the host, in a later turn of the loop."""
        self._to_host(bytes(packet))

    def _to_host(self, packet: bytes) -> None:
        if self.hci_sink is not None and not (
            packet[0] == hci.HCI_EVENT_PACKET
            and is_masked(packet, self.event_mask, self.event_mask_page_2, self.le_event_mask)
        ):
            self._to_host_count += 1
            asyncio.get_running_loop().call_soon(_deliver, self, self.hci_sink, packet)

    @property
    def has_news(self) -> bool:
        """Whether packets are on their way to the host: whoever comes now stands behind them."""
        return self._to_host_count > 0

    def own_address(self, own_address_type: int) -> hci.Address:
        """Return the address that an ``Own_Address_Type`` of HCI stands for."""
        # 0x02 and 0x03 ask for a resolvable address if there is one, which there never is.
        if own_address_type in (hci.OwnAddressType.PUBLIC, hci.OwnAddressType.RESOLVABLE_OR_PUBLIC):
            return self.public_address
        return self.random_address

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


def _deliver(controller: AddressedController, sink: TransportSink, packet: bytes) -> None:
    controller._to_host_count -= 1
    # What was on its way to a host that has left meanwhile must not reach it, nor its successor.
    if controller.hci_sink is sink:
        sink.on_packet(packet)
