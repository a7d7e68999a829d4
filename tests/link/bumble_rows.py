"""Probes for what bumble's link and controllers get wrong: each says whether it is right.

A probe knows nothing of whose parts it examines. It gets the parts, and answers True where they
do as hardware does. So a row that bumble repairs shows up as a probe that is True on its own
parts.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any, Protocol

from bumble import core, hci
from bumble.controller import Controller
from bumble.device import (
    AdvertisingEventProperties,
    AdvertisingParameters,
    Connection,
    Device,
    DeviceConfiguration,
    Peer,
)
from bumble.gatt import Characteristic, Service
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.link import LocalLink

from bletest.link.virtual import VirtualLink
from tests.link.support import (
    BareHost,
    advertise,
    create_connection,
    now,
    scan,
    status_of,
)

A, B, C = "C0:00:00:00:00:01", "C0:00:00:00:00:02", "C0:00:00:00:00:AA"
PUBLIC_A, PUBLIC_B = "02:00:00:00:00:01", "02:00:00:00:00:02"
TX_POWER = b"\x02\x0a\x00"
PATIENCE = 120.0
"""Seconds after which something that was waited for has not happened."""


class Parts(Protocol):
    """A link, and controllers on it."""

    link: Any

    def controller(self, name: str, public: str = PUBLIC_A, *, extended: bool = False) -> Any:
        """Put a controller on the link."""


class BumbleParts:
    """bumble's own parts."""

    def __init__(self) -> None:
        self.link = LocalLink()  # type: ignore[no-untyped-call]

    def controller(self, name: str, public: str = PUBLIC_A, *, extended: bool = False) -> Any:
        controller = Controller(name, link=self.link, public_address=public)
        if not extended:
            controller.le_features &= ~hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        return controller


class OurParts:
    """The virtual air and its controllers."""

    def __init__(self) -> None:
        self.link = VirtualLink()

    def controller(self, name: str, public: str = PUBLIC_A, *, extended: bool = False) -> Any:
        return self.link.new_controller(name, public, extended=extended)


Probe = Callable[[Parts], Awaitable[bool]]
ROWS: list[tuple[str, Probe]] = []


def row(words: str) -> Callable[[Probe], Probe]:
    """Enter a probe for a row of the table."""

    def enter(probe: Probe) -> Probe:
        ROWS.append((words, probe))
        return probe

    return enter


async def device(
    parts: Parts, name: str, address: str, public: str = PUBLIC_A, *, extended: bool = False
) -> Device:
    """Power on bumble's own device and host."""
    controller = parts.controller(name, public, extended=extended)
    config = DeviceConfiguration(name=name, address=hci.Address(address), irk=bytes(16))
    it = Device(config=config, host=Host(controller, controller))
    it.keystore = MemoryKeyStore()
    battery = Characteristic(
        "2A19", Characteristic.Properties.READ, Characteristic.READABLE, b"\x2a"
    )
    it.add_service(Service("180F", [battery]))
    await it.power_on()
    return it


async def central_and_peripheral(
    parts: Parts, *, extended: bool = False
) -> tuple[Device, Device, hci.Address]:
    """Return a central, and a peripheral that advertises under a random address."""
    peripheral = await device(parts, "peripheral", A, PUBLIC_A, extended=extended)
    central = await device(parts, "central", C, PUBLIC_B, extended=extended)
    await peripheral.start_advertising(advertising_interval_min=100, advertising_interval_max=100)
    return central, peripheral, peripheral.random_address


async def happens(something: Awaitable[Any], *, within: float = PATIENCE) -> bool:
    """Whether something is over in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await something
            return True
    return False


async def bare_pair(parts: Parts, **parameters: Any) -> tuple[BareHost, BareHost]:
    """Return a host that is to scan or connect, and one that advertises."""
    listener = BareHost(parts.controller("listener", PUBLIC_B))
    advertiser = BareHost(parts.controller("advertiser", PUBLIC_A))
    await listener.send(hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address(C)))
    if parameters:
        await advertise(advertiser, A, **parameters)
    return listener, advertiser


def heard(host: BareHost) -> list[tuple[int, bytes]]:
    """Return type and data of all reports, the types as in legacy reports."""
    found = []
    for event in host.of(hci.HCI_LE_Advertising_Report_Event):
        found += [(report.event_type, report.data) for report in event.reports]  # type: ignore
    return found


SCAN_RESPONSE = 4


@row("a device with a public address connects and has a data path")
async def public_address(parts: Parts) -> bool:
    peripheral = await device(parts, "peripheral", A, PUBLIC_A)
    central = await device(parts, "central", C, PUBLIC_B)
    await peripheral.start_advertising(own_address_type=hci.OwnAddressType.PUBLIC)
    connection = await central.connect(
        peripheral.public_address, own_address_type=hci.OwnAddressType.PUBLIC
    )
    return await happens(Peer(connection).discover_services(), within=20)


@row("advertisements reach nobody who does not listen")
async def idle_controllers(parts: Parts) -> bool:
    bystander = parts.controller("bystander", PUBLIC_B)
    calls: list[object] = []
    for name in ("on_ll_advertising_pdu", "on_heard", "on_candidate"):
        if hasattr(bystander, name):
            setattr(bystander, name, calls.append)
    listener, _ = await bare_pair(parts, interval=0.1)
    await scan(listener)
    await asyncio.sleep(1)
    return not calls


@row("advertisements reach listeners in the order in which they came, whatever their hashes")
async def order(parts: Parts) -> bool:
    kind = type(parts.controller("first"))
    heard_by: list[str] = []
    hosts = []
    for index in range(4):
        controller = parts.controller(f"{index}")
        # Sets of few small numbers iterate by number, here against the order of coming.
        controller.__class__ = type(kind.__name__, (kind,), {"__hash__": lambda _, h=7 - index: h})
        hosts.append(controller)
    # A class that defines a hash after the object was put into a set is found by no set: join anew.
    if isinstance(parts.link, VirtualLink):
        members = parts.link._members
        rest = list(members)
        members.clear()
        members.update(dict.fromkeys(rest))
    else:
        rest = list(parts.link.controllers)
        parts.link.controllers = set()
        parts.link.controllers.update([*rest, *hosts])
    for index, controller in enumerate(hosts):
        host = BareHost(controller)
        await scan(host)
        host.on_packet = lambda _, name=f"{index}": heard_by.append(name)  # type: ignore
    advertiser = BareHost(parts.controller("advertiser"))
    await advertise(advertiser, A)
    await asyncio.sleep(0.05)
    assert heard_by
    return list(dict.fromkeys(heard_by)) == ["0", "1", "2", "3"]


@row("advertising intervals are in units of 0.625 ms")
async def interval(parts: Parts) -> bool:
    listener, _ = await bare_pair(parts, interval=1.0, kind=0)
    await scan(listener, active=False)
    moments: list[float] = []
    listener.on_packet = lambda _: moments.append(now())  # type: ignore[method-assign]
    await asyncio.sleep(10)
    moments = list(dict.fromkeys(moments))  # bumble reports everything twice
    steps = {round(later - earlier, 1) for earlier, later in pairwise(moments)}
    return steps == {1.0}


@row("a passive scan hears no scan responses")
async def passive(parts: Parts) -> bool:
    listener, _ = await bare_pair(parts, interval=0.1)
    await scan(listener, active=False)
    await asyncio.sleep(1)
    return bool(heard(listener)) and all(kind != SCAN_RESPONSE for kind, _ in heard(listener))


@row("scan responses carry the scan response data")
async def scan_response(parts: Parts) -> bool:
    listener, _ = await bare_pair(parts, interval=0.1)
    await scan(listener)
    await asyncio.sleep(1)
    data = {data for kind, data in heard(listener) if kind == SCAN_RESPONSE}
    return data == {b"\x02\x09A"}


@row("an advertiser that is not connectable is heard, and reported as such")
async def advertising_type(parts: Parts) -> bool:
    listener, _ = await bare_pair(parts, interval=0.1, kind=3)
    await scan(listener)
    await asyncio.sleep(1)
    return {kind for kind, _ in heard(listener)} == {3}


@row("an extended set that is not connectable is reported as such")
async def extended_type(parts: Parts) -> bool:
    peripheral = await device(parts, "peripheral", A, PUBLIC_A, extended=True)
    central = await device(parts, "central", C, PUBLIC_B, extended=True)
    seen: list[bool] = []
    central.on("advertisement", lambda advertisement: seen.append(advertisement.is_connectable))
    properties = AdvertisingEventProperties(is_connectable=False)
    await peripheral.create_advertising_set(
        advertising_parameters=AdvertisingParameters(advertising_event_properties=properties),
        advertising_data=TX_POWER,
    )
    await central.start_scanning(active=False)
    await asyncio.sleep(5)
    return bool(seen) and not any(seen)


@row("duplicates are filtered where the host asks for it")
async def duplicates(parts: Parts) -> bool:
    listener, _ = await bare_pair(parts, interval=0.1)
    await scan(listener, filter_duplicates=True)
    await asyncio.sleep(2)
    return len(heard(listener)) == 2


@row("a scan with the accept list hears only who is on it")
async def accept_list(parts: Parts) -> bool:
    listener, _ = await bare_pair(parts, interval=0.1)
    stranger = hci.Address(B)
    await listener.send(
        hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(
            address_type=stranger.address_type, address=stranger
        )
    )
    await scan(listener, policy=1)
    await asyncio.sleep(1)
    return not heard(listener)


@row("directed advertising is heard by its target, as directed")
async def directed(parts: Parts) -> bool:
    listener, _ = await bare_pair(parts, kind=4, peer=hci.Address(C))
    await scan(listener)
    await asyncio.sleep(1)
    return {kind for kind, _ in heard(listener)} == {1}


@row("RSSI in reports is that of the link")
async def reported_rssi(parts: Parts) -> bool:
    parts.link.rssi = lambda *_: -71
    listener, _ = await bare_pair(parts, interval=0.1)
    await scan(listener)
    await asyncio.sleep(1)
    events = listener.of(hci.HCI_LE_Advertising_Report_Event)
    return {report.rssi for event in events for report in event.reports} == {-71}  # type: ignore


@row("RSSI of a connection can be read")
async def read_rssi(parts: Parts) -> bool:
    central, _, address = await central_and_peripheral(parts)
    connection = await central.connect(address)
    with contextlib.suppress(hci.HCI_Error, AssertionError, RuntimeError):
        async with asyncio.timeout(PATIENCE):
            return await connection.get_rssi() < 0
    return False


@row("connecting to nobody times out")
async def connect_timeout(parts: Parts) -> bool:
    central, _, _ = await central_and_peripheral(parts)
    with contextlib.suppress(core.TimeoutError):
        await happens(central.connect(B, timeout=5))
        return False
    return True


@row("after a connection that was cancelled the next one works")
async def connect_again(parts: Parts) -> bool:
    listener, advertiser = await bare_pair(parts)
    await listener.send(create_connection(hci.Address(B)))
    await listener.send(hci.HCI_LE_Create_Connection_Cancel_Command())
    await advertise(advertiser, A, interval=0.1)
    answer = await listener.send(create_connection(hci.Address(A)))
    return status_of(answer) == 0


@row("a peer that vanishes is noticed after the supervision timeout")
async def supervision(parts: Parts) -> bool:
    central, peripheral, address = await central_and_peripheral(parts)
    connection = await central.connect(address)
    ended = asyncio.get_running_loop().create_future()
    connection.on(Connection.EVENT_DISCONNECTION, ended.set_result)
    parts.link.remove_controller(peripheral.host.controller)
    return await happens(ended) and ended.result() == hci.HCI_CONNECTION_TIMEOUT_ERROR


@row("the peripheral's side knows the connection parameters")
async def parameters(parts: Parts) -> bool:
    listener, advertiser = await bare_pair(parts, interval=0.1)
    await listener.send(create_connection(hci.Address(A), interval=40, latency=3, timeout=500))
    await asyncio.sleep(1)
    (event,) = advertiser.of(hci.HCI_LE_Connection_Complete_Event)
    found = (event.connection_interval, event.peripheral_latency, event.supervision_timeout)  # type: ignore
    return found == (40, 3, 500)


@row("a host that asks for LE Enhanced Connection Complete gets it")
async def enhanced(parts: Parts) -> bool:
    listener, _ = await bare_pair(parts, interval=0.1)
    every_event = hci.HCI_LE_Set_Event_Mask_Command(le_event_mask=b"\xff" * 8)
    await listener.send(every_event)
    await listener.send(create_connection(hci.Address(A)))
    await asyncio.sleep(1)
    return len(listener.of(hci.HCI_LE_Enhanced_Connection_Complete_Event)) == 1


@row("the size of the encryption key is known after pairing, on both sides")
async def key_size(parts: Parts) -> bool:
    central, peripheral, address = await central_and_peripheral(parts)
    connection = await central.connect(address)
    await connection.pair()
    await asyncio.sleep(1)
    (theirs,) = peripheral.connections.values()
    return connection.encryption_key_size == theirs.encryption_key_size == 16


@row("an event that the host has masked is not sent")
async def masks(parts: Parts) -> bool:
    listener, _ = await bare_pair(parts, interval=0.1)
    await listener.send(hci.HCI_LE_Set_Event_Mask_Command(le_event_mask=bytes(8)))
    await scan(listener)
    await asyncio.sleep(1)
    return not heard(listener)


@row("a peer that hides behind a private address is found by its identity")
async def private_addresses(parts: Parts) -> bool:
    key = bytes(range(16))
    listener, advertiser = await bare_pair(parts)
    peer, own = hci.Address(A), hci.Address(C)
    for host, identity in ((listener, peer), (advertiser, own)):
        await host.send(
            hci.HCI_LE_Add_Device_To_Resolving_List_Command(
                peer_identity_address_type=identity.address_type,
                peer_identity_address=identity,
                peer_irk=key,
                local_irk=key,
            )
        )
        await host.send(
            hci.HCI_LE_Set_Address_Resolution_Enable_Command(address_resolution_enable=1)
        )
    private = hci.OwnAddressType.RESOLVABLE_OR_RANDOM
    await advertise(advertiser, A, own=private, peer=own, interval=0.1)
    await scan(listener)
    await asyncio.sleep(1)
    events = listener.of(hci.HCI_LE_Advertising_Report_Event)
    kinds = {report.address.address_type for event in events for report in event.reports}  # type: ignore
    return kinds == {hci.Address.RANDOM_IDENTITY_ADDRESS}


@row("commands of legacy and extended advertising do not mix")
async def mixing(parts: Parts) -> bool:
    host = BareHost(parts.controller("host", extended=True))
    await host.send(hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=b""))
    answer = await host.send(hci.HCI_LE_Clear_Advertising_Sets_Command())
    return status_of(answer) == hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR


@row("the random address does not change under a running advertiser")
async def address_in_use(parts: Parts) -> bool:
    _, advertiser = await bare_pair(parts, interval=0.1)
    change = hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address(B))
    return status_of(await advertiser.send(change)) == hci.HCI_COMMAND_DISALLOWED_ERROR
