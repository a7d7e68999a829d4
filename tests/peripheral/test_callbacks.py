"""What the code of an emulated device is asked, and what its answers come to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bletest.errors import UnknownAttribute
from bletest.evidence.transcript import Transcript
from bletest.link import clock
from bletest.peripheral.requests import AttRefusal, Operation, Request, Trigger
from bletest.peripheral.virtual import VirtualPeripheral
from tests.peripheral.devices import CLIENT, cccd, device_and_central, handle
from tests.support.raw_central import RawCentral

PROFILE = """
bletest: 1
name: bench_device
device: {name: Bench, mtu: 64, gatt: {service_changed: true}}
services:
  - uuid: 0xFF00
    id: main
    characteristics:
      - uuid: 0xFF01
        id: plain
        properties: [read, write, write_without_response, notify]
        value: {hex: 01 02}
        length: {max: 100}
        descriptors:
          - {uuid: 0xFF1A, id: scale, properties: [read, write], value: {hex: 0A}, length: 1}
          - {uuid: characteristic_user_description, value: {text: a plain value}}
      - {uuid: 0xFF02, id: other, properties: [read], value: {hex: 03}}
"""
READ, BLOB, BY_TYPE, MULTIPLE, WRITE, COMMAND = b"\x0a", b"\x0c", b"\x08", b"\x0e", b"\x12", b"\x52"


def on_air(
    test: Callable[[VirtualPeripheral, RawCentral], Awaitable[None]], *failures: type[Exception]
) -> None:
    """Run a test; the code of its device raises exactly these."""

    async def main() -> None:
        async with device_and_central(PROFILE) as (peripheral, central):
            await test(peripheral, central)
            assert [type(error) for error in peripheral.failures] == [*failures]

    clock.run(main())


def test_a_handler_sees_client_operation_offset_and_value() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        seen: list[tuple[Any, ...]] = []
        plain, other = handle(peripheral, "plain"), handle(peripheral, "other")

        def note(request: Request) -> None:
            assert request.attribute is peripheral["plain"]
            assert (request.client, request.mtu) == (CLIENT, 23)
            seen.append((request.operation, request.offset, request.value))

        peripheral["plain"].on_read(note)
        peripheral["plain"].on_write(note)
        assert await central.request(READ + plain) == b"\x0b\x01\x02"
        assert await central.request(BLOB + plain + b"\x01\x00") == b"\x0d\x02"
        assert await central.request(BY_TYPE + b"\x01\x00\xff\xff\x01\xff") is not None
        assert await central.request(MULTIPLE + plain + other) == b"\x0f\x01\x02\x03"
        assert await central.request(b"\x20" + plain + other) is not None
        assert await central.request(WRITE + plain + b"\x07") == b"\x13"
        central.send(COMMAND + plain + b"\x08")
        for part in (b"\x16" + plain + b"\x00\x00ab", b"\x16" + plain + b"\x02\x00cd"):
            assert await central.request(part) == b"\x17" + part[1:]
        assert await central.request(b"\x18\x01") == b"\x19"
        stored = b"\x01\x02"
        assert seen == [
            (Operation.READ, 0, stored),
            (Operation.READ_BLOB, 1, stored),
            (Operation.READ_BY_TYPE, 0, stored),
            (Operation.READ_MULTIPLE, 0, stored),
            (Operation.READ_MULTIPLE_VARIABLE, 0, stored),
            (Operation.WRITE, 0, b"\x07"),
            (Operation.WRITE_COMMAND, 0, b"\x08"),
            (Operation.EXECUTE_WRITE, 0, b"abcd"),
        ]
        assert [one[0].is_write for one in seen] == [False] * 5 + [True] * 3

    on_air(test)


@pytest.mark.parametrize(
    ("answer", "octets"),
    [
        (b"\x09", b"\x09"),
        ("nine", b"nine"),
        (9, b"\x09"),
        (0x0102, b"\x01\x02"),
        (0x010203, b"\x00\x01\x02\x03"),
        (b"", b""),
        (None, b"\x01\x02"),
    ],
)
def test_what_a_handler_returns_answers_this_read_and_is_not_stored(
    answer: Any, octets: bytes
) -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        async def late(_: Request) -> Any:
            return answer

        for handler in (lambda _: answer, late):
            peripheral["plain"].on_read(handler)
            assert await central.request(READ + handle(peripheral, "plain")) == b"\x0b" + octets
        assert peripheral["plain"].value() == b"\x01\x02"

    on_air(test)


def test_a_long_read_is_one_read_of_one_answer() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        reads = 0
        plain, other = handle(peripheral, "plain"), handle(peripheral, "other")

        def counted(_: Request) -> bytes:
            nonlocal reads
            reads += 1
            return bytes([reads]) * 44  # two full responses and an empty one

        async def read_long() -> bytes:
            value = b""
            response = await central.request(READ + plain)
            while response is not None and len(response) == 23:
                value += response[1:]
                assert await central.request(READ + other) == b"\x0b\x03"  # in between
                peripheral["plain"].value(b"new")
                response = await central.request(BLOB + plain + len(value).to_bytes(2, "little"))
            assert response is not None
            return value + response[1:]

        peripheral["plain"].on_read(counted)
        assert await read_long() == b"\x01" * 44
        assert await read_long() == b"\x02" * 44
        assert peripheral["plain"].events() == Trigger.READ
        assert await peripheral["plain"].read_by_client() == CLIENT
        assert await peripheral["plain"].read_by_client() == CLIENT
        # a read from the middle that nobody began is one of its own
        assert await central.request(BLOB + plain + b"\x2a\x00") == b"\x0d\x03\x03"
        assert reads == 3

    on_air(test)


def test_a_handler_accepts_changes_or_refuses_what_is_written() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        plain = peripheral["plain"]

        @plain.on_write
        async def decide(request: Request) -> bytes | None:
            await asyncio.sleep(1)
            assert plain.value() == b"\x01\x02"  # not stored yet
            if request.value == b"no":
                raise AttRefusal(0x80)
            return b"upper" if request.value == b"lower" else None

        number = handle(peripheral, "plain")
        assert await central.request(WRITE + number + b"no") == b"\x01\x12" + number + b"\x80"
        assert await central.request(WRITE + number + b"lower") == b"\x13"
        assert plain.value() == b"upper"
        assert await plain.written() == b"upper"
        plain.on_write(None)
        assert await central.request(WRITE + number + b"lower") == b"\x13"
        assert plain.value() == b"lower"

    on_air(test)


@pytest.mark.parametrize("answer", [7, True, "x" * 101, [1]])
def test_a_write_handler_that_returns_nonsense_has_failed(answer: Any) -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        peripheral["plain"].on_write(lambda _: answer)
        plain = handle(peripheral, "plain")
        assert await central.request(WRITE + plain + b"x") == b"\x01\x12" + plain + b"\x0e"
        assert peripheral["plain"].value() == b"\x01\x02"

    on_air(test, ValueError if isinstance(answer, str) else TypeError)


@pytest.mark.parametrize("answer", [-1, 1 << 32, bytes(513)])
def test_an_answer_that_no_attribute_can_hold_has_failed(answer: Any) -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        peripheral["plain"].on_read(lambda _: answer)
        plain = handle(peripheral, "plain")
        assert await central.request(READ + plain) == b"\x01\x0a" + plain + b"\x0e"

    on_air(test, ValueError)


@pytest.mark.parametrize("late", [False, True])
def test_a_handler_that_disconnects_answers_nothing_and_stores_nothing(late: bool) -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        def now(request: Request) -> bytes:
            request.disconnect(0x15)
            return b"answer"

        async def later(request: Request) -> bytes:
            await asyncio.sleep(1)
            return now(request)

        reasons = []
        plain = handle(peripheral, "plain")
        peripheral.on_disconnect(lambda event: reasons.append(event.reason))
        peripheral["plain"].on_read(later if late else now)
        peripheral["plain"].on_write(later if late else now)
        for pdu in (READ + plain, WRITE + plain + b"x", COMMAND + plain + b"x"):
            assert await central.request(pdu) is None
            assert await peripheral.wait_disconnected() == CLIENT
            await central.connect()
        assert peripheral["plain"].value() == b"\x01\x02"
        assert len(reasons) == 3

    on_air(test)


def test_what_a_handler_raises_is_kept_with_the_way_to_it() -> None:
    async def main() -> None:
        transcript = Transcript()
        async with device_and_central(PROFILE, on_event=transcript) as (peripheral, central):

            def broken(_: Request) -> None:
                raise RuntimeError("the sensor is on fire")

            peripheral["plain"].on_read(broken)
            plain = handle(peripheral, "plain")
            assert await central.request(READ + plain) == b"\x01\x0a" + plain + b"\x0e"
            assert [str(error) for error in peripheral.failures] == ["the sensor is on fire"]
        text = transcript.text()
        assert (
            "bench_device: the handler of main/plain raised RuntimeError: the sensor is on fire\n"
            in text
        )
        assert 'raise RuntimeError("the sensor is on fire")\n' in text
        assert "answers.py" not in text  # what led there is no news
        assert '"detail": "Traceback (most recent call last):\\n' in transcript.json_lines()

    clock.run(main())


def test_what_a_handler_raises_after_its_client_has_left_is_kept_too() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        async def slow(_: Request) -> None:
            await asyncio.sleep(2)
            raise RuntimeError("too late")

        peripheral["plain"].on_read(slow)
        central.send(READ + handle(peripheral, "plain"))
        await asyncio.sleep(1)
        await central.disconnect()
        await asyncio.sleep(2)

    on_air(test, RuntimeError)


def test_a_callback_may_store_another_value_than_was_written() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        plain = peripheral["plain"]

        def double(given: Any) -> str:
            plain.value(plain.value() * 2)
            return "ignored"

        async def double_late(given: Any) -> str:
            await asyncio.sleep(1)
            return double(given)

        for callback in (double, double_late):
            plain.callback(Trigger.WRITE, callback, "argument")
            assert await central.request(WRITE + handle(peripheral, "plain") + b"\x07") == b"\x13"
            assert plain.value() == b"\x07\x07"

    on_air(test)


def test_of_a_callback_and_a_handler_the_last_counts() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        plain, number = peripheral["plain"], handle(peripheral, "plain")
        plain.on_read(lambda _: b"handler")
        plain.callback(Trigger.READ | Trigger.WRITE, lambda _: b"callback")
        assert await central.request(READ + number) == b"\x0bcallback"
        plain.on_read(lambda _: b"handler")
        assert await central.request(READ + number) == b"\x0bhandler"
        plain.callback(None)
        assert await central.request(READ + number) == b"\x0bhandler"
        plain.on_read(None)
        assert await central.request(READ + number) == b"\x0b\x01\x02"
        assert plain.stored.handler is None  # the server does not ask in vain

    on_air(test)


def test_flags_add_up_with_and_without_a_callback() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        plain, calls = peripheral["plain"], []
        everything = Trigger.READ | Trigger.WRITE | Trigger.NOTIFY | Trigger.SUBSCRIBE
        for callback in (None, lambda given: calls.append(plain.events())):
            plain.callback(everything, callback, "given")
            await central.request(WRITE + cccd(peripheral, "plain") + b"\x01\x00")
            await central.request(READ + handle(peripheral, "plain"))
            await central.request(WRITE + handle(peripheral, "plain") + b"\x09")
            plain.value(5)
            assert await central.notification() == b"\x1b" + handle(peripheral, "plain") + b"\x05"
            if callback is None:
                assert plain.events() == everything
            await central.request(WRITE + cccd(peripheral, "plain") + b"\x00\x00")
        assert calls == [Trigger.SUBSCRIBE, Trigger.READ, Trigger.WRITE, Trigger.NOTIFY]

    on_air(test)


def test_a_descriptor_has_a_value_handlers_flags_and_waits() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        scale = next(one for one in peripheral.table if one.name.endswith("/scale"))
        number = scale.handle.to_bytes(2, "little")
        # what happens before anybody asks is not lost
        assert await central.request(READ + number) == b"\x0b\x0a"
        assert await central.request(WRITE + number + b"\x0b") == b"\x13"
        descriptor = peripheral["scale"]
        assert peripheral["plain/scale"] is peripheral["main/plain/scale"] is descriptor
        assert await peripheral.wait_read("scale") == CLIENT
        assert await peripheral.wait_written("scale") == b"\x0b"
        assert descriptor.events() == Trigger.READ | Trigger.WRITE
        assert descriptor.value(0x0C) == b"\x0c"
        with pytest.raises(ValueError, match="1 octets at most"):
            descriptor.value(b"too long")

        @descriptor.on_write
        def refuse(request: Request) -> None:
            assert request.attribute is descriptor
            raise AttRefusal(0x81)

        descriptor.callback(Trigger.READ, lambda given: given.path)
        assert await central.request(READ + number) == b"\x0bmain/plain/scale"
        assert await central.request(WRITE + number + b"\x0d") == b"\x01\x12" + number + b"\x81"
        text = peripheral["plain/characteristic_user_description"]
        assert await central.request(READ + handle(peripheral, text.path)) == b"\x0ba plain value"
        assert await text.read_by_client() == CLIENT
        peripheral.remove_service("main")
        peripheral.add_service("main")  # at other handles, with the same handlers
        number = handle(peripheral, "scale")
        assert await central.request(READ + number) == b"\x0bmain/plain/scale"
        await peripheral.reset()
        assert descriptor.value() == b"\x0a"

    on_air(test)


def test_a_device_can_refuse_a_subscription() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        configuration = peripheral["plain"].cccd
        assert configuration is not None
        assert peripheral["other"].cccd is None
        assert peripheral["plain/client_characteristic_configuration"] is configuration

        @configuration.on_write
        def refuse(request: Request) -> None:
            assert request.value == b"\x01\x00"
            raise AttRefusal(0x80)

        number = cccd(peripheral, "plain")
        assert await central.request(WRITE + number + b"\x01\x00") == b"\x01\x12" + number + b"\x80"
        peripheral["plain"].value(7)
        assert await central.notification(within=1) is None
        configuration.on_write(None)
        configuration.callback(Trigger.WRITE, lambda given: b"ignored")
        assert await central.request(WRITE + number + b"\x01\x00") == b"\x13"
        assert await configuration.written() == b"\x01\x00"
        assert configuration.value() == b"\x00\x00"  # as of a client that never wrote

    on_air(test)


def test_a_name_that_nothing_has_is_answered_with_the_nearest_descriptor() -> None:
    async def test(peripheral: VirtualPeripheral, central: RawCentral) -> None:
        with pytest.raises(UnknownAttribute, match='did you mean "scale"'):
            peripheral["scal"]

    on_air(test)
