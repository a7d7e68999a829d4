"""Fault plans as pytest users meet them: the marker, the fixture, and what is left over."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bletest.bench.device import DeviceUnderTest
    from bletest.contracts.events import FaultFired
    from bletest.evidence.keeper import Keeper
    from bletest.faults import FaultPlan

MARKER = "ble_fault"
_PLAN: "pytest.StashKey[FaultPlan]" = pytest.StashKey()

Counts = dict[tuple[str, str], tuple[int, int]]
"""By profile and sentence: how often the occasion of a fault came, and how often the fault."""

Packed = list[tuple[str, str, int, int]]


def wrong_markers(items: list[pytest.Item]) -> dict[str, None]:
    """Return what is wrong with the markers, as far as it shows before a device is there."""
    marked = [(item, mark) for item in items for mark in item.iter_markers(MARKER)]
    if not marked:
        return {}
    from bletest.profile.faults import read_fault
    from bletest.profile.mistakes import Refusal

    wrong: dict[str, None] = {}
    for item, mark in marked:
        place = item.nodeid.partition("[")[0]
        if "ble_device" not in getattr(item, "fixturenames", ()):
            wrong[f"{place}: {MARKER} is for tests that ask for a device"] = None
        if not mark.args or mark.kwargs or not all(isinstance(a, str) for a in mark.args):
            wrong[f'{place}: the marker takes sentences, {MARKER}("read 1 dropped")'] = None
            continue
        for sentence in mark.args:
            try:
                read_fault(sentence)
            except Refusal as refusal:
                told = f"{refusal.message}; {refusal.remedy}"
                wrong[f'{place}: {MARKER}("{sentence}"): {told}'] = None
    return wrong


def of_markers(request: pytest.FixtureRequest) -> list[str]:
    """Return the faults that a test's markers plan, the outermost first."""
    marks = list(request.node.iter_markers(MARKER))
    return [sentence for mark in reversed(marks) for sentence in mark.args]


def plan_of(request: pytest.FixtureRequest, device: "DeviceUnderTest") -> "FaultPlan":
    """Return the plan of the emulated device; skip where the device is real."""
    if device.peripheral is None:
        _skip(request)
    assert device.peripheral is not None
    return device.peripheral.faults


def prepare(request: pytest.FixtureRequest, device: "DeviceUnderTest") -> None:
    """Remember the plan for :func:`check`; skip a test whose markers a real device ignores."""
    if device.peripheral is not None:
        request.node.stash[_PLAN] = device.peripheral.faults
    elif of_markers(request):
        _skip(request)


def _skip(request: pytest.FixtureRequest) -> None:
    from pytest_bletest.session import STATE

    reason = "peripheral_control: only an emulated device has faults on command"
    if request.config.stash[STATE].settings.strict:
        pytest.fail(reason, pytrace=False)
    pytest.skip(f"{reason} (--ble-device emulated)")


def check(item: pytest.Item) -> None:
    """Raise FaultNotFired if a fault of this test alone never came to pass."""
    plan = item.stash.get(_PLAN, None)
    if plan is not None:
        plan.check_leftovers()


def note(device: "DeviceUnderTest", counts: Counts) -> None:
    """Count what came of the faults that are part of the device."""
    if device.peripheral is None:
        return
    for fault in device.peripheral.faults:
        if fault.lasting:
            _add(counts, device.profile.name, str(fault), fault.seen, fault.fired)


def _add(counts: Counts, profile: str, sentence: str, seen: int, fired: int) -> None:
    before = counts.get((profile, sentence), (0, 0))
    counts[profile, sentence] = (before[0] + seen, before[1] + fired)


def pack(counts: Counts) -> Packed:
    """Return the counts as pytest-xdist can send them home."""
    return [(*names, *numbers) for names, numbers in counts.items()]


def unpack(packed: Iterable[tuple[str, str, int, int]], counts: Counts) -> None:
    """Add what a worker counted."""
    for one in packed:
        _add(counts, *one)


def step_for(keeper: "Keeper") -> "Callable[[FaultFired], None]":
    """Return what shows each fault in the report, as a step of the test."""

    def show(event: "FaultFired") -> None:
        with keeper.step(f"fault: {event.fault}"):
            pass

    return show


def judge(session: pytest.Session, counts: Counts) -> None:
    """Report each fault of a profile that never came to pass as a test that failed.

    Not where only a part of the tests was asked for, or the run was cut short: what is missing
    then says nothing.
    """
    config = session.config
    narrowed = config.option.keyword or config.option.markexpr or "::" in "".join(config.args)
    if narrowed or getattr(config.option, "lf", False) or session.shouldstop or session.shouldfail:
        return
    left: dict[str, list[Any]] = {}
    for (profile, sentence), (seen, fired) in counts.items():
        if not fired:
            left.setdefault(profile, []).append((sentence, seen))
    if not left:
        return
    from bletest.errors import FaultNotFired
    from bletest.faults import raise_for_leftovers
    from bletest.profile.faults import read_fault

    for profile, leftovers in left.items():
        try:
            raise_for_leftovers([(read_fault(sentence), seen) for sentence, seen in leftovers])
        except FaultNotFired as error:
            _report(config, f"faults of {profile}", error)


def _report(config: pytest.Config, nodeid: str, error: Exception) -> None:
    report = pytest.TestReport(
        nodeid=nodeid,
        location=(nodeid, None, nodeid),
        keywords={},
        outcome="failed",
        longrepr=str(error),
        when="call",
        ble_owner="bench",
        ble_error=type(error).__name__,
    )
    config.hook.pytest_runtest_logreport(report=report)
