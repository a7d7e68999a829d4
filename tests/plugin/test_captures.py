"""Captures as users meet them: which tests leave one, where, and that all of it can be read."""

import json
from pathlib import Path

import pytest

from bletest.evidence.btsnoop import read
from tests.support.tshark import complaints, dissect

TESTS = """
import pytest

async def test_passes(ble_client):
    await ble_client.read("led")

async def test_fails(ble_client):
    assert (await ble_client.read("led")).raw == b"\\x07"

async def test_passes_too(ble_client):
    await ble_client.write("led", b"\\x01")

@pytest.fixture
def breaks_at_the_end():
    yield
    raise RuntimeError("at the end")

async def test_fails_at_its_end(ble_client, breaks_at_the_end):
    await ble_client.read("led")

async def test_is_told_late_what_its_handler_raised(ble_client, ble_peripheral):
    def handler(*_):
        raise RuntimeError("in the handler")
    from bletest.peripheral.characteristic import Trigger
    ble_peripheral["led"].callback(Trigger.READ, handler)
    await ble_client.attempt.read("led")

@pytest.mark.xfail(strict=True)
async def test_is_expected_to_fail(ble_client):
    assert (await ble_client.read("led")).raw == b"\\x07"

async def test_skips_late(ble_client):
    pytest.skip("not today")

def test_without_a_radio():
    pass
"""
FAILING = {"test_fails", "test_fails_at_its_end", "test_is_told_late_what_its_handler_raised"}
WITH_RADIO = {*FAILING, "test_passes", "test_passes_too", "test_is_expected_to_fail"}
BOTH = {"adapter.btsnoop", "device.btsnoop"}


def run(led: pytest.Pytester, *arguments: str, source: str = TESTS) -> dict[str, set[str]]:
    """Run the tests; return the captures that each of them left."""
    led.makepyfile(test_it=source)
    led.runpytest("-p", "no:randomly", "--ble-profile", "led.yaml", "--ble-seed", "1", *arguments)
    return captures(led)


def captures(led: pytest.Pytester, folder: str = "bletest-results") -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for file in (led.path / folder).rglob("*.btsnoop"):
        found.setdefault(file.parent.name.partition("-")[2], set()).add(file.name)
    return found


def test_tests_that_failed_in_any_phase_keep_theirs(led: pytest.Pytester) -> None:
    assert run(led) == dict.fromkeys(FAILING, BOTH)


def test_on_keeps_those_of_all_and_off_of_none(led: pytest.Pytester) -> None:
    assert run(led, "--ble-capture", "off") == {}
    assert run(led, "--ble-capture=on") == dict.fromkeys({*WITH_RADIO, "test_skips_late"}, BOTH)


def test_a_test_that_passes_takes_away_what_its_last_run_left(led: pytest.Pytester) -> None:
    assert set(run(led, "--ble-capture=on", "-k", "test_passes")) == {
        "test_passes",
        "test_passes_too",
    }
    assert run(led, "-k", "test_passes") == {}


def test_workers_of_xdist_write_each_to_its_own_tests_folder(led: pytest.Pytester) -> None:
    assert run(led, "-n", "2") == dict.fromkeys(FAILING, BOTH)
    alone = {file: file.read_bytes() for file in (led.path / "bletest-results").rglob("*.btsnoop")}
    run(led, "-n", "2", "--dist", "loadfile")
    for file in alone:
        assert len(list(read(file.read_bytes()))) > 50


@pytest.mark.parametrize("path", ["short", "hci"])
def test_each_capture_can_be_read_by_itself(led: pytest.Pytester, path: str) -> None:
    run(led, "--ble-capture=on", f"--ble-link=path={path}")
    folder = led.path / "bletest-results" / "test_it.py-test_passes_too"
    for name in BOTH:
        file = folder / name
        assert complaints(file) == []
        written = dissect(
            file,
            *("btatt.uuid16", "btatt.value", "btatt.service_uuid16"),
            where="btatt.opcode == 0x12",
        )
        assert written == [["0xff01", "01", "0xff00"]]


def test_a_report_has_the_captures_of_failed_tests(led: pytest.Pytester) -> None:
    run(led, "--alluredir=results")
    attached: dict[str, dict[str, bytes]] = {}
    for file in (led.path / "results").glob("*-result.json"):
        result = json.loads(file.read_text())
        attached[result["fullName"].partition("#")[2]] = {
            attachment["name"]: (led.path / "results" / attachment["source"]).read_bytes()
            for attachment in result.get("attachments", [])
            if attachment["name"].endswith(".btsnoop")
        }
    assert {name for name, files in attached.items() if files} == FAILING
    for name in FAILING:
        assert set(attached[name]) == BOTH
        folder = led.path / "bletest-results" / f"test_it.py-{name}"
        for file, octets in attached[name].items():
            assert (folder / file).read_bytes() == octets


def test_a_test_alone_and_among_others_says_the_same_at_the_same_times(
    led: pytest.Pytester,
) -> None:
    """The client's exchange, that is: handles and addresses go on counting in a session."""

    def said() -> list[tuple[int, bytes]]:
        folder = led.path / "bletest-results" / "test_it.py-test_passes_too"
        octets = (folder / "device.btsnoop").read_bytes()
        packets = list(read(octets))
        att = [one for one in packets if one.packet[0] == 2]
        return [(one.time - att[0].time, one.packet[5:]) for one in att]

    source = "import asyncio\n\nasync def test_long(ble_client): await asyncio.sleep(1e4)\n" + TESTS
    run(led, "--ble-capture=on", source=source)
    among = said()
    run(led, "--ble-capture=on", "-k", "test_passes_too", source=source)
    assert said() == among
    assert len(among) > 10


def test_an_unwritable_folder_is_trouble_of_the_bench(led: pytest.Pytester) -> None:
    led.makepyfile(test_it="async def test_one(ble_client): await ble_client.read('led')")
    folder = led.path / "bletest-results" / "test_it.py-test_one"
    (folder / "adapter.btsnoop").mkdir(parents=True)
    result = led.runpytest("--ble-profile", "led.yaml", "--ble-capture=on")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*capture in *test_one cannot be written*", "*--ble-output*"])
    assert Path(folder / "device.btsnoop").is_file()


def test_an_unknown_choice_names_those_there_are(led: pytest.Pytester) -> None:
    result = led.runpytest("--ble-capture", "maybe")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--ble-capture*maybe*", "*off, on, retain-on-failure*"])
