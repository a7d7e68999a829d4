"""Bonding, and what is refused to whom: BOND, SEC."""

import asyncio

from tests.conformance.gap.registry import PROTECTED, case, device, protected
from tests.conformance.official.lab import Lab, Tester, error, signed, u16
from tests.support.raw_smp import BONDING, SECURITY_REQUEST, SIGN_KEY, RawPairing

KEY = bytes(range(0xA0, 0xB0))


@case("GAP/BOND/NBON/BV-03-C", on=device(security="bonding: false", services=PROTECTED))
async def not_bondable(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        await pairing.pair()
        assert not pairing.response[3] & 0x03
        assert not pairing.response[6], "nothing is distributed that nobody keeps"
    assert await tester.read(tester.at(0xFF02)) == b"hidden"
    await tester.disconnect()
    await tester.connect()
    assert await tester.read(tester.at(0xFF01)) == b"plain"
    assert not lab.device.bonded
    with RawPairing(tester) as again:
        assert await again.encrypt(pairing.key) != 0


async def bonded(lab: Lab, tester: Tester, pairing: RawPairing) -> None:
    """The bond holds on the next link."""
    assert pairing.response[3] & 0x03 == BONDING
    await tester.disconnect()
    await tester.connect()
    with RawPairing(tester) as again:
        assert await again.encrypt(pairing.key) == 0
    assert await tester.read(tester.at(0xFF02)) == b"hidden"


@case("GAP/BOND/BON/BV-01-C", on=protected)
async def bonding_begun_by_the_device(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        lab.device.request_security(lab.device.clients[0])
        (requirements,) = await pairing.expect(SECURITY_REQUEST, 1)
        assert requirements & 0x03 == BONDING
        await pairing.pair()
    await bonded(lab, tester, pairing)


@case("GAP/BOND/BON/BV-03-C", on=protected)
async def bonding_begun_by_the_central(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        await pairing.pair()
    await bonded(lab, tester, pairing)


async def refused(tester: Tester, uuid: int, code: int) -> None:
    """A read is refused with that code."""
    request = b"\x0a" + u16(tester.at(uuid))
    assert await tester.ask(request) == error(request, tester.at(uuid), code)


@case("GAP/SEC/AUT/BV-11-C", on=protected)
async def insufficient_authentication_unpaired(lab: Lab) -> None:
    tester = await lab.tester()
    for uuid in (0xFF02, 0xFF03):
        await refused(tester, uuid, 0x05)
    assert await tester.read(tester.at(0xFF01)) == b"plain"


@case("GAP/SEC/AUT/BV-14-C", on=protected)
async def insufficient_authentication_just_works(lab: Lab) -> None:
    tester = await lab.tester()
    await refused(tester, 0xFF03, 0x05)
    with RawPairing(tester) as pairing:
        await pairing.pair()
    await refused(tester, 0xFF03, 0x05)
    assert await tester.read(tester.at(0xFF02)) == b"hidden"


@case("GAP/SEC/AUT/BV-18-C", on=protected)
async def pairing_after_insufficient_authentication(lab: Lab) -> None:
    for number, sc in enumerate((True, False), 1):
        tester = await lab.tester(number)
        await refused(tester, 0xFF02, 0x05)
        with RawPairing(tester, sc=sc) as pairing:
            await pairing.pair()
        assert await tester.read(tester.at(0xFF02)) == b"hidden"


@case("GAP/SEC/AUT/BV-22-C", on=protected)
async def lost_bond(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        await pairing.pair()
    await tester.disconnect()
    lab.device.forget_bonds()
    await asyncio.sleep(1)
    await tester.connect()
    await refused(tester, 0xFF02, 0x05)
    with RawPairing(tester) as again:
        assert await again.encrypt(pairing.key) == 0x06, "PIN or Key Missing"
    if not tester.is_connected:
        await tester.connect()
    with RawPairing(tester) as again:
        await again.pair()
    assert await tester.read(tester.at(0xFF02)) == b"hidden"


@case("GAP/SEC/AUT/BV-23-C", on=protected)
async def insufficient_encryption(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        await pairing.pair()
    await tester.disconnect()
    await tester.connect()
    await refused(tester, 0xFF02, 0x0F)
    with RawPairing(tester) as again:
        assert await again.encrypt(pairing.key) == 0
    assert await tester.read(tester.at(0xFF02)) == b"hidden"


async def signing(lab: Lab) -> Tester:
    """A tester whose signature key the device has, on a link that is not encrypted."""
    tester = await lab.tester()
    with RawPairing(tester, initiator_keys=SIGN_KEY) as pairing:
        await pairing.pair()
        assert pairing.response[5] & SIGN_KEY
    await tester.disconnect()
    await tester.connect()
    return tester


async def signed_write(tester: Tester, pdu: bytes, uuid: int = 0xFF01) -> bytes:
    """Send a signed write; return the value afterwards."""
    tester.send(pdu)
    await tester.quiet()
    return await tester.read(tester.at(uuid))


@case("GAP/SEC/CSIGN/BV-02-C", on=protected)
async def signed_write_accepted(lab: Lab) -> None:
    tester = await signing(lab)
    handle = tester.at(0xFF01)
    assert await signed_write(tester, signed(handle, b"one", 0, KEY)) == b"one"
    assert await signed_write(tester, signed(handle, b"two", 1, KEY)) == b"two"


@case("GAP/SEC/CSIGN/BI-01-C", on=protected)
async def signed_write_with_a_wrong_signature(lab: Lab) -> None:
    tester = await signing(lab)
    handle = tester.at(0xFF01)
    assert await signed_write(tester, signed(handle, b"no", 0, bytes(16))) == b"plain"
    spoilt = signed(handle, b"no", 0, KEY)[:-1] + b"\x00"
    assert await signed_write(tester, spoilt) == b"plain"
    assert await signed_write(tester, signed(handle, b"yes", 0, KEY)) == b"yes"


@case("GAP/SEC/CSIGN/BI-02-C", on=protected)
async def signed_write_with_an_old_counter(lab: Lab) -> None:
    tester = await signing(lab)
    handle = tester.at(0xFF01)
    assert await signed_write(tester, signed(handle, b"five", 5, KEY)) == b"five"
    for counter in (5, 4, 0):
        assert await signed_write(tester, signed(handle, b"no", counter, KEY)) == b"five"
    await tester.disconnect()
    await tester.connect()
    assert await signed_write(tester, signed(handle, b"no", 5, KEY)) == b"five"
    assert await signed_write(tester, signed(handle, b"six", 6, KEY)) == b"six"


@case("GAP/SEC/CSIGN/BI-03-C", on=protected)
async def signed_write_without_a_bond(lab: Lab) -> None:
    tester = await lab.tester()
    handle = tester.at(0xFF01)
    assert await signed_write(tester, signed(handle, b"no", 0, KEY)) == b"plain"
    await lab.dismiss()
    await signing(lab)
    stranger = await lab.tester(3)
    assert await signed_write(stranger, signed(handle, b"no", 0, KEY)) == b"plain"


@case("GAP/SEC/CSIGN/BI-04-C", on=protected)
async def signed_write_without_authentication(lab: Lab) -> None:
    tester = await signing(lab)
    handle = tester.at(0xFF04)
    # The key came with Just Works; the value asks for one that is authenticated.
    assert await signed_write(tester, signed(handle, b"no", 0, KEY), 0xFF04) == b"signed"
