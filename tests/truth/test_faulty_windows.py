"""A device that sleeps is told apart from one that sleeps when its profile does not say so."""

import asyncio

import pytest

from bletest import profile
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.judge import failures, judge

MONITOR = profile.shipped()["blood_pressure"].read_text("utf-8")
WINDOW = "  window: {for: 30s, after: [power_on, disconnect]}"

FAULTS = [
    ("a device that never sleeps", "", "silence 33.0 s after a link"),
    ("a longer window", WINDOW.replace("30s", "40s"), "silence 33.0 s after a link"),
    ("a shorter window", WINDOW.replace("30s", "20s"), "none from 26.0 s to 27.0 s after a link"),
]


@pytest.mark.parametrize(
    ("window", "says"),
    [one[1:] for one in FAULTS],
    ids=[one[0].replace(" ", "-") for one in FAULTS],
)
def test_a_device_that_keeps_another_window_is_found_out(window: str, says: str) -> None:
    assert MONITOR.count(WINDOW) == 1
    device = profile.loads(MONITOR.replace(WINDOW, window))
    found = failures(judge(profile.loads(MONITOR), device, code="advertising.window"))
    assert [one.check for one in found] == ["advertising.window"]
    assert says in str(found[0].problem)


def test_a_device_that_a_disconnection_does_not_wake_is_found_out() -> None:
    def sleeps_on(peripheral: VirtualPeripheral) -> None:
        station = peripheral.station
        assert station is not None
        station.device.on("connection", lambda _: peripheral._presence.end())
        peripheral._presence.after = lambda _: asyncio.sleep(0)  # type: ignore[method-assign]

    [verdict] = judge(profile.loads(MONITOR), fault=sleeps_on, code="advertising.window")
    assert verdict.failed
    assert "none in the first 1 s after a link" in str(verdict.problem)


@pytest.mark.parametrize("after", ["[power_on, disconnect]", "power_on"])
def test_a_device_that_keeps_its_window_is_fine(after: str) -> None:
    text = MONITOR.replace("[power_on, disconnect]", after)
    [verdict] = judge(profile.loads(text), code="advertising.window")
    assert verdict.problem is None
