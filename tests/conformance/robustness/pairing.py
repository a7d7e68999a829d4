"""SMP: commands that are unknown, malformed, early, or of a pairing that cannot be."""

import asyncio

from tests.conformance.official.lab import Lab, Tester
from tests.conformance.robustness.att_pdus import serves
from tests.conformance.robustness.registry import case
from tests.support import raw_smp
from tests.support.raw_smp import FAILED, RawPairing

PATIENCE = 300.0
"""Seconds after which no device holds an earlier failure against us."""

SIZES = {0x01: 7, 0x03: 17, 0x04: 17, 0x05: 2, 0x06: 17, 0x07: 11, 0x08: 17, 0x09: 8}
SIZES |= {0x0A: 17, 0x0C: 65, 0x0D: 17}
"""Octets of each command that a central sends."""


async def pairs(tester: Tester, *, sc: bool = True) -> None:
    """After some time the device pairs with this tester as with any other, on the same link."""
    await asyncio.sleep(PATIENCE)
    assert tester.is_connected
    with RawPairing(tester, sc=sc) as pairing:
        await pairing.pair()


async def refused_or_ignored(pairing: RawPairing, pdu: bytes, *reasons: int) -> int | None:
    """A command leads to Pairing Failed, or to nothing; return the reason."""
    answer = await pairing.say(pdu, within=1)
    if answer is None:
        return None
    assert (answer[0], len(answer)) == (FAILED, 2), f"{pdu.hex()}: {answer.hex()}"
    assert not reasons or answer[1] in reasons, answer.hex()
    return answer[1]


@case("smp_unknown_code")
async def unknown_code(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        for code in (0x00, 0x0F, 0x10, 0x40, 0x7F, 0x80, 0xFF):
            for size in (0, 1, 16):
                pairing.send(bytes((code,)) + bytes(size))
        assert await pairing.next(within=2) is None
        # In the middle of a pairing they are ignored as well.
        await pairing.negotiate()
        pairing.send(b"\x0f\x01")
        pairing.send(b"\xff")
        await pairing.go(*pairing.steps()[1:])
        assert await pairing.encrypt(pairing.key) == 0
    await serves(tester)


@case("smp_truncated_or_empty")
async def truncated(lab: Lab) -> None:
    tester = await lab.tester()
    with RawPairing(tester) as pairing:
        pairing.send(b"")
        assert await pairing.next(within=1) is None
        for code, size in SIZES.items():
            for length in sorted({1, size // 2, size - 1} - {0}):
                pdu = (bytes((code,)) + b"\x03\x00\x01\x10" + bytes(60))[:length]
                await refused_or_ignored(pairing, pdu, 0x0A, 0x08, 0x09)
                await asyncio.sleep(PATIENCE)
    await serves(tester)
    await pairs(tester)


@case("smp_out_of_order")
async def out_of_order(lab: Lab) -> None:
    tester = await lab.tester()
    public_key = raw_smp.KeyPair(77)
    early = (
        b"\x03" + bytes(16),
        b"\x04" + bytes(16),
        b"\x0d" + bytes(16),
        b"\x0c" + public_key.x + public_key.y,
        b"\x06" + bytes(16),
        b"\x07" + bytes(10),
        b"\x08" + bytes(16),
        b"\x0a" + bytes(16),
        b"\x02\x03\x00\x01\x10\x00\x00",
    )
    with RawPairing(tester) as pairing:
        for pdu in early:
            await refused_or_ignored(pairing, pdu)
    # The same where a pairing has begun, and waits for something else.
    for pdu in early:
        for sc in (True, False):
            is_next = (0x0C if sc else 0x03) == pdu[0]
            if is_next:
                continue
            await asyncio.sleep(PATIENCE)
            with RawPairing(tester, sc=sc) as pairing:
                await pairing.negotiate()
                await refused_or_ignored(pairing, pdu)
                assert await pairing.encrypt(bytes(16)) != 0
                if not tester.is_connected:
                    await tester.connect()
                pairing.send(b"\x05\x08")
    await serves(tester)
    await pairs(tester)


async def key_size_refused(lab: Lab, sizes: tuple[int, ...], reason: int) -> None:
    """Each of these maximum key sizes is refused for that reason; 7 and 16 are not."""
    for number, size in enumerate(sizes):
        tester = await lab.tester(1 + number % 3, discover=False)
        with RawPairing(tester, key_size=size, sc=bool(number % 2)) as pairing:
            assert await pairing.say(pairing.request) == bytes((FAILED, reason))
            assert await pairing.encrypt(bytes(16)) != 0
        await lab.dismiss()
        await asyncio.sleep(PATIENCE)
    for size in (7, 16):
        tester = await lab.tester(size)
        with RawPairing(tester, key_size=size) as pairing:
            await pairing.pair()
        await lab.dismiss()


@case("smp_key_size_low")
async def key_size_low(lab: Lab) -> None:
    await key_size_refused(lab, tuple(range(7)), 0x06)


@case("smp_key_size_high")
async def key_size_high(lab: Lab) -> None:
    await key_size_refused(lab, (17, 32, 128, 255), 0x0A)


async def fail_once(pairing: RawPairing) -> None:
    """Have a pairing fail by a wrong check."""
    await pairing.go(*pairing.steps()[1:-1])
    pairing.send(b"\x0d" + bytes(16))
    assert await pairing.refused() == 0x0B


@case("smp_repeated_attempts")
async def repeated_attempts(lab: Lab) -> None:
    tester = await lab.tester()
    waits: list[float] = []
    loop = asyncio.get_running_loop()
    for _ in range(8):
        began = loop.time()
        while True:
            with RawPairing(tester) as pairing:
                answer = await pairing.say(pairing.request)
                assert answer is not None
                if answer[0] == raw_smp.RESPONSE:
                    pairing.response = answer
                    waits.append(loop.time() - began)
                    await fail_once(pairing)
                    break
                assert answer == b"\x05\x09", answer.hex()
            await asyncio.sleep(0.1 + (loop.time() - began) / 10)
            assert loop.time() - began < 3600
    grown = [one for one in waits if one > 0]
    assert len(grown) >= 3, "the device never said Repeated Attempts"
    assert grown == sorted(grown)
    assert grown[-1] > 2 * grown[0]
    # It is this client that has to wait, and not for ever.
    other = await lab.tester(2)
    with RawPairing(other) as pairing:
        await pairing.pair()
    await asyncio.sleep(3600)
    await pairs(tester)


@case("smp_timeout")
async def timeout(lab: Lab) -> None:
    for number, sc in enumerate((True, False)):
        tester = await lab.tester(number + 1)
        for silent_after in range(1, 3):
            with RawPairing(tester, sc=sc) as pairing:
                await pairing.go(*pairing.steps()[:silent_after])
                await asyncio.sleep(31)
                while await pairing.next(within=0.1) is not None:
                    pass  # a commitment that was on its way, or word of the end
                for pdu in (pairing.request, b"\x03" + bytes(16), b"\x04" + bytes(16)):
                    assert await pairing.say(pdu, within=2) is None, "SMP goes on"
            await serves(tester)
            await tester.disconnect()
            await asyncio.sleep(PATIENCE)
            await tester.connect()
        await pairs(tester, sc=sc)
