"""A sample of the matrix: the verdicts of the generic suites do not depend on the data path."""

from pathlib import Path

import pytest

SUITES = Path(__file__).parents[2] / "suites"


@pytest.mark.parametrize(
    ("profile", "suites"),
    [
        ("led.yaml", ("writes", "notify_indicate", "mtu", "long_values")),
        ("smart_lock", ("permissions", "reconnect")),
    ],
)
def test_the_verdicts_are_the_same_on_the_short_and_the_full_path(
    led: pytest.Pytester, profile: str, suites: tuple[str, ...]
) -> None:
    def verdicts(path: str) -> dict[str, str]:
        run = led.inline_run(
            *(str(SUITES / f"test_{name}.py") for name in suites),
            *("-p", "no:randomly", "--ble-profile", profile, "--ble-link", f"path={path}"),
        )
        return {
            report.nodeid: report.outcome
            for report in run.getreports("pytest_runtest_logreport")
            if report.when == "call" or report.outcome != "passed"
        }

    short = verdicts("short")
    assert set(short.values()) == {"passed"}
    assert len(short) > 10
    assert verdicts("hci") == short
