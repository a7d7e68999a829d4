"""One end of a connection on the virtual air, and what its parameters may be."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

from bumble import hci, ll
from bumble.controller import Connection

from bletest.link.airtime import SHORTEST_DATA
from bletest.link.reassembly import Reassembly

if TYPE_CHECKING:
    from bletest.link.carrier import Carrier
    from bletest.link.controller import VirtualController

_SHORTEST_TIME = 328
"""µs that 27 octets take on LE 1M, with MIC."""


class ConnectionParameters(NamedTuple):
    """Interval (1.25 ms), latency (events) and supervision timeout (10 ms), as in HCI."""

    interval: int
    latency: int
    timeout: int

    @classmethod
    def of(cls, command: hci.HCI_LE_Create_Connection_Command) -> Self:
        """Return what a host asks for."""
        return cls(
            command.connection_interval_min, command.max_latency, command.supervision_timeout
        )


class DataLength(NamedTuple):
    """What one end may transmit and receive in one packet: octets, and µs with MIC."""

    tx_octets: int = SHORTEST_DATA
    tx_time: int = _SHORTEST_TIME
    rx_octets: int = SHORTEST_DATA
    rx_time: int = _SHORTEST_TIME


@dataclass(eq=False)
class VirtualConnection(Connection):
    """One end of a connection, which knows the other end itself instead of its address.

    ``interval`` is in units of 1.25 ms, ``latency`` in connection events, ``timeout`` in units
    of 10 ms, as in HCI. ``peer`` is None once the other end has vanished. ``is_up`` ends with
    this end of the connection. On the short data path, ``take_frame`` is the host's, which
    then exchanges L2CAP frames with the air through it and :meth:`send`, without HCI;
    ``take_att`` is its too, where it wants ATT PDUs without a frame around them.
    ``carrier`` is None where the air hands over at once; both ends share it. ``tx_phy`` and
    ``rx_phy`` are HCI's numbers, ``asked_phys`` the sets that the host asked for.
    """

    controller: "VirtualController"
    interval: int = 0
    latency: int = 0
    timeout: int = 0
    peer: "VirtualConnection | None" = field(default=None, repr=False)
    # Resolvable private addresses on the air, where a controller made or resolved them.
    private_address: hci.Address | None = None
    private_peer_address: hci.Address | None = None
    is_encrypted: bool = False
    supervision: asyncio.TimerHandle | None = field(default=None, repr=False)
    is_up: bool = True
    is_short: bool = False
    take_frame: Callable[[bytes], None] | None = field(default=None, repr=False)
    take_att: Callable[[bytes], None] | None = field(default=None, repr=False)
    carrier: "Carrier | None" = field(default=None, repr=False)
    data_length: DataLength = field(default_factory=DataLength)
    wanted_tx: tuple[int, int] | None = None
    tx_phy: int = 1
    rx_phy: int = 1
    phy_options: int = 0
    asked_phys: tuple[int, int] | None = None

    def send(self, frame: bytes) -> None:
        """Send one whole L2CAP frame; it is lost if this end or the peer is gone."""
        if self.is_up:
            self.controller.link.send_data(self, frame)

    def leave_short_path(self) -> None:
        """Have what comes go to the host by HCI: it has changed, or this end is no more."""
        self.take_frame = self.take_att = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._reassembly = Reassembly()

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Take one packet from the host, and tell it when its buffer is free again."""
        frame = self._reassembly.feed(packet.pb_flag, packet.data)
        if frame is not None:
            self.on_acl_pdu(frame)
        if self.carrier is None:
            self._complete_packet()
        else:
            self.carrier.when_there_is_room(self, self._complete_packet)

    def _complete_packet(self) -> None:
        if self.is_up:
            self.controller.send_hci_packet(
                hci.HCI_Number_Of_Completed_Packets_Event([self.handle], [1])
            )

    def on_acl_pdu(self, pdu: bytes) -> None:
        """Send one L2CAP frame that the host has handed over in HCI packets."""
        self.controller.link.send_data(self, pdu)

    def send_ll_control_pdu(self, packet: ll.ControlPdu) -> None:
        """Send one link-layer control PDU."""
        if isinstance(packet, ll.ConnectionUpdateInd):
            self.update(packet)
        self.controller.link.send_control(self, packet)

    def at_instant(self, act: Callable[[], None]) -> None:
        """Call ``act`` when a change that both ends know of takes effect."""
        if self.carrier is None:
            act()
        else:
            self.carrier.at_instant(act)

    def update(self, packet: ll.ConnectionUpdateInd) -> None:
        """Take over new connection parameters."""
        self.interval = packet.interval
        self.latency = packet.latency
        self.timeout = packet.timeout


def has_legal_parameters(
    command: hci.HCI_LE_Create_Connection_Command | hci.HCI_LE_Connection_Update_Command,
) -> bool:
    """Whether connection parameters are in range (Vol 4, Part E, 7.8.12 and 7.8.18)."""
    low, high = command.connection_interval_min, command.connection_interval_max
    timeout = command.supervision_timeout
    return (
        0x0006 <= low <= high <= 0x0C80
        and command.max_latency <= 0x01F3
        and 0x000A <= timeout <= 0x0C80
        and timeout * 10 > (1 + command.max_latency) * high * 1.25 * 2
    )
