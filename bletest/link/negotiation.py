"""Data length and PHY: how two controllers agree on them (Vol 6, Part B, 5.1.9 and 5.1.10)."""

import abc
from dataclasses import dataclass
from functools import partial

from bumble import hci, ll

from bletest.link.addresses import AddressedController, ErrorCode
from bletest.link.airtime import SHORTEST_DATA, Phy, air_time
from bletest.link.connection import DataLength, VirtualConnection

MIC = 4
"""Octets of a message integrity check, which every time in HCI has room for."""


@dataclass
class LengthReq(ll.ControlPdu):
    """LL_LENGTH_REQ (2.4.2.21): what its sender can receive and transmit at most."""

    opcode = ll.ControlPdu.Opcode.LL_LENGTH_REQ

    rx_octets: int
    rx_time: int
    tx_octets: int
    tx_time: int


@dataclass
class LengthRsp(LengthReq):
    """LL_LENGTH_RSP (2.4.2.21)."""

    opcode = ll.ControlPdu.Opcode.LL_LENGTH_RSP


@dataclass
class PhyReq(ll.ControlPdu):
    """LL_PHY_REQ (2.4.2.22): the PHYs its sender prefers, as bits. ``options`` is HCI's."""

    opcode = ll.ControlPdu.Opcode.LL_PHY_REQ

    tx_phys: int
    rx_phys: int
    options: int = 0


@dataclass
class PhyRsp(PhyReq):
    """LL_PHY_RSP (2.4.2.22)."""

    opcode = ll.ControlPdu.Opcode.LL_PHY_RSP


@dataclass
class PhyUpdateInd(ll.ControlPdu):
    """LL_PHY_UPDATE_IND (2.4.2.23): the central's decision, as HCI's numbers of PHYs."""

    opcode = ll.ControlPdu.Opcode.LL_PHY_UPDATE_IND

    central_to_peripheral: int
    peripheral_to_central: int
    options: int = 0


NEGOTIATION = (LengthReq, PhyReq, PhyUpdateInd)
"""The PDUs that :func:`on_pdu` takes."""

# Octets of each control PDU with its opcode (2.4.2). bumble spares itself LL_ENC_RSP and
# LL_START_ENC_REQ, so that encryption takes two exchanges less than in life.
_OCTETS = {
    ll.ControlPdu.Opcode.LL_CONNECTION_UPDATE_IND: 12,
    ll.ControlPdu.Opcode.LL_TERMINATE_IND: 2,
    ll.ControlPdu.Opcode.LL_ENC_REQ: 23,
    ll.ControlPdu.Opcode.LL_START_ENC_RSP: 1,
    ll.ControlPdu.Opcode.LL_FEATURE_REQ: 9,
    ll.ControlPdu.Opcode.LL_FEATURE_RSP: 9,
    ll.ControlPdu.Opcode.LL_PERIPHERAL_FEATURE_REQ: 9,
    ll.ControlPdu.Opcode.LL_REJECT_EXT_IND: 3,
    ll.ControlPdu.Opcode.LL_LENGTH_REQ: 9,
    ll.ControlPdu.Opcode.LL_LENGTH_RSP: 9,
    ll.ControlPdu.Opcode.LL_PHY_REQ: 3,
    ll.ControlPdu.Opcode.LL_PHY_RSP: 3,
    ll.ControlPdu.Opcode.LL_PHY_UPDATE_IND: 5,
}


def octets_of(pdu: ll.ControlPdu) -> int:
    """Return how long a control PDU is; the longest there is where nobody has looked it up."""
    return _OCTETS.get(pdu.opcode, SHORTEST_DATA)


# HCI's numbers of PHYs, the fastest first; the bit in a set of PHYs is 1 << number - 1.
_FASTEST_FIRST = (hci.Phy.LE_2M, hci.Phy.LE_1M, hci.Phy.LE_CODED)
_ALL_PHYS = 0b111
_PREFER_S2 = 1


def phy_of(number: int, options: int = 0) -> Phy:
    """Return the PHY that HCI calls ``number``; ``options`` says how coded is coded."""
    if number == hci.Phy.LE_2M:
        return Phy.LE_2M
    if number == hci.Phy.LE_1M:
        return Phy.LE_1M
    return Phy.CODED_S2 if options == _PREFER_S2 else Phy.CODED


def number_of(phy: Phy) -> int:
    """Return what HCI calls a PHY."""
    return {Phy.LE_1M: hci.Phy.LE_1M, Phy.LE_2M: hci.Phy.LE_2M}.get(phy, hci.Phy.LE_CODED)


def _fastest(transmitter: int, receiver: int, now: int) -> int:
    common = transmitter & receiver
    return next((int(phy) for phy in _FASTEST_FIRST if common >> phy - 1 & 1), now)


class NegotiatingController(AddressedController, abc.ABC):
    """Agrees with its peers on data length and PHY, for its host or for theirs."""

    @abc.abstractmethod
    def _find(self, handle: int) -> VirtualConnection | None: ...

    def on_negotiation(self, connection: VirtualConnection, pdu: ll.ControlPdu) -> None:
        """Act on one of the PDUs in :data:`NEGOTIATION`."""
        match pdu:
            case LengthRsp():
                self._agree_on_length(connection, pdu)
            case LengthReq():
                self._agree_on_length(connection, pdu)
                connection.send_ll_control_pdu(self._length_pdu(LengthRsp, connection))
            case PhyReq() if connection.role == hci.Role.CENTRAL:
                self._decide_on_phys(connection, pdu)
            case PhyReq():
                connection.send_ll_control_pdu(PhyRsp(*self._preferred_phys(), pdu.options))
            case PhyUpdateInd():
                connection.at_instant(partial(_change_phys, connection, pdu))
            case _:
                raise AssertionError(pdu)

    def start_with(self, connection: VirtualConnection, phy: Phy, octets: int) -> None:
        """Let a new connection have agreed on PHY and data length already, and tell the host."""
        connection.tx_phy = connection.rx_phy = number_of(phy)
        connection.phy_options = _PREFER_S2 if phy is Phy.CODED_S2 else 0
        if phy is not Phy.LE_1M:
            self._tell_phys(connection)
        time = air_time(phy, octets + MIC)
        self.change_data_length(connection, DataLength(octets, time, octets, time))

    # Data length.

    def on_hci_le_set_data_length_command(
        self, command: hci.HCI_LE_Set_Data_Length_Command
    ) -> hci.HCI_StatusAndConnectionHandleReturnParameters:
        """Vol 4, Part E, 7.8.33: the peer is asked, and both hosts are told what comes of it."""
        connection = self._find(command.connection_handle)
        status = ErrorCode.SUCCESS
        if connection is None:
            status = ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
        elif not (0x1B <= command.tx_octets <= 0xFB and 0x0148 <= command.tx_time <= 0x4290):
            status = ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
        else:
            connection.wanted_tx = (
                min(command.tx_octets, self.supported_max_tx_octets),
                min(command.tx_time, self.supported_max_tx_time),
            )
            connection.send_ll_control_pdu(self._length_pdu(LengthReq, connection))
        return hci.HCI_StatusAndConnectionHandleReturnParameters(status, command.connection_handle)

    def _length_pdu(self, kind: type[LengthReq], connection: VirtualConnection) -> LengthReq:
        octets, time = connection.wanted_tx or (
            self.suggested_max_tx_octets,
            self.suggested_max_tx_time,
        )
        return kind(self.supported_max_rx_octets, self.supported_max_rx_time, octets, time)

    def _agree_on_length(self, connection: VirtualConnection, theirs: LengthReq) -> None:
        ours = self._length_pdu(LengthReq, connection)
        agreed = DataLength(
            tx_octets=min(ours.tx_octets, theirs.rx_octets),
            tx_time=min(ours.tx_time, theirs.rx_time),
            rx_octets=min(ours.rx_octets, theirs.tx_octets),
            rx_time=min(ours.rx_time, theirs.tx_time),
        )
        self.change_data_length(connection, agreed)

    def change_data_length(self, connection: VirtualConnection, agreed: DataLength) -> None:
        """Let ``agreed`` hold from now on, and tell the host (Vol 4, Part E, 7.7.65.7)."""
        before, connection.data_length = connection.data_length, agreed
        if connection.carrier is not None:
            connection.carrier.change_packets(connection)
        if agreed == before:
            return
        self.send_hci_packet(
            hci.HCI_LE_Data_Length_Change_Event(
                connection_handle=connection.handle,
                max_tx_octets=agreed.tx_octets,
                max_tx_time=agreed.tx_time,
                max_rx_octets=agreed.rx_octets,
                max_rx_time=agreed.rx_time,
            )
        )

    # PHY.

    def on_hci_le_read_phy_command(
        self, command: hci.HCI_LE_Read_PHY_Command
    ) -> hci.HCI_LE_Read_PHY_ReturnParameters:
        """Vol 4, Part E, 7.8.47."""
        connection = self._find(command.connection_handle)
        known = connection is not None
        return hci.HCI_LE_Read_PHY_ReturnParameters(
            status=ErrorCode.SUCCESS if known else ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=command.connection_handle,
            tx_phy=hci.Phy(connection.tx_phy if connection else hci.Phy.LE_1M),
            rx_phy=hci.Phy(connection.rx_phy if connection else hci.Phy.LE_1M),
        )

    def on_hci_le_set_phy_command(self, command: hci.HCI_LE_Set_PHY_Command) -> None:
        """Vol 4, Part E, 7.8.49: both hosts are told when a change has taken effect."""
        connection = self._find(command.connection_handle)
        if connection is None:
            status = ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
            self._send_hci_command_status(status, command.op_code)
            return
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        asked = PhyReq(
            _ALL_PHYS if command.all_phys & 1 else command.tx_phys & _ALL_PHYS,
            _ALL_PHYS if command.all_phys & 2 else command.rx_phys & _ALL_PHYS,
            command.phy_options & 3,
        )
        connection.asked_phys = (asked.tx_phys, asked.rx_phys)
        connection.send_ll_control_pdu(asked)

    def _tell_phys(self, connection: VirtualConnection) -> None:
        self.send_hci_packet(
            hci.HCI_LE_PHY_Update_Complete_Event(
                status=ErrorCode.SUCCESS,
                connection_handle=connection.handle,
                tx_phy=hci.Phy(connection.tx_phy),
                rx_phy=hci.Phy(connection.rx_phy),
            )
        )

    def _preferred_phys(self) -> tuple[int, int]:
        # A host that has said nothing has no preference (7.8.48).
        default = self.default_phy
        return (
            _ALL_PHYS if default["all_phys"] & 1 else default["tx_phys"] & _ALL_PHYS or _ALL_PHYS,
            _ALL_PHYS if default["all_phys"] & 2 else default["rx_phys"] & _ALL_PHYS or _ALL_PHYS,
        )

    def _decide_on_phys(self, connection: VirtualConnection, theirs: PhyReq) -> None:
        tx_phys, rx_phys = connection.asked_phys or self._preferred_phys()
        decision = PhyUpdateInd(
            _fastest(tx_phys, theirs.rx_phys, connection.tx_phy),
            _fastest(theirs.tx_phys, rx_phys, connection.rx_phy),
            theirs.options,
        )
        connection.send_ll_control_pdu(decision)


def _change_phys(peripheral: VirtualConnection, pdu: PhyUpdateInd) -> None:
    """Both ends change their PHYs; who asked is told even if nothing changes (7.7.65.12)."""
    down, up = pdu.central_to_peripheral, pdu.peripheral_to_central
    for end, tx_phy, rx_phy in ((peripheral.peer, down, up), (peripheral, up, down)):
        if end is None or not end.is_up:
            continue
        changed = (end.tx_phy, end.rx_phy) != (tx_phy, rx_phy)
        end.tx_phy, end.rx_phy, end.phy_options = tx_phy, rx_phy, pdu.options
        if end.carrier is not None:
            end.carrier.change_packets(end)
        if changed or end.asked_phys is not None:
            end.asked_phys = None
            end.controller._tell_phys(end)
