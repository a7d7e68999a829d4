import pytest
from hypothesis import given
from hypothesis import strategies as st

from bletest.uuids import Uuid, UuidKind
from tests.support import assigned_numbers


def test_the_assigned_numbers_are_in_step_with_bluetooth_sig() -> None:
    assert assigned_numbers.TARGET.read_text("utf-8") == assigned_numbers.render()


@pytest.mark.parametrize(
    "text", ["heart_rate", "0x180D", "180d", "0000180D-0000-1000-8000-00805f9b34fb"]
)
def test_every_spelling_of_a_uuid_is_the_same_uuid(text: str) -> None:
    assert Uuid.parse(text) == Uuid(0x180D)


def test_a_name_of_two_things_is_told_apart_by_its_kind() -> None:
    assert Uuid.parse("current_time", UuidKind.SERVICE).alias == 0x1805
    assert Uuid.parse("current_time", UuidKind.CHARACTERISTIC).alias == 0x2A2B


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match='did you mean "heart_rate"'):
        Uuid.parse("hart_rate", UuidKind.SERVICE)


@pytest.mark.parametrize("text", ["", "0x18", "zz", "0000180d-0000-1000-8000", "0x123456789"])
def test_what_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        Uuid.parse(text)


@given(alias=st.integers(0, 0xFFFF))
def test_a_16_bit_uuid_travels_in_two_octets(alias: int) -> None:
    uuid = Uuid(alias)
    assert uuid.to_bytes() == alias.to_bytes(2, "little")
    assert Uuid.from_bytes(uuid.to_bytes()) == uuid
    assert Uuid.parse(str(uuid)) == uuid
    assert uuid.alias == alias


@given(alias=st.integers(0x10000, 0xFFFFFFFF))
def test_a_32_bit_uuid_travels_as_128_bits(alias: int) -> None:
    uuid = Uuid(alias)
    assert len(uuid.to_bytes()) == 16
    assert Uuid.from_bytes(uuid.to_bytes()) == uuid == Uuid.from_bytes(alias.to_bytes(4, "little"))


@given(octets=st.binary(min_size=16, max_size=16))
def test_any_16_octets_are_a_uuid_that_survives_text_and_octets(octets: bytes) -> None:
    uuid = Uuid.from_bytes(octets)
    assert Uuid.parse(str(uuid)) == uuid
    assert uuid.value.to_bytes(16, "little") == octets


@pytest.mark.parametrize("length", [0, 1, 3, 5, 15, 17])
def test_no_other_number_of_octets_is_a_uuid(length: int) -> None:
    with pytest.raises(ValueError, match="2, 4 or 16"):
        Uuid.from_bytes(bytes(length))


def test_a_label_is_the_shortest_way_to_write_it() -> None:
    assert Uuid(0x2A37).label == "heart_rate_measurement"
    assert Uuid(0xFF01).label == "0xFF01"
    assert Uuid(0x12345678).label == "0x12345678"
    vendor = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
    assert Uuid.parse(vendor).label == vendor
