"""What clients configure, and are or are not told: CCCDs, indications, signatures, caching."""

import asyncio

from tests.conformance.official.lab import Lab, Tester, error, signed, u16
from tests.conformance.robustness.att_pdus import serves
from tests.conformance.robustness.registry import case

CLIENT_FEATURES = 0x2B29


async def write(tester: Tester, handle: int, value: bytes) -> bytes:
    """Write, whatever the response is."""
    return await tester.ask(b"\x12" + u16(handle) + value)


async def no_indication(tester: Tester) -> None:
    """Nothing is sent that was not asked for."""
    assert await tester.notification(within=2) is None


@case("att_indication_unconfirmed")
async def indication_unconfirmed(lab: Lab) -> None:
    tester = await lab.tester()
    await tester.write(tester.cccd("indicates"), b"\x02\x00")
    lab.tell("indicates", b"first")
    assert await tester.notification() == b"\x1d" + u16(tester.at("indicates")) + b"first"
    lab.tell("indicates", b"second")
    assert await tester.notification(within=29) is None
    await asyncio.sleep(2)
    # 30 s have passed: on this bearer nothing more is exchanged, on the next one all is well.
    tester.send(b"\x1e")
    lab.tell("indicates", b"third")
    await no_indication(tester)
    await tester.disconnect()
    await tester.connect()
    await serves(tester)


@case("cccd_reserved_bits")
async def cccd_reserved_bits(lab: Lab) -> None:
    tester = await lab.tester()
    for name in ("notifies", "indicates"):
        handle = tester.cccd(name)
        for bits in (0x0004, 0x0008, 0x8000, 0x00F0, 0xFFFC):
            response = await write(tester, handle, u16(bits))
            assert response in (b"\x13", error(b"\x12", handle, 0x13)), response.hex()
            assert await tester.read(handle) == b"\x00\x00"
        lab.tell(name, b"nobody")
        await no_indication(tester)
    await serves(tester)


@case("cccd_wrong_property")
async def cccd_wrong_property(lab: Lab) -> None:
    tester = await lab.tester()
    for name, bits, unheard in (("notifies", 2, 0x1D), ("indicates", 1, 0x1B)):
        handle = tester.cccd(name)
        for value in (bits, 3):
            await write(tester, handle, u16(value))
            kept = (await tester.read(handle))[0]
            assert not kept & bits, "a bit without the property is not kept"
            lab.tell(name, b"value")
            pdu = await tester.notification(within=2)
            assert pdu is None or pdu[0] != unheard
            if pdu is not None and pdu[0] == 0x1D:
                tester.send(b"\x1e")
    await serves(tester)


@case("cccd_wrong_length")
async def cccd_wrong_length(lab: Lab) -> None:
    tester = await lab.tester()
    handle = tester.cccd("notifies")
    for value in (b"", b"\x01", b"\x01\x00\x00", b"\x01\x00\x00\x00"):
        request = b"\x12" + u16(handle) + value
        assert await tester.ask(request) == error(request, handle, 0x0D)
        assert await tester.read(handle) == b"\x00\x00"
    lab.tell("notifies", b"nobody")
    await no_indication(tester)


@case("cccd_isolation_persistence")
async def cccd_isolation_persistence(lab: Lab) -> None:
    bonded, other = await lab.tester(1, pair=True), await lab.tester(2)
    handle = bonded.cccd("notifies")
    await bonded.write(handle, b"\x01\x00")
    assert await other.read(handle) == b"\x00\x00"
    lab.tell("notifies", b"told")
    assert await bonded.notification() == b"\x1b" + u16(bonded.at("notifies")) + b"told"
    await no_indication(other)
    await other.write(handle, b"\x01\x00")
    await bonded.disconnect()
    await other.disconnect()
    await other.connect()
    assert await other.read(handle) == b"\x00\x00", "without a bond nothing is kept"
    await bonded.connect()
    await bonded.encrypt()
    assert await bonded.read(handle) == b"\x01\x00"
    lab.tell("notifies", b"again")
    assert await bonded.notification() == b"\x1b" + u16(bonded.at("notifies")) + b"again"
    await no_indication(other)


@case("signed_write_forgery")
async def signed_write_forgery(lab: Lab) -> None:
    tester = await lab.tester(pair=True)
    await tester.disconnect()
    await tester.connect()
    handle = tester.at("plain")
    genuine = signed(handle, b"signed", 7)
    for forged in (
        signed(handle, b"forged", 0, key=bytes(16)),
        genuine[:-1] + bytes((genuine[-1] ^ 1,)),
        genuine[:3] + b"S" + genuine[4:],
    ):
        tester.send(forged)
    await tester.quiet()
    assert await tester.read(handle) == b"plain"
    tester.send(genuine)
    await tester.quiet()
    # Whether signed writes are taken or not: none is taken twice, nor one that came before it.
    await tester.write(handle, b"later")
    for repeated in (genuine, signed(handle, b"older", 3)):
        tester.send(repeated)
    await tester.quiet()
    assert await tester.read(handle) == b"later"
    await serves(tester)


@case("robust_caching")
async def robust_caching(lab: Lab) -> None:
    tester = await lab.tester()
    await tester.write(tester.at(CLIENT_FEATURES), b"\x01")
    handle = tester.at("plain")
    lab.change()
    tester.send(b"\x52" + u16(handle) + b"dropped")
    await asyncio.sleep(0.5)
    request = b"\x0a" + u16(handle)
    response = await tester.ask(request)
    assert response[:2] + response[4:] == b"\x01\x0a\x12", response.hex()
    assert await tester.ask(request) == b"\x0bplain"
    assert await tester.ask(request) == b"\x0bplain"


@case("protected_read_unencrypted")
async def protected_read_unencrypted(lab: Lab) -> None:
    tester = await lab.tester(pair=True)
    request = b"\x0a" + u16(tester.at("encrypted"))
    assert await tester.ask(request) == b"\x0bhidden"
    await tester.disconnect()
    await tester.connect()
    refusals = [error(request, tester.at("encrypted"), one) for one in (0x05, 0x0F)]
    assert await tester.ask(request) in refusals
    assert await tester.ask(request) in refusals
    await tester.encrypt()
    assert await tester.ask(request) == b"\x0bhidden"
