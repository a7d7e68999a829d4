"""What a profile's modes, services that come later and transfers are resolved to."""

import pathlib

import pytest

from bletest import conformance
from bletest.contracts.effects import SideEffect
from bletest.errors import ProfileError
from bletest.profile import load, loads, shipped
from bletest.profile.procedures import Transfer, TransferExpectation
from bletest.profile.rules import NORMAL, Reboot
from bletest.profile.spec import Profile

DFU = """
bletest: 1
name: dfu
device: {{name: Dfu}}
services:
  - uuid: 0xFE59
    characteristics:
      - {{uuid: 0xFF01, id: control, properties: [write, notify]}}
      - uuid: 0xFF02
        id: data
        properties: [write_without_response]
        procedure: {{transfer: {{control: control, image: {image}}}}}
"""

MODES = """
bletest: 1
name: tag
device: {name: Tag, appearance: tag, mtu: 100, gatt: {service_changed: true}}
advertising: {interval: 250ms, services: [0xFF00], name: Advertised}
state: {armed: {initial: no, scope: device}}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: control, properties: [write], on_write: [
          {match: 01, enter: boot, down: 2s}, {match: 02, down: 1s, after: 1s, disconnect: true}]}
  - {uuid: 0xFF00, id: late, present: false}
  - {uuid: 0xFF00, id: other}
modes:
  boot:
    device: {name: Boot, address: -1, mtu: 50}
    services:
      - uuid: 0xFF00
        characteristics:
          - {uuid: 0xFF01, id: control, properties: [write], on_write: [
              {match: 01, when: {armed: yes}, enter: normal}, {match: 02, set: {armed: yes}}]}
  same: {advertising: {services: [0xFF10]}, services: []}
"""


def transfer_of(profile: Profile) -> Transfer:
    data = profile.characteristic("data")
    assert data is not None
    assert isinstance(data.procedure, Transfer)
    return data.procedure


def test_an_image_is_a_file_beside_the_profile_or_octets_or_so_many_of_any(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "app.bin").write_bytes(b"firmware")
    path = tmp_path / "dfu.yaml"
    path.write_text(DFU.format(image="{file: app.bin}"), encoding="utf-8")

    assert transfer_of(load(path)).image == b"firmware"
    assert transfer_of(loads(DFU.format(image="{hex: 01 02}"))).image == b"\x01\x02"
    made_up = transfer_of(loads(DFU.format(image="{size: 300}"))).image
    assert len(made_up) == 300
    assert len(set(made_up)) > 100
    assert made_up == transfer_of(loads(DFU.format(image="{size: 400}"))).image[:300]


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("{file: ap.bin}", 'did you mean "app.bin"?'),
        ("{file: ../app.bin}", "outside the profile's folder"),
        ("{file: empty.bin}", "nothing in it"),
        ("{size: 1}", "out of range"),
        ("{size: 10, hex: 01 02}", "one content"),
    ],
)
def test_an_image_that_cannot_be_is_a_mistake(
    tmp_path: pathlib.Path, image: str, says: str
) -> None:
    (tmp_path / "app.bin").write_bytes(b"firmware")
    (tmp_path / "empty.bin").write_bytes(b"")
    path = tmp_path / "dfu.yaml"
    path.write_text(DFU.format(image=image), encoding="utf-8")

    with pytest.raises(ProfileError) as error:
        load(path)
    assert says in str(error.value)


def test_a_transfer_stands_at_its_control_point_too_and_wears_the_device() -> None:
    profile = loads(DFU.format(image="{size: 300}"))
    control, data = profile.expectation.characteristics()

    assert isinstance(control.procedure, TransferExpectation)
    assert control.procedure == data.procedure
    assert data.side_effect is SideEffect.WEARS


def test_a_mode_is_the_device_but_for_what_it_says() -> None:
    profile = loads(MODES)
    boot, same = profile.modes["boot"], profile.modes["same"]

    assert (boot.address, same.address) == (-1, 0)
    assert boot.profile.name == "tag/boot"
    device = boot.profile.device
    assert (device.name, device.appearance, device.mtu) == ("Boot", 512, 50)
    assert device.gatt == profile.device.gatt
    assert boot.profile.advertising.name == "Boot"
    assert boot.profile.advertising.interval == profile.advertising.interval
    assert boot.profile.advertising.services == ()
    assert same.profile.advertising.name == "Tag"
    assert len(same.profile.advertising.services) == 1
    assert profile.expectation.modes["boot"].device == boot.profile.expectation
    assert boot.profile.expectation.state == profile.expectation.state


def test_a_reboot_is_what_rules_say_of_it_and_resets_the_device() -> None:
    profile = loads(MODES)
    control = profile.characteristic("control")
    assert control is not None

    assert [rule.reboot for rule in control.rules] == [
        Reboot("boot", down=2.0),
        Reboot(NORMAL, down=1.0, after=1.0, goodbye=True),
    ]
    assert [rule.disconnect for rule in control.rules] == [None, None]
    assert control.side_effect is SideEffect.RESETS


def test_a_service_that_comes_later_is_counted_after_those_that_are_there() -> None:
    expectation = loads(MODES).expectation

    assert [(one.path, one.occurrence) for one in expectation.services] == [
        ("0xFF00", 0),
        ("other", 1),
    ]
    assert [(one.path, one.occurrence) for one in expectation.absent] == [("late", 2)]


def test_what_resets_or_wears_a_device_is_done_to_a_real_one_only_when_allowed() -> None:
    expectation = load(shipped()["firmware_update"]).expectation
    effects = {
        check.code: {case.side_effect for case in conformance.cases(expectation, check.code)}
        for check in conformance.all_checks()
        if check.code.startswith(("reboot.", "transfer."))
    }

    assert effects.pop("reboot.service_changed") == effects.pop("reboot.database_hash") == set()
    assert effects.pop("reboot.mode") == {SideEffect.RESETS}
    assert set(effects) == {code for code in effects if code.startswith("transfer.")}
    assert all(found == {SideEffect.WEARS} for found in effects.values())
