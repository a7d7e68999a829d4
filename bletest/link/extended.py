"""A controller of Bluetooth 5: extended advertising, scanning and initiating, and LL privacy."""

import asyncio
import struct
from dataclasses import dataclass

from bumble import hci

from bletest.link.addresses import ErrorCode, Status, Success
from bletest.link.advertiser import Advertiser, ReportType
from bletest.link.advertising_sets import (
    DURATION_UNIT,
    AdvertisingSet,
    Properties,
    SetAdvertisingController,
)
from bletest.link.controller import ANSWERED_COMMANDS, VirtualController

PERIOD_UNIT = 1.28
"""Seconds in one unit of a scan period (Vol 4, Part E, 7.8.65)."""

LONGEST_REPORTED = 229
"""Octets of data in one extended advertising report: an event has 255 octets (7.7.65.13)."""

# Vol 4, Part E, 3.1.1: a controller takes commands of one table or of the other until its reset.
LEGACY_COMMANDS = frozenset(
    {
        hci.HCI_LE_SET_ADVERTISING_PARAMETERS_COMMAND,
        hci.HCI_LE_READ_ADVERTISING_PHYSICAL_CHANNEL_TX_POWER_COMMAND,
        hci.HCI_LE_SET_ADVERTISING_DATA_COMMAND,
        hci.HCI_LE_SET_SCAN_RESPONSE_DATA_COMMAND,
        hci.HCI_LE_SET_ADVERTISING_ENABLE_COMMAND,
        hci.HCI_LE_SET_SCAN_PARAMETERS_COMMAND,
        hci.HCI_LE_SET_SCAN_ENABLE_COMMAND,
        hci.HCI_LE_CREATE_CONNECTION_COMMAND,
    }
)
EXTENDED_COMMANDS = frozenset(
    {
        hci.HCI_LE_SET_ADVERTISING_SET_RANDOM_ADDRESS_COMMAND,
        hci.HCI_LE_SET_EXTENDED_ADVERTISING_PARAMETERS_COMMAND,
        hci.HCI_LE_SET_EXTENDED_ADVERTISING_DATA_COMMAND,
        hci.HCI_LE_SET_EXTENDED_SCAN_RESPONSE_DATA_COMMAND,
        hci.HCI_LE_SET_EXTENDED_ADVERTISING_ENABLE_COMMAND,
        hci.HCI_LE_READ_MAXIMUM_ADVERTISING_DATA_LENGTH_COMMAND,
        hci.HCI_LE_READ_NUMBER_OF_SUPPORTED_ADVERTISING_SETS_COMMAND,
        hci.HCI_LE_REMOVE_ADVERTISING_SET_COMMAND,
        hci.HCI_LE_CLEAR_ADVERTISING_SETS_COMMAND,
        hci.HCI_LE_SET_EXTENDED_SCAN_PARAMETERS_COMMAND,
        hci.HCI_LE_SET_EXTENDED_SCAN_ENABLE_COMMAND,
        hci.HCI_LE_EXTENDED_CREATE_CONNECTION_COMMAND,
    }
)

# Octets of return parameters after the status, where there are any.
_RETURNED = {
    hci.HCI_LE_READ_ADVERTISING_PHYSICAL_CHANNEL_TX_POWER_COMMAND: 1,
    hci.HCI_LE_SET_EXTENDED_ADVERTISING_PARAMETERS_COMMAND: 1,
    hci.HCI_LE_READ_MAXIMUM_ADVERTISING_DATA_LENGTH_COMMAND: 2,
    hci.HCI_LE_READ_NUMBER_OF_SUPPORTED_ADVERTISING_SETS_COMMAND: 1,
}

_ANSWERED_BY_STATUS = frozenset(
    {hci.HCI_LE_CREATE_CONNECTION_COMMAND, hci.HCI_LE_EXTENDED_CREATE_CONNECTION_COMMAND}
)

_LEGACY_EVENT_TYPE = {
    ReportType.ADV_IND: 0b10011,
    ReportType.ADV_DIRECT_IND: 0b10101,
    ReportType.ADV_SCAN_IND: 0b10010,
    ReportType.ADV_NONCONN_IND: 0b10000,
}
_SCAN_RESPONSE = 0b01000
_MORE_TO_COME = 0b0100000

_NO_SET_ID = 0xFF
_NO_TX_POWER = 0x7F
_ANONYMOUS = 0xFF
_UNRESOLVED = 0xFE


@dataclass(frozen=True, slots=True)
class _Pdu:
    """What all reports of one advertising event have in common."""

    event_type: int
    primary_phy: int
    secondary_phy: int
    set_id: int
    data_id: int
    tx_power: int


class ExtendedController(SetAdvertisingController):
    """A Bluetooth LE controller with extended advertising and LL privacy.

    It advertises and listens on LE 1M, and on LE Coded where that is a feature. Whether it takes
    the legacy commands or the extended ones is up to the first of them after a reset; those of
    the other kind are refused.
    """

    le_features = (
        VirtualController.le_features
        | hci.LeFeatureMask.LL_PRIVACY
        | hci.LeFeatureMask.EXTENDED_SCANNER_FILTER_POLICIES
        | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
    )
    supported_commands = VirtualController.supported_commands | EXTENDED_COMMANDS
    answered_commands = ANSWERED_COMMANDS | EXTENDED_COMMANDS

    _refused_commands: frozenset[int] = frozenset()
    _scans_extended = False
    _scan_phys = _initiating_phys = frozenset({int(hci.Phy.LE_1M)})
    _scan_duration = 0.0
    _scan_period = 0.0
    _forgets_each_period = False
    _scan_timer: asyncio.TimerHandle | None = None

    def fall_silent(self) -> None:
        """Stop everything on the air at once, saying nothing to host or peers."""
        self._stop_scan_timer()
        super().fall_silent()

    def on_hci_command_packet(self, command: hci.HCI_Command) -> None:
        """Carry out a command, unless those of the other kind are in use."""
        opcode = command.op_code
        if opcode in self._refused_commands:
            status = ErrorCode.COMMAND_DISALLOWED_ERROR
            if opcode in _ANSWERED_BY_STATUS:
                self._send_hci_command_status(status, opcode)
            else:
                rest = bytes(_RETURNED.get(opcode, 0))
                self.send_command_complete(opcode, bytes((status,)) + rest)
            return
        if opcode in EXTENDED_COMMANDS:
            self._refused_commands = LEGACY_COMMANDS
        elif opcode in LEGACY_COMMANDS:
            self._refused_commands = EXTENDED_COMMANDS
        super().on_hci_command_packet(command)

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> Status:
        """Vol 4, Part E, 7.3.2: both kinds of commands are welcome again."""
        self._refused_commands = frozenset()
        self._scans_extended = False
        self._scan_phys = self._initiating_phys = type(self)._scan_phys
        return super().on_hci_reset_command(command)

    # Scanning.

    def on_hci_le_set_extended_scan_parameters_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Parameters_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.64."""
        if self.le_scan_enable:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        if not command.scanning_phys:
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        phys = _phys(command.scanning_phys)
        if not phys <= self.primary_phys:
            return Status(ErrorCode.UNSUPPORTED_FEATURE_OR_PARAMETER_VALUE_ERROR)
        self._scan_phys = phys
        self.le_scan_type = command.scan_types[0]
        self.le_scan_interval = command.scan_intervals[0]
        self.le_scan_window = command.scan_windows[0]
        self.le_scan_own_address_type = hci.AddressType(command.own_address_type)
        self.le_scanning_filter_policy = command.scanning_filter_policy
        return Success

    def on_hci_le_set_extended_scan_enable_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Enable_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.65."""
        duration, period = command.duration * DURATION_UNIT, command.period * PERIOD_UNIT
        if command.enable and (
            (duration and period and duration >= period)
            or not self.has_address(self.le_scan_own_address_type)
        ):
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        self._stop_scan_timer()
        self.forget_reports()
        self.le_scan_enable = self._scans_extended = bool(command.enable)
        self.filter_duplicates = bool(command.filter_duplicates)
        self._forgets_each_period = command.filter_duplicates == 2
        self._scan_duration, self._scan_period = duration, period
        self.link.set_scanning(self, self.le_scan_enable)
        if self.le_scan_enable and duration:
            loop = asyncio.get_running_loop()
            self._scan_timer = loop.call_later(duration, self._on_scan_duration)
        return Success

    def _on_scan_duration(self) -> None:
        self.link.set_scanning(self, False)
        if self._scan_period:
            pause = self._scan_period - self._scan_duration
            self._scan_timer = asyncio.get_running_loop().call_later(pause, self._on_scan_period)
            return
        self._scan_timer = None
        self.le_scan_enable = False
        # It has no parameters but its subevent code (7.7.65.17).
        subevent = hci.HCI_LE_SCAN_TIMEOUT_EVENT
        self._to_host(bytes((hci.HCI_EVENT_PACKET, hci.HCI_LE_META_EVENT, 1, subevent)))

    def _on_scan_period(self) -> None:
        if self._forgets_each_period:
            self.forget_reports()
        self.link.set_scanning(self, True)
        self._scan_timer = asyncio.get_running_loop().call_later(
            self._scan_duration, self._on_scan_duration
        )

    def _stop_scan_timer(self) -> None:
        if self._scan_timer is not None:
            self._scan_timer.cancel()
            self._scan_timer = None

    def on_heard(self, advertiser: Advertiser) -> None:
        """Report an advertising event in the kind of reports that the host scans for."""
        if not self._scans_extended:
            super().on_heard(advertiser)
            return
        pdu = _describe(advertiser)
        if pdu.primary_phy not in self._scan_phys:
            return
        is_anonymous = isinstance(advertiser, AdvertisingSet) and advertiser.is_anonymous
        sender = hci.Address.ANY if is_anonymous else self.known_as(advertiser.address)
        if sender is None or self.is_filtered(advertiser, sender):
            return
        kind = _ANONYMOUS if is_anonymous else sender.address_type
        self._report_extended(advertiser, pdu, pdu.event_type, kind, sender)
        if self.le_scan_type == 1 and advertiser.is_scannable and self.is_answered_by(advertiser):
            event_type = pdu.event_type | _SCAN_RESPONSE
            self._report_extended(advertiser, pdu, event_type, kind, sender)

    def _report_extended(
        self,
        advertiser: Advertiser,
        pdu: _Pdu,
        event_type: int,
        address_type: int,
        address: hci.Address,
    ) -> None:
        if self.filter_duplicates:
            key = (address, event_type, pdu.set_id, pdu.data_id)
            if key in self._reported:
                return
            self._reported[key] = None
        if event_type & _SCAN_RESPONSE:
            data = advertiser.scan_response_data
        elif advertiser.is_directed and not advertiser.is_extended:
            data = b""
        else:
            data = advertiser.advertising_data
        target, target_type = hci.Address.ANY, 0
        if advertiser.is_directed:
            target = advertiser.target_address
            own_address = self.own_address(self.le_scan_own_address_type)
            is_ours = self.is_target(target, own_address)
            target_type = target.address_type if is_ours else _UNRESOLVED
        rssi = self.link.rssi(advertiser.controller, self)
        for offset in range(0, len(data) or 1, LONGEST_REPORTED):
            part = data[offset : offset + LONGEST_REPORTED]
            is_last = offset + len(part) == len(data)
            report = struct.pack(
                "<BBHB6sBBBbbHB6sB",
                hci.HCI_LE_EXTENDED_ADVERTISING_REPORT_EVENT,
                1,
                event_type | (0 if is_last else _MORE_TO_COME),
                address_type,
                bytes(address),
                pdu.primary_phy,
                pdu.secondary_phy,
                pdu.set_id,
                pdu.tx_power,
                rssi,
                0,
                target_type,
                bytes(target),
                len(part),
            )
            length = len(report) + len(part)
            header = bytes((hci.HCI_EVENT_PACKET, hci.HCI_LE_META_EVENT, length))
            self._to_host(header + report + part)

    # Initiating.

    def on_candidate(self, advertiser: Advertiser) -> None:
        """Connect if this is the advertiser that is waited for, on a PHY that is listened on."""
        if not self._initiates_extended or _describe(advertiser).primary_phy in (
            self._initiating_phys
        ):
            super().on_candidate(advertiser)

    def on_hci_le_extended_create_connection_command(
        self, command: hci.HCI_LE_Extended_Create_Connection_Command
    ) -> None:
        """Vol 4, Part E, 7.8.66: as Create Connection, and finds extended PDUs too."""
        phys = _phys(command.initiating_phys)
        if not phys or not phys <= self.phys:
            status = (
                ErrorCode.UNSUPPORTED_FEATURE_OR_PARAMETER_VALUE_ERROR
                if phys
                else ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
            )
            self._send_hci_command_status(status, command.op_code)
            return
        self._initiating_phys = phys
        self._initiate(
            hci.HCI_LE_Create_Connection_Command(
                le_scan_interval=command.scan_intervals[0],
                le_scan_window=command.scan_windows[0],
                initiator_filter_policy=command.initiator_filter_policy,
                peer_address_type=command.peer_address_type,
                peer_address=command.peer_address,
                own_address_type=command.own_address_type,
                connection_interval_min=command.connection_interval_mins[0],
                connection_interval_max=command.connection_interval_maxs[0],
                max_latency=command.max_latencies[0],
                supervision_timeout=command.supervision_timeouts[0],
                min_ce_length=command.min_ce_lengths[0],
                max_ce_length=command.max_ce_lengths[0],
            ),
            command.op_code,
        )


def _phys(bits: int) -> frozenset[int]:
    """Return the PHYs of a bit field: bit 0 is LE 1M, 1 is LE 2M, 2 is LE Coded."""
    return frozenset(bit + 1 for bit in range(8) if bits >> bit & 1)


def _describe(advertiser: Advertiser) -> _Pdu:
    if isinstance(advertiser, AdvertisingSet) and advertiser.is_extended:
        properties = advertiser.properties
        return _Pdu(
            int(properties & (Properties.CONNECTABLE | Properties.SCANNABLE | Properties.DIRECTED)),
            advertiser.primary_phy,
            advertiser.secondary_phy,
            advertiser.sid,
            advertiser.data_id,
            advertiser.controller.advertising_channel_tx_power
            if properties & Properties.TX_POWER
            else _NO_TX_POWER,
        )
    event_type = _LEGACY_EVENT_TYPE[advertiser.report_type]
    return _Pdu(event_type, hci.Phy.LE_1M, 0, _NO_SET_ID, 0, _NO_TX_POWER)
