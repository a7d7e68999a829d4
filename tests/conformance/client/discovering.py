"""The server's configuration and its database: GAC and GAD."""

from bletest.att import procedures
from bletest.att.procedures import FoundInclude
from bletest.uuids import Uuid
from tests.conformance.client.registry import ClientLab, case, unconnected
from tests.support.scripted_server import (
    LONG,
    LONG_VALUE,
    SHORT,
    error,
    number_at,
    u16,
)

WIDE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
SERVICES = {
    0x0001: (0x0003, str(Uuid(0x1800))),
    0x0010: (0x0017, str(Uuid(0x1801))),
    0x0020: (0x0025, str(Uuid(0x180F))),
    0x0030: (0x0049, str(Uuid(0xFF00))),
    0x0070: (0x0072, WIDE),
    0x0080: (0x0082, str(Uuid(0x180F))),
}
"""By the handle of the declaration: the last handle, and the UUID."""


@case("GATT/CL/GAC/BV-01-C", on=unconnected)
async def exchange_of_mtu(lab: ClientLab) -> None:
    for server_mtu, agreed in ((50, 50), (23, 23), (512, 512), (0xFFFF, 517)):
        lab.server.mtu = server_mtu
        lab.server.forget()
        await lab.client.connect()
        assert lab.received[0] == b"\x02" + u16(517)
        assert [pdu[0] for pdu in lab.received].count(0x02) == 1
        assert lab.bleak.mtu_size == agreed
        long = lab.characteristic(LONG)
        lab.server.forget()
        assert await lab.bleak.read_gatt_char(long) == LONG_VALUE
        whole = agreed > len(LONG_VALUE) + 1
        parts = range(agreed - 1, len(LONG_VALUE), agreed - 1) if not whole else ()
        assert lab.received[1:] == [b"\x0c" + u16(LONG) + u16(at) for at in parts]
        lab.server.forget()
        await lab.bleak.write_gatt_char(long, LONG_VALUE[::-1], response=True)
        assert all(len(pdu) <= agreed for pdu in lab.received)
        assert lab.server.value(LONG) == LONG_VALUE[::-1]
        await lab.bleak.write_gatt_char(long, LONG_VALUE, response=True)
        await lab.client.disconnect()
    lab.server.refuse(0x02, 0x06, handle=0)
    await lab.client.connect()
    assert lab.bleak.mtu_size == 23


@case("GATT/CL/GAD/BV-01-C", on=unconnected)
async def all_primary_services(lab: ClientLab) -> None:
    await lab.client.connect()
    asked = [pdu for pdu in lab.received if pdu[0] == 0x10]
    # Three fit into the first response; others lie alone between holes or other sizes.
    starts = (0x0001, 0x0026, 0x004A, 0x0073, 0x0083)
    assert asked == [b"\x10" + u16(start) + b"\xff\xff\x00\x28" for start in starts]
    found = {one.handle: (one.obj.end_handle, one.uuid) for one in lab.bleak.services}
    assert found == SERVICES


@case("GATT/CL/GAD/BV-02-C")
async def primary_services_by_uuid(lab: ClientLab) -> None:
    for uuid, ranges, following in (
        (Uuid(0x180F), [(0x0020, 0x0025), (0x0080, 0x0082)], 0x0083),
        (Uuid.parse(WIDE), [(0x0070, 0x0072)], 0x0073),
        (Uuid(0x1234), [], None),
    ):
        lab.server.forget()
        found = await lab.client.run(procedures.discover_service_by_uuid(uuid))
        assert [(one.handle, one.end_handle) for one in found] == ranges
        asked = b"\xff\xff\x00\x28" + uuid.to_bytes()
        starts = [0x0001, *([following] if following else [])]
        assert lab.received == [b"\x06" + u16(start) + asked for start in starts]
    # A service at the very end of the range leaves nothing to ask for.
    lab.server.answers[0x06] = lambda _: b"\x07\x80\x00\xff\xff"
    lab.server.forget()
    [last] = await lab.client.run(procedures.discover_service_by_uuid(Uuid(0x180F)))
    assert last.end_handle == 0xFFFF
    assert len(lab.received) == 1


@case("GATT/CL/GAD/BV-03-C")
async def included_services(lab: ClientLab) -> None:
    found = await lab.client.run(procedures.find_included_services(0x0020, 0x0025))
    assert found == (
        FoundInclude(0x0021, 0x0060, 0x0062, Uuid(0x180A)),
        FoundInclude(0x0022, 0x0070, 0x0072, Uuid.parse(WIDE)),
    )
    # The UUID of 128 bits is not in the declaration: it is read where it stands.
    asked = [b"\x08" + u16(start) + b"\x25\x00\x02\x28" for start in (0x0020, 0x0022, 0x0023)]
    assert lab.received == [*asked, b"\x0a\x70\x00"]


@case("GATT/CL/GAD/BV-04-C", on=unconnected)
async def all_characteristics_of_a_service(lab: ClientLab) -> None:
    await lab.client.connect()
    for start, (end, _) in SERVICES.items():
        declared = {
            handle: (value[0], number_at(value, 1), value[3:])
            for handle, (type_, value) in lab.server.attributes.items()
            if start <= handle <= end and type_ == b"\x03\x28"
        }
        service = lab.bleak.services.get_service(start)
        assert service is not None
        found = {
            one.handle: (
                one.obj.properties,
                one.obj.value_handle,
                Uuid.parse(one.uuid).to_bytes(),
            )
            for one in service.characteristics
        }
        assert found == declared
        # Asked for within the service, onwards from what was found, to the end.
        asked = [
            number_at(pdu, 1)
            for pdu in lab.received
            if pdu[0] == 0x08 and pdu[5:] == b"\x03\x28" and number_at(pdu, 3) == end
        ]
        assert asked == sorted(set(asked))
        assert start <= asked[0] <= min(declared)
        assert asked[-1] > max(declared)


@case("GATT/CL/GAD/BV-05-C")
async def characteristics_by_uuid(lab: ClientLab) -> None:
    procedure = procedures.discover_characteristics_by_uuid
    [found] = await lab.client.run(procedure(Uuid(0x2A19), 0x0080, 0x0082))
    assert (found.handle, found.value_handle) == (0x0081, 0x0082)
    asked = [b"\x08" + u16(start) + b"\x82\x00\x03\x28" for start in (0x0080, 0x0082)]
    assert lab.received == asked
    [found] = await lab.client.run(procedure(Uuid(0xFF01), 0x0030, 0x0049))
    assert (found.value_handle, found.end_handle) == (SHORT, 0x0033)
    wide = Uuid.parse(WIDE.replace("0001", "0002", 1))
    [found] = await lab.client.run(procedure(wide, 0x0070, 0x0072))
    assert found.value_handle == 0x0072
    assert await lab.client.run(procedure(Uuid(0x2A37), 0x0030, 0x0049)) == ()


@case("GATT/CL/GAD/BV-06-C", on=unconnected)
async def all_descriptors(lab: ClientLab) -> None:
    # The server has none in a range that ends with a value, and says so.
    lab.server.put(0x0083, b"\x01\x29", b"more")
    lab.server.answers[0x04] = lambda pdu: (
        error(pdu, 0x0A) if number_at(pdu, 1) == 0x0084 else lab.server.answer(pdu)
    )
    await lab.client.connect()
    found = {
        descriptor.handle: Uuid.parse(descriptor.uuid).to_bytes()
        for one in lab.bleak.services.characteristics.values()
        for descriptor in one.descriptors
    }
    assert found == {
        handle: type_
        for handle, (type_, _) in lab.server.attributes.items()
        if b"\x00\x29" <= type_ <= b"\x05\x29" and type_[1] == 0x29
    }
    # No value and no declaration is asked for.
    values = {
        number_at(value, 1) for t, value in lab.server.attributes.values() if t == b"\x03\x28"
    }
    for pdu in lab.received:
        if pdu[0] == 0x04:
            asked = range(number_at(pdu, 1), number_at(pdu, 3) + 1)
            assert asked
            assert not values & set(asked)
