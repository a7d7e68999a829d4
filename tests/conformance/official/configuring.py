"""What a client configures, and what the server sends by itself: GAN, GAI, GAT, GAS/BV-01."""

import asyncio

from tests.conformance.official.lab import Lab, Tester, case, number_at, u16

SERVICE_CHANGED = 0x2A05


async def notification(tester: Tester) -> bytes:
    """The next PDU that the server sends by itself; there is one."""
    pdu = await tester.notification()
    assert pdu is not None
    return pdu


def sent(opcode: int, handle: int, value: bytes) -> bytes:
    """A Handle Value Notification (0x1B) or Indication (0x1D)."""
    return bytes((opcode,)) + u16(handle) + value


async def expect_sent(lab: Lab, tester: Tester, opcode: int, name: str, value: bytes) -> None:
    """Have the device change a value: this tester is told."""
    lab.device[name].value(value)
    assert await notification(tester) == sent(opcode, tester.at(name), value)
    if opcode == 0x1D:
        tester.send(b"\x1e")
    await tester.quiet()


async def not_kept(lab: Lab, opcode: int, name: str, bits: bytes) -> None:
    """A client without a bond configures, is told, comes back: its CCCD is 0x0000."""
    tester = await lab.tester()
    assert await tester.read(tester.cccd(name)) == b"\x00\x00"
    lab.device[name].value(b"nobody")
    await tester.quiet()
    await tester.write(tester.cccd(name), bits)
    await expect_sent(lab, tester, opcode, name, b"told")
    await tester.disconnect()
    await tester.connect()
    assert await tester.read(tester.cccd(name)) == b"\x00\x00"
    lab.device[name].value(b"nobody")
    await tester.quiet()


async def kept(lab: Lab, opcode: int, name: str, bits: bytes) -> None:
    """The same with a bond: its CCCD is what it wrote, and nobody else's is."""
    tester = await lab.tester(pair=True)
    await tester.write(tester.cccd(name), bits)
    await expect_sent(lab, tester, opcode, name, b"told")
    await tester.disconnect()
    await tester.connect()
    await tester.encrypt()
    assert await tester.read(tester.cccd(name)) == bits
    await expect_sent(lab, tester, opcode, name, b"told again")
    other = await lab.tester(2)
    assert await other.read(other.cccd(name)) == b"\x00\x00"
    await tester.write(tester.cccd(name), b"\x00\x00")
    lab.device[name].value(b"nobody")
    await tester.quiet()


@case("GATT/SR/GAN/BV-01-C")
async def notification_without_a_bond(lab: Lab) -> None:
    await not_kept(lab, 0x1B, "notifies", b"\x01\x00")


@case("GATT/SR/GAN/BV-03-C")
async def notification_with_a_bond(lab: Lab) -> None:
    await kept(lab, 0x1B, "notifies", b"\x01\x00")


@case("GATT/SR/GAI/BV-01-C")
async def indication_without_a_bond(lab: Lab) -> None:
    await not_kept(lab, 0x1D, "indicates", b"\x02\x00")


@case("GATT/SR/GAI/BV-02-C")
async def indication_with_a_bond(lab: Lab) -> None:
    await kept(lab, 0x1D, "indicates", b"\x02\x00")


@case("GATT/SR/GAN/BV-02-C")
async def multiple_notifications(lab: Lab) -> None:
    tester = await lab.tester()
    first, second = tester.at("notifies"), tester.at("notifies_too")
    for name in ("notifies", "notifies_too"):
        await tester.write(tester.cccd(name), b"\x01\x00")
    # A client that has not said that it takes them together gets them one by one.
    lab.device.notify_together({"notifies": b"one", "notifies_too": b"three"})
    assert await notification(tester) == sent(0x1B, first, b"one")
    assert await notification(tester) == sent(0x1B, second, b"three")
    await tester.write(tester.at(0x2B29), b"\x04")
    lab.device.notify_together({"notifies": b"one", "notifies_too": b"three"})
    expected = b"\x23" + u16(first) + u16(3) + b"one" + u16(second) + u16(5) + b"three"
    assert await notification(tester) == expected
    # One of them is not a multiple, and neither is what does not fit.
    await tester.write(tester.cccd("notifies_too"), b"\x00\x00")
    lab.device.notify_together({"notifies": b"one", "notifies_too": b"three"})
    assert await notification(tester) == sent(0x1B, first, b"one")
    await tester.quiet()


@case("GATT/SR/GAT/BV-01-C")
async def indication_that_is_never_confirmed(lab: Lab) -> None:
    tester = await lab.tester()
    await tester.write(tester.cccd("indicates"), b"\x02\x00")
    lab.device["indicates"].value(b"first")
    assert await notification(tester) == sent(0x1D, tester.at("indicates"), b"first")
    lab.device["indicates"].value(b"second")
    await asyncio.sleep(25)
    assert not lab.notes
    assert await tester.read(tester.at("plain")) == b"plain"
    await asyncio.sleep(6)
    assert len(lab.notes) == 1
    assert "did not confirm" in lab.notes[0]
    # Nothing more is exchanged on that bearer.
    tester.send(b"\x1e")
    await tester.quiet()
    assert await tester.request(b"\x0a" + u16(tester.at("plain"))) is None
    await tester.disconnect()
    await tester.connect()
    assert await tester.read(tester.at("plain")) == b"plain"


@case("GATT/SR/GAS/BV-01-C")
async def service_changed_where_it_is_enabled(lab: Lab) -> None:
    tester = await lab.tester()
    assert tester.characteristic(SERVICE_CHANGED).properties == 0x20
    cccd = tester.cccd(SERVICE_CHANGED)
    assert await tester.read(cccd) == b"\x00\x00"
    passing = tester.at("passing")
    lab.device.remove_service("changing")
    await tester.quiet()
    lab.device.add_service("changing")
    await tester.quiet()
    await tester.discover()
    assert tester.at("passing") != passing
    await tester.write(cccd, b"\x02\x00")
    lab.device.remove_service("changing")
    indication = await notification(tester)
    assert indication[:3] == sent(0x1D, tester.at(SERVICE_CHANGED), b"")
    assert len(indication) == 7
    start, end = number_at(indication, 3), number_at(indication, 5)
    assert 1 <= start <= tester.at("passing") <= end
    tester.send(b"\x1e")
    await tester.quiet()
