"""Reporting: the header, whose fault a failure is, the summary, and each test's evidence."""

import re
from collections import Counter
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_bletest.session import STATE

if TYPE_CHECKING:
    from bletest.bench.settings import Settings
    from bletest.evidence.transcript import Transcript

DEVICE = "device"
BENCH = "bench"


def owner_of(error: BaseException) -> str:
    """Say whose fault an exception is: the device's (an assertion) or the bench's."""
    at_fault = (AssertionError, pytest.fail.Exception)
    return DEVICE if isinstance(error, at_fault) else BENCH


def folder_name(nodeid: str) -> str:
    """Return a file-system name for a test: ``suites/test_reads.py::test_read[a/b]`` → …"""
    return re.sub(r"[^\w.=-]+", "_", nodeid.replace("::", "-")).strip("_")[:150]


class Reporter:
    """The part of the plugin that lives as long as the session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._state = config.stash[STATE]
        self._owners: Counter[str] = Counter()

    def pytest_report_header(self) -> list[str]:
        """Show each option and where it came from, where any is in use."""
        return self._state.header() if self._state.used else []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note on each failure whose fault it is; pytest-xdist carries the note home."""
        report = yield
        if report.failed and call.excinfo is not None:
            report.ble_owner = owner_of(call.excinfo.value)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count whose fault the failures are."""
        owner = getattr(report, "ble_owner", None)
        if owner is not None:
            self._owners[owner] += 1

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take over what a worker of pytest-xdist counted."""
        output = getattr(node, "workeroutput", {})
        self._state.not_applicable = max(
            self._state.not_applicable, output.get("ble_not_applicable", 0)
        )

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controller of pytest-xdist what this worker counted."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["ble_not_applicable"] = self._state.not_applicable

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """End with what ran, what could not, and whose fault the failures are."""
        if not self._state.used:
            return
        skipped = terminalreporter.stats.get("skipped", [])
        reasons = Counter(_reason(report) for report in skipped)
        if not (reasons or self._owners or self._state.not_applicable):
            return
        terminalreporter.section("bletest")
        line = terminalreporter.write_line
        if self._state.not_applicable:
            line(f"not applicable to the profile: {self._state.not_applicable} checks")
        for reason, count in reasons.most_common():
            line(f"did not run: {count} × {reason}")
        if self._owners[DEVICE]:
            line(f"the device's fault: {self._owners[DEVICE]}")
        if self._owners[BENCH]:
            line(f"trouble of bench or test: {self._owners[BENCH]}")


def _reason(report: Any) -> str:
    detail = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(detail).removeprefix("Skipped: ")


def keep_evidence(item: pytest.Item, settings: "Settings", transcript: "Transcript") -> None:
    """Write the transcript of a test to its folder, and attach it to Allure where that runs."""
    if not transcript.events:
        return
    folder = settings.output / folder_name(item.nodeid)
    folder.mkdir(parents=True, exist_ok=True)
    text, lines = transcript.text(), transcript.json_lines()
    (folder / "transcript.txt").write_text(text, encoding="utf-8")
    (folder / "transcript.jsonl").write_text(lines, encoding="utf-8")
    if item.config.getoption("allure_report_dir", None):
        from bletest.evidence import allure

        allure.attach_transcript(text, lines)
