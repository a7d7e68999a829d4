"""What octets have to look like, and what is said of those that do not."""

import pytest

from bletest.profile import loads
from bletest.profile.expectation import ValueExpectation
from tests.profile.test_mistakes import SERVICES


def expectation(characteristic: str) -> ValueExpectation:
    profile = loads(SERVICES + f"      - {{properties: [read, notify], {characteristic}}}\n")
    return profile.expectation.characteristics()[0].value


HEART = "uuid: heart_rate_measurement, value: {heart_rate: 72, sensor_contact: not_supported}"


@pytest.mark.parametrize(
    ("characteristic", "raw", "wrong"),
    [
        ("uuid: 0xFF01, value: {uint8: 1}", "02", None),
        ("uuid: 0xFF01, value: {uint8: 1}", "02 00", "it has 2 octets, not 1"),
        ("uuid: 0xFF01, value: {uint8: 1}", "", "it has 0 octets, not 1"),
        ("uuid: 0xFF01, value: {uint8: 1}, expect: same", "02", "it is 02, not 01"),
        ("uuid: 0xFF01, value: {uint8: 1}, expect: {max: 4}", "04", None),
        ("uuid: 0xFF01, value: {uint8: 1}, expect: {max: 4}", "05", "it is 5, not at most 4"),
        ("uuid: 0xFF01, value: {uint8: 1}, expect: {min: 1}", "00", "it is 0, not at least 1"),
        ("uuid: 0xFF01, value: {uint8: 1}, expect: {one_of: [1, 3]}", "03", None),
        ("uuid: 0xFF01, value: {uint8: 1}, expect: {one_of: [1, 3]}", "02", "it is 2, not 1 or 3"),
        ("uuid: 0xFF01, value: {uint8: 7}, expect: 7", "08", "it is 8, not 7"),
        ("uuid: 0xFF01, value: {hex: 01 02}", "FF FF", None),
        ("uuid: 0xFF01, value: {hex: 01 02}", "FF", "it has 1 octet, not 2"),
        (
            "uuid: 0xFF01, value: {hex: 01}, expect: {one_of: [01, 0A]}",
            "0B",
            "it is 0B, not 01 or 0A",
        ),
        ("uuid: 0xFF01, value: {text: abc}", "64", None),
        ("uuid: 0xFF01, value: {text: abc}", "FF", "FF is no text"),
        ("uuid: 0xFF01, value: {text: abc}, expect: {length: {min: 2, max: 3}}", "64", "2 to 3"),
        (
            "uuid: 0xFF01, value: {text: abc}, length: {min: 2}",
            "64",
            "it has 1 octet, not at least 2",
        ),
        ("uuid: 0xFF01, value: {hex: 01 00}, expect: {uint16: {max: 9}}", "09 00", None),
        ("uuid: 0xFF01, value: {float32: 0.1}, expect: {max: 0.1}", "CD CC CC 3D", None),
        ("uuid: battery_level, value: 77", "65", "65 is no battery_level"),
        ("uuid: body_sensor_location, value: chest, expect: {one_of: [chest, wrist]}", "02", None),
        (
            "uuid: body_sensor_location, value: chest, expect: {one_of: [chest, wrist]}",
            "03",
            "it is finger, not chest or wrist",
        ),
        (f"{HEART}, expect: {{heart_rate: {{min: 25, max: 250}}}}", "00 19", None),
        (
            f"{HEART}, expect: {{heart_rate: {{min: 25, max: 250}}}}",
            "00 18",
            "`heart_rate` is 24, not 25 to 250",
        ),
        (
            f"{HEART}, expect: {{sensor_contact: not_supported}}",
            "06 48",
            "`sensor_contact` is detected, not not_supported",
        ),
        (f"{HEART}, expect: {{energy_expended: {{max: 9}}}}", "00 48", None),
        (
            f"{HEART}, expect: {{energy_expended: {{max: 9}}}}",
            "08 48 0A 00",
            "`energy_expended` is 10, not at most 9",
        ),
        (f"{HEART}, expect: {{rr_intervals: {{max: 2}}}}", "10 48 00 04 00 08", None),
        (
            f"{HEART}, expect: {{rr_intervals: {{max: 1}}}}",
            "10 48 00 04 00 08",
            "`rr_intervals` is 2, not at most 1",
        ),
        (
            "uuid: temperature, value: 20, expect: {min: 0, max: 40}",
            "00 80",
            "it is <value is not known>, not 0 to 40",
        ),
        ("uuid: temperature, value: 20", "00 80", None),
    ],
)
def test_octets_are_judged_by_what_is_expected(
    characteristic: str, raw: str, wrong: str | None
) -> None:
    found = expectation(characteristic).mismatch(bytes.fromhex(raw))

    if wrong is None:
        assert found is None
    else:
        assert found is not None
        assert wrong in found


@pytest.mark.parametrize(
    ("characteristic", "words"),
    [
        ("uuid: 0xFF01, value: {uint8: 1}", "uint8, 1 octet"),
        ("uuid: 0xFF01, value: {uint8: 1}, expect: same", "1 (01)"),
        ("uuid: 0xFF01, value: {hex: 01 02}, expect: same", "01 02"),
        ("uuid: 0xFF01, value: {text: abc}, expect: same", '"abc" (61 62 63)'),
        ("uuid: 0xFF01, value: {text: abc}, expect: {length: {max: 9}}", "text, 0 to 9 octets"),
        ("uuid: 0xFF01, value: {hex: 01 02}", "any octets, 2 octets"),
        (
            f"{HEART}, expect: {{heart_rate: {{min: 25, max: 250}}}}",
            "heart_rate_measurement, at least 2 octets, heart_rate 25 to 250",
        ),
        ("uuid: body_sensor_location, value: chest, expect: same", "chest (01)"),
    ],
)
def test_an_expectation_says_what_it_is_in_a_few_words(characteristic: str, words: str) -> None:
    assert expectation(characteristic).describe() == words


def test_many_octets_are_shown_in_part() -> None:
    exact = ValueExpectation(exact=bytes(100))

    assert exact.describe() == "00 " * 32 + "… (100 octets)"
    assert exact.mismatch(b"") == f"it is no octets, not {exact.describe()}"
