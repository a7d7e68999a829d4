"""L2CAP frames out of ACL data packets, and back into packets of the controller's buffers."""

import asyncio
import struct

import pytest
from bumble import hci
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.link.clock import run
from bletest.link.controller import VirtualController
from bletest.link.reassembly import CONTINUING, FIRST, Reassembly
from bletest.link.virtual import VirtualLink
from tests.link.support import BareHost, advertise, create_connection


@settings(deadline=None)
@given(st.lists(st.binary(max_size=520), max_size=4), st.integers(1, 251), st.sampled_from(FIRST))
def test_frames_come_out_whole_however_they_were_cut(payloads, size, first):
    reassembly, found = Reassembly(), []
    frames = [struct.pack("<HH", len(payload), 4) + payload for payload in payloads]
    for frame in frames:
        for offset in range(0, len(frame), size):
            flag = CONTINUING if offset else first
            found.append(reassembly.feed(flag, frame[offset : offset + size]))
    assert [frame for frame in found if frame is not None] == frames


@pytest.mark.parametrize(
    ("packets", "told"),
    [
        ([(1, "0400040001020304")], "continues nothing"),
        ([(3, "0400040001020304")], "a boundary flag that LE does not have"),
        ([(0, "04000400010203040506")], "2 octets too many"),
        ([(0, "04000400"), (0, "0400040001")], "never finished"),
    ],
)
def test_what_is_no_frame_is_dropped_with_a_word_and_the_next_one_arrives(packets, told, caplog):
    reassembly = Reassembly()
    for flag, data in packets:
        assert reassembly.feed(flag, bytes.fromhex(data)) is None
    assert reassembly.feed(0, bytes.fromhex("01000400aa")) == bytes.fromhex("01000400aa")
    assert told in caplog.text


async def connected() -> tuple[BareHost, BareHost]:
    link = VirtualLink()
    central, peripheral = (
        BareHost(link.new_controller(name, "02:00:00:00:00:01")) for name in "cp"
    )
    address = await advertise(peripheral, "C0:00:00:00:00:01")
    await central.send(create_connection(address, own=hci.OwnAddressType.PUBLIC))
    await asyncio.sleep(1)
    return central, peripheral


def handle(host: BareHost) -> int:
    (complete,) = host.of(hci.HCI_LE_Connection_Complete_Event)
    return complete.connection_handle  # type: ignore[attr-defined, no-any-return]


def acl_packets(host: BareHost) -> list[tuple[int, bytes]]:
    return [
        (packet.pb_flag, packet.data)  # type: ignore[attr-defined]
        for packet in host.of(hci.HCI_AclDataPacket)
    ]


@pytest.mark.parametrize("buffers", [27, 251])
def test_a_frame_is_cut_into_packets_of_the_receivers_buffers(buffers):
    frame = struct.pack("<HH", 512, 4) + bytes(range(256)) * 2

    async def main() -> list[tuple[int, bytes]]:
        central, peripheral = await connected()
        peripheral.controller.le_acl_data_packet_length = buffers
        for offset in range(0, len(frame), 100):
            part, flag = frame[offset : offset + 100], 0x1000 if offset else 0
            header = struct.pack("<BHH", 2, handle(central) | flag, len(part))
            central.controller.on_packet(header + part)
        await asyncio.sleep(0.1)
        completed = central.of(hci.HCI_Number_Of_Completed_Packets_Event)
        assert [event.num_completed_packets for event in completed] == [[1]] * 6  # type: ignore[attr-defined]
        return acl_packets(peripheral)

    (first, *others) = packets = run(main())
    assert b"".join(data for _, data in packets) == frame
    assert first[0] == hci.HCI_ACL_PB_FIRST_FLUSHABLE
    assert {flag for flag, _ in others} == {hci.HCI_ACL_PB_CONTINUATION}
    assert [len(data) for _, data in packets[:-1]] == [buffers] * (len(packets) - 1)


@pytest.mark.parametrize("data", ["", "0400", "04000400ffff", "ffff0400", "00000400aa"])
def test_every_packet_gives_its_buffer_back_whatever_it_holds(data):
    async def main() -> list[list[int]]:
        central, _ = await connected()
        octets = bytes.fromhex(data)
        header = struct.pack("<BHH", 2, handle(central), len(octets))
        central.controller.on_packet(header + octets)
        await asyncio.sleep(0.1)
        completed = central.of(hci.HCI_Number_Of_Completed_Packets_Event)
        return [event.num_completed_packets for event in completed]  # type: ignore[attr-defined]

    assert run(main()) == [[1]]


def test_half_a_frame_does_not_outlive_its_connection():
    async def main() -> list[tuple[int, bytes]]:
        central, peripheral = await connected()
        central.controller.on_packet(struct.pack("<BHH", 2, handle(central), 5) + b"\x08\0\x04\0a")
        await central.send(
            hci.HCI_Disconnect_Command(connection_handle=handle(central), reason=0x13)
        )
        assert isinstance(peripheral.controller, VirtualController)
        await peripheral.send(hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1))
        central.events.clear()
        await central.send(
            create_connection(hci.Address("C0:00:00:00:00:01"), own=hci.OwnAddressType.PUBLIC)
        )
        await asyncio.sleep(1)
        frame = b"\x01\0\x04\0z"
        central.controller.on_packet(struct.pack("<BHH", 2, handle(central), 5) + frame)
        await asyncio.sleep(0.1)
        return acl_packets(peripheral)

    assert run(main()) == [(hci.HCI_ACL_PB_FIRST_FLUSHABLE, b"\x01\0\x04\0z")]
