"""Advertising data is read as far as it is well formed, and shown with its scan response."""

from hypothesis import given
from hypothesis import strategies as st

from bletest.client.advertising import AdvertisingFields, Gatherer, structures
from bletest.uuids import Uuid
from tests.support.scripted_peripheral import ad

ADDRESS = "C0:00:00:00:00:09"


def gather(gatherer: Gatherer, data: bytes, *, response: bool = False, rssi: int = -40):
    return gatherer.add(
        ADDRESS,
        is_random=True,
        connectable=not response,
        is_scan_response=response,
        data=data,
        rssi=rssi,
    )


def test_every_field_of_an_advertisement_is_read():
    long_uuid = Uuid.parse("6e400001-b5a3-f393-e0a9-e50e24dcca9e")
    data = (
        ad(0x03, b"\x0d\x18\x0f\x18")
        + ad(0x07, long_uuid.to_bytes())
        + ad(0x09, "Größe".encode())
        + ad(0x0A, b"\xfc")
        + ad(0x16, b"\x0f\x18\x64")
        + ad(0xFF, b"\x59\x00\x01\x02")
    )
    fields = AdvertisingFields.parse(data)
    assert fields.services == [Uuid(0x180D), Uuid(0x180F), long_uuid]
    assert fields.name == "Größe"
    assert fields.tx_power == -4
    assert fields.service_data == {Uuid(0x180F): b"\x64"}
    assert fields.manufacturer_data == {0x0059: b"\x01\x02"}


def test_a_complete_name_wins_over_a_shortened_one():
    assert AdvertisingFields.parse(ad(0x09, b"Strap") + ad(0x08, b"Str")).name == "Strap"
    assert AdvertisingFields.parse(ad(0x08, b"Str") + ad(0x09, b"Strap")).name == "Strap"


def test_what_stands_before_a_structure_that_is_too_long_is_kept():
    assert list(structures(ad(0x09, b"ok") + b"\x1e\x09short")) == [(0x09, b"ok")]


def test_a_length_of_zero_ends_the_data():
    assert list(structures(ad(0x09, b"ok") + b"\x00" + ad(0x0A, b"\x00"))) == [(0x09, b"ok")]


@given(st.binary(max_size=64))
def test_no_octets_make_the_parser_raise(data):
    AdvertisingFields.parse(data)


def test_a_scan_response_is_added_to_the_advertisement_before_it():
    gatherer = Gatherer()
    first = gather(gatherer, ad(0x03, b"\x0d\x18"))
    both = gather(gatherer, ad(0x09, b"Strap"), response=True)
    assert first.fields.name is None
    assert both.fields.name == "Strap"
    assert both.fields.services == [Uuid(0x180D)]
    assert both.connectable


def test_new_advertising_data_replaces_the_old_and_keeps_the_scan_response():
    gatherer = Gatherer()
    gather(gatherer, ad(0xFF, b"\x59\x00\x01"))
    gather(gatherer, ad(0x09, b"Strap"), response=True)
    changed = gather(gatherer, ad(0xFF, b"\x59\x00\x02"))
    assert changed.fields.manufacturer_data == {0x59: b"\x02"}
    assert changed.fields.name == "Strap"


def test_an_unknown_rssi_is_none():
    assert gather(Gatherer(), b"", rssi=127).rssi is None
    assert gather(Gatherer(), b"", rssi=-70).advertisement.rssi == -70
