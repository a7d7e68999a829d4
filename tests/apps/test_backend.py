"""Plain bleak on a bench: as bleak's documentation shows it, from the test's loop and others."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import bleak
import pytest
from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError

from bletest.apps.backend import AppAdapter, AppClient, AppScanner
from bletest.apps.program import AppUnderTest
from bletest.apps.swap import plain_bleak_on
from bletest.bench.bench import Bench
from bletest.bench.device import DeviceUnderTest
from bletest.bench.settings import CaptureChoice, Settings
from bletest.errors import UsageMistake
from bletest.evidence.transcript import Transcript
from bletest.link.clock import run
from bletest.profile import load, shipped

T = TypeVar("T")

LOCATION = "00002a38-0000-1000-8000-00805f9b34fb"
MEASUREMENT = "00002a37-0000-1000-8000-00805f9b34fb"
CONTROL_POINT = "00002a39-0000-1000-8000-00805f9b34fb"
HEART_RATE = "0000180d-0000-1000-8000-00805f9b34fb"


def with_strap(
    work: Callable[[DeviceUnderTest], Awaitable[T]],
    *,
    transcript: Transcript | None = None,
    others: tuple[str, ...] = (),
) -> T:
    """Run ``work`` with plain bleak on an air with a strap."""

    async def main() -> T:
        from contextlib import AsyncExitStack

        settings = Settings(seed=1, capture=CaptureChoice.OFF)
        async with Bench(settings) as bench, AsyncExitStack() as resources:
            if transcript is not None:
                resources.enter_context(bench.recording(transcript))
            device = await resources.enter_async_context(
                bench.device(load(shipped()["heart_rate"]))
            )
            for name in others:
                await resources.enter_async_context(bench.device(load(shipped()[name])))
            app = AppUnderTest(bench, log=Path("unused.log"))
            resources.push_async_callback(app.close)
            with app.plain_bleak():
                return await work(device)

    return run(main())


def test_a_client_reads_writes_and_is_notified() -> None:
    async def work(device: DeviceUnderTest) -> list[bytes]:
        came: asyncio.Queue[bytes] = asyncio.Queue()
        found = await BleakScanner.find_device_by_name("HR-Strap")
        assert found is not None
        async with BleakClient(found) as client:
            assert client.is_connected
            assert (client.name, client.mtu_size) == ("HR-Strap", 247)
            assert client.backend_id == "bletest"
            await client.write_gatt_char(CONTROL_POINT, b"\x01")
            descriptor = client.services.get_characteristic(MEASUREMENT)
            assert descriptor is not None
            await client.read_gatt_descriptor(descriptor.descriptors[0])
            await client.start_notify(MEASUREMENT, lambda _, value: came.put_nowait(bytes(value)))
            values = [bytes(await client.read_gatt_char(LOCATION)), await came.get()]
            await client.stop_notify(MEASUREMENT)
            return values

    location, measurement = with_strap(work)
    assert location == b"\x01"
    assert len(measurement) == 2


def test_what_the_program_does_is_in_the_transcript_under_its_name() -> None:
    transcript = Transcript()

    async def work(device: DeviceUnderTest) -> None:
        async with BleakClient(device.address or "") as client:
            await client.read_gatt_char(LOCATION)

    with_strap(work, transcript=transcript)
    assert "Read Request" in transcript.text()
    assert {getattr(event, "link", "") for event in transcript.events} == {"app 0/1"}


def test_errors_are_bleaks() -> None:
    async def work(device: DeviceUnderTest) -> tuple[int, str]:
        async with BleakClient(device.address or "") as client:
            with pytest.raises(BleakGATTProtocolError) as refused:
                await client.write_gatt_char(CONTROL_POINT, b"\x07", response=True)
        with pytest.raises(BleakError, match=r"link .* ended"):
            await client._backend.pair()
        with pytest.raises(BleakDeviceNotFoundError):
            await BleakClient("C0:00:00:00:00:01", timeout=1).connect()
        with pytest.raises(BleakError, match="Service Discovery"):
            await client.read_gatt_char(LOCATION)
        return int(refused.value.code), "done"

    assert with_strap(work) == (0x80, "done")


def test_a_device_that_went_away_is_waited_for_as_long_as_connect_is_told() -> None:
    async def work(device: DeviceUnderTest) -> float:
        loop = asyncio.get_running_loop()
        found = await BleakScanner.find_device_by_name("HR-Strap")
        assert found is not None
        assert device.peripheral is not None
        device.peripheral.pause_advertising(60)
        before = loop.time()
        with pytest.raises(TimeoutError, match="within 7 s"):
            await BleakClient(found, timeout=30).connect(timeout=7)
        return loop.time() - before

    assert with_strap(work) == pytest.approx(7, abs=0.1)


def test_scanning_as_the_documentation_shows_it() -> None:
    async def work(device: DeviceUnderTest) -> None:
        devices = await BleakScanner.discover(timeout=1, return_adv=True)
        names = {data.local_name for _, data in devices.values()}
        assert names == {"HR-Strap", "Front Door"}
        filtered = await BleakScanner.discover(timeout=1, service_uuids=[HEART_RATE])
        assert [one.address for one in filtered] == [device.address]
        seen: list[BLEDevice] = []

        def detected(one: BLEDevice, data: AdvertisementData) -> None:
            seen.append(one)

        async with BleakScanner(detected) as scanner:
            async for one, data in scanner.advertisement_data():
                if data.local_name == "HR-Strap":
                    assert one.address == device.address
                    break
            with pytest.raises(BleakError, match="scanning already"):
                await scanner.start()
        assert seen
        assert await BleakScanner.find_device_by_name("Nobody", timeout=1) is None

    with_strap(work, others=("smart_lock",))


def test_several_clients_at_once_and_a_second_adapter() -> None:
    async def read(address: str, **arguments: Any) -> bytes:
        async with BleakClient(address, **arguments) as client:
            return bytes(await client.read_gatt_char("2a00"))

    async def work(device: DeviceUnderTest) -> list[bytes]:
        found = await BleakScanner.discover(timeout=1)
        return await asyncio.gather(
            *(read(one.address, bluez={"adapter": f"hci{i}"}) for i, one in enumerate(found))
        )

    names = with_strap(work, others=("smart_lock", "led_button"))
    assert sorted(names) == [b"Front Door", b"HR-Strap", b"Nordic_Blinky"]


def test_an_adapter_that_is_no_adapter_is_refused() -> None:
    async def work(device: DeviceUnderTest) -> None:
        BleakClient("C0:00:00:00:00:01", bluez={"adapter": "first"})

    with pytest.raises(UsageMistake, match="hci0"):
        with_strap(work)


def test_the_adapter_names_what_is_connected() -> None:
    async def work(device: DeviceUnderTest) -> list[str]:
        async with BleakClient(device.address or ""):
            adapter = await BleakAdapter.get()
            return [one.address for one in await adapter.get_connected_devices()]

    assert len(with_strap(work)) == 1


def test_a_lost_link_is_called_back_and_the_client_connects_again() -> None:
    async def work(device: DeviceUnderTest) -> bytes:
        gone = asyncio.Event()
        client = BleakClient(device.address or "", lambda _: gone.set())
        await client.connect()
        assert device.peripheral is not None
        await device.peripheral.reset()
        await asyncio.wait_for(gone.wait(), 5)
        assert not client.is_connected
        await client.connect()
        value = bytes(await client.read_gatt_char(LOCATION))
        await client.disconnect()
        return value

    assert with_strap(work) == b"\x01"


def test_pairing_and_forgetting() -> None:
    async def work(device: DeviceUnderTest) -> None:
        client = BleakClient(device.address or "", pair=True)
        await client.connect()
        await client.unpair()
        await client.disconnect()

    with_strap(work)


def test_a_program_with_a_loop_of_its_own_in_a_thread_is_served_in_real_time() -> None:
    async def program(address: str) -> list[bytes]:
        came: asyncio.Queue[bytes] = asyncio.Queue()
        here = asyncio.get_running_loop()

        def notified(_: object, value: bytearray) -> None:
            assert asyncio.get_running_loop() is here
            came.put_nowait(bytes(value))

        async with BleakClient(address) as client:
            await client.start_notify(MEASUREMENT, notified)
            return [bytes(await client.read_gatt_char(LOCATION)), await came.get()]

    async def work(device: DeviceUnderTest) -> list[list[bytes]]:
        address = device.address or ""
        first = await asyncio.to_thread(lambda: asyncio.run(program(address)))
        return [first, await program_again(address)]

    async def program_again(address: str) -> list[bytes]:
        async with BleakClient(address) as client:
            return [bytes(await client.read_gatt_char(LOCATION))]

    (location, measurement), again = with_strap(work)
    assert (location, len(measurement), again) == (b"\x01", 2, [b"\x01"])


def test_after_the_block_the_platforms_back_ends_are_back() -> None:
    names = [name for name in vars(bleak) if name.startswith("get_platform_")]
    assert names
    before = {name: getattr(bleak, name) for name in names}

    async def work(device: DeviceUnderTest) -> None:
        assert all(getattr(bleak, name) is not before[name] for name in names)

    with_strap(work)
    assert {name: getattr(bleak, name) for name in names} == before
    with pytest.raises(RuntimeError, match="stop"), plain_bleak_on(object()):  # type: ignore[arg-type]
        raise RuntimeError("stop")
    assert {name: getattr(bleak, name) for name in names} == before


@pytest.mark.parametrize(
    ("ours", "base"),
    [(AppClient, BaseBleakClient), (AppScanner, BaseBleakScanner), (AppAdapter, BaseBleakAdapter)],
)
def test_everything_that_bleak_asks_of_a_back_end_is_there(ours: type, base: type) -> None:
    asked = {
        name
        for name, member in inspect.getmembers(base)
        if getattr(member, "__isabstractmethod__", False)
        or (
            (inspect.isfunction(member) or inspect.ismethod(member))
            and "NotImplementedError" in inspect.getsource(member)
        )
    }
    lacking = {name for name in asked if getattr(ours, name) is getattr(base, name)}
    assert not lacking
