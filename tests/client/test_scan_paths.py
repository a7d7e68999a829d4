"""What a scan shows does not depend on whether reports come as objects or in HCI packets."""

import asyncio
import random

import pytest
from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from bletest import profile
from bletest.client.adapter import BumbleAdapter
from bletest.client.advertising import Sighting
from bletest.client.backend import BumbleScanner
from bletest.link.clock import run
from bletest.link.data_path import DataPath
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral

PROFILES = [profile.load(profile.shipped()[name]) for name in ("heart_rate", "nordic_uart")]


async def stations(link: VirtualLink) -> tuple[Station, list[VirtualPeripheral]]:
    peripherals = []
    for number, one in enumerate(PROFILES):
        place = await open_station(link, name=one.name, address=None, rng=random.Random(number))
        peripherals.append(VirtualPeripheral(one))
        await peripherals[-1].start(place)
    scanner = await open_station(link, name="scanner", address=None, rng=random.Random("scanner"))
    return scanner, peripherals


def reports_as_packets(scanner: Station) -> list[bytes]:
    packets: list[bytes] = []
    take = scanner.host.on_packet

    def on_packet(packet: bytes) -> None:
        if packet[:2] == b"\x04\x3e" and packet[3] == 0x02:
            packets.append(packet)
        take(packet)

    scanner.host.on_packet = on_packet  # type: ignore[method-assign]
    return packets


def sightings(path: DataPath, *, active: bool) -> tuple[list[tuple[float, Sighting]], int]:
    async def main() -> tuple[list[tuple[float, Sighting]], int]:
        scanner, _ = await stations(VirtualLink(path=path, seed=7))
        packets = reports_as_packets(scanner)
        adapter = BumbleAdapter(scanner)
        seen: list[tuple[float, Sighting]] = []
        loop = asyncio.get_running_loop()

        def see(sighting: Sighting) -> None:
            seen.append((round(loop.time(), 6), sighting))

        await adapter.start_scanning(see, active=active)
        await asyncio.sleep(5)
        await adapter.stop_scanning(see)
        await asyncio.sleep(5)
        return seen, len(packets)

    return run(main())


@pytest.mark.parametrize("active", [True, False])
def test_both_paths_show_the_same_at_the_same_moments(active):
    short, no_packets = sightings(DataPath.SHORT, active=active)
    full, packets = sightings(DataPath.HCI, active=active)
    assert short == full
    assert no_packets == 0
    assert packets == len(full) > 20


def test_a_report_that_says_nothing_new_is_the_same_sighting():
    seen, _ = sightings(DataPath.SHORT, active=True)
    address = seen[0][1].address
    of_one = [sighting for _, sighting in seen if sighting.address == address]
    assert len({id(sighting) for sighting in of_one}) <= 2  # without and with scan response


@pytest.mark.parametrize("path", DataPath)
def test_bleak_is_called_for_each_report_with_what_changed(path):
    async def main() -> tuple[int, set[str | None]]:
        scanner, (strap, _) = await stations(VirtualLink(path=path))
        calls: list[AdvertisementData] = []

        def on_detection(device: BLEDevice, data: AdvertisementData) -> None:
            if device.address == strap.address:
                calls.append(data)

        backend = BumbleScanner.on(BumbleAdapter(scanner))
        async with BleakScanner(on_detection, backend=backend):
            await asyncio.sleep(3)
            before = len(calls)
            await strap.stop()
        async with BleakScanner(on_detection, backend=backend) as again:
            await asyncio.sleep(3)
            assert strap.address not in {one.address for one in again.discovered_devices}
        return before, {one.local_name for one in calls[-3:]}

    count, names = run(main())
    assert count > 5
    assert names == {"HR-Strap"}


def test_bumbles_own_listeners_hear_while_an_adapter_scans():
    async def main() -> tuple[int, int]:
        scanner, _ = await stations(VirtualLink())
        packets = reports_as_packets(scanner)
        adapter = BumbleAdapter(scanner)
        ours: list[Sighting] = []
        theirs: list[object] = []
        scanner.device.on("advertisement", theirs.append)
        await adapter.start_scanning(ours.append)
        await asyncio.sleep(2)
        assert len(packets) == len(ours)
        return len(ours), len(theirs)

    ours, theirs = run(main())
    assert ours > theirs > 0
