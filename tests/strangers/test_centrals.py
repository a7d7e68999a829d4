"""Centrals that share no line with us meet our emulated strap."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bletest import profile
from bletest.bench.bench import Bench
from tests.strangers.support import all_said, node, python, settings

STRAP = profile.load(profile.shipped()["heart_rate"])


async def met(port: str, command: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the strap's address, and what a central says of the strap."""
    async with (
        Bench(settings(port, command, folder)) as bench,
        bench.device(STRAP) as strap,
    ):
        await bench.begin_test()
        said = await all_said(bench)
        assert strap.peripheral is not None
        assert strap.peripheral.failures == []
        return strap.address, said


def test_noble_connects_discovers_reads_writes_and_subscribes(tmp_path):
    command = node("noble_central.js")
    address, said = asyncio.run(met("pty,buffers=27", command, tmp_path))
    assert said["found"] == {
        "address": address.lower(),
        "type": "random",
        "services": ["180d", "180f", "180a"],
        "manufacturer": "59000102",
        "rssi": -50,
    }
    assert said["mtu"] == 247
    assert said["services"] == ["1800", "1801", "180d", "180f", "180a"]
    properties = dict(map(tuple, said["characteristics"]))
    assert properties["2a37"] == ["notify"]
    assert properties["2a38"] == ["read"]
    assert properties["2a39"] == ["write"]
    assert properties["2a19"] == ["read", "notify"]
    assert (said["2a38"], said["2a19"]) == ("01", "4d")
    assert bytes.fromhex(said["2a29"]) == b"Example Sports"
    assert said["2a50"] == "0159000a001103"
    assert said["2a39"] == "written"
    assert said["2a37"] == ["063c", "063d"]


@pytest.mark.parametrize("kind", ["tcp-server", "unix-server"])
def test_bumbles_own_host_scans_connects_and_reads_over_a_socket(kind, tmp_path):
    port = "tcp-server:0" if kind == "tcp-server" else f"unix-server:{tmp_path / 'hci'}"
    address, said = asyncio.run(met(port, python("bumble_central.py"), tmp_path))
    assert said == {
        "found": address,
        "mtu": 247,
        "services": ["1800", "1801", "180D", "180F", "180A"],
        "2A38": "01",
        "2A19": "4d",
        "2A29": b"Example Sports".hex(),
        "done": True,
    }
