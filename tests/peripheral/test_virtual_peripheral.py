"""The emulated device, seen by a central that shares no line with it."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zlib import crc32

import pytest

from bletest import profile
from bletest.att.handlers import AttRefusal
from bletest.errors import NotSeen, UnknownAttribute
from bletest.link import clock
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.characteristic import ServerCharacteristic, Trigger
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.raw_central import RawCentral

PROFILE = """
bletest: 1
name: bench_device
device: {name: Bench, mtu: 64, connections: 2}
advertising: {interval: 100ms, name: Bench}
security: {bonding: true, io: no_input_no_output}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: plain, properties: [read, write], value: {hex: 01 02}, length: {max: 4}}
      - {uuid: 0xFF02, id: ticker, properties: [notify], value: {hex: 00},
         notify: {every: 1s, values: {sequence: [{hex: 0A}, {hex: 0B}]}}}
      - {uuid: 0xFF03, id: secret, properties: [read], value: {hex: AA}, read: encrypted}
      - {uuid: 0xFF04, id: command, properties: [write], length: 1,
         on_write: [{match: 01, reply: {via: answer, hex: 99}}, {otherwise: true, error: 0x80}]}
      - {uuid: 0xFF05, id: answer, properties: [indicate], value: {hex: 00}, length: {max: 8}}
"""


@asynccontextmanager
async def emulated(text: str = PROFILE) -> AsyncIterator[tuple[VirtualLink, VirtualPeripheral]]:
    link = VirtualLink(seed=1)
    station = await open_station(link, name="device", address=None, rng=random.Random(1))
    peripheral = VirtualPeripheral(profile.loads(text))
    await peripheral.start(station)
    yield link, peripheral
    await peripheral.stop()
    await station.close()


def handle(peripheral: VirtualPeripheral, name: str) -> bytes:
    return peripheral[name].attribute.value.handle.to_bytes(2, "little")


def cccd(peripheral: VirtualPeripheral, name: str) -> bytes:
    attribute = peripheral[name].attribute.cccd
    assert attribute is not None
    return attribute.handle.to_bytes(2, "little")


def test_gap_and_gatt_come_first_in_the_table() -> None:
    async def main() -> None:
        async with (
            emulated() as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            services = await central.request(bytes.fromhex("10 0100 ffff 0028"))
            assert services is not None
            assert services[1] == 6
            assert [services[at + 4 : at + 6].hex() for at in (2, 8, 14)] == [
                "0018",
                "0118",
                "00ff",
            ]
            assert await central.request(b"\x0a\x03\x00") == b"\x0bBench"

    clock.run(main())


def test_a_value_is_read_written_and_seen_by_a_waiting_test() -> None:
    async def main() -> None:
        async with (
            emulated() as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            plain = handle(peripheral, "plain")
            assert await central.request(b"\x0a" + plain) == b"\x0b\x01\x02"
            assert await central.request(b"\x12" + plain + b"\x07") == b"\x13"
            assert await peripheral.wait_written("plain") == b"\x07"
            assert peripheral["plain"].value() == b"\x07"
            assert await peripheral.wait_read("plain") == "F0:00:00:00:00:01"
            assert peripheral["plain"].events() == Trigger.READ | Trigger.WRITE
            assert peripheral["plain"].events() == Trigger(0)
            # five octets do not fit a characteristic of four
            assert (
                await central.request(b"\x12" + plain + bytes(5)) == b"\x01\x12" + plain + b"\x0d"
            )

    clock.run(main())


def test_a_schedule_counts_from_the_subscription_and_ends_with_it() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with (
            emulated() as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            ticker = handle(peripheral, "ticker")
            assert await central.notification(within=3) is None
            assert (
                await central.request(b"\x12" + cccd(peripheral, "ticker") + b"\x01\x00") == b"\x13"
            )
            start = loop.time()
            for value in (b"\x0a", b"\x0b", b"\x0a"):
                assert await central.notification() == b"\x1b" + ticker + value
            assert loop.time() - start == pytest.approx(3.0, abs=0.01)
            await central.request(b"\x12" + cccd(peripheral, "ticker") + b"\x00\x00")
            assert await central.notification(within=5) is None
            assert await peripheral.wait_unsubscribed("ticker") == "F0:00:00:00:00:01"

    clock.run(main())


def test_a_protected_value_is_given_after_pairing_and_no_sooner() -> None:
    async def main() -> None:
        async with (
            emulated() as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            secret = handle(peripheral, "secret")
            assert await central.request(b"\x0a" + secret) == b"\x01\x0a" + secret + b"\x05"
            await central.connection.pair()
            assert await central.request(b"\x0a" + secret) == b"\x0b\xaa"
            await central.disconnect()
            await central.connect()
            # bonded, but this link is plain: encryption is what lacks now
            assert await central.request(b"\x0a" + secret) == b"\x01\x0a" + secret + b"\x0f"
            await central.connection.encrypt()
            assert await central.request(b"\x0a" + secret) == b"\x0b\xaa"

    clock.run(main())


def test_a_rule_refuses_or_answers_through_another_characteristic() -> None:
    async def main() -> None:
        async with (
            emulated() as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            command, answer = handle(peripheral, "command"), handle(peripheral, "answer")
            refused = b"\x01\x12" + command + b"\x80"
            assert await central.request(b"\x12" + command + b"\x02") == refused
            assert await central.request(b"\x12" + command + b"\x01") == b"\x13"
            assert await central.notification(within=1) is None  # nobody subscribed yet
            await central.request(b"\x12" + cccd(peripheral, "answer") + b"\x02\x00")
            assert await central.request(b"\x12" + command + b"\x01") == b"\x13"
            assert await central.notification() == b"\x1d" + answer + b"\x99"
            central.send(b"\x1e")

    clock.run(main())


PROTOCOL = """\
bletest: 1
name: bench
device: {name: Bench}
state: {phase: idle}
services:
  - uuid: 0xFF00
    characteristics:
      - uuid: 0xFF01
        id: control
        properties: [write, notify]
        on_write:
          - {match: 01, reply: {via: control, bytes: [{random: 4, as: nonce}]}, set: {phase: asked},
             expires: 2s}
          - match: [02, {field: sum, length: 4}]
            when: {phase: asked}
            verify: {crc32: {over: nonce, equals: sum}}
            then: {reply: {via: control, bytes: 00, to: subscribers}}
            else: {disconnect: true, after: 1s}
          - match: [03, {field: mac, length: 16}]
            verify: {aes_cmac: {key: {env: BLETEST_NO_SUCH_KEY}, over: mac, equals: mac}}
            then: {disconnect: true}
          - {otherwise: true, error: 0x80}
"""


def test_a_protocol_remembers_what_it_asked_and_forgets_it_in_time() -> None:
    async def main() -> None:
        async with (
            emulated(PROTOCOL) as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            control = handle(peripheral, "control")

            async def challenge() -> bytes:
                assert await central.request(b"\x12" + control + b"\x01") == b"\x13"
                pdu = await central.notification()
                assert pdu is not None
                assert len(pdu) == 7
                return b"\x12" + control + b"\x02" + crc32(pdu[3:]).to_bytes(4, "little")

            await central.request(b"\x12" + cccd(peripheral, "control") + b"\x01\x00")
            refused = b"\x01\x12" + control + b"\x80"
            first = await challenge()
            assert await central.request(first) == b"\x13"
            assert await central.notification() == b"\x1b" + control + b"\x00"
            second = await challenge()
            assert second != first
            await asyncio.sleep(2)
            assert await central.request(second) == refused
            await challenge()
            await central.disconnect()
            await central.connect()
            assert await central.request(second) == refused

    clock.run(main())


def test_a_rule_ends_the_link_when_it_says_and_not_before_the_response() -> None:
    async def main() -> None:
        async with (
            emulated(PROTOCOL) as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            control = handle(peripheral, "control")
            await central.request(b"\x12" + control + b"\x01")
            start = asyncio.get_running_loop().time()
            assert await central.request(b"\x12" + control + b"\x02" + bytes(4)) == b"\x13"
            await peripheral.wait_disconnected()
            assert asyncio.get_running_loop().time() - start == pytest.approx(1.0, abs=0.01)

    clock.run(main())


def test_without_its_key_a_device_answers_that_something_unlikely_happened() -> None:
    async def main() -> None:
        async with (
            emulated(PROTOCOL) as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            control = handle(peripheral, "control")
            answer = await central.request(b"\x12" + control + b"\x03" + bytes(16))
            assert answer == b"\x01\x12" + control + b"\x0e"
            assert peripheral.failures == []

    clock.run(main())


def test_a_callback_answers_this_read_only_and_may_be_a_coroutine() -> None:
    async def main() -> None:
        async def late(characteristic: ServerCharacteristic) -> str:
            await asyncio.sleep(2)
            return "late"

        async with (
            emulated() as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            plain = handle(peripheral, "plain")
            peripheral["plain"].callback(Trigger.READ, late)
            assert await central.request(b"\x0a" + plain) == b"\x0blate"
            peripheral["plain"].callback(Trigger.READ, lambda given: given, 0x1234)
            assert await central.request(b"\x0a" + plain) == b"\x0b\x12\x34"
            peripheral["plain"].callback(None)
            assert await central.request(b"\x0a" + plain) == b"\x0b\x01\x02"

    clock.run(main())


def test_a_callback_that_refuses_a_write_leaves_the_old_value() -> None:
    async def main() -> None:
        def refuse(characteristic: ServerCharacteristic) -> None:
            assert characteristic.value() == b"\x07"  # the handler sees what was written
            raise AttRefusal(0x81)

        async with (
            emulated() as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            plain = handle(peripheral, "plain")
            peripheral["plain"].callback(Trigger.WRITE, refuse)
            answer = await central.request(b"\x12" + plain + b"\x07")
            assert answer == b"\x01\x12" + plain + b"\x81"
            assert peripheral["plain"].value() == b"\x01\x02"
            assert peripheral.failures == []

    clock.run(main())


def test_a_callback_that_raises_is_answered_with_0x0e_and_kept() -> None:
    async def main() -> None:
        async def broken(characteristic: ServerCharacteristic) -> None:
            raise RuntimeError("the sensor is on fire")

        async with (
            emulated() as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            plain = handle(peripheral, "plain")
            for trigger in (Trigger.READ, Trigger.WRITE):
                peripheral["plain"].callback(trigger, broken)
                opcode = b"\x0a" if trigger is Trigger.READ else b"\x12"
                answer = await central.request(opcode + plain)
                assert answer == b"\x01" + opcode + plain + b"\x0e"
            assert [str(error) for error in peripheral.failures] == ["the sensor is on fire"] * 2
            assert peripheral["plain"].value() == b"\x01\x02"

    clock.run(main())


def test_a_new_value_is_sent_to_whoever_subscribed() -> None:
    async def main() -> None:
        async with (
            emulated() as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            answer = handle(peripheral, "answer")
            await central.request(b"\x12" + cccd(peripheral, "answer") + b"\x02\x00")
            peripheral["answer"].value(0x0102)
            peripheral["answer"].value("two")
            assert await central.notification() == b"\x1d" + answer + b"\x02\x01"
            assert await central.notification(within=1) is None  # one unconfirmed at a time
            central.send(b"\x1e")
            assert await central.notification() == b"\x1d" + answer + b"two"

    clock.run(main())


def test_it_serves_as_many_clients_as_the_profile_says_and_advertises_again_after_one_left() -> (
    None
):
    async def main() -> None:
        async with emulated() as (link, peripheral):
            first = RawCentral(link, peripheral.address, address="F0:00:00:00:00:01")
            second = RawCentral(link, peripheral.address, address="F0:00:00:00:00:02")
            third = RawCentral(link, peripheral.address, address="F0:00:00:00:00:03")
            async with first, second:
                assert len(peripheral.clients) == 2
                connecting = asyncio.create_task(third.__aenter__())
                await asyncio.sleep(5)
                assert not connecting.done()
                await first.disconnect()
                await connecting
                assert peripheral.clients == ("F0:00:00:00:00:02", "F0:00:00:00:00:03")
                await third.disconnect()

    clock.run(main())


def test_a_reset_drops_links_and_restores_values() -> None:
    async def main() -> None:
        async with (
            emulated() as (link, peripheral),
            RawCentral(link, peripheral.address) as central,
        ):
            plain = handle(peripheral, "plain")
            await central.request(b"\x12" + plain + b"\x07")
            await peripheral.reset()
            await asyncio.sleep(0.5)
            assert not central.device.connections
            await central.connect()
            assert await central.request(b"\x0a" + plain) == b"\x0b\x01\x02"

    clock.run(main())


def test_what_was_waited_for_in_vain_is_told_with_its_name() -> None:
    async def main() -> None:
        async with emulated() as (_, peripheral):
            with pytest.raises(NotSeen, match="no write of 0xFF00/plain in 2 s"):
                await peripheral.wait_written("plain", within=2)

    clock.run(main())


def test_an_unknown_characteristic_is_answered_with_the_nearest() -> None:
    async def main() -> None:
        async with emulated() as (_, peripheral):
            with pytest.raises(UnknownAttribute, match='did you mean "ticker"'):
                peripheral["tickr"]

    clock.run(main())
