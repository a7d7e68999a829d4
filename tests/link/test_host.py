"""ATT goes past bumble, everything else through it, and no octets bring the host down."""

import asyncio
import struct

import pytest
from bumble import hci
from bumble.device import Device
from bumble.transport.common import TransportLostError

from bletest.link.clock import run
from bletest.link.host import SMP_CID, AttHost
from bletest.link.station import Station
from bletest.link.virtual import VirtualLink
from tests.link.support import station


class Pair:
    """A connected central and peripheral station, and what their hosts were handed."""

    def __init__(self, central: Station, peripheral: Station) -> None:
        self.central = central
        self.peripheral = peripheral
        self.at_server: list[tuple[int, bytes]] = []
        self.at_client: list[tuple[int, bytes]] = []
        self.handle = 1

    async def connect(self) -> "Pair":
        await self.peripheral.device.start_advertising()
        address = self.peripheral.device.random_address
        self.handle = (await self.central.device.connect(address)).handle
        self.peripheral.host.on_att_server_pdu = lambda *pdu: self.at_server.append(pdu)
        self.peripheral.host.on_att_client_pdu = lambda *pdu: self.at_client.append(pdu)
        return self

    async def send(self, pdu: bytes) -> None:
        self.central.host.send_att(self.handle, pdu)
        await asyncio.sleep(0.01)


async def in_pair(look):  # type: ignore[no-untyped-def]
    link = VirtualLink()
    async with station(link, "central") as central, station(link, "peripheral") as peripheral:
        return await look(await Pair(central, peripheral).connect())


@pytest.mark.parametrize(
    ("pdu", "for_server"),
    [
        (b"\x0a\x01\x00", True),
        (b"\x52\x01\x00\x2a", True),
        (b"\xd2\x01\x00" + bytes(12), True),
        (b"\x1e", True),
        (b"\x0a", True),
        (b"\x00", True),
        (b"\x3f\x01", True),
        (b"\x0b\x2a", False),
        (b"\x01\x0a\x01\x00\x01", False),
        (b"\x1b\x01\x00\x2a", False),
        (b"\x1d\x01\x00\x2a", False),
        (b"\x23\x01\x00\x01\x00\x2a", False),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else None,
)
def test_att_pdus_go_to_the_engine_that_they_are_for(pdu, for_server):
    async def look(pair: Pair) -> tuple[object, object]:
        await pair.send(pdu)
        return pair.at_server, pair.at_client

    expected = [(1, pdu)]
    assert run(in_pair(look)) == ((expected, []) if for_server else ([], expected))


def test_att_that_nobody_asked_for_goes_to_bumble():
    async def look(pair: Pair) -> list[bytes]:
        pair.peripheral.host.on_att_server_pdu = None
        answers: list[bytes] = []
        pair.central.host.on_att_client_pdu = lambda _, pdu: answers.append(pdu)
        await pair.send(b"\x02\x17\x00")
        return answers

    (answer,) = run(in_pair(look))
    assert answer[0] == 0x03


def test_long_pdus_arrive_whole():
    pdu = b"\x52\x01\x00" + bytes(514)

    async def look(pair: Pair) -> list[tuple[int, bytes]]:
        await pair.send(pdu)
        return pair.at_server

    assert run(in_pair(look)) == [(1, pdu)]


def test_an_empty_att_pdu_is_dropped():
    async def look(pair: Pair) -> list[tuple[int, bytes]]:
        await pair.send(b"")
        await pair.send(b"\x0a\x01\x00")
        return pair.at_server

    assert run(in_pair(look)) == [(1, b"\x0a\x01\x00")]


def test_the_observer_sees_att_and_smp_both_ways():
    async def look(pair: Pair) -> list[tuple[str, bool, int]]:
        seen: list[tuple[str, bool, int]] = []
        pair.central.host.observe = lambda what, _, sent, pdu: seen.append((what, sent, pdu[0]))
        pair.central.host.on_att_client_pdu = lambda *_: None
        pair.peripheral.host.on_att_server_pdu = lambda handle, _: pair.peripheral.host.send_att(
            handle, b"\x0b\x2a"
        )
        await pair.send(b"\x0a\x01\x00")
        await pair.central.device.connections[pair.handle].pair()
        return seen

    seen = run(in_pair(look))
    assert seen[:2] == [("att", True, 0x0A), ("att", False, 0x0B)]
    smp = [(sent, code) for what, sent, code in seen if what == "smp"]
    assert smp[:2] == [(True, 0x01), (False, 0x02)], "Pairing Request, Pairing Response"


@pytest.mark.parametrize("cid", [SMP_CID, 5, 1, 0, 0x40, 0xFFFF], ids=hex)
@pytest.mark.parametrize("payload", ["", "01", "ff", "0b", "0102", "1400ffff00", "0c" + "ff" * 80])
def test_octets_that_bumble_cannot_parse_do_not_stop_the_host(cid, payload):
    async def look(pair: Pair) -> tuple[list[tuple[int, bytes]], list[dict[str, object]]]:
        escaped: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: escaped.append(context))
        pair.central.host.send_l2cap_pdu(pair.handle, cid, bytes.fromhex(payload))
        await pair.send(b"\x0a\x01\x00")
        return pair.at_server, escaped

    assert run(in_pair(look)) == ([(1, b"\x0a\x01\x00")], [])


@pytest.mark.parametrize("fragment", ["", "00", "0500", "ffff0400", "00000400"])
def test_broken_l2cap_frames_do_not_stop_the_host(fragment):
    async def look(pair: Pair) -> tuple[list[tuple[int, bytes]], list[dict[str, object]]]:
        escaped: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: escaped.append(context))
        octets = bytes.fromhex(fragment)
        pair.peripheral.host.on_packet(
            struct.pack("<BHH", 2, pair.handle | 0x2000, len(octets)) + octets
        )
        await pair.send(b"\x0a\x01\x00")
        return pair.at_server, escaped

    assert run(in_pair(look)) == ([(1, b"\x0a\x01\x00")], [])


def test_an_error_of_our_own_engine_is_not_hidden():
    async def look(pair: Pair) -> list[object]:
        escaped: list[object] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: escaped.append(context["exception"])
        )

        def fail(handle: int, pdu: bytes) -> None:
            raise ValueError("an engine must not raise")

        pair.peripheral.host.on_att_server_pdu = fail
        await pair.send(b"\x0a\x01\x00")
        return escaped

    (escaped,) = run(in_pair(look))
    assert isinstance(escaped, ValueError)


def test_a_lost_transport_is_told_once_and_ends_what_waits():
    async def look(pair: Pair) -> tuple[list[str], list[int], int]:
        host, device = pair.central.host, pair.central.device
        told: list[str] = []
        ended: list[int] = []
        host.on_lost = told.append
        device.connections[pair.handle].on("disconnection", ended.append)
        pair.central.controller.set_packet_sink(None)  # type: ignore[union-attr]
        waiting = asyncio.create_task(host.send_sync_command(hci.HCI_Read_BD_ADDR_Command()))
        await asyncio.sleep(0)
        host.on_transport_lost()
        host.on_transport_lost()
        with pytest.raises(TransportLostError):
            await waiting
        with pytest.raises(TransportLostError):
            await host.send_sync_command(hci.HCI_Read_BD_ADDR_Command())
        host.send_att(pair.handle, b"\x0a\x01\x00")
        return told, ended, len(device.connections)

    told, ended, connections = run(in_pair(look))
    assert told == ["the transport to the controller has ended"]
    assert (ended, connections) == ([0], 0)


def test_a_host_without_a_device_takes_everything_quietly():
    async def main() -> bool:
        host = AttHost()
        host.on_packet(bytes.fromhex("04ff00"))
        host.send_att(1, b"\x0a\x01\x00")
        host.on_transport_lost()
        return host.lost

    assert run(main())


def test_the_host_serves_a_plain_bumble_device():
    async def main() -> bool:
        link = VirtualLink()
        controller = link.new_controller("controller")
        host = AttHost()
        host.set_packet_sink(controller)
        host.set_packet_source(controller)
        device = Device(name="plain", address=hci.Address("C0:00:00:00:00:01"), host=host)
        await device.power_on()
        return device.powered_on

    assert run(main())
