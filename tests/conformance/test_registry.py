"""The table of checks: complete, told apart, and true of a device that keeps its profile."""

import asyncio
import re
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from bletest.conformance import Case, Phase, all_checks, cases, check, find
from bletest.conformance.registry import Flaw, table
from bletest.conformance.subjects import device
from bletest.contracts.capabilities import Capability
from bletest.contracts.effects import SideEffect
from bletest.contracts.findings import Severity
from bletest.errors import CheckFailed, UnknownAttribute
from bletest.profile import load, loads, shipped
from bletest.profile.spec import Profile
from tests.conformance.test_check_control_points import POINT
from tests.support.rich_device import Fault, rich
from tests.support.table_client import TableDevice, client_of

ROOT = Path(__file__).parents[2]
CODES = [one.code for one in all_checks()]
JUDGED_BY_TESTS_OF_THEIR_OWN = {
    "advertising.connectable",
    "discovery.handles",
    "discovery.groups",
    "reconnect.accepted",
    "protocol.right_answer",
    "protocol.wrong_answer",
    "protocol.replay",
    "protocol.expiry",
    "protocol.order",
    "protocol.fresh",
    "racp.all",
    "racp.last",
    "racp.refused",
    "racp.unconfigured",
    "racp.busy",
    "racp.abort",
    "control_point.unconfigured",
    "control_point.busy",
    "control_point.abort",
}
FOLLOWING_A_DEVICE = {
    "reboot.mode",
    "reboot.service_changed",
    "reboot.database_hash",
    "service.comes",
    "service.goes",
    "transfer.whole",
    "transfer.service_changed",
    "transfer.wrong_image",
    "transfer.abort",
    "transfer.resume",
    "transfer.order",
    "transfer.too_long",
    "transfer.unconfigured",
    "transfer.busy",
}
"""Judged on the air, where devices become others (``test_check_modes``, ``…_transfers``)."""
ON_AIR = {
    "advertising.window",
    *(code for code in CODES if code.startswith("links.")),
    *FOLLOWING_A_DEVICE,
}
"""A device of tables has one client, and no air: these are tested in ``tests/truth``."""
ON_TABLES = [code for code in CODES if code not in ON_AIR]
METER = load(shipped()["glucose_meter"])
LOCK = loads(
    shipped()["challenge_lock"].read_text(encoding="utf-8").replace("{env: LOCK_KEY}", "00 01 02")
)


def profile_for(code: str) -> Profile:
    """Return a profile in which the check finds something to judge."""
    if code.startswith("racp."):
        return METER
    if code.startswith("control_point."):
        return POINT
    return LOCK if code.startswith("protocol.") else rich()


@pytest.mark.parametrize("mtu", [517, 23])
@pytest.mark.parametrize("code", ON_TABLES)
def test_a_device_that_keeps_its_profile_passes_and_is_left_as_it_was(code: str, mtu: int) -> None:
    async def judge() -> None:
        found = find(code).cases(profile_for(code).expectation)
        assert found
        for case in found:
            client = client_of(profile_for(code), mtu=mtu)
            before = _values(client.device)
            assert await case.run(client) == []
            assert _values(client.device) == before
            assert client.is_connected

    asyncio.run(judge())


def _values(one: TableDevice) -> dict[str, bytes]:
    """Return what a client can see of the database."""
    return {str(each): each.value for each in one.table if each.read is not None}


@pytest.mark.parametrize("code", ON_TABLES)
def test_the_checks_of_a_device_leave_it_fit_for_the_next(code: str) -> None:
    client = client_of(profile_for(code))
    for case in find(code).cases(profile_for(code).expectation):
        assert asyncio.run(case.run(client)) == []


def test_every_check_is_shown_a_device_that_breaks_it() -> None:
    modules = [
        import_module(f"tests.conformance.{path.stem}")
        for path in Path(__file__).parent.glob("test_check_*.py")
    ]
    faults: list[Fault] = [fault for module in modules for fault in getattr(module, "FAULTS", [])]
    assert {one.code for one in faults} | JUDGED_BY_TESTS_OF_THEIR_OWN | ON_AIR == set(CODES)


def test_every_check_has_one_test_in_the_suites() -> None:
    used = Counter(
        code
        for path in (ROOT / "suites").glob("test_*.py")
        if path.stem != "test_server_callbacks"
        for code in re.findall(r'ble_check\("(.+?)"\)', path.read_text())
    )
    assert used == Counter(CODES)


def test_official_identifiers_are_written_as_the_specification_writes_them() -> None:
    identifier = re.compile(r"(GATT/SR|GAP)/[A-Z]+(/[A-Z]+)?/(BV|BI)-\d\d-C")
    for one in all_checks():
        assert all(identifier.fullmatch(official) for official in one.official), one.code


def test_every_check_says_where_its_clause_stands() -> None:
    for one in all_checks():
        assert one.paragraph, one.code
        assert one.title[0].isupper(), one.code
        assert one.function.__doc__, one.code


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_cases_of_a_shipped_profile_are_told_apart(name: str) -> None:
    expectation = load(shipped()[name]).expectation
    found = [case for code in CODES for case in cases(expectation, code)]
    assert len({(case.check.code, case.id) for case in found}) == len(found)
    assert len(found) > 30


def test_a_case_is_named_by_its_attribute() -> None:
    expectation = load(shipped()["heart_rate"]).expectation
    assert "heart_rate/body_sensor_location" in [one.id for one in cases(expectation, "read.value")]
    assert [one.id for one in cases(expectation, "write.otherwise")] == [
        "heart_rate/heart_rate_control_point/otherwise"
    ]


def test_checks_come_phase_by_phase() -> None:
    order = [list(Phase).index(one.phase) for one in all_checks()]
    assert order == sorted(order)


def test_an_unknown_code_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownAttribute, match=r'did you mean "read\.value"'):
        cases(rich().expectation, "read.valeu")


def test_two_checks_of_one_code_are_refused() -> None:
    enter = check("read.value", title="Again", phase=Phase.VALUES, subjects=device)
    with pytest.raises(ValueError, match=r"two checks are called read\.value"):
        enter(table()["read.value"].function)


def _case(code: str, name: str) -> Case:
    return next(one for one in cases(rich().expectation, code) if one.id == name)


def test_a_case_on_what_takes_a_pairing_needs_one() -> None:
    assert Capability.PAIRING in _case("read.value", "secret/key").needs
    assert Capability.PAIRING not in _case("read.value", "main/level").needs


def test_a_case_in_a_service_that_systems_hide_needs_all_services() -> None:
    expectation = load(shipped()["heart_rate"]).expectation
    for case in cases(expectation, "read.value"):
        hidden = case.attribute.startswith("battery/")
        assert (Capability.ALL_SERVICES in case.needs) is hidden


def test_a_case_that_writes_has_the_side_effect_of_its_attribute() -> None:
    assert _case("command.delivered", "main/lamp").side_effect is SideEffect.ACTUATES
    assert _case("write.accepted", "main/setting").side_effect is SideEffect.STORES
    assert _case("read.value", "main/lamp").side_effect is SideEffect.NONE


def test_what_only_a_person_can_bring_about_is_left_out() -> None:
    names = [one.id for one in cases(rich().expectation, "read.value")]
    assert "secret/asks" not in names
    assert [one.id for one in cases(rich().expectation, "permissions.read_unauthorized")] == [
        "secret/asks"
    ]


def test_verifying_raises_the_errors_and_keeps_the_warnings_apart() -> None:
    async def two(client: object, subject: object):  # type: ignore[no-untyped-def]
        yield Flaw("a", "b", severity=Severity.WARNING)
        yield Flaw("c", "d", remedy="mend it")

    async def one(client: object, subject: object):  # type: ignore[no-untyped-def]
        yield Flaw("a", "b", severity=Severity.WARNING)

    client = client_of(rich())
    entered = {"test.two": two, "test.one": one}
    try:
        for code, function in entered.items():
            check(code, title="A test", phase=Phase.VALUES, subjects=device)(function)
        [case] = find("test.two").cases(rich().expectation)
        with pytest.raises(CheckFailed, match=r"test\.two on device") as failure:
            asyncio.run(case.verify(client))
        assert [finding.observed for finding in failure.value.findings] == ["d"]  # type: ignore[attr-defined]
        [case] = find("test.one").cases(rich().expectation)
        [warning] = asyncio.run(case.verify(client))
        assert warning.severity is Severity.WARNING
    finally:
        for code in entered:
            del table()[code]
