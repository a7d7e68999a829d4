"""Hosts for the tests of the air: plain bumble ones, ours, and one that only speaks HCI."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bumble import hci
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host

from bletest.link.controller import VirtualController
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink


def now() -> float:
    return asyncio.get_running_loop().time()


async def plain_device(
    link: VirtualLink, name: str, address: str = "C0:00:00:00:00:01", *, public: str | None = None
) -> Device:
    """Power on a bumble device with nothing of ours but the controller."""
    controller = link.new_controller(name, public)
    config = DeviceConfiguration(name=name, address=hci.Address(address), irk=bytes(16))
    device = Device(config=config, host=Host(controller, controller))
    await device.power_on()
    return device


@asynccontextmanager
async def station(link: VirtualLink, name: str) -> AsyncIterator[Station]:
    """Open one of our stations for a block."""
    opened = await open_station(link, name=name, address=None, rng=random.Random(name))
    try:
        yield opened
    finally:
        await opened.close()


class BareHost:
    """A host that sends commands and keeps every event, octet for octet."""

    def __init__(self, controller: VirtualController) -> None:
        self.events: list[hci.HCI_Packet] = []
        self.octets: list[bytes] = []
        self.controller = controller
        controller.set_packet_sink(self)
        # A host sets its masks; after a reset no LE event comes through (Vol 4, Part E, 7.3.1).
        controller.event_mask = controller.le_event_mask = (1 << 64) - 1
        # Not the enhanced one, which would come instead of LE Connection Complete (7.7.65.1).
        controller.le_event_mask &= ~(1 << 9)

    def on_packet(self, packet: bytes) -> None:
        self.octets.append(packet)
        self.events.append(hci.HCI_Packet.from_bytes(packet))

    async def send(self, command: hci.HCI_Command) -> hci.HCI_Packet:
        """Send a command and return its Command Complete or Command Status."""
        before = len(self.events)
        self.controller.on_packet(bytes(command))
        await asyncio.sleep(0.001)
        answers = (hci.HCI_Command_Complete_Event, hci.HCI_Command_Status_Event)
        return next(event for event in self.events[before:] if isinstance(event, answers))

    def of(self, kind: type[hci.HCI_Packet]) -> list[hci.HCI_Packet]:
        return [event for event in self.events if isinstance(event, kind)]


def advertising_parameters(
    *,
    interval: float = 0.1,
    kind: int = 0,
    own: int = hci.OwnAddressType.RANDOM,
    peer: hci.Address = hci.Address.ANY,
    policy: int = 0,
) -> hci.HCI_LE_Set_Advertising_Parameters_Command:
    units = round(interval / 0.000625)
    return hci.HCI_LE_Set_Advertising_Parameters_Command(
        advertising_interval_min=units,
        advertising_interval_max=units,
        advertising_type=kind,
        own_address_type=own,
        peer_address_type=peer.address_type,
        peer_address=peer,
        advertising_channel_map=7,
        advertising_filter_policy=policy,
    )


def create_connection(
    peer: hci.Address,
    *,
    own: int = hci.OwnAddressType.RANDOM,
    interval: int = 24,
    latency: int = 0,
    timeout: int = 72,
    policy: int = 0,
) -> hci.HCI_LE_Create_Connection_Command:
    return hci.HCI_LE_Create_Connection_Command(
        le_scan_interval=96,
        le_scan_window=96,
        initiator_filter_policy=policy,
        peer_address_type=peer.address_type,
        peer_address=peer,
        own_address_type=own,
        connection_interval_min=interval,
        connection_interval_max=interval,
        max_latency=latency,
        supervision_timeout=timeout,
        min_ce_length=0,
        max_ce_length=0,
    )


async def advertise(host: BareHost, address: str, **parameters: object) -> hci.Address:
    """Set a random address, data ``02 01 06`` and scan response ``02 09 41``, and advertise."""
    random_address = hci.Address(address)
    for command in (
        hci.HCI_LE_Set_Random_Address_Command(random_address=random_address),
        hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=b"\x02\x01\x06"),
        hci.HCI_LE_Set_Scan_Response_Data_Command(scan_response_data=b"\x02\x09\x41"),
        advertising_parameters(**parameters),  # type: ignore[arg-type]
        hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1),
    ):
        assert status_of(await host.send(command)) == hci.HCI_SUCCESS
    return random_address


async def scan(
    host: BareHost, *, active: bool = True, filter_duplicates: bool = False, policy: int = 0
) -> None:
    """Start a scan from the random address C0:00:00:00:00:AA."""
    for command in (
        hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address("C0:00:00:00:00:AA")),
        hci.HCI_LE_Set_Scan_Parameters_Command(
            le_scan_type=int(active),
            le_scan_interval=96,
            le_scan_window=96,
            own_address_type=hci.OwnAddressType.RANDOM,
            scanning_filter_policy=policy,
        ),
        hci.HCI_LE_Set_Scan_Enable_Command(
            le_scan_enable=1, filter_duplicates=int(filter_duplicates)
        ),
    ):
        assert status_of(await host.send(command)) == hci.HCI_SUCCESS


def status_of(event: hci.HCI_Packet) -> int:
    """Return the status of a Command Complete or Command Status event."""
    if isinstance(event, hci.HCI_Command_Status_Event):
        return event.status
    assert isinstance(event, hci.HCI_Command_Complete_Event)
    status: int = event.return_parameters.status
    return status


def reports(host: BareHost) -> list[tuple[int, str, bytes]]:
    """Return type, address and data of every advertising report."""
    return [
        (report.event_type, str(report.address), report.data)
        for event in host.of(hci.HCI_LE_Advertising_Report_Event)
        for report in event.reports  # type: ignore[attr-defined]
    ]
