"""Operations that are refused, and the code they are refused with: GAR and GAW, BI cases."""

import asyncio
from collections.abc import Callable

from bletest.peripheral.characteristic import Trigger
from tests.conformance.official.lab import (
    Case,
    Lab,
    Tester,
    case,
    described,
    error,
    u16,
    value_of,
)

NO_SUCH = 0x0FFF

Build = Callable[[Tester, int], bytes]


def at_handle(opcode: int, rest: bytes = b"") -> Build:
    """A request at one handle."""
    return lambda tester, handle: bytes((opcode,)) + u16(handle) + rest


def after_plain(opcode: int) -> Build:
    """A request at two handles, the first of them harmless."""
    return lambda tester, handle: bytes((opcode,)) + u16(tester.at("plain")) + u16(handle)


def by_uuid(tester: Tester, handle: int) -> bytes:
    """Read By Type of the UUID that is found at the handle."""
    (uuid,) = [one.uuid for one in tester.found if one.handle == handle]
    return b"\x08\x01\x00\xff\xff" + uuid


async def values(lab: Lab, name: str) -> bytes:
    """What the device itself has now."""
    return lab.device[name].value()


def refused(build: Build, name: str, code: int) -> Case:
    """One attribute, one request, one code; and nothing has changed."""

    async def run(lab: Lab) -> None:
        tester = await lab.tester()
        handle = tester.at(name)
        request = build(tester, handle)
        assert await tester.ask(request) == error(request, handle, code)
        await unharmed(lab, tester, name)

    return run


async def unharmed(lab: Lab, tester: Tester, name: str) -> None:
    """The value is as it was, also after an Execute Write, and the server goes on answering."""
    assert await tester.ask(b"\x18\x01") == b"\x19"
    assert await values(lab, name) == value_of(described(name))
    assert await tester.read(tester.at("plain")) == b"plain"


def without_authentication(build: Build) -> Case:
    """0x05 to who has not paired, and to who has paired without a person's part in it."""

    async def run(lab: Lab) -> None:
        tester = await lab.tester()
        for name in ("encrypted", "authenticated"):
            request = build(tester, tester.at(name))
            assert await tester.ask(request) == error(request, tester.at(name), 0x05)
            await unharmed(lab, tester, name)
        await tester.pair()
        request = build(tester, tester.at("authenticated"))
        assert await tester.ask(request) == error(request, tester.at("authenticated"), 0x05)
        await unharmed(lab, tester, "authenticated")
        request = build(tester, tester.at("encrypted"))
        assert (await tester.ask(request))[0] == request[0] + 1

    return run


def with_a_short_key(build: Build) -> Case:
    """0x0C on a key of 7 octets where 16 are asked for; with 16 it is answered."""

    async def run(lab: Lab) -> None:
        short = await lab.tester(1, key_size=7, pair=True)
        handle = short.at("key16")
        request = build(short, handle)
        assert await short.ask(request) == error(request, handle, 0x0C)
        await unharmed(lab, short, "key16")
        assert (await short.ask(build(short, short.at("encrypted"))))[0] == request[0] + 1
        # The key is as short when it comes out of the bond.
        await short.disconnect()
        await short.connect()
        await short.encrypt()
        assert await short.ask(request) == error(request, handle, 0x0C)
        whole = await lab.tester(2, key_size=16, pair=True)
        assert (await whole.ask(request))[0] == request[0] + 1

    return run


def no_such_handle(build: Build) -> Case:
    """0x01 for a handle that is not there, in the gap behind the table and at 0x0000."""

    async def run(lab: Lab) -> None:
        tester = await lab.tester()
        for handle in (NO_SUCH, 0xFFFF, 0x0000):
            request = build(tester, handle)
            assert await tester.ask(request) == error(request, handle, 0x01)
        await unharmed(lab, tester, "plain")

    return run


for group, build, (unreadable, no_handle, authorization, authentication, key_size) in (
    ("GAR", at_handle(0x0A), (1, 2, 3, 4, 5)),
    ("GAR", by_uuid, (6, 0, 9, 10, 11)),
    ("GAR", at_handle(0x0C, u16(1)), (12, 14, 15, 16, 17)),
    ("GAR", after_plain(0x0E), (18, 19, 20, 21, 22)),
    ("GAR", after_plain(0x20), (36, 38, 40, 42, 44)),
    ("GAW", at_handle(0x12, b"new"), (3, 2, 4, 5, 6)),
    ("GAW", at_handle(0x16, b"\x00\x00new"), (8, 7, 11, 12, 13)),
):
    reads = group == "GAR"
    never = ("write_only", 0x02) if reads else ("read_only", 0x03)
    for number, run in (
        (unreadable, refused(build, *never)),
        (no_handle, no_such_handle(build)),
        (authorization, refused(build, "authorized", 0x08)),
        (authentication, without_authentication(build)),
        (key_size, with_a_short_key(build)),
    ):
        if number:
            case(f"GATT/SR/{group}/BI-{number:02d}-C")(run)


@case("GATT/SR/GAR/BI-07-C")
async def by_uuid_without_match(lab: Lab) -> None:
    tester = await lab.tester()
    for uuid in (b"\x99\xfe", bytes(range(16))):
        request = b"\x08\x01\x00\xff\xff" + uuid
        assert await tester.ask(request) == error(request, 1, 0x0A)
    handle = tester.at("plain")
    beyond = b"\x08" + u16(handle + 1) + b"\xff\xff\x01\xff"
    assert await tester.ask(beyond) == error(beyond, handle + 1, 0x0A)


@case("GATT/SR/GAR/BI-08-C")
async def by_uuid_in_an_invalid_range(lab: Lab) -> None:
    tester = await lab.tester()
    for start, end in ((5, 4), (0, 0xFFFF), (0, 0), (0xFFFF, 1)):
        request = b"\x08" + u16(start) + u16(end) + b"\x01\xff"
        assert await tester.ask(request) == error(request, start, 0x01)


@case("GATT/SR/GAR/BI-13-C")
async def blob_past_the_end(lab: Lab) -> None:
    tester = await lab.tester()
    for name in ("long", "plain"):
        handle = tester.at(name)
        size = len(value_of(described(name)))
        for offset in (size + 1, 0xFFFF):
            request = b"\x0c" + u16(handle) + u16(offset)
            assert await tester.ask(request) == error(request, handle, 0x07)


@case("GATT/SR/GAR/BI-45-C")
async def second_read_before_the_first_response(lab: Lab) -> None:
    tester = await lab.tester()
    request = b"\x0a" + u16(tester.at("plain"))
    tester.send(request)
    tester.send(b"\x0a" + u16(tester.at("read_only")))
    answers = [await tester.response(within=1), await tester.response(within=1)]
    assert answers[0] == b"\x0bplain"
    assert answers[1] in (None, b"\x0bfixed")
    assert await tester.read(tester.at("plain")) == b"plain"

    # The same where the first answer takes its time.
    async def slow(_: object) -> bytes:
        await asyncio.sleep(2)
        return b"slow"

    lab.device["plain"].callback(Trigger.READ, slow)
    tester.send(request)
    tester.send(b"\x0a" + u16(tester.at("read_only")))
    assert await tester.response() == b"\x0bslow"
    assert await tester.response(within=3) in (None, b"\x0bfixed")
    assert await tester.read(tester.at("plain")) == b"slow"


@case("GATT/SR/GAW/BI-09-C")
async def long_write_at_an_invalid_offset(lab: Lab) -> None:
    tester = await lab.tester()
    handle = tester.at("second_long")
    await tester.prepare(handle, 61, b"beyond")
    execute = b"\x18\x01"
    assert await tester.ask(execute) == error(execute, handle, 0x07)
    await unharmed(lab, tester, "second_long")


@case("GATT/SR/GAW/BI-32-C")
async def write_too_long(lab: Lab) -> None:
    tester = await lab.tester()
    for name, value in (("plain", b"x" * 20 + b"!"), ("four", b"12345")):
        value = value[:20] if name == "plain" else value
        limit = 20 if name == "plain" else 4
        if len(value) <= limit:  # one octet more than the PDU of 23 holds: by a larger MTU
            await tester.ask(b"\x02" + u16(100))
            value = b"x" * 21
        request = b"\x12" + u16(tester.at(name)) + value
        assert await tester.ask(request) == error(request, tester.at(name), 0x0D)
        await unharmed(lab, tester, name)


@case("GATT/SR/GAW/BI-33-C")
async def long_write_too_long(lab: Lab) -> None:
    tester = await lab.tester()
    handle = tester.at("second_long")
    for offset in range(0, 108, 18):
        await tester.prepare(handle, offset, b"y" * 18)
    execute = b"\x18\x01"
    assert await tester.ask(execute) == error(execute, handle, 0x0D)
    await unharmed(lab, tester, "second_long")


@case("GATT/SR/GAW/BI-39-C")
async def command_too_long(lab: Lab) -> None:
    tester = await lab.tester()
    await tester.ask(b"\x02" + u16(100))
    tester.send(b"\x52" + u16(tester.at("plain")) + b"x" * 21)
    await tester.quiet()
    await unharmed(lab, tester, "plain")
