"""Connections between bare hosts: parameters, data, ends, and commands that fail."""

import asyncio
import struct

import pytest
from bumble import hci

from bletest.link.clock import run
from bletest.link.virtual import VirtualLink
from tests.link.support import (
    BareHost,
    advertise,
    create_connection,
    now,
    scan,
    status_of,
)

P = "C0:00:00:00:00:01"
C = "C0:00:00:00:00:AA"


async def random_address(host: BareHost, address: str = C) -> hci.Address:
    parsed = hci.Address(address)
    await host.send(hci.HCI_LE_Set_Random_Address_Command(random_address=parsed))
    return parsed


async def connected(**parameters: int) -> tuple[VirtualLink, BareHost, BareHost]:
    """Return an air with a connected central and peripheral, both with handle 1."""
    link = VirtualLink()
    central = BareHost(link.new_controller("central", "02:00:00:00:00:0C"))
    peripheral = BareHost(link.new_controller("peripheral", "02:00:00:00:00:0D"))
    await advertise(peripheral, P)
    await random_address(central)
    await central.send(create_connection(hci.Address(P), **parameters))
    await asyncio.sleep(0.2)
    return link, central, peripheral


def completes(host: BareHost) -> list[hci.HCI_LE_Connection_Complete_Event]:
    return host.of(hci.HCI_LE_Connection_Complete_Event)  # type: ignore[return-value]


def reasons(host: BareHost) -> list[int]:
    return [event.reason for event in host.of(hci.HCI_Disconnection_Complete_Event)]  # type: ignore


def frame(payload: bytes, cid: int = 4) -> bytes:
    return struct.pack("<HH", len(payload), cid) + payload


def send_frame(host: BareHost, payload: bytes, *, handle: int = 1) -> None:
    data = frame(payload)
    for offset in range(0, len(data), 251):
        part = data[offset : offset + 251]
        boundary = 1 if offset else 0
        host.controller.on_packet(struct.pack("<BHH", 2, handle | boundary << 12, len(part)) + part)


def received(host: BareHost) -> list[bytes]:
    frames: list[bytes] = []
    for packet in host.octets:
        if packet[0] == hci.HCI_ACL_DATA_PACKET:
            if packet[2] >> 4 == 2:
                frames.append(packet[5:])
            else:
                frames[-1] += packet[5:]
    return frames


def test_both_sides_learn_the_connection_parameters_and_each_others_address():
    async def main() -> tuple[list[tuple[object, ...]], ...]:
        _, central, peripheral = await connected(interval=24, latency=4, timeout=300)
        return tuple(
            [
                (
                    event.status,
                    event.role,
                    str(event.peer_address),
                    event.connection_interval,
                    event.peripheral_latency,
                    event.supervision_timeout,
                )
                for event in completes(host)
            ]
            for host in (central, peripheral)
        )

    assert run(main()) == (
        [(0, hci.Role.CENTRAL, P, 24, 4, 300)],
        [(0, hci.Role.PERIPHERAL, C, 24, 4, 300)],
    )


@pytest.mark.parametrize("central_own", [hci.OwnAddressType.PUBLIC, hci.OwnAddressType.RANDOM])
@pytest.mark.parametrize("peripheral_own", [hci.OwnAddressType.PUBLIC, hci.OwnAddressType.RANDOM])
def test_data_flows_between_public_and_random_addresses(central_own, peripheral_own):
    async def main() -> tuple[list[bytes], list[bytes]]:
        link = VirtualLink()
        central = BareHost(link.new_controller("central", "02:00:00:00:00:0C"))
        peripheral = BareHost(link.new_controller("peripheral", "02:00:00:00:00:0D"))
        await advertise(peripheral, P, own=peripheral_own)
        await random_address(central)
        target = peripheral.controller.own_address(peripheral_own)
        await central.send(create_connection(target, own=central_own))
        await asyncio.sleep(0.2)
        send_frame(central, b"there")
        send_frame(peripheral, b"and back")
        await asyncio.sleep(0.1)
        return received(peripheral), received(central)

    assert run(main()) == ([frame(b"there")], [frame(b"and back")])


@pytest.mark.parametrize("length", [0, 1, 246, 247, 248, 498, 517, 1500])
def test_frames_of_any_length_arrive_whole_in_packets_of_251_octets_at_most(length):
    async def main() -> tuple[list[bytes], int]:
        _, central, peripheral = await connected()
        send_frame(central, bytes(range(256)) * 6 and bytes(length))
        await asyncio.sleep(0.1)
        longest = max(len(p) for p in peripheral.octets if p[0] == hci.HCI_ACL_DATA_PACKET)
        return received(peripheral), longest

    frames, longest = run(main())
    assert frames == [frame(bytes(length))]
    assert longest <= 5 + 251


def test_data_keeps_its_order_and_each_packet_is_completed():
    async def main() -> tuple[list[bytes], int]:
        _, central, peripheral = await connected()
        for number in range(50):
            send_frame(central, bytes([number]))
        await asyncio.sleep(0.1)
        completed = central.of(hci.HCI_Number_Of_Completed_Packets_Event)
        return received(peripheral), sum(e.num_completed_packets[0] for e in completed)  # type: ignore

    assert run(main()) == ([frame(bytes([number])) for number in range(50)], 50)


def test_changing_the_random_address_does_not_cut_the_data_path():
    async def main() -> list[bytes]:
        _, central, peripheral = await connected()
        await random_address(peripheral, "C0:00:00:00:00:99")
        send_frame(central, b"still there")
        await asyncio.sleep(0.1)
        return received(peripheral)

    assert run(main()) == [frame(b"still there")]


def test_a_disconnect_gives_the_reason_to_the_peer_and_0x16_to_the_host_that_asked():
    async def main() -> tuple[list[int], list[int]]:
        _, central, peripheral = await connected()
        await central.send(hci.HCI_Disconnect_Command(connection_handle=1, reason=0x13))
        await asyncio.sleep(0.1)
        return reasons(central), reasons(peripheral)

    assert run(main()) == ([0x16], [0x13])


def test_data_sent_before_a_disconnect_arrives_before_it():
    async def main() -> list[type[hci.HCI_Packet]]:
        _, central, peripheral = await connected()
        before = len(peripheral.events)
        send_frame(central, b"goodbye")
        await central.send(hci.HCI_Disconnect_Command(connection_handle=1, reason=0x13))
        await asyncio.sleep(0.1)
        return [type(event) for event in peripheral.events[before:]]

    assert run(main()) == [hci.HCI_AclDataPacket, hci.HCI_Disconnection_Complete_Event]


def test_disconnects_from_both_sides_at_once_end_the_link_once():
    async def main() -> tuple[list[int], list[int]]:
        _, central, peripheral = await connected()
        command = bytes(hci.HCI_Disconnect_Command(connection_handle=1, reason=0x13))
        central.controller.on_packet(command)
        peripheral.controller.on_packet(command)
        await asyncio.sleep(1)
        return reasons(central), reasons(peripheral)

    assert run(main()) == ([0x16], [0x16])


@pytest.mark.parametrize("timeout", [10, 72, 600])
def test_a_peer_that_vanishes_is_noticed_when_the_supervision_timeout_has_passed(timeout):
    async def main() -> tuple[float, list[int], list[int]]:
        link, central, peripheral = await connected(interval=6, timeout=timeout)
        vanished = now()
        link.remove_controller(peripheral.controller)
        gone = asyncio.Event()
        receive = central.on_packet
        central.on_packet = lambda packet: (receive(packet), gone.set())  # type: ignore
        await gone.wait()
        return now() - vanished, reasons(central), reasons(peripheral)

    waited, at_central, at_peripheral = run(main())
    assert waited == pytest.approx(timeout * 0.01)
    assert at_central == [0x08]
    assert at_peripheral == []


def test_disconnecting_from_a_vanished_peer_leaves_no_timer():
    async def main() -> list[int]:
        link, central, peripheral = await connected()
        link.remove_controller(peripheral.controller)
        await central.send(hci.HCI_Disconnect_Command(connection_handle=1, reason=0x13))
        await asyncio.sleep(10)
        return reasons(central)

    assert run(main()) == [0x16]


def test_a_reset_ends_links_advertising_and_scanning_without_a_word():
    async def main() -> tuple[list[int], list[int], bool, bool]:
        _, central, peripheral = await connected()
        await scan_from(peripheral)
        await peripheral.send(hci.HCI_Reset_Command())
        await asyncio.sleep(5)
        controller = peripheral.controller
        return (
            reasons(central),
            reasons(peripheral),
            controller.is_advertising,
            controller.le_scan_enable,
        )

    async def scan_from(host: BareHost) -> None:
        command = hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0)
        await host.send(command)

    assert run(main()) == ([0x08], [], False, False)


def test_cancelling_a_connection_completes_it_with_0x02_and_the_next_one_works():
    async def main() -> tuple[int, list[int]]:
        link = VirtualLink()
        central = BareHost(link.new_controller("central"))
        peripheral = BareHost(link.new_controller("peripheral"))
        await random_address(central)
        await central.send(create_connection(hci.Address(P)))
        cancelled = await central.send(hci.HCI_LE_Create_Connection_Cancel_Command())
        await advertise(peripheral, P)
        await central.send(create_connection(hci.Address(P)))
        await asyncio.sleep(0.2)
        return status_of(cancelled), [event.status for event in completes(central)]

    assert run(main()) == (0, [hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, 0])


def test_a_connection_by_the_accept_list_takes_whoever_of_it_comes_first():
    async def main() -> list[str]:
        link = VirtualLink()
        central = BareHost(link.new_controller("central"))
        await random_address(central)
        for address in (P, "C0:00:00:00:00:02"):
            listed = hci.Address(address)
            await central.send(
                hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(
                    address_type=listed.address_type, address=listed
                )
            )
        await central.send(create_connection(hci.Address.ANY, policy=1))
        stranger = BareHost(link.new_controller("stranger"))
        await advertise(stranger, "C0:00:00:00:00:03")
        await asyncio.sleep(1)
        listed_one = BareHost(link.new_controller("listed"))
        await advertise(listed_one, "C0:00:00:00:00:02")
        await asyncio.sleep(1)
        return [str(event.peer_address) for event in completes(central)]

    assert run(main()) == ["C0:00:00:00:00:02"]


def test_an_advertiser_that_is_not_connectable_is_not_connected_to():
    async def main() -> list[int]:
        link = VirtualLink()
        central = BareHost(link.new_controller("central"))
        peripheral = BareHost(link.new_controller("peripheral"))
        await random_address(central)
        await advertise(peripheral, P, kind=3)
        await central.send(create_connection(hci.Address(P)))
        await asyncio.sleep(10)
        return [event.status for event in completes(central)]

    assert run(main()) == []


def test_a_public_and_a_random_address_of_the_same_octets_are_two_addresses():
    async def main() -> list[int]:
        link = VirtualLink()
        central = BareHost(link.new_controller("central"))
        peripheral = BareHost(link.new_controller("peripheral"))
        await random_address(central)
        await advertise(peripheral, P)
        public = hci.Address(P, hci.Address.PUBLIC_DEVICE_ADDRESS)
        await central.send(create_connection(public))
        await asyncio.sleep(10)
        return [event.status for event in completes(central)]

    assert run(main()) == []


def test_advertising_stops_when_somebody_connects():
    async def main() -> tuple[bool, bool]:
        _, central, peripheral = await connected()
        return central.controller.is_advertising, peripheral.controller.is_advertising

    assert run(main()) == (False, False)


def test_one_peripheral_holds_connections_to_several_centrals():
    async def main() -> tuple[list[int], list[list[bytes]]]:
        link = VirtualLink()
        peripheral = BareHost(link.new_controller("peripheral"))
        centrals = [BareHost(link.new_controller(f"central {n}")) for n in range(3)]
        await advertise(peripheral, P)
        for number, central in enumerate(centrals):
            await random_address(central, f"C0:00:00:00:01:{number:02X}")
            await central.send(create_connection(hci.Address(P)))
            await asyncio.sleep(0.2)
            await peripheral.send(hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1))
        for handle in (3, 1, 2):
            send_frame(peripheral, bytes([handle]), handle=handle)
        await asyncio.sleep(0.1)
        return [event.connection_handle for event in completes(peripheral)], [
            received(central) for central in centrals
        ]

    handles, heard = run(main())
    assert handles == [1, 2, 3]
    assert heard == [[frame(b"\x01")], [frame(b"\x02")], [frame(b"\x03")]]


def test_an_update_changes_the_parameters_of_both_sides_and_the_supervision_timeout():
    async def main() -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]], float]:
        link, central, peripheral = await connected()
        await central.send(
            hci.HCI_LE_Connection_Update_Command(
                connection_handle=1,
                connection_interval_min=80,
                connection_interval_max=80,
                max_latency=2,
                supervision_timeout=400,
                min_ce_length=0,
                max_ce_length=0,
            )
        )
        await asyncio.sleep(0.1)
        updates = tuple(
            [
                (e.connection_interval, e.peripheral_latency, e.supervision_timeout)  # type: ignore
                for e in host.of(hci.HCI_LE_Connection_Update_Complete_Event)
            ]
            for host in (central, peripheral)
        )
        vanished = now()
        link.remove_controller(central.controller)
        gone = asyncio.Event()
        peripheral.on_packet = lambda packet: gone.set()  # type: ignore[method-assign]
        await gone.wait()
        return *updates, now() - vanished

    at_central, at_peripheral, waited = run(main())
    assert at_central == at_peripheral == [(80, 2, 400)]
    assert waited == pytest.approx(4.0)


def test_rssi_is_read_by_handle():
    async def main() -> tuple[object, ...]:
        _, central, _ = await connected()
        good = await central.send(hci.HCI_Read_RSSI_Command(handle=1))
        bad = await central.send(hci.HCI_Read_RSSI_Command(handle=7))
        return good.return_parameters.rssi, status_of(good), status_of(bad)  # type: ignore

    assert run(main()) == (-50, 0, hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR)


def test_the_version_of_the_peer_can_be_read():
    async def main() -> hci.HCI_Packet:
        _, central, _ = await connected()
        await central.send(hci.HCI_Read_Remote_Version_Information_Command(connection_handle=1))
        return central.events[-1]

    event = run(main())
    assert isinstance(event, hci.HCI_Read_Remote_Version_Information_Complete_Event)
    assert event.status == 0


UNKNOWN_HANDLE = hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
INVALID = hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
DISALLOWED = hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR
UNKNOWN = hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (hci.HCI_Disconnect_Command(connection_handle=9, reason=0x13), UNKNOWN_HANDLE),
        (hci.HCI_Read_Remote_Version_Information_Command(connection_handle=9), UNKNOWN_HANDLE),
        (
            create_connection(hci.Address(P)),
            hci.HCI_ErrorCode.CONNECTION_ALREADY_EXISTS_ERROR,
        ),
        (create_connection(hci.Address("C0:00:00:00:00:05"), interval=5), INVALID),
        (create_connection(hci.Address("C0:00:00:00:00:05"), timeout=9), INVALID),
        (create_connection(hci.Address("C0:00:00:00:00:05"), latency=100), INVALID),
        (hci.HCI_LE_Create_Connection_Cancel_Command(), DISALLOWED),
        (hci.HCI_Write_Scan_Enable_Command(scan_enable=3), UNKNOWN),
        (hci.HCI_LE_Read_Number_Of_Supported_Advertising_Sets_Command(), UNKNOWN),
        (hci.HCI_Command(b"\x01\x02", op_code=0xFC01), UNKNOWN),
        (hci.HCI_Command(b"\x01", op_code=hci.HCI_DISCONNECT_COMMAND), INVALID),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_command_that_cannot_be_carried_out_is_answered_with_its_reason(command, status):
    async def main() -> int:
        _, central, _ = await connected()
        return status_of(await central.send(command))

    assert run(main()) == status


def test_every_command_that_is_listed_as_supported_has_a_handler_and_nothing_is_extended():
    async def main() -> tuple[list[str], int]:
        link = VirtualLink()
        controller = link.new_controller("controller")
        names = [hci.HCI_Command.command_name(opcode) for opcode in controller.supported_commands]
        missing = [name for name in names if not hasattr(controller, f"on_{name.lower()}")]
        return missing, int(controller.le_features & hci.LeFeatureMask.LE_EXTENDED_ADVERTISING)

    assert run(main()) == ([], 0)


@pytest.mark.parametrize(
    "octets",
    ["", "01", "0103", "04ff00", "0201", "02010004000000", "ff00", "05010000", "0201200100aa"],
)
def test_octets_that_are_no_packet_do_no_harm(octets):
    async def main() -> int:
        _, central, _ = await connected()
        central.controller.on_packet(bytes.fromhex(octets))
        return status_of(await central.send(hci.HCI_Read_RSSI_Command(handle=1)))

    assert run(main()) == 0


def test_random_octets_of_a_controller_come_from_the_seed_and_its_name():
    async def draw(seed: int, name: str) -> bytes:
        host = BareHost(VirtualLink(seed=seed).new_controller(name))
        event = await host.send(hci.HCI_LE_Rand_Command())
        return bytes(event.return_parameters.random_number)  # type: ignore[attr-defined]

    assert run(draw(1, "a")) == run(draw(1, "a"))
    assert len({run(draw(1, "a")), run(draw(2, "a")), run(draw(1, "b"))}) == 3


def test_removing_a_controller_twice_is_harmless():
    async def main() -> int:
        link = VirtualLink()
        host = BareHost(link.new_controller("controller"))
        await scan(host)
        link.remove_controller(host.controller)
        link.remove_controller(host.controller)
        return len(link.members)

    assert run(main()) == 0
