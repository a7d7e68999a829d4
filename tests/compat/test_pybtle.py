"""pybtle's interface: results instead of exceptions, synchronous, from any thread."""

import asyncio
import queue
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bletest.client.adapter import BumbleAdapter
from bletest.compat.pybtle import cmd, gap, gattc
from bletest.link.clock import run
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile import load, shipped
from bletest.standalone.emulation import Emulated, emulate
from bletest.standalone.engine import Engine
from bletest.standalone.radios import VARIABLE
from tests.support.serving import PORT, serving

OK = {"result": "ok", "reason": ""}
BODY_SENSOR_LOCATION = "00002a38-0000-1000-8000-00805f9b34fb"
MEASUREMENT = "2a37"
CONTROL_POINT = "2A39"
CCCD_OF_MEASUREMENT = 10


@pytest.fixture(scope="module")
def strap() -> Iterator[Emulated]:
    with emulate("heart_rate") as device:
        yield device


@pytest.fixture(scope="module")
def adapters() -> Iterator[cmd.cmd]:
    opened = cmd.cmd(["virtual", "virtual"])
    yield opened
    assert opened.close() == OK


@pytest.fixture
def client(adapters: cmd.cmd, strap: Emulated) -> Iterator[gattc.gattc]:
    connected = gattc.gattc(adapters)
    assert connected.connect(0, strap.address, "random", "low") == OK
    yield connected
    connected.disconnect()


def reason(result: dict[str, Any]) -> str:
    assert result["result"] == "error"
    assert set(result) == {"result", "reason"}
    assert isinstance(result["reason"], str)
    return str(result["reason"])


def test_the_call_of_the_pages_example_takes_adapter_0_and_no_security(
    adapters: cmd.cmd, strap: Emulated
) -> None:
    client = gattc.gattc(adapters)
    assert client.connect(strap.address, "random") == OK
    assert client.service_discovery() == OK
    assert client.disconnect() == OK


def test_the_database_has_services_with_their_ranges_and_what_is_in_them(
    client: gattc.gattc,
) -> None:
    database = client.get_db()
    assert (database["result"], database["reason"]) == ("ok", "")
    heart_rate = database["value"][2]
    assert heart_rate["uuid"] == "0000180d-0000-1000-8000-00805f9b34fb"
    assert (heart_rate["start"], heart_rate["end"]) == (7, 14)
    assert heart_rate["characteristics"][0] == {
        "uuid": "00002a37-0000-1000-8000-00805f9b34fb",
        "handle": 8,
        "value_handle": 9,
        "properties": ["notify"],
        "descriptors": [{"uuid": "00002902-0000-1000-8000-00805f9b34fb", "handle": 10}],
    }


def test_a_value_is_read_by_uuid_or_by_handle(client: gattc.gattc) -> None:
    expected = {**OK, "value": b"\x01"}
    assert client.read(0, BODY_SENSOR_LOCATION, None) == expected
    assert client.read(0, "2a38") == expected
    handle = client.get_db()["value"][2]["characteristics"][1]["value_handle"]
    assert client.read(0, BODY_SENSOR_LOCATION, handle) == expected
    assert client.read(0, None, handle) == expected


def test_a_descriptor_is_read_by_its_handle(client: gattc.gattc) -> None:
    assert client.read(0, None, CCCD_OF_MEASUREMENT) == {**OK, "value": b"\x00\x00"}


def test_a_uuid_that_several_attributes_have_is_refused_with_their_handles(
    client: gattc.gattc,
) -> None:
    assert "0x000A, 0x0012" in reason(client.read(0, "2902", None))


@pytest.mark.parametrize("value", ["\x01", b"\x01"])
def test_str_and_bytes_are_written(client: gattc.gattc, value: str | bytes) -> None:
    assert client.write_req(0, CONTROL_POINT, None, value) == OK


def test_a_refused_write_says_the_code_and_its_name(client: gattc.gattc) -> None:
    refused = reason(client.write_req(0, CONTROL_POINT, None, b"\x07"))
    assert "0x80" in refused
    assert "heart_rate_control_point" in refused


def test_a_write_without_response_reaches_the_device(adapters: cmd.cmd) -> None:
    with emulate("nordic_uart") as uart:
        client = gattc.gattc(adapters)
        assert client.connect(1, uart.address, "random", "low") == OK
        rx = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
        assert client.write_cmd(1, rx, None, "hello") == OK
        assert uart.wait(uart.peripheral["rx"].written()) == b"hello"
        assert client.disconnect(1) == OK


def test_each_notification_is_called_back_with_one_dict(client: gattc.gattc) -> None:
    came: queue.Queue[dict[str, Any]] = queue.Queue()
    assert client.subscribe_notification(0, MEASUREMENT, came.put) == OK
    first = came.get(timeout=10)
    assert first == {
        "value_handle": 9,
        "data_len": 2,
        "data": first["data"],
        "chrc_uuid": MEASUREMENT,
    }
    assert len(first["data"]) == 2
    assert client.unsubscribe_notification(0, MEASUREMENT) == OK


def test_a_callback_may_call_the_client_itself(client: gattc.gattc) -> None:
    came: queue.Queue[dict[str, Any]] = queue.Queue()

    def read_and_unsubscribe(_: dict[str, Any]) -> None:
        came.put(client.read(0, "2a38"))
        came.put(client.unsubscribe_notification(0, MEASUREMENT))

    assert client.subscribe_notification(0, MEASUREMENT, read_and_unsubscribe) == OK
    assert came.get(timeout=10) == {**OK, "value": b"\x01"}
    assert came.get(timeout=10) == OK


def test_subscribing_twice_and_unsubscribing_twice_are_errors(client: gattc.gattc) -> None:
    def ignore(_: object) -> None: ...

    assert client.subscribe_notification(0, MEASUREMENT, ignore) == OK
    twice = client.subscribe_notification(0, MEASUREMENT, ignore)
    assert reason(twice) == "subscription already exists"
    assert client.unsubscribe_notification(0, MEASUREMENT) == OK
    again = client.unsubscribe_notification(0, MEASUREMENT)
    assert reason(again) == "none subscription for this characteristic"


def test_a_subscription_is_not_there_after_a_reconnection(
    client: gattc.gattc, strap: Emulated
) -> None:
    assert client.subscribe_notification(0, MEASUREMENT, print) == OK
    assert client.disconnect() == OK
    assert client.connect(strap.address, "random") == OK
    gone = client.unsubscribe_notification(0, MEASUREMENT)
    assert reason(gone) == "none subscription for this characteristic"


def test_what_a_callback_raises_leaves_the_next_one_called(
    client: gattc.gattc, caplog: pytest.LogCaptureFixture
) -> None:
    came: queue.Queue[dict[str, Any]] = queue.Queue()

    def raise_once(notification: dict[str, Any]) -> None:
        came.put(notification)
        if came.qsize() == 1:
            raise RuntimeError("a mistake of the script")

    assert client.subscribe_notification(0, MEASUREMENT, raise_once) == OK
    came.get(timeout=10)
    came.get(timeout=10)
    assert "a mistake of the script" in caplog.text


def test_connection_and_disconnection_are_called_back(adapters: cmd.cmd, strap: Emulated) -> None:
    came: queue.Queue[dict[str, Any]] = queue.Queue()
    client = gattc.gattc(adapters)
    assert client.set_connected_cb(came.put) == OK
    assert client.set_disconnected_cb(came.put) == OK
    assert client.connect(strap.address, "random") == OK
    assert came.get(timeout=10) == {"devId": 0, "addr": strap.address}
    assert client.disconnect() == OK
    gone = came.get(timeout=10)
    assert (gone["devId"], gone["addr"]) == (0, strap.address)
    assert "closed on this side" in gone["reason"]


def test_security_levels_say_what_the_link_is_worth(adapters: cmd.cmd) -> None:
    with emulate("smart_lock") as lock:
        client = gattc.gattc(adapters)
        assert client.connect(1, lock.address, "random", "medium") == OK
        assert client.disconnect(1) == OK
        unproven = client.connect(1, lock.address, "random", "high")
        assert "authenticated" in reason(unproven)
        assert "ended" in reason(client.read(1, "2a00"))
        assert gap.gap(adapters).unpair(1, lock.address) == OK


KEYPAD = """
bletest: 1
name: keypad
device: {name: Keypad}
advertising: {interval: 100ms}
security: {bonding: true, io: display_only, passkey: 123456}
services:
  - uuid: 0xFF00
    characteristics: [{uuid: 0xFF01, properties: [read], read: authenticated, value: {uint8: 7}}]
"""


@pytest.mark.parametrize("passkey", [123456, "123456", lambda: 123456])
def test_with_the_devices_passkey_the_link_is_authenticated(
    adapters: cmd.cmd, tmp_path: Path, passkey: Any
) -> None:
    file = tmp_path / "keypad.yaml"
    file.write_text(KEYPAD)
    with emulate(str(file)) as device:
        client = gattc.gattc(adapters)
        assert client.set_passkey(passkey) == OK
        assert client.connect(1, device.address, "random", "high") == OK
        assert client.read(1, "ff01") == {**OK, "value": b"\x07"}
        client.disconnect(1)


def test_without_the_devices_passkey_there_is_no_authenticated_link(
    adapters: cmd.cmd, tmp_path: Path
) -> None:
    file = tmp_path / "keypad.yaml"
    file.write_text(KEYPAD)
    with emulate(str(file)) as device:
        client = gattc.gattc(adapters)
        assert "pairing" in reason(client.connect(1, device.address, "random", "high"))
        assert client.set_passkey(1) == OK
        assert "pairing" in reason(client.connect(1, device.address, "random", "high"))
        assert "six digits" in reason(client.set_passkey("12"))


def test_facts_of_the_link_are_told(client: gattc.gattc) -> None:
    assert client.get_mtu() == {**OK, "value": 247}
    assert client.get_rssi() == {**OK, "value": -50}


def test_a_scan_lists_who_advertises(adapters: cmd.cmd, strap: Emulated) -> None:
    came: queue.Queue[dict[str, Any]] = queue.Queue()
    assert adapters.scan_start(0, came.put) == OK
    assert "already" in reason(adapters.scan_start(0))
    while (seen := came.get(timeout=10))["addr"] != strap.address or seen["name"] is None:
        pass
    assert (seen["addrtype"], seen["name"], seen["connectable"]) == ("random", "HR-Strap", True)
    stopped = adapters.scan_stop(0)
    assert strap.address in [one["addr"] for one in stopped["value"]]
    assert "not scanning" in reason(adapters.scan_stop(0))


def test_a_device_is_found_by_its_name(adapters: cmd.cmd, strap: Emulated) -> None:
    found = gap.gap(adapters).find(0, "HR-Strap")
    assert (found["value"]["addr"], found["value"]["name"]) == (strap.address, "HR-Strap")
    assert "was not seen" in reason(gap.gap(adapters).find(0, "Nobody", timeout=0.2))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((0, "no address", "random"), "addr must be"),
        ((0, 17, "random"), "addr must be"),
        ((0, "C0:11:22:33:44:55", "secret"), "addrtype must be"),
        ((0, "C0:11:22:33:44:55", None), "addrtype must be"),
        ((0, "C0:11:22:33:44:55", "random", "total"), "sec_level must be"),
        ((7, "C0:11:22:33:44:55", "random"), "there is no adapter 7"),
        ((-1, "C0:11:22:33:44:55", "random"), "devId must be"),
        ((None, "C0:11:22:33:44:55", "random"), "devId must be"),
    ],
)
def test_a_bad_argument_of_connect_is_an_error_result(
    adapters: cmd.cmd, arguments: tuple[Any, ...], word: str
) -> None:
    assert word in reason(gattc.gattc(adapters).connect(*arguments))


def test_bad_arguments_of_operations_are_error_results(client: gattc.gattc) -> None:
    assert "chr must be" in reason(client.read(0, 12, None))  # type: ignore[arg-type]
    assert "nonsense" in reason(client.read(0, "nonsense"))
    assert "has no 2a99" in reason(client.read(0, "2a99"))
    assert "say which" in reason(client.read(0))
    assert "handle must be" in reason(client.read(0, None, "9"))  # type: ignore[arg-type]
    assert "0x7777" in reason(client.read(0, None, 0x7777))
    wrong: Any = 5
    assert "value must be" in reason(client.write_req(0, CONTROL_POINT, None, wrong))
    assert "must be a function" in reason(client.subscribe_notification(0, MEASUREMENT, wrong))
    assert "descriptor" in reason(client.write_cmd(0, None, CCCD_OF_MEASUREMENT, b"\x00\x00"))


def test_nothing_works_before_a_connection(adapters: cmd.cmd) -> None:
    client = gattc.gattc(adapters)
    for result in (client.get_db(), client.read(0, "2a38"), client.disconnect(), client.pair()):
        assert "not connected on adapter 0" in reason(result)


def test_a_device_that_is_not_there_is_an_error_in_time(strap: Emulated) -> None:
    impatient = cmd.cmd(["virtual"], timeout=0.3)
    client = gattc.gattc(impatient)
    assert reason(client.connect("C0:00:00:00:00:01", "random"))
    assert client.connect(strap.address, "random") == OK
    assert impatient.close() == OK


def test_after_the_device_has_gone_calls_say_so() -> None:
    adapters = cmd.cmd(["virtual"])
    client = gattc.gattc(adapters)
    with emulate("led_button") as device:
        assert client.connect(device.address, "random") == OK
    assert "ended" in reason(client.read(0, "2a00"))
    assert "ended" in reason(client.get_rssi())
    assert adapters.close() == OK


def test_clients_of_several_threads_work_at_once(adapters: cmd.cmd) -> None:
    results: list[dict[str, Any]] = []

    def work(index: int, address: str) -> None:
        client = gattc.gattc(adapters)
        results.append(client.connect(index, address, "random"))
        results.extend(client.read(index, "2a00") for _ in range(20))
        results.append(client.disconnect(index))

    with emulate("led_button") as one, emulate("led_button") as other:
        threads = [
            threading.Thread(target=work, args=(index, device.address))
            for index, device in enumerate((one, other))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
    assert [result["result"] for result in results] == ["ok"] * 44


# Adapters


def test_an_adapter_that_cannot_be_opened_is_told_by_each_call() -> None:
    adapters = cmd.cmd(["tcp-client:127.0.0.1:1", "virtual"])
    client = gattc.gattc(adapters)
    assert "127.0.0.1:1" in reason(client.connect(0, "C0:11:22:33:44:55", "random"))
    assert adapters.scan_start(1) == OK
    assert adapters.close() == OK


def test_the_environment_names_the_adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "virtual, virtual")
    adapters = cmd.cmd()
    assert adapters.scan_start(1) == OK
    assert "there are 2" in reason(adapters.scan_start(2))
    assert adapters.close() == OK


def test_a_radio_that_is_none_is_told_by_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "ubs:0")
    told = reason(gattc.gattc(cmd.cmd()).connect("C0:11:22:33:44:55", "random"))
    assert VARIABLE in told
    assert 'did you mean "usb"?' in told


def test_a_client_reaches_a_device_in_another_process() -> None:
    with serving("heart_rate", "--hci-port", PORT) as served:
        address = next(line for line in served.said if " at " in line).split(" at ")[1][:17]
        adapters = cmd.cmd(served.ports)
        client = gattc.gattc(adapters)
        assert client.connect(address, "random") == OK
        assert client.read(0, "2a38") == {**OK, "value": b"\x01"}
        served.process.kill()
        served.process.wait()
        assert reason(client.read(0, "2a38"))
        assert adapters.close() == OK


# Scripts, tests, loops


@contextmanager
def script(text: str, tmp_path: Path) -> "Iterator[subprocess.Popen[str]]":
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(text))
    with subprocess.Popen(
        [sys.executable, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_a_script_that_waits_in_a_call(tmp_path: Path) -> None:
    # What starts this test may ignore the signal, and what is ignored is inherited.
    text = """
        import signal
        from bletest.compat.pybtle import cmd, gattc
        signal.signal(signal.SIGINT, signal.default_int_handler)
        client = gattc.gattc(cmd.cmd())
        print("connecting", flush=True)
        client.connect("C0:11:22:33:44:55", "random")
    """
    with script(text, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "connecting\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert err.rstrip().endswith("KeyboardInterrupt")


def test_a_script_ends_without_closing_anything(tmp_path: Path) -> None:
    text = """
        from bletest.standalone.emulation import emulate
        from bletest.compat.pybtle import cmd, gattc
        device = emulate("heart_rate")
        client = gattc.gattc(cmd.cmd())
        client.connect(device.address, "random")
        client.subscribe_notification(0, "2a37", print)
        print(client.read(0, "2a38"))
    """
    with script(text, tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out == "{'result': 'ok', 'reason': '', 'value': b'\\x01'}\n"


def test_an_async_test_uses_it_from_a_thread_in_virtual_time() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        air = VirtualLink()
        peripheral = VirtualPeripheral(load(shipped()["heart_rate"]))
        station = await open_station(air, name="p", address=None, rng=random.Random(1))
        await peripheral.start(station)
        central = await open_station(air, name="c", address=None, rng=random.Random(2))
        client = gattc.gattc(cmd.cmd.on(BumbleAdapter(central), Engine(loop)))
        assert "to_thread" in reason(client.connect(peripheral.address, "random"))
        came: queue.Queue[dict[str, Any]] = queue.Queue()

        def use() -> None:
            assert client.connect(peripheral.address, "random") == OK
            assert client.read(0, "2a38") == {**OK, "value": b"\x01"}
            assert client.subscribe_notification(0, MEASUREMENT, came.put) == OK

        await asyncio.to_thread(use)
        began = loop.time()
        await asyncio.sleep(600.5)
        assert came.qsize() >= 599
        assert await asyncio.to_thread(client.disconnect) == OK
        await peripheral.stop()
        await station.close()
        await central.close()
        return loop.time() - began

    assert run(main()) >= 600
