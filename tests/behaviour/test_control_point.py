"""Who may ask a control point, and when."""

import pytest

from bletest.behaviour import Reaction, Sending, guard, react
from bletest.profile.rules import Effects, Reboot, ServiceChange, WriteRule

ANSWER = Sending("control", b"\x01", None, 0.0)
ALL = Sending("status", b"\x02", None, 0.0, subscribers=True)


@pytest.mark.parametrize(
    ("reaction", "busy", "error"),
    [
        (Reaction(sendings=(ANSWER,)), False, None),
        (Reaction(sendings=(ANSWER,)), True, 0xFE),
        (Reaction(sendings=(ANSWER, Sending("other", b"", None, 0.0))), False, 0xFD),
        (Reaction(sendings=(ALL,)), False, None),
        (Reaction(), False, None),
        (Reaction(error=0x80), False, 0x80),
        (Reaction(error=0x80), True, 0xFE),
        (Reaction(sendings=(ANSWER,), cancels=True), True, None),
    ],
)
def test_a_control_point_refuses_who_is_too_early_or_would_not_see_the_answer(
    reaction: Reaction, busy: bool, error: int | None
) -> None:
    guarded = guard(reaction, busy=busy, subscribed={"control"})

    assert guarded.error == error
    assert guarded == (reaction if error == reaction.error else Reaction(error=error))


def test_what_changes_the_device_is_part_of_the_reaction() -> None:
    reboot, change = Reboot("boot", down=2.0), ServiceChange("log", True)
    rule = WriteRule(match=b"\x01", reboot=reboot, services=(change,), aborts=True)

    reaction = react((rule,), b"\x01", mtu=23)

    assert (reaction.reboot, reaction.services, reaction.cancels) == (reboot, (change,), True)
    assert rule.upheaval
    assert not Effects(aborts=True).upheaval
