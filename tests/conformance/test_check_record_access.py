"""Record access control points that do not do as they should."""

import asyncio
from collections.abc import Callable

import pytest

from bletest import conformance
from bletest.behaviour import Reaction, StoredRecords
from bletest.errors import CheckFailed
from bletest.profile import load, shipped
from tests.support.table_client import TableClient, TableDevice

METER = load(shipped()["glucose_meter"])
CONTROL = "glucose/record_access_control_point"
CHECKS = ("all", "last", "refused", "unconfigured", "busy", "abort")
Change = Callable[[bytes, Reaction], Reaction]


class _Faulty(StoredRecords):
    """Stored records behind a control point that reacts in another way."""

    change: Change

    def write(self, client: str, value: bytes, now: float, *, subscribed: object) -> Reaction:
        assert isinstance(subscribed, set)
        return self.change(value, super().write(client, value, now, subscribed=subscribed))


def verdicts(change: Change | None = None, records: int = 50) -> dict[str, str]:
    """Return what each check finds wrong, for those that find something."""
    found = {}
    for name in CHECKS:
        device = TableDevice(METER)
        procedure = device.stored[CONTROL].procedure
        faulty = _Faulty(CONTROL, procedure)
        faulty.records = procedure.records[:records]
        faulty.change = change or (lambda value, right: right)
        device.stored[CONTROL] = faulty
        (case,) = conformance.cases(METER.expectation, f"racp.{name}")
        try:
            asyncio.run(case.verify(TableClient(device)))
        except CheckFailed as failure:
            found[name] = str(failure)
    return found


def without(reaction: Reaction, *gone: int) -> Reaction:
    kept = [one for at, one in enumerate(reaction.sendings) if at not in gone]
    return Reaction(reaction.error, tuple(kept), cancels=reaction.cancels)


@pytest.mark.parametrize("records", [0, 1, 50])
def test_a_control_point_that_does_as_it_should_passes_every_check(records: int) -> None:
    assert verdicts(records=records) == {}


@pytest.mark.parametrize(
    ("change", "wrong", "says"),
    [
        # keeps the first record to itself
        (
            lambda value, right: without(right, 0) if len(right.sendings) > 1 else right,
            {"all", "last"},
            "records before the response",
        ),
        # never says that it is done
        (
            lambda value, right: without(right, 50) if len(right.sendings) == 51 else right,
            {"all", "busy"},
            "nothing in time",
        ),
        # goes on after an abort
        (
            lambda value, right: Reaction(None, right.sendings) if right.cancels else right,
            {"abort"},
            "no record after the response to an abort",
        ),
        # answers where it should refuse
        (
            lambda value, right: Reaction() if right.error in (0xFD, 0xFE) else right,
            {"unconfigured", "busy"},
            "accepted",
        ),
        # refuses with other codes
        (
            lambda value, right: Reaction(0x80) if right.error in (0xFD, 0xFE) else right,
            {"unconfigured", "busy"},
            "0x80",
        ),
        # does not tell wrong operands from right ones
        (
            lambda value, right: Reaction(
                None,
                tuple(
                    type(one)(one.via, b"\x06\x00\x01\x02", one.kind, one.after)
                    if one.value[:1] == b"\x06" and one.value[-1] > 2
                    else one
                    for one in right.sendings
                ),
                cancels=right.cancels,
            )
            if right.error is None
            else right,
            {"refused"},
            "06 00 01 02",
        ),
    ],
)  # fmt: skip
def test_a_control_point_that_does_not_is_found_out(
    change: Change, wrong: set[str], says: str
) -> None:
    found = verdicts(change)

    assert set(found) == wrong
    assert all(says in text for text in found.values())
