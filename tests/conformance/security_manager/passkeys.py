"""Passkeys that the device shows: PKE and SCPK."""

import asyncio

from tests.conformance.official.lab import Lab, Tester
from tests.conformance.security_manager.pairing import RESERVED, secured, unsecured
from tests.conformance.security_manager.registry import case, device
from tests.support.raw_smp import BONDING, FAILED, MITM, RANDOM, RESPONSE, RawPairing

KEYBOARD, NOTHING = 0x02, 0x03
PASSKEY = 314159

showing = device(f'bonding: true, io: display_only, passkey: "{PASSKEY:06}"')
demanding = device(f'bonding: true, io: display_only, mitm: required, passkey: "{PASSKEY:06}"')


def typing(
    tester: Tester, *, sc: bool, passkey: int = PASSKEY, auth: int = BONDING | MITM
) -> RawPairing:
    """A pairing of a tester with a keyboard, who types that."""
    pairing = RawPairing(tester, sc=sc, io=KEYBOARD, auth=auth)
    pairing.type_passkey(passkey)
    return pairing


async def authenticated(tester: Tester) -> None:
    """The link is what asks for a passkey, too."""
    await secured(tester)
    assert await tester.read(tester.at(0xFF03)) == b"secret"


async def entered(lab: Lab, *, sc: bool, auth: int = BONDING | MITM) -> None:
    """The right passkey: an authenticated bond."""
    tester = await lab.tester()
    with typing(tester, sc=sc, auth=auth) as pairing:
        await pairing.pair()
        assert pairing.sc is sc
        assert not pairing.response[3] & RESERVED
    await authenticated(tester)
    await tester.disconnect()


async def mistyped(lab: Lab, *, sc: bool) -> None:
    """A wrong one: Pairing Failed, Confirm Value Failed; the right one is good later."""
    tester = await lab.tester()
    for passkey in (PASSKEY ^ 1, PASSKEY ^ 1 << 19):
        with typing(tester, sc=sc, passkey=passkey) as pairing:
            assert await until_refused(pairing) == 0x04
            assert await pairing.encrypt(bytes(16)) != 0
        await unsecured(tester)
        await asyncio.sleep(300)
    with typing(tester, sc=sc) as pairing:
        await pairing.pair()
    await authenticated(tester)


async def until_refused(pairing: RawPairing) -> int:
    """Go on until the device refuses; return the reason."""
    if not pairing.sc:
        await pairing.go("negotiate", "exchange_confirmations")
        pairing.send(bytes((RANDOM,)) + pairing.nonce)
        return await pairing.refused()
    await pairing.go("negotiate", "exchange_public_keys")
    # Whoever sees the first bit that differs says so: the tester itself looks away.
    return await pairing.enter_passkey_blindly()


@case("SM/PER/PKE/BV-02-C", on=showing)
async def legacy_passkey(lab: Lab) -> None:
    await entered(lab, sc=False)


@case("SM/PER/PKE/BI-03-C", on=showing)
async def legacy_passkey_mistyped(lab: Lab) -> None:
    await mistyped(lab, sc=False)


@case("SM/PER/PKE/BV-05-C", on=demanding)
async def passkey_demanded_of_who_has_no_keys(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester, sc=False, io=NOTHING) as pairing:
        answer = await pairing.say(pairing.request)
        assert answer is not None
        if answer[0] == RESPONSE:
            pairing.response = answer
            await pairing.go("exchange_confirmations", "exchange_legacy_nonces")
            assert await pairing.encrypt(pairing.key) == 0
        else:
            assert answer == bytes((FAILED, 0x03))
            await unsecured(tester)


@case("SM/PER/SCPK/BV-02-C", on=showing)
async def passkey(lab: Lab) -> None:
    await entered(lab, sc=True)


@case("SM/PER/SCPK/BV-03-C", on=showing)
async def passkey_with_reserved_bits(lab: Lab) -> None:
    for bits in (0x40, 0x80, 0xC0):
        await entered(lab, sc=True, auth=BONDING | MITM | bits)
        await lab.dismiss()


@case("SM/PER/SCPK/BI-03-C", on=showing)
async def passkey_mistyped(lab: Lab) -> None:
    await mistyped(lab, sc=True)


@case("SM/PER/SCPK/BI-04-C", on=showing)
async def passkey_and_the_tester_fails(lab: Lab) -> None:
    tester = await lab.tester()
    with typing(tester, sc=True) as pairing:
        await pairing.go("negotiate", "exchange_public_keys")
        pairing.send(bytes((FAILED, 0x04)))
        assert await pairing.next(within=2) is None
        assert await pairing.encrypt(bytes(16)) != 0
    await unsecured(tester)
    await asyncio.sleep(300)
    with typing(tester, sc=True) as pairing:
        await pairing.pair()
    await authenticated(tester)
