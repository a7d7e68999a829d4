"""What the code of an emulated device is called for, beside reads and writes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bletest.errors import NotSeen
from bletest.link import clock
from bletest.peripheral import hooks
from bletest.peripheral.hooks import Disconnected, Subscribed
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.peripheral.waits import KEPT, Occurrences
from tests.peripheral.devices import CLIENT, cccd, device_and_central, handle
from tests.support.raw_central import RawCentral

PROFILE = """
bletest: 1
name: bench_device
device: {name: Bench, mtu: 64, gatt: {service_changed: true}}
security: {bonding: true}
services:
  - uuid: 0xFF00
    id: main
    characteristics:
      - {uuid: 0xFF01, id: ticker, properties: [read, notify], value: {hex: 01}, length: {max: 4}}
      - {uuid: 0xFF02, id: alarm, properties: [read, indicate], value: {hex: 02}}
"""
READ, WRITE = b"\x0a", b"\x12"
NOTIFY, INDICATE, NOTHING = b"\x01\x00", b"\x02\x00", b"\x00\x00"


def on_air(
    test: Callable[[VirtualPeripheral, RawCentral], Awaitable[None]], *failures: type[Exception]
) -> None:
    """Run a test; the code of its device raises exactly these."""

    async def main() -> None:
        async with device_and_central(PROFILE) as (peripheral, central):
            await test(peripheral, central)
            assert [type(error) for error in peripheral.failures] == [*failures]

    clock.run(main())


def watch(peripheral: VirtualPeripheral) -> list[hooks.ClientEvent]:
    """Collect everything that the device can be called for."""
    seen: list[Any] = []
    for name in ("connect", "disconnect", "mtu", "pairing", "subscribe", "unsubscribe"):
        assert getattr(peripheral, f"on_{name}")(seen.append) == seen.append
    peripheral.on_confirmation(seen.append)
    return seen


def test_every_hook_is_called_once_in_order_with_what_happened() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        seen = watch(peripheral)
        ticker, alarm = peripheral["ticker"], peripheral["alarm"]
        await central.disconnect()
        await central.connect()
        await central.request(b"\x02\x00\x01")
        await central.request(WRITE + cccd(peripheral, "ticker") + NOTIFY)
        await central.request(WRITE + cccd(peripheral, "ticker") + NOTHING)
        await central.request(WRITE + cccd(peripheral, "alarm") + INDICATE)
        alarm.value(9)
        assert await central.notification() is not None
        central.send(b"\x1e")
        assert await alarm.confirmed() == CLIENT
        await central.connection.disconnect()
        await peripheral.wait_disconnected()
        by = {"_hang_up": peripheral.hang_up}
        assert seen == [
            hooks.Disconnected(CLIENT, 0x13, **by),
            hooks.Connected(CLIENT, **by),
            hooks.MtuChanged(CLIENT, 64, 256, **by),
            hooks.Subscribed(CLIENT, ticker, notify=True, indicate=False, restored=False, **by),
            hooks.Unsubscribed(CLIENT, ticker, closed=False, **by),
            hooks.Subscribed(CLIENT, alarm, notify=False, indicate=True, restored=False, **by),
            hooks.Confirmed(CLIENT, alarm, b"\x09", **by),
            hooks.Unsubscribed(CLIENT, alarm, closed=True, **by),
            hooks.Disconnected(CLIENT, 0x13, **by),
        ]

    on_air(test)


def test_pairing_is_told_with_its_outcome_and_a_subscription_that_comes_back() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        seen = watch(peripheral)  # hooks added while a client is connected count for it
        await central.request(WRITE + cccd(peripheral, "ticker") + NOTIFY)
        await central.pair()
        await central.disconnect()
        await central.connect()
        await asyncio.sleep(0.1)
        by = {"_hang_up": peripheral.hang_up}
        assert seen[1] == hooks.PairingEnded(
            CLIENT, None, secure_connections=True, key_size=16, bonded=True, **by
        )
        ticker = peripheral["ticker"]
        assert seen[-2:] == [
            hooks.Connected(CLIENT, **by),
            hooks.Subscribed(CLIENT, ticker, notify=True, indicate=False, restored=True, **by),
        ]

    on_air(test)


def test_pairing_that_fails_is_told_with_its_reason() -> None:
    async def main() -> None:
        text = PROFILE.replace("bonding: true", "pairing: false")
        async with device_and_central(text) as (peripheral, central):
            reasons: list[int | None] = []
            peripheral.on_pairing(lambda event: reasons.append(event.reason))
            with pytest.raises(Exception, match="PAIRING_NOT_SUPPORTED"):
                await central.connection.pair()
            assert reasons == [0x05]  # Pairing Not Supported

    clock.run(main())


def test_a_hook_of_one_characteristic_is_for_that_one() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        seen: list[str] = []
        peripheral["ticker"].on_subscribe(lambda event: seen.append("begun"))
        peripheral["ticker"].on_unsubscribe(lambda event: seen.append("ended"))
        peripheral["alarm"].on_confirmation(lambda event: seen.append("confirmed"))
        for name, bits in (("alarm", INDICATE), ("ticker", NOTIFY), ("ticker", NOTHING)):
            await central.request(WRITE + cccd(peripheral, name) + bits)
        peripheral["alarm"].value(1)
        await central.notification()
        central.send(b"\x1e")
        await peripheral.wait_confirmed("alarm")
        assert seen == ["begun", "ended", "confirmed"]

    on_air(test)


def test_a_function_is_called_before_the_response_and_a_coroutine_after_it() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        ticker, order = peripheral["ticker"], []

        @ticker.on_subscribe
        async def later(event: Subscribed) -> None:
            event.characteristic.value(3)

        @ticker.on_subscribe
        def at_once(event: Subscribed) -> None:
            event.characteristic.value(2)

        def note(_handle: int, pdu: bytes) -> None:
            order.append(pdu)

        central.device.l2cap_channel_manager.register_fixed_channel(4, note)
        central.send(WRITE + cccd(peripheral, "ticker") + NOTIFY)
        await asyncio.sleep(1)
        number = handle(peripheral, "ticker")
        assert order == [b"\x1b" + number + b"\x02", b"\x13", b"\x1b" + number + b"\x03"]

    on_air(test)


def test_a_hook_can_be_taken_away_and_can_end_the_link() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        await central.disconnect()

        def unwilling(event: hooks.Connected) -> None:
            event.disconnect(0x14)

        peripheral.on_connect(unwilling)
        await central.connect()
        await asyncio.sleep(0.1)
        assert not central.device.connections
        peripheral.hooks.remove(unwilling)
        await central.connect()
        await asyncio.sleep(0.1)
        assert peripheral.clients == (CLIENT,)

    on_air(test)


def test_what_hooks_raise_is_kept_and_hurts_nobody() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        def broken(event: Subscribed) -> None:
            raise RuntimeError("my mistake")

        async def broken_late(event: Subscribed) -> None:
            await asyncio.sleep(1)
            raise LookupError("another one")

        peripheral.on_subscribe(broken)
        peripheral.on_subscribe(broken_late)
        assert await central.request(WRITE + cccd(peripheral, "ticker") + NOTIFY) == b"\x13"
        await asyncio.sleep(2)

    on_air(test, RuntimeError, LookupError)


def test_a_device_without_power_runs_no_code() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        await central.request(WRITE + cccd(peripheral, "ticker") + NOTIFY)
        seen = watch(peripheral)
        peripheral.simulate_power_loss()
        await asyncio.sleep(5)
        assert seen == []

    on_air(test)


def test_hooks_are_called_when_the_device_says_goodbye() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        ended: list[int] = []

        @peripheral.on_disconnect
        def note(event: Disconnected) -> None:
            ended.append(event.reason)

        @peripheral.on_disconnect
        async def note_late(event: Disconnected) -> None:
            ended.append(-event.reason)
            await asyncio.sleep(1)
            ended.append(0)  # never: the device is off by then

        await peripheral.stop()
        await asyncio.sleep(2)
        assert ended == [0x16, -0x16]  # Connection Terminated By Local Host

    on_air(test)


def test_a_service_that_is_removed_takes_its_subscriptions_along() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        ticker = peripheral["ticker"]
        await central.request(WRITE + cccd(peripheral, "ticker") + NOTIFY)
        ended: list[bool] = []
        ticker.on_unsubscribe(lambda event: ended.append(event.closed))
        peripheral.remove_service("main")
        assert (ended, ticker.subscribers) == ([False], {})
        ticker.value(5)
        peripheral.add_service("main")
        ticker.value(6)
        assert await central.notification(within=1) is None
        await central.request(WRITE + cccd(peripheral, "ticker") + NOTIFY)
        ticker.value(7)
        assert await central.notification() == b"\x1b" + handle(peripheral, "ticker") + b"\x07"

    on_air(test)


def test_of_what_nobody_waits_for_the_last_is_kept_and_that_is_told() -> None:
    async def main() -> None:
        told: list[str] = []
        reads: Occurrences[int] = Occurrences("read of x", told.append)
        for number in range(KEPT + 10):
            reads.add(number)
        assert [await reads.next(within=1) for _ in range(2)] == [10, 11]
        assert told == [f"10 times nobody waited for a read of x; the last {KEPT} count"]
        for _ in range(KEPT - 2):
            await reads.next(within=1)
        waiting = asyncio.create_task(reads.next(within=1))
        await asyncio.sleep(0)
        reads.add(7)
        assert await waiting == 7
        reads.add(8)
        reads.forget()
        reads.add(9)
        assert await reads.next(within=1) == 9
        assert len(told) == 1
        with pytest.raises(NotSeen, match=f"no read of x in 1 s, {KEPT + 13} earlier"):
            await reads.next(within=1)

    clock.run(main())
