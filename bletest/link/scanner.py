"""The scanner of a virtual controller: what it hears, and reports to its host."""

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from bumble import hci

from bletest.link.addresses import AddressedController, ErrorCode, Status
from bletest.link.advertiser import Advertiser, ReportType

if TYPE_CHECKING:
    from bletest.link.virtual import VirtualLink


ReportListener = Callable[[hci.Address, int, bytes, int], bool]
"""Takes address, event type (Vol 4, Part E, 7.7.65.2), data and RSSI of one advertising report.

False has the report sent in an HCI packet all the same.
"""


class ScanningController(AddressedController):
    """Reports to its host what it hears while it scans."""

    def __init__(self, name: str, link: "VirtualLink", public_address: hci.Address) -> None:
        # Who hears of reports without HCI packets.
        self.report_listener: ReportListener | None = None
        # A dictionary, because an empty one takes a third of an empty set.
        self._reported: dict[tuple[hci.Address, int, *tuple[int, ...]], None] = {}
        super().__init__(name, link, public_address)

    def forget_reports(self) -> None:
        """Let duplicates of what was reported until now through again."""
        self._reported.clear()

    def on_heard(self, advertiser: Advertiser) -> None:
        """Report an advertising event to the scanning host (Vol 4, Part E, 7.7.65.2)."""
        if advertiser.is_extended:
            return  # Legacy scanners do not listen where extended PDUs are.
        sender = self.known_as(advertiser.address)
        if sender is None or self.is_filtered(advertiser, sender):
            return
        data = b"" if advertiser.is_directed else advertiser.advertising_data
        self._report(advertiser, sender, advertiser.report_type, data)
        if self.le_scan_type == 1 and advertiser.is_scannable and self.is_answered_by(advertiser):
            self._report(advertiser, sender, ReportType.SCAN_RSP, advertiser.scan_response_data)

    def is_filtered(self, advertiser: Advertiser, sender: hci.Address) -> bool:
        """Whether the scanning filter policy keeps a PDU from the host (Vol 6, Part B, 4.3.3)."""
        if self.le_scanning_filter_policy & 1 and sender not in self._accept_list:
            return True
        if not advertiser.is_directed:
            return False
        target = advertiser.target_address
        own_address = self.own_address(self.le_scan_own_address_type)
        if self.is_target(target, own_address):
            return False
        # Bit 1: private targets that cannot be resolved here may be resolved by the host.
        return not (self.le_scanning_filter_policy & 2 and target.is_resolvable)

    def is_answered_by(self, advertiser: Advertiser) -> bool:
        """Send an advertiser a SCAN_REQ, and return whether it answers."""
        own_address = self.own_address(self.le_scan_own_address_type)
        if not advertiser.controller.answers_scan(advertiser, own_address):
            return False
        if not self.link.radio.answers(advertiser, self):
            return False
        advertiser.on_scan_request(own_address)
        return True

    def _report(
        self, advertiser: Advertiser, address: hci.Address, kind: ReportType, data: bytes
    ) -> None:
        if self.filter_duplicates:
            if (address, kind) in self._reported:
                return
            self._reported[address, kind] = None
        rssi = self.link.rssi(advertiser.controller, self)
        listener = self.report_listener
        if listener is not None and not self.news and listener(address, kind, data, rssi):
            return
        # Subevent 0x02 with one report. Written out: an event object for each of thousands of
        # reports is what scanning costs most.
        event = struct.pack(
            "<BBBB6sB", 0x02, 1, kind, address.address_type, bytes(address), len(data)
        )
        self._to_host(
            bytes((hci.HCI_EVENT_PACKET, 0x3E, len(event) + len(data) + 1))
            + event
            + data
            + rssi.to_bytes(1, "little", signed=True)
        )

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.11."""
        if command.le_scan_enable and not self.has_address(self.le_scan_own_address_type):
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        self.forget_reports()
        status = super().on_hci_le_set_scan_enable_command(command)
        self.link.set_scanning(self, self.le_scan_enable)
        return status
