"""Frames between two hosts of ours go without HCI packets, in the order they had with them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from bumble import hci, l2cap
from bumble.device import Connection, Peer

from bletest.link.clock import run
from bletest.link.data_path import DataPath
from bletest.link.station import Station
from bletest.link.virtual import IN_ONE_TURN, VirtualLink
from tests.link.support import plain_device, station

T = TypeVar("T")

BOTH = pytest.mark.parametrize("path", DataPath)
READ, VALUE = b"\x0a\x03\x00", b"\x0b\x2a"


class Pair:
    """Two stations that are connected; what each host is handed is in ``heard``, in order."""

    def __init__(self, central: Station, peripheral: Station) -> None:
        self.central = central
        self.peripheral = peripheral
        self.heard: list[object] = []
        self.acl_packets = 0
        for one in (central, peripheral):
            assert one.controller is not None
            self._count(one.host)
            self._count(one.controller)
        central.host.on_att_client_pdu = lambda _, pdu: self.heard.append(pdu)
        peripheral.host.on_att_server_pdu = lambda _, pdu: self.heard.append(pdu)

    def _count(self, sink: object) -> None:
        take = sink.on_packet  # type: ignore[attr-defined]

        def on_packet(packet: bytes) -> None:
            self.acl_packets += packet[0] == hci.HCI_ACL_DATA_PACKET
            take(packet)

        sink.on_packet = on_packet  # type: ignore[attr-defined]

    async def connect(self) -> Connection:
        await self.peripheral.device.start_advertising()
        return await self.central.device.connect(self.peripheral.device.random_address)

    @property
    def server_end(self) -> Connection:
        (connection,) = self.peripheral.device.connections.values()
        return connection


def with_pair(look: Callable[[Pair], Awaitable[T]], path: DataPath = DataPath.SHORT) -> T:
    async def main() -> T:
        link = VirtualLink(path=path)
        async with station(link, "central") as central, station(link, "peripheral") as peripheral:
            return await look(Pair(central, peripheral))

    return run(main())


@pytest.mark.parametrize(("path", "packets"), [(DataPath.SHORT, 0), (DataPath.HCI, 4)])
def test_an_exchange_takes_hci_packets_on_the_full_path_only(path, packets):
    async def look(pair: Pair) -> tuple[list[object], int]:
        link = await pair.connect()
        await asyncio.sleep(0.1)
        before = pair.acl_packets
        answer = pair.peripheral.host.send_att
        pair.peripheral.host.on_att_server_pdu = lambda handle, pdu: answer(handle, VALUE)
        pair.central.host.send_att(link.handle, READ)
        await asyncio.sleep(0.1)
        return pair.heard, pair.acl_packets - before

    assert with_pair(look, path) == ([VALUE], packets)


@BOTH
@pytest.mark.parametrize("length", [0, 1, 22, 596, 600, 5000])
def test_frames_of_any_length_arrive_whole(path, length):
    async def look(pair: Pair) -> list[object]:
        link = await pair.connect()
        pair.central.host.send_att(link.handle, b"\x52" + bytes(length))
        await asyncio.sleep(0.1)
        return pair.heard

    assert with_pair(look, path) == [b"\x52" + bytes(length)]


@BOTH
def test_a_frame_sent_at_once_comes_after_the_connection(path):
    async def look(pair: Pair) -> list[object]:
        pair.peripheral.device.on("connection", lambda _: pair.heard.append("connection"))
        pair.central.device.on(
            "connection", lambda link: pair.central.host.send_att(link.handle, READ)
        )
        await pair.connect()
        await asyncio.sleep(0.1)
        return pair.heard

    assert with_pair(look, path) == ["connection", READ]


@BOTH
def test_a_frame_sent_when_the_link_is_encrypted_comes_after_the_peer_knows(path):
    async def look(pair: Pair) -> list[object]:
        link = await pair.connect()
        pair.server_end.on(
            "connection_encryption_change",
            lambda: pair.heard.append(pair.server_end.is_encrypted),
        )
        link.on(
            "connection_encryption_change",
            lambda: pair.central.host.send_att(link.handle, READ),
        )
        await link.pair()
        await asyncio.sleep(0.1)
        return pair.heard

    assert with_pair(look, path) == [True, READ]


@BOTH
def test_frames_before_a_disconnect_arrive_before_it_and_none_after_it(path):
    async def look(pair: Pair) -> list[object]:
        link = await pair.connect()
        server_end = pair.server_end
        server_end.on("disconnection", lambda reason: pair.heard.append(reason))
        link.on("disconnection", lambda _: pair.central.host.send_att(link.handle, b"\x52\2\0"))
        for number in range(3):
            pair.central.host.send_att(link.handle, b"\x52" + bytes((number, 0)))
        await link.disconnect()
        pair.peripheral.host.send_att(server_end.handle, VALUE)
        await asyncio.sleep(0.1)
        return pair.heard

    assert with_pair(look, path) == [b"\x52\0\0", b"\x52\1\0", b"\x52\2\0", 0x13]


@BOTH
def test_a_second_connection_gets_nothing_of_the_first(path):
    async def look(pair: Pair) -> list[object]:
        link = await pair.connect()
        # On its way when the receiver itself ends the link.
        pair.central.host.send_att(link.handle, READ)
        await pair.server_end.disconnect()
        await asyncio.sleep(0.1)
        pair.heard.clear()
        again = await pair.connect()
        pair.central.host.send_att(again.handle, b"\x0a\x05\x00")
        await asyncio.sleep(0.1)
        return pair.heard

    assert with_pair(look, path) == [b"\x0a\x05\x00"]


@BOTH
def test_a_flood_arrives_in_order_and_leaves_others_their_turns(path):
    async def look(pair: Pair) -> tuple[list[object], int]:
        link = await pair.connect()
        for number in range(10 * IN_ONE_TURN):
            pair.central.host.send_att(link.handle, b"\x52" + number.to_bytes(2, "little"))
        turns = 0
        while len(pair.heard) < 10 * IN_ONE_TURN:
            turns += 1
            await asyncio.sleep(0)
        return pair.heard, turns

    heard, turns = with_pair(look, path)
    assert heard == [b"\x52" + number.to_bytes(2, "little") for number in range(10 * IN_ONE_TURN)]
    assert turns >= 10


@BOTH
def test_signalling_and_credit_based_channels_work(path):
    async def look(pair: Pair) -> bytes:
        received = bytearray()
        arrived = asyncio.Event()

        def on_channel(channel: l2cap.LeCreditBasedChannel) -> None:
            def sink(data: bytes) -> None:
                received.extend(data)
                if len(received) == 5000:
                    arrived.set()

            channel.sink = sink

        server = pair.peripheral.device.create_l2cap_server(
            l2cap.LeCreditBasedChannelSpec(psm=0x80, max_credits=4, mtu=100, mps=50), on_channel
        )
        link = await pair.connect()
        channel = await link.create_l2cap_channel(l2cap.LeCreditBasedChannelSpec(psm=server.psm))
        channel.write(bytes(range(250)) * 20)
        await channel.drain()
        async with asyncio.timeout(10):
            await arrived.wait()
        await link.update_parameters(15, 15, 0, 1000)
        return bytes(received)

    assert with_pair(look, path) == bytes(range(250)) * 20


@BOTH
def test_draining_a_connection_ends(path):
    async def look(pair: Pair) -> list[object]:
        link = await pair.connect()
        for _ in range(3):
            pair.central.host.send_att(link.handle, READ)
        async with asyncio.timeout(10):
            await link.drain()
        await asyncio.sleep(0.1)
        return pair.heard

    assert with_pair(look, path) == [READ] * 3


def test_a_frame_whose_header_lies_does_not_stop_the_host():
    async def look(pair: Pair) -> list[object]:
        link = await pair.connect()
        for frame in (b"", b"\x01", b"\x01\x00\x04", b"\x09\x00\x04\x00"):
            pair.central.host.send_acl_sdu(link.handle, frame)
        await asyncio.sleep(0.1)
        return pair.heard

    assert with_pair(look) == []


@pytest.mark.parametrize("ours_is_central", [True, False])
def test_a_plain_bumble_host_at_either_end_is_reached_through_hci(ours_is_central):
    async def main() -> int:
        link = VirtualLink()
        plain = await plain_device(link, "plain")
        async with station(link, "ours") as ours:
            central, peripheral = (ours.device, plain) if ours_is_central else (plain, ours.device)
            # Without an engine of its own, a station's ATT is bumble's.
            await peripheral.start_advertising()
            peer = Peer(await central.connect(peripheral.random_address))
            return await peer.request_mtu(100)

    assert run(main()) == 100


def test_a_controller_that_got_another_host_hands_frames_to_nobody_of_before():
    async def look(pair: Pair) -> list[object]:
        link = await pair.connect()
        controller = pair.peripheral.controller
        assert controller is not None
        pair.central.host.send_att(link.handle, READ)
        controller.set_packet_sink(None)
        await asyncio.sleep(0.1)
        controller.set_packet_sink(pair.peripheral.host)
        return pair.heard

    assert with_pair(look) == []
