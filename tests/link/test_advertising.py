"""What scanners hear, when, and that nobody works while nobody listens."""

import asyncio

import pytest
from bumble import hci

from bletest.errors import ClockDeadlock
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

ADV_IND, ADV_DIRECT_IND, ADV_SCAN_IND, ADV_NONCONN_IND, SCAN_RSP = range(5)
P = "C0:00:00:00:00:01"


def hosts(count: int, *, seed: int = 0) -> list[BareHost]:
    link = VirtualLink(seed=seed)
    return [BareHost(link.new_controller(f"controller {index}")) for index in range(count)]


async def hear(seconds: float, *, active: bool, **parameters: object) -> list[tuple[int, bytes]]:
    scanner, advertiser = hosts(2)
    await scan(scanner, active=active)
    await advertise(advertiser, P, **parameters)
    await asyncio.sleep(seconds)
    return [(kind, data) for kind, _, data in reports(scanner)]


@pytest.mark.parametrize(
    ("kind", "heard"),
    [
        (0, [(ADV_IND, b"\x02\x01\x06"), (SCAN_RSP, b"\x02\x09A")]),
        (2, [(ADV_SCAN_IND, b"\x02\x01\x06"), (SCAN_RSP, b"\x02\x09A")]),
        (3, [(ADV_NONCONN_IND, b"\x02\x01\x06")]),
    ],
    ids=["connectable", "scannable", "neither"],
)
def test_an_active_scan_hears_the_type_and_a_scan_response_of_its_own(kind, heard):
    assert run(hear(0.05, active=True, kind=kind)) == heard


@pytest.mark.parametrize("kind", [0, 2, 3])
def test_a_passive_scan_hears_no_scan_response(kind):
    heard = run(hear(1.0, active=False, kind=kind))
    assert heard
    assert all(report != SCAN_RSP for report, _ in heard)


def test_a_scannable_advertiser_without_scan_response_data_answers_with_none():
    async def main() -> list[tuple[int, str, bytes]]:
        scanner, advertiser = hosts(2)
        await scan(scanner)
        await advertise(advertiser, P)
        await advertiser.send(hci.HCI_LE_Set_Scan_Response_Data_Command(scan_response_data=b""))
        await asyncio.sleep(1)
        return reports(scanner)

    assert run(main())[-1] == (SCAN_RSP, P, b"")


@pytest.mark.parametrize("interval", [0.02, 0.1, 1.0, 10.24])
def test_advertising_intervals_are_in_units_of_0_625_ms(interval):
    async def main() -> list[float]:
        scanner, advertiser = hosts(2)
        moments: list[float] = []
        await scan(scanner, active=False)
        scanner.on_packet = lambda packet: moments.append(now())  # type: ignore[method-assign]
        await advertise(advertiser, P, interval=interval)
        await asyncio.sleep(interval * 20)
        return moments

    moments = run(main())
    assert len(moments) in (20, 21)
    for index, moment in enumerate(moments):
        delay = moment - moments[0] - index * interval
        assert -0.01 <= delay <= 0.01, "advDelay is 0 to 10 ms and does not add up"


def test_advertisements_of_a_public_address_are_reported_as_such():
    async def main() -> hci.Address:
        link = VirtualLink()
        scanner = BareHost(link.new_controller("scanner"))
        advertiser = BareHost(link.new_controller("advertiser", "02:00:00:00:00:01"))
        await scan(scanner)
        await advertise(advertiser, P, own=hci.OwnAddressType.PUBLIC)
        await asyncio.sleep(0.05)
        return scanner.of(hci.HCI_LE_Advertising_Report_Event)[0].reports[0].address  # type: ignore

    address = run(main())
    assert (str(address), address.address_type) == (
        "02:00:00:00:00:01/P",
        hci.AddressType.PUBLIC_DEVICE,
    )


def test_duplicates_are_filtered_on_request_until_the_next_scan():
    async def main() -> tuple[int, int, int]:
        scanner, advertiser = hosts(2)
        await advertise(advertiser, P)
        await scan(scanner, filter_duplicates=True)
        await asyncio.sleep(5)
        first = len(reports(scanner))
        stop = hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=0, filter_duplicates=0)
        await scanner.send(stop)
        await scan(scanner, filter_duplicates=True)
        await asyncio.sleep(5)
        second = len(reports(scanner))
        await scanner.send(stop)
        await scan(scanner)
        await asyncio.sleep(5)
        return first, second, len(reports(scanner))

    first, second, third = run(main())
    assert (first, second) == (2, 4)
    assert third > 50


def test_a_scan_with_the_accept_list_hears_only_who_is_on_it():
    async def main() -> set[str]:
        scanner, one, two = hosts(3)
        wanted = await advertise(one, P)
        await advertise(two, "C0:00:00:00:00:02")
        await scanner.send(
            hci.HCI_LE_Add_Device_To_Filter_Accept_List_Command(
                address_type=wanted.address_type, address=wanted
            )
        )
        await scan(scanner, policy=1)
        await asyncio.sleep(1)
        return {address for _, address, _ in reports(scanner)}

    assert run(main()) == {P}


def test_directed_advertising_is_heard_by_its_target_alone():
    async def main() -> tuple[list[tuple[int, str, bytes]], list[tuple[int, str, bytes]]]:
        target, other, advertiser = hosts(3)
        await scan(target)
        await scan(other)
        await other.send(hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=0, filter_duplicates=0))
        await other.send(
            hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address("C0:00:00:00:00:BB"))
        )
        await other.send(hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0))
        await advertise(advertiser, P, kind=4, peer=hci.Address("C0:00:00:00:00:AA"))
        await asyncio.sleep(0.05)
        return reports(target), reports(other)

    assert run(main()) == ([(ADV_DIRECT_IND, P, b"")], [])


def test_high_duty_directed_advertising_ends_by_itself_after_1_28_s():
    async def main() -> tuple[float, int]:
        (advertiser,) = hosts(1)
        await advertise(advertiser, P, kind=1, peer=hci.Address("C0:00:00:00:00:AA"))
        began = now()
        failed = asyncio.Event()
        receive = advertiser.on_packet
        advertiser.on_packet = lambda packet: (receive(packet), failed.set())  # type: ignore
        await failed.wait()
        return now() - began, advertiser.events[-1].status  # type: ignore[attr-defined]

    waited, status = run(main())
    assert waited == pytest.approx(1.28, abs=0.01)
    assert status == hci.HCI_ErrorCode.ADVERTISING_TIMEOUT_ERROR


def test_nobody_hears_itself():
    async def main() -> list[tuple[int, str, bytes]]:
        (alone,) = hosts(1)
        await advertise(alone, P)
        await alone.send(hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0))
        await asyncio.sleep(1)
        return reports(alone)

    assert run(main()) == []


def test_advertisers_run_no_timer_while_nobody_listens():
    async def main() -> None:
        *advertisers, scanner = hosts(20)
        for number, advertiser in enumerate(advertisers):
            await advertise(advertiser, f"C0:00:00:00:01:{number:02X}")
        await scan(scanner)
        await asyncio.sleep(1)
        await scanner.send(
            hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=0, filter_duplicates=0)
        )
        await asyncio.Event().wait()

    # With a timer left, time would run on to the ceiling instead.
    with pytest.raises(ClockDeadlock):
        run(main())


def test_a_lone_initiator_wakes_only_the_advertiser_it_waits_for():
    async def main() -> tuple[list[bool], list[bool]]:
        *advertisers, central = hosts(4)
        for number, advertiser in enumerate(advertisers):
            await advertise(advertiser, f"C0:00:00:00:01:{number:02X}", interval=10, kind=2)

        def armed() -> list[bool]:
            return [
                host.controller.le_legacy_advertiser._event_timer is not None
                for host in advertisers
            ]

        await central.send(
            hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address("C0:00:00:00:00:AA"))
        )
        await central.send(create_connection(hci.Address("C0:00:00:00:01:01")))
        meanwhile = armed()
        await central.send(hci.HCI_LE_Create_Connection_Cancel_Command())
        return meanwhile, armed()

    assert run(main()) == ([False, True, False], [False, False, False])


def test_a_late_scanner_hears_the_events_it_would_have_heard_anyway():
    async def moments(start_scanning_at: float) -> list[float]:
        scanner, advertiser = hosts(2)
        await advertise(advertiser, P)
        heard: list[float] = []
        await asyncio.sleep(start_scanning_at - now())
        await scan(scanner, active=False)
        scanner.on_packet = lambda packet: heard.append(now())  # type: ignore[method-assign]
        await asyncio.sleep(20 - now())
        return heard

    early, late = run(moments(0.5)), run(moments(12.3))
    assert late == [moment for moment in early if moment > late[0] - 1e-9]


def test_the_air_repeats_to_the_octet_for_a_seed_and_differs_for_another():
    async def hear_all(seed: int) -> list[bytes]:
        scanner, *advertisers = hosts(6, seed=seed)
        await scan(scanner)
        for number, advertiser in enumerate(advertisers):
            await advertise(advertiser, f"C0:00:00:00:01:{number:02X}", interval=0.1)
        await asyncio.sleep(3)
        return scanner.octets

    assert run(hear_all(1)) == run(hear_all(1))
    assert run(hear_all(1)) != run(hear_all(2))


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (
            advertising_parameters(interval=0.019),
            hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR,
        ),
        (advertising_parameters(interval=10.3), hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR),
        (
            hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1),
            hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR,
        ),
    ],
    ids=["too short an interval", "too long an interval", "no random address"],
)
def test_advertising_that_no_real_controller_would_start_is_refused(command, status):
    async def main() -> int:
        (advertiser,) = hosts(1)
        await advertiser.send(advertising_parameters())
        if not isinstance(command, hci.HCI_LE_Set_Advertising_Enable_Command):
            return status_of(await advertiser.send(command))
        await advertiser.send(advertising_parameters(own=hci.OwnAddressType.RANDOM))
        return status_of(await advertiser.send(command))

    assert run(main()) == status


def test_the_random_address_cannot_change_while_it_is_advertised():
    async def main() -> tuple[int, int]:
        (advertiser,) = hosts(1)
        await advertise(advertiser, P)
        change = hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address(P))
        during = status_of(await advertiser.send(change))
        await advertiser.send(hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=0))
        return during, status_of(await advertiser.send(change))

    assert run(main()) == (hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR, hci.HCI_SUCCESS)
