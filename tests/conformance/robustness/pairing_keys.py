"""Keys: link-layer encryption at the wrong moment or with the wrong key, bad public keys."""

import asyncio

from tests.conformance.official.lab import Lab, Tester, error, u16
from tests.conformance.robustness.att_pdus import serves
from tests.conformance.robustness.pairing import PATIENCE, pairs
from tests.conformance.robustness.registry import case
from tests.support.raw_smp import PRIME, PUBLIC_KEY, KeyPair, RawPairing, Refused

KEY_MISSING, MIC_FAILURE = 0x06, 0x3D


async def not_encrypted(tester: Tester) -> None:
    """A protected value stays hidden on this link, which is connected again where it ended."""
    if not tester.is_connected:
        await tester.connect()
    handle = tester.at("encrypted")
    request = b"\x0a" + u16(handle)
    assert await tester.ask(request) in [error(request, handle, one) for one in (0x05, 0x0F)]


@case("key_missing")
async def key_missing(lab: Lab) -> None:
    stranger = await lab.tester(2)
    with RawPairing(stranger) as pairing:
        for key in (bytes(16), bytes(range(16))):
            assert await pairing.encrypt(key) in (KEY_MISSING, MIC_FAILURE)
            await not_encrypted(stranger)
    tester = await lab.tester(pair=True)
    for wrong in (bytes(range(16)), bytes(16)):
        await tester.disconnect()
        await tester.connect()
        with RawPairing(tester) as pairing:
            assert await pairing.encrypt(wrong) in (KEY_MISSING, MIC_FAILURE)
        await not_encrypted(tester)
    # The bond has not suffered.
    await tester.disconnect()
    await tester.connect()
    await tester.encrypt()
    assert await tester.read(tester.at("encrypted")) == b"hidden"


@case("smp_zero_ltk")
async def zero_ltk(lab: Lab) -> None:
    tester = await lab.tester()
    for sc in (True, False):
        for done in range(4 if sc else 3):
            with RawPairing(tester, sc=sc) as pairing:
                await pairing.go(*pairing.steps()[:done])
                assert await pairing.encrypt(bytes(16)) != 0
                await not_encrypted(tester)
            await tester.disconnect()
            await asyncio.sleep(PATIENCE)
            await tester.connect()
    await serves(tester)
    await pairs(tester)


@case("smp_dhkey_check_skip")
async def dhkey_check_skip(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        await pairing.go("negotiate", "exchange_public_keys", "exchange_nonces")
        assert await pairing.encrypt(pairing.key) != 0, "encrypted before the DHKey check"
        await not_encrypted(tester)
        pairing.send(b"\x05\x08")
    await pairs(tester)


@case("smp_encryption_interrupts_pairing")
async def encryption_interrupts_pairing(lab: Lab) -> None:
    tester = await lab.tester()
    for sc in (True, False):
        for done in range(1, 5 if sc else 4):
            with RawPairing(tester, sc=sc) as pairing:
                await pairing.go(*pairing.steps()[:done])
                assert await pairing.encrypt(bytes(range(16))) != 0
                await not_encrypted(tester)
                pairing.send(b"\x05\x08")
            await asyncio.sleep(PATIENCE)
            await serves(tester)
        await tester.disconnect()
        await tester.connect()
        await pairs(tester, sc=sc)
        await tester.disconnect()
        await tester.connect()


@case("smp_nonzero_ediv_rand")
async def nonzero_ediv_rand(lab: Lab) -> None:
    for number, sc in enumerate((True, False), 1):
        for rand, ediv in ((bytes(range(8)), 0), (bytes(8), 0x1234), (bytes(range(8)), 0x1234)):
            tester = await lab.tester(number)
            with RawPairing(tester, sc=sc) as pairing:
                await pairing.agree()
                assert await pairing.encrypt(pairing.key, rand=rand, ediv=ediv) != 0
                await not_encrypted(tester)
                pairing.send(b"\x05\x08")
            await lab.dismiss()
            await asyncio.sleep(PATIENCE)
    await pairs(await lab.tester(), sc=True)


def invalid_public_keys() -> list[tuple[bytes, bytes]]:
    """Pairs of coordinates that are no point of P-256."""
    own = KeyPair(0x1234567)
    flipped = bytes((own.y[0] ^ 1,)) + own.y[1:]
    return [
        (bytes(32), bytes(32)),
        (own.x, bytes(32)),
        (own.x, flipped),
        (b"\x05" + bytes(31), b"\x01" + bytes(31)),
        (PRIME.to_bytes(32, "little"), own.y),
        (b"\xff" * 32, b"\xff" * 32),
    ]


async def never_completes(pairing: RawPairing) -> int:
    """A pairing with this public key ends, at the latest by the check; return the reason."""
    try:
        await pairing.go("negotiate", "exchange_public_keys")
        await pairing.expect(0x03, 16)
        pairing.send(b"\x04" + pairing.nonce)
        pairing.peer_nonce = await pairing.expect(0x04, 16)
        pairing.send(b"\x0d" + bytes(16))
        return await pairing.refused()
    except Refused as refusal:
        return refusal.reason
    finally:
        assert await pairing.encrypt(bytes(16)) != 0


@case("smp_invalid_public_key")
async def invalid_public_key(lab: Lab) -> None:
    tester = await lab.tester()
    for key in invalid_public_keys():
        with RawPairing(tester) as pairing:
            pairing.public_key = key
            await never_completes(pairing)
        await not_encrypted(tester)
        await asyncio.sleep(PATIENCE)
    await serves(tester)
    await pairs(tester)


@case("smp_public_key_reflection")
async def public_key_reflection(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        await pairing.go("negotiate", "exchange_public_keys")
        theirs = pairing.peer_key
        pairing.send(b"\x05\x08")
    mirrored = (PRIME - int.from_bytes(theirs[1], "little")).to_bytes(32, "little")
    for y in (theirs[1], mirrored):
        await asyncio.sleep(PATIENCE)
        with RawPairing(tester) as pairing:
            pairing.public_key = (theirs[0], y)
            await pairing.negotiate()
            pairing.send(bytes((PUBLIC_KEY,)) + theirs[0] + y)
            answer = await pairing.next()
            assert answer is not None, "silence"
            if answer[0] == PUBLIC_KEY:
                assert answer[1:33] != theirs[0], "goes on with its own key"
                pairing.send(b"\x05\x08")
            else:
                assert answer[0] == 0x05, answer.hex()
        await not_encrypted(tester)
    await serves(tester)
    await pairs(tester)
