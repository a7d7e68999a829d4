"""Reporting: the header, whose fault a failure is, the summary, and each test's evidence."""

import inspect
import os
import re
import traceback
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bletest
from pytest_bletest import faults, known
from pytest_bletest.known import FINDINGS
from pytest_bletest.session import STATE, State

if TYPE_CHECKING:
    from bletest.bench.bench import Bench
    from bletest.bench.settings import Settings
    from bletest.evidence.keeper import Story
    from bletest.evidence.transcript import Transcript
    from bletest.link.capture import Capture

DEVICE = "device"
BENCH = "bench"

CAPTURE: "pytest.StashKey[Capture | None]" = pytest.StashKey()
"""What hosts and controllers said to each other in a test, until it is clear who keeps it."""

FAILED: pytest.StashKey[bool] = pytest.StashKey()
"""Whether any phase of a test has failed so far."""


def owner_of(error: BaseException) -> str:
    """Say whose fault an exception is: the device's (an assertion) or the bench's."""
    at_fault = (AssertionError, pytest.fail.Exception)
    return DEVICE if isinstance(error, at_fault) else BENCH


def folder_name(nodeid: str) -> str:
    """Return a file-system name for a test: ``suites/test_reads.py::test_read[a/b]`` → …"""
    return re.sub(r"[^\w.=-]+", "_", nodeid.replace("::", "-")).strip("_")[:150]


def skip_for_want_of_capability(config: pytest.Config, error: Exception) -> None:
    """Skip if ``error`` says that a capability lacks; do nothing else, or with ``--ble-strict``."""
    state = config.stash[STATE]
    if not state.used:
        return
    from bletest.errors import CapabilityMissing

    if isinstance(error, CapabilityMissing) and not state.settings.strict:
        pytest.skip(f"{error.capability}: {error.message}")


def told(item: pytest.Item, error: BaseException) -> str | None:
    """Return the failure in words, for errors that say it all; None keeps the traceback.

    Tracebacks are for mistakes in code. What a device did wrong, and what is wrong with the
    bench, stands in the message; the line of the test that met it is all there is to add.
    """
    from bletest.errors import BletestError

    if not isinstance(error, BletestError):
        return None
    lines = [str(error)]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == str(item.path):
            lines.append(f"at {item.nodeid.partition('::')[0]}:{frame.lineno}: {frame.line}")
            break
    return "\n".join(lines)


def blame_firmware(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Let a phase in which the firmware died fail for that, whatever it looked like from here."""
    bench = getattr(item, "funcargs", {}).get("ble_bench")
    if bench is None or bench.firmware is None or (death := bench.firmware.death()) is None:
        return
    met = call.excinfo.value if call.excinfo is not None else None
    if bench.firmware.is_told and met is None:
        return
    if isinstance(met, KeyboardInterrupt | pytest.exit.Exception):
        return
    bench.firmware.is_told = True
    if isinstance(met, type(death)):
        return
    try:
        raise death.with_traceback(met.__traceback__ if met else None) from met
    except type(death) as raised:
        call.excinfo = pytest.ExceptionInfo.from_exception(raised)


class Reporter:
    """The part of the plugin that lives as long as the session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._state = config.stash[STATE]
        self._owners: Counter[str] = Counter()
        self._known = known.Tally(self._state.profiles)

    def pytest_report_header(self) -> list[str]:
        """Show each option and where it came from, where any is in use."""
        return self._state.header() if self._state.used else []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note on each failure whose fault it is, and what it is called."""
        blame_firmware(item, call)
        report = yield
        if report.failed and call.excinfo is not None:
            error = call.excinfo.value
            # What stands in its dict, pytest-xdist carries home.
            report.__dict__["ble_owner"] = owner_of(error)
            report.__dict__["ble_error"] = type(error).__name__
            item.stash[FINDINGS] = getattr(error, "findings", ())
            if self._state.used and not self._config.option.fulltrace:
                report.longrepr = told(item, error) or report.longrepr
        if report.when == "call" and (notes := item.stash.get(known.NOTES, None)):
            report.__dict__["ble_known"] = notes
        item.stash[FAILED] = report.failed or (
            call.when != "setup" and item.stash.get(FAILED, False)
        )
        if call.when == "teardown":
            keep_capture(item, self._state)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count whose fault the failures are, and what came of known issues."""
        self._known.add(getattr(report, "ble_known", ()))
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
        faults.unpack(output.get("ble_faults", ()), self._state.faults)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Judge the faults of profiles, which are part of the device: over the whole run."""
        result = yield
        if not hasattr(self._config, "workerinput"):
            faults.judge(session, self._state.faults)
        return result

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Describe the session in the report; a worker of pytest-xdist tells what it counted."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["ble_not_applicable"] = self._state.not_applicable
            output["ble_faults"] = faults.pack(self._state.faults)
        elif self._state.used:
            settings = self._state.settings
            names = ", ".join(profile.name for profile in self._state.profiles)
            self._state.keeper.describe_session(
                name=f"bletest: {names}" if names else "bletest",
                environment={
                    "profile": names,
                    **_surroundings(settings),
                    "clock": settings.real_because or "virtual",
                    "bletest": bletest.__version__,
                },
                variables=os.environ,
            )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """End with what ran, what could not, and whose fault the failures are."""
        if not self._state.used:
            return
        skipped = terminalreporter.stats.get("skipped", [])
        reasons = Counter(_reason(report) for report in skipped)
        issues = tuple(self._known.lines())
        if not (reasons or self._owners or self._state.not_applicable or issues):
            return
        terminalreporter.section("bletest")
        line = terminalreporter.write_line
        if self._state.not_applicable:
            line(f"not applicable to the profile: {self._state.not_applicable} checks")
        for reason, count in reasons.most_common():
            line(f"did not run: {count} × {reason}")
        for text in issues:
            line(text)
        if self._owners[DEVICE]:
            line(f"the device's fault: {self._owners[DEVICE]}")
        if self._owners[BENCH]:
            line(f"trouble of bench or test: {self._owners[BENCH]}")


def _reason(report: Any) -> str:
    detail = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(detail).removeprefix("Skipped: ")


def keep_evidence(item: pytest.Item, settings: "Settings", transcript: "Transcript") -> None:
    """Write the transcript of a test to its folder."""
    if not transcript.events:
        return
    folder = evidence_folder(item, settings)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "transcript.txt").write_text(transcript.text(), encoding="utf-8")
    (folder / "transcript.jsonl").write_text(transcript.json_lines(), encoding="utf-8")


@contextmanager
def keeping_output(item: pytest.Item, bench: "Bench") -> Iterator[None]:
    """Keep what firmware writes during a test: in its folder, and in the report."""
    firmware = bench.firmware
    if firmware is None:
        yield
        return
    before = firmware.end_of_output()
    try:
        yield
    finally:
        if output := firmware.output(before):
            state = item.config.stash[STATE]
            folder = state.settings.output / folder_name(item.nodeid)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "firmware.txt").write_text(output, encoding="utf-8")
            state.keeper.attach_text("firmware.txt", output)


def evidence_folder(item: pytest.Item, settings: "Settings") -> Path:
    """Return the folder of a test's evidence."""
    return settings.output / folder_name(item.nodeid)


def keep_capture(item: pytest.Item, state: State) -> None:
    """Attach the captures of a test that has ended, or remove them if nobody wants them.

    Only now it is known whether the test has failed: the end of its fixtures may.
    """
    capture = item.stash.get(CAPTURE, None)
    if capture is None:
        return
    item.stash[CAPTURE] = None
    if state.settings.capture == "retain-on-failure" and not item.stash[FAILED]:
        capture.discard()
        return
    for path in capture.paths:
        state.keeper.attach_file(path)


def story_of(item: pytest.Item) -> "Story":
    """Return what a report says about a test, from its docstring, its profile and its check."""
    from bletest.evidence.keeper import Story

    state = item.config.stash[STATE]
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    profile, case = parameters.get("ble_profile"), parameters.get("ble_case")
    if profile is None and len(state.profiles) == 1:
        (profile,) = state.profiles  # a test of the bench alone still belongs to its run
    docstring = inspect.getdoc(getattr(item, "obj", None)) or ""
    title = docstring.partition("\n")[0].rstrip(".")
    if case is None:
        return Story(
            title=title,
            profile=profile.name if profile else "",
            surroundings=_surroundings(state.settings),
        )
    service, _, below = case.attribute.partition("/")
    return Story(
        title=f"{title or case.check.title}: {case.id}",
        description=docstring,
        profile=profile.name if profile else "",
        service=service if below else str(case.check.phase),
        characteristic=below,
        official=case.check.official,
        known=known.found_in(item),
        parameters={"check": case.check.code, "case": case.id},
        surroundings=_surroundings(state.settings),
    )


def _surroundings(settings: "Settings") -> dict[str, object]:
    return {
        "adapter": settings.adapter,
        "device": settings.device or "emulated",
        "seed": settings.seed,
    }
