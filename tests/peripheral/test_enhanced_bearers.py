"""Enhanced ATT bearers of the emulated device, opened by a central that shares no line with it."""

import asyncio
import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bumble import l2cap

from bletest import profile
from bletest.link import clock
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.characteristic import Trigger
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.raw_central import EATT_PSM, RawCentral

PROFILE = """
bletest: 1
name: enhanced
device: {name: Enhanced, mtu: 100, gatt: {eatt: GATT}}
security: {bonding: true}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: long, properties: [read, write], value: {text: LONG}, length: {max: 200}}
""".replace("LONG", "0123456789" * 15)
SIGNALLING = 0x0005
LONG = b"0123456789" * 15


@asynccontextmanager
async def emulated(
    *, eatt: bool = True, pair: bool = True
) -> AsyncIterator[tuple[VirtualPeripheral, RawCentral, bytes]]:
    link = VirtualLink(seed=1)
    station = await open_station(link, name="device", address=None, rng=random.Random(1))
    peripheral = VirtualPeripheral(profile.loads(PROFILE.replace("GATT", str(eatt).lower())))
    await peripheral.start(station)
    handle = peripheral["long"].attribute.value.handle.to_bytes(2, "little")
    async with RawCentral(link, peripheral.address) as central:
        if pair:
            await central.pair()
        yield peripheral, central, handle
    await peripheral.stop()
    await station.close()


class Signals:
    """L2CAP signalling by hand."""

    def __init__(self, central: RawCentral) -> None:
        self.central = central
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()
        manager = central.device.l2cap_channel_manager
        manager.on_control_frame = lambda _connection, _cid, frame: self.answers.put_nowait(
            bytes(frame)
        )

    async def ask(self, code: int, payload: bytes) -> bytes:
        """Send a request, and return the payload of its response."""
        frame = bytes((code, 9)) + len(payload).to_bytes(2, "little") + payload
        handle = self.central.connection.handle
        self.central.device.send_l2cap_pdu(handle, SIGNALLING, frame)
        async with asyncio.timeout(5):
            answer = await self.answers.get()
        assert answer[:2] == bytes((code + 1, 9))
        return answer[4:]

    async def connect(
        self, *cids: int, mtu: int = 64, mps: int = 64, credits: int = 5, spsm: int = EATT_PSM
    ) -> tuple[int, list[int]]:
        """Ask for channels; return the result and the CIDs of the device."""
        fields = (spsm, mtu, mps, credits, *cids)
        answer = await self.ask(0x17, struct.pack(f"<{len(fields)}H", *fields))
        _, _, _, result, *theirs = struct.unpack(f"<{len(answer) // 2}H", answer)
        return result, theirs

    async def reconfigure(self, mtu: int, mps: int, *cids: int) -> int:
        """Ask for other sizes; return the result."""
        answer = await self.ask(0x19, struct.pack(f"<2H{len(cids)}H", mtu, mps, *cids))
        return int.from_bytes(answer, "little")


def test_a_link_that_is_not_encrypted_has_none():
    async def main():
        async with emulated(pair=False) as (_, central, handle):
            with pytest.raises(l2cap.L2capError) as stranger:
                await central.open_enhanced(1)
            await central.pair()
            await central.disconnect()
            await central.connect()
            with pytest.raises(l2cap.L2capError) as bonded:
                await central.open_enhanced(2)
            await central.encrypt()
            (bearer,) = await central.open_enhanced(1)
            assert await bearer.request(b"\x0a" + handle) == b"\x0b" + LONG[:63]
            return stranger.value.error_code, bonded.value.error_code

    assert clock.run(main()) == (0x0005, 0x0008)


def test_a_device_that_does_not_offer_them_knows_no_such_spsm():
    async def main():
        async with emulated(eatt=False) as (_, central, _handle):
            return await Signals(central).connect(0x40)

    assert clock.run(main())[0] == 0x0002


@pytest.mark.parametrize(
    ("request_", "result", "opened"),
    [
        ({"cids": (0x40, 0x41)}, 0x0000, [True, True]),
        ({"cids": (0x40, 0x41, 0x42, 0x43, 0x44)}, 0x0000, [True] * 5),
        ({"cids": (0x40, 0x41, 0x42, 0x43, 0x44, 0x45)}, 0x000C, [False] * 6),
        ({"cids": ()}, 0x000C, []),
        ({"cids": (0x40,), "mtu": 63}, 0x000C, [False]),
        ({"cids": (0x40,), "mps": 63}, 0x000C, [False]),
        ({"cids": (0x40,), "credits": 0}, 0x000C, [False]),
        ({"cids": (0x40, 0x3F)}, 0x0009, [True, False]),
        ({"cids": (0x40, 0x40)}, 0x000A, [True, False]),
    ],
)
def test_parameters_decide_what_is_opened(request_, result, opened):
    async def main():
        async with emulated() as (_, central, _handle):
            cids = request_.pop("cids")
            return await Signals(central).connect(*cids, **request_)

    request_ = dict(request_)
    found, theirs = clock.run(main())
    assert found == result
    assert [bool(cid) for cid in theirs] == opened
    assert len(set(theirs) - {0}) == sum(opened)


def test_a_channel_that_was_closed_can_be_opened_again():
    async def main():
        async with emulated() as (peripheral, central, handle):
            for _ in range(3):
                first, second = await central.open_enhanced(2)
                assert await first.request(b"\x0a" + handle) == b"\x0b" + LONG[:63]
                await first.close()
                assert await second.request(b"\x0a" + handle) == b"\x0b" + LONG[:63]
                await second.close()
                assert len(peripheral.server.bearers) == 1

    clock.run(main())


def test_each_pdu_is_one_sdu_even_when_credits_have_run_out():
    async def main():
        async with emulated() as (_, central, handle):
            (bearer,) = await central.open_enhanced(1, credits=2)
            channel = bearer.channel
            # A response takes two frames. The central gives no more credits until it is told to.
            give, channel.send_control_frame = channel.send_control_frame, lambda _frame: None
            for _ in range(4):
                bearer.send(b"\x0a" + handle)
            assert await bearer.next() == b"\x0b" + LONG[:63]
            assert await bearer.next(within=1) is None
            give(
                l2cap.L2CAP_LE_Flow_Control_Credit(identifier=7, cid=channel.source_cid, credits=9)
            )
            return [await bearer.next() for _ in range(3)]

    assert clock.run(main()) == [b"\x0b" + LONG[:63]] * 3


def test_reconfiguration_raises_the_mtu_of_the_bearer():
    async def main():
        async with emulated() as (_, central, handle):
            bearers = await central.open_enhanced(2)
            cids = [bearer.channel.source_cid for bearer in bearers]
            signals = Signals(central)
            results = [
                await signals.reconfigure(90, 90, *cids),
                await signals.reconfigure(80, 90, cids[0]),
                await signals.reconfigure(90, 80, *cids),
                await signals.reconfigure(90, 80, cids[0]),
                await signals.reconfigure(95, 95, 0x7F),
                await signals.reconfigure(90, 63, cids[0]),
                await signals.reconfigure(500, 500, cids[1]),
            ]
            for bearer, octets in zip(bearers, (89, 99), strict=True):
                bearer.channel.mtu = 500
                bearer.channel.peer_mtu = 100
                assert await bearer.request(b"\x0a" + handle) == b"\x0b" + LONG[:octets]
            return results

    assert clock.run(main()) == [0, 1, 2, 0, 3, 4, 0]


def test_a_slow_handler_answers_on_the_bearer_that_asked():
    async def main():
        async with emulated() as (peripheral, central, handle):
            (bearer,) = await central.open_enhanced(1)

            async def slow(_: object) -> bytes:
                await asyncio.sleep(3)
                return b"late"

            peripheral["long"].callback(Trigger.READ, slow)
            bearer.send(b"\x0a" + handle)
            # The other bearer is free meanwhile.
            assert await central.request(b"\x04\x01\x00\x01\x00") == b"\x05\x01\x01\x00\x00\x28"
            assert await bearer.next() == b"\x0blate"
            assert await central.response(within=5) is None

    clock.run(main())


def test_bearers_end_with_the_link_and_with_the_device():
    async def main():
        async with emulated() as (peripheral, central, handle):
            await central.open_enhanced(3)
            assert len(peripheral.server.bearers) == 4
            await central.disconnect()
            assert peripheral.server.bearers == ()
            await central.connect()
            await central.encrypt()
            await central.open_enhanced(1)
            await peripheral.reset()
            assert peripheral.server.bearers == ()
            await central.connect()
            await central.encrypt()
            (bearer,) = await central.open_enhanced(1)
            assert await bearer.request(b"\x0a" + handle) == b"\x0b" + LONG[:63]

    clock.run(main())
