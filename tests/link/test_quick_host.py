"""What a station of ours leaves out when it is set up is nothing that anybody could miss."""

import asyncio
import logging

import pytest
from bumble import hci
from bumble.device import device_host_event_handlers

from bletest.link.clock import run
from bletest.link.data_path import DataPath
from bletest.link.station import Station
from bletest.link.virtual import VirtualLink
from tests.link.support import plain_device, station

HOST = (
    "ready",
    "local_supported_commands",
    "local_version",
    "local_le_features",
    "local_lmp_features",
    "suggested_max_tx_octets",
    "suggested_max_tx_time",
    "number_of_supported_advertising_sets",
    "maximum_advertising_data_length",
)
CONTROLLER = (
    "event_mask",
    "event_mask_page_2",
    "le_event_mask",
    "le_features",
    "suggested_max_tx_octets",
    "suggested_max_tx_time",
    "le_scan_enable",
)


def state_of(one: Station) -> dict[str, object]:
    host, controller, device = one.host, one.controller, one.device
    queue = host.le_acl_packet_queue
    assert queue is not None
    return {
        **{name: getattr(host, name) for name in HOST},
        **{f"controller {name}": getattr(controller, name, None) for name in CONTROLLER},
        "queue": (queue.max_packet_size, queue.max_in_flight),
        "address is set": controller is not None
        and controller.random_address == device.random_address,
        "public": device.public_address,
        "powered on": device.powered_on,
    }


def test_a_station_is_set_up_as_over_the_full_path():
    async def main() -> list[dict[str, object]]:
        states = []
        for path in DataPath:
            link = VirtualLink(path=path)
            # The first of an air asks its controller; those after it know the answers.
            async with station(link, "first") as first, station(link, "second") as second:
                states += [state_of(first), state_of(second)]
        return states

    states = run(main())
    assert all(state == states[0] for state in states)


def packets_of(link: VirtualLink, act) -> int:  # type: ignore[no-untyped-def]
    async def main() -> int:
        async with station(link, "first"), station(link, "second") as second:
            assert second.controller is not None
            count = 0
            take = second.controller.on_packet

            def on_packet(packet: bytes) -> None:
                nonlocal count
                count += 1
                take(packet)

            second.controller.on_packet = on_packet  # type: ignore[method-assign]
            await act(second)
            return count

    return run(main())


async def advertise(one: Station) -> None:
    await one.device.start_advertising()


@pytest.mark.parametrize(("path", "packets"), [(DataPath.SHORT, 0), (DataPath.HCI, 4)])
def test_starting_to_advertise_takes_hci_packets_on_the_full_path_only(path, packets):
    assert packets_of(VirtualLink(path=path), advertise) == packets


class Notes:
    """Somebody who wants to see every packet."""

    def sent(self, packet: bytes) -> None: ...

    def received(self, packet: bytes) -> None: ...


def test_whoever_notes_packets_gets_them():
    async def noted(one: Station) -> None:
        one.host.tap = Notes()
        try:
            await advertise(one)
        finally:
            one.host.tap = None

    assert packets_of(VirtualLink(), noted) == 4


def test_packets_are_there_for_who_reads_bumbles_log(caplog):
    with caplog.at_level(logging.DEBUG, logger="bumble.host"):
        assert packets_of(VirtualLink(), advertise) == 4
    assert "HOST -> CONTROLLER" in caplog.text


def test_a_refused_command_is_refused_on_either_path():
    async def twice(one: Station) -> None:
        await advertise(one)
        with pytest.raises(hci.HCI_Error) as refused:
            await one.device.send_sync_command(
                hci.HCI_LE_Set_Random_Address_Command(
                    random_address=hci.Address("C0:00:00:00:00:0A")
                )
            )
        assert refused.value.error_code == hci.HCI_COMMAND_DISALLOWED_ERROR

    for path in DataPath:
        packets_of(VirtualLink(path=path), twice)


def test_a_device_is_told_of_every_event_before_any_listener():
    async def main() -> list[str]:
        told: list[str] = []
        async with station(VirtualLink(), "one") as one:
            for event in device_host_event_handlers:
                setattr(one.device, f"on_{event}", lambda *_, event=event: told.append(event))
            one.host.on("advertising_report", lambda: told.append("listener"))
            one.host.emit("advertising_report")
            one.host.emit("nobody knows")
            for event in device_host_event_handlers:
                # Others of bumble listen to these two, and want their arguments.
                if event not in ("disconnection", "flush"):
                    one.host.emit(event)
            for event in device_host_event_handlers:
                delattr(one.device, f"on_{event}")
        return told

    told = run(main())
    assert told[:2] == ["advertising_report", "listener"]
    assert set(told[2:]) >= set(device_host_event_handlers) - {"disconnection", "flush"}


def test_setting_up_a_station_does_not_look_at_those_that_are_there():
    async def main() -> int:
        link = VirtualLink()
        async with station(link, "first") as first:
            await first.device.start_advertising()
            looked = 0
            look = link._for_each_advertiser

            def count(act):  # type: ignore[no-untyped-def]
                nonlocal looked
                looked += 1
                look(act)

            link._for_each_advertiser = count  # type: ignore[method-assign]
            async with station(link, "second") as second:
                await second.device.start_advertising()
        return looked

    assert run(main()) == 0


def test_a_station_and_a_plain_device_advertise_alike():
    async def main() -> tuple[bytes, bytes]:
        link = VirtualLink()
        plain = await plain_device(link, "plain")
        async with station(link, "one") as one:
            for device in (plain, one.device):
                await device.start_advertising(
                    advertising_data=b"\x02\x01\x06", scan_response_data=b"\x02\x09\x41"
                )
            await asyncio.sleep(0.1)
            advertisers = [member.le_legacy_advertiser for member in link.members]
            first, second = (
                (one.advertising_data, one.scan_response_data, one.interval, one.advertising_type)
                for one in advertisers
            )
            return first, second

    first, second = run(main())
    assert first == second
