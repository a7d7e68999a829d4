"""Firmware that runs on this machine: started, watched, kept as evidence, and stopped."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import h4_firmware

FIND = """
    async def test_{name}(ble_scanner):
        await ble_scanner.find(name="Raw", within=5)
"""


def command(*wishes: str) -> str:
    return shlex.join([sys.executable, "-S", h4_firmware.__file__, *wishes])


def arguments(*wishes: str, lifetime: str = "session") -> list[str]:
    return [
        "-pno:randomly",
        "--ble-hci-port=pty",
        f"--ble-device-command={command(*wishes)}",
        f"--ble-device-lifetime={lifetime}",
        "--ble-device=name:Raw",
    ]


def log(pytester: pytest.Pytester) -> str:
    file = pytester.path / "bletest-results" / "firmware.log"
    return file.read_text() if file.exists() else ""


def processes(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^(?:pid|child) (\d+)$", text, re.M)]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Nobody may have waited for it: what is dead and listed is dead.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def wait_dead(pids: list[int]) -> bool:
    deadline = time.monotonic() + 5
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(is_alive, pids))


def test_firmware_runs_for_the_session_and_ends_with_all_it_has_started(led):
    led.makepyfile(FIND.format(name="one") + FIND.format(name="two"))
    result = led.runpytest(*arguments("child"))
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*clock: real (because a host stack may attach to --ble-hci-port pty*)", "*2 passed*"]
    )
    assert len(processes(log(led))) == 2
    assert wait_dead(processes(log(led)))
    # what it wrote during a test stands with that test
    (kept,) = led.path.glob("bletest-results/*test_one/firmware.txt")
    assert "0x0c03 answered with status 0" in kept.read_text()


def test_firmware_may_be_started_for_each_test(led):
    led.makepyfile(FIND.format(name="one") + FIND.format(name="two"))
    result = led.runpytest(*arguments(lifetime="test"))
    result.assert_outcomes(passed=2)
    assert len(set(processes(log(led)))) == 2
    assert wait_dead(processes(log(led)))


def test_firmware_that_dies_is_the_devices_fault_and_the_next_test_runs(led):
    led.makepyfile(
        """
        import asyncio
        import pathlib

        async def death(bench):
            pathlib.Path("die").touch()
            while bench.firmware.is_running:
                await asyncio.sleep(0.01)

        async def test_waits(ble_scanner, ble_bench):
            await death(ble_bench)
            await ble_scanner.find(name="Nobody", within=0.1)

        async def test_does_not_look(ble_bench):
            await death(ble_bench)

        async def test_next(ble_scanner):
            await ble_scanner.find(name="Raw", within=5)
        """
    )
    result = led.runpytest(*arguments("assert"), "--alluredir=results")
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_waits*",
            "the firmware ended with exit code 3; its last lines were",
            "  0x200a answered with status 0",
            "  ASSERTION FAILED at main.c:42",
            "  remedy: its whole output is in bletest-results/firmware.log",
            "*test_does_not_look*",
            "the firmware ended with exit code 3; its last lines were",
            "the device's fault: 2",
        ]
    )
    result.stdout.no_fnmatch_line("trouble of bench or test*")
    stories = [json.loads(one.read_text()) for one in led.path.glob("results/*-result.json")]
    (failed,) = [one for one in stories if one["name"] == "test_waits"]
    assert failed["status"] == "failed"
    (attached,) = [one for one in failed["attachments"] if one["name"] == "firmware.txt"]
    assert "main.c:42" in (led.path / "results" / attached["source"]).read_text()


def test_a_device_that_is_firmware_can_be_reset(led):
    led.makepyfile(
        """
        async def test_reset(ble_device, ble_scanner):
            await ble_device.reset()
            await ble_scanner.find(name="Raw", within=5)
        """
    )
    result = led.runpytest("--ble-profile=led.yaml", *arguments())
    result.assert_outcomes(passed=1)
    assert len(set(processes(log(led)))) == 2


def test_firmware_that_never_opens_its_port_is_trouble_of_the_bench(led):
    led.makepyfile(FIND.format(name="it"))
    result = led.runpytest(*arguments("closed"), "--ble-timeout-scale=0.05")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["the firmware has not opened */hci within 0.5 s", "*BLETEST_HCI_PORT*"]
    )
    result.stdout.fnmatch_lines(["trouble of bench or test: 1"])
    assert wait_dead(processes(log(led)))


@pytest.mark.parametrize("missing", ["/no/such/firmware", "'unclosed", " "])
def test_a_command_that_cannot_be_started_is_told(led, missing):
    led.makepyfile(FIND.format(name="it"))
    result = led.runpytest("--ble-hci-port=pty", f"--ble-device-command={missing}")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["the device command cannot be started: *", "*without a shell*"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_firmware_outlives_a_run_that_is_interrupted(led, number):
    led.makepyfile(
        """
        import asyncio

        async def test_for_ever(ble_scanner):
            await ble_scanner.find(name="Raw", within=5)
            await asyncio.sleep(1000)
        """
    )
    run = [sys.executable, "-m", "pytest", "-pno:cacheprovider", *arguments("child", "deaf")]
    # Whoever started these tests may have them ignore the signal, as nohup does.
    with subprocess.Popen(
        run,
        cwd=led.path,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as process:
        try:
            deadline = time.monotonic() + 20
            while "0x200a" not in (said := log(led)):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(number)
            process.wait(timeout=20)
        finally:
            process.kill()
    assert len(processes(said)) == 2
    assert wait_dead(processes(said))
