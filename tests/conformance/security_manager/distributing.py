"""Keys of phase 3, public keys that are none, and signatures: KDU, SIGN."""

import asyncio

import pytest

from tests.conformance.official.lab import Lab, Tester, signed
from tests.conformance.robustness.pairing_keys import invalid_public_keys, never_completes
from tests.conformance.security_manager.pairing import secured, unsecured
from tests.conformance.security_manager.registry import case, device
from tests.support.raw_smp import (
    ADDRESS,
    EDIV_RAND,
    ENC_KEY,
    ID_KEY,
    IRK,
    LTK,
    SIGN_KEY,
    SIGNATURE_KEY,
    RawPairing,
    Refused,
)

KEY = bytes(range(0xA0, 0xB0))
KEY_REJECTED = 0x0F


async def distributed(lab: Lab, *, sc: bool, keys: int) -> dict[int, bytes]:
    """Pair, asking for those keys; the device distributes them and no others."""
    tester = await lab.tester()
    with RawPairing(tester, sc=sc, responder_keys=keys) as pairing:
        given = await pairing.pair()
        assert pairing.response[6] == keys
        assert await pairing.next(within=2) is None
    await secured(tester)
    assert all(any(octets) for octets in given.values())
    return given


@case("SM/PER/KDU/BV-01-C")
async def encryption_key(lab: Lab) -> None:
    keys = await distributed(lab, sc=False, keys=ENC_KEY)
    assert keys.keys() == {LTK, EDIV_RAND}
    # It is the key of the next link.
    await lab.dismiss()
    tester = await lab.tester()
    ediv, rand = int.from_bytes(keys[EDIV_RAND][:2], "little"), keys[EDIV_RAND][2:]
    with RawPairing(tester) as pairing:
        assert await pairing.encrypt(keys[LTK], rand=rand, ediv=ediv) == 0
    await secured(tester)


async def identity(lab: Lab, *, sc: bool) -> None:
    keys = await distributed(lab, sc=sc, keys=ID_KEY)
    assert keys.keys() == {IRK, ADDRESS}
    kind, octets = keys[ADDRESS][0], keys[ADDRESS][1:]
    assert kind == 1
    assert octets[::-1].hex(":").upper() == lab.device.address


@case("SM/PER/KDU/BV-02-C")
async def legacy_identity(lab: Lab) -> None:
    await identity(lab, sc=False)


@case("SM/PER/KDU/BV-08-C")
async def identity_of_secure_connections(lab: Lab) -> None:
    await identity(lab, sc=True)


with_signing_key = device(
    "bonding: true, key_distribution: {device: [encryption, identity, signing]}"
)


@case("SM/PER/KDU/BV-03-C", on=with_signing_key)
async def legacy_signing_key(lab: Lab) -> None:
    assert (await distributed(lab, sc=False, keys=SIGN_KEY)).keys() == {SIGNATURE_KEY}


@case("SM/PER/KDU/BV-09-C", on=with_signing_key)
async def signing_key_of_secure_connections(lab: Lab) -> None:
    assert (await distributed(lab, sc=True, keys=SIGN_KEY)).keys() == {SIGNATURE_KEY}


@case("SM/PER/KDU/BV-07-C")
async def encrypted_again(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester, sc=False, responder_keys=ENC_KEY) as pairing:
        keys = await pairing.pair()
        ediv, rand = int.from_bytes(keys[EDIV_RAND][:2], "little"), keys[EDIV_RAND][2:]
        assert keys[LTK] != pairing.key
        assert await pairing.encrypt(keys[LTK], rand=rand, ediv=ediv) == 0
    await secured(tester)
    await tester.disconnect()
    for wrong_rand, wrong_ediv in ((rand, ediv ^ 1), (bytes(8), 0), (rand[::-1], ediv)):
        await tester.connect()
        with RawPairing(tester) as again:
            assert await again.encrypt(keys[LTK], rand=wrong_rand, ediv=wrong_ediv) != 0
        if tester.is_connected:
            await unsecured(tester)
            await tester.disconnect()
    await tester.connect()
    with RawPairing(tester) as again:
        assert await again.encrypt(keys[LTK], rand=rand, ediv=ediv) == 0
    await secured(tester)


async def rejected(lab: Lab, *, sc: bool) -> None:
    """The tester rejects the device's keys: there is no bond."""
    tester = await lab.tester()
    with RawPairing(tester, sc=sc, responder_keys=ID_KEY, initiator_keys=ID_KEY) as pairing:
        await pairing.agree()
        await pairing.take_keys()
        pairing.send(bytes((0x05, KEY_REJECTED)))
        assert await pairing.next(within=2) is None
        pairing.give_keys()
        assert await pairing.next(within=2) is None, "the pairing is over"
    await tester.disconnect()
    await asyncio.sleep(300)
    await tester.connect()
    with RawPairing(tester) as again:
        assert await again.encrypt(pairing.key) != 0
    if not tester.is_connected:
        await tester.connect()
    with RawPairing(tester, sc=sc) as again:
        await again.pair()
    await secured(tester)


@case("SM/PER/KDU/BI-02-C")
async def legacy_keys_rejected(lab: Lab) -> None:
    await rejected(lab, sc=False)


@case("SM/PER/KDU/BI-03-C")
async def keys_rejected(lab: Lab) -> None:
    await rejected(lab, sc=True)


async def refuses(lab: Lab, tester: Tester, key: tuple[bytes, bytes]) -> int:
    """A pairing with that public key never completes; return the reason."""
    with RawPairing(tester) as pairing:
        pairing.public_key = key
        reason = await never_completes(pairing)
    if not tester.is_connected:
        await tester.connect()
    await unsecured(tester)
    await asyncio.sleep(300)
    return reason


@case("SM/PER/KDU/BI-01-C")
async def invalid_keys(lab: Lab) -> None:
    tester = await lab.tester()
    for key in invalid_public_keys():
        assert 0x01 <= await refuses(lab, tester, key) <= 0x0F


@case("SM/PER/KDU/BI-04-C")
async def invalid_keys_at_once(lab: Lab) -> None:
    tester = await lab.tester()
    for key in invalid_public_keys():
        with RawPairing(tester) as pairing:
            pairing.public_key = key
            with pytest.raises(Refused) as refusal:
                await pairing.go("negotiate", "exchange_public_keys")
            assert refusal.value.reason == 0x0B
        await asyncio.sleep(300)
    with RawPairing(tester) as pairing:
        await pairing.pair()
    await secured(tester)


@case("SM/SIGN/BI-02-C")
async def repeated_counter(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester, initiator_keys=SIGN_KEY) as pairing:
        await pairing.pair()
    await tester.disconnect()
    await tester.connect()
    handle = tester.at(0xFF01)
    for value, counter, expected in (
        (b"first", 3, b"first"),
        (b"again", 3, b"first"),
        (b"older", 2, b"first"),
        (b"next", 4, b"next"),
    ):
        tester.send(signed(handle, value, counter, KEY))
        await tester.quiet()
        assert await tester.read(handle) == expected
