"""Reads, writes, write commands and notifications of one client on one device."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from bleak import BleakClient
from bumble.device import Connection, Peer

from benchmarks import ours, raw
from benchmarks.figures import HIGHER, Figure, Measurement, Values
from benchmarks.harness import Effort, Samples, Stage, interleaved, median, rate, ratio, until
from bletest.peripheral.virtual import VirtualPeripheral

IN_A_ROW = 20
"""Requests between two looks at the clock."""

UNANSWERED_IN_A_ROW = 200
"""Commands and notifications sent before their arrival is awaited."""

Batch = Callable[[], Awaitable[int]]


@dataclass(frozen=True)
class OurPair:
    """A client and the device it is connected to."""

    air: ours.Air
    peripheral: VirtualPeripheral
    client: BleakClient


@dataclass(frozen=True)
class RawPair:
    """The same in plain bumble; ``link`` is the device's end."""

    device: raw.RawDevice
    peer: Peer
    link: Connection


async def pair_up(air: ours.Air) -> OurPair:
    """Connect to the first device on the air."""
    peripheral = air.peripherals[0]
    return OurPair(air, peripheral, await air.connect(peripheral))


async def raw_pair_up(air: raw.RawAir) -> RawPair:
    """Put a device and a central on the air, and connect them."""
    device, central = await air.add_device(), await air.add_central()
    await device.advertise(20.0)
    peer = await air.connect(central, device)
    return RawPair(device, peer, device.link_to(central))


# Requests: one after the other.


async def read(pair: OurPair) -> Batch:
    target = ours.characteristic(pair.client, ours.READING)
    return repeated(partial(pair.client.read_gatt_char, target))


async def raw_read(pair: RawPair) -> Batch:
    return repeated(raw.characteristic(pair.peer, ours.READING).read_value)


async def write(pair: OurPair) -> Batch:
    target = ours.characteristic(pair.client, ours.WRITING)
    return repeated(partial(pair.client.write_gatt_char, target, ours.VALUE, response=True))


async def raw_write(pair: RawPair) -> Batch:
    target = raw.characteristic(pair.peer, ours.WRITING)
    return repeated(partial(target.write_value, ours.VALUE, with_response=True))


def repeated(operation: Callable[[], Awaitable[object]]) -> Batch:
    """Return a batch of one operation many times."""

    async def batch() -> int:
        for _ in range(IN_A_ROW):
            await operation()
        return IN_A_ROW

    return batch


# Commands have no answer. The last value of a batch is a new one each time, and has arrived when
# the device holds it: commands on one bearer arrive in order.


async def write_command(pair: OurPair) -> Batch:
    target = ours.characteristic(pair.client, ours.WRITING)
    send = partial(pair.client.write_gatt_char, target, response=False)
    return burst(send, pair.peripheral[ours.WRITING].value)


async def raw_write_command(pair: RawPair) -> Batch:
    target = raw.characteristic(pair.peer, ours.WRITING)
    stored = pair.device.characteristics[ours.WRITING]
    return burst(partial(target.write_value, with_response=False), lambda: stored.value)


def burst(send: Callable[[bytes], Awaitable[object]], stored: Callable[[], bytes]) -> Batch:
    """Return a batch of commands, which ends when the last has arrived."""
    numbers = count(1)

    async def batch() -> int:
        last = next(numbers).to_bytes(len(ours.VALUE), "big")
        for _ in range(UNANSWERED_IN_A_ROW - 1):
            await send(ours.VALUE)
        await send(last)
        await until(lambda: stored() == last)
        return UNANSWERED_IN_A_ROW

    return batch


# Notifications: one a turn of the loop, as from a device that is busy.


class Counter:
    """Counts the notifications that came."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *_: Any) -> None:
        self.count += 1


async def notify(pair: OurPair) -> Batch:
    pushed, arrived = pair.peripheral[ours.PUSHED], Counter()
    await pair.client.start_notify(ours.characteristic(pair.client, ours.PUSHED), arrived)

    async def batch() -> int:
        expected = arrived.count + UNANSWERED_IN_A_ROW
        for _ in range(UNANSWERED_IN_A_ROW):
            pushed.notify(ours.VALUE)
            await asyncio.sleep(0)
        await until(lambda: arrived.count >= expected)
        return UNANSWERED_IN_A_ROW

    return batch


async def raw_notify(pair: RawPair) -> Batch:
    device, pushed = pair.device.device, pair.device.characteristics[ours.PUSHED]
    arrived = Counter()
    await pair.peer.subscribe(raw.characteristic(pair.peer, ours.PUSHED), arrived)

    async def batch() -> int:
        expected = arrived.count + UNANSWERED_IN_A_ROW
        for _ in range(UNANSWERED_IN_A_ROW):
            await device.notify_subscriber(pair.link, pushed, ours.VALUE)
            await asyncio.sleep(0)
        await until(lambda: arrived.count >= expected)
        return UNANSWERED_IN_A_ROW

    return batch


def against_raw(
    effort: Effort,
    ours_of: Callable[[OurPair], Coroutine[Any, Any, Batch]],
    raw_of: Callable[[RawPair], Coroutine[Any, Any, Batch]],
    *,
    captured: bool = False,
) -> Samples:
    """Return the rates of one operation on both sides."""
    with Stage() as stage, Stage() as raw_stage:
        pair = stage.run(pair_up(stage.open(ours.open_air(1, ours.profile(), captured=captured))))
        raw_pair = raw_stage.run(raw_pair_up(raw_stage.open(raw.open_air())))
        batch, raw_batch = stage.run(ours_of(pair)), raw_stage.run(raw_of(raw_pair))

        def sample() -> float:
            pair.air.transcript.clear()
            return stage.run(rate(batch, effort.seconds))

        return interleaved(
            effort.rounds,
            {"ours": sample, "raw": lambda: raw_stage.run(rate(raw_batch, effort.seconds))},
        )


def measurement(
    family: str,
    what: str,
    ours_of: Callable[[OurPair], Coroutine[Any, Any, Batch]],
    raw_of: Callable[[RawPair], Coroutine[Any, Any, Batch]],
) -> Measurement:
    """Return the measurement of one operation on both sides."""

    def measure(effort: Effort) -> Values:
        samples = against_raw(effort, ours_of, raw_of)
        return {
            f"{family}.ratio": ratio(samples["ours"], samples["raw"]),
            f"{family}.per_s": median(samples["ours"]),
            f"{family}.raw_per_s": median(samples["raw"]),
        }

    figures = (
        Figure(f"{family}.ratio", f"{what}, against plain bumble", "×", HIGHER, "≥ 20"),
        Figure(f"{family}.per_s", what, "/s", HIGHER),
        Figure(f"{family}.raw_per_s", f"{what}, plain bumble", "/s", HIGHER),
    )
    return Measurement(figures, measure)


def measure_captured(effort: Effort) -> Values:
    """Reads that are also written to btsnoop files, against plain bumble without any."""
    samples = against_raw(effort, read, raw_read, captured=True)
    return {"read.captured_ratio": ratio(samples["ours"], samples["raw"])}


CAPTURED = Figure(
    "read.captured_ratio",
    "reads while both ends are captured (btsnoop), against plain bumble that is not",
    "×",
    HIGHER,
)

MEASUREMENTS = (
    measurement("read", "reads", read, raw_read),
    Measurement((CAPTURED,), measure_captured),
    measurement("write", "writes with response", write, raw_write),
    measurement("write_command", "writes without response", write_command, raw_write_command),
    measurement("notify", "notifications, one a turn of the loop", notify, raw_notify),
)
