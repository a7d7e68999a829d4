"""A client that follows its device, and one that waits for the end of its link."""

import pytest
from bleak import BleakClient

from bletest.client.backend import BumbleClient
from bletest.client.gatt import GattClient
from bletest.errors import CapabilityMissing, DeviceNotFound
from tests.client.support import in_virtual_time, loop_time, open_bench
from tests.support.scripted_peripheral import ADDRESS, ScriptedPeripheral

OTHER = "C0:00:00:00:00:02"


@in_virtual_time
async def test_a_client_connects_to_another_device_by_address_or_name():
    async with (
        open_bench() as bench,
        ScriptedPeripheral(bench.air, name="Other", address=OTHER, services=()),
        bench.client() as client,
    ):
        told = []
        client.on_discovery = lambda link, database: told.append((link, database))
        async with client.subscribe("battery_level"):
            await client.connect_to(address=OTHER, name="whatever", within=3)
        assert (client.address, client.is_connected) == (OTHER, True)
        assert client.advertisement.name == "Other"
        assert [(link, len(found.services)) for link, found in told] == [("2", 5)]
        assert await client.exchange(b"\x02\x17\x00") is not None
        await client.connect_to(address=None, name="Scripted", within=3)
        assert client.address == ADDRESS
        assert (await client.read("battery_level")).raw == b"\x64"
        with pytest.raises(DeviceNotFound, match="Nobody"):
            await client.connect_to(address=None, name="Nobody", within=3)
        assert not client.is_connected


@in_virtual_time
async def test_the_end_of_a_link_is_waited_for_as_long_as_one_likes():
    async with open_bench() as bench, bench.client() as client:
        start = loop_time()
        assert not await client.ended(within=2)
        assert loop_time() - start == pytest.approx(2)
        bench.device.vanish()
        assert await client.ended(within=5)
        assert loop_time() - start < 4
        assert await client.ended(within=5)


@in_virtual_time
async def test_a_client_made_by_hand_says_that_it_cannot_look_around():
    async with open_bench() as bench:
        client = GattClient(BleakClient(ADDRESS, backend=BumbleClient.on(bench.adapter)))
        async with client:
            with pytest.raises(CapabilityMissing, match="cannot look"):
                await client.connect_to(address=OTHER, name=None, within=1)
