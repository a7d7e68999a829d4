"""Data out of band, from the device: OOB and SCOB."""

import asyncio

from tests.conformance.official.lab import Lab, Tester
from tests.conformance.security_manager.pairing import RESERVED, secured, unsecured
from tests.conformance.security_manager.passkeys import authenticated
from tests.conformance.security_manager.registry import case, device
from tests.support.raw_smp import BONDING, FAILED, RANDOM, RawPairing

with_data = device("bonding: true, oob: true")
legacy_with_data = device("bonding: true, oob: true, secure_connections: unsupported")
without_data = device()


def legacy(lab: Lab, tester: Tester, *, has_data: bool = True) -> RawPairing:
    """A legacy pairing of a tester that has the device's temporary key, or none."""
    pairing = RawPairing(tester, sc=False, oob=int(has_data))
    room = lab.device.pairing_room
    if has_data and room.oob_legacy is not None:
        pairing.tk = room.oob_legacy.tk
    return pairing


@case("SM/PER/OOB/BV-02-C", on=legacy_with_data)
async def legacy_both_have_data(lab: Lab) -> None:
    tester = await lab.tester()
    with legacy(lab, tester) as pairing:
        await pairing.pair()
        assert pairing.response[2] == 1
        assert any(pairing.peer_nonce)
    await authenticated(tester)


async def just_works(lab: Lab, *, tester_has: bool, device_has: bool) -> None:
    """Only one has data: it is of no use to legacy pairing."""
    tester = await lab.tester()
    with RawPairing(tester, sc=False, oob=int(tester_has)) as pairing:
        await pairing.pair()
        assert pairing.response[2] == int(device_has)
    await secured(tester)


@case("SM/PER/OOB/BV-04-C", "SM/PER/OOB/BV-10-C", on=legacy_with_data)
async def legacy_only_the_device_has_data(lab: Lab) -> None:
    await just_works(lab, tester_has=False, device_has=True)


@case("SM/PER/OOB/BV-06-C", "SM/PER/OOB/BV-08-C", on=without_data)
async def legacy_only_the_tester_has_data(lab: Lab) -> None:
    await just_works(lab, tester_has=True, device_has=False)


@case("SM/PER/OOB/BI-02-C", on=legacy_with_data)
async def legacy_other_data(lab: Lab) -> None:
    tester = await lab.tester()
    with legacy(lab, tester) as pairing:
        pairing.tk = bytes(range(16))
        await pairing.go("negotiate", "exchange_confirmations")
        pairing.send(bytes((RANDOM,)) + pairing.nonce)
        assert await pairing.refused() == 0x04
        assert await pairing.encrypt(bytes(16)) != 0
    await unsecured(tester)


def out_of_band(lab: Lab, tester: Tester, *, auth: int = BONDING) -> RawPairing:
    """A pairing of a tester that has what the device hands out."""
    pairing = RawPairing(tester, oob=1, auth=auth)
    shared = lab.device.pairing_room.oob.share()
    pairing.take_out_of_band(shared.r, shared.c)
    return pairing


async def paired(lab: Lab, auth: int = BONDING) -> None:
    """The tester has the device's data: an authenticated bond."""
    tester = await lab.tester()
    with out_of_band(lab, tester, auth=auth) as pairing:
        await pairing.pair()
        assert not pairing.response[3] & RESERVED
    await authenticated(tester)
    await lab.dismiss()


@case("SM/PER/SCOB/BV-02-C", on=with_data)
async def tester_has_data(lab: Lab) -> None:
    await paired(lab)


@case("SM/PER/SCOB/BV-03-C", on=with_data)
async def tester_has_data_and_sets_reserved_bits(lab: Lab) -> None:
    for bits in (0x40, 0x80, 0xC0):
        await paired(lab, BONDING | bits)


@case("SM/PER/SCOB/BI-02-C", on=with_data)
async def wrong_data(lab: Lab) -> None:
    tester = await lab.tester()
    with out_of_band(lab, tester) as pairing:
        await pairing.go("negotiate", "exchange_public_keys", "exchange_out_of_band")
        pairing.rb = bytes(range(16))
        pairing.send(pairing.check())
        assert await pairing.refused() == 0x0B
        assert await pairing.encrypt(pairing.key) != 0
    await unsecured(tester)


@case("SM/PER/SCOB/BI-03-C", on=with_data)
async def the_tester_fails(lab: Lab) -> None:
    tester = await lab.tester()
    with out_of_band(lab, tester) as pairing:
        await pairing.go("negotiate", "exchange_public_keys")
        pairing.send(bytes((FAILED, 0x04)))
        assert await pairing.next(within=2) is None
        assert await pairing.encrypt(bytes(16)) != 0
    await unsecured(tester)
    await lab.dismiss()
    await asyncio.sleep(300)
    await paired(lab)
