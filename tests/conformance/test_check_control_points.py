"""Control points that take what they should refuse."""

import asyncio
from dataclasses import replace

import pytest

from bletest import conformance
from bletest.errors import CheckFailed
from bletest.profile import loads
from bletest.profile.spec import Profile
from tests.conformance.test_check_modes import GUIDED
from tests.support.table_client import TableClient, TableDevice

POINT = loads(GUIDED["self_test"])
CHECKS = ("unconfigured", "busy", "abort")


def _changed(profile: Profile, **changes: object) -> Profile:
    (service,) = profile.services
    (one,) = service.characteristics
    other = replace(one, **changes)  # type: ignore[arg-type]
    return replace(profile, services=(replace(service, characteristics=(other,)),))


def verdicts(device: Profile) -> dict[str, str]:
    """Return what each check finds wrong, for those that find something."""
    found = {}
    for name in CHECKS:
        (case,) = conformance.cases(POINT.expectation, f"control_point.{name}")
        try:
            asyncio.run(case.verify(TableClient(TableDevice(device))))
        except CheckFailed as failure:
            found[name] = str(failure)
    return found


def test_a_control_point_that_does_as_it_should_passes_every_check() -> None:
    assert verdicts(POINT) == {}


def test_a_characteristic_with_plain_rules_is_no_control_point() -> None:
    found = verdicts(_changed(POINT, control_point=False))

    assert set(found) == set(CHECKS)
    assert "0xFD" in found["unconfigured"]
    assert "0xFE" in found["busy"]
    assert "after an abort" in found["abort"]


def test_a_control_point_that_goes_on_after_an_abort_is_found_out() -> None:
    (one,) = POINT.characteristics()
    rules = tuple(replace(rule, aborts=False) for rule in one.rules)
    found = verdicts(_changed(POINT, rules=rules))

    assert set(found) == {"abort"}
    assert "ends what is going on" in found["abort"]


@pytest.mark.parametrize("name", CHECKS)
def test_a_control_point_that_is_quicker_than_its_profile_is_not_blamed(name: str) -> None:
    (one,) = POINT.characteristics()
    rules = tuple(
        replace(rule, replies=tuple(replace(reply, after=0.0) for reply in rule.replies))
        for rule in one.rules
    )
    assert name not in verdicts(_changed(POINT, rules=rules))
