"""L2CAP: channels nobody has, signalling that makes no sense, channels with bad parameters."""

import asyncio

from tests.conformance.official.lab import Lab, Tester, u16
from tests.conformance.robustness.att_pdus import serves
from tests.conformance.robustness.registry import case

SIGNALLING = 5
EATT = 0x27
REJECT, CLOSE, CONNECTED, ENHANCED = 0x01, 0x06, 0x15, 0x18


@case("l2cap_unknown_cid")
async def unknown_cid(lab: Lab) -> None:
    tester = await lab.tester()
    cids = (0x0001, 0x0002, 0x0003, 0x0007, 0x0020, 0x003F, 0x0040, 0x007F, 0x0080, 0xFFFF)
    with tester.taking(*cids) as taken:
        for cid in cids:
            for payload in (b"", b"\x0a\x03\x00", bytes(60)):
                tester.send_frame(cid, payload)
        await tester.quiet()
        assert taken.empty()
    await serves(tester)


class Signalling:
    """Sends signalling commands, and takes what comes back."""

    def __init__(self, tester: Tester, taken: "asyncio.Queue[tuple[int, bytes]]") -> None:
        self._tester = tester
        self._taken = taken
        self._identifier = 0

    def frame(self, code: int, data: bytes, *, length: int | None = None) -> bytes:
        """A signalling command with an identifier of its own."""
        self._identifier += 1
        size = len(data) if length is None else length
        return bytes((code, self._identifier)) + u16(size) + data

    def send(self, frame: bytes) -> None:
        """Send any octets."""
        self._tester.send_frame(SIGNALLING, frame)

    async def next(self, within: float = 2.0) -> bytes | None:
        """The next command of the device, None for silence."""
        try:
            async with asyncio.timeout(within):
                return (await self._taken.get())[1]
        except TimeoutError:
            return None

    async def ask(self, code: int, data: bytes) -> bytes | None:
        """Send a command, and return what answers it."""
        frame = self.frame(code, data)
        self.send(frame)
        answer = await self.next()
        assert answer is None or answer[1] == frame[1], answer.hex()
        return answer


@case("l2cap_sig_unknown")
async def unknown_signalling(lab: Lab) -> None:
    tester = await lab.tester()
    with tester.taking(SIGNALLING) as taken:
        signalling = Signalling(tester, taken)
        # Commands that LE does not have, too: 0x08 is an Echo Request, 0x0A asks for information.
        for code in (0x00, 0x1B, 0x20, 0x7F, 0xFF):
            answer = await signalling.ask(code, b"\x01\x02")
            assert answer is None or answer[0] == REJECT, f"{code:02X}: {answer.hex()}"
        for frame in (
            b"",
            b"\x12",
            signalling.frame(0x12, b"\x06\x00", length=8),
            signalling.frame(0x14, bytes(10), length=200),
            signalling.frame(0x1B, b"", length=0) + signalling.frame(0x1C, b""),
        ):
            signalling.send(frame)
            while (answer := await signalling.next()) is not None:
                assert answer[0] in (REJECT, 0x13, CONNECTED), answer.hex()
    await serves(tester)


async def refused(signalling: Signalling, code: int, data: bytes) -> None:
    """A request for channels is answered, and none comes to be."""
    answer = await signalling.ask(code, data)
    assert answer is not None, "no answer"
    if answer[0] == REJECT:
        return
    assert answer[0] == code + 1, answer.hex()
    if code == 0x14:
        assert int.from_bytes(answer[12:14], "little") != 0, answer.hex()
    else:
        assert int.from_bytes(answer[10:12], "little") != 0, answer.hex()
        assert not any(answer[12:]), answer.hex()


@case("l2cap_coc_abuse")
async def channel_abuse(lab: Lab) -> None:
    tester = await lab.tester()
    with tester.taking(SIGNALLING) as taken:
        signalling = Signalling(tester, taken)
        for spsm in (0x0000, 0x0080, 0x00FF, 0x0100, 0xFFFF):
            sound = u16(spsm) + u16(0x40) + u16(64) + u16(64) + u16(1)
            await refused(signalling, 0x14, sound)
            await refused(signalling, 0x17, u16(spsm) + u16(64) + u16(64) + u16(1) + u16(0x40))
        # EATT on a link that is not encrypted (Vol 3, Part G, 5.3.2)
        sound = u16(EATT) + u16(64) + u16(64) + u16(8)
        await refused(signalling, 0x17, sound + u16(0x40))
    await tester.pair()
    with tester.taking(SIGNALLING) as taken:
        signalling = Signalling(tester, taken)
        cid = u16(0x40)
        for mtu, mps, credits in ((22, 64, 1), (64, 22, 1), (0, 0, 1), (63, 63, 1), (64, 64, 0)):
            await refused(signalling, 0x17, u16(EATT) + u16(mtu) + u16(mps) + u16(credits) + cid)
        for mtu, mps in ((22, 64), (64, 22)):
            await refused(signalling, 0x14, u16(EATT) + u16(0x40) + u16(mtu) + u16(mps) + u16(1))
        # No CID at all, CIDs out of range, more than five.
        for cids in ((), (0x0004,), (0x0000,), tuple(range(0x40, 0x46))):
            await refused(signalling, 0x17, sound + b"".join(map(u16, cids)))
        # Credits beyond 65,535 close the channel, which is ours to open first (4.24).
        answer = await signalling.ask(0x17, u16(EATT) + u16(64) + u16(64) + u16(0xFFFF) + cid)
        assert answer is not None
        assert (answer[0], answer[10:12]) == (ENHANCED, b"\x00\x00")
        theirs = answer[12:14]
        signalling.send(signalling.frame(0x16, u16(0x40) + u16(1)))
        closing = await signalling.next()
        assert closing is not None, "the channel stays open"
        assert closing[0] == CLOSE
        assert closing[4:6] + closing[6:8] == u16(0x40) + theirs
        signalling.send(bytes((0x07, closing[1])) + closing[2:])
    await serves(tester)
