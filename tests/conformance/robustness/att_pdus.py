"""ATT PDUs that are unknown, malformed, unasked for, too many or out of range."""

import asyncio

from tests.conformance.official.lab import Lab, Tester, described, error, u16, value_of
from tests.conformance.robustness.registry import case

REQUESTS = {0x02: 3, 0x04: 5, 0x06: 7, 0x08: 7, 0x0A: 3, 0x0C: 5, 0x0E: 5, 0x10: 7, 0x12: 3}
REQUESTS |= {0x16: 5, 0x18: 2, 0x20: 5}
"""Requests that there are, with the least octets of each."""

RESPONSES = (0x01, 0x03, 0x05, 0x07, 0x09, 0x0B, 0x0D, 0x0F, 0x11, 0x13, 0x17, 0x19, 0x21)
LONG = value_of(described("long"))


async def serves(tester: Tester) -> None:
    """The same link serves on."""
    assert tester.is_connected
    assert await tester.read(tester.at("read_only")) == b"fixed"


async def att_mtu(tester: Tester) -> int:
    """ATT_MTU as a long value shows it."""
    response = await tester.ask(b"\x0a" + u16(tester.at("long")))
    assert response == b"\x0b" + LONG[: len(response) - 1]
    return len(response)


@case("att_unsupported_request")
async def unsupported_request(lab: Lab) -> None:
    tester = await lab.tester()
    unknown = [one for one in range(0x14, 0x40, 2) if one not in REQUESTS and one != 0x1E]
    for opcode in unknown:
        for rest in (b"", b"\x01\x00", bytes(20)):
            request = bytes((opcode,)) + rest
            assert await tester.ask(request) == error(request, 0, 0x06)
    await serves(tester)


@case("att_unsupported_command")
async def unsupported_command(lab: Lab) -> None:
    tester = await lab.tester()
    handle = u16(tester.at("plain"))
    for opcode in (*range(0x40, 0x80), *range(0xC0, 0x100)):
        if opcode not in (0x52, 0xD2):
            tester.send(bytes((opcode,)) + handle + b"never")
    await tester.quiet()
    assert await tester.read(tester.at("plain")) == b"plain"
    await serves(tester)


@case("att_short_pdu")
async def short_pdu(lab: Lab) -> None:
    tester = await lab.tester()
    whole = b"\x01\x00\xff\xff\x00\x28"
    for opcode, least in REQUESTS.items():
        for size in range(1, least):
            request = (bytes((opcode,)) + whole)[:size]
            assert await tester.ask(request) == error(request, 0, 0x04), request.hex()
    # Of the commands there is nothing to say.
    for command in (b"\x52", b"\x52\x01", b"\xd2", b"\xd2" + bytes(13)):
        tester.send(command)
    await tester.quiet()
    await serves(tester)


@case("att_trailing_octets")
async def trailing_octets(lab: Lab) -> None:
    tester = await lab.tester()
    handle = u16(tester.at("plain"))
    for request in (
        b"\x0a" + handle,
        b"\x0c" + handle + b"\x00\x00",
        b"\x04\x01\x00\xff\xff",
        b"\x18\x00",
        b"\x02\x17\x00",
    ):
        for extra in (1, 2, 13):
            longer = request + b"\xee" * extra
            response = await tester.ask(longer)
            # A blob of a short value may be refused for that as well (3.4.4.5).
            not_long = response == error(b"\x0c", tester.at("plain"), 0x0B)
            tolerated = response[0] == request[0] + 1 or not_long
            assert tolerated or response == error(longer, 0, 0x04), longer.hex()
    assert await tester.read(tester.at("plain")) == b"plain"
    await serves(tester)


@case("att_empty_pdu")
async def empty_pdu(lab: Lab) -> None:
    tester = await lab.tester()
    for _ in range(3):
        tester.send(b"")
    await tester.quiet()
    await serves(tester)


@case("att_truncated_mtu")
async def truncated_mtu(lab: Lab) -> None:
    tester = await lab.tester()
    for request in (b"\x02", b"\x02\x64"):
        assert await tester.ask(request) == error(request, 0, 0x04)
    assert await att_mtu(tester) == 23
    # The exchange has not happened yet, and so it can.
    response = await tester.ask(b"\x02\x64\x00")
    assert response[0] == 0x03
    assert await att_mtu(tester) == 100


async def exchanged(lab: Lab, asked: int) -> tuple[int, int]:
    """Exchange on a link of its own; return the server's MTU and what ATT_MTU is then."""
    tester = await lab.tester()
    response = await tester.ask(b"\x02" + u16(asked))
    assert (response[0], len(response)) == (0x03, 3)
    result = response[1] | response[2] << 8, await att_mtu(tester)
    await lab.dismiss()
    return result


@case("att_mtu_too_small")
async def mtu_too_small(lab: Lab) -> None:
    for asked in (0, 1, 22):
        server, used = await exchanged(lab, asked)
        assert 23 <= server <= 517
        assert used == 23


@case("att_mtu_oversized")
async def mtu_oversized(lab: Lab) -> None:
    for asked in (518, 0x7FFF, 0xFFFF):
        server, used = await exchanged(lab, asked)
        assert 23 <= server <= 517
        assert used == min(server, len(LONG) + 1)


@case("att_mtu_twice")
async def mtu_twice(lab: Lab) -> None:
    tester = await lab.tester()
    assert (await tester.ask(b"\x02" + u16(50)))[0] == 0x03
    assert await att_mtu(tester) == 50
    for asked in (100, 23):
        assert (await tester.ask(b"\x02" + u16(asked)))[0] in (0x01, 0x03)
        assert await att_mtu(tester) == 50
    await serves(tester)


@case("att_pdu_longer_than_mtu")
async def pdu_longer_than_mtu(lab: Lab) -> None:
    tester = await lab.tester()
    handle = u16(tester.at("long"))
    for request in (
        b"\x12" + handle + b"w" * 97,
        b"\x12" + handle + b"w" * 61,
        b"\x16" + handle + b"\x00\x00" + b"p" * 95,
        b"\x0a" + handle + b"\xee" * 97,
        b"\x0e" + handle * 50,
    ):
        response = await tester.request(request, within=1)
        assert response is None or response == error(request, 0, 0x04), request.hex()
    tester.send(b"\x52" + u16(tester.at("plain")) + b"c" * 97)
    await tester.quiet()
    assert await tester.ask(b"\x18\x01") == b"\x19"
    assert await tester.read_long(tester.at("long")) == LONG
    assert await tester.read(tester.at("plain")) == b"plain"
    await serves(tester)


@case("att_sequential_violation")
async def sequential_violation(lab: Lab) -> None:
    tester = await lab.tester()
    plain, fixed = b"\x0a" + u16(tester.at("plain")), b"\x0a" + u16(tester.at("read_only"))
    for first, second, answers in (
        (plain, fixed, (b"\x0bplain", b"\x0bfixed")),
        (b"\x02" + u16(50), b"\x02" + u16(60), (None, None)),
    ):
        tester.send(first)
        tester.send(second)
        # Both answered in order, one of them, one refused, or the link is closed.
        for request, expected in zip((first, second), answers, strict=True):
            response = await tester.response(within=1)
            if response is not None:
                refused = response[:2] == bytes((0x01, request[0]))
                assert refused or response[0] == request[0] + 1
                assert refused or expected in (None, response)
        if not tester.is_connected:
            await tester.connect()
    await tester.disconnect()
    await tester.connect()
    await serves(tester)


@case("att_request_flood")
async def request_flood(lab: Lab) -> None:
    tester = await lab.tester()
    plain, other = u16(tester.at("plain")), u16(tester.at("read_only"))
    for _ in range(200):
        tester.send(b"\x0a" + other)
        tester.send(b"\x52" + plain + b"flood")
    await asyncio.sleep(1)
    answers = 0
    while (response := await tester.response(within=1)) is not None:
        assert response == b"\x0bfixed"
        answers += 1
    assert 1 <= answers <= 200
    assert await tester.read(tester.at("plain")) == b"flood"
    await serves(tester)


@case("att_unsolicited_confirmation")
async def unsolicited_confirmation(lab: Lab) -> None:
    tester = await lab.tester()
    for pdu in (b"\x1e", b"\x1e", b"\x1e\x00\x00"):
        tester.send(pdu)
    await tester.quiet()
    await tester.write(tester.cccd("indicates"), b"\x02\x00")
    tester.send(b"\x1e")
    lab.tell("indicates", b"one")
    indication = b"\x1d" + u16(tester.at("indicates"))
    assert await tester.notification() == indication + b"one"
    tester.send(b"\x1e")
    tester.send(b"\x1e")
    lab.tell("indicates", b"two")
    assert await tester.notification() == indication + b"two"
    tester.send(b"\x1e")
    await tester.quiet()
    await serves(tester)


@case("att_unsolicited_response")
async def unsolicited_response(lab: Lab) -> None:
    tester = await lab.tester()
    handle = u16(tester.at("plain"))
    for opcode in (*RESPONSES, 0x1B, 0x1D, 0x23):
        for rest in (b"", handle, handle + b"\x01\x00xyz"):
            tester.send(bytes((opcode,)) + rest)
    await asyncio.sleep(1)
    # A client that is sent an indication confirms it; nobody else says anything.
    while (response := await tester.response(within=1)) is not None:
        assert response == b"\x1e"
    assert tester.notifications.empty()
    assert await tester.read(tester.at("plain")) == b"plain"
    await serves(tester)


@case("att_handle_limits")
async def handle_limits(lab: Lab) -> None:
    tester = await lab.tester()
    for handle in (0x0000, 0xFFFF):
        at = u16(handle)
        for request in (
            b"\x0a" + at,
            b"\x0c" + at + b"\x00\x00",
            b"\x12" + at + b"x",
            b"\x16" + at + b"\x00\x00x",
            b"\x0e" + at + u16(tester.at("plain")),
        ):
            assert await tester.ask(request) == error(request, handle, 0x01), request.hex()
        tester.send(b"\x52" + at + b"x")
    for start, end in ((0, 0xFFFF), (0, 0), (2, 1), (0xFFFF, 1)):
        limits = u16(start) + u16(end)
        for request in (
            b"\x04" + limits,
            b"\x06" + limits + b"\x00\x28\x01\xff",
            b"\x08" + limits + b"\x03\x28",
            b"\x10" + limits + b"\x00\x28",
        ):
            assert await tester.ask(request) == error(request, start, 0x01), request.hex()
    await tester.quiet()
    await serves(tester)


@case("att_bad_group_type")
async def bad_group_type(lab: Lab) -> None:
    tester = await lab.tester()
    for uuid in (b"\x03\x28", b"\x02\x28", b"\x00\x2a", b"\x02\x29", bytes(range(16))):
        request = b"\x10\x01\x00\xff\xff" + uuid
        assert await tester.ask(request) == error(request, 1, 0x10)
    await serves(tester)


@case("att_blob_offset")
async def blob_offset(lab: Lab) -> None:
    tester = await lab.tester()
    for name in ("long", "second_long", "plain"):
        handle, value = tester.at(name), value_of(described(name))
        # Of a value that fits a Read Response a server may say so instead (3.4.4.5).
        not_long = [error(b"\x0c", handle, 0x0B)] if len(value) <= 22 else []
        for offset in (len(value) + 1, 0x0200, 0xFFFF):
            request = b"\x0c" + u16(handle) + u16(offset)
            assert await tester.ask(request) in [error(request, handle, 0x07), *not_long]
        end = await tester.ask(b"\x0c" + u16(handle) + u16(len(value)))
        assert end in [b"\x0d", *not_long]
    await serves(tester)


@case("att_read_multiple_bad")
async def read_multiple_bad(lab: Lab) -> None:
    tester = await lab.tester()
    one, two = u16(tester.at("plain")), u16(tester.at("four"))
    for opcode in (0x0E, 0x20):
        for handles in (b"", one[:1], one, one + two[:1], one + two + one[:1], one + one):
            request = bytes((opcode,)) + handles
            assert await tester.ask(request) == error(request, 0, 0x04), request.hex()
        assert (await tester.ask(bytes((opcode,)) + one + two))[0] == opcode + 1
    await serves(tester)


@case("att_uuid_length")
async def uuid_length(lab: Lab) -> None:
    tester = await lab.tester()
    for opcode in (0x08, 0x10):
        for size in (0, 1, 3, 4, 15, 17):
            request = bytes((opcode,)) + b"\x01\x00\xff\xff" + bytes(range(size))
            assert await tester.ask(request) == error(request, 0, 0x04), request.hex()
    await serves(tester)
