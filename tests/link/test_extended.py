"""Advertising sets, extended scanning and extended connections, between bare hosts."""

import asyncio
import struct
from dataclasses import dataclass

import pytest
from bumble import hci

from bletest.link.advertising_sets import NUMBER_OF_SETS
from bletest.link.clock import run
from bletest.link.virtual import VirtualLink
from tests.link.support import (
    BareHost,
    advertise,
    advertising_parameters,
    create_connection,
    now,
    reports,
    scan,
    status_of,
)

P = "C0:00:00:00:00:01"
C = "C0:00:00:00:00:AA"
LEGACY, CONNECTABLE, SCANNABLE, DIRECTED, ANONYMOUS = 0x13, 0x01, 0x02, 0x04, 0x20
ALL_EVENTS = hci.HCI_LE_Set_Event_Mask_Command(le_event_mask=b"\xff\xff\xff\xff\xff\x00\x00\x00")
DISALLOWED = hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR
UNSUPPORTED = hci.HCI_ErrorCode.UNSUPPORTED_FEATURE_OR_PARAMETER_VALUE_ERROR
INVALID = hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
UNKNOWN_SET = hci.HCI_ErrorCode.UNKNOWN_ADVERTISING_IDENTIFIER_ERROR


@dataclass(frozen=True)
class Report:
    """One extended advertising report, as an octet string says it."""

    event_type: int
    address_type: int
    address: str
    set_id: int
    direct_type: int
    data: bytes


async def extended_host(link: VirtualLink, name: str) -> BareHost:
    host = BareHost(link.new_controller(name, extended=True))
    await host.send(ALL_EVENTS)
    return host


def parameters(
    handle: int = 0,
    properties: int = LEGACY,
    *,
    interval: float = 0.1,
    own: int = hci.OwnAddressType.RANDOM,
    peer: hci.Address = hci.Address.ANY,
    set_id: int = 0,
    phy: int = 1,
    scan_requests: bool = False,
) -> hci.HCI_LE_Set_Extended_Advertising_Parameters_Command:
    units = round(interval / 0.000625)
    return hci.HCI_LE_Set_Extended_Advertising_Parameters_Command(
        advertising_handle=handle,
        advertising_event_properties=properties,
        primary_advertising_interval_min=units,
        primary_advertising_interval_max=units,
        primary_advertising_channel_map=7,
        own_address_type=own,
        peer_address_type=peer.address_type,
        peer_address=peer,
        advertising_filter_policy=0,
        advertising_tx_power=0x7F,
        primary_advertising_phy=phy,
        secondary_advertising_max_skip=0,
        secondary_advertising_phy=1,
        advertising_sid=set_id,
        scan_request_notification_enable=int(scan_requests),
    )


def set_data(data: bytes, operation: int = 3, handle: int = 0) -> hci.HCI_Command:
    return hci.HCI_LE_Set_Extended_Advertising_Data_Command(
        advertising_handle=handle,
        operation=operation,
        fragment_preference=0,
        advertising_data=data,
    )


def set_response(data: bytes, operation: int = 3, handle: int = 0) -> hci.HCI_Command:
    return hci.HCI_LE_Set_Extended_Scan_Response_Data_Command(
        advertising_handle=handle,
        operation=operation,
        fragment_preference=0,
        scan_response_data=data,
    )


def enable(*handles: int, on: bool = True, duration: int = 0, events: int = 0) -> hci.HCI_Command:
    return hci.HCI_LE_Set_Extended_Advertising_Enable_Command(
        enable=int(on),
        advertising_handles=handles,
        durations=[duration] * len(handles),
        max_extended_advertising_events=[events] * len(handles),
    )


def set_address(address: str = P, handle: int = 0) -> hci.HCI_Command:
    return hci.HCI_LE_Set_Advertising_Set_Random_Address_Command(
        advertising_handle=handle, random_address=hci.Address(address)
    )


async def send_all(host: BareHost, *commands: hci.HCI_Command) -> None:
    for command in commands:
        assert status_of(await host.send(command)) == hci.HCI_SUCCESS, command


async def scan_extended(
    host: BareHost,
    *,
    active: bool = True,
    duplicates: int = 0,
    duration: int = 0,
    period: int = 0,
    phys: int = 1,
) -> None:
    await send_all(
        host,
        hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address(C)),
        hci.HCI_LE_Set_Extended_Scan_Parameters_Command(
            own_address_type=hci.OwnAddressType.RANDOM,
            scanning_filter_policy=0,
            scanning_phys=phys,
            scan_types=[int(active)] * bin(phys).count("1"),
            scan_intervals=[96] * bin(phys).count("1"),
            scan_windows=[96] * bin(phys).count("1"),
        ),
        scan_enable(duplicates=duplicates, duration=duration, period=period),
    )


@pytest.mark.parametrize(("phys", "heard"), [(1, False), (4, True), (5, True)])
def test_a_set_on_le_coded_is_heard_by_who_scans_on_it(phys, heard):
    async def main() -> tuple[bool, int]:
        link = VirtualLink()
        scanner, advertiser = await extended_host(link, "s"), await extended_host(link, "a")
        for host in (scanner, advertiser):
            host.controller.le_features |= hci.LeFeatureMask.LE_CODED_PHY
        await scan_extended(scanner, phys=phys)
        await send_all(advertiser, parameters(0, CONNECTABLE, phy=3), set_address(), enable(0))
        await asyncio.sleep(0.05)
        found = bool(extended_reports(scanner))
        await scanner.send(scan_enable(on=False))
        await send_all(scanner, extended_create(phys=phys))
        await asyncio.sleep(1)
        return found, len(terminations(advertiser))

    assert run(main()) == (heard, int(heard))


def scan_enable(
    *, on: bool = True, duplicates: int = 0, duration: int = 0, period: int = 0
) -> hci.HCI_Command:
    return hci.HCI_LE_Set_Extended_Scan_Enable_Command(
        enable=int(on), filter_duplicates=duplicates, duration=duration, period=period
    )


def extended_create(peer: str = P, *, phys: int = 1) -> hci.HCI_Command:
    count = bin(phys).count("1")
    return hci.HCI_LE_Extended_Create_Connection_Command(
        initiator_filter_policy=0,
        own_address_type=hci.OwnAddressType.RANDOM,
        peer_address_type=hci.Address(peer).address_type,
        peer_address=hci.Address(peer),
        initiating_phys=phys,
        scan_intervals=[96] * count,
        scan_windows=[96] * count,
        connection_interval_mins=[24] * count,
        connection_interval_maxs=[24] * count,
        max_latencies=[0] * count,
        supervision_timeouts=[72] * count,
        min_ce_lengths=[0] * count,
        max_ce_lengths=[0] * count,
    )


def extended_reports(host: BareHost) -> list[Report]:
    found = []
    for packet in host.octets:
        if packet[:2] == b"\x04\x3e" and packet[3] == 0x0D:
            event_type, kind, address, _, _, set_id, *_, direct, _, length = struct.unpack(
                "<HB6sBBBbbHB6sB", packet[5:29]
            )
            assert len(packet) == 29 + length
            name = hci.Address(address).to_string(False)
            found.append(Report(event_type, kind, name, set_id, direct, packet[29:]))
    return found


def terminations(host: BareHost) -> list[tuple[int, int, int, int]]:
    return [
        (
            event.status,  # type: ignore[attr-defined]
            event.advertising_handle,  # type: ignore[attr-defined]
            event.connection_handle,  # type: ignore[attr-defined]
            event.num_completed_extended_advertising_events,  # type: ignore[attr-defined]
        )
        for event in host.of(hci.HCI_LE_Advertising_Set_Terminated_Event)
    ]


async def hear_extended(*commands: hci.HCI_Command, active: bool = True) -> list[Report]:
    """Hear one advertising event of a set that is made by commands."""
    link = VirtualLink()
    scanner, advertiser = await extended_host(link, "s"), await extended_host(link, "a")
    await scan_extended(scanner, active=active)
    await send_all(advertiser, *commands, enable(0))
    await asyncio.sleep(0.05)
    return extended_reports(scanner)


@pytest.mark.parametrize(
    ("properties", "event_types"),
    [(0x13, [0x13, 0x1B]), (0x12, [0x12, 0x1A]), (0x10, [0x10])],
    ids=["connectable", "scannable", "neither"],
)
def test_a_set_with_legacy_pdus_is_reported_to_both_kinds_of_scanners(properties, event_types):
    async def main() -> tuple[list[Report], list[tuple[int, str, bytes]]]:
        link = VirtualLink()
        modern = await extended_host(link, "modern")
        old = BareHost(link.new_controller("old"))
        advertiser = await extended_host(link, "advertiser")
        await scan_extended(modern)
        await scan(old)
        await send_all(advertiser, parameters(0, properties), set_address(), set_data(b"\1\2"))
        if properties != 0x10:
            await send_all(advertiser, set_response(b"\3"))
        await send_all(advertiser, enable(0))
        await asyncio.sleep(0.05)
        return extended_reports(modern), reports(old)

    modern, old = run(main())
    assert [(one.event_type, one.address, one.set_id) for one in modern] == [
        (event_type, P, 0xFF) for event_type in event_types
    ]
    assert [one.data for one in modern] == [b"\1\2", b"\3"][: len(event_types)]
    assert [data for *_, data in old] == [one.data for one in modern]


def test_extended_pdus_are_heard_by_extended_scanners_alone():
    async def main() -> tuple[list[Report], int, int]:
        link = VirtualLink()
        modern = await extended_host(link, "modern")
        old_controller = BareHost(link.new_controller("old"))
        old_host = await extended_host(link, "old host")
        advertiser = await extended_host(link, "advertiser")
        await scan_extended(modern)
        await scan(old_controller)
        await scan(old_host)
        await send_all(
            advertiser,
            parameters(0, CONNECTABLE, set_id=5),
            set_address(),
            set_data(b"\1"),
            enable(0),
        )
        await asyncio.sleep(0.05)
        return extended_reports(modern), len(reports(old_controller)), len(reports(old_host))

    assert run(main()) == ([Report(CONNECTABLE, 1, P, 5, 0, b"\1")], 0, 0)


@pytest.mark.parametrize("length", [0, 31, 32, 229, 230, 251, 458, 1000, 1650])
def test_data_of_any_length_goes_in_by_fragments_and_comes_out_by_reports(length):
    data = bytes(index % 251 for index in range(length))
    parts = [data[offset : offset + 251] for offset in range(0, length, 251)] or [b""]
    kinds = [1] + [0] * (len(parts) - 2) + [2] if len(parts) > 1 else [3]
    commands = [set_data(part, kind) for part, kind in zip(parts, kinds, strict=True)]
    heard = run(hear_extended(parameters(0, 0), set_address(), *commands))
    assert b"".join(one.data for one in heard) == data
    assert [one.event_type >> 5 for one in heard] == [1] * (len(heard) - 1) + [0]


def test_a_scannable_set_with_extended_pdus_has_its_data_in_the_scan_response():
    commands = (parameters(0, SCANNABLE), set_address(), set_response(b"\7" * 40))
    heard = run(hear_extended(*commands))
    assert [(one.event_type, one.data) for one in heard] == [(0x02, b""), (0x0A, b"\7" * 40)]
    assert [one.event_type for one in run(hear_extended(*commands, active=False))] == [0x02]


def test_an_anonymous_advertisement_has_no_address():
    heard = run(hear_extended(parameters(0, ANONYMOUS), set_address(), set_data(b"\1")))
    assert [(one.address_type, one.address) for one in heard] == [(0xFF, "00:00:00:00:00:00")]


@pytest.mark.parametrize(("target", "heard"), [(C, 1), ("C0:00:00:00:00:BB", 0)])
def test_a_directed_set_is_heard_by_its_target_alone_and_may_have_data(target, heard):
    command = parameters(0, CONNECTABLE | DIRECTED, peer=hci.Address(target))
    found = run(hear_extended(command, set_address(), set_data(b"\1")))
    assert [(one.event_type, one.direct_type, one.data) for one in found] == [(5, 1, b"\1")] * heard


def test_several_sets_advertise_at_once_each_with_an_address_and_data_of_its_own():
    async def main() -> set[tuple[str, int, bytes]]:
        link = VirtualLink()
        scanner, advertiser = await extended_host(link, "s"), await extended_host(link, "a")
        await scan_extended(scanner)
        for handle in range(4):
            await send_all(
                advertiser,
                parameters(handle, 0, set_id=handle, interval=0.1 + handle / 10),
                set_address(f"C0:00:00:00:00:0{handle // 2}", handle),
                set_data(bytes([handle]), handle=handle),
            )
        await send_all(advertiser, enable(0, 1, 2, 3))
        await asyncio.sleep(1)
        heard = extended_reports(scanner)
        await send_all(advertiser, enable(2, on=False))
        scanner.octets.clear()
        await asyncio.sleep(1)
        assert {one.set_id for one in extended_reports(scanner)} == {0, 1, 3}
        await send_all(advertiser, enable(on=False))
        scanner.octets.clear()
        await asyncio.sleep(1)
        assert extended_reports(scanner) == []
        return {(one.address, one.set_id, one.data) for one in heard}

    assert run(main()) == {
        (f"C0:00:00:00:00:0{handle // 2}", handle, bytes([handle])) for handle in range(4)
    }


def test_duplicates_are_filtered_by_set_until_the_data_changes():
    async def main() -> list[bytes]:
        link = VirtualLink()
        scanner, advertiser = await extended_host(link, "s"), await extended_host(link, "a")
        await scan_extended(scanner, duplicates=1)
        await send_all(advertiser, parameters(0, 0), set_address(), set_data(b"\1"), enable(0))
        await asyncio.sleep(2)
        await send_all(advertiser, set_data(b"\2"))
        await asyncio.sleep(2)
        return [one.data for one in extended_reports(scanner)]

    assert run(main()) == [b"\1", b"\2"]


def test_a_scan_of_some_duration_ends_with_an_event():
    async def main() -> tuple[float, list[float]]:
        link = VirtualLink()
        scanner, advertiser = await extended_host(link, "s"), await extended_host(link, "a")
        await send_all(advertiser, parameters(0, 0), set_address(), enable(0))
        began = now()
        await scan_extended(scanner, duration=200)
        heard: list[float] = []
        receive = scanner.on_packet
        scanner.on_packet = lambda packet: (receive(packet), heard.append(now()))  # type: ignore
        await asyncio.sleep(10)
        assert scanner.octets[-1] == bytes([0x04, 0x3E, 1, 0x11])
        return heard[-1] - began, heard

    ended, heard = run(main())
    assert ended == pytest.approx(2.0, abs=0.01)
    assert len(heard) > 15


def test_a_periodic_scan_pauses_and_reports_duplicates_anew_in_each_period():
    async def main() -> list[float]:
        link = VirtualLink()
        scanner, advertiser = await extended_host(link, "s"), await extended_host(link, "a")
        await send_all(advertiser, parameters(0, 0), set_address(), enable(0))
        await scan_extended(scanner, duplicates=2, duration=50, period=2)
        heard: list[float] = []
        scanner.on_packet = lambda packet: heard.append(now())  # type: ignore[method-assign]
        await asyncio.sleep(2.56 * 4)
        return heard

    assert run(main()) == pytest.approx([2.56 * n + 0.05 for n in range(4)], abs=0.11)


@pytest.mark.parametrize("modern", [True, False], ids=["extended PDUs", "legacy PDUs"])
def test_an_extended_connection_ends_the_set_with_its_handle(modern):
    async def main() -> tuple[list[tuple[int, int, int, int]], list[int], str]:
        link = VirtualLink()
        central, peripheral = await extended_host(link, "c"), await extended_host(link, "p")
        await central.send(hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address(C)))
        properties = CONNECTABLE if modern else LEGACY
        await send_all(peripheral, parameters(7, properties), set_address(P, 7), enable(7))
        assert status_of(await central.send(extended_create())) == 0
        await asyncio.sleep(0.2)
        events = [
            host.of(hci.HCI_LE_Enhanced_Connection_Complete_Event) for host in (central, peripheral)
        ]
        assert not peripheral.controller.is_advertising
        return (
            terminations(peripheral),
            [event.connection_interval for (event,) in events],  # type: ignore[attr-defined]
            str(events[0][0].peer_address),  # type: ignore[attr-defined]
        )

    assert run(main()) == ([(0, 7, 1, 0)], [24, 24], P)


def test_a_legacy_connection_does_not_find_extended_pdus():
    async def main() -> list[hci.HCI_Packet]:
        link = VirtualLink()
        central, peripheral = await extended_host(link, "c"), await extended_host(link, "p")
        await central.send(hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address(C)))
        await send_all(peripheral, parameters(0, CONNECTABLE), set_address(), enable(0))
        await central.send(create_connection(hci.Address(P)))
        await asyncio.sleep(5)
        return central.of(hci.HCI_LE_Enhanced_Connection_Complete_Event)

    assert run(main()) == []


@pytest.mark.parametrize("asks", [True, False], ids=["asked for", "not asked for"])
def test_the_enhanced_event_is_for_hosts_that_ask_for_it(asks):
    async def main() -> list[str]:
        link = VirtualLink()
        central = BareHost(link.new_controller("central"))
        peripheral = BareHost(link.new_controller("peripheral"))
        if asks:
            await central.send(ALL_EVENTS)
        await central.send(hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address(C)))
        await advertise(peripheral, P)
        await central.send(create_connection(hci.Address(P)))
        await asyncio.sleep(0.2)
        return [
            host.of(hci.HCI_LE_Meta_Event)[0].name.removeprefix("HCI_LE_")  # type: ignore
            for host in (central, peripheral)
        ]

    ours = "ENHANCED_CONNECTION_COMPLETE_EVENT" if asks else "CONNECTION_COMPLETE_EVENT"
    assert run(main()) == [ours, "CONNECTION_COMPLETE_EVENT"]


@pytest.mark.parametrize(
    ("limit", "status", "seconds", "events"),
    [
        ({"duration": 150}, hci.HCI_ErrorCode.ADVERTISING_TIMEOUT_ERROR, 1.5, 15),
        ({"events": 4}, hci.HCI_ErrorCode.LIMIT_REACHED_ERROR, 0.3, 4),
        ({"duration": 10, "events": 40}, hci.HCI_ErrorCode.ADVERTISING_TIMEOUT_ERROR, 0.1, 1),
    ],
    ids=["duration", "events", "whichever comes first"],
)
@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "unheard"])
def test_a_set_ends_by_itself_whether_somebody_listens_or_not(
    limit, status, seconds, events, is_heard
):
    async def main() -> tuple[list[tuple[int, int, int, int]], float, int]:
        link = VirtualLink()
        scanner, advertiser = await extended_host(link, "s"), await extended_host(link, "a")
        if is_heard:
            await scan_extended(scanner)
        await send_all(advertiser, parameters(3, 0), set_address(P, 3))
        done = asyncio.Event()
        receive = advertiser.on_packet
        advertiser.controller.on_packet(bytes(enable(3, **limit)))
        began = now()
        await asyncio.sleep(0.001)
        advertiser.on_packet = lambda packet: (receive(packet), done.set())  # type: ignore
        await done.wait()
        return terminations(advertiser), now() - began, len(extended_reports(scanner))

    ended, waited, heard = run(main())
    (found_status, handle, connection, count) = ended[0]
    assert (found_status, handle, connection) == (status, 3, 0)
    assert waited == pytest.approx(seconds, abs=0.012)
    assert abs(count - events) <= (0 if "events" in limit and len(limit) == 1 else 1)
    assert heard == (count if is_heard else 0)


def test_high_duty_directed_advertising_needs_a_duration_of_1_28_s_at_most():
    async def main() -> list[int]:
        host = await extended_host(VirtualLink(), "a")
        await send_all(host, parameters(0, 0x1D, peer=hci.Address(C)), set_address())
        return [status_of(await host.send(enable(0, duration=d))) for d in (0, 129, 128)]

    assert run(main()) == [INVALID, INVALID, 0]


def test_a_scan_request_is_told_to_a_host_that_wants_to_know():
    async def main() -> list[bytes]:
        link = VirtualLink()
        scanner, advertiser = await extended_host(link, "s"), await extended_host(link, "a")
        await scan_extended(scanner)
        command = parameters(2, LEGACY, scan_requests=True)
        await send_all(advertiser, command, set_address(P, 2), enable(2))
        await asyncio.sleep(0.05)
        return [packet for packet in advertiser.octets if packet[3] == 0x13]

    assert run(main()) == [bytes([4, 0x3E, 9, 0x13, 2, 1]) + bytes(hci.Address(C))]


async def status_after(*commands: hci.HCI_Command) -> int:
    """Send commands that succeed, and return the status of the last one."""
    host = await extended_host(VirtualLink(), "a")
    await send_all(host, *commands[:-1])
    return status_of(await host.send(commands[-1]))


@pytest.mark.parametrize(
    ("commands", "status"),
    [
        ((set_data(b"", handle=3),), UNKNOWN_SET),
        ((set_response(b"", handle=3),), UNKNOWN_SET),
        ((set_address(),), UNKNOWN_SET),
        ((enable(0),), UNKNOWN_SET),
        ((enable(),), INVALID),
        ((hci.HCI_LE_Remove_Advertising_Set_Command(advertising_handle=0),), UNKNOWN_SET),
        ((parameters(), enable(0)), INVALID),
        ((parameters(), set_address(), enable(0, 0)), INVALID),
        ((parameters(0xF0),), INVALID),
        ((parameters(0, CONNECTABLE | SCANNABLE),), INVALID),
        ((parameters(0, CONNECTABLE | ANONYMOUS),), INVALID),
        ((parameters(0, 0x08),), INVALID),
        ((parameters(0, 0x11),), INVALID),
        ((parameters(interval=0.019),), INVALID),
        ((parameters(phy=3),), INVALID),
        (
            (parameters(0, 0, phy=4),),
            hci.HCI_ErrorCode.UNSUPPORTED_FEATURE_OR_PARAMETER_VALUE_ERROR,
        ),
        ((parameters(0, 0), set_data(bytes(32)), parameters(0, LEGACY)), INVALID),
        ((parameters(), set_data(bytes(32))), INVALID),
        ((parameters(), set_data(bytes(3), 1)), INVALID),
        ((parameters(0, SCANNABLE), set_data(bytes(3))), INVALID),
        ((parameters(0, CONNECTABLE), set_response(bytes(3))), INVALID),
        ((parameters(0, 0), set_data(b"", 1)), INVALID),
        ((parameters(0, 0), set_data(b"\1", 0)), INVALID),
        ((parameters(0, 0), set_data(b"", 4)), INVALID),
        ((parameters(0, 0), set_address(), set_data(b"\1", 1), enable(0)), DISALLOWED),
        ((parameters(0, SCANNABLE), set_address(), enable(0)), DISALLOWED),
        ((parameters(), set_address(), enable(0), parameters()), DISALLOWED),
        ((parameters(), set_address(), enable(0), set_address()), DISALLOWED),
        ((parameters(0, 0), set_address(), enable(0), set_data(b"\1", 1)), DISALLOWED),
        (
            (
                parameters(),
                set_address(),
                enable(0),
                hci.HCI_LE_Remove_Advertising_Set_Command(advertising_handle=0),
            ),
            DISALLOWED,
        ),
        (
            (parameters(), set_address(), enable(0), hci.HCI_LE_Clear_Advertising_Sets_Command()),
            DISALLOWED,
        ),
        (
            (*map(parameters, range(NUMBER_OF_SETS)), parameters(NUMBER_OF_SETS)),
            hci.HCI_ErrorCode.MEMORY_CAPACITY_EXCEEDED_ERROR,
        ),
        (
            (
                parameters(0, 0),
                set_data(bytes(251), 1),
                *(set_data(bytes(251), 0) for _ in range(5)),
                set_data(bytes(251), 2),
            ),
            hci.HCI_ErrorCode.MEMORY_CAPACITY_EXCEEDED_ERROR,
        ),
        ((extended_create(phys=0),), INVALID),
        ((extended_create(phys=8),), UNSUPPORTED),
        ((scan_enable(),), INVALID),
        ((parameters(), hci.HCI_LE_Remove_Advertising_Set_Command(advertising_handle=0)), 0),
        ((parameters(), hci.HCI_LE_Clear_Advertising_Sets_Command()), 0),
        ((parameters(0, 0), set_address(), set_data(b"\1"), enable(0), set_data(b"", 4)), 0),
    ],
)
def test_commands_of_advertising_sets_are_judged_as_the_specification_says(commands, status):
    assert run(status_after(*commands)) == status


_MIXED = (
    (advertising_parameters(), parameters()),
    (advertising_parameters(), hci.HCI_LE_Read_Number_Of_Supported_Advertising_Sets_Command()),
    (
        hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=b""),
        hci.HCI_LE_Read_Maximum_Advertising_Data_Length_Command(),
    ),
    (hci.HCI_LE_Set_Scan_Response_Data_Command(scan_response_data=b""), extended_create()),
)


@pytest.mark.parametrize("pair", _MIXED)
@pytest.mark.parametrize("legacy_first", [True, False])
def test_commands_of_the_other_kind_are_disallowed_until_a_reset(pair, legacy_first):
    first, second = pair if legacy_first else reversed(pair)

    async def main() -> tuple[int, int]:
        host = BareHost(VirtualLink().new_controller("both", extended=True))
        await host.send(hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address(C)))
        await host.send(first)
        refused = status_of(await host.send(second))
        await host.send(hci.HCI_Reset_Command())
        await host.send(hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address(C)))
        return refused, status_of(await host.send(second))

    assert run(main()) == (DISALLOWED, 0)


def test_every_command_that_is_listed_is_carried_out_and_no_other():
    async def main() -> tuple[list[str], int]:
        controller = VirtualLink().new_controller("controller", extended=True)
        names = [hci.HCI_Command.command_name(code) for code in controller.supported_commands]
        missing = [name for name in names if not hasattr(controller, f"on_{name.lower()}")]
        host = BareHost(controller)
        unknown = await host.send(hci.HCI_LE_Set_Periodic_Advertising_Enable_Command(1, 0))
        return missing, status_of(unknown)

    assert run(main()) == ([], hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR)


def test_extended_air_repeats_to_the_octet():
    async def main(seed: int) -> list[bytes]:
        link = VirtualLink(seed=seed)
        scanner, advertiser = await extended_host(link, "s"), await extended_host(link, "a")
        await scan_extended(scanner)
        await send_all(advertiser, parameters(0, 0), set_address(), set_data(b"\1"), enable(0))
        await asyncio.sleep(3)
        return scanner.octets

    assert run(main(1)) == run(main(1))
