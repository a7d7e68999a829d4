"""Writes that are prepared, spread over clients, refused or too long."""

from tests.conformance.official.lab import Lab, described, error, u16, value_of
from tests.conformance.robustness.att_pdus import serves
from tests.conformance.robustness.registry import case

EXECUTE, CANCEL = b"\x18\x01", b"\x18\x00"


@case("att_prepare_queue_overflow")
async def prepare_queue_overflow(lab: Lab) -> None:
    tester = await lab.tester()
    handle = tester.at("plain")
    request = b"\x16" + u16(handle) + b"\x00\x00" + b"queued"

    async def fill() -> None:
        for _ in range(4096):
            response = await tester.ask(request)
            if response[0] == 0x01:
                assert response == error(request, handle, 0x09)
                return
            assert response == b"\x17" + request[1:]
        raise AssertionError("a queue without end")

    await fill()
    assert await tester.read(handle) == b"plain"
    assert await tester.ask(CANCEL) == b"\x19"
    assert await tester.ask(EXECUTE) == b"\x19"
    assert await tester.read(handle) == b"plain"
    await fill()
    assert await tester.ask(EXECUTE) == b"\x19"
    assert await tester.read(handle) == b"queued"
    await serves(tester)


@case("att_prepare_then_disconnect")
async def prepare_then_disconnect(lab: Lab) -> None:
    tester = await lab.tester()
    handle = tester.at("plain")
    await tester.prepare(handle, 0, b"never")
    await tester.disconnect()
    await tester.connect()
    assert await tester.ask(EXECUTE) == b"\x19"
    assert await tester.read(handle) == b"plain"


@case("att_prepare_two_clients")
async def prepare_two_clients(lab: Lab) -> None:
    one, two = await lab.tester(1), await lab.tester(2)
    handle = one.at("plain")
    await one.prepare(handle, 0, b"of one")
    assert await two.ask(EXECUTE) == b"\x19"
    assert await two.read(handle) == b"plain"
    assert await two.ask(CANCEL) == b"\x19"
    assert await one.ask(EXECUTE) == b"\x19"
    assert await one.read(handle) == b"of one"


@case("att_prepare_permission")
async def prepare_permission(lab: Lab) -> None:
    tester = await lab.tester(1, key_size=7)

    async def refused(name: str, *codes: int) -> None:
        handle = tester.at(name)
        request = b"\x16" + u16(handle) + b"\x00\x00" + b"never"
        assert await tester.ask(request) in [error(request, handle, one) for one in codes]

    await refused("read_only", 0x03)
    await refused("authorized", 0x08, 0x05)
    await refused("encrypted", 0x05, 0x0F)
    await refused("authenticated", 0x05, 0x0F)
    await tester.pair()
    await refused("authenticated", 0x05)
    await refused("key16", 0x0C)
    assert await tester.ask(EXECUTE) == b"\x19"
    assert await tester.read(tester.at("encrypted")) == b"hidden"
    await serves(tester)


@case("att_execute_bad_offset")
async def execute_bad_offset(lab: Lab) -> None:
    tester = await lab.tester()
    handle = tester.at("plain")
    for offset in (6, 19, 0xFFFF):
        await tester.prepare(handle, offset, b"x")
        assert await tester.ask(EXECUTE) == error(EXECUTE, handle, 0x07)
        assert await tester.read(handle) == b"plain"
    # The end of the value is an offset like any other within it.
    await tester.prepare(handle, 5, b"er")
    assert await tester.ask(EXECUTE) == b"\x19"
    assert await tester.read(handle) == b"plainer"


@case("att_execute_too_long")
async def execute_too_long(lab: Lab) -> None:
    tester = await lab.tester()
    for name, parts in (
        ("plain", ((0, b"0123456789"), (10, b"0123456789"), (20, b"!"))),
        ("four", ((0, b"12345"),)),
        ("second_long", tuple((18 * one, b"y" * 18) for one in range(6))),
    ):
        handle = tester.at(name)
        for offset, part in parts:
            await tester.prepare(handle, offset, part)
        assert await tester.ask(EXECUTE) == error(EXECUTE, handle, 0x0D)
        assert await tester.read_long(handle) == value_of(described(name))
    await serves(tester)


@case("att_execute_rfu_flags")
async def execute_rfu_flags(lab: Lab) -> None:
    tester = await lab.tester()
    handle = tester.at("plain")
    for flags in (*range(0x02, 0x10), 0x7F, 0x80, 0x81, 0xFF):
        await tester.prepare(handle, 0, b"never")
        request = bytes((0x18, flags))
        assert await tester.ask(request) in (error(request, 0, 0x04), b"\x19")
        assert await tester.read(handle) == b"plain"
        assert await tester.ask(CANCEL) == b"\x19"
    await serves(tester)


@case("att_write_too_long")
async def write_too_long(lab: Lab) -> None:
    tester = await lab.tester()
    await tester.ask(b"\x02" + u16(200))
    for name, least in (("plain", 21), ("four", 5)):
        handle = tester.at(name)
        for size in (least, least + 1, 150):
            request = b"\x12" + u16(handle) + b"x" * size
            assert await tester.ask(request) == error(request, handle, 0x0D)
    tester.send(b"\x52" + u16(tester.at("plain")) + b"x" * 21)
    await tester.quiet()
    for name in ("plain", "four"):
        assert await tester.read(tester.at(name)) == value_of(described(name))
