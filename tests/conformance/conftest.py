"""Counts the cases that passed, and the cells of the matrix of permissions."""

from collections.abc import Iterator

import pytest

from tests.conformance.families import FAMILIES
from tests.conformance.official import catalogue


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print ``conformance: N/97`` and the like, for each family of which a case was run."""
    counts = {"conformance": len(catalogue())}
    counts |= {family.name: len(family.carried()) for family in FAMILIES}

    def cases(outcome: str) -> Iterator[tuple[str, str]]:
        for report in terminalreporter.getreports(outcome):
            for name, value in getattr(report, "user_properties", ()):
                if name in counts and "tests/conformance/" in report.nodeid:
                    yield name, value

    passed, failed = set(cases("passed")), set(cases("failed"))
    for name, total in counts.items():
        if any(one == name for one, _ in passed | failed):
            count = sum(one == name for one, _ in passed - failed)
            terminalreporter.write_line(f"{name}: {count}/{total}")
    _count_cells(terminalreporter)


def _count_cells(terminalreporter: pytest.TerminalReporter) -> None:
    """Print ``permissions: n/n cells`` if any were run."""
    counted = [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in getattr(report, "user_properties", ())
        if name == "permission_cells"
    ]
    if counted:
        right, cells = map(sum, zip(*counted, strict=True))
        terminalreporter.write_line(f"permissions: {right}/{cells} cells")
