"""Typed values: plain formats and the SIG's codecs, there and back."""

import struct

import pytest
from bluetooth_sig.gatt.characteristics.heart_rate_measurement import (
    HeartRateMeasurementCharacteristic,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest._assigned_numbers import CHARACTERISTICS
from bletest.profile.mistakes import Refusal
from bletest.profile.sig import SpecialValue, sig_format
from bletest.profile.tree import Reader
from bletest.profile.values import PLAIN_FORMATS, Format
from bletest.uuids import Uuid, UuidKind


def tree(text: str) -> object:
    return Reader("value", text).read()


def codec(name: str) -> Format:
    found = sig_format(Uuid.parse(name, UuidKind.CHARACTERISTIC))
    assert found is not None
    return found


INTEGERS = [
    (f"{prefix}{bits}", bits, prefix == "sint")
    for prefix in ("uint", "sint")
    for bits in (8, 16, 24, 32, 40, 48, 64)
]


@pytest.mark.parametrize(("name", "bits", "signed"), INTEGERS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_whole_numbers_travel_little_endian_and_come_back(
    name: str, bits: int, signed: bool, data: st.DataObject
) -> None:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    number = data.draw(st.integers(low, high) | st.sampled_from([low, high]))
    format_ = PLAIN_FORMATS[name]

    raw = format_.encode(str(number))

    assert raw == number.to_bytes(bits // 8, "little", signed=signed)
    assert format_.decode(raw) == number
    assert format_.lengths(None) == (bits // 8, bits // 8)
    for beyond in (low - 1, high + 1):
        with pytest.raises(Refusal, match="out of range"):
            format_.encode(str(beyond))


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_ieee_754(number: float) -> None:
    assert PLAIN_FORMATS["float64"].decode(PLAIN_FORMATS["float64"].encode(repr(number))) == number
    if abs(number) < 3e38:
        raw = PLAIN_FORMATS["float32"].encode(repr(number))
        assert raw == struct.pack("<f", number)
        decoded = PLAIN_FORMATS["float32"].decode(raw)
        assert decoded == PLAIN_FORMATS["float32"].literal("", repr(number))


@pytest.mark.parametrize("text", ["1e39", "nan", "inf", "-inf", "x", "9" * 50])
def test_what_no_float32_can_hold_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        PLAIN_FORMATS["float32"].encode(text)


@settings(deadline=None)
@given(st.text(), st.binary())
def test_text_is_utf_8_and_hex_is_octets(text: str, octets: bytes) -> None:
    assert PLAIN_FORMATS["text"].decode(PLAIN_FORMATS["text"].encode(text)) == text
    for written in (octets.hex(), octets.hex(" ").upper(), "0x" + octets.hex(), octets.hex(":")):
        assert PLAIN_FORMATS["hex"].encode(written) == octets


def test_a_bool_is_one_octet_of_0_or_1() -> None:
    format_ = PLAIN_FORMATS["bool"]

    assert format_.encode("true") == b"\x01"
    assert format_.decode(b"\x00") is False
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        format_.decode(b"\x02")


@pytest.mark.parametrize("name", [name for name in PLAIN_FORMATS if name[0] in "usf"])
def test_a_number_of_the_wrong_length_is_no_number(name: str) -> None:
    with pytest.raises(ValueError, match="octets, not 9"):
        PLAIN_FORMATS[name].decode(bytes(9))


@pytest.mark.parametrize(
    ("name", "written", "octets"),
    [
        ("heart_rate_measurement", "{heart_rate: 72, sensor_contact: not_supported}", "00 48"),
        ("heart_rate_measurement", "{heart_rate: 72, sensor_contact: detected}", "06 48"),
        ("heart_rate_measurement", "{heart_rate: 300, sensor_contact: not_supported}", "01 2C 01"),
        (
            "heart_rate_measurement",
            "{heart_rate: 60, sensor_contact: not_detected, energy_expended: 1000,"
            " rr_intervals: [1.0]}",
            "1C 3C E8 03 00 04",
        ),
        (
            "heart_rate_measurement",
            "{heart_rate: 60, sensor_contact: not_supported,"
            " flags: heart_rate_value_format_uint16}",
            "01 3C 00",
        ),
        ("battery_level", "77", "4D"),
        ("body_sensor_location", "chest", "01"),
        ("temperature", "-4.5", "3E FE"),
        ("tx_power_level", "-4", "FC"),
        ("manufacturer_name_string", "Café", "43 61 66 C3 A9"),
        ("alert_level", "high_alert", "02"),
        (
            "pnp_id",
            "{vendor_id_source: usb_if, vendor_id: 0x1915, product_id: 2, product_version: 0x0140}",
            "02 15 19 02 00 40 01",
        ),
        (
            "current_time",
            "{date_time: 2026-11-21 12:30:00, day_of_week: saturday, fractions256: 0,"
            " adjust_reason: manual_time_update}",
            "EA 07 0B 15 0C 1E 00 06 00 01",
        ),
        ("temperature_measurement", "{temperature: 37, unit: celsius}", "00 25 00 00 00"),
        ("co_textsubscript_2_concentration", "1000", "E8 03"),
    ],
)
def test_a_sig_value_is_written_by_the_names_of_its_codec(
    name: str, written: str, octets: str
) -> None:
    assert codec(name).encode(tree(written)) == bytes.fromhex(octets)


@settings(deadline=None, max_examples=200)
@given(
    st.integers(0, 0xFFFF),
    st.sampled_from(["not_supported", "not_detected", "detected"]),
    st.none() | st.integers(0, 0xFFFF),
    st.lists(st.integers(0, 0xFFFF), max_size=3),
)
def test_flags_that_are_left_out_are_found(
    rate: int, contact: str, energy: int | None, intervals: list[int]
) -> None:
    written = f"heart_rate: {rate}, sensor_contact: {contact}"
    if energy is not None:
        written += f", energy_expended: {energy}"
    if intervals:
        written += f", rr_intervals: {[one / 1024 for one in intervals]}"

    raw = codec("heart_rate_measurement").encode(tree("{" + written + "}"))

    decoded = HeartRateMeasurementCharacteristic().parse_value(bytearray(raw))
    assert decoded.heart_rate == rate
    assert str(decoded.sensor_contact) == contact
    assert decoded.energy_expended == energy
    assert decoded.rr_intervals == pytest.approx([one / 1024 for one in intervals])


@pytest.mark.parametrize(
    ("name", "fixed"),
    [
        ("battery_level", (1, 1)),
        ("body_sensor_location", (1, 1)),
        ("temperature", (2, 2)),
        ("pnp_id", (7, 7)),
        ("current_time", (10, 10)),
        ("heart_rate_measurement", (2, 512)),
        ("temperature_measurement", (5, 13)),
        ("manufacturer_name_string", (0, 512)),
    ],
)
def test_the_length_of_a_sig_value_is_known(name: str, fixed: tuple[int, int]) -> None:
    assert codec(name).lengths(bytes(fixed[0])) == fixed


def test_a_value_that_stands_for_a_state_is_not_a_number() -> None:
    decoded = codec("temperature").decode(b"\x00\x80")

    assert isinstance(decoded, SpecialValue)
    assert decoded.meaning == "value is not known"
    assert decoded == SpecialValue(b"\x00\x80", "another wording")


def test_octets_that_hold_no_value_raise_value_error_in_plain_words() -> None:
    with pytest.raises(
        ValueError, match=r"^Invalid percentage: 101 \(expected range \[0, 100\]\)$"
    ):
        codec("battery_level").decode(b"\x65")
    with pytest.raises(ValueError, match="expected exactly 7"):
        codec("pnp_id").decode(b"")


def test_every_characteristic_of_the_sig_has_a_codec_that_raises_nothing_but_value_error() -> None:
    lacking = []
    for name, alias in CHARACTERISTICS.items():
        format_ = sig_format(Uuid(alias))
        if format_ is None:
            lacking.append(name)
            continue
        for raw in (b"", b"\xff" * 3, bytes(7), bytes(range(20))):
            try:
                decoded = format_.decode(raw)
            except ValueError:
                continue
            assert decoded is not None
        assert format_.lengths(b"\x00")[0] >= 0
    assert lacking == []


def test_a_uuid_of_a_vendor_has_no_codec() -> None:
    assert sig_format(Uuid(0xFF01)) is None
    assert sig_format(Uuid.parse("6e400002-b5a3-f393-e0a9-e50e24dcca9e")) is None


def test_records_without_a_size_are_refused_and_not_followed_for_ever() -> None:
    cgm = codec("cgm_measurement")

    with pytest.raises(ValueError, match="a record of 0 octets"):
        cgm.decode(bytes(7))
    with pytest.raises(ValueError, match="a record of 9 octets"):
        cgm.decode(b"\x09" + bytes(6))
    record = bytes.fromhex("06 00 78 00 05 00")
    decoded = cgm.decode(record * 2)
    assert len(decoded.records) == 2  # type: ignore[attr-defined]
