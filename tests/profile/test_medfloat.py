"""Medical floats: as the GATT Specification Supplement has them, not as bluetooth-sig 0.6 does."""

import math

import pytest
from bluetooth_sig.gatt.characteristics.utils import IEEE11073Parser
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.profile.medfloat import MEDFLOAT16, MEDFLOAT32, MedicalFloat, corrected
from tests.profile.test_values import codec, tree


@pytest.mark.parametrize(
    ("format_", "octets", "number"),
    [
        (MEDFLOAT32, "25 00 00 00", 37),
        (MEDFLOAT32, "6E 01 00 FF", 36.6),
        (MEDFLOAT32, "92 FE FF FF", -36.6),
        (MEDFLOAT32, "FF FF FF 00", -1),
        (MEDFLOAT32, "01 00 00 7F", 1e127),
        (MEDFLOAT16, "78 00", 120),
        (MEDFLOAT16, "72 F0", 11.4),
        (MEDFLOAT16, "8E FF", -11.4),
        (MEDFLOAT16, "01 70", 1e7),
        (MEDFLOAT16, "01 80", 1e-8),
    ],
)
def test_a_medical_float_is_a_signed_mantissa_and_a_signed_exponent(
    format_: MedicalFloat, octets: str, number: float
) -> None:
    raw = bytes.fromhex(octets)

    assert format_.decode(raw) == number
    assert format_.decode(format_.encode(number)) == number
    if number not in (1e127, 1e7):  # these two have shorter exponents with longer mantissas
        assert format_.encode(number) == raw


@pytest.mark.parametrize("format_", [MEDFLOAT16, MEDFLOAT32])
def test_special_values_are_no_numbers(format_: MedicalFloat) -> None:
    for value in (math.inf, -math.inf):
        assert format_.decode(format_.encode(value)) == value
    assert math.isnan(format_.decode(format_.encode(math.nan)))
    sign = 0x800 if format_ is MEDFLOAT16 else 0x800000
    for mantissa in (sign, sign + 1):  # not at this resolution; reserved
        assert math.isnan(format_.decode(mantissa.to_bytes(format_.octets, "little")))


@settings(deadline=None)
@given(st.binary(min_size=4, max_size=4))
def test_any_medical_float_comes_back_as_the_same_number(raw: bytes) -> None:
    for format_ in (MEDFLOAT16, MEDFLOAT32):
        number = format_.decode(raw)
        if not math.isnan(number):
            assert format_.decode(format_.encode(number)) == number


@settings(deadline=None)
@given(st.floats(-1e12, 1e12))
def test_a_number_is_rounded_to_what_the_mantissa_holds(number: float) -> None:
    decoded = MEDFLOAT32.decode(MEDFLOAT32.encode(number))

    assert decoded == pytest.approx(number, rel=2e-6, abs=1e-127)


def test_a_number_beyond_the_exponent_is_refused() -> None:
    with pytest.raises(ValueError, match="too great"):
        MEDFLOAT16.encode(1e12)
    with pytest.raises(ValueError, match="needs 4 octets, 1 are left"):
        MEDFLOAT32.decode(b"\x00")


def test_the_sig_codecs_read_and_write_what_real_devices_send() -> None:
    """The octets are those of the Health Thermometer and Blood Pressure profiles in the field."""
    thermometer = codec("temperature_measurement")
    assert thermometer.encode(tree("{temperature: 36.6, unit: celsius}")).hex(" ") == (
        "00 6e 01 00 ff"
    )
    assert thermometer.decode(bytes.fromhex("00 6E 01 00 FF")).temperature == 36.6  # type: ignore[attr-defined]
    cuff = codec("blood_pressure_measurement")
    written = "{systolic: 120, diastolic: 80, mean_arterial_pressure: 93, unit: mmhg}"
    assert cuff.encode(tree(written)).hex(" ") == "00 78 00 50 00 5d 00"


def test_the_library_is_corrected_only_while_a_codec_of_ours_runs() -> None:
    """An application under test shall meet the library as it is.

    When the first line fails, bluetooth-sig reads medical floats right, and
    ``bletest.profile.medfloat`` can go.
    """
    assert IEEE11073Parser.parse_float32(b"\x25\x00\x00\x00") != 37

    with corrected():
        assert IEEE11073Parser.parse_float32(b"\x25\x00\x00\x00") == 37
        with corrected():
            pass
        assert IEEE11073Parser.parse_sfloat(b"\x25\x00") == 37

    assert IEEE11073Parser.parse_float32(b"\x25\x00\x00\x00") != 37
