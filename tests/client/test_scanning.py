"""bleak's scanner over an adapter: callbacks, filters, and the ways to find one device."""

import asyncio

import pytest
from bleak import BleakScanner
from bleak.exc import BleakError

from bletest.client.backend import BumbleScanner
from bletest.client.scan import find, scan
from bletest.errors import DeviceNotFound, UsageMistake
from bletest.uuids import Uuid
from tests.client.support import in_virtual_time, loop_time, open_bench
from tests.support.scripted_peripheral import ADDRESS, NAME, ScriptedPeripheral

OTHER = "C0:00:00:00:00:02"


@in_virtual_time
async def test_an_active_scan_shows_advertisement_and_scan_response_together():
    async with open_bench() as bench:
        devices = await BleakScanner.discover(
            1, return_adv=True, backend=BumbleScanner.on(bench.adapter)
        )
    ((device, data),) = devices.values()
    assert device.address == ADDRESS
    assert device.name == NAME
    assert data.local_name == NAME
    assert data.service_uuids == [str(Uuid(0x180D)), str(Uuid(0x180F))]
    assert data.manufacturer_data == {0x0059: b"\x01\x02"}
    assert data.rssi == -50


@in_virtual_time
async def test_a_passive_scan_gets_no_scan_response():
    async with open_bench() as bench:
        devices = await BleakScanner.discover(
            1,
            return_adv=True,
            scanning_mode="passive",
            backend=BumbleScanner.on(bench.adapter),
        )
    ((_, data),) = devices.values()
    assert data.local_name is None
    assert data.service_uuids != []


@in_virtual_time
async def test_the_callback_is_told_of_every_report_until_the_scan_stops():
    seen = []
    async with open_bench() as bench:
        scanner = BleakScanner(
            lambda device, _: seen.append(device.address),
            backend=BumbleScanner,
            via=bench.adapter,
        )
        async with scanner:
            await asyncio.sleep(1)
        count = len(seen)
        await asyncio.sleep(5)
    assert set(seen) == {ADDRESS}
    assert count >= 9
    assert len(seen) == count


@in_virtual_time
async def test_a_filter_on_services_hides_all_other_devices():
    async with (
        open_bench() as bench,
        ScriptedPeripheral(bench.air, name="Other", address=OTHER, services=(0x1809,)),
    ):
        backend = BumbleScanner.on(bench.adapter)
        found = await BleakScanner.discover(1, service_uuids=[str(Uuid(0x1809))], backend=backend)
        everything = await BleakScanner.discover(1, backend=backend)
    assert [device.address for device in found] == [OTHER]
    assert {device.address for device in everything} == {ADDRESS, OTHER}


@in_virtual_time
async def test_a_device_is_found_by_address_by_name_and_by_a_filter_of_ones_own():
    async with open_bench() as bench:
        backend = BumbleScanner.on(bench.adapter)
        by_address = await BleakScanner.find_device_by_address(ADDRESS.lower(), backend=backend)
        by_name = await BleakScanner.find_device_by_name(NAME, backend=backend)
        by_filter = await BleakScanner.find_device_by_filter(
            lambda _, data: 0x59 in data.manufacturer_data, backend=backend
        )
        before = loop_time()
        nobody = await BleakScanner.find_device_by_name("Nobody", timeout=3, backend=backend)
        waited = loop_time() - before
    assert by_address is not None
    assert by_name is not None
    assert by_filter is not None
    assert by_address.address == by_name.address == by_filter.address == ADDRESS
    assert nobody is None
    assert waited == pytest.approx(3, abs=0.1)


@in_virtual_time
async def test_two_scanners_share_the_radio_and_one_that_stops_leaves_the_other_running():
    async with open_bench() as bench:
        backend = BumbleScanner.on(bench.adapter)
        seen = []
        async with BleakScanner(lambda _, data: seen.append(data), backend=backend):
            await BleakScanner.discover(1, scanning_mode="passive", backend=backend)
            seen.clear()
            await asyncio.sleep(1)
    assert len(seen) >= 9


@in_virtual_time
async def test_a_scanner_that_scans_already_cannot_be_started_again():
    async with (
        open_bench() as bench,
        BleakScanner(backend=BumbleScanner.on(bench.adapter)) as scanner,
    ):
        with pytest.raises(BleakError, match="already"):
            await scanner.start()


@in_virtual_time
async def test_a_scanner_starts_anew_with_nothing_seen():
    async with open_bench() as bench:
        scanner = BleakScanner(backend=BumbleScanner.on(bench.adapter))
        async with scanner:
            await asyncio.sleep(1)
        assert len(scanner.discovered_devices) == 1
        bench.device.vanish()
        async with scanner:
            await asyncio.sleep(1)
        assert scanner.discovered_devices == []


@in_virtual_time
async def test_a_scan_callback_that_raises_is_kept_and_the_scan_goes_on():
    def broken(device, data):
        raise RuntimeError("my callback is broken")

    async with open_bench() as bench:
        backend = BumbleScanner.on(bench.adapter)
        async with BleakScanner(broken, backend=backend):
            found = await BleakScanner.find_device_by_name(NAME, backend=backend)
        failures = bench.adapter.take_callback_failures()
    assert found is not None
    assert {str(failure.error) for failure in failures} == {"my callback is broken"}


def test_a_back_end_without_an_adapter_says_how_to_give_it_one():
    with pytest.raises(UsageMistake, match=r"BumbleClient\.on\(adapter\)"):
        BleakScanner(backend=BumbleScanner)


@in_virtual_time
async def test_scan_returns_every_advertiser_and_takes_as_long_as_it_was_told():
    async with (
        open_bench() as bench,
        ScriptedPeripheral(bench.air, name="Other", address=OTHER),
    ):
        before = loop_time()
        seen = await scan(bench.adapter, within=2)
        assert loop_time() - before == pytest.approx(2, abs=0.01)
    assert {one.name for one in seen} == {NAME, "Other"}


@in_virtual_time
async def test_find_returns_as_soon_as_the_device_is_seen():
    async with open_bench() as bench:
        before = loop_time()
        found = await find(bench.adapter, name=NAME, service="heart_rate", within=10)
        assert loop_time() - before < 0.25
    assert found.advertisement.address == found.device.address == ADDRESS


@in_virtual_time
async def test_a_device_that_is_not_found_is_told_with_what_was_seen_instead():
    async with open_bench() as bench:
        with pytest.raises(DeviceNotFound) as caught:
            await find(bench.adapter, name="HR-Strap", service="battery", within=10)
    assert caught.value.message == (
        '"HR-Strap" with service battery was not seen in 10 s;'
        " 1 other was: Scripted (C0:00:00:00:00:01)"
    )
    assert "asleep" in caught.value.remedy


@in_virtual_time
async def test_an_empty_air_is_told_too():
    async with open_bench() as bench:
        bench.device.vanish()
        with pytest.raises(DeviceNotFound, match="nothing else was seen"):
            await find(bench.adapter, address=OTHER, within=1)


@in_virtual_time
async def test_find_wants_to_know_what_to_look_for():
    async with open_bench() as bench:
        with pytest.raises(UsageMistake):
            await find(bench.adapter)
