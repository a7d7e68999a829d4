"""Real runs of pytest with allure-pytest, read back from what they left on disk."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bletest.contracts.events import Note
from bletest.contracts.findings import Finding
from bletest.evidence.keeper import Story, open_keeper
from bletest.evidence.transcript import Transcript

CONFTEST = """
from pathlib import Path
import pytest
from bletest.evidence.keeper import open_keeper

@pytest.fixture(scope="session")
def keeper(pytestconfig):
    directory = pytestconfig.getoption("--alluredir")
    return open_keeper(Path(directory) if directory else None)
"""

TESTS = """
import threading
import pytest
from bletest.contracts.events import AttPdu, Direction, LinkEvent
from bletest.contracts.findings import Finding
from bletest.errors import AdapterLost, AttributeRefused, CheckFailed
from bletest.evidence.keeper import Story
from bletest.evidence.transcript import Transcript

FINDING = Finding("read.value", "heart_rate/body_sensor_location", "01", "02")

def transcript():
    transcript = Transcript({0x12: "heart_rate/body_sensor_location"})
    transcript(LinkEvent(1.0, "1", "connected", "C0:11:22:33:44:55"))
    transcript(AttPdu(1.5, "1", Direction.SENT, bytes.fromhex("0a1200")))
    transcript(AttPdu(1.75, "1", Direction.RECEIVED, bytes.fromhex("0b01")))
    return transcript

def test_passes(keeper):
    keeper.tell(Story(
        title="Body Sensor Location reads 01",
        profile="heart_rate", service="heart_rate", characteristic="body_sensor_location",
        severity="critical", official=("GATT/SR/GAR/BV-01-C",),
        parameters={"value": b"\\x01"}, surroundings={"adapter": "virtual"},
    ))
    with keeper.step("read heart_rate/body_sensor_location") as step:
        step.says("1 octet 01")
        with keeper.step("inside"):
            pass
    keeper.attach_transcript(transcript())
    keeper.attach_transcript(Transcript())
    keeper.attach_findings([])
    keeper.attach_text("console", "boot ok")

def test_device_at_fault(keeper):
    keeper.attach_findings([FINDING])
    with keeper.step("compare"):
        raise CheckFailed([FINDING])

def test_refused(keeper):
    raise AttributeRefused(code=2, operation="read", attribute="x", meaning="0x02")

def test_bench_in_trouble(keeper):
    with keeper.step("read"):
        raise AdapterLost("usb:0 was unplugged", remedy="plug it in again")

@pytest.fixture
def late(keeper):
    yield
    keeper.tell(Story(title="Told late"))
    keeper.attach_text("late", "seen while the fixture ended")

def test_with_a_fixture(keeper, late):
    with keeper.step("a step"):
        keeper.attach_text("early", "in a step")

@pytest.mark.parametrize("ble_profile", [object()], ids=["strap"])
@pytest.mark.parametrize("count", [3])
def test_parametrized(keeper, ble_profile, count):
    keeper.tell(Story(profile="heart_rate", surroundings={"adapter": str(id(ble_profile))}))

def test_from_another_thread(keeper):
    thread = threading.Thread(target=keeper.attach_text, args=("from a thread", "hello"))
    thread.start()
    thread.join()
"""


def run_pytest(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (directory / "conftest.py").write_text(CONFTEST)
    (directory / "test_strap.py").write_text(TESTS)
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "allure_pytest"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, "--rootdir", str(directory), *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    run = run_pytest(directory, "--alluredir", "allure-results")
    assert run.returncode == 1, run.stdout + run.stderr
    return directory / "allure-results"


@pytest.fixture(scope="module")
def tests(results: Path) -> dict[str, Any]:
    found = [json.loads(path.read_text()) for path in results.glob("*-result.json")]
    return {test["fullName"].partition("#")[2]: test for test in found}


def test_a_device_at_fault_fails_and_a_bench_in_trouble_breaks(tests: dict[str, Any]) -> None:
    assert {name: test["status"] for name, test in tests.items()} == {
        "test_passes": "passed",
        "test_device_at_fault": "failed",
        "test_refused": "failed",
        "test_bench_in_trouble": "broken",
        "test_from_another_thread": "passed",
        "test_with_a_fixture": "passed",
        "test_parametrized": "passed",
    }


def test_steps_carry_the_verdict_of_their_block(tests: dict[str, Any]) -> None:
    assert tests["test_device_at_fault"]["steps"][0]["status"] == "failed"
    assert tests["test_bench_in_trouble"]["steps"][0]["status"] == "broken"


def test_steps_nest_and_say_what_came_of_them(tests: dict[str, Any]) -> None:
    (step,) = tests["test_passes"]["steps"]
    assert step["name"] == "read heart_rate/body_sensor_location → 1 octet 01"
    assert [below["name"] for below in step["steps"]] == ["inside"]


def test_the_story_becomes_title_labels_and_parameters(tests: dict[str, Any]) -> None:
    test = tests["test_passes"]
    labels = {(label["name"], label["value"]) for label in test["labels"]}
    assert test["name"] == "Body Sensor Location reads 01"
    assert labels >= {
        ("epic", "heart_rate"),
        ("feature", "heart_rate"),
        ("story", "body_sensor_location"),
        ("severity", "critical"),
        ("tag", "GATT/SR/GAR/BV-01-C"),
    }
    assert test["parameters"] == [
        {"name": "profile", "value": "heart_rate"},
        {"name": "value", "value": "01"},
        {"name": "adapter", "value": "virtual", "excluded": True},
    ]


def test_a_test_keeps_its_history_from_run_to_run(
    tests: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = tmp_path_factory.mktemp("again")
    run_pytest(again, "--alluredir", "allure-results", "-k", "parametrized")
    (path,) = (again / "allure-results").glob("*-result.json")
    first, second = tests["test_parametrized"], json.loads(path.read_text())
    shown = {one["name"]: one["value"] for one in first["parameters"]}
    assert {**shown, "adapter": ""} == {"count": "3", "profile": "heart_rate", "adapter": ""}
    assert first["parameters"] != second["parameters"]
    assert first["historyId"] == second["historyId"]


def attached(results: Path, test: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        one["name"]: (one["type"], (results / one["source"]).read_text())
        for one in test.get("attachments", ())
    }


def test_a_transcript_is_attached_in_both_forms(results: Path, tests: dict[str, Any]) -> None:
    found = attached(results, tests["test_passes"])
    assert set(found) == {"transcript.txt", "transcript.jsonl", "console"}
    kind, text = found["transcript.txt"]
    assert kind == "text/plain"
    assert "heart_rate/body_sensor_location  Read Request 0x0012" in text
    assert [json.loads(line)["time"] for line in found["transcript.jsonl"][1].splitlines()] == [
        0,
        0.5,
        0.75,
    ]


def test_findings_are_attached_as_a_page(results: Path, tests: dict[str, Any]) -> None:
    found = attached(results, tests["test_device_at_fault"])
    kind, page = found["findings"]
    assert kind == "text/html"
    assert "read.value" in page


def test_what_a_fixture_adds_at_its_end_stands_with_the_test(
    results: Path, tests: dict[str, Any]
) -> None:
    test = tests["test_with_a_fixture"]
    assert test["name"] == "Told late"
    assert set(attached(results, test)) == {"early", "late"}


def test_another_thread_may_attach_too(results: Path, tests: dict[str, Any]) -> None:
    assert "from a thread" in attached(results, tests["test_from_another_thread"])


def test_without_a_results_directory_the_same_tests_run_and_leave_nothing(tmp_path: Path) -> None:
    run = run_pytest(tmp_path)
    assert run.returncode == 1
    assert "3 failed, 4 passed" in run.stdout
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == [
        "conftest.py",
        "test_strap.py",
    ]


def test_nothing_breaks_outside_any_test() -> None:
    script = """
import sys
from pathlib import Path
from bletest.contracts.findings import Finding
from bletest.contracts.events import Note
from bletest.evidence.keeper import Story, open_keeper
from bletest.evidence.transcript import Transcript
keeper = open_keeper(Path("nowhere"))
transcript = Transcript()
transcript(Note(0.0, "x"))
keeper.tell(Story(title="x", parameters={"a": 1}))
keeper.attach_transcript(transcript)
keeper.attach_findings([Finding("a", "b", "c", "d")])
keeper.attach_text("a", "b")
with keeper.step("x") as step:
    step.says("y")
print(keeper.keeps, Path("nowhere").exists())
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False False\n"


def test_allure_is_imported_only_for_a_results_directory() -> None:
    script = """
import sys
from bletest.evidence.keeper import open_keeper
assert not open_keeper(None).keeps
print(sorted(name for name in sys.modules if name.startswith("allure")))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_the_keeper_of_nothing_takes_everything() -> None:
    keeper = open_keeper(None)
    transcript = Transcript()
    transcript(Note(0.0, "x"))
    keeper.tell(Story(title="x"))
    keeper.attach_transcript(transcript)
    keeper.attach_findings([Finding("a", "b", "c", "d")])
    keeper.attach_text("a", "b")
    keeper.describe_session(name="x", environment={}, variables={})
    for _ in range(2):
        with keeper.step("a step can be used again") as step:
            step.says("y")
    assert not keeper.keeps
