"""Configuration, discovery and requests that nobody knows: GAC, GAD, UNS."""

from tests.conformance.official.lab import (
    MTU,
    PROPERTY_BITS,
    SERVICES,
    Lab,
    Tester,
    case,
    characteristics,
    described,
    error,
    number_at,
    u16,
    uuid_octets,
    value_of,
)

VENDOR_SERVICE = uuid_octets("6e400001-b5a3-f393-e0a9-e50e24dcca9e")


@case("GATT/SR/GAC/BV-01-C")
async def mtu(lab: Lab) -> None:
    long = value_of(described("long"))
    for number, asked in ((1, 23), (2, 512)):
        tester = await lab.tester(number)
        response = await tester.ask(b"\x02" + u16(asked))
        assert response == b"\x03" + u16(MTU)
        agreed = min(asked, MTU)
        assert await tester.read(tester.at("long")) == long[: agreed - 1]
        blob = await tester.ask(b"\x0c" + u16(tester.at("long")) + u16(10))
        assert blob == b"\x0d" + long[10 : 10 + agreed - 1]


async def primaries(tester: Tester) -> list[tuple[int, int, bytes]]:
    """All primary services as (first, last, UUID)."""
    return [
        (first, number_at(rest, 0), rest[2:])
        for first, rest in await tester.sweep(0x10, b"\x00\x28")
    ]


@case("GATT/SR/GAD/BV-01-C")
async def all_primary_services(lab: Lab) -> None:
    found = await primaries(await lab.tester())
    expected = [uuid_octets(one["uuid"]) for one in SERVICES if one.get("primary", True)]
    uuids = [uuid for _, _, uuid in found]
    assert uuids[:2] == [b"\x00\x18", b"\x01\x18"]
    assert sorted(uuids[2:]) == sorted(expected)
    handles = [handle for first, last, _ in found for handle in (first, last)]
    assert handles == sorted(handles)


@case("GATT/SR/GAD/BV-02-C")
async def primary_service_by_uuid(lab: Lab) -> None:
    tester = await lab.tester()
    everything = await primaries(tester)
    for uuid in (b"\x10\xff", VENDOR_SERVICE, b"\x99\xfe"):
        ranges = []
        start = 1
        while True:
            request = b"\x06" + u16(start) + b"\xff\xff\x00\x28" + uuid
            response = await tester.ask(request)
            if response[0] == 0x01:
                assert response == error(request, start, 0x0A)
                break
            assert response[0] == 0x07
            assert len(response) % 4 == 1
            ranges += [
                (number_at(response, at), number_at(response, at + 2))
                for at in range(1, len(response), 4)
            ]
            start = ranges[-1][1] + 1
        assert ranges == [(first, last) for first, last, one in everything if one == uuid]
    assert sum(one == b"\x10\xff" for _, _, one in everything) == 2


@case("GATT/SR/GAD/BV-03-C")
async def included_services(lab: Lab) -> None:
    tester = await lab.tester()
    everything = await primaries(tester)
    ((first, last, _),) = [one for one in everything if one[2] == b"\x00\xff"]
    included = []
    for _, rest in await tester.sweep(0x08, b"\x02\x28", first, last):
        begin, end, uuid = number_at(rest, 0), number_at(rest, 2), rest[4:]
        assert len(uuid) in (0, 2)
        if not uuid:  # of a 128-bit UUID only the service itself tells
            uuid = await tester.read(begin)
            assert len(uuid) == 16
        included.append((begin, end, uuid))
    by_uuid = {one["id"]: uuid_octets(one["uuid"]) for one in SERVICES}
    wanted = [by_uuid[name] for name in SERVICES[0]["includes"]]
    assert [uuid for _, _, uuid in included] == wanted
    assert all(one in everything for one in included)


@case("GATT/SR/GAD/BV-04-C")
async def all_characteristics_of_a_service(lab: Lab) -> None:
    tester = await lab.tester()
    services = await primaries(tester) + [
        (first, number_at(rest, 0), rest[2:])
        for first, rest in await tester.sweep(0x10, b"\x01\x28")
    ]
    seen = []
    for first, last, uuid in services:
        found = await tester.sweep(0x08, b"\x03\x28", first, last)
        for declaration, rest in found:
            assert first < declaration < number_at(rest, 1) <= last
        if uuid not in (b"\x00\x18", b"\x01\x18"):
            seen += [(uuid, rest[3:], rest[0]) for _, rest in found]
    expected = []
    for service in SERVICES:
        for one in service["characteristics"]:
            bits = 0
            for name in one["properties"]:
                bits |= PROPERTY_BITS[name]
            expected.append((uuid_octets(service["uuid"]), uuid_octets(one["uuid"]), bits))
    assert sorted(seen) == sorted(expected)


@case("GATT/SR/GAD/BV-05-C")
async def characteristics_by_uuid(lab: Lab) -> None:
    tester = await lab.tester()
    twins = [one for one in tester.found if one.uuid == b"\x11\xff"]
    assert len(twins) == 2
    assert [await tester.read(one.handle) for one in twins] == [b"twin", b"niwt"]
    (vendor,) = [one for one in tester.found if len(one.uuid) == 16]
    assert vendor.uuid == uuid_octets(described("vendor_value")["uuid"])
    assert await tester.read(vendor.handle) == b"vendor"


@case("GATT/SR/GAD/BV-06-C")
async def all_descriptors(lab: Lab) -> None:
    tester = await lab.tester()
    declarations = [one.declaration for one in tester.found]
    for entry in characteristics():
        if entry["id"] == "other_twin":
            continue
        one = tester.characteristic(entry["id"])
        expected = [uuid_octets(d["uuid"]) for d in entry.get("descriptors", [])]
        if {"reliable_write", "writable_auxiliaries"} & set(entry["properties"]):
            expected.append(b"\x00\x29")
        if {"notify", "indicate"} & set(entry["properties"]):
            expected.append(b"\x02\x29")
        assert sorted(uuid for _, uuid in one.descriptors) == sorted(expected)
        assert all(handle not in declarations for handle, _ in one.descriptors)


REQUESTS = {0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x0E, 0x10, 0x12, 0x16, 0x18, 0x20}
RESPONSES = {0x01, 0x03, 0x05, 0x07, 0x09, 0x0B, 0x0D, 0x0F, 0x11, 0x13, 0x17, 0x19, 0x21}
FROM_SERVER = {0x1B, 0x1D, 0x23}


@case("GATT/SR/UNS/BI-01-C")
async def unknown_requests(lab: Lab) -> None:
    tester = await lab.tester()
    for opcode in range(0x80):
        if opcode & 0x40 or opcode in REQUESTS | RESPONSES | FROM_SERVER | {0x1E}:
            continue
        request = bytes((opcode, 1, 0, 2, 3))
        assert await tester.ask(request) == error(request, 0, 0x06)
    assert await tester.read(tester.at("plain")) == b"plain"


async def ignored(lab: Lab, known: set[int]) -> None:
    """Send every command that is not known: nothing comes back, nothing changes."""
    tester = await lab.tester()
    for opcode in range(0x100):
        if opcode & 0x40 and opcode not in known:
            tester.send(bytes((opcode,)) + u16(tester.at("plain")) + b"x" * 16)
    await tester.quiet()
    assert await tester.read(tester.at("plain")) == b"plain"


@case("GATT/SR/UNS/BI-02-C")
async def unknown_commands(lab: Lab) -> None:
    await ignored(lab, {0x52, 0xD2})


@case("GATT/SR/UNS/BI-03-C")
async def unknown_commands_without_signed_write(lab: Lab) -> None:
    await ignored(lab, {0x52, 0xD2})
    tester = await lab.tester(2)
    tester.send(b"\x7f")
    tester.send(b"\xff" + bytes(200))
    await tester.quiet()
    assert await tester.read(tester.at("plain")) == b"plain"
