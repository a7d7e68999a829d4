"""Programs of others, unmodified, against devices whose profiles were made from their protocols.

They are pinned in the ``dev`` extra. docs/apps.md has a table of them.
"""

import asyncio
import logging
import struct
import sysconfig
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from bleak import BleakClient, BleakScanner
from bleak_retry_connector import (
    BleakClientWithServiceCache,
    BleakNotFoundError,
    establish_connection,
)
from bleakheart import BatteryLevel, HeartRate, PolarMeasurementData
from idasen import IdasenDesk
from led_ble import LEDBLE
from led_ble.models import LEDBLEState
from pycycling.battery_service import BatteryService
from pycycling.fitness_machine_service import FitnessMachineService
from pycycling.ftms_parsers import (
    FitnessMachineStatus,
    FTMSControlPointOpCode,
    FTMSControlPointResponseResultCode,
)
from pycycling.heart_rate_service import HeartRateService
from pycycling.sterzo import Sterzo

from bletest.apps.program import AppUnderTest
from bletest.bench.bench import Bench
from bletest.bench.settings import CaptureChoice, Settings
from bletest.link.clock import run
from bletest.peripheral.characteristic import ServerCharacteristic
from bletest.peripheral.requests import Request
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile import load

T = TypeVar("T")

DEVICES = Path(__file__).parent / "devices"
IDASEN = Path(sysconfig.get_path("scripts")) / "idasen"

Result = FTMSControlPointResponseResultCode

STOP, UP, DOWN = b"\xff\x00", b"\x47\x00", b"\x46\x00"


class Desk:
    """A desk that moves at 38 mm/s, a tenth of a second for each target that it is given."""

    SPEED = 380

    def __init__(self, device: VirtualPeripheral) -> None:
        self.height: ServerCharacteristic = device["height"]
        device["command"].on_write(self.command)
        device["target"].on_write(self.move)

    def command(self, request: Request) -> None:
        position, _ = self.where()
        if request.value == UP:
            self.tell(position + self.SPEED, 0)
        elif request.value == DOWN:
            self.tell(position - self.SPEED, 0)
        elif request.value == STOP:
            self.tell(position, 0)

    def move(self, request: Request) -> None:
        target = int.from_bytes(request.value, "little")
        if target == 0x8001:
            return
        position, _ = self.where()
        way = max(-self.SPEED // 10, min(self.SPEED // 10, target - position))
        self.tell(position + way, way * 10)

    def where(self) -> tuple[int, int]:
        position, speed = struct.unpack("<Hh", self.height.value())
        return position, speed

    def tell(self, position: int, speed: int) -> None:
        self.height.value(struct.pack("<Hh", position, speed))


class Strip:
    """A strip of lights: on or off, with a colour, of which it tells who asks."""

    def __init__(self, commands: ServerCharacteristic) -> None:
        self.status: ServerCharacteristic = commands.peripheral["status"]
        self.is_on = False
        self.colour = bytes(4)
        commands.on_write(self.command)

    def command(self, request: Request) -> None:
        match request.value[0], request.value[-1]:
            case 0xEF, 0x77:
                head = bytes((0x66, 0x04, 0x23 if self.is_on else 0x24, 0x41, 0x20, 0x01))
                self.status.notify(head + self.colour + bytes((0x05, 0x99)))
            case 0xCC, 0x33:
                self.is_on = request.value[1] == 0x23
            case 0x56, 0xAA:
                self.colour = request.value[1:5]


BEHAVIOURS: Mapping[str, Callable[[Any], object]] = {"idasen.desk": Desk, "triones.strip": Strip}


def against(
    name: str,
    program: Callable[[VirtualPeripheral], Awaitable[T]],
    *,
    faults: tuple[str, ...] = (),
) -> T:
    """Run ``program``, which uses plain bleak, on an air with that device; virtual time."""

    async def main() -> T:
        async with (
            Bench(Settings(seed=1, capture=CaptureChoice.OFF)) as bench,
            bench.device(
                load(DEVICES / f"{name}.yaml"), faults=faults, behaviours=BEHAVIOURS
            ) as device,
        ):
            assert device.peripheral is not None
            app = AppUnderTest(bench, log=Path("unused.log"))
            try:
                with app.plain_bleak():
                    ended = await program(device.peripheral)
            finally:
                await app.close()
            device.peripheral.faults.check_leftovers()
            return ended

    return run(main())


# bleakheart


async def strap() -> BleakClient:
    found = await BleakScanner.find_device_by_filter(
        lambda device, advertised: "polar" in (device.name or "").lower()
    )
    assert found is not None
    return BleakClient(found)


def test_bleakheart_reads_the_battery_and_unpacks_heart_beats() -> None:
    async def program(device: VirtualPeripheral) -> list[Any]:
        async with await strap() as client:
            beats: asyncio.Queue[Any] = asyncio.Queue()
            rates = HeartRate(client, queue=beats, instant_rate=True)
            battery = await BatteryLevel(client).read()
            await rates.start_notify()
            came = [(await beats.get())[2] for _ in range(3)]
            assert rates.good_contact.is_set()
            await rates.stop_notify()
            await device["heart_rate_measurement"].unsubscribed(within=1)
            return [battery, *came]

    assert against("polar_strap", program) == [77, (60, 1000), (75, 800), (60, 1000)]


def test_bleakheart_streams_an_electrocardiogram() -> None:
    async def program(device: VirtualPeripheral) -> None:
        async with await strap() as client:
            samples: asyncio.Queue[Any] = asyncio.Queue()
            measured = PolarMeasurementData(client, ecg_queue=samples)
            assert await measured.available_measurements() == ["ECG", "ACC"]
            settings = await measured.available_settings("ECG")
            assert (settings["SAMPLE_RATE"], settings["RESOLUTION"]) == ([130], [14])
            refused = await measured.start_streaming("ECG", sample_rate=131)
            assert refused[:2] == (8, "INVALID SAMPLE RATE")
            assert (await measured.start_streaming("ECG"))[0] == 0
            kind, _, microvolts = await samples.get()
            assert (kind, microvolts) == ("ECG", [16, -16, 300])
            assert await measured.stop_streaming("ECG") == (0, "SUCCESS")

    against("polar_strap", program)


def test_bleakheart_hears_of_a_lost_link_and_a_new_client_goes_on() -> None:
    async def program(device: VirtualPeripheral) -> list[Any]:
        gone = asyncio.Event()
        beats: asyncio.Queue[Any] = asyncio.Queue()
        client = BleakClient(device.address, disconnected_callback=lambda _: gone.set())
        async with client:
            await HeartRate(client, queue=beats).start_notify()
            await gone.wait()
        async with await strap() as client:
            await HeartRate(client, queue=beats).start_notify()
            return [(await beats.get())[2] for _ in range(2)]

    lost = ("heart_rate_measurement: notification 1 disconnects with 0x08",)
    assert against("polar_strap", program, faults=lost) == [(60, 1000), (60, 1000)]


# pycycling


def test_pycycling_reads_a_strap() -> None:
    async def program(device: VirtualPeripheral) -> None:
        async with BleakClient(device.address) as client:
            assert await BatteryService(client).get_battery_level() == 77
            rates: asyncio.Queue[Any] = asyncio.Queue()
            service = HeartRateService(client)
            service.set_hr_measurement_handler(rates.put_nowait)
            await service.enable_hr_measurement_notifications()
            await rates.get()
            rate = await rates.get()
            assert (rate.bpm, rate.rr_interval) == (75, [819, 1024])
            await service.disable_hr_measurement_notifications()

    against("polar_strap", program)


def test_pycycling_controls_a_trainer() -> None:
    async def program(device: VirtualPeripheral) -> None:
        async with BleakClient(device.address) as client:
            trainer = FitnessMachineService(client)
            assert await trainer.get_supported_resistance_level_range() == (10, 200, 5)
            assert await trainer.get_supported_power_range() == (25, 800, 5)
            assert (await trainer.get_target_setting_feature()).power_target_setting_supported
            answers: asyncio.Queue[Any] = asyncio.Queue()
            rides: asyncio.Queue[Any] = asyncio.Queue()
            states: asyncio.Queue[Any] = asyncio.Queue()
            trainer.set_control_point_response_handler(answers.put_nowait)
            trainer.set_indoor_bike_data_handler(rides.put_nowait)
            trainer.set_fitness_machine_status_handler(states.put_nowait)
            await trainer.enable_control_point_indicate()
            await trainer.enable_indoor_bike_data_notify()
            await trainer.enable_fitness_machine_status_notify()
            ride = await rides.get()
            assert (ride.instant_speed, ride.instant_cadence, ride.instant_power) == (28.6, 90, 150)
            power = FTMSControlPointOpCode.SET_TARGET_POWER
            await trainer.set_target_power(250)
            assert await answers.get() == (power, Result.CONTROL_NOT_PERMITTED)
            await trainer.request_control()
            assert (await answers.get()).result_code_enum is Result.SUCCESS
            await trainer.set_target_power(250)
            assert await answers.get() == (power, Result.SUCCESS)
            assert (await states.get()).status is FitnessMachineStatus.NEW_POWER
            assert (await rides.get()).instant_power == 250
            await trainer.set_target_incline(10)
            assert (await answers.get()).result_code_enum is Result.NOT_SUPPORTED

    against("smart_trainer", program)


def test_pycycling_answers_the_challenge_of_a_steering_block() -> None:
    async def program(device: VirtualPeripheral) -> list[float]:
        async with BleakClient(device.address) as client:
            angles: asyncio.Queue[float] = asyncio.Queue()
            steering = Sterzo(client)
            steering.set_steering_measurement_callback(angles.put_nowait)
            await steering.enable_steering_measurement_notifications()
            return [await angles.get(), await angles.get()]

    assert against("steering_block", program) == [12.5, -3]


# idasen


def test_idasen_finds_moves_and_watches_the_desk() -> None:
    async def program(device: VirtualPeripheral) -> None:
        address = await IdasenDesk.discover()
        assert address == device.address
        heights: list[float] = []

        async def watch(height: float) -> None:
            heights.append(round(height, 4))

        async with IdasenDesk(mac=address) as desk:
            assert await device["dpg"].written(within=1) == b"\x7f\x86\x00"
            assert await desk.get_height() == pytest.approx(0.72)
            await desk.monitor(watch)
            await desk.move_to_target(1.1)
            assert await desk.get_height_and_speed() == pytest.approx((1.1, 0))
            assert (heights[0], heights[-1]) == (0.72, 1.1)
            assert heights == sorted(heights)
            await desk.move_down()
            assert await desk.get_height() == pytest.approx(1.062)
            await desk.stop()
        assert not desk.is_connected

    against("standing_desk", program)


def test_idasen_connects_again_where_the_first_attempt_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def program(device: VirtualPeripheral) -> float:
        async with IdasenDesk(mac=device.address) as desk:
            return await desk.get_height()

    lost = ("dpg: write 1 disconnects with 0x08",)
    with caplog.at_level(logging.WARNING, logger="idasen"):
        assert against("standing_desk", program, faults=lost) == pytest.approx(0.72)
    assert "Failed to connect, retrying (1/3)" in caplog.text


def test_idasen_as_a_command_shows_and_moves_the_desk(tmp_path: Path) -> None:
    async def main() -> int:
        async with (
            Bench(Settings(seed=1, capture=CaptureChoice.OFF)) as bench,
            bench.device(load(DEVICES / "standing_desk.yaml"), behaviours=BEHAVIOURS) as device,
        ):
            assert device.peripheral is not None
            app = AppUnderTest(bench, log=tmp_path / "app.log")
            home = {"XDG_CONFIG_HOME": str(tmp_path)}
            height = device.peripheral["height"]
            try:
                found = await app.run(IDASEN, "init", environment=home)
                async with app.start(IDASEN, "monitor", environment=home) as running:
                    await height.subscribed(within=30)
                    height.value(struct.pack("<Hh", 1200, 380))
                    await running.says("meters/second")
                    shown = running.stdout.strip()
                height.value(struct.pack("<Hh", 1224, 0))
                await app.run(IDASEN, "sit", environment=home)  # at 75 cm, by the file of init
            finally:
                await app.close()
            assert f"Discovered desk's MAC address: {device.address}" in found.stderr
            assert shown == "0.740 meters - 0.038 meters/second"
            return int.from_bytes(height.value()[:2], "little")

    assert run(main()) == pytest.approx(1300, abs=1)


# led-ble, on bleak-retry-connector


async def strip() -> LEDBLE:
    found = await BleakScanner.discover(timeout=1, return_adv=True)
    [(device, advertised)] = found.values()
    return LEDBLE(device, advertised)


def test_led_ble_switches_a_strip_and_hears_of_its_state() -> None:
    async def program(device: VirtualPeripheral) -> list[LEDBLEState]:
        lights = await strip()
        states: list[LEDBLEState] = []
        lights.register_callback(states.append)
        await lights.update()
        assert lights.model_data.models == [lights.name]
        await lights.turn_on()
        await lights.set_rgb((255, 128, 0))
        await device["commands"].written(within=1)
        await lights.update()
        await asyncio.sleep(1)
        await lights.stop()
        await device.wait_disconnected()
        return [states[0], states[-1]]

    before, after = against("light_strip", program)
    assert (before.power, before.rgb, before.version_num) == (False, (0, 0, 0), 5)
    assert (after.power, after.rgb, after.preset_pattern) == (True, (255, 128, 0), 0x41)


def test_led_ble_comes_back_after_a_lost_link(caplog: pytest.LogCaptureFixture) -> None:
    async def program(device: VirtualPeripheral) -> tuple[bool, bool, bool]:
        lights = await strip()
        await lights.update()
        await lights.turn_on()  # is lost with the link, and led-ble cannot know
        thought = lights.on
        await device.wait_disconnected()
        await lights.update()
        await asyncio.sleep(1)
        learned = lights.on
        await lights.turn_on()
        await lights.update()
        await asyncio.sleep(1)
        await lights.stop()
        return thought, learned, lights.on

    lost = ("commands: command 3 disconnects with 0x08",)
    with caplog.at_level(logging.WARNING, logger="led_ble"):
        assert against("light_strip", program, faults=lost) == (True, False, True)
    assert "Device unexpectedly disconnected" in caplog.text


def test_bleak_retry_connector_tries_again_until_there_is_a_link() -> None:
    async def program(device: VirtualPeripheral) -> bytes:
        [found] = await BleakScanner.discover(timeout=1)
        client = await establish_connection(BleakClientWithServiceCache, found, "the strip")
        name = bytes(await client.read_gatt_char("2a00"))
        await client.disconnect()
        return name

    refused = ("connection 1-4 refused with 0x3E",)
    assert against("light_strip", program, faults=refused) == b"Triones:C10511000166"


def test_bleak_retry_connector_gives_up_on_what_is_not_there() -> None:
    async def program(device: VirtualPeripheral) -> float:
        [found] = await BleakScanner.discover(timeout=1)
        device.pause_advertising(600)
        began = asyncio.get_running_loop().time()
        with pytest.raises(BleakNotFoundError, match="after 4 attempt"):
            await establish_connection(BleakClientWithServiceCache, found, "the strip")
        return asyncio.get_running_loop().time() - began

    assert against("light_strip", program) == pytest.approx(4 * (20 + 0.25), abs=0.1)
