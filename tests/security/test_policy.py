"""What a device refuses while it pairs, and what its bonds are worth."""

import asyncio

import pytest

from bletest.client.agent import PairingAgent
from bletest.client.gatt import GattClient
from bletest.errors import PairingFailed
from bletest.link.clock import run
from bletest.link.smp_attempts import Attempts
from bletest.profile.security import NO_INPUT_NO_OUTPUT
from tests.security.support import vault

WITHOUT_PERSON = {"io": NO_INPUT_NO_OUTPUT, "mitm": False}


@pytest.mark.parametrize(
    ("security", "agent", "reason"),
    [
        ("{pairing: false}", {}, 0x05),
        ("{io: display_only, mitm: required}", WITHOUT_PERSON, 0x03),
        ("{secure_connections: required}", {"secure_connections": False, **WITHOUT_PERSON}, 0x03),
        ("{key_size: {min: 12}}", {"key_size": 11, **WITHOUT_PERSON}, 0x06),
        ("{key_size: {min: 12, max: 12}, secure_connections: unsupported}", {"key_size": 7}, 0x06),
    ],
    ids=["pairing", "protection", "secure connections", "key size", "legacy key size"],
)
def test_a_pairing_that_the_profile_does_not_allow_is_refused_with_its_reason(
    security: str, agent: dict[str, object], reason: int
) -> None:
    async def main() -> None:
        async with (
            vault(security) as opened,
            opened.client(PairingAgent(**agent)) as client,  # type: ignore[arg-type]
        ):
            with pytest.raises(PairingFailed) as caught:
                await client.pair()
            assert caught.value.reason == reason
            assert client.is_connected
            assert not client.is_encrypted

    run(main())


@pytest.mark.parametrize("support", ["supported", "unsupported"])
@pytest.mark.parametrize(("device", "client"), [(7, 16), (16, 9), (12, 12)])
def test_the_key_is_as_long_as_both_can(support: str, device: int, client: int) -> None:
    async def main() -> None:
        security = f"{{bonding: true, key_size: {{max: {device}}}, secure_connections: {support}}}"
        agent = PairingAgent(key_size=client, **WITHOUT_PERSON)  # type: ignore[arg-type]
        async with vault(security) as opened:
            for _ in range(2):  # by pairing, then by the bond
                async with opened.client(agent, pair=True):
                    size = min(device, client)
                    assert opened.peripheral.links[0].security.key_size == size
                    assert opened.details("encrypted")[-1] == f"key of {size} octets"
            assert len(opened.details("paired")) == 1

    run(main())


def test_what_takes_an_authorization_is_refused_until_the_user_allows_it() -> None:
    async def main() -> None:
        async with (
            vault("{bonding: true, io: display_only}") as opened,
            opened.client() as client,
        ):
            assert (await client.attempt.read("allowed")).refused_with(0x05)
            await client.pair()
            assert (await client.attempt.read("allowed")).refused_with(0x08)
            opened.peripheral.authorize()
            assert (await client.read("allowed")).raw == b"\x05"
            opened.peripheral.withdraw_authorization(opened.peripheral.clients[0])
            assert (await client.attempt.read("allowed")).refused_with(0x08)

    run(main())


def test_a_device_that_does_not_bond_keeps_no_key_and_no_subscription() -> None:
    async def main() -> None:
        async with vault("{bonding: false}") as opened:
            for number in (1, 2):
                async with opened.client(pair=True) as client:
                    assert (await client.read("encrypted")).raw == b"\x02"
                    assert len(opened.details("paired")) == number
                    assert opened.peripheral["encrypted"].subscribers == {}
                    async with client.subscribe("encrypted"):
                        assert opened.peripheral["encrypted"].subscribers
                assert opened.peripheral.bonded == ()

    run(main())


def test_without_the_device_s_key_legacy_pairing_leaves_no_bond() -> None:
    async def main() -> None:
        security = (
            "{bonding: true, io: display_only, secure_connections: unsupported, "
            "key_distribution: {device: [identity]}}"
        )
        async with vault(security) as opened:
            for number in (1, 2):
                async with opened.client(pair=True) as client:
                    assert (await client.read("authenticated")).raw == b"\x03"
                    assert len(opened.details("paired")) == number
                assert opened.peripheral.bonded == ()

    run(main())


def test_a_client_that_does_not_want_a_bond_gets_none() -> None:
    async def main() -> None:
        async with vault("{bonding: true}") as opened:
            agent = PairingAgent(bonding=False, **WITHOUT_PERSON)  # type: ignore[arg-type]
            async with opened.client(agent, pair=True):
                assert opened.peripheral.bonded == ()

    run(main())


@pytest.mark.parametrize("when_full", ["refuse", "replace"])
def test_a_bond_without_room_is_refused_or_takes_the_place_of_the_oldest(when_full: str) -> None:
    async def main() -> None:
        async with vault(f"{{bonding: {{max: 2, when_full: {when_full}}}}}") as opened:
            device = opened.peripheral
            for _ in range(2):
                async with opened.client(pair=True) as client:
                    await client.unpair()  # and comes back as a stranger
            first, second = device.bonded
            async with opened.client() as client:
                if when_full == "refuse":
                    with pytest.raises(PairingFailed) as caught:
                        await client.pair()
                    assert caught.value.reason == 0x08
                    assert device.bonded == (first, second)
                    assert "no room for a bond" in opened.notes()[-1]
                else:
                    await client.pair()
                    assert device.bonded[0] == second
                    assert len(device.bonded) == 2
                    assert first not in device.bonded
                    assert f"the bond with {first} makes room" in opened.notes()[-1]
                    names = [name for name, _ in await device.station.device.keystore.get_all()]
                    assert sorted(names) == sorted(device.bonded)

    run(main())


def test_a_client_that_has_a_bond_pairs_anew_even_where_there_is_no_room() -> None:
    async def main() -> None:
        async with vault("{bonding: {max: 1, when_full: refuse}}") as opened:
            async with opened.client(pair=True):
                bonded = opened.peripheral.bonded
            # the client has lost its keys, and still goes by the same address
            adapter = await opened.bench.adapter()
            await adapter.device.keystore.delete_all()
            async with opened.client(pair=True):
                assert opened.peripheral.bonded == bonded
            assert len(opened.details("paired")) == 2

    run(main())


def test_after_a_failure_the_device_wants_a_pause_that_doubles() -> None:
    async def reason(client: GattClient) -> int | None:
        with pytest.raises(PairingFailed) as caught:
            await client.pair()
        return caught.value.reason

    async def main() -> None:
        security = "{io: display_only, passkey: 123456, repeated_attempts: {wait: 2s}}"
        async with vault(security) as opened, opened.client(PairingAgent(passkey=1)) as client:
            for pause in (2, 4, 8):
                assert await reason(client) == 0x04
                await asyncio.sleep(pause - 0.5)
                assert await reason(client) == 0x09
                await asyncio.sleep(0.51)
            assert await reason(client) == 0x04
            await client.disconnect()
            async with opened.client() as other:
                assert await reason(other) == 0x09  # on a new link too
                await asyncio.sleep(16)
                await other.pair()

    run(main())


class TestAttempts:
    """The pause after failures, on its own (Vol 3, Part H, 2.3.6)."""

    def test_it_doubles_up_to_its_bound(self) -> None:
        attempts = Attempts(1, 4)
        now = 0.0
        for pause in (1, 2, 4, 4):
            attempts.failed("peer", now)
            assert attempts.must_wait("peer", now + pause - 0.01)
            assert not attempts.must_wait("peer", now + pause)
            now += pause

    def test_it_shrinks_while_nobody_tries(self) -> None:
        attempts = Attempts(1, 60)
        for moment in (0, 1, 3):
            attempts.failed("peer", moment)
        attempts.failed("peer", 200)
        assert attempts.must_wait("peer", 200.9)
        assert not attempts.must_wait("peer", 201)
