"""The server example of Pycom's documentation for the LoPy, on a device that bletest emulates.

``python examples/lopy_native.py`` puts it on a virtual air, has a client use it, and prints what
both see. What is data of the device is a profile here, and what was its code is code: callbacks of
two characteristics, and hooks for connections and subscriptions.
"""

from bletest import profile
from bletest.bench.bench import Bench
from bletest.bench.settings import Settings
from bletest.client.gatt import GattClient
from bletest.link import clock
from bletest.peripheral.characteristic import ServerCharacteristic
from bletest.peripheral.hooks import Connected, Disconnected, Subscribed
from bletest.peripheral.requests import Trigger
from bletest.peripheral.virtual import VirtualPeripheral

LOPY = """
bletest: 1
name: lopy_native
device: {name: LoPy}
advertising: {services: [36353433-3231-3039-3837-363534333231]}
services:
  - uuid: 36353433-3231-3039-3837-363534333231      # b'1234567890123456'
    characteristics:
      - uuid: 36353433-3231-3039-3837-363534336261  # b'ab34567890123456'
        id: chr1
        properties: [read, write, notify]
        value: {hex: 05}
        length: {max: 512}
  - uuid: 0x04D2                                    # 1234
    characteristics:
      - uuid: 0x11D7                                # 4567
        id: chr2
        properties: [read, write, notify]
        value: {hex: 12 34}
        length: {max: 512}
"""


def program(lopy: VirtualPeripheral) -> None:
    """Give the device its code."""

    @lopy.on_connect
    def connected(event: Connected) -> None:
        print("Client connected")

    @lopy.on_disconnect
    def disconnected(event: Disconnected) -> None:
        print("Client disconnected")

    @lopy.on_subscribe
    def send_at_once(event: Subscribed) -> None:  # as the firmware does, before its response
        event.characteristic.notify()

    char1_read_counter = 0

    def char1_cb_handler(chr1: ServerCharacteristic) -> str | None:
        nonlocal char1_read_counter
        char1_read_counter += 1
        events = chr1.events()
        if events & Trigger.WRITE:
            print(f"Write request with value = {chr1.value()!r}")
        elif char1_read_counter < 3:
            print("Read request on char 1")
        else:
            return "ABC DEF"
        return None

    lopy["chr1"].callback(Trigger.WRITE | Trigger.READ, char1_cb_handler)

    char2_read_counter = 0xF0

    def char2_cb_handler(chr2: ServerCharacteristic) -> int | None:
        nonlocal char2_read_counter
        char2_read_counter += 1
        return char2_read_counter if char2_read_counter > 0xF1 else None

    lopy["chr2"].callback(Trigger.READ, char2_cb_handler)


async def use(client: GattClient, lopy: VirtualPeripheral) -> None:
    """Do what a phone would do."""
    for name in ("chr1", "chr2"):
        values = [(await client.read(name)).raw for _ in range(4)]
        print(f"{name}: {', '.join(value.hex(' ') for value in values)}")
    await client.write("chr1", b"hello")
    async with client.subscribe("chr2") as notifications:
        print("at once:", (await notifications.next(within=1)).raw.hex(" "))
        lopy["chr2"].value(0x0102)
        print("and then:", (await notifications.next(within=1)).raw.hex(" "))
        print("events:", repr(lopy["chr2"].events()))


async def main() -> None:
    """Emulate the device, and use it."""
    async with Bench(Settings(seed=1)) as bench, bench.device(profile.loads(LOPY)) as device:
        assert device.peripheral is not None  # the bench is virtual, so the device is emulated
        program(device.peripheral)
        client = await bench.connect(device)
        await use(client, device.peripheral)
        await client.disconnect()
        await device.peripheral.wait_disconnected()


if __name__ == "__main__":
    clock.run(main())
