import pytest

from bletest.att.access import ENCRYPTED, OPEN, Access
from bletest.att.database import Attribute, AttributeTable
from bletest.uuids import (
    CCCD,
    CHARACTERISTIC,
    EXTENDED_PROPERTIES,
    PRIMARY_SERVICE,
    SECONDARY_SERVICE,
    USER_DESCRIPTION,
    Uuid,
)

VENDOR = Uuid.parse("6e400001-b5a3-f393-e0a9-e50e24dcca9e")


def heart_rate() -> AttributeTable:
    table = AttributeTable()
    table.add_service(Uuid(0x180D))
    table.add_characteristic(Uuid(0x2A37), ["notify"])
    table.add_descriptor(USER_DESCRIPTION, b"text")
    table.add_characteristic(Uuid(0x2A38), ["read"], b"\x01")
    table.add_service(VENDOR, primary=False)
    return table


def test_handles_run_in_the_order_of_building():
    table = heart_rate()
    assert [(one.handle, one.type) for one in table] == [
        (1, PRIMARY_SERVICE),
        (2, CHARACTERISTIC),
        (3, Uuid(0x2A37)),
        (4, CCCD),
        (5, USER_DESCRIPTION),
        (6, CHARACTERISTIC),
        (7, Uuid(0x2A38)),
        (8, SECONDARY_SERVICE),
    ]
    assert len(table) == 8
    assert table.get(5) is list(table)[4]
    assert table.get(9) is None


def test_groups_end_with_their_last_attribute():
    table = heart_rate()
    assert [(one.handle, one.end_handle) for one in table.services] == [(1, 7), (8, 8)]
    assert [one.declaration.group_end for _, one in table.characteristics()] == [5, 7]
    assert table.get(3).group_end == 3


def test_ranges_and_types_are_cut_in_handle_order():
    table = heart_rate()
    assert [one.handle for one in table.between(3, 5)] == [3, 4, 5]
    assert [one.handle for one in table.between(0, 0xFFFF)] == list(range(1, 9))
    assert [one.handle for one in table.of_type(CHARACTERISTIC)] == [2, 6]
    assert [one.handle for one in table.of_type(CHARACTERISTIC, 3, 6)] == [6]
    assert list(table.of_type(Uuid(0x9999))) == []


def test_a_declaration_says_properties_value_handle_and_uuid():
    table = AttributeTable()
    table.add_service(Uuid(0x1800))
    short = table.add_characteristic(Uuid(0x2A00), ["read", "write"])
    assert short.declaration.value == bytes.fromhex("0a 0300 002a")
    full = table.add_characteristic(VENDOR, 0x20)
    assert full.declaration.value == bytes.fromhex("20 0500") + VENDOR.to_bytes()
    assert full.properties == {"indicate"}
    assert full.uuid == VENDOR
    assert table.find_characteristic(VENDOR) is full
    assert table.find_characteristic(Uuid(0x2A37)) is None


@pytest.mark.parametrize(
    ("properties", "readable", "by_request", "by_command", "signed", "cccd"),
    [
        (["read"], True, False, False, False, False),
        (["write"], False, True, False, False, False),
        (["write_without_response"], False, False, True, False, False),
        (["authenticated_signed_write"], False, False, False, True, False),
        (["notify"], False, False, False, False, True),
        (["indicate"], False, False, False, False, True),
        (["broadcast"], False, False, False, False, False),
    ],
)
def test_properties_decide_what_a_value_takes(
    properties, readable, by_request, by_command, signed, cccd
):
    table = AttributeTable()
    table.add_service(Uuid(0x1800))
    made = table.add_characteristic(Uuid(0xFF01), properties)
    value = made.value
    assert (value.read is not None) == readable
    assert (value.write is not None) == (by_request or by_command or signed)
    assert (value.write_request, value.write_command, value.signed_write) == (
        by_request,
        by_command,
        signed,
    )
    assert (made.cccd is not None) == cccd


def test_a_cccd_is_written_under_the_access_of_subscribing():
    table = AttributeTable()
    table.add_service(Uuid(0x1800))
    made = table.add_characteristic(Uuid(0xFF01), ["notify"], subscribe=ENCRYPTED)
    assert (made.cccd.read, made.cccd.write) == (OPEN, ENCRYPTED)
    assert made.offered_configuration == 0x0001
    with pytest.raises(ValueError, match="already has a CCCD"):
        table.add_descriptor(CCCD, b"\x00\x00")


def test_extended_properties_bring_their_descriptor():
    table = AttributeTable()
    table.add_service(Uuid(0x1800))
    made = table.add_characteristic(Uuid(0xFF01), ["write", "reliable_write"])
    assert made.declaration.value[0] == 0x88
    assert [(one.type, one.value) for one in made.descriptors] == [
        (EXTENDED_PROPERTIES, b"\x01\x00")
    ]


def test_an_open_access_is_always_the_same_object():
    assert Attribute(1, Uuid(0xFF01), read=Access(), write=Access()).read is OPEN


def test_mistakes_in_building_are_told():
    table = AttributeTable()
    with pytest.raises(ValueError, match="needs a service"):
        table.add_characteristic(Uuid(0xFF01), ["read"])
    table.add_service(Uuid(0x1800), handle=0x10)
    with pytest.raises(ValueError, match="needs a characteristic"):
        table.add_descriptor(USER_DESCRIPTION)
    with pytest.raises(ValueError, match="named readable"):
        table.add_characteristic(Uuid(0xFF01), ["readable"])
    with pytest.raises(ValueError, match="513 octets"):
        table.add_characteristic(Uuid(0xFF01), ["read"], max_length=513)
    with pytest.raises(ValueError, match="before the end"):
        table.add_service(Uuid(0x1801), handle=0x10)
    table.add_service(Uuid(0x1801), handle=0xFFFF)
    with pytest.raises(ValueError, match="full"):
        table.add_characteristic(Uuid(0xFF01), ["read"])


def test_a_failed_addition_leaves_the_table_as_it_was():
    table = AttributeTable()
    table.add_service(Uuid(0x1800))
    for bad in ({"max_length": 513}, {"min_length": -1}):
        with pytest.raises(ValueError, match="octets"):
            table.add_characteristic(Uuid(0xFF01), ["read"], **bad)
    assert [one.handle for one in table] == [1]
    assert table.services[0].end_handle == 1


def test_handles_may_leave_gaps():
    table = AttributeTable()
    table.add_service(Uuid(0x1800))
    table.add_service(Uuid(0x1801), handle=0x0100)
    assert [one.handle for one in table] == [0x0001, 0x0100]


def test_handles_of_a_removed_service_are_not_given_again():
    table = heart_rate()
    table.remove_service(table.services[1])
    assert table.get(8) is None
    assert list(table.of_type(SECONDARY_SERVICE)) == []
    assert table.add_service(Uuid(0x180F)).handle == 9
    assert [one.uuid for one in table.services] == [Uuid(0x180D), Uuid(0x180F)]


def test_the_hash_covers_declarations_whole_and_descriptors_without_value():
    """Vol 3, Part G, 7.3.1: values of characteristics do not count."""
    table = heart_rate()
    assert (
        table.hash_input()
        == bytes.fromhex(
            "0100 0028 0d180200 0328 10 0300 372a0400 02290500 01290600 0328 02 0700 382a0800 0128"
        )
        + VENDOR.to_bytes()
    )
    seen = []

    def aes_cmac(message: bytes, key: bytes) -> bytes:
        seen.append((message, key))
        return bytes(range(16))

    assert table.database_hash(aes_cmac) == bytes(range(15, -1, -1))
    assert seen == [(table.hash_input(), bytes(16))]


def test_an_attribute_is_named_for_people():
    table = heart_rate()
    assert str(table.get(7)) == "body_sensor_location (handle 0x0007)"
    assert table.get(4).name == ("heart_rate_measurement/client_characteristic_configuration")
