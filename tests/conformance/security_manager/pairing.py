"""Just Works both ways, key sizes, timeouts and Security Requests: PROT, JW, EKS, PIS, SCJW."""

import asyncio

from tests.conformance.official.lab import Lab, Tester, error, u16
from tests.conformance.security_manager.registry import case
from tests.support.raw_smp import BONDING, CHECK, CONFIRM, RANDOM, SECURITY_REQUEST, RawPairing

RESERVED = 0xC0
"""Bits of AuthReq that mean nothing yet (3.5.1)."""


async def secured(tester: Tester) -> None:
    """The link is encrypted: what asks for that is read."""
    assert await tester.read(tester.at(0xFF02)) == b"hidden"


async def unsecured(tester: Tester) -> None:
    """The link is not encrypted, and lives."""
    handle = tester.at(0xFF02)
    request = b"\x0a" + u16(handle)
    assert await tester.ask(request) in [error(request, handle, one) for one in (0x05, 0x0F)]


@case("SM/PER/PROT/BV-02-C")
async def timeout(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester, sc=False) as pairing:
        await pairing.negotiate()
        await asyncio.sleep(31)
        pairing.send(bytes((CONFIRM,)) + pairing.confirmation())
        assert await pairing.next(within=10) is None, "late PDUs are ignored"
        assert await pairing.say(pairing.request) is None
    await unsecured(tester)
    await tester.disconnect()
    await asyncio.sleep(300)
    await tester.connect()
    with RawPairing(tester, sc=False) as pairing:
        await pairing.pair()
    await secured(tester)


async def just_works(lab: Lab, *, sc: bool, auth: int = BONDING) -> RawPairing:
    """Pair by Just Works."""
    tester = await lab.tester()
    with RawPairing(tester, sc=sc, auth=auth) as pairing:
        await pairing.pair()
        assert pairing.sc is sc
        assert not pairing.response[3] & RESERVED
    await secured(tester)
    await tester.disconnect()
    return pairing


@case("SM/PER/JW/BV-02-C")
async def legacy_just_works(lab: Lab) -> None:
    await just_works(lab, sc=False)


@case("SM/PER/JW/BI-03-C")
async def legacy_just_works_with_reserved_bits(lab: Lab) -> None:
    for bits in (0x40, 0x80, 0xC0):
        await just_works(lab, sc=False, auth=BONDING | bits)
        await lab.dismiss()


@case("SM/PER/JW/BI-02-C")
async def legacy_just_works_with_a_wrong_confirmation(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester, sc=False) as pairing:
        await pairing.negotiate()
        pairing.send(bytes((CONFIRM,)) + pairing.confirmation(bytes(range(16))))
        await pairing.expect(CONFIRM, 16)
        pairing.send(bytes((RANDOM,)) + pairing.nonce)
        assert await pairing.refused() == 0x04
        assert await pairing.encrypt(bytes(16)) != 0
    await unsecured(tester)


@case("SM/PER/SCJW/BV-02-C")
async def just_works_with_fresh_nonces(lab: Lab) -> None:
    nonces, keys = set(), set()
    for _ in range(3):
        pairing = await just_works(lab, sc=True)
        nonces.add(pairing.peer_nonce)
        keys.add(pairing.peer_key)
        await lab.dismiss()
    assert len(nonces) == 3
    assert len(keys) == 3


@case("SM/PER/SCJW/BV-03-C")
async def just_works_with_reserved_bits(lab: Lab) -> None:
    for bits in (0x40, 0x80, 0xC0):
        await just_works(lab, sc=True, auth=BONDING | bits)
        await lab.dismiss()


@case("SM/PER/SCJW/BI-02-C")
async def just_works_with_a_wrong_check(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        await pairing.go("negotiate", "exchange_public_keys", "exchange_nonces")
        right = pairing.check()
        pairing.send(bytes((CHECK,)) + bytes((right[1] ^ 1,)) + right[2:])
        assert await pairing.refused() == 0x0B
        assert await pairing.encrypt(pairing.key) != 0
    await unsecured(tester)


@case("SM/PER/EKS/BV-02-C")
async def least_key_size(lab: Lab) -> None:
    for number, sc in enumerate((True, False), 1):
        tester = await lab.tester(number)
        with RawPairing(tester, sc=sc, key_size=7) as pairing:
            await pairing.pair()
        assert pairing.key[7:] == bytes(9)
        await secured(tester)


@case("SM/PER/EKS/BI-02-C")
async def key_size_below_the_least(lab: Lab) -> None:
    for number, sc in enumerate((True, False), 1):
        tester = await lab.tester(number)
        with RawPairing(tester, sc=sc, key_size=6) as pairing:
            assert await pairing.say(pairing.request) == b"\x05\x06"
        await unsecured(tester)


async def asked_for_security(lab: Lab, pairing: RawPairing) -> None:
    """The device sends a Security Request that asks for a bond."""
    lab.device.request_security(lab.device.clients[0])
    (requirements,) = await pairing.expect(SECURITY_REQUEST, 1)
    assert requirements & 0x03 == BONDING
    assert not requirements & RESERVED


@case("SM/PER/PIS/BV-01-C")
async def security_request_and_pairing(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        await asked_for_security(lab, pairing)
        await pairing.pair()
    await secured(tester)


@case("SM/PER/PIS/BV-02-C")
async def security_request_and_the_key_of_the_bond(lab: Lab) -> None:
    pairing = await just_works(lab, sc=True)
    tester = await lab.tester()
    with RawPairing(tester) as again:
        await asked_for_security(lab, again)
        assert await again.encrypt(pairing.key) == 0
        assert await again.next(within=2) is None
    await secured(tester)
