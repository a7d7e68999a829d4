"""A program that knows only bleak: it finds a heart rate strap and prints what it measures."""

import asyncio
import sys

from bleak import BleakClient, BleakScanner

HEART_RATE = "0000180d-0000-1000-8000-00805f9b34fb"
MEASUREMENT = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL = "00002a19-0000-1000-8000-00805f9b34fb"


async def main(count: int) -> None:
    """Print ``count`` measurements."""
    device = await BleakScanner.find_device_by_filter(
        lambda _, advertisement: HEART_RATE in advertisement.service_uuids, timeout=5
    )
    if device is None:
        raise SystemExit("no heart rate strap is near")
    measured: asyncio.Queue[int] = asyncio.Queue()
    async with BleakClient(device) as client:
        battery = await client.read_gatt_char(BATTERY_LEVEL)
        print(f"battery: {battery[0]} %", flush=True)
        await client.start_notify(MEASUREMENT, lambda _, value: measured.put_nowait(value[1]))
        for _ in range(count):
            print(f"heart rate: {await measured.get()}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
