"""Advertising sets (Vol 4, Part E, 7.8.52 to 7.8.60): extended advertising, and its commands."""

import asyncio
import struct
from enum import IntFlag

from bumble import hci

from bletest.link.addresses import ErrorCode, Status, Success
from bletest.link.advertiser import (
    HIGH_DUTY_LIMIT,
    Advertiser,
    AdvertisingType,
)
from bletest.link.connection import VirtualConnection
from bletest.link.controller import VirtualController

NUMBER_OF_SETS = 16
"""How many advertising sets a controller has at most."""

LONGEST_DATA = 1650
"""Octets of advertising or scan response data in extended PDUs at most (7.8.57)."""

LONGEST_LEGACY_DATA = 31
"""Octets of either in legacy PDUs at most (Vol 6, Part B, 2.3.1)."""

DURATION_UNIT = 0.01
"""Seconds in one unit of a duration (7.8.56)."""

EVENT_LENGTH = 0.001
"""Seconds from the start of the last advertising event to its end."""

Operation = hci.HCI_LE_Set_Extended_Advertising_Data_Command.Operation


class Properties(IntFlag):
    """Advertising_Event_Properties of 7.8.53."""

    CONNECTABLE = 1 << 0
    SCANNABLE = 1 << 1
    DIRECTED = 1 << 2
    HIGH_DUTY = 1 << 3
    LEGACY = 1 << 4
    ANONYMOUS = 1 << 5
    TX_POWER = 1 << 6


_LEGACY_TYPES = {
    0b10011: AdvertisingType.ADV_IND,
    0b10101: AdvertisingType.ADV_DIRECT_IND_LOW_DUTY,
    0b11101: AdvertisingType.ADV_DIRECT_IND,
    0b10010: AdvertisingType.ADV_SCAN_IND,
    0b10000: AdvertisingType.ADV_NONCONN_IND,
}


class AdvertisingSet(Advertiser):
    """One advertising set, with legacy or extended PDUs."""

    controller: "SetAdvertisingController"

    def __init__(self, controller: "SetAdvertisingController", handle: int) -> None:
        super().__init__(controller)
        self.handle = handle
        self.properties = Properties.LEGACY
        self.sid = 0
        self.data_id = 0
        self.primary_phy = self.secondary_phy = 1
        self.random_address = hci.Address.ANY_RANDOM
        self.notifies_scan_requests = False
        self.max_events = 0
        self.duration = 0.0
        # Data of which the last fragment has not come yet.
        self.unfinished: set[str] = set()

    @property
    def is_extended(self) -> bool:  # type: ignore[override]
        """Whether it sends extended advertising PDUs."""
        return not self.properties & Properties.LEGACY

    @property
    def is_anonymous(self) -> bool:
        """Whether the PDUs do not say from whom they are."""
        return bool(self.properties & Properties.ANONYMOUS)

    @property
    def is_directed(self) -> bool:
        """Whether the PDUs name the one device that they are for."""
        return bool(self.properties & Properties.DIRECTED)

    @property
    def is_connectable(self) -> bool:
        """Whether somebody can connect."""
        return bool(self.properties & Properties.CONNECTABLE)

    @property
    def is_scannable(self) -> bool:
        """Whether a scan request is answered."""
        return bool(self.properties & Properties.SCANNABLE)

    @property
    def takes_advertising_data(self) -> bool:
        """Whether the type of its events has advertising data (7.8.53)."""
        if self.is_extended:
            return not self.is_scannable
        return not self.is_directed

    @property
    def takes_scan_response_data(self) -> bool:
        """Whether the type of its events has scan response data."""
        return self.is_scannable

    @property
    def longest_data(self) -> int:
        """How long its advertising data and its scan response data may be."""
        return LONGEST_DATA if self.is_extended else LONGEST_LEGACY_DATA

    def own_address(self) -> hci.Address:
        """Return the address to advertise from now on."""
        address = super().own_address()
        is_random = address == self.controller.random_address and not address.is_public
        return self.random_address if is_random else address

    def limit(self) -> float | None:
        """Return after how many seconds it ends by itself; None for never."""
        limits = [self.duration] if self.duration else []
        if self.max_events:
            loop = asyncio.get_running_loop()
            limits.append(self.moment(self.max_events - 1) + EVENT_LENGTH - loop.time())
        return min(limits, default=None)

    def on_scan_request(self, scanner: hci.Address) -> None:
        """Tell the host of a scan request if it wants to know."""
        if self.notifies_scan_requests:
            self.controller.on_scan_request(self, scanner)

    def on_connected(self, connection: VirtualConnection) -> None:
        """Tell the host which set the connection comes from."""
        self.controller.on_set_terminated(self, ErrorCode.SUCCESS, connection.handle, 0)

    def _on_limit(self) -> None:
        by_count = self.max_events and self.events_until_now() >= self.max_events
        status = ErrorCode.LIMIT_REACHED_ERROR if by_count else ErrorCode.ADVERTISING_TIMEOUT_ERROR
        count = self.events_until_now()
        self.stop()
        self.controller.on_set_terminated(self, status, 0, count)


class SetAdvertisingController(VirtualController):
    """A controller with advertising sets."""

    advertising_sets: dict[int, AdvertisingSet]  # type: ignore[assignment]

    @property
    def primary_phys(self) -> frozenset[int]:
        """The PHYs on which advertising begins: LE 1M, and LE Coded where that is a feature."""
        is_coded = self.le_features & hci.LeFeatureMask.LE_CODED_PHY
        return frozenset({hci.Phy.LE_1M, hci.Phy.LE_CODED} if is_coded else {hci.Phy.LE_1M})

    @property
    def phys(self) -> frozenset[int]:
        """The PHYs that it has at all."""
        is_2m = self.le_features & hci.LeFeatureMask.LE_2M_PHY
        return self.primary_phys | ({hci.Phy.LE_2M} if is_2m else set())

    def fall_silent(self) -> None:
        """Stop everything on the air at once, saying nothing to host or peers."""
        for advertising_set in self.advertising_sets.values():
            advertising_set.stop()
        super().fall_silent()

    def on_set_terminated(
        self, advertising_set: AdvertisingSet, status: int, connection_handle: int, events: int
    ) -> None:
        """Tell the host that a set has stopped by itself (7.7.65.18)."""
        self.send_hci_packet(
            hci.HCI_LE_Advertising_Set_Terminated_Event(
                status=status,
                advertising_handle=advertising_set.handle,
                connection_handle=connection_handle,
                num_completed_extended_advertising_events=min(events, 0xFF),
            )
        )

    def on_scan_request(self, advertising_set: AdvertisingSet, scanner: hci.Address) -> None:
        """Tell the host that somebody has asked for the scan response of a set (7.7.65.19)."""
        sender = self.known_as(scanner) or scanner
        parameters = struct.pack(
            "<BBB6s",
            hci.HCI_LE_SCAN_REQUEST_RECEIVED_EVENT,
            advertising_set.handle,
            sender.address_type,
            bytes(sender),
        )
        header = bytes((hci.HCI_EVENT_PACKET, hci.HCI_LE_META_EVENT, len(parameters)))
        self._to_host(header + parameters)

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> Status:
        """Vol 4, Part E, 7.3.2: no set is left."""
        status = super().on_hci_reset_command(command)
        self.advertising_sets.clear()
        return status

    def on_hci_le_set_advertising_set_random_address_command(
        self, command: hci.HCI_LE_Set_Advertising_Set_Random_Address_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.52."""
        advertising_set = self.advertising_sets.get(command.advertising_handle)
        if advertising_set is None:
            return Status(ErrorCode.UNKNOWN_ADVERTISING_IDENTIFIER_ERROR)
        if advertising_set.enabled and advertising_set.is_connectable:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        advertising_set.random_address = command.random_address
        if advertising_set.enabled:
            advertising_set.renew_address()
        return Success

    def on_hci_le_set_extended_advertising_parameters_command(
        self, command: hci.HCI_LE_Set_Extended_Advertising_Parameters_Command
    ) -> hci.HCI_LE_Set_Extended_Advertising_Parameters_ReturnParameters:
        """Vol 4, Part E, 7.8.53."""
        handle = command.advertising_handle
        known = self.advertising_sets.get(handle)
        if known is None and len(self.advertising_sets) >= NUMBER_OF_SETS:
            status = ErrorCode.MEMORY_CAPACITY_EXCEEDED_ERROR
        elif known is not None and known.enabled:
            status = ErrorCode.COMMAND_DISALLOWED_ERROR
        else:
            status = _judge(command, known, self.primary_phys, self.phys)
        if status == ErrorCode.SUCCESS:
            advertising_set = known or AdvertisingSet(self, handle)
            self.advertising_sets[handle] = advertising_set
            _configure(advertising_set, command)
        return hci.HCI_LE_Set_Extended_Advertising_Parameters_ReturnParameters(
            status=status, selected_tx_power=self.advertising_channel_tx_power
        )

    def on_hci_le_set_extended_advertising_data_command(
        self, command: hci.HCI_LE_Set_Extended_Advertising_Data_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.54."""
        advertising_set = self.advertising_sets.get(command.advertising_handle)
        if advertising_set is None:
            return Status(ErrorCode.UNKNOWN_ADVERTISING_IDENTIFIER_ERROR)
        if not advertising_set.takes_advertising_data:
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        unchanged = command.operation == Operation.UNCHANGED_DATA
        if unchanged and not (
            advertising_set.is_extended
            and advertising_set.enabled
            and advertising_set.advertising_data
        ):
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        if unchanged:
            advertising_set.data_id = self._rng.getrandbits(12)
            return Success
        return self._take_data(
            advertising_set, "advertising_data", command.operation, bytes(command.advertising_data)
        )

    def on_hci_le_set_extended_scan_response_data_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Response_Data_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.55."""
        advertising_set = self.advertising_sets.get(command.advertising_handle)
        if advertising_set is None:
            return Status(ErrorCode.UNKNOWN_ADVERTISING_IDENTIFIER_ERROR)
        data = bytes(command.scan_response_data)
        # Extended PDUs that are scannable say that there is scan response data.
        emptied = advertising_set.is_extended and advertising_set.enabled and not data
        if (
            not advertising_set.takes_scan_response_data
            or emptied
            or command.operation == Operation.UNCHANGED_DATA
        ):
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        return self._take_data(advertising_set, "scan_response_data", command.operation, data)

    def _take_data(
        self, advertising_set: AdvertisingSet, which: str, operation: int, data: bytes
    ) -> Status:
        is_whole = operation == Operation.COMPLETE_DATA
        is_fragment = operation in (
            Operation.FIRST_FRAGMENT,
            Operation.INTERMEDIATE_FRAGMENT,
            Operation.LAST_FRAGMENT,
        )
        if not (is_whole or (is_fragment and data and advertising_set.is_extended)):
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        if is_fragment and advertising_set.enabled:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        begins = is_whole or operation == Operation.FIRST_FRAGMENT
        if not begins:
            if which not in advertising_set.unfinished:
                return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
            data = getattr(advertising_set, which) + data
        if len(data) > advertising_set.longest_data:
            if not advertising_set.is_extended:
                return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
            setattr(advertising_set, which, b"")
            advertising_set.unfinished.discard(which)
            return Status(ErrorCode.MEMORY_CAPACITY_EXCEEDED_ERROR)
        setattr(advertising_set, which, data)
        advertising_set.data_id = self._rng.getrandbits(12)
        if is_whole or operation == Operation.LAST_FRAGMENT:
            advertising_set.unfinished.discard(which)
        else:
            advertising_set.unfinished.add(which)
        return Success

    def on_hci_le_set_extended_advertising_enable_command(
        self, command: hci.HCI_LE_Set_Extended_Advertising_Enable_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.56."""
        handles = tuple(command.advertising_handles)
        if len(set(handles)) < len(handles) or (command.enable and not handles):
            return Status(ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        if any(handle not in self.advertising_sets for handle in handles):
            return Status(ErrorCode.UNKNOWN_ADVERTISING_IDENTIFIER_ERROR)
        if not command.enable:
            for handle in handles or tuple(self.advertising_sets):
                self.advertising_sets[handle].stop()
            return Success
        asked = [
            (self.advertising_sets[handle], duration * DURATION_UNIT, max_events)
            for handle, duration, max_events in zip(
                handles, command.durations, command.max_extended_advertising_events, strict=True
            )
        ]
        for advertising_set, duration, _ in asked:
            status = _may_start(advertising_set, duration)
            if status != ErrorCode.SUCCESS:
                return Status(status)
        for advertising_set, duration, max_events in asked:
            advertising_set.duration, advertising_set.max_events = duration, max_events
            advertising_set.start()
        return Success

    def on_hci_le_read_maximum_advertising_data_length_command(
        self, _command: hci.HCI_LE_Read_Maximum_Advertising_Data_Length_Command
    ) -> hci.HCI_LE_Read_Maximum_Advertising_Data_Length_ReturnParameters:
        """Vol 4, Part E, 7.8.57."""
        return hci.HCI_LE_Read_Maximum_Advertising_Data_Length_ReturnParameters(
            status=ErrorCode.SUCCESS, max_advertising_data_length=LONGEST_DATA
        )

    def on_hci_le_read_number_of_supported_advertising_sets_command(
        self, _command: hci.HCI_LE_Read_Number_Of_Supported_Advertising_Sets_Command
    ) -> hci.HCI_LE_Read_Number_Of_Supported_Advertising_Sets_ReturnParameters:
        """Vol 4, Part E, 7.8.58."""
        return hci.HCI_LE_Read_Number_Of_Supported_Advertising_Sets_ReturnParameters(
            status=ErrorCode.SUCCESS, num_supported_advertising_sets=NUMBER_OF_SETS
        )

    def on_hci_le_remove_advertising_set_command(
        self, command: hci.HCI_LE_Remove_Advertising_Set_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.59."""
        advertising_set = self.advertising_sets.get(command.advertising_handle)
        if advertising_set is None:
            return Status(ErrorCode.UNKNOWN_ADVERTISING_IDENTIFIER_ERROR)
        if advertising_set.enabled:
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        del self.advertising_sets[command.advertising_handle]
        return Success

    def on_hci_le_clear_advertising_sets_command(
        self, _command: hci.HCI_LE_Clear_Advertising_Sets_Command
    ) -> Status:
        """Vol 4, Part E, 7.8.60."""
        if any(advertising_set.enabled for advertising_set in self.advertising_sets.values()):
            return Status(ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.advertising_sets.clear()
        return Success


def _judge(
    command: hci.HCI_LE_Set_Extended_Advertising_Parameters_Command,
    known: AdvertisingSet | None,
    primary_phys: frozenset[int],
    phys: frozenset[int],
) -> ErrorCode:
    """Return the error that 7.8.53 has for parameters, or SUCCESS."""
    properties = Properties(command.advertising_event_properties)
    low, high = command.primary_advertising_interval_min, command.primary_advertising_interval_max
    if properties & Properties.LEGACY:
        data = (len(known.advertising_data), len(known.scan_response_data)) if known else (0,)
        legal = (
            properties in _LEGACY_TYPES
            and command.primary_advertising_phy == hci.Phy.LE_1M
            and max(data) <= LONGEST_LEGACY_DATA
        )
    else:
        both = Properties.CONNECTABLE | Properties.SCANNABLE
        named = Properties.CONNECTABLE | Properties.SCANNABLE
        legal = (
            properties & both != both
            and not properties & Properties.HIGH_DUTY
            and not (properties & Properties.ANONYMOUS and properties & named)
        )
    if (
        not legal
        or command.advertising_handle > 0xEF
        or command.primary_advertising_channel_map & 7 == 0
        or not (properties & Properties.HIGH_DUTY or 0x20 <= low <= high)
        or command.advertising_sid > 0x0F
    ):
        return ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
    if command.primary_advertising_phy not in primary_phys or not (
        properties & Properties.LEGACY or command.secondary_advertising_phy in phys
    ):
        return ErrorCode.UNSUPPORTED_FEATURE_OR_PARAMETER_VALUE_ERROR
    return ErrorCode.SUCCESS


def _configure(
    advertising_set: AdvertisingSet,
    command: hci.HCI_LE_Set_Extended_Advertising_Parameters_Command,
) -> None:
    properties = Properties(command.advertising_event_properties)
    advertising_set.properties = properties
    advertising_set.advertising_type = _LEGACY_TYPES.get(
        properties, AdvertisingType.ADV_NONCONN_IND
    )
    advertising_set.advertising_interval_min = command.primary_advertising_interval_min
    advertising_set.advertising_interval_max = command.primary_advertising_interval_max
    advertising_set.advertising_channel_map = command.primary_advertising_channel_map
    advertising_set.own_address_type = command.own_address_type
    advertising_set.peer_address_type = command.peer_address_type
    advertising_set.peer_address = command.peer_address
    advertising_set.advertising_filter_policy = command.advertising_filter_policy
    advertising_set.primary_phy = command.primary_advertising_phy
    advertising_set.secondary_phy = command.secondary_advertising_phy
    advertising_set.sid = command.advertising_sid
    advertising_set.notifies_scan_requests = bool(command.scan_request_notification_enable)


def _may_start(advertising_set: AdvertisingSet, duration: float) -> ErrorCode:
    """Return the error that 7.8.56 has for a set that is to be enabled, or SUCCESS."""
    is_high_duty = advertising_set.properties & Properties.HIGH_DUTY
    if is_high_duty and not 0 < duration <= HIGH_DUTY_LIMIT:
        return ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
    if not any(bytes(advertising_set.own_address())):
        return ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
    says_nothing = (
        advertising_set.is_extended
        and advertising_set.is_scannable
        and not advertising_set.scan_response_data
    )
    if advertising_set.unfinished or says_nothing:
        return ErrorCode.COMMAND_DISALLOWED_ERROR
    return ErrorCode.SUCCESS
