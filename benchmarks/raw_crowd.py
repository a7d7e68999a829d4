"""A script of ``scale``: one read by plain bumble beside a crowd of advertisers.

``python -m benchmarks.raw_crowd CROWD INTERVAL_MS`` prints a line when it begins to read, and the
seconds that the read took. A process of its own, because no timeout ends the turns of an event
loop in which a million advertisements are delivered.
"""

import asyncio
import os
import sys
from time import perf_counter
from typing import Any

from bumble.hci import HCI_LE_Set_Advertising_Parameters_Command

from benchmarks import operations, ours, raw

ADV_IND = HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType.ADV_IND


def start_advertising(device: raw.RawDevice, interval_ms: float) -> None:
    """Advertise at once, by no command: a thousand that advertise make each command a wait."""
    controller: Any = device.device.host.controller
    advertiser = controller.le_legacy_advertiser
    advertiser.advertising_type = ADV_IND
    # bumble's controller takes this number for milliseconds.
    advertiser.advertising_interval_min = interval_ms
    advertiser.own_address_type = device.address.address_type
    advertiser.start()


async def main(crowd: int, interval_ms: float) -> None:
    async with raw.open_air() as air:
        pair = await operations.raw_pair_up(air)
        target = raw.characteristic(pair.peer, ours.READING)
        devices = [await air.add_device() for _ in range(crowd)]
        for device in devices:
            start_advertising(device, interval_ms)
        await asyncio.sleep(interval_ms / 1000)  # until the air is as busy as it stays
        print("reading", flush=True)
        start = perf_counter()
        await target.read_value()
        print(perf_counter() - start, flush=True)
        os._exit(0)  # to close the crowd in an orderly way takes minutes


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
