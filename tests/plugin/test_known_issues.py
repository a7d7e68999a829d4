"""Known issues as users of pytest meet them, each test a pytest run of its own."""

import json
from pathlib import Path

import execnet
import pytest
from click.testing import CliRunner

from bletest.cli import main
from bletest.cli.exit_codes import ExitCode
from pytest_bletest.known import Tally
from tests.plugin.conftest import LED
from tests.support.serving import BLETEST

DEVICE = """
import pytest

@pytest.mark.ble_check("read.value")
async def test_read(ble_client, ble_case):
    await ble_case.verify(ble_client)
"""
LED_FAILS = '"led: every read answers 0x11"'
BUTTON_FAILS = '"button: every read answers 0x11"'


def run(
    led: pytest.Pytester, issues: str, *arguments: str, faults: str = LED_FAILS
) -> pytest.RunResult:
    led.makefile(".yaml", led=f"{LED}faults: [{faults}]\nknown_issues: [{issues}]\n")
    led.makepyfile(test_it=DEVICE)
    return led.runpytest("-p", "no:randomly", "--ble-profile", "led.yaml", *arguments)


@pytest.mark.parametrize(
    "check",
    [
        "read.value",
        "GATT/SR/GAR/BV-01-C",
        "read.value, of: led",
        "read.value, of: 0xFF00/led",
        "read.value, until: 2999-01-01",
    ],
)
def test_a_known_finding_is_told_and_fails_nothing(led: pytest.Pytester, check: str) -> None:
    result = run(led, f"{{check: {check}, reason: the LED is slow}}", "-rx")
    result.assert_outcomes(xfailed=1, passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["known issue, found 1 ×: led: *: the LED is slow*"])
    result.stdout.fnmatch_lines(["*observed: 0x11 INSUFFICIENT_RESOURCES*"])


def test_a_known_finding_hides_no_other(led: pytest.Pytester) -> None:
    issue = "{check: read.value, of: led, reason: the LED is slow}"
    result = run(led, issue, faults=f"{LED_FAILS}, {BUTTON_FAILS}")
    result.assert_outcomes(xfailed=1, failed=1)
    result.stdout.fnmatch_lines(["read.value on 0xFF00/button", "known issue, found 1 ×: *"])


def test_what_is_no_finding_of_the_check_is_known_to_no_issue(led: pytest.Pytester) -> None:
    led.makefile(".yaml", led=f"{LED}known_issues: [{{check: read.value, reason: slow}}]\n")
    led.makepyfile(
        """
        import pytest
        from bletest.errors import LinkLost

        @pytest.mark.ble_check("read.value")
        async def test_read(ble_client, ble_case):
            raise LinkLost("the device has gone")
        """
    )
    result = led.runpytest("-p", "no:randomly", "--ble-profile", "led.yaml")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["known issue that nobody looked for: led: read.value: slow"])


def test_an_issue_that_is_gone_is_told(led: pytest.Pytester) -> None:
    issues = (
        "{check: read.value, of: led, reason: slow},"
        "{check: read.value, of: button, reason: fixed in 2.4},"
        "{check: mtu.bounds, reason: too small}"
    )
    result = run(led, issues)
    result.assert_outcomes(xfailed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "known issue, found 1 ×: led: read.value on 0xFF00/led: slow",
            "known issue that is gone: led: read.value on 0xFF00/button: fixed in 2.4 "
            "(1 × nothing was found: take it out of the profile)",
            "known issue that nobody looked for: led: mtu.bounds: too small",
        ]
    )


def test_an_issue_that_has_expired_fails_again_and_is_told(led: pytest.Pytester) -> None:
    result = run(led, "{check: read.value, reason: fixed in 2.4, until: 2026-01-31}")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["known issue that has expired, found 1 ×: led: read.value: fixed in 2.4, until 2026-01-31"]
    )


def test_an_issue_of_no_check_is_a_mistake_in_the_profile(led: pytest.Pytester) -> None:
    issues = "{check: read.valeu, reason: a}, {check: GATT/SR/GAR/BV-02-C, reason: b}"
    result = run(led, issues.replace("BV-02", "BX-01"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*led.yaml:*: no check is called `read.valeu`",
            '*did you mean "read.value"?',
            "*led.yaml:*: no check is called `GATT/SR/GAR/BX-01-C`",
            '*did you mean "GATT/SR/GAR/B*',
        ]
    )


def test_a_worker_can_send_home_what_it_found(led: pytest.Pytester) -> None:
    led.makefile(
        ".yaml",
        led=f"{LED}faults: [{LED_FAILS}]\nknown_issues: [{{check: read.value, reason: slow}}]\n",
    )
    led.makepyfile(test_it=DEVICE)
    seen = led.inline_run("-p", "no:randomly", "--ble-profile", "led.yaml")
    reports = seen.getreports("pytest_runtest_logreport")
    tally = Tally(())
    for report in reports:
        # as pytest-xdist does it: what is no plain text would end the worker
        tally.add(execnet.loads(execnet.dumps(getattr(report, "ble_known", []))))
    assert list(tally.lines()) == ["known issue, found 1 ×: led: read.value: slow"]


def test_allure_shows_it_as_known(led: pytest.Pytester, tmp_path: Path) -> None:
    run(led, "{check: read.value, reason: slow}", f"--alluredir={tmp_path}")
    results = [json.loads(path.read_text("utf-8")) for path in tmp_path.glob("*-result.json")]
    [known] = [one for one in results if one["status"] != "passed"]
    assert known["status"] == "skipped"
    assert known["statusDetails"]["known"] is True
    assert "known issue: read.value: slow" in known["statusDetails"]["message"]
    assert {"name": "tag", "value": "known issue"} in known["labels"]
    assert "findings" in [one["name"] for one in known["attachments"]]
    [other] = [one for one in results if one["status"] == "passed"]
    assert {"name": "tag", "value": "known issue"} not in other["labels"]


def test_bletest_run_counts_what_is_known(led: pytest.Pytester) -> None:
    led.makefile(
        ".yaml",
        led=f"{LED}faults: [{LED_FAILS}]\n"
        "known_issues: [{check: read.value, of: led, reason: slow}]\n",
    )
    narrow = ("--", "-k", "test_reads and test_read[")
    ran = led.run(*BLETEST, "run", "led.yaml", "--json", "r.json", *narrow)
    assert ran.ret == ExitCode.PASSED
    ran.stdout.fnmatch_lines(["known test_read*", "known issue: read.value on 0xFF00/led: slow"])
    ran.stdout.fnmatch_lines(["known*1*"])
    document = json.loads((led.path / "r.json").read_text("utf-8"))
    assert (document["known"], document["failed"]) == (1, 0)
    assert [one["outcome"] for one in document["results"]].count("known") == 1


def test_bletest_check_and_run_refuse_an_issue_of_no_check(led: pytest.Pytester) -> None:
    led.makefile(".yaml", led=f"{LED}known_issues: [{{check: nothing.like.it, reason: a}}]\n")
    for command in ("check", "run"):
        result = CliRunner().invoke(main, [command, "led.yaml"])
        assert result.exit_code == ExitCode.PROFILE_WRONG
        assert "no check is called `nothing.like.it`" in result.output
