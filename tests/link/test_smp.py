"""Our Security Manager: what is random repeats, and what bumble's gets wrong is right."""

import asyncio
import os
import subprocess
import sys

import pytest
from bumble import smp
from bumble.core import ProtocolError
from bumble.pairing import PairingConfig

from bletest.link.clock import run
from bletest.link.smp_session import PairingTimedOut
from tests.link.pairing import JUST_WORKS, PASSKEY, couple, everything_said
from tests.link.support import now

SMP = 0x06


def said_by(seed: str, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.link.pairing", seed],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_every_way_of_pairing_repeats_to_the_octet_in_another_process():
    first, second = said_by("one", "1"), said_by("one", "2")
    assert first == second
    assert first.count(" smp ") > 400


def test_another_seed_pairs_with_other_octets():
    assert run(everything_said("one")) != run(everything_said("two"))


def test_another_device_on_the_air_does_not_shift_what_is_drawn():
    def octets(said: list[str]) -> list[str]:
        return [line.split(" ", 1)[1] for line in said]

    assert octets(run(everything_said())) == octets(run(everything_said(more=2)))


@pytest.mark.parametrize("sc", [True, False], ids=["secure connections", "legacy"])
def test_each_pairing_has_keys_of_its_own(sc):
    async def main() -> tuple[list[bytes], list[bytes]]:
        ltks, public_keys = [], []
        async with couple() as two:
            two.configure(sc=sc)
            for _ in range(2):
                await two.pair()
                keys = two.keys["central"]
                ltk = keys.ltk or keys.ltk_central
                assert ltk is not None
                ltks.append(ltk.value)
            for line in two.said:
                pdu = bytes.fromhex(line.split()[-1])
                if " smp " in line and pdu[0] == smp.CommandCode.PAIRING_PUBLIC_KEY:
                    public_keys.append(pdu)
        return ltks, public_keys

    ltks, public_keys = run(main())
    assert len(set(ltks)) == 2
    assert all(map(any, ltks))
    assert len(set(public_keys)) == (4 if sc else 0)


@pytest.mark.parametrize("sc", [True, False], ids=["secure connections", "legacy"])
@pytest.mark.parametrize("sizes", [(7, 16), (16, 10), (9, 8)])
def test_keys_have_the_smaller_size_of_both_and_encrypt_the_next_link(sizes, sc):
    async def main() -> list[bytes]:
        async with couple() as two:
            two.configure(sc=sc, key_sizes=sizes)
            await two.pair()
            assert two.link.is_encrypted
            found = [
                key.value
                for keys in two.keys.values()
                for key in (keys.ltk, keys.ltk_central, keys.ltk_peripheral)
                if key is not None
            ]
            await two.reconnect()
            await two.central.device.encrypt(two.link)
            assert two.link.is_encrypted
        return found

    size = min(sizes)
    for ltk in run(main()):
        assert len(ltk) == 16
        assert any(ltk[:size])
        assert ltk[size:] == bytes(16 - size)


@pytest.mark.parametrize("sc", [True, False], ids=["secure connections", "legacy"])
@pytest.mark.parametrize("sizes", [(16, 16), (7, 16), (16, 15), (9, 8)])
def test_both_sides_know_the_key_size_after_pairing_and_on_the_next_link(sizes, sc):
    async def main() -> list[int]:
        async with couple() as two:
            two.configure(sc=sc, key_sizes=sizes)
            await two.pair()
            known = [two.link.encryption_key_size, two.other_link.encryption_key_size]
            await two.reconnect()
            await two.central.device.encrypt(two.link)
            await asyncio.sleep(0.1)
            return [*known, two.link.encryption_key_size, two.other_link.encryption_key_size]

    assert run(main()) == [min(sizes)] * 4


@pytest.mark.parametrize(("size", "reason"), [(0, 0x06), (6, 0x06), (17, 0x0A), (255, 0x0A)])
@pytest.mark.parametrize("who", ["central", "peripheral"])
def test_a_key_size_that_does_not_exist_is_refused(size, reason, who):
    async def main() -> tuple[int, list[tuple[str, int]], bool]:
        async with couple() as two:
            two.configure(key_sizes=(size, 16) if who == "central" else (16, size))
            with pytest.raises(ProtocolError) as caught:
                await two.central.device.pair(two.link)
            await asyncio.sleep(0.1)
            return int(caught.value.error_code or 0), two.failures, bool(two.link.is_encrypted)

    code, failures, is_encrypted = run(main())
    assert code == reason
    assert sorted(failures) == [("central", reason), ("peripheral", reason)]
    assert not is_encrypted


def test_each_failure_on_a_link_is_told_and_then_pairing_still_works():
    async def main() -> list[tuple[str, int]]:
        async with couple() as two:
            for _ in range(3):
                two.configure(PASSKEY)
                two.passkeys.put_nowait(1)  # what nobody ever displays
                with pytest.raises(ProtocolError):
                    await two.central.device.pair(two.link)
                await asyncio.sleep(1)
                while not two.passkeys.empty():
                    two.passkeys.get_nowait()
            two.configure(JUST_WORKS)
            await two.pair()
            assert two.link.is_encrypted
            return two.failures

    failures = run(main())
    assert [who for who, _ in failures].count("central") == 3
    assert [who for who, _ in failures].count("peripheral") == 3
    assert {code for _, code in failures} == {0x04}


def test_a_link_can_be_paired_again_and_both_sides_hear_of_it():
    async def main() -> None:
        async with couple() as two:
            for _ in range(3):
                await two.pair()
                central, peripheral = two.keys["central"].ltk, two.keys["peripheral"].ltk
                assert central is not None
                assert peripheral is not None
                assert central.value == peripheral.value

    run(main())


def test_a_silent_peer_ends_pairing_after_30_s_and_for_the_rest_of_the_link():
    async def main() -> tuple[float, list[tuple[str, int]], int]:
        async with couple() as two:
            two.peripheral.host.on_l2cap_pdu = lambda *_: None  # type: ignore[method-assign]
            began = now()
            with pytest.raises(PairingTimedOut):
                await two.central.device.pair(two.link)
            took = now() - began
            del two.peripheral.host.on_l2cap_pdu
            said = len(two.said)
            with pytest.raises(PairingTimedOut):
                await two.central.device.pair(two.link)
            two.other_link.send_l2cap_pdu(SMP, b"\x01\x03\x00\x09\x10\x03\x03")
            await asyncio.sleep(1)
            said_since = [line for line in two.said[said:] if line.split()[4] == "True"]
            failures = list(two.failures)
            await two.reconnect()
            await two.pair()
            return took, failures, len(said_since)

    took, failures, said_since = run(main())
    assert took == pytest.approx(30)
    assert failures == [("central", 0x08)]
    assert said_since == 1, "only what the test itself sent"


def test_the_side_that_is_asked_gives_up_after_30_s_too():
    async def main() -> tuple[float, list[tuple[str, int]]]:
        async with couple() as two:
            began = now()
            two.link.send_l2cap_pdu(SMP, b"\x01\x03\x00\x09\x10\x03\x03")
            two.central.host.on_l2cap_pdu = lambda *_: None  # type: ignore[method-assign]
            told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            two.other_link.once("pairing_failure", told.set_result)
            assert await told == 0x08
            return now() - began, two.failures

    took, failures = run(main())
    assert took == pytest.approx(30)
    assert failures == [("peripheral", 0x08)]


def test_each_command_gives_30_s_more():
    async def main() -> float:
        async with couple() as two:
            two.configure(PASSKEY, hesitation=20)
            began = now()
            await two.pair()
            return now() - began

    assert run(main()) > 40, "one hesitates to accept, the other to type"


def test_commands_of_no_pairing_are_not_answered():
    async def main() -> tuple[int, list[tuple[str, int]]]:
        async with couple() as two:
            for pdu in (b"\x03" + bytes(16), b"\x04" + bytes(16), b"\x05\x08", b"\x0d" + bytes(16)):
                two.link.send_l2cap_pdu(SMP, pdu)
            await asyncio.sleep(1)
            return len(two.said), two.failures

    assert run(main()) == (8, [])


def test_out_of_band_data_comes_from_the_seed():
    async def main() -> list[str]:
        async with couple() as two:
            ours = [station.security_manager.new_oob_context() for _, station in two.stations()]
            two.configure(
                oob=(
                    PairingConfig.OobConfig(ours[0], ours[1].share(), None),
                    PairingConfig.OobConfig(ours[1], ours[0].share(), None),
                )
            )
            await two.pair()
            assert two.link.is_encrypted
            await two.reconnect()
            legacy = two.central.security_manager.new_oob_legacy_context()
            shared = PairingConfig.OobConfig(None, None, legacy)
            two.configure(sc=False, oob=(shared, shared))
            await two.pair()
            assert two.link.is_encrypted
            return two.said

    assert run(main()) == run(main())


def test_made_up_passkeys_are_left_to_delegates_that_make_their_own():
    async def main() -> int | None:
        async with couple() as two:
            two.configure(PASSKEY)

            class Chooser(type(two.configs["peripheral"].delegate)):  # type: ignore[misc]
                async def generate_passkey(self) -> int:
                    return 0

            two.configs["peripheral"].delegate.__class__ = Chooser
            await two.pair()
            return two.central.security_manager.sessions[two.link.handle].passkey

    assert run(main()) == 0


def test_private_addresses_come_from_the_seed_and_resolve():
    async def main() -> list[str]:
        async with couple() as two:
            await two.link.disconnect()
            await asyncio.sleep(1)
            device = two.central.device
            seen = [await two.central.renew_address(private=True) for _ in range(3)]
            assert device.static_address != device.random_address
            resolver = smp.AddressResolver([(device.irk, device.static_address)])
            assert device.random_address.is_resolvable
            resolved = resolver.resolve(device.random_address)
            assert resolved is not None
            seen.append(str(resolved))
            return seen

    seen = run(main())
    assert len(set(seen)) == 4
    assert seen == run(main())
