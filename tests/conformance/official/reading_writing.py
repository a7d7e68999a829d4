"""Values that are read and written: GAR and GAW, BV cases; formats (GPA); signed writes."""

from tests.conformance.official.lab import (
    Lab,
    Tester,
    case,
    described,
    error,
    signed,
    u16,
    value_of,
)


def descriptor_value(owner: str, name: str) -> bytes:
    """What the file says of a descriptor."""
    return value_of(next(one for one in described(owner)["descriptors"] if one["id"] == name))


@case("GATT/SR/GAR/BV-01-C")
async def read(lab: Lab) -> None:
    tester = await lab.tester()
    for name in ("plain", "read_only", "four", "vendor_value"):
        assert await tester.read(tester.at(name)) == value_of(described(name))


@case("GATT/SR/GAR/BV-03-C")
async def read_by_uuid(lab: Lab) -> None:
    tester = await lab.tester()
    handles = [one.handle for one in tester.found if one.uuid == b"\x11\xff"]
    response = await tester.ask(b"\x08\x01\x00\xff\xff\x11\xff")
    assert response == b"\x09\x06" + u16(handles[0]) + b"twin" + u16(handles[1]) + b"niwt"
    vendor = tester.characteristic("vendor_value")
    response = await tester.ask(b"\x08\x01\x00\xff\xff" + vendor.uuid)
    assert response == b"\x09\x08" + u16(vendor.handle) + b"vendor"


@case("GATT/SR/GAR/BV-04-C")
async def read_long(lab: Lab) -> None:
    tester = await lab.tester()
    assert await tester.read_long(tester.at("long")) == value_of(described("long"))
    assert (await tester.read(tester.at("long"))) == value_of(described("long"))[:22]


@case("GATT/SR/GAR/BV-05-C")
async def read_multiple(lab: Lab) -> None:
    tester = await lab.tester()
    handles = u16(tester.at("four")) + u16(tester.at("plain")) + u16(tester.at("read_only"))
    assert await tester.ask(b"\x0e" + handles) == b"\x0f\x00\x01\x02\x03plainfixed"


@case("GATT/SR/GAR/BV-06-C")
async def read_descriptor(lab: Lab) -> None:
    tester = await lab.tester()
    plain = tester.characteristic("plain")
    assert await tester.read(plain.descriptor(0x2904)) == descriptor_value("plain", "format")
    assert await tester.read(plain.descriptor(0x2900)) == b"\x02\x00"


@case("GATT/SR/GAR/BV-07-C")
async def read_long_descriptor(lab: Lab) -> None:
    tester = await lab.tester()
    words = tester.characteristic("plain").descriptor(0x2901)
    assert await tester.read_long(words) == descriptor_value("plain", "words")


@case("GATT/SR/GAR/BV-08-C")
async def blob_at_the_end(lab: Lab) -> None:
    tester = await lab.tester()
    words = tester.characteristic("plain").descriptor(0x2901)
    end = len(descriptor_value("plain", "words"))
    assert await tester.ask(b"\x0c" + u16(words) + u16(end)) == b"\x0d"


@case("GATT/SR/GAR/BV-09-C")
async def read_multiple_variable(lab: Lab) -> None:
    tester = await lab.tester()
    handles = u16(tester.at("plain")) + u16(tester.at("four"))
    response = await tester.ask(b"\x20" + handles)
    assert response == b"\x21" + u16(5) + b"plain" + u16(4) + b"\x00\x01\x02\x03"
    handles = u16(tester.at("plain")) + u16(tester.at("long"))
    response = await tester.ask(b"\x20" + handles)
    assert response == b"\x21" + u16(5) + b"plain" + u16(300) + value_of(described("long"))[:13]


@case("GATT/SR/GAW/BV-01-C")
async def write_without_response(lab: Lab) -> None:
    tester = await lab.tester()
    tester.send(b"\x52" + u16(tester.at("plain")) + b"changed")
    await tester.quiet()
    assert await tester.read(tester.at("plain")) == b"changed"


@case("GATT/SR/GAW/BV-03-C")
async def write(lab: Lab) -> None:
    tester = await lab.tester()
    await tester.write(tester.at("plain"), b"changed")
    assert await tester.read(tester.at("plain")) == b"changed"
    assert lab.device["plain"].value() == b"changed"


async def long_write(tester: Tester, handle: int, value: bytes) -> None:
    """Prepare a value in parts and execute."""
    for offset in range(0, len(value), 18):
        await tester.prepare(handle, offset, value[offset : offset + 18])
    assert await tester.ask(b"\x18\x01") == b"\x19"


@case("GATT/SR/GAW/BV-05-C")
async def write_long(lab: Lab) -> None:
    tester = await lab.tester()
    value = bytes(index & 0xFF for index in range(400))
    await long_write(tester, tester.at("long"), value)
    assert await tester.read_long(tester.at("long")) == value


@case("GATT/SR/GAW/BV-06-C")
async def reliable_write(lab: Lab) -> None:
    tester = await lab.tester()
    assert tester.characteristic("second_long").properties & 0x80
    extended = tester.characteristic("second_long").descriptor(0x2900)
    assert await tester.read(extended) == b"\x01\x00"
    before = value_of(described("second_long"))
    await tester.prepare(tester.at("second_long"), 0, b"reliable")
    assert await tester.read_long(tester.at("second_long")) == before
    assert await tester.ask(b"\x18\x01") == b"\x19"
    assert await tester.read(tester.at("second_long")) == b"reliable"


@case("GATT/SR/GAW/BV-07-C")
async def cancelled_write(lab: Lab) -> None:
    tester = await lab.tester()
    await tester.prepare(tester.at("second_long"), 0, b"cancelled")
    assert await tester.ask(b"\x18\x00") == b"\x19"
    assert await tester.ask(b"\x18\x01") == b"\x19"
    assert await tester.read_long(tester.at("second_long")) == b"b" * 60
    # A link that ends cancels too, also that of a client with a bond.
    await tester.pair()
    await tester.prepare(tester.at("second_long"), 0, b"cancelled")
    await tester.disconnect()
    await tester.connect()
    assert await tester.ask(b"\x18\x01") == b"\x19"
    assert await tester.read_long(tester.at("second_long")) == b"b" * 60


@case("GATT/SR/GAW/BV-08-C")
async def write_descriptor(lab: Lab) -> None:
    tester = await lab.tester()
    words = tester.characteristic("plain").descriptor(0x2901)
    await tester.write(words, b"other words")
    assert await tester.read(words) == b"other words"


@case("GATT/SR/GAW/BV-09-C")
async def write_long_descriptor(lab: Lab) -> None:
    tester = await lab.tester()
    words = tester.characteristic("plain").descriptor(0x2901)
    await long_write(tester, words, b"w" * 90)
    assert await tester.read_long(words) == b"w" * 90


@case("GATT/SR/GAW/BV-10-C")
async def interleaved_long_writes(lab: Lab) -> None:
    tester = await lab.tester()
    first, second = tester.at("long"), tester.at("second_long")
    for offset in range(0, 54, 18):
        await tester.prepare(first, offset, b"F" * 18)
        await tester.prepare(second, offset, b"S" * 18)
    assert await tester.ask(b"\x18\x01") == b"\x19"
    assert await tester.read_long(first) == b"F" * 54
    assert await tester.read_long(second) == b"S" * 54


@case("GATT/SR/GAW/BV-11-C")
async def execute_an_empty_queue(lab: Lab) -> None:
    tester = await lab.tester()
    assert await tester.ask(b"\x18\x01") == b"\x19"
    for name in ("plain", "four"):
        assert await tester.read(tester.at(name)) == value_of(described(name))


@case("GATT/SR/GAW/BI-41-C")
async def execute_after_the_attribute_vanished(lab: Lab) -> None:
    for number, features in ((1, b"\x00"), (2, b"\x01")):
        tester = await lab.tester(number)
        handle = tester.at("passing")
        if features != b"\x00":
            await tester.write(tester.at(0x2B29), features)
        await tester.prepare(handle, 0, b"late")
        lab.device.remove_service("changing")
        execute = b"\x18\x01"
        response = await tester.ask(execute)
        assert response[:2] + response[4:] == b"\x01\x18\x12"
        assert await tester.ask(execute) == b"\x19"
        lab.device.add_service("changing")
        assert lab.device["passing"].value() == b"passing"


@case("GATT/SR/GPA/BV-11-C")
async def aggregate_format(lab: Lab) -> None:
    tester = await lab.tester()
    pair = tester.characteristic("pair")
    handles = u16(pair.descriptor(0x2904, 0)) + u16(pair.descriptor(0x2904, 1))
    assert await tester.read(pair.descriptor(0x2905)) == handles


@case("GATT/SR/GPA/BV-12-C")
async def presentation_format(lab: Lab) -> None:
    tester = await lab.tester()
    pair = tester.characteristic("pair")
    for nth, name in enumerate(("first", "second")):
        value = await tester.read(pair.descriptor(0x2904, nth))
        assert len(value) == 7
        assert value == descriptor_value("pair", name)
    request = b"\x12" + u16(pair.descriptor(0x2904)) + bytes(7)
    assert await tester.ask(request) == error(request, pair.descriptor(0x2904), 0x03)


# Signed writes: on a link that is not encrypted, by a client that has bonded


async def signing(lab: Lab) -> Tester:
    """A tester whose CSRK the device knows, on a plain link."""
    tester = await lab.tester(pair=True)
    await tester.disconnect()
    await tester.connect()
    return tester


@case("GATT/SR/GAW/BV-02-C")
async def signed_write(lab: Lab) -> None:
    tester = await signing(lab)
    handle = tester.at("plain")
    for counter, value in ((0, b"once"), (1, b"twice"), (7, b"again")):
        tester.send(signed(handle, value, counter))
        await tester.quiet()
        assert await tester.read(handle) == value
    tester.send(signed(handle, b"replay", 7))
    await tester.disconnect()
    await tester.connect()
    tester.send(signed(handle, b"replay", 7))
    await tester.quiet()
    assert await tester.read(handle) == b"again"


@case("GATT/SR/GAW/BI-01-C")
async def forged_signature(lab: Lab) -> None:
    tester = await signing(lab)
    handle = tester.at("plain")
    right = signed(handle, b"forged", 0)
    tester.send(signed(handle, b"forged", 0, key=bytes(16)))
    tester.send(right[:-1] + bytes((right[-1] ^ 1,)))
    tester.send(signed(tester.at("four"), b"1234", 0))  # genuine, but not to be signed
    await tester.quiet()
    assert await tester.read(handle) == b"plain"
    assert await tester.read(tester.at("four")) == b"\x00\x01\x02\x03"
    stranger = await lab.tester(2)
    stranger.send(right)
    await stranger.quiet()
    assert await stranger.read(handle) == b"plain"


@case("GATT/SR/GAW/BI-40-C")
async def signed_write_too_long(lab: Lab) -> None:
    tester = await signing(lab)
    await tester.ask(b"\x02" + u16(100))
    tester.send(signed(tester.at("plain"), b"x" * 21, 0))
    await tester.quiet()
    assert await tester.read(tester.at("plain")) == b"plain"
