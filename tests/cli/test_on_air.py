"""``bletest serve`` and ``bletest scan`` as programs of their own, joined by HCI ports."""

import asyncio
import pathlib
import random
import re
import signal
import subprocess
import time
from collections.abc import Sequence

import pytest
from click.testing import CliRunner
from rich.console import Console

from bletest.cli import main
from bletest.cli.exit_codes import ExitCode
from bletest.cli.scan import table_of
from bletest.cli.serving import serve_on_air
from bletest.client.adapter import BumbleAdapter
from bletest.client.connecting import make_client
from bletest.client.scan import find
from bletest.contracts.advertisements import Advertisement
from bletest.evidence.btsnoop import read
from bletest.link.station import open_station
from bletest.profile import load, shipped
from bletest.uuids import Uuid
from tests.support.serving import BLETEST, PORT, serving


def scan(transport: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*BLETEST, "scan", "--transport", transport, "--seconds", "0.4"],
        capture_output=True,
        text=True,
        check=False,
    )


async def read_location(transport: str, address: str) -> bytes:
    station = await open_station(transport, name="app", address=None, rng=random.Random(1))
    try:
        adapter = BumbleAdapter(station)
        found = await find(adapter, address=address)
        async with make_client(adapter, found) as client:
            return (await client.read("body_sensor_location")).raw
    finally:
        await station.close()


def test_a_served_device_is_captured_until_it_ends(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "captures"
    with serving("led_button", "--hci-port", PORT, "--capture", str(folder)) as served:
        assert served.end()[0] == 0
    (file,) = folder.iterdir()
    assert file.name == "led_button.btsnoop"
    said = list(read(file.read_bytes()))
    assert said[0].packet == said[-2].packet == bytes.fromhex("01030c00")  # HCI_Reset
    assert abs(said[-1].time - time.time_ns() // 1000) < 60_000_000


def test_a_capture_that_cannot_be_written_keeps_a_device_from_being_served(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "folder" / "led_button.btsnoop").mkdir(parents=True)
    done = subprocess.run(
        [*BLETEST, "serve", "led_button", "--hci-port", PORT, "--capture", tmp_path / "folder"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == ExitCode.BENCH_TROUBLE
    assert "cannot be written" in done.stderr


def test_a_served_device_is_scanned_and_read_by_another_process() -> None:
    with serving("heart_rate", "smart_lock", "--hci-port", PORT, "--seed", "3") as served:
        addresses = re.findall(r" at ([0-9A-F:]{17}) ", "\n".join(served.said))
        assert len(addresses) == 2
        assert served.said[-1].startswith("ready, seed 3")
        seen = scan(served.ports[0])
        assert seen.returncode == 0
        assert seen.stderr.endswith("2 devices in 0.4 s\n")
        for address, name in zip(addresses, ("HR-Strap", "Front Door"), strict=True):
            assert re.search(rf"{address} +-50 dBm +{name} ", seen.stdout)
        assert asyncio.run(read_location(served.ports[0], addresses[0])) == b"\x01"
        code, out, err = served.end()
    assert (code, err) == (0, "")
    assert re.search(r"heart_rate: connected [0-9A-F:]{17}\nheart_rate: disconnected", out)


def test_two_host_stacks_meet_on_an_air_with_ports_only(tmp_path: pathlib.Path) -> None:
    async def meet(theirs: str, ours: str) -> list[str]:
        names = []
        peripheral = await open_station(theirs, name="p", address=None, rng=random.Random(1))
        central = await open_station(ours, name="c", address=None, rng=random.Random(2))
        try:
            await peripheral.device.start_advertising(
                advertising_data=bytes.fromhex("0309 4869"),
                advertising_interval_min=20,
                advertising_interval_max=20,
            )
            found = await find(BumbleAdapter(central), name="Hi", within=5)
            names.append(found.advertisement.address == peripheral.address)
        finally:
            await central.close()
            await peripheral.close()
        return names

    ports = ["--hci-port", PORT, "--hci-port", f"unix-server:{tmp_path / 'hci'}"]
    with serving(*ports, command="air") as served:
        assert asyncio.run(meet(*served.ports)) == [True]
        code, out, err = served.end()
    assert (code, err) == (0, "")
    assert out.count("a host is attached") == out.count("the host has gone") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "Missing option '--hci-port'"), (["--hci-port", "usb:0"], "is no HCI port")],
)
def test_an_air_without_a_usable_port_is_refused(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["air", *arguments])
    assert (result.exit_code, message in result.output) == (ExitCode.USAGE, True)


async def addresses(seed: int) -> list[str]:
    """Serve a strap twice for a moment, in this process, and return what is said of them."""
    said: list[str] = []
    ready = asyncio.Event()

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("ready"):
            ready.set()

    strap = load(shipped()["heart_rate"])
    serving = asyncio.create_task(serve_on_air([strap, strap], [], seed, say))
    async with asyncio.timeout(10):
        await ready.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    return [line for line in said if " at " in line]


def test_the_same_seed_gives_the_same_addresses() -> None:
    first = asyncio.run(addresses(7))
    assert len(set(first)) == 2
    assert asyncio.run(addresses(7)) == first
    assert not set(asyncio.run(addresses(8))) & set(first)


def test_a_device_on_a_radio_of_its_own_ends_as_trouble_when_the_radio_is_lost() -> None:
    with serving("smart_lock", "--hci-port", PORT, "--hci-port", PORT) as air:
        radio, ours = air.ports
        with serving("heart_rate", "--transport", radio) as strap:
            assert strap.said[-1].startswith(f"ready on {radio}")
            assert "HR-Strap" in scan(ours).stdout
            code, out, err = air.end(signal.SIGTERM)
            assert (code, err) == (0, "")
            assert out.count("a host is attached") == out.count("the host has gone") == 2
            _, err = strap.process.communicate(timeout=20)
    assert strap.process.returncode == ExitCode.BENCH_TROUBLE
    assert f"the controller at {radio} is gone" in err
    assert "Traceback" not in err


def test_several_clients_have_a_port_each_and_what_there_is_none_for_is_skipped() -> None:
    with serving("hub", *("--hci-port", PORT) * 3) as hub:
        command = [*BLETEST, "run", "hub", "--ble-device=name:Home Hub", "--ble-capture=off"]
        command += [f"--ble-adapter={port}" for port in hub.ports]
        narrow = ["--", "-k", "test_configuration_of_each or test_as_many"]
        ran = subprocess.run(
            [*command, *narrow], capture_output=True, text=True, timeout=60, check=False
        )
    assert "passed   3" in ran.stdout
    assert "did not run: 1 × second_client: each adapter has its link to" in ran.stdout
    assert ran.returncode == ExitCode.PASSED


def test_a_port_in_use_is_trouble_that_is_told() -> None:
    with serving("smart_lock", "--hci-port", PORT) as air:
        taken = air.ports[0].replace("client", "server")
        second = subprocess.run(
            [*BLETEST, "serve", "heart_rate", "--hci-port", taken],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert second.returncode == ExitCode.BENCH_TROUBLE
    assert "the address is in use" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_radio_that_nobody_offers_is_trouble_with_a_remedy() -> None:
    result = scan("tcp-client:127.0.0.1:9")
    assert result.returncode == ExitCode.BENCH_TROUBLE
    assert "nobody listens at tcp-client:127.0.0.1:9" in result.stderr
    assert "remedy:" in result.stderr
    assert "Traceback" not in result.stderr


def table_text(found: Sequence[Advertisement]) -> list[str]:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table_of(found))
    return [line.strip() for line in captured.get().splitlines() if line.strip()]


def test_the_strongest_device_comes_first_and_markup_in_a_name_is_only_text() -> None:
    lines = table_text(
        [
            Advertisement("AA:AA:AA:AA:AA:AA", rssi=None),
            Advertisement("BB:BB:BB:BB:BB:BB", name="[red]evil[/]", rssi=-90),
            Advertisement(
                "CC:CC:CC:CC:CC:CC",
                rssi=-40,
                services=(Uuid(0x180D),),
                manufacturer_data={0x0059: b"\x01\x02"},
                service_data={Uuid(0x180F): b"\x64"},
            ),
        ]
    )
    rows = [line for line in lines if line[2:3] == ":"]
    assert [row[:2] for row in rows] == ["CC", "BB", "AA"]
    assert "-40 dBm" in rows[0]
    assert "heart_rate" in rows[0]
    assert "0x0059: 01 02" in rows[0]
    assert any("battery: 64" in line for line in lines)
    assert "[red]evil[/]" in rows[1]
