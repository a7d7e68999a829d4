"""Client procedures against the server engine: what one end builds, the other end finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.att import procedures
from bletest.att.access import LinkSecurity
from bletest.att.client import ClientBearer, ResponseArrived
from bletest.att.database import AttributeTable
from bletest.att.procedures import (
    FoundCharacteristic,
    FoundDescriptor,
    FoundInclude,
    FoundService,
    Refused,
    run,
)
from bletest.att.server import Server, ServerBearer
from bletest.uuids import CCCD, Uuid
from tests.att.device import LONG, VENDOR, Device


class Loop:
    """Both engines, back to back, with every rule of the client's bearer kept."""

    def __init__(self, server: ServerBearer) -> None:
        self.server = server
        self.client = ClientBearer()
        self.requests = 0

    def __call__(self, request: bytes) -> bytes:
        self.requests += 1
        assert len(request) <= self.client.mtu
        self.client.start(request, 0.0)
        response = self.server.receive(request, 0.0)
        assert response is not None
        event = self.client.receive(response, 0.0)
        assert isinstance(event, ResponseArrived)
        assert event.fault is None
        return event.pdu


def looped(device: Device, *, mtu: int = 23, **security) -> Loop:
    loop = Loop(device.connect(**security))
    if mtu != 23:
        assert run(procedures.exchange_mtu(mtu), loop) == mtu
        assert loop.client.mtu == loop.server.mtu == mtu
    return loop


def expected(table: AttributeTable, *, primary: bool) -> tuple[FoundService, ...]:
    """What discovery has to find, read off the table itself."""
    found = []
    for service in table.services:
        if service.primary is not primary:
            continue
        characteristics = tuple(
            FoundCharacteristic(
                one.declaration.handle,
                one.value.handle,
                one.declaration.group_end,
                one.uuid,
                one.declaration.value[0],
                tuple(FoundDescriptor(each.handle, each.type) for each in one.descriptors),
            )
            for one in service.characteristics
        )
        includes = tuple(
            FoundInclude(service.handle + 1 + at, one.handle, one.end_handle, one.uuid)
            for at, one in enumerate(service.includes)
        )
        found.append(
            FoundService(
                service.handle, service.end_handle, service.uuid, includes, characteristics
            )
        )
    return tuple(found)


@pytest.mark.parametrize("mtu", [23, 64, 517])
def test_everything_in_the_table_is_discovered(mtu):
    device = Device()
    loop = looped(device, mtu=mtu)
    assert run(procedures.discover_all(), loop) == expected(device.table, primary=True)
    secondary = run(procedures.discover_secondary_services(), loop)
    assert [(one.handle, one.end_handle, one.uuid) for one in secondary] == [
        (device.vendor_service.handle, device.vendor_service.end_handle, VENDOR)
    ]


uuids = st.integers(1, 0xFFFF).map(Uuid) | st.integers(1 << 112, (1 << 128) - 1).map(Uuid)
characteristics = st.tuples(
    uuids.filter(lambda one: one.value >> 96 not in range(0x2800, 0x2810)),
    st.sets(st.sampled_from(["read", "write", "notify", "indicate", "reliable_write"])),
    st.lists(st.sampled_from([Uuid(0x2901), Uuid(0x2904), VENDOR]), max_size=3),
)
services = st.lists(
    st.tuples(uuids, st.booleans(), st.lists(characteristics, max_size=4)), max_size=5
)


@settings(deadline=None, max_examples=100)
@given(services, st.sampled_from([23, 24, 100, 517]), st.data())
def test_any_table_is_discovered_as_it_was_built(described, mtu, data):
    table = AttributeTable()
    for uuid, primary, inside in described:
        known = table.services
        includes = data.draw(st.lists(st.sampled_from(known), max_size=2)) if known else []
        table.add_service(uuid, primary=primary, includes=includes)
        for characteristic, properties, descriptors in inside:
            table.add_characteristic(characteristic, properties)
            for descriptor in descriptors:
                table.add_descriptor(descriptor)
    loop = Loop(Server(table).connect("phone", LinkSecurity(), mtu=mtu))
    loop.client.mtu = mtu
    assert run(procedures.discover_all(), loop) == expected(table, primary=True)


def test_a_service_is_discovered_by_its_uuid():
    table = AttributeTable()
    for uuid in (Uuid(0x180D), VENDOR, Uuid(0x180D)):
        table.add_service(uuid)
        table.add_characteristic(Uuid(0xFF01), ["read"])
    table.add_service(Uuid(0x180D), handle=0xFFFF)
    loop = Loop(Server(table).connect("phone", LinkSecurity()))
    find = procedures.discover_service_by_uuid
    assert run(find(Uuid(0x180D)), loop) == (
        FoundService(1, 3, Uuid(0x180D)),
        FoundService(7, 9, Uuid(0x180D)),
        FoundService(0xFFFF, 0xFFFF, Uuid(0x180D)),
    )
    assert run(find(VENDOR), loop) == (FoundService(4, 6, VENDOR),)
    assert run(find(Uuid(0x180F)), loop) == ()


@pytest.mark.parametrize("length", [0, 1, 21, 22, 23, 44, 45, 511, 512])
def test_a_value_of_any_length_is_read_whole(length):
    device = Device()
    value = bytes(at & 0xFF for at in range(length))
    device.by_name["long"].value.value = value
    loop = looped(device)
    assert run(procedures.read_long(device.handle("long"), mtu=23), loop) == value
    assert run(procedures.read(device.handle("long")), loop) == value[:22]


@pytest.mark.parametrize("length", [0, 1, 18, 19, 36, 512])
def test_a_value_of_any_length_is_written_whole(length):
    device = Device()
    value = bytes(at & 0xFF for at in range(length))
    loop = looped(device)
    run(procedures.write_long(device.handle("long"), value, mtu=23), loop)
    assert device.value("long") == value


def test_several_values_are_written_as_one():
    device = Device()
    loop = looped(device)
    long, fixed = device.handle("long"), device.handle("fixed")
    run(procedures.reliable_write([(long, LONG[:40]), (fixed, b"abcd")], mtu=23), loop)
    assert (device.value("long"), device.value("fixed")) == (LONG[:40], b"abcd")


def test_a_prepared_write_that_is_refused_leaves_no_queue_behind():
    device = Device()
    loop = looped(device)
    values = [(device.handle("long"), b"x"), (device.handle("read_only"), b"x")]
    with pytest.raises(Refused) as caught:
        run(procedures.reliable_write(values, mtu=23), loop)
    assert (caught.value.request_opcode, caught.value.code) == (0x16, 0x03)
    assert loop.server.prepared == []
    assert device.value("long") == LONG


def test_values_are_read_by_uuid_and_together():
    device = Device()
    loop = looped(device)
    twins = [
        one.value.handle for _, one in device.table.characteristics() if one.uuid == Uuid(0xFF21)
    ]
    assert run(procedures.read_by_uuid(Uuid(0xFF21)), loop) == tuple(
        (handle, b"twin") for handle in twins
    )
    handles = [device.handle("plain"), device.handle("twin")]
    assert run(procedures.read_multiple(handles), loop) == b"plaintwin"
    assert run(procedures.read_multiple_variable(handles), loop) == (b"plain", b"twin")
    handles = [device.handle("long"), device.handle("twin")]
    assert run(procedures.read_multiple_variable(handles), loop) == (LONG[:20],)


def test_a_part_of_a_value_is_read_from_where_it_is_wanted():
    device = Device()
    loop = looped(device)
    handle = device.handle("long")
    assert run(procedures.read_part(handle, 30), loop) == LONG[30:52]
    assert run(procedures.read_part(handle, len(LONG)), loop) == b""
    with pytest.raises(Refused) as caught:
        run(procedures.read_part(handle, len(LONG) + 1), loop)
    assert caught.value.code == 0x07


def test_characteristics_of_a_service_are_discovered_by_their_uuid():
    loop = looped(Device())
    for service in run(procedures.discover_all(), loop):
        first, last = service.handle, service.end_handle
        everything = run(procedures.discover_characteristics(first, last), loop)
        for one in everything:
            found = run(procedures.discover_characteristics_by_uuid(one.uuid, first, last), loop)
            assert found == tuple(other for other in everything if other.uuid == one.uuid)
        none = procedures.discover_characteristics_by_uuid(Uuid(0x1234), first, last)
        assert run(none, loop) == ()


def test_a_characteristic_is_subscribed_to():
    device = Device()
    loop = looped(device)
    cccd = device.by_name["notify"].cccd
    assert cccd.type == CCCD
    run(procedures.subscribe(cccd.handle, notify=True), loop)
    assert loop.server.notifies(device.handle("notify"))
    run(procedures.subscribe(cccd.handle), loop)
    assert not loop.server.notifies(device.handle("notify"))


def test_a_command_is_a_pdu_and_no_procedure():
    device = Device()
    pdu = procedures.write_command(device.handle("plain"), b"cmd")
    assert device.connect().receive(pdu, 0.0) is None
    assert device.value("plain") == b"cmd"


def test_a_refusal_says_what_was_refused_where_and_why():
    device = Device()
    handle = device.handle("write_only")
    with pytest.raises(Refused, match=r"Read Request refused at 0x.*READ_NOT_PERMITTED") as caught:
        run(procedures.read(handle), looped(device))
    refused = caught.value
    assert (refused.request_opcode, refused.handle, refused.code) == (0x0A, handle, 0x02)


def test_a_refused_mtu_exchange_is_a_refusal():
    with pytest.raises(Refused):
        run(procedures.exchange_mtu(247), lambda request: b"\x01\x02\x00\x00\x06")


def test_properties_have_names():
    assert procedures.property_names(0x9A, 0x0001) == {
        "read",
        "write",
        "notify",
        "extended_properties",
        "reliable_write",
    }
