"""Devices that do not reboot as they should, and services that do not come and go as they should.

These checks follow a device that leaves the air, so they are judged on an emulated one.
"""

from collections.abc import Callable

import pytest

from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile import loads
from bletest.profile.spec import Profile
from bletest.uuids import DATABASE_HASH
from tests.profile.documents import GUIDE, SOUND
from tests.support.judge import failures, findings_text, judge

GUIDED = {loads(text).name: text for text in SOUND.findall(GUIDE.read_text(encoding="utf-8"))}
MODES, SERVICES = GUIDED["updatable"], GUIDED["logger"]
Fault = Callable[[VirtualPeripheral], None]


def verdicts(text: str, device: str = "", *, checks: str, fault: Fault | None = None) -> set[str]:
    """Return the codes of the checks that find something, and what they say, as one text each."""
    oracle = loads(text)
    found = judge(oracle, _device(oracle, device), fault=fault, checks=checks)
    assert found
    return {f"{one.check}: {one.problem}" for one in failures(found)}


def _device(oracle: Profile, text: str) -> Profile:
    return loads(text) if text else oracle


@pytest.mark.parametrize(
    ("name", "checks", "cases"),
    [("updatable", "reboot.", 5), ("logger", "service.", 1), ("self_test", "control_point.", 3)],
)
def test_the_examples_of_the_guide_keep_what_they_promise(
    name: str, checks: str, cases: int
) -> None:
    found = judge(loads(GUIDED[name]), checks=checks)

    assert findings_text(found) == ""
    assert [one.problem for one in found] == [None] * cases


def _without_telling(peripheral: VirtualPeripheral) -> None:
    server = peripheral.server
    replace = server.replace_table

    def quietly(*arguments: object) -> None:
        replace(*arguments)  # type: ignore[arg-type]
        for client in server._clients.values():
            client.stale = None

    server.replace_table = quietly  # type: ignore[method-assign]


def _telling_too_little(peripheral: VirtualPeripheral) -> None:
    server = peripheral.server
    replace = server.replace_table

    def a_little(*arguments: object) -> None:
        replace(*arguments)  # type: ignore[arg-type]
        for client in server._clients.values():
            client.stale = (0x0001, 0x0002) if client.stale else None

    server.replace_table = a_little  # type: ignore[method-assign]


def _with_the_old_hash(peripheral: VirtualPeripheral) -> None:
    (attribute,) = peripheral.table.of_type(DATABASE_HASH)
    old = attribute.value[::-1]
    peripheral.server._aes_cmac = lambda message, key: old


@pytest.mark.parametrize(
    ("old", "new", "fault", "wrong", "says"),
    [
        # takes the write and does nothing
        ("enter: calibration, down: 500ms", "disconnect: false", None, "mode", "still up"),
        # comes back as it was
        ("enter: calibration, ", "", None, "mode", "primary service 0xFF20"),
        # comes back under another address
        ("address: +1", "address: +2", None, "mode", "SensorDfu"),
        # stays away for longer than it may
        ("down: 500ms", "down: 20s", None, "mode", "is back in the mode calibration"),
        # has another database in the mode
        ("uuid: 0xFF21, properties: [write]", "uuid: 0xFF22, properties: [write]", None, "mode",
         "characteristic 0xFF21"),
        # has a service in the mode that is not for it
        ("calibration:\n    services:\n", "calibration:\n    services:\n      - {uuid: 0xFF00}\n",
         None, "mode", "no service 0xFF00 in calibration"),
        # has the wrong properties there
        ("0xFF21, properties: [write]", "0xFF21, properties: [read, write], value: {hex: 00}",
         None, "mode", "read, write"),
        # tells nobody
        ("", "", _without_telling, "service_changed", "it is not"),
        # names a range that holds nothing
        ("", "", _telling_too_little, "service_changed", "0x0001 to 0x0002"),
        # keeps the hash
        ("", "", _with_the_old_hash, "database_hash", "both times"),
    ],
)  # fmt: skip
def test_a_device_that_reboots_in_another_way_is_found_out(
    old: str, new: str, fault: Fault | None, wrong: str, says: str
) -> None:
    found = verdicts(MODES, MODES.replace(old, new, 1), checks=f"reboot.{wrong}", fault=fault)

    assert any(one.startswith(f"reboot.{wrong}:") and says in one for one in found), found


def _silent(peripheral: VirtualPeripheral) -> None:
    peripheral.server.database_changed = lambda start, end: None  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("old", "new", "fault", "says"),
    [
        # does nothing
        ("add_service: records}", "disconnect: false}", None, "Service Changed is indicated"),
        # has it from the beginning
        ("present: false", "present: true", None, "is not there"),
        # does not tell
        ("", "", _silent, "Service Changed is indicated"),
        # adds it without what is in it
        ("uuid: 0xFF11", "uuid: 0xFF12", None, "characteristic 0xFF11"),
    ],
)
def test_a_service_that_does_not_come_is_missed(
    old: str, new: str, fault: Fault | None, says: str
) -> None:
    rules = "          - {match: 02, remove_service: records}\n"
    text = SERVICES.replace(rules, "")
    found = verdicts(text, text.replace(old, new, 1), checks="service.", fault=fault)

    assert any(one.startswith("service.comes:") and says in one for one in found), found


def test_a_service_that_does_not_go_is_noticed() -> None:
    text = SERVICES.replace("present: false", "present: true")

    assert verdicts(text, checks="service.") == set()
    stays = text.replace("remove_service: records", "disconnect: false")
    (said,) = verdicts(text, stays, checks="service.")
    assert said.startswith("service.goes:")
    assert "Service Changed is indicated when records is removed" in said
    mute = text.replace("service_changed: true", "service_changed: false")
    (said,) = verdicts(mute, stays.replace("changed: true", "changed: false"), checks="service.")
    assert "the service records is not there" in said
