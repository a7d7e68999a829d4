"""An hour in the life of ten devices, in virtual time."""

import asyncio
from collections.abc import Callable
from time import perf_counter

from bleak.backends.characteristic import BleakGATTCharacteristic

from benchmarks import ours
from benchmarks.figures import LOWER, Figure, Measurement, Values
from benchmarks.harness import Effort, Stage, interleaved, median
from bletest.link.clock import new_loop

DEVICES = 10
SECONDS = 3600


async def subscribe(air: ours.Air) -> list[list[bytes]]:
    """Connect to every device, subscribe, and return the lists that their values go into."""
    values: list[list[bytes]] = []
    for peripheral in air.peripherals:
        client = await air.connect(peripheral)
        received: list[bytes] = []
        await client.start_notify(ours.characteristic(client, ours.TICKING), keep(received.append))
        values.append(received)
    return values


def keep(append: Callable[[bytes], None]) -> Callable[[BleakGATTCharacteristic, bytearray], None]:
    return lambda _, value: append(bytes(value))


def measure(effort: Effort) -> Values:
    seconds = effort.of(SECONDS)
    lost: list[int] = []

    def sample() -> float:
        with Stage(new_loop) as stage:
            air = stage.open(ours.open_air(DEVICES, ours.profile(), captured=True))

            async def soak() -> float:
                values = await subscribe(air)
                # Until just after the last value of the device that was subscribed to last.
                start = perf_counter()
                await asyncio.sleep(seconds + 0.5)
                elapsed = perf_counter() - start
                # The values count up, so one that came twice does not hide one that never came.
                wanted = {number.to_bytes(2, "little") for number in range(seconds)}
                lost.append(sum(len(wanted.difference(received)) for received in values))
                return elapsed

            return stage.run(soak())

    samples = interleaved(effort.rounds, {"ours": sample}, warm_up=False)
    return {"soak.seconds": median(samples["ours"]), "soak.lost": max(lost)}


MEASUREMENTS = (
    Measurement(
        (
            Figure(
                "soak.seconds",
                "an hour of notifications, one a second from each of ten devices, captured",
                "s",
                LOWER,
                "< 2",
            ),
            Figure("soak.lost", "notifications lost in that hour, of 36,000", "", LOWER, "0"),
        ),
        measure,
    ),
)
