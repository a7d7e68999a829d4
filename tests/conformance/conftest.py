"""Counts the official cases that passed, and the cells of the matrix of permissions."""

from collections.abc import Iterator

import pytest

from tests.conformance.official import catalogue


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print ``conformance: N/97`` if official cases were run at all."""

    def cases(outcome: str) -> Iterator[pytest.TestReport]:
        for report in terminalreporter.getreports(outcome):
            if "test_official_gatt_server.py::test_the_emulated_server_passes" in report.nodeid:
                yield report

    passed = {value for one in cases("passed") for _, value in one.user_properties}
    if passed or any(cases("failed")):
        terminalreporter.write_line(f"conformance: {len(passed)}/{len(catalogue())}")
    _count_cells(terminalreporter)


def _count_cells(terminalreporter: pytest.TerminalReporter) -> None:
    """Print ``permissions: n/n cells`` if any were run."""
    counted = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "permission_cells"
    ]
    if counted:
        right, cells = map(sum, zip(*counted, strict=True))
        terminalreporter.write_line(f"permissions: {right}/{cells} cells")
