"""What values mean, as their devices say."""

import math

import pytest

from bletest.profile.presentation import PresentationFormat, Quantity, quantities
from bletest.uuids import Uuid

PERCENT = Uuid(0x27AD)


def of(kind: int, exponent: int = 0) -> PresentationFormat:
    octets = bytes((kind, exponent & 0xFF)) + b"\xad\x27\x01\x00\x00"
    return PresentationFormat.parse(octets)


def test_the_fields_are_seven_octets():
    found = PresentationFormat.parse(bytes.fromhex("0e fe 2f 27 01 02 01"))
    assert found == PresentationFormat(0x0E, -2, Uuid(0x272F), 1, 0x0102)


@pytest.mark.parametrize("octets", ["", "04 00 ad 27 01 00", "04 00 ad 27 01 00 00 00"])
def test_another_length_is_refused(octets):
    with pytest.raises(ValueError, match="7 octets"):
        PresentationFormat.parse(bytes.fromhex(octets))


@pytest.mark.parametrize("kind", [0x00, 0x1D, 0xFF])
def test_an_unknown_format_is_refused(kind):
    with pytest.raises(ValueError, match=f"0x{kind:02X} is no format"):
        of(kind)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (0x01, "01", True),
        (0x01, "fe", False),
        (0x02, "ff", 3),
        (0x03, "fc", 12),
        (0x04, "ff", 255),
        (0x05, "ff ff", 4095),
        (0x06, "01 02", 0x0201),
        (0x07, "01 02 03", 0x030201),
        (0x08, "ff ff ff ff", 2**32 - 1),
        (0x09, "00 00 00 00 00 80", 2**47),
        (0x0A, "ff" * 8, 2**64 - 1),
        (0x0B, "ff" * 16, 2**128 - 1),
        (0x0C, "80", -128),
        (0x0D, "ff 0f", -1),
        (0x0D, "00 08", -2048),
        (0x0D, "ff 07", 2047),
        (0x0E, "ff ff", -1),
        (0x0F, "00 00 80", -(2**23)),
        (0x10, "ff ff ff 7f", 2**31 - 1),
        (0x11, "ff" * 6, -1),
        (0x12, "00" * 7 + "80", -(2**63)),
        (0x13, "ff" * 16, -1),
        (0x14, "00 00 c0 3f", 1.5),
        (0x15, "00 00 00 00 00 00 f8 bf", -1.5),
        (0x16, "6e f1", 36.6),
        (0x17, "6e 01 00 ff", 36.6),
        (0x18, "01 00 02 00", (1, 2)),
        (0x19, "47 72 c3 b6 c3 9f 65", "Größe"),
        (0x1A, "47 00 f6 00", "Gö"),
        (0x1B, "01 02 03", b"\x01\x02\x03"),
        (0x1C, "30 00", b"\x30\x00"),
    ],
)
def test_a_value_of_each_format_is_read(kind, raw, value):
    if isinstance(value, tuple) or kind != 0x16:
        assert of(kind).quantity(bytes.fromhex(raw)) == Quantity(value, PERCENT)
    else:
        assert of(kind).quantity(bytes.fromhex(raw)).value == pytest.approx(value)


def test_no_medical_number_is_none():
    assert math.isnan(of(0x16).quantity(b"\xff\x07").value)


def test_the_exponent_moves_the_point_of_whole_numbers_and_leaves_no_dust():
    assert of(0x06, -2).quantity(b"\x66\x08").value == 21.5
    assert of(0x04, 3).quantity(b"\x02").value == 2000
    assert of(0x0E, -1).quantity(b"\xff\xff").value == -0.1


@pytest.mark.parametrize(("kind", "raw"), [(0x04, b""), (0x06, b"\x01"), (0x14, bytes(5))])
def test_a_value_of_another_length_is_refused(kind, raw):
    with pytest.raises(ValueError, match=f"not {len(raw)}"):
        of(kind).quantity(raw)


def test_a_value_of_several_is_taken_apart_in_their_order():
    found = quantities([of(0x06), of(0x04), of(0x19)], b"\x01\x00\x02ab")
    assert [one.value for one in found] == [1, 2, "ab"]


def test_octets_left_over_are_refused():
    with pytest.raises(ValueError, match="1 octets more"):
        quantities([of(0x06), of(0x04)], b"\x01\x00\x02\x03")
