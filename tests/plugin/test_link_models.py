"""Link models in a run: the option, the marker, evidence that repeats, verdicts that agree."""

import re
from pathlib import Path

import pytest

PROFILE = """
bletest: 1
name: led
device: {name: LED}
advertising: {interval: 100ms, name: LED}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: led, properties: [read, write], value: {hex: 01}, length: 1}
      - {uuid: 0xFF02, id: ticker, properties: [notify], value: {hex: 00},
         notify: {every: 1s, tolerance: 20%, values: {sequence: [{hex: 0A}, {hex: 0B}]}}}
"""


@pytest.fixture
def run(pytester: pytest.Pytester):
    pytester.makefile(".yaml", led=PROFILE)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")

    def run(test: str, *options: str, subprocess: bool = False) -> pytest.RunResult:
        pytester.makepyfile(test_it=test)
        go = pytester.runpytest_subprocess if subprocess else pytester.runpytest
        return go("--ble-profile=led.yaml", "-p", "no:randomly", *options)

    return run


READS = """
import asyncio, pytest
pytestmark = pytest.mark.ble_profile("led.yaml")

async def test_reads(ble_client):
    start = asyncio.get_running_loop().time()
    for _ in range(10):
        await ble_client.read("led")
    print("took %.3f" % (asyncio.get_running_loop().time() - start))

@pytest.mark.ble_link(interval="100ms")
async def test_marked(ble_client):
    start = asyncio.get_running_loop().time()
    for _ in range(10):
        await ble_client.read("led")
    print("marked %.3f" % (asyncio.get_running_loop().time() - start))

@pytest.mark.ble_link("instant")
async def test_instant(ble_client):
    start = asyncio.get_running_loop().time()
    for _ in range(10):
        await ble_client.read("led")
    print("instant %.3f" % (asyncio.get_running_loop().time() - start))
"""


def test_the_option_holds_for_the_run_and_the_marker_for_its_test(run) -> None:
    result = run(READS, "-s", "--ble-link=interval=50ms")
    result.assert_outcomes(passed=3)
    took = dict(re.findall(r"(took|marked|instant) (\d+\.\d+)", result.stdout.str()))
    # The first read of each waits for an anchor point, and then each takes two intervals.
    assert 0.95 <= float(took["took"]) <= 1.05
    assert 1.9 <= float(took["marked"]) <= 2.1
    assert float(took["instant"]) == 0
    result.stdout.fnmatch_lines(["*link=interval=50ms (command line)*"])


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ('ble_link(intervall="30ms")', 'did you mean "interval"?'),
        ('ble_link("nosy")', 'did you mean "noisy"?'),
        ('ble_link("noisy", "ideal")', "names several models"),
        ("ble_link(loss=2)", "loss=2 is not legal"),
    ],
)
def test_a_marker_that_makes_no_sense_ends_the_run_at_once(run, marker: str, words: str) -> None:
    test = f"import pytest\n@pytest.mark.{marker}\nasync def test_it(ble_client): pass"
    result = run(test)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stdout.str() + result.stderr.str()


NOISY = """
import asyncio, pytest

@pytest.mark.ble_link("noisy", loss=0.3, interval="50ms", supervision_timeout="4s")
async def test_it(ble_client):
    async with ble_client.subscribe("ticker") as notifications:
        await notifications.take(5, within=10)
        for _ in range(20):
            await ble_client.read("led")
"""


def test_the_same_seed_gives_the_same_run_to_the_octet(run, pytester, monkeypatch) -> None:
    def transcripts(seed: int, hash_seed: str) -> list[bytes]:
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        result = run(NOISY, f"--ble-seed={seed}", f"--ble-output=out{hash_seed}", subprocess=True)
        result.assert_outcomes(passed=1)
        folder = Path(pytester.path / f"out{hash_seed}")
        return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]

    first, second, other = transcripts(3, "1"), transcripts(3, "2"), transcripts(4, "3")
    assert first
    assert first == second
    assert first != other


@pytest.mark.parametrize(
    "model", ["ideal", "noisy", "interval=1s", "latency=4,data_length=27,phy=coded"]
)
def test_the_verdicts_on_a_shipped_profile_are_those_of_an_instant_air(
    pytester: pytest.Pytester, model: str
) -> None:
    suites = Path(__file__).parents[2] / "suites"
    result = pytester.runpytest(
        str(suites), "--ble-profile=led_button", f"--ble-link={model}", "--ble-seed=1"
    )
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] > 50
    assert not outcomes.get("failed")
    assert not outcomes.get("errors")
