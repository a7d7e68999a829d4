"""A sample of what ``tests.faults.owners`` injects, and faults that were filed wrongly once."""

from itertools import islice

import pytest

from bletest import conformance
from bletest.errors import (
    AdapterUnusable,
    CheckFailed,
    LinkLost,
    NoAnswer,
    PairingFailed,
    TooFewNotifications,
)
from pytest_bletest.reporting import BENCH, DEVICE
from tests.faults.owners import (
    DEVICE_FAULTS,
    WAYS,
    Failing,
    Losing,
    Meddler,
    Silencing,
    Stalling,
    bench_faults,
    case_of,
    device_faults,
    first,
    judge,
    length_of,
    shipped,
)

BATTERY = ("heart_rate", "read.value", "battery/battery_level")
BEAT = ("heart_rate", "notify.period", "heart_rate/heart_rate_measurement")
PAIRED = ("smart_lock", "permissions.read_paired", "lock/state")


def case(way: tuple[str, str, str]) -> conformance.Case:
    return case_of(*way)


def hit(way: tuple[str, str, str], meddler: Meddler) -> BaseException | None:
    return judge(shipped(way[0]), case(way), meddler=meddler)


def test_there_are_a_hundred_of_each() -> None:
    assert len(list(device_faults())) >= 100
    assert len(list(bench_faults())) >= 100


@pytest.mark.parametrize("entry", DEVICE_FAULTS, ids=lambda one: f"{one[0]}-{one[1]}-{one[2]}")
def test_without_a_fault_the_check_finds_nothing(
    entry: tuple[str, str, str, tuple[str, ...]],
) -> None:
    assert judge(shipped(entry[0]), case_of(*entry[:3])) is None


@pytest.mark.parametrize("number", range(3, 103, 10))
def test_a_fault_of_the_device_is_found_by_its_check(number: int) -> None:
    fault = next(islice(device_faults(), number, None))
    result = fault()
    assert result.owner == DEVICE, result


@pytest.mark.parametrize("number", range(5, 125, 12))
def test_a_fault_of_the_bench_is_not_held_against_the_device(number: int) -> None:
    faults = islice(bench_faults(), number, None)
    (result,) = first(1, faults, tolerant=True)
    assert result.owner == BENCH, result


@pytest.mark.parametrize("way", [BATTERY, BEAT, PAIRED])
@pytest.mark.parametrize("kind", [Losing, Silencing, Stalling])
def test_an_adapter_in_trouble_in_the_middle_is_found_out(
    way: tuple[str, str, str], kind: type[Losing]
) -> None:
    error = hit(way, kind(length_of(way)[0] // 2))
    assert error is not None
    assert not isinstance(error, AssertionError)


def test_a_controller_that_falls_silent_while_notifications_are_awaited_is_to_blame() -> None:
    packets, _ = length_of(BEAT)
    error = hit(BEAT, Silencing(packets - 12))
    assert isinstance(error, AdapterUnusable)
    assert not isinstance(error, TooFewNotifications)


def test_a_device_that_falls_silent_is_to_blame_itself() -> None:
    fault = "heart_rate_measurement: notification after 2 dropped"
    error = judge(shipped("heart_rate"), case(BEAT), fault=fault)
    assert isinstance(error, TooFewNotifications | CheckFailed)
    lost = judge(shipped("heart_rate"), case(BATTERY), fault="battery_level: read 1 dropped")
    assert isinstance(lost, NoAnswer | CheckFailed)


@pytest.mark.parametrize("point", range(1, 7))
def test_a_command_that_fails_is_never_held_against_the_device(point: int) -> None:
    error = hit(BATTERY, Failing(point))
    assert error is None or not isinstance(error, AssertionError)


def test_a_controller_that_does_not_encrypt_is_no_failed_pairing() -> None:
    for point in range(1, length_of(PAIRED)[1] + 1):
        error = hit(PAIRED, Failing(point))
        assert not isinstance(error, PairingFailed)


def test_a_device_that_closes_every_link_at_once_is_to_blame() -> None:
    fault = "every connection disconnects with 0x13"
    error = judge(shipped("heart_rate"), case(BATTERY), fault=fault)
    assert isinstance(error, LinkLost)
    assert error.reason == 0x13


def test_the_ways_are_those_of_checks_that_pass() -> None:
    assert all(length_of(way)[0] > 50 for way in WAYS)
