"""What a host can ask a virtual controller about a connection."""

import struct

from bumble import hci
from bumble.controller import Connection

from bletest.link.addresses import AddressedController, ErrorCode
from bletest.link.connection import VirtualConnection

KEY_SIZE = 16
"""Octets of every link-layer key; hosts fill up shorter ones (Vol 3, Part H, 2.3.4)."""

ALL_DATA_CHANNELS = (1 << 37) - 1
"""A channel map with every data channel in use (Vol 4, Part E, 7.8.20)."""

TX_POWER = 0
"""dBm at which every controller transmits."""

TX_POWER_RANGE = (-20, 8)
"""dBm between which a controller could transmit (Vol 4, Part E, 7.8.74)."""


class QueriedController(AddressedController):
    """Answers questions about encryption, power and channels."""

    def on_le_encryption_change(self, connection: Connection, status: int) -> None:
        """Tell the host, in the newer event if it has asked for it (Vol 4, Part E, 7.7.8)."""
        encrypted = status == ErrorCode.SUCCESS
        if isinstance(connection, VirtualConnection) and encrypted:
            connection.is_encrypted = True
        # Bit 25 of page 2 of the event mask (7.3.69).
        if self.event_mask_page_2 >> 25 & 1:
            self.send_hci_packet(
                hci.HCI_Encryption_Change_V2_Event(
                    status=status,
                    connection_handle=connection.handle,
                    encryption_enabled=int(encrypted),
                    encryption_key_size=KEY_SIZE if encrypted else 0,
                )
            )
        else:
            super().on_le_encryption_change(connection, status)

    def on_hci_read_encryption_key_size_command(
        self, command: hci.HCI_Read_Encryption_Key_Size_Command
    ) -> hci.HCI_Read_Encryption_Key_Size_ReturnParameters:
        """Vol 4, Part E, 7.5.7."""
        connection = self.find_le_connection_by_handle(command.connection_handle)
        if not isinstance(connection, VirtualConnection):
            status, size = ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, 0
        elif not connection.is_encrypted:
            status, size = ErrorCode.INSUFFICIENT_SECURITY_ERROR, 0
        else:
            status, size = ErrorCode.SUCCESS, KEY_SIZE
        return hci.HCI_Read_Encryption_Key_Size_ReturnParameters(
            status=status, connection_handle=command.connection_handle, key_size=size
        )

    # bumble lists these two, and has neither handlers nor classes for them.

    def on_hci_le_read_channel_map_command(self, command: hci.HCI_Command) -> None:
        """Vol 4, Part E, 7.8.20."""
        (handle,) = struct.unpack_from("<H", command.parameters)
        channels = ALL_DATA_CHANNELS.to_bytes(5, "little")
        self._answer_about(command, handle, channels)

    def on_hci_read_transmit_power_level_command(self, command: hci.HCI_Command) -> None:
        """Vol 4, Part E, 7.3.35: the current (0) or the highest (1) level."""
        handle, which = struct.unpack_from("<HB", command.parameters)
        level = TX_POWER_RANGE[1] if which else TX_POWER
        self._answer_about(command, handle, struct.pack("<b", level))

    def _answer_about(self, command: hci.HCI_Command, handle: int, answer: bytes) -> None:
        status = ErrorCode.SUCCESS
        if self.find_le_connection_by_handle(handle) is None:
            status, answer = ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, bytes(len(answer))
        self.send_command_complete(command.op_code, struct.pack("<BH", status, handle) + answer)

    def on_hci_le_read_transmit_power_command(
        self, _command: hci.HCI_LE_Read_Transmit_Power_Command
    ) -> hci.HCI_LE_Read_Transmit_Power_ReturnParameters:
        """Vol 4, Part E, 7.8.74."""
        low, high = TX_POWER_RANGE
        return hci.HCI_LE_Read_Transmit_Power_ReturnParameters(
            # bumble writes signed octets as unsigned ones.
            status=ErrorCode.SUCCESS,
            min_tx_power=low & 0xFF,
            max_tx_power=high & 0xFF,
        )

    def on_hci_le_read_remote_features_command(
        self, command: hci.HCI_LE_Read_Remote_Features_Command
    ) -> None:
        """Vol 4, Part E, 7.8.21."""
        if self.find_le_connection_by_handle(command.connection_handle) is None:
            status = ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
            self._send_hci_command_status(status, command.op_code)
        else:
            super().on_hci_le_read_remote_features_command(command)
