"""The profiles that come with bletest, and how profiles are found."""

from pathlib import Path

import pytest

from bletest.errors import NothingMatched
from bletest.profile import find, load, shipped
from bletest.uuids import Uuid

NAMES = [
    "battery_and_device_information",
    "blood_pressure",
    "challenge_lock",
    "environmental_sensing",
    "firmware_update",
    "glucose_meter",
    "heart_rate",
    "hub",
    "led_button",
    "lopy",
    "nordic_uart",
    "pin_safe",
    "smart_lock",
]


def test_the_shipped_profiles_are_these() -> None:
    assert list(shipped()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_profile_loads_under_its_own_name_and_serves_what_it_expects(name: str) -> None:
    profile = load(shipped()[name])

    assert profile.name == name
    assert profile.source == shipped()[name]
    specs = list(profile.characteristics())
    for spec, expected in zip(specs, profile.expectation.characteristics(), strict=True):
        assert spec.path == expected.path
        if spec.read is not None:
            assert expected.value.mismatch(spec.value) is None
        for value in spec.notify.values.values if spec.notify else ():
            assert expected.value.mismatch(value) is None


def test_the_heart_rate_strap_is_one() -> None:
    profile = load(shipped()["heart_rate"])

    assert [one.uuid for one in profile.services] == [Uuid(0x180D), Uuid(0x180F), Uuid(0x180A)]
    measurement = profile.characteristic("heart_rate_measurement")
    assert measurement is not None
    assert measurement.properties == {"notify"}
    assert measurement.value == b"\x06\x48"
    assert measurement.notify is not None
    assert (measurement.notify.every, measurement.notify.tolerance) == (1.0, 0.2)
    assert len(measurement.notify.values.values) == 121
    control = profile.characteristic("heart_rate_control_point")
    assert control is not None
    assert [(rule.match, rule.error) for rule in control.rules] == [(b"\x01", None), (None, 0x80)]


def test_the_blood_pressure_monitor_indicates_what_it_measures() -> None:
    profile = load(shipped()["blood_pressure"])

    measurement, cuff, feature = profile.services[0].characteristics
    assert (measurement.properties, cuff.properties) == ({"indicate"}, {"notify"})
    # flags: time, pulse, user and status follow, in mmHg; then SFLOATs
    assert measurement.value.hex(" ", 1) == (
        "1e 76 00 4c 00 5a 00 ea 07 03 0e 07 1e 00 40 00 01 00 00"
    )
    # the two pressures beside that of the cuff are not in use: NaN (Blood Pressure Service, 3.2)
    assert cuff.value.hex(" ", 1) == "00 14 00 ff 07 ff 07"
    assert feature.value == b"\x27\x00"


def test_the_weather_station_describes_its_measurements() -> None:
    profile = load(shipped()["environmental_sensing"])

    room, outside = (profile.characteristic(name) for name in ("room", "outside"))
    assert room is not None
    assert outside is not None
    assert room.uuid == outside.uuid == Uuid(0x2A6E)
    assert outside.value == (-325).to_bytes(2, "little", signed=True)
    for one in profile.services[0].characteristics:
        found = [descriptor.uuid.alias for descriptor in one.descriptors]
        triggers = found.count(0x290D)
        # a characteristic that notifies says when, and how several triggers go together
        assert triggers >= ("notify" in one.properties)
        assert (0x290B in found) is (triggers > 1)
        for descriptor in one.descriptors:
            if descriptor.uuid.alias == 0x290C:
                assert len(descriptor.value) == 11
                assert one.notify is not None
                assert int.from_bytes(descriptor.value[6:9], "little") == one.notify.every
            if descriptor.uuid.alias == 0x2906:
                half = len(descriptor.value) // 2
                low, high = descriptor.value[:half], descriptor.value[half:]
                assert len(low) == len(one.value)
                limits = profile.expectation.characteristic(one.path).value.fields[""]
                decode = profile.expectation.characteristic(one.path).value.decode
                assert (decode(low), decode(high)) == (limits.minimum, limits.maximum)


def test_the_nordic_uart_echoes() -> None:
    profile = load(shipped()["nordic_uart"])

    rx, tx = profile.characteristics()
    assert (str(rx.uuid), str(tx.uuid)) == (
        "6e400002-b5a3-f393-e0a9-e50e24dcca9e",
        "6e400003-b5a3-f393-e0a9-e50e24dcca9e",
    )
    ((reply,),) = [rule.replies for rule in rx.rules]
    assert (reply.via, reply.value, reply.chunk) == (tx.path, None, 0)


def test_the_led_is_answered_through_the_button() -> None:
    profile = load(shipped()["led_button"])

    button, led = profile.characteristics()
    assert [(rule.match, rule.error) for rule in led.rules] == [
        (b"\x00", None),
        (b"\x01", None),
        (None, 0x13),
    ]
    assert {reply.via for rule in led.rules for reply in rule.replies} == {button.path}


def test_the_lock_needs_pairing_and_refuses_with_codes() -> None:
    profile = load(shipped()["smart_lock"])

    assert profile.security.bonding
    lock = profile.services[0]
    assert not any(
        access.open
        for one in lock.characteristics
        for access in (one.read, one.write, one.subscribe)
        if access is not None
    )
    command = profile.characteristic("command")
    assert command is not None
    assert [rule.error for rule in command.rules] == [None, None, 0x81, 0x80]


def test_a_profile_is_found_by_path_name_and_glob(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.yaml", "a.yaml", "notes.txt"):
        (tmp_path / name).write_text("")

    assert find("a.yaml") == [Path("a.yaml")]
    assert find("heart_rate") == [shipped()["heart_rate"]]
    assert find(str(tmp_path / "*")) == [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    assert find("*.yaml") == [Path("a.yaml"), Path("b.yaml")]
    assert find("*t*") == [shipped()[name] for name in NAMES if "t" in name]


@pytest.mark.parametrize(
    ("pattern", "remedy"),
    [
        ("hart_rate", 'did you mean "heart_rate"?'),
        ("hart_rate.yaml", 'did you mean "heart_rate"?'),
        ("my_devise.yaml", 'did you mean "my_device.yaml"?'),
        ("nothing/*.yaml", "one of: battery_and_device_information"),
        ("zzz*", "one of: battery_and_device_information"),
        (".", "name what is in it"),
    ],
)
def test_a_pattern_that_names_nothing_is_an_error_with_a_suggestion(
    pattern: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_device.yaml").write_text("")

    with pytest.raises(NothingMatched) as caught:
        find(pattern)

    assert remedy in caught.value.remedy
