"""Programs in processes of their own: run, watched, ended."""

import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from bletest.apps.environment import environment_for
from bletest.apps.program import AppUnderTest
from bletest.bench.bench import Bench
from bletest.bench.settings import CaptureChoice, Settings
from bletest.errors import AppFailed, BenchTrouble, UsageMistake
from bletest.link.clock import run
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile import load, shipped
from tests.support.serving import BLETEST

T = TypeVar("T")

EXAMPLE = Path(__file__).parents[2] / "examples" / "app.py"

Work = Callable[[AppUnderTest, VirtualPeripheral], Awaitable[T]]


def with_app(work: Work[T], log: Path, *, faults: tuple[str, ...] = ()) -> T:
    async def main() -> T:
        async with (
            Bench(Settings(seed=1, capture=CaptureChoice.OFF)) as bench,
            bench.device(load(shipped()["heart_rate"]), faults=faults) as device,
        ):
            assert device.peripheral is not None
            app = AppUnderTest(bench, log=log)
            try:
                return await work(app, device.peripheral)
            finally:
                await app.close()

    return run(main())


def test_an_unchanged_program_meets_the_emulated_device(tmp_path: Path) -> None:
    async def work(app: AppUnderTest, strap: VirtualPeripheral) -> str:
        async with app.start("python", EXAMPLE, "2") as running:
            await strap.wait_read("battery_level")
            await strap.wait_subscribed("heart_rate_measurement")
            ended = await running.wait()
        ended.check()
        return ended.stdout

    said = with_app(work, tmp_path / "app.log")
    assert said == "battery: 77 %\nheart rate: 60\nheart rate: 61\n"
    assert (tmp_path / "app.log").read_text().startswith("$ python ")


def test_a_program_that_meets_a_fault_fails_with_what_it_said(tmp_path: Path) -> None:
    async def work(app: AppUnderTest, strap: VirtualPeripheral) -> None:
        await app.run("python", EXAMPLE)

    with pytest.raises(AppFailed, match=r"ended with exit code 1(.|\n)*BleakGATTProtocolError"):
        with_app(work, tmp_path / "app.log", faults=("battery_level: read 1 answers 0x0E",))


def test_a_program_can_be_told_things_and_says_things(tmp_path: Path) -> None:
    talker = "import sys\nprint('ready', flush=True)\nprint(sys.stdin.readline().upper())"

    async def work(app: AppUnderTest, strap: VirtualPeripheral) -> str:
        async with app.start("python", "-c", talker) as running:
            await running.says("ready")
            await running.tell("hello")
            with pytest.raises(AppFailed, match='did not say "never"'):
                await running.says("never", within=20)
            return (await running.wait()).stdout

    assert with_app(work, tmp_path / "app.log") == "ready\nHELLO\n\n"


def test_a_program_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    stubborn = "sh -c 'trap \"\" TERM; sleep 100 & echo started; wait'"

    async def work(app: AppUnderTest, strap: VirtualPeripheral) -> None:
        async with app.start("sh", "-c", stubborn) as running:
            await running.says("started")
            with pytest.raises(AppFailed, match=r"had not ended after 0\.1 s(.|\n)*started"):
                await running.wait(within=0.1)
            running.send_signal(signal.SIGKILL)

    with_app(work, tmp_path / "app.log")


def test_a_command_that_is_none_is_told(tmp_path: Path) -> None:
    async def work(app: AppUnderTest, strap: VirtualPeripheral) -> None:
        with pytest.raises(UsageMistake, match="which command"):
            await app.run()
        with pytest.raises(BenchTrouble, match="no_such_program --now cannot be started"):
            await app.run("no_such_program", "--now")

    with_app(work, tmp_path / "app.log")


def test_a_program_with_two_adapters_uses_both(tmp_path: Path) -> None:
    script = """
import asyncio
from bleak import BleakScanner
async def main():
    for name in ("hci0", "hci1", "hci2"):
        try:
            found = await BleakScanner.discover(timeout=0.3, bluez={"adapter": name})
            print(name, [one.name for one in found])
        except Exception as error:
            print(name, type(error).__name__, error)
asyncio.run(main())
"""

    async def work(app: AppUnderTest, strap: VirtualPeripheral) -> list[str]:
        return (await app.run("python", "-c", script, adapters=2)).stdout.splitlines()

    first, second, third = with_app(work, tmp_path / "app.log")
    assert (first, second) == ("hci0 ['HR-Strap']", "hci1 ['HR-Strap']")
    assert third.startswith("hci2 BleakError there is no adapter hci2")


def test_a_program_that_does_not_use_bleak_pays_for_nothing() -> None:
    script = "import sys; print([name for name in sys.modules if name.startswith('bumble')])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment_for(["virtual"]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_a_sitecustomize_of_the_program_has_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('theirs')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", ""],
        env=environment_for(["virtual"]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "theirs\n"


def bletest(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*BLETEST, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_command_runs_a_program_against_emulated_devices() -> None:
    done = bletest("app", "--emulate", "heart_rate", "--", "python", str(EXAMPLE), "1")
    assert (done.returncode, done.stdout) == (0, "battery: 77 %\nheart rate: 60\n")
    assert "HR-Strap" in done.stderr


def test_the_commands_exit_code_is_the_programs() -> None:
    script = "import sys; sys.exit(7)"
    assert bletest("app", "--emulate", "led_button", "python", "-c", script).returncode == 7


def test_the_command_says_what_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLETEST_ADAPTERS", raising=False)
    done = bletest("app", "--", "python", str(EXAMPLE))
    assert done.returncode == 4
    assert "--emulate heart_rate" in done.stderr
    done = bletest("app", "--emulate", "led_button", "--", "no_such_program")
    assert (done.returncode, "cannot be started" in done.stderr) == (4, True)
