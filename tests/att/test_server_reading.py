import pytest

from bletest.att.access import Access, LinkSecurity
from bletest.att.database import AttributeTable
from bletest.att.server import Server, ServerBearer
from bletest.att.server_events import MtuExchanged, Read
from bletest.uuids import Uuid
from tests.att.device import LONG, VENDOR, Device, refusal, u16


def test_a_long_value_is_cut_to_what_one_response_holds():
    device = Device()
    bearer = device.connect()
    assert bearer.receive(b"\x0a" + device.octets("long"), 0.0) == b"\x0b" + LONG[:22]
    bearer.receive(b"\x02\x40\x00", 0.0)
    assert bearer.receive(b"\x0a" + device.octets("long"), 0.0) == b"\x0b" + LONG[:63]


def test_a_read_is_told_with_its_offset_and_a_declaration_is_not():
    device = Device()
    bearer = device.connect()
    value = device.by_name["long"].value
    bearer.receive(b"\x0a" + u16(value.handle), 0.0)
    bearer.receive(b"\x0c" + u16(value.handle) + b"\x16\x00", 0.0)
    bearer.receive(b"\x0a" + u16(value.handle - 1), 0.0)
    assert device.events == [Read("phone", value, 0), Read("phone", value, 22)]


def test_a_value_that_would_fit_can_still_be_read_from_an_offset():
    device = Device()
    pdu = b"\x0c" + device.octets("plain") + b"\x02\x00"
    assert device.connect().receive(pdu, 0.0) == b"\x0dain"


@pytest.mark.parametrize(
    ("asked", "effective"), [(0, 23), (22, 23), (23, 23), (247, 247), (518, 517), (0xFFFF, 517)]
)
def test_the_smaller_mtu_counts_and_never_less_than_23(asked, effective):
    device = Device()
    bearer = device.connect()
    assert bearer.receive(b"\x02" + u16(asked), 0.0) == b"\x03" + u16(517)
    assert bearer.mtu == effective
    assert device.events == [MtuExchanged("phone", effective, asked)]


def test_a_second_mtu_exchange_is_answered_and_changes_nothing():
    device = Device(mtu=100)
    bearer = device.connect()
    assert bearer.receive(b"\x02\x40\x00", 0.0) == b"\x03\x64\x00"
    assert bearer.receive(b"\x02\x17\x00", 0.0) == b"\x03\x64\x00"
    assert bearer.mtu == 64


def test_a_server_has_a_legal_mtu():
    for mtu in (22, 518):
        with pytest.raises(ValueError, match="ATT_MTU"):
            Server(AttributeTable(), mtu=mtu)


@pytest.mark.parametrize("opcode", [0x0E, 0x20])
@pytest.mark.parametrize("handles", ["", "0300", "030005", "03000300", "0300050003000500"])
def test_a_set_of_handles_has_two_or_more_and_none_twice(opcode, handles):
    pdu = bytes((opcode,)) + bytes.fromhex(handles)
    assert Device().connect().receive(pdu, 0.0) == refusal(opcode, 0, 0x04)


@pytest.mark.parametrize("opcode", [0x0E, 0x20])
def test_the_first_handle_that_fails_decides_for_a_set(opcode):
    device = Device()
    pdu = (
        bytes((opcode,))
        + device.octets("plain")
        + device.octets("encrypted")
        + device.octets("write_only")
        + u16(0x0FFF)
    )
    bearer = device.connect()
    assert bearer.receive(pdu, 0.0) == refusal(opcode, device.handle("encrypted"), 0x05)
    assert not any(isinstance(event, Read) for event in device.events)


def test_many_values_are_cut_where_the_pdu_is_full():
    device = Device()
    bearer = device.connect()
    handles = device.octets("long") + device.octets("plain")
    assert bearer.receive(b"\x0e" + handles, 0.0) == b"\x0f" + LONG[:22]
    assert bearer.receive(b"\x20" + handles, 0.0) == b"\x21" + u16(100) + LONG[:20]


def test_a_length_is_never_cut():
    table = AttributeTable()
    table.add_service(Uuid(0xFF00))
    handles = [
        table.add_characteristic(Uuid(0xFF01), ["read"], bytes(19)).value.handle,
        table.add_characteristic(Uuid(0xFF01), ["read"], b"x").value.handle,
    ]
    bearer = Server(table).connect("phone", LinkSecurity())
    response = bearer.receive(b"\x20" + b"".join(map(u16, handles)), 0.0)
    assert response == b"\x21" + u16(19) + bytes(19)


# Finding things


def test_services_are_found_by_group_in_lists_of_one_length():
    device = Device()
    bearer = device.connect()
    services = device.table.services
    expected = b"".join(
        u16(one.handle) + u16(one.end_handle) + one.uuid.to_bytes() for one in services[:3]
    )
    assert bearer.receive(b"\x10\x01\x00\xff\xff\x00\x28", 0.0) == b"\x11\x06" + expected
    after = u16(services[2].end_handle + 1)
    last = services[4]
    assert bearer.receive(b"\x10" + after + b"\xff\xff\x00\x28", 0.0) == (
        b"\x11\x06" + u16(last.handle) + u16(last.end_handle) + last.uuid.to_bytes()
    )
    secondary = device.vendor_service
    assert bearer.receive(b"\x10\x01\x00\xff\xff\x01\x28", 0.0) == (
        b"\x11\x14" + u16(secondary.handle) + u16(secondary.end_handle) + VENDOR.to_bytes()
    )


def test_a_group_list_never_mixes_lengths():
    table = AttributeTable()
    for uuid in (Uuid(0x1800), VENDOR, Uuid(0x1801)):
        table.add_service(uuid)
    bearer = Server(table).connect("phone", LinkSecurity())
    assert bearer.receive(b"\x10\x01\x00\xff\xff\x00\x28", 0.0) == bytes.fromhex(
        "11 06 0100 0100 0018"
    )
    assert bearer.receive(b"\x10\x02\x00\xff\xff\x00\x28", 0.0) == (
        bytes.fromhex("11 14 0200 0200") + VENDOR.to_bytes()
    )


@pytest.mark.parametrize("type_", ["0328", "0228", "01ff", "0229", VENDOR.to_bytes().hex()])
def test_only_services_can_be_asked_for_by_group(type_):
    pdu = bytes.fromhex("10 0100 ffff" + type_)
    assert Device().connect().receive(pdu, 0.0) == refusal(0x10, 1, 0x10)


def test_a_type_in_its_128_bit_form_finds_the_same():
    bearer = Device().connect()
    short = b"\x10\x01\x00\xff\xff\x00\x28"
    full = b"\x10\x01\x00\xff\xff" + bytes.fromhex("fb349b5f80000080001000000028 0000")
    assert bearer.receive(full, 0.0) == bearer.receive(short, 0.0)


RANGES = {0x04: "", 0x06: "002800ff", 0x08: "0328", 0x10: "0028"}


@pytest.mark.parametrize("opcode", RANGES)
@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, 0xFFFF), (2, 1), (0xFFFF, 1)])
def test_a_range_that_is_none_is_refused_with_0x01_and_its_start(opcode, start, end):
    pdu = bytes((opcode,)) + u16(start) + u16(end) + bytes.fromhex(RANGES[opcode])
    assert Device().connect().receive(pdu, 0.0) == refusal(opcode, start, 0x01)


def test_a_bad_range_is_told_before_a_bad_group_type():
    pdu = b"\x10\x00\x00\xff\xff\x03\x28"
    assert Device().connect().receive(pdu, 0.0) == refusal(0x10, 0, 0x01)


@pytest.mark.parametrize("opcode", RANGES)
def test_behind_the_last_attribute_nothing_is_found(opcode):
    pdu = bytes((opcode,)) + u16(0xFFF0) + u16(0xFFFF) + bytes.fromhex(RANGES[opcode])
    assert Device().connect().receive(pdu, 0.0) == refusal(opcode, 0xFFF0, 0x0A)


def test_a_service_is_found_by_its_uuid_with_its_whole_group():
    device = Device()
    service = device.table.services[2]
    pdu = b"\x06\x01\x00\xff\xff\x00\x28\x00\xff"
    assert device.connect().receive(pdu, 0.0) == (
        b"\x07" + u16(service.handle) + u16(service.end_handle)
    )


def test_finding_by_value_reaches_beyond_the_range_but_starts_in_it():
    device = Device()
    service = device.table.services[2]
    pdu = b"\x06\x01\x00" + u16(service.handle) + b"\x00\x28\x00\xff"
    assert device.connect().receive(pdu, 0.0) == (
        b"\x07" + u16(service.handle) + u16(service.end_handle)
    )


def test_an_attribute_that_groups_nothing_ends_with_itself():
    device = Device()
    handle = device.handle("read_only")
    pdu = b"\x06\x01\x00\xff\xff\x03\xfffixed"
    assert device.connect().receive(pdu, 0.0) == b"\x07" + u16(handle) + u16(handle)


def test_a_secret_cannot_be_guessed_by_finding_it():
    device = Device()
    pdu = b"\x06\x01\x00\xff\xff\x05\xffhidden"
    assert device.connect().receive(pdu, 0.0) == refusal(0x06, 1, 0x0A)
    paired = device.connect("paired", encrypted=True, key_size=16)
    assert paired.receive(pdu, 0.0) == b"\x07" + device.octets("encrypted") * 2


def test_information_has_uuids_of_one_length_in_a_response():
    device = Device()
    vendor = device.by_name["vendor"]
    bearer = device.connect()
    start = u16(vendor.declaration.handle - 1)
    assert bearer.receive(b"\x04" + start + b"\xff\xff", 0.0) == (
        b"\x05\x01" + start + b"\x01\x28" + u16(vendor.declaration.handle) + b"\x03\x28"
    )
    start = u16(vendor.value.handle)
    assert bearer.receive(b"\x04" + start + b"\xff\xff", 0.0) == (
        b"\x05\x02" + start + vendor.uuid.to_bytes()
    )


def test_values_of_one_type_stop_where_one_may_not_be_read():
    table = AttributeTable()
    table.add_service(Uuid(0xFF00))
    for access in (Access(), Access(encrypted=True), Access()):
        table.add_characteristic(Uuid(0xFF01), ["read"], b"v", read=access)
    bearer = Server(table).connect("phone", LinkSecurity())
    assert bearer.receive(b"\x08\x01\x00\xff\xff\x01\xff", 0.0) == b"\x09\x03\x03\x00v"
    assert bearer.receive(b"\x08\x04\x00\xff\xff\x01\xff", 0.0) == refusal(0x08, 5, 0x05)
    assert bearer.receive(b"\x08\x06\x00\xff\xff\x01\xff", 0.0) == b"\x09\x03\x07\x00v"


def test_values_of_one_type_stop_where_the_length_changes():
    table = AttributeTable()
    table.add_service(Uuid(0xFF00))
    for value in (b"aa", b"bb", b"c", b"dd"):
        table.add_characteristic(Uuid(0xFF01), ["read"], value)
    bearer = Server(table).connect("phone", LinkSecurity())
    assert bearer.receive(b"\x08\x01\x00\xff\xff\x01\xff", 0.0) == b"\x09\x04\x03\x00aa\x05\x00bb"


@pytest.mark.parametrize(("mtu", "room"), [(23, 19), (100, 96), (517, 253)])
def test_a_long_value_found_by_type_is_cut_to_its_length_octet(mtu, room):
    table = AttributeTable()
    table.add_service(Uuid(0xFF00))
    table.add_characteristic(Uuid(0xFF01), ["read"], bytes(400))
    bearer = Server(table).connect("phone", LinkSecurity(), mtu=mtu)
    response = bearer.receive(b"\x08\x01\x00\xff\xff\x01\xff", 0.0)
    assert response == bytes((0x09, room + 2, 3, 0)) + bytes(room)


def test_an_include_of_a_128_bit_service_carries_no_uuid():
    device = Device()
    vendor = device.vendor_service
    last = device.table.services[4]
    pdu = b"\x08" + u16(last.handle) + b"\xff\xff\x02\x28"
    assert device.connect().receive(pdu, 0.0) == (
        b"\x09\x06" + u16(last.handle + 1) + u16(vendor.handle) + u16(vendor.end_handle)
    )
    pdu = b"\x08\x01\x00\xff\xff\x02\x28"
    generic = device.table.services[0]
    assert device.connect("other").receive(pdu, 0.0) == (
        b"\x09\x08"
        + u16(device.table.services[2].handle + 1)
        + u16(generic.handle)
        + u16(generic.end_handle)
        + b"\x00\x18"
    )


def many_of_a_kind(mtu: int) -> ServerBearer:
    table = AttributeTable()
    for _ in range(20):
        table.add_service(Uuid(0xFF00))
    return Server(table).connect("phone", LinkSecurity(), mtu=mtu)


@pytest.mark.parametrize(
    ("pdu", "head", "record"),
    [
        (b"\x06\x01\x00\xff\xff\x00\x28\x00\xff", 1, 4),
        (b"\x04\x01\x00\xff\xff", 2, 4),
        (b"\x08\x01\x00\xff\xff\x00\x28", 2, 4),
        (b"\x10\x01\x00\xff\xff\x00\x28", 2, 6),
    ],
)
@pytest.mark.parametrize("mtu", range(23, 36))
def test_a_list_holds_every_record_that_fits_and_no_part_of_another(pdu, head, record, mtu):
    response = many_of_a_kind(mtu).receive(pdu, 0.0)
    assert len(response) == head + (mtu - head) // record * record
