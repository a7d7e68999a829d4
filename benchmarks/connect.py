"""Finding a device, connecting to it and discovering its database."""

import asyncio
from time import perf_counter

from bleak import BleakClient, BleakScanner
from bumble.device import Advertisement, Device

from benchmarks import ours, raw
from benchmarks.figures import LOWER, Figure, Measurement, Values
from benchmarks.harness import Effort, Stage, interleaved, median
from bletest.client.backend import BumbleClient, BumbleScanner
from bletest.link.clock import new_loop

INTERVAL_MS = 1000


async def ours_once(air: ours.Air) -> float:
    """Return the wall time of it all, in milliseconds."""
    address = air.peripherals[0].address
    adapter = await air.bench.adapter()
    # Both begin half-way between two advertisements: the average wait for the first.
    await asyncio.sleep(INTERVAL_MS / 2000)
    start = perf_counter()
    found = await BleakScanner.find_device_by_address(
        address, timeout=10, backend=BumbleScanner.on(adapter)
    )
    assert found is not None  # it advertises each second
    async with BleakClient(found, backend=BumbleClient.on(adapter)) as client:
        elapsed = perf_counter() - start
        ours.characteristic(client, ours.TICKING)  # it was found
    return elapsed * 1000


async def raw_once(air: raw.RawAir) -> float:
    """The same with plain bumble, in milliseconds."""
    device, central = await air.add_device(), await air.add_central()
    await device.advertise(INTERVAL_MS)
    await asyncio.sleep(INTERVAL_MS / 2000)
    start = perf_counter()
    await _found(central, device)
    peer = await air.connect(central, device)
    elapsed = perf_counter() - start
    raw.characteristic(peer, ours.TICKING)
    return elapsed * 1000


async def _found(central: Device, device: raw.RawDevice) -> None:
    found: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_advertisement(advertisement: Advertisement) -> None:
        if advertisement.address == device.address and not found.done():
            found.set_result(None)

    central.on(Device.EVENT_ADVERTISEMENT, on_advertisement)
    await central.start_scanning()
    await found
    await central.stop_scanning()


def measure(effort: Effort) -> Values:
    def sample() -> float:
        with Stage(new_loop) as stage:
            air = stage.open(ours.open_air(1, ours.profile(interval_ms=INTERVAL_MS)))
            return stage.run(ours_once(air))

    def raw_sample() -> float:
        with Stage() as stage:
            return stage.run(raw_once(stage.open(raw.open_air())))

    sample()  # plain bumble needs no warming up: it waits most of its time
    samples = interleaved(effort.rounds, {"ours": sample, "raw": raw_sample}, warm_up=False)
    return {"connect.ms": median(samples["ours"]), "connect.raw_ms": median(samples["raw"])}


_WHAT = "find, connect to and discover a device that advertises every second"

MEASUREMENTS = (
    Measurement(
        (
            Figure("connect.ms", f"{_WHAT}, virtual time", "ms", LOWER, "< 5"),
            Figure("connect.raw_ms", f"{_WHAT}, plain bumble", "ms", LOWER),
        ),
        measure,
    ),
)
