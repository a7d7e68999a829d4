"""Pairing, bonds that outlive the link, and what is said when pairing fails."""

import asyncio

import pytest
from bleak.exc import BleakError

from bletest.contracts.events import Direction, SmpPdu
from bletest.errors import LinkLost, PairingFailed
from tests.client.support import in_virtual_time, loop_time, open_bench

SECRET = "0xFF04"


@in_virtual_time
async def test_pairing_encrypts_the_link_and_opens_what_was_closed():
    async with open_bench() as bench, bench.client() as client:
        assert client.is_encrypted is False
        assert (await client.attempt.read(SECRET)).refused_with(0x05)
        await client.pair()
        assert client.is_encrypted is True
        assert (await client.read(SECRET)).raw == b"secret"
    assert bench.link_events() == ["connected", "mtu", "encrypted", "paired", "disconnected"]
    smp = [event for event in bench.events if isinstance(event, SmpPdu)]
    assert smp[0].direction is Direction.SENT
    assert smp[0].pdu[0] == 0x01
    assert smp[1].direction is Direction.RECEIVED
    assert smp[1].pdu[0] == 0x02


@in_virtual_time
async def test_a_client_can_be_told_to_pair_before_discovery():
    async with open_bench() as bench, bench.client(pair=True) as client:
        assert (await client.read(SECRET)).raw == b"secret"


@in_virtual_time
async def test_pairing_an_encrypted_link_does_nothing():
    async with open_bench() as bench, bench.client(pair=True) as client:
        sent = len(bench.events)
        await client.pair()
        assert len(bench.events) == sent


@in_virtual_time
async def test_a_bond_survives_the_link_and_encrypts_the_next_one_without_pairing():
    async with open_bench() as bench, bench.client(pair=True) as client:
        await client.reconnect()
        assert client.is_encrypted is True
        pairings = [
            event for event in bench.events if isinstance(event, SmpPdu) and event.pdu[0] == 0x01
        ]
        assert len(pairings) == 1
        assert (await client.read(SECRET)).raw == b"secret"


@in_virtual_time
async def test_a_client_that_is_not_told_to_leaves_a_bonded_link_plain():
    async with open_bench() as bench:
        async with bench.client(pair=True):
            pass
        async with bench.client() as client:
            assert client.is_encrypted is False
            await client.pair()
            assert client.is_encrypted is True


@in_virtual_time
async def test_unpair_forgets_the_keys_and_ends_an_encrypted_link():
    async with open_bench() as bench, bench.client(pair=True) as client:
        await client.unpair()
        assert not client.is_connected
        await client.connect()
        pairings = [
            event for event in bench.events if isinstance(event, SmpPdu) and event.pdu[0] == 0x01
        ]
        assert len(pairings) == 2
    assert "unpaired" in bench.link_events()


@in_virtual_time
async def test_unpair_leaves_a_plain_link_alone():
    async with open_bench() as bench, bench.client() as client:
        await client.unpair()
        assert client.is_connected


@in_virtual_time
async def test_a_device_that_does_not_pair_is_told_with_its_reason():
    async with open_bench(accepts_pairing=False) as bench, bench.client() as client:
        with pytest.raises(PairingFailed, match="the device does not support pairing") as caught:
            await client.pair()
        assert caught.value.reason == 0x05
        outcome = await client.attempt.pair()
        assert outcome.refused_with("pairing_failed")
        assert client.is_connected
        assert (await client.read("battery_level")).raw == b"\x64"


@in_virtual_time
async def test_a_device_that_lost_its_bond_is_to_blame_and_unpair_helps():
    async with open_bench() as bench:
        async with bench.client(pair=True):
            pass
        bench.device.forget_bonds()
        client = bench.client()
        await client.connect()
        with pytest.raises((PairingFailed, LinkLost)) as caught:
            await client.pair()
        assert "key" in str(caught.value)
        await client.unpair()
        await client.reconnect()
        await client.pair()
        assert client.is_encrypted is True
        await client.disconnect()


@in_virtual_time
async def test_a_device_that_stops_answering_while_pairing_is_told_after_30_s():
    async with open_bench() as bench, bench.client() as client:
        bench.device.station.host.on_l2cap_pdu = lambda *_: None  # type: ignore[method-assign]
        before = loop_time()
        with pytest.raises(PairingFailed, match="within 30 s"):
            await client.pair()
        assert loop_time() - before == pytest.approx(30)


@in_virtual_time
async def test_a_link_that_ends_while_pairing_is_a_lost_link():
    async with open_bench() as bench, bench.client() as client:
        bench.device.station.host.on_l2cap_pdu = lambda *_: None  # type: ignore[method-assign]
        asyncio.get_running_loop().call_later(2, bench.device.vanish)
        with pytest.raises(LinkLost):
            await client.pair()
        assert (await client.attempt.pair()).refused_with("link_lost")


@in_virtual_time
async def test_pairing_through_bleak_raises_bleaks_error_with_ours_behind_it():
    async with open_bench(accepts_pairing=False) as bench, bench.bleak() as client:
        with pytest.raises(BleakError) as caught:
            await client.pair()
    assert isinstance(caught.value.__cause__, PairingFailed)
