"""A faulty device is told apart from a good one, and the failure says what is wrong.

Each fault damages the emulated device in one way; it is judged by the undamaged profile.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bletest import profile
from bletest.att.access import OPEN
from bletest.att.handlers import ReadAccess, WriteAccess
from bletest.peripheral.hooks import Connected, Subscribed, Unsubscribed
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.spec import Profile, SecuritySpec
from tests.support.judge import Fault, failures, judge


def source(name: str) -> str:
    return Path(profile.shipped()[name]).read_text("utf-8")


@dataclass(frozen=True)
class Edit:
    """A fault that the device's own profile can say: ``old`` becomes ``new``."""

    name: str
    device: str
    old: str
    new: str
    attribute: str
    says: tuple[str, ...]


EDITS = [
    Edit(
        "a property is missing",
        "heart_rate",
        "properties: [read, notify]\n        value: 77",
        "properties: [read]\n        value: 77",
        "battery/battery_level",
        ("notify",),
    ),
    Edit(
        "a property too many",
        "heart_rate",
        "properties: [read]\n        value: chest",
        "properties: [read, write]\n        value: chest",
        "heart_rate/body_sensor_location",
        ("write",),
    ),
    Edit(
        "another value",
        "heart_rate",
        "value: chest",
        "value: wrist",
        "heart_rate/body_sensor_location",
        ("01", "02"),
    ),
    Edit(
        "a value one octet short",
        "heart_rate",
        "value: Example Sports, expect: same",
        "value: Example Sport, expect: same",
        "device_information/manufacturer_name_string",
        ("Example Sports",),
    ),
    Edit(
        "the wrong error code",
        "heart_rate",
        "error: 0x80",
        "error: 0x81",
        "heart_rate/heart_rate_control_point",
        ("0x80", "0x81"),
    ),
    Edit(
        "a write accepted that should be refused",
        "heart_rate",
        "- {otherwise: true, error: 0x80} # Control Point Not Supported",
        "- {otherwise: true}",
        "heart_rate/heart_rate_control_point",
        ("0x80",),
    ),
    Edit(
        "a longer write accepted",
        "heart_rate",
        "length: 1\n        side_effect: stores",
        "length: {min: 1, max: 4}\n        side_effect: stores",
        "heart_rate/heart_rate_control_point",
        ("0x0D",),
    ),
    Edit(
        "a characteristic with the wrong UUID",
        "heart_rate",
        "- uuid: body_sensor_location\n        properties: [read]\n        value: chest",
        "- uuid: 0x2AFF\n        properties: [read]\n        value: {uint8: 1}",
        "heart_rate/body_sensor_location",
        (),
    ),
    Edit(
        "a service is missing",
        "smart_lock",
        "  - uuid: battery\n    characteristics:\n      - {uuid: battery_level, "
        "properties: [read, notify], value: 64, expect: {min: 0, max: 100}}\n",
        "",
        "battery",
        (),
    ),
    Edit(
        "advertising without a service UUID",
        "heart_rate",
        "services: [heart_rate, battery, device_information]",
        "services: [battery, device_information]",
        "device",
        ("heart_rate",),
    ),
    Edit(
        "other manufacturer data",
        "heart_rate",
        "{0x0059: 01 02}",
        "{0x0059: 01 03}",
        "device",
        ("01 02", "01 03"),
    ),
    Edit("another name", "heart_rate", "name: HR-Strap", "name: HR-Strip", "device", ("HR-Strap",)),
    Edit(
        "another appearance",
        "heart_rate",
        "appearance: heart_rate_belt",
        "appearance: heart_rate_sensor",
        "device",
        (),
    ),
    Edit(
        "notifications half as often",
        "heart_rate",
        "every: 1s",
        "every: 2s",
        "heart_rate/heart_rate_measurement",
        (),
    ),
    Edit(
        "notifications twice as often",
        "heart_rate",
        "every: 1s",
        "every: 500ms",
        "heart_rate/heart_rate_measurement",
        (),
    ),
    Edit(
        "a notified value out of bounds",
        "heart_rate",
        "expect: {heart_rate: {min: 25, max: 250}}\n        notify:\n          every: 1s\n"
        "          tolerance: 20%\n          values: {ramp: {of: heart_rate, from: 60, to: 180",
        "notify:\n          every: 1s\n"
        "          tolerance: 20%\n          values: {ramp: {of: heart_rate, from: 10, to: 20",
        "heart_rate/heart_rate_measurement",
        ("25",),
    ),
    Edit(
        "a read value out of bounds",
        "heart_rate",
        "value: 77\n        expect: {min: 0, max: 100}",
        "value: {hex: 65}",
        "battery/battery_level",
        ("100", "101"),
    ),
    Edit(
        "a descriptor is missing",
        "heart_rate",
        "          - {uuid: characteristic_presentation_format, "
        "value: {hex: 04 00 AD 27 01 06 01}, expect: same}\n",
        "          - {uuid: characteristic_user_description, value: {text: level}}\n",
        "battery/battery_level",
        (),
    ),
    Edit(
        "a smaller MTU",
        "heart_rate",
        "mtu: 247",
        "mtu: 100",
        "device",
        ("247", "100"),
    ),
    Edit(
        "a protected value that anybody reads",
        "smart_lock",
        "expect: {one_of: [0, 1, 2]}\n        read: encrypted",
        "expect: {one_of: [0, 1, 2]}",
        "lock/state",
        ("0x05",),
    ),
    Edit(
        "a protected value that anybody writes",
        "smart_lock",
        "        read: encrypted\n        write: encrypted",
        "        read: encrypted",
        "lock/auto_lock_delay",
        ("0x05",),
    ),
    Edit(
        "a subscription that needs no pairing",
        "smart_lock",
        "        read: encrypted\n        subscribe: encrypted",
        "        read: encrypted",
        "lock/state",
        ("0x05",),
    ),
    Edit(
        "a reply that comes too late",
        "smart_lock",
        "reply: {via: state, value: {uint8: 0}, as: indication, after: 300ms, within: 1s}",
        "reply: {via: state, value: {uint8: 0}, as: indication, after: 3s, within: 5s}",
        "lock/command",
        (),
    ),
    Edit(
        "a reply that says something else",
        "smart_lock",
        "reply: {via: state, value: {uint8: 1}",
        "reply: {via: state, value: {uint8: 2}",
        "lock/command",
        ("01", "02"),
    ),
]


def deaf_cccd(peripheral: VirtualPeripheral) -> None:
    """The CCCD acknowledges a write and forgets it."""
    cccd = peripheral["heart_rate_measurement"].attribute.cccd
    assert cccd is not None
    cccd.per_client = False

    class Forgetful:
        def read(self, request: ReadAccess) -> bytes:
            return b"\x00\x00"

        def write(self, request: WriteAccess) -> None:
            return None

    cccd.handler = Forgetful()


async def beat(
    peripheral: VirtualPeripheral, client: str, goes_on: Callable[[], bool] = lambda: True
) -> None:
    """Send a notification each second for as long as there is a link and ``goes_on`` says so."""
    loop = asyncio.get_running_loop()
    handle = peripheral["heart_rate_measurement"].attribute.value.handle
    while client in peripheral.clients:
        await asyncio.sleep(1)
        if not goes_on():
            return
        link = peripheral._links.get(client)
        pdu = link.bearer.notify(handle, b"\x06\x48", loop.time()) if link else None
        if link is not None and pdu is not None:
            link.send(pdu)


def early_notifications(peripheral: VirtualPeripheral) -> None:
    """It notifies from the connection on, subscribed or not."""

    async def begin_at_once() -> None:
        await beat(peripheral, await peripheral.wait_connected(within=100))

    peripheral.spawn(begin_at_once())


def notifications_until_subscribed(peripheral: VirtualPeripheral) -> None:
    """It notifies from each connection on, until the client writes the CCCD."""
    subscribed: set[str] = set()

    @peripheral.on_connect
    def begin(event: Connected) -> None:
        client = event.client
        subscribed.discard(client)
        peripheral.spawn(beat(peripheral, client, lambda: client not in subscribed))

    @peripheral.on_subscribe
    def end(event: Subscribed) -> None:
        subscribed.add(event.client)


def endless_notifications(peripheral: VirtualPeripheral) -> None:
    """It goes on notifying after the client unsubscribed."""

    @peripheral["heart_rate_measurement"].on_unsubscribe
    def begin_anew(event: Unsubscribed) -> None:
        peripheral.spawn(beat(peripheral, event.client))


def no_pairing(peripheral: VirtualPeripheral) -> None:
    """It refuses to pair, and so nobody ever reads what is protected."""
    station = peripheral._station
    assert station is not None
    unwilling = replace(peripheral.profile, security=SecuritySpec(pairing=False))
    station.device.pairing_config_factory = replace(
        peripheral.pairing_room, profile=lambda: unwilling
    ).config


def write_only_acknowledged(peripheral: VirtualPeripheral) -> None:
    """A write is acknowledged, and the value stays as it was."""
    characteristic = peripheral["auto_lock_delay"]
    characteristic.callback(16, lambda _: None)
    characteristic.on_write(lambda _: characteristic.value())


def readable_secret(peripheral: VirtualPeripheral) -> None:
    """A value without the read property can be read all the same."""
    peripheral["heart_rate_control_point"].attribute.value.read = OPEN


DAMAGE: list[tuple[str, str, Fault, str]] = [
    ("a CCCD that forgets", "heart_rate", deaf_cccd, "heart_rate/heart_rate_measurement"),
    (
        "notification before subscription",
        "heart_rate",
        early_notifications,
        "heart_rate/heart_rate_measurement",
    ),
    (
        "notification until the first subscription",
        "heart_rate",
        notifications_until_subscribed,
        "device",
    ),
    (
        "notification after unsubscription",
        "heart_rate",
        endless_notifications,
        "heart_rate/heart_rate_measurement",
    ),
    ("no pairing", "smart_lock", no_pairing, "lock/state"),
    ("a write that stores nothing", "smart_lock", write_only_acknowledged, "lock/auto_lock_delay"),
    (
        "a read that should be refused",
        "heart_rate",
        readable_secret,
        "heart_rate/heart_rate_control_point",
    ),
]


def damaged(edit: Edit) -> Profile:
    text = source(edit.device)
    assert text.count(edit.old) >= 1, f"{edit.device} no longer says {edit.old!r}"
    return profile.loads(text.replace(edit.old, edit.new), name=f"{edit.name}.yaml")


def test_there_are_enough_faults_to_mean_something() -> None:
    assert len(EDITS) + len(DAMAGE) >= 20


@pytest.mark.parametrize("name", sorted(profile.shipped()))
def test_a_good_device_has_no_findings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCK_KEY", "00 01 02 03")  # of challenge_lock
    verdicts = judge(profile.load(profile.shipped()[name]))
    assert [str(verdict) for verdict in verdicts if verdict.problem is not None] == []
    assert len(verdicts) >= 20


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name.replace(" ", "-"))
def test_a_device_that_differs_from_its_profile_is_found_out(edit: Edit) -> None:
    oracle = profile.loads(source(edit.device))
    found = failures(judge(oracle, damaged(edit), about=edit.attribute))
    assert found, "no check noticed"
    text = "\n".join(str(verdict.problem) for verdict in found)
    for word in edit.says:
        assert word in text


@pytest.mark.parametrize(
    ("device", "fault", "attribute"),
    [entry[1:] for entry in DAMAGE],
    ids=[entry[0].replace(" ", "-") for entry in DAMAGE],
)
def test_a_device_that_misbehaves_is_found_out(device: str, fault: Fault, attribute: str) -> None:
    assert failures(judge(profile.loads(source(device)), fault=fault, about=attribute))
