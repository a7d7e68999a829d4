"""An HCI port under stress: small buffers, long values, links that end in the middle, and noise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bletest import profile
from bletest.bench.bench import Bench
from bletest.bench.device import DeviceUnderTest
from tests.strangers import flood
from tests.strangers.support import HERE, python, settings

MEMORY = profile.load(HERE / "memory.yaml")
LONG = bytes(reversed(range(256))) * 2
PATTERN = bytes(range(256)) * 2


@asynccontextmanager
async def memory(port: str, folder: Path) -> AsyncIterator[tuple[Bench, DeviceUnderTest]]:
    """Have the device that bumble's own stack makes, in another process, on the air."""
    command = python("bumble_device.py")
    async with (
        asyncio.timeout(30),
        Bench(settings(port, command, folder, "Memory")) as bench,
        bench.device(MEMORY) as device,
    ):
        await bench.begin_test()
        yield bench, device


@pytest.mark.parametrize("buffers", [27, 251])
def test_values_of_512_octets_go_both_ways_through_small_buffers(buffers, tmp_path):
    async def main() -> tuple[bytes, bytes, str]:
        port = f"tcp-server:0,buffers={buffers},address=02:00:00:AB:CD:EF"
        async with memory(port, tmp_path) as (bench, device):
            client = await bench.connect(device)
            async with client.subscribe("ticks") as ticks:
                first = (await client.read("memory")).raw
                await client.write("memory", LONG)
                assert [len(tick.raw) for tick in await ticks.take(20, within=10)] == [200] * 20
            await bench.release(client)
            # on a link of its own, so that nothing is remembered
            client = await bench.connect(device)
            second = (await client.read("memory")).raw
            await bench.release(client)
            return first, second, device.address

    first, second, address = asyncio.run(main())
    assert (first, second) == (PATTERN, LONG)
    assert address == "02:00:00:AB:CD:EF"


def test_a_link_that_ends_in_mid_transfer_leaves_a_port_that_works(tmp_path):
    async def main() -> list[bytes]:
        values = []
        async with memory("tcp-server:0,buffers=27", tmp_path) as (bench, device):
            for delay in (0, 0.002, 0.005, 0.01, 0.02):
                client = await bench.connect(device)
                async with client.subscribe("ticks"):
                    transfer = asyncio.create_task(client.write("memory", PATTERN))
                    await asyncio.sleep(delay)
                    await client.disconnect()
                    await asyncio.gather(transfer, return_exceptions=True)
            client = await bench.connect(device)
            values.append((await client.read("memory")).raw)
            await bench.release(client)
            assert bench.firmware is not None
            assert bench.firmware.death() is None
        return values

    assert asyncio.run(main()) == [PATTERN]


KILL = """
import os, re, signal

async def test_killed(ble_client, ble_bench):
    async with ble_client.subscribe("ticks") as ticks:
        await ticks.take(5, within=5)
        pid = re.findall(r"^pid (\\d+)$", ble_bench.firmware.output(), re.M)[-1]
        os.kill(int(pid), signal.SIGKILL)
        await ticks.take(100_000, within=20)

async def test_next(ble_client):
    assert len((await ble_client.read("memory")).raw) == 512
"""


def test_firmware_killed_in_mid_notification_is_the_devices_fault(pytester):
    pytester.makepyfile(KILL)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    result = pytester.runpytest(
        *("-p", "no:randomly", f"--ble-profile={HERE / 'memory.yaml'}"),
        *("--ble-hci-port=pty", "--ble-device=name:Memory"),
        f"--ble-device-command={python('bumble_device.py')}",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["the firmware was ended by SIGKILL; its last lines were", "the device's fault: 1"]
    )


@pytest.mark.parametrize("kind", flood.KINDS)
def test_random_octets_end_nothing_but_their_own_connection(kind):
    found = asyncio.run(flood.flood(kind, count=100, seed=1))
    assert found.problems == []
    assert found.strings == 100
    assert found.hung_up_on > 20
    assert found.over_links > 5
