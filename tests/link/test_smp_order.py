"""What may come next in a pairing, who has to wait before another, and what is no public key."""

import asyncio
from itertools import pairwise

import pytest
from bumble.smp import CommandCode, PairingMethod

from bletest.link import smp_order
from bletest.link.clock import run
from bletest.link.smp_attempts import LONGEST_WAIT, Attempts
from tests.link.pairing import PASSKEY, couple

SMP = 0x06


def wait_of(attempts: Attempts, peer: str, now: float) -> float:
    waited = 0.0
    while attempts.must_wait(peer, now + waited):
        waited += 0.05
    return waited


def test_each_wait_is_longer_than_the_one_before_up_to_a_minute():
    attempts, now, waits = Attempts(), 100.0, []
    for _ in range(14):
        attempts.failed("A", now)
        waits.append(wait_of(attempts, "A", now))
        now += waits[-1]
    assert waits == sorted(waits)
    assert waits[1] == pytest.approx(2 * waits[0], abs=0.05)
    assert waits[-1] == pytest.approx(LONGEST_WAIT, abs=0.1)


def test_only_who_failed_has_to_wait_and_success_forgives():
    attempts = Attempts()
    attempts.failed("A", 1.0)
    assert not attempts.must_wait("B", 1.0)
    assert attempts.must_wait("A", 1.0)
    attempts.succeeded("A")
    assert not attempts.must_wait("A", 1.0)


def test_failures_of_long_ago_do_not_count():
    attempts = Attempts()
    for _ in range(5):
        attempts.failed("A", 1.0)
    attempts.failed("A", 1.0 + 10 * LONGEST_WAIT)
    assert wait_of(attempts, "A", 1.0 + 10 * LONGEST_WAIT) < 0.2


def test_passkeys_are_twenty_commitments_and_nonces():
    order = list(smp_order.phase_2(PairingMethod.PASSKEY, sc=True, is_initiator=False))
    assert order[0] == CommandCode.PAIRING_PUBLIC_KEY
    assert order[-1] == CommandCode.PAIRING_DHKEY_CHECK
    assert len(order) == 42
    assert all(one != other for one, other in pairwise(order))


@pytest.mark.parametrize("method", list(PairingMethod)[:4])
@pytest.mark.parametrize("sc", [True, False])
def test_nothing_is_due_after_the_end_of_phase_2(method, sc):
    order = list(smp_order.phase_2(method, sc=sc, is_initiator=True))
    due = smp_order.next_of_phase_2(method, len(order), sc=sc, is_initiator=True)
    assert due is None


def test_a_command_out_of_turn_ends_a_pairing_by_passkey_too():
    async def main() -> list[tuple[str, int]]:
        async with couple() as two:
            two.configure(PASSKEY, hesitation=5)
            pairing = asyncio.ensure_future(two.central.device.pair(two.link))
            await asyncio.sleep(7)
            two.link.send_l2cap_pdu(SMP, b"\x0d" + bytes(16))
            await asyncio.wait([pairing])
            assert pairing.exception() is not None
            return two.failures

    assert sorted(run(main())) == [("central", 0x08), ("peripheral", 0x08)]
