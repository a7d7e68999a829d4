"""Pycom's interface: what its documentation says of services, characteristics and callbacks."""

import queue
import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bletest.compat.pybtle import cmd, gattc
from bletest.compat.pycom import Bluetooth, GATTSCharacteristic
from bletest.standalone.radios import VARIABLE
from tests.support.serving import serving

EXAMPLES = Path(__file__).parents[2] / "examples"

OK = {"result": "ok", "reason": ""}
CHR1 = "36353433-3231-3039-3837-363534336261"
CHR2 = "11d7"


@pytest.fixture
def bluetooth() -> Iterator[Bluetooth]:
    radio = Bluetooth()
    yield radio
    radio.deinit()


@pytest.fixture(scope="module")
def adapters() -> Iterator[cmd.cmd]:
    opened = cmd.cmd(["virtual"])
    yield opened
    opened.close()


@pytest.fixture
def client(adapters: cmd.cmd, bluetooth: Bluetooth) -> Iterator[Callable[[], gattc.gattc]]:
    made = gattc.gattc(adapters)

    def connected() -> gattc.gattc:
        assert made.connect(bluetooth.address, "random") == OK
        return made

    yield connected
    made.disconnect()


def advertised(bluetooth: Bluetooth, **arguments: Any) -> GATTSCharacteristic:
    """One characteristic of a device that advertises."""
    bluetooth.advertise(True)
    return bluetooth.service(0xEC00).characteristic(0xEC0E, **arguments)


# The example of the documentation


def test_the_example_serves_the_stored_value_twice_and_then_its_text(
    monkeypatch: pytest.MonkeyPatch,
    bluetooth: Bluetooth,
    client: Callable[[], gattc.gattc],
) -> None:
    network = ModuleType("network")
    network.Bluetooth = Bluetooth  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "network", network)
    printed: queue.Queue[str] = queue.Queue()
    runpy.run_path(str(EXAMPLES / "lopy.py"), init_globals={"print": printed.put})
    phone = client()
    reads = [phone.read(0, CHR1)["value"] for _ in range(4)]
    assert reads == [b"\x05", b"\x05", b"ABC DEF", b"ABC DEF"]
    assert [phone.read(0, CHR2)["value"] for _ in range(4)] == [
        b"\x12\x34",
        b"\xf2",
        b"\xf3",
        b"\xf4",
    ]
    assert phone.write_req(0, CHR1, None, "hello") == OK
    assert phone.read(0, CHR1)["value"] == b"ABC DEF"
    assert phone.disconnect() == OK
    assert [printed.get(timeout=10) for _ in range(5)] == [
        "Client connected",
        "Read request on char 1",
        "Read request on char 1",
        "Write request with value = b'hello'",
        "Client disconnected",
    ]


def test_pybtles_example_reads_the_lopys_in_another_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = "tcp-server:127.0.0.1:0"
    script = str(EXAMPLES / "lopy.py")
    with serving(script, "--hci-port", port, command="run-script") as served:
        address = served.said[-2].split(" at ")[1]
        monkeypatch.setenv(VARIABLE, served.ports[0])
        monkeypatch.setattr(sys, "argv", ["pybtle_client.py", address, "random"])
        script_globals = runpy.run_path(str(EXAMPLES / "pybtle_client.py"))
        read = script_globals["client"].read
        values = [read(0, CHR1)["value"] for _ in range(2)]
        code, out, err = served.end()
        script_globals["client"]._cmd.close()
    assert values == [b"\x05", b"ABC DEF"]
    assert f"{CHR1} {{'result': 'ok', 'reason': '', 'value': b'\\x05'}}" in capsys.readouterr().out
    assert "Client connected\nRead request on char 1\nRead request on char 1\n" in out
    assert (code, err) == (0, "")


# Values


@pytest.mark.parametrize(
    ("given", "octets"),
    [(5, b"\x05"), (0x1234, b"\x12\x34"), (0x12345, b"\x00\x01\x23\x45"), ("text", b"text")],
)
def test_an_initial_int_is_big_endian(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc], given: Any, octets: bytes
) -> None:
    characteristic = advertised(bluetooth, value=given)
    assert characteristic.value() == octets
    assert client().read(0, "ec0e")["value"] == octets


@pytest.mark.parametrize(
    ("given", "octets"),
    [
        (123, b"\x7b"),
        (0x1234, b"\x34\x12"),
        (0x12345, b"\x45\x23\x01\x00"),
        ("text", b"text"),
        (b"\x01\x02", b"\x01\x02"),
    ],
)
def test_an_int_that_is_set_is_little_endian_and_what_is_returned_is_octets(
    bluetooth: Bluetooth, given: Any, octets: bytes
) -> None:
    characteristic = bluetooth.service(1).characteristic(2)
    assert characteristic.value() == b"\x00"
    characteristic.value(given)
    assert characteristic.value() == octets


def test_a_value_is_kept_when_the_device_begins_and_ends_to_advertise(bluetooth: Bluetooth) -> None:
    characteristic = bluetooth.service(1).characteristic(2)
    characteristic.value("one")
    bluetooth.advertise(True)
    assert characteristic.value() == b"one"
    characteristic.value("two")
    bluetooth.advertise(False)
    assert characteristic.value() == b"two"


# UUIDs


@pytest.mark.parametrize(
    ("uuid", "text"),
    [
        (0x1234, "00001234-0000-1000-8000-00805f9b34fb"),
        (0x12345678, "12345678-0000-1000-8000-00805f9b34fb"),
        (b"1234567890123456", "36353433-3231-3039-3837-363534333231"),
        ("1234567890123456", "36353433-3231-3039-3837-363534333231"),
    ],
)
def test_a_uuid_is_an_int_or_16_octets_least_significant_first(
    bluetooth: Bluetooth, uuid: Any, text: str
) -> None:
    assert bluetooth.service(uuid).uuid == text


@pytest.mark.parametrize("uuid", [b"short", -1, 1 << 32, None, 1.5, True])
def test_any_other_uuid_is_a_value_error(bluetooth: Bluetooth, uuid: Any) -> None:
    with pytest.raises(ValueError, match="a uuid is"):
        bluetooth.service(uuid)


@pytest.mark.parametrize("arguments", [{"properties": 0x100}, {"properties": 0x80}])
def test_properties_that_cannot_be_are_a_value_error(
    bluetooth: Bluetooth, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="PROP_"):
        bluetooth.service(1).characteristic(2, **arguments)


# Callbacks and events


def test_a_read_waits_for_its_handler_whose_answer_serves_this_read_only(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    characteristic = advertised(bluetooth, value="stored")
    answers = iter(["once", 0x0102, None])
    characteristic.callback(Bluetooth.CHAR_READ_EVENT, lambda _: next(answers))
    phone = client()
    assert [phone.read(0, "ec0e")["value"] for _ in range(3)] == [b"once", b"\x01\x02", b"stored"]
    assert characteristic.value() == b"stored"


def test_a_handler_may_use_the_characteristic_and_is_given_the_argument(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    characteristic = advertised(bluetooth)
    seen: list[Any] = []

    def handler(about: Any) -> None:
        seen.append((about, characteristic.events(), characteristic.value()))
        characteristic.value(len(seen))

    characteristic.callback(Bluetooth.CHAR_READ_EVENT, handler, arg="mine")
    phone = client()
    assert [phone.read(0, "ec0e")["value"] for _ in range(2)] == [b"\x01", b"\x02"]
    assert seen == [("mine", 8, b"\x00"), ("mine", 8, b"\x01")]


def test_a_handler_of_two_arguments_gets_event_and_value(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    characteristic = advertised(bluetooth)
    came: queue.Queue[Any] = queue.Queue()

    def handler(chr: GATTSCharacteristic, data: tuple[int, bytes]) -> None:
        came.put((chr, data))

    characteristic.callback(Bluetooth.CHAR_WRITE_EVENT, handler)
    assert client().write_req(0, "ec0e", None, b"hello") == OK
    assert came.get(timeout=10) == (characteristic, (Bluetooth.CHAR_WRITE_EVENT, b"hello"))


def test_a_write_is_stored_and_acknowledged_before_its_handler_runs(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    characteristic = advertised(bluetooth)
    go_on = threading.Event()
    came: queue.Queue[bytes | None] = queue.Queue()

    def handler(chr: GATTSCharacteristic) -> str:
        came.put(chr.value())
        go_on.wait(10)
        return "nobody reads this"

    characteristic.callback(Bluetooth.CHAR_WRITE_EVENT, handler)
    phone = client()
    assert phone.write_req(0, "ec0e", None, "hello") == OK
    assert came.get(timeout=10) == b"hello"
    assert phone.read(0, "ec0e")["value"] == b"hello"
    go_on.set()


def test_a_handler_that_raises_is_answered_with_0x0e(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    characteristic = advertised(bluetooth)
    characteristic.callback(Bluetooth.CHAR_READ_EVENT, lambda _: 1 / 0)
    phone = client()
    assert "0x0E" in phone.read(0, "ec0e")["reason"]
    characteristic.callback()
    assert phone.read(0, "ec0e")["value"] == b"\x00"
    assert bluetooth.peripheral is not None
    assert isinstance(bluetooth.peripheral.failures[0], ZeroDivisionError)


def test_events_accumulate_without_a_callback_and_are_cleared_by_asking(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    characteristic = advertised(bluetooth)
    phone = client()
    assert bluetooth.events() == Bluetooth.CLIENT_CONNECTED
    assert bluetooth.events() == 0
    phone.read(0, "ec0e")
    phone.write_req(0, "ec0e", None, b"\x01")
    assert characteristic.events() == Bluetooth.CHAR_READ_EVENT | Bluetooth.CHAR_WRITE_EVENT
    assert characteristic.events() == 0
    phone.subscribe_notification(0, "ec0e", print)
    assert characteristic.events() & Bluetooth.CHAR_SUBSCRIBE_EVENT


def test_a_client_that_subscribes_is_sent_the_value_at_once_and_then_each_new_one(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    characteristic = advertised(bluetooth, value="now")
    told: queue.Queue[Any] = queue.Queue()
    characteristic.callback(Bluetooth.CHAR_SUBSCRIBE_EVENT | Bluetooth.CHAR_NOTIFY_EVENT, told.put)
    came: queue.Queue[dict[str, Any]] = queue.Queue()
    phone = client()
    characteristic.value("now")  # nobody has subscribed: nobody is sent it
    assert phone.subscribe_notification(0, "ec0e", came.put) == OK
    assert came.get(timeout=10)["data"] == b"now"
    characteristic.value(0x0102)
    assert came.get(timeout=10)["data"] == b"\x02\x01"
    assert told.get(timeout=10) is told.get(timeout=10) is characteristic


def test_a_characteristic_that_indicates_indicates(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    properties = Bluetooth.PROP_READ | Bluetooth.PROP_INDICATE
    characteristic = advertised(bluetooth, properties=properties)
    came: queue.Queue[dict[str, Any]] = queue.Queue()
    assert client().subscribe_notification(0, "ec0e", came.put) == OK
    characteristic.value("new")
    assert came.get(timeout=10)["data"] == b"new"


# The radio


def test_connections_are_called_back_with_the_radio_or_the_argument(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    advertised(bluetooth)
    came: queue.Queue[Any] = queue.Queue()
    both = Bluetooth.CLIENT_CONNECTED | Bluetooth.CLIENT_DISCONNECTED
    bluetooth.callback(trigger=both, handler=lambda bt: came.put((bt, bt.events())))
    phone = client()
    assert came.get(timeout=10) == (bluetooth, Bluetooth.CLIENT_CONNECTED)
    bluetooth.disconnect_client()
    assert came.get(timeout=10) == (bluetooth, Bluetooth.CLIENT_DISCONNECTED)
    assert "ended" in phone.read(0, "ec0e")["reason"]
    bluetooth.callback(Bluetooth.CLIENT_CONNECTED, came.put, "argument")
    client()
    assert came.get(timeout=10) == "argument"


def test_what_is_advertised_is_seen(bluetooth: Bluetooth, adapters: cmd.cmd) -> None:
    bluetooth.set_advertisement(
        name="FiPy 45", manufacturer_data="Pycom", service_data=b"\x0f\x18\x64", service_uuid=0xEC00
    )
    seen: queue.Queue[dict[str, Any]] = queue.Queue()
    adapters.scan_start(0, seen.put)
    bluetooth.advertise(True)
    while (one := seen.get(timeout=10))["name"] is None:
        pass
    adapters.scan_stop(0)
    assert (one["addr"], one["name"]) == (bluetooth.address, "FiPy 45")
    assert one["uuids"] == ["0000ec00-0000-1000-8000-00805f9b34fb"]


def test_a_device_that_advertises_no_more_is_not_found(
    bluetooth: Bluetooth, adapters: cmd.cmd
) -> None:
    advertised(bluetooth)
    bluetooth.advertise(False)
    impatient = cmd.cmd(["virtual"], timeout=0.3)
    assert gattc.gattc(impatient).connect(bluetooth.address, "random")["result"] == "error"
    impatient.close()


def test_a_service_made_while_a_client_is_connected_shows_when_it_is_gone(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    advertised(bluetooth)
    phone = client()
    gone = threading.Event()
    bluetooth.callback(Bluetooth.CLIENT_DISCONNECTED, lambda _: gone.set())
    bluetooth.service(0xEC01).characteristic(0xEC02, value=7)
    phone.service_discovery()
    assert "has no ec02" in phone.read(0, "ec02")["reason"]
    phone.disconnect()
    assert gone.wait(10)
    assert client().read(0, "ec02")["value"] == b"\x07"


def test_a_service_can_be_stopped(bluetooth: Bluetooth, client: Callable[[], gattc.gattc]) -> None:
    advertised(bluetooth)
    other = bluetooth.service(0xEC01, start=False)
    other.characteristic(0xEC02)
    phone = client()
    assert "has no ec02" in phone.read(0, "ec02")["reason"]
    assert phone.disconnect() == OK
    other.start()
    assert client().read(0, "ec02")["value"] == b"\x00"
    other.stop()


def test_encrypted_values_ask_for_pairing(
    bluetooth: Bluetooth, client: Callable[[], gattc.gattc]
) -> None:
    secret = Bluetooth.PERM_READ_ENCRYPTED | Bluetooth.PERM_WRITE
    advertised(bluetooth, permissions=secret, value=1)
    phone = client()
    assert "0x05" in phone.read(0, "ec0e")["reason"]
    assert phone.pair() == OK
    assert phone.read(0, "ec0e")["value"] == b"\x01"


def test_bluetooth_is_one_object_until_it_is_switched_off() -> None:
    one = Bluetooth()
    assert Bluetooth() is one
    one.init()
    one.deinit()
    other = Bluetooth()
    assert other is not one
    other.deinit()


def test_a_radio_that_is_not_named_is_told() -> None:
    second = Bluetooth(id=1)
    with pytest.raises(Exception, match=VARIABLE):
        second.advertise(True)
    second.deinit()


def test_what_does_not_fit_into_an_advertisement_is_a_value_error(bluetooth: Bluetooth) -> None:
    with pytest.raises(ValueError, match="31 fit"):
        bluetooth.set_advertisement(manufacturer_data=b"x" * 40)
    bluetooth.set_advertisement(name="short")
