"""``bletest run``: exit codes, results, and what is left to pytest."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bletest.cli.exit_codes import ExitCode
from tests.support.serving import BLETEST, PORT, serving

LED = """
bletest: 1
name: {name}
device: {{name: Led, mtu: {mtu}}}
advertising: {{interval: 100ms, name: Led}}
services:
  - uuid: 0xFF00
    characteristics:
      - {{uuid: 0xFF01, id: led, properties: [read, write], value: {{uint8: {value}}}, {rest}}}
"""
SOME = ("-k", "test_read or test_name")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "led.yaml").write_text(LED.format(name="led", mtu=64, value=1, rest="length: 1"))
    (tmp_path / "lamp.yaml").write_text(LED.format(name="lamp", mtu=64, value=1, rest="length: 1"))
    return tmp_path


def bletest_run(
    folder: Path, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*BLETEST, "run", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def results(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    run = bletest_run(folder, "--json", "out/results.json", *arguments)
    document = json.loads((folder / "out/results.json").read_text("utf-8"))
    assert document["exit_code"] == run.returncode
    return run.returncode, document


def test_the_results_name_every_test_and_count_them(folder: Path) -> None:
    code, document = results(folder, "led.yaml", "--ble-seed", "5", "--", *SOME)
    assert code == ExitCode.PASSED
    assert document["seed"] == 5
    assert document["tests"] == document["passed"] == len(document["results"]) > 3
    assert document["failed"] == document["broken"] == document["skipped"] == 0
    assert 0 < document["duration_s"] < 600
    assert document["profiles"] == ["led.yaml"]
    first = document["results"][0]
    assert first.keys() == {"id", "outcome", "duration_s", "message"}


def test_a_fault_of_the_device_ends_with_1_and_is_told(folder: Path) -> None:
    other = LED.format(name="other", mtu=64, value=2, rest="length: 1, expect: same")
    (folder / "other.yaml").write_text(other)
    with serving(str(folder / "led.yaml"), "--hci-port", PORT) as served:
        there = ("--ble-adapter", served.ports[0], "--ble-device", "name:Led")
        code, document = results(folder, "other.yaml", *there, "--", "-k", "test_read and led")
    assert code == ExitCode.DEVICE_FAULT
    failed = [one for one in document["results"] if one["outcome"] == "failed"]
    assert document["failed"] == len(failed) > 0
    for one in failed:
        assert "led" in one["id"]
        assert "expected" in one["message"]


def test_trouble_of_the_bench_ends_with_2_at_once(folder: Path) -> None:
    code, document = results(folder, "led.yaml", "--ble-adapter", "usb:9")
    assert code == ExitCode.BENCH_TROUBLE
    assert document["broken"] == document["tests"] == 1, "it stops with the first test"
    assert "usb:9" in document["results"][0]["message"]


def test_trouble_of_the_bench_ends_a_run_that_is_spread(folder: Path) -> None:
    code, document = results(folder, "led.yaml", "--ble-adapter", "usb:9", "--", "-n", "2")
    assert code == ExitCode.BENCH_TROUBLE
    assert document["broken"] == document["tests"] < 50


def test_a_run_in_which_nothing_was_judged_ends_with_5(folder: Path) -> None:
    code, document = results(folder, "led.yaml", "--", "-k", "no_such_test")
    assert code == ExitCode.NOTHING_RAN
    assert document["tests"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("typo*",), ExitCode.USAGE, "typo*"),
        (("hart_rate",), ExitCode.USAGE, "heart_rate"),
        (("led.yaml", "--ble-adapter", "ubs:0"), ExitCode.USAGE, 'did you mean "usb"?'),
        (("led.yaml", "--json", "led.yaml/x.json"), ExitCode.USAGE, "--json"),
        (("led.yaml", "--", "--no-such-option"), ExitCode.USAGE, "--no-such-option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_told_before_anything_runs(
    folder: Path, arguments: tuple[str, ...], code: ExitCode, words: str
) -> None:
    run = bletest_run(folder, *arguments)
    assert run.returncode == code
    assert words in run.stderr
    assert "Traceback" not in run.stderr


def test_a_wrong_profile_ends_with_3_and_a_place(folder: Path) -> None:
    (folder / "bad.yaml").write_text("bletest: 1\nname: bad\nservicess: []\n")
    run = bletest_run(folder, "led.yaml", "bad.yaml")
    assert run.returncode == ExitCode.PROFILE_WRONG
    assert "bad.yaml:3:1: " in run.stderr


def test_a_report_without_node_is_refused_with_the_remedy(folder: Path) -> None:
    run = bletest_run(folder, "led.yaml", "--report", "r.html", PATH="")
    assert run.returncode == ExitCode.USAGE
    assert "Node" in run.stderr
    assert not (folder / "r.html").exists()


def test_several_profiles_share_a_run_and_each_is_judged_once(folder: Path) -> None:
    code, document = results(folder, "l*.yaml", "led.yaml", "--", *SOME)
    assert code == ExitCode.PASSED
    ids = [one["id"] for one in document["results"]]
    assert len(ids) == len(set(ids))
    assert {
        len([one for one in ids if f"[{name}-" in one or f"[{name}]" in one])
        for name in (
            "lamp",
            "led",
        )
    } == {len(ids) / 2}


def test_a_run_is_spread_over_processes_with_the_same_outcome(folder: Path) -> None:
    code, alone = results(folder, "led.yaml", "--", *SOME)
    assert code == ExitCode.PASSED
    code, spread = results(folder, "led.yaml", "--", *SOME, "-n", "2")
    assert code == ExitCode.PASSED
    assert sorted(one["id"] for one in spread["results"]) == sorted(
        one["id"] for one in alone["results"]
    )


def test_results_on_standard_output_stand_there_alone(folder: Path) -> None:
    run = bletest_run(folder, "led.yaml", "--json", "-", "--", *SOME)
    assert json.loads(run.stdout)["passed"] > 3
    assert "passed" in run.stderr
