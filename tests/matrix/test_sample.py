"""A sample of ``python -m tests.matrix``: verdicts do not depend on how the device is judged."""

import pytest

from tests.matrix.lanes import LANES, REFERENCE, Lane, Verdicts, differences, judge

SAMPLE = ("-k", "heart_rate_control_point or body_sensor_location or server_callbacks")


@pytest.fixture(scope="module")
def reference() -> Verdicts:
    verdicts = judge("heart_rate", REFERENCE, SAMPLE)
    assert len(verdicts) > 30
    assert set(verdicts.values()) == {"passed"}
    return verdicts


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: lane.name)
def test_the_strap_is_judged_alike(lane: Lane, reference: Verdicts) -> None:
    verdicts = judge("heart_rate", lane, SAMPLE)
    assert differences(reference, verdicts, lane) == []
    assert len([one for one in verdicts.values() if one == "passed"]) >= 20
    skipped = {one for one in verdicts.values() if one.startswith("skipped")}
    # the strap never sleeps: nothing of it asks for more
    assert skipped == {f"skipped ({one})" for one in lane.without & {"peripheral_control"}}


def test_a_verdict_that_differs_is_told_and_a_skip_for_a_reason_is_not() -> None:
    lane = Lane("elsewhere", without=frozenset({"peripheral_control"}))
    reference = {"a": "passed", "b": "passed", "c": "failed", "d": "passed"}
    other = {"a": "passed", "b": "skipped (peripheral_control)", "c": "passed", "e": "passed"}
    assert differences(reference, other, lane) == [
        "c: failed in virtual time, passed in elsewhere",
        "d: passed in virtual time, missing in elsewhere",
        "e: missing in virtual time, passed in elsewhere",
    ]
