"""The cases over enhanced bearers (EATT), on an encrypted link."""

from tests.conformance.official.configuring import expect_sent
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
from tests.support.raw_central import EnhancedBearer

SERVER_FEATURES = 0x2B3A
CLIENT_FEATURES = 0x2B29


async def enhanced(lab: Lab, count: int) -> tuple[Tester, list[EnhancedBearer]]:
    """A tester that has paired, and so many enhanced bearers of it."""
    tester = await lab.tester(pair=True)
    assert await tester.read(tester.at(SERVER_FEATURES)) == b"\x01"
    await tester.write(tester.at(CLIENT_FEATURES), b"\x02")
    return tester, await tester.open_enhanced(count)


@case("GATT/SR/GAC/BI-01-C")
async def mtu_exchange(lab: Lab) -> None:
    tester, (bearer,) = await enhanced(lab, 1)
    request = b"\x02" + u16(100)
    assert await bearer.request(request) == error(request, 0, 0x06)
    # ATT_MTU is that of the channel, and goes on being so.
    long = b"\x0a" + u16(tester.at("long"))
    assert await bearer.request(long) == b"\x0b" + value_of(described("long"))[:63]


async def variable(tester: Tester, names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """A Read Multiple Variable Request, and the response it is to have."""
    request, response = b"\x20", b"\x21"
    for name in names:
        value = value_of(described(name))
        request += u16(tester.at(name))
        response += u16(len(value)) + value
    return request, response


@case("GATT/SR/GAR/BV-11-C")
async def read_multiple_variable_on_both_kinds(lab: Lab) -> None:
    tester, (bearer,) = await enhanced(lab, 1)
    first = await variable(tester, ("plain", "four"))
    second = await variable(tester, ("four", "read_only"))
    # Both are on their way at the same time: one request a bearer.
    tester.send(first[0])
    bearer.send(second[0])
    assert await bearer.next() == second[1]
    assert await tester.response() == first[1]
    assert await bearer.request(first[0]) == first[1]
    assert await tester.ask(second[0]) == second[1]


@case("GATT/SR/GAR/BV-12-C")
async def read_multiple_variable_on_several(lab: Lab) -> None:
    tester, bearers = await enhanced(lab, 3)
    names = (("plain", "four"), ("four", "read_only"), ("read_only", "plain", "four"))
    asked = [await variable(tester, one) for one in names]
    for bearer, (request, _) in zip(bearers, asked, strict=True):
        bearer.send(request)
    for bearer, (_, response) in zip(bearers, asked, strict=True):
        assert await bearer.next() == response
        assert bearer.received.empty()


async def prepare(bearer: EnhancedBearer, handle: int, offset: int, part: bytes) -> None:
    """Prepare a write on that bearer; it is echoed."""
    request = b"\x16" + u16(handle) + u16(offset) + part
    assert await bearer.request(request) == b"\x17" + request[1:]


VALUE = bytes(range(90))


async def spread(handle: int, bearers: list[EnhancedBearer]) -> None:
    """Prepare VALUE, a part on each bearer in turn."""
    for number, offset in enumerate(range(0, len(VALUE), 30)):
        bearer = bearers[number % len(bearers)]
        await prepare(bearer, handle, offset, VALUE[offset : offset + 30])


@case("GATT/SR/GAW/BV-12-C")
async def prepared_on_several(lab: Lab) -> None:
    tester, bearers = await enhanced(lab, 3)
    handle = tester.at("second_long")
    await spread(handle, bearers)
    assert await tester.read_long(handle) == value_of(described("second_long"))
    assert await bearers[1].request(b"\x18\x01") == b"\x19"
    assert await tester.read_long(handle) == VALUE
    # That was the whole queue, of all of them; another client's is its own.
    other = await lab.tester(2)
    await other.prepare(other.at("plain"), 0, b"other")
    for bearer in bearers:
        assert await bearer.request(b"\x18\x01") == b"\x19"
    assert await tester.read_long(handle) == VALUE
    assert await tester.read(tester.at("plain")) == b"plain"


@case("GATT/SR/GAW/BV-13-C")
async def prepared_on_several_and_cancelled(lab: Lab) -> None:
    tester, bearers = await enhanced(lab, 2)
    handle = tester.at("second_long")
    await spread(handle, bearers)
    assert await bearers[1].request(b"\x18\x00") == b"\x19"
    for bearer in bearers:
        assert await bearer.request(b"\x18\x01") == b"\x19"
    assert await tester.read_long(handle) == value_of(described("second_long"))


@case("GATT/SR/GAW/BV-14-C")
async def prepared_on_several_of_which_one_closes(lab: Lab) -> None:
    tester, bearers = await enhanced(lab, 3)
    handle = tester.at("second_long")
    await spread(handle, bearers)
    await bearers[0].close()
    assert await bearers[2].request(b"\x18\x01") == b"\x19"
    assert await tester.read_long(handle) == VALUE


@case("GATT/SR/GAW/BI-38-C")
async def signed_write(lab: Lab) -> None:
    tester, (bearer,) = await enhanced(lab, 1)
    handle = tester.at("plain")
    bearer.send(signed(handle, b"signed", 0))
    assert await bearer.next(within=2) is None
    assert await tester.read(handle) == b"plain"
    # The bearer is none the worse, and the same PDU is good on an unenhanced one.
    assert await bearer.request(b"\x0a" + u16(handle)) == b"\x0bplain"
    await tester.disconnect()
    await tester.connect()
    tester.send(signed(handle, b"signed", 0))
    await tester.quiet()
    assert await tester.read(handle) == b"signed"


@case("GATT/SR/GPM/BV-05-C")
async def one_configuration_for_both(lab: Lab) -> None:
    tester, (bearer,) = await enhanced(lab, 1)
    cccd = tester.cccd("notifies")
    assert await bearer.request(b"\x12" + u16(cccd) + b"\x01\x00") == b"\x13"
    assert await tester.read(cccd) == b"\x01\x00"
    await expect_sent(lab, tester, 0x1B, "notifies", b"told")
    assert bearer.received.empty()  # told once, not once a bearer
    await tester.write(cccd, b"\x00\x00")
    assert await bearer.request(b"\x0a" + u16(cccd)) == b"\x0b\x00\x00"
    other = await lab.tester(2)
    await other.write(other.cccd("notifies"), b"\x01\x00")
    assert await bearer.request(b"\x0a" + u16(cccd)) == b"\x0b\x00\x00"
