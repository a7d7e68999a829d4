"""Devices that share no line with us, judged by our profiles: each finding is a true one."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bletest import profile
from bletest.link.virtual import VirtualLink
from tests.support.judge import failures, is_finding, judge
from tests.truth.bumble_strap import BumbleStrap

CONTROL_POINT = "heart_rate/heart_rate_control_point"
MEASUREMENT = "heart_rate/heart_rate_measurement"
BATTERY = "battery/battery_level"
DEVICE = "device"

ATTRIBUTES = {one.path for one in profile.load(profile.shipped()["heart_rate"]).characteristics()}

BUMBLE_DEVIATIONS: dict[str, tuple[set[str], str]] = {
    # check: (attributes, what bumble does)
    "read.refused": ({MEASUREMENT, CONTROL_POINT}, "properties are never checked"),
    "read.by_uuid_refused": ({MEASUREMENT, CONTROL_POINT}, "properties are never checked"),
    "read.blob_refused": ({MEASUREMENT, CONTROL_POINT}, "properties are never checked"),
    "read.multiple_refused": ({DEVICE}, "properties are never checked"),
    "read.multiple_variable_refused": ({DEVICE}, "properties are never checked"),
    "write.refused": (ATTRIBUTES - {CONTROL_POINT}, "WRITEABLE is never checked"),
    "descriptor.write_refused": (
        {f"{BATTERY}/characteristic_presentation_format"},
        "WRITEABLE is never checked",
    ),
    "write.prepared_refused": (ATTRIBUTES - {CONTROL_POINT}, "Prepare Write checks nothing"),
    "write.too_long": ({CONTROL_POINT}, "values have no maximum length"),
    "write.too_short": ({CONTROL_POINT}, "values have no minimum length"),
    "notify.remembered": ({MEASUREMENT, BATTERY}, "CCCDs are lost although bonded"),
    "notify.configuration_length": ({MEASUREMENT, BATTERY}, "a CCCD takes any length"),
    "att.unsupported_request": ({DEVICE}, "undefined request opcodes get silence"),
    "att.truncated": ({DEVICE}, "truncated requests get silence"),
    "att.uuid_length": ({DEVICE}, "a type of three octets gets silence"),
    "att.range": ({DEVICE}, "two requests do not look at the order of their handles"),
    "handle.read_multiple": ({DEVICE}, "0x0A where 0x01 is due"),
    "handle.read_multiple_variable": ({DEVICE}, "0x0A where 0x01 is due"),
}


@asynccontextmanager
async def strap(air: VirtualLink) -> AsyncIterator[str]:
    controller = air.new_controller("strap")
    device = BumbleStrap(controller)
    await device.start()
    try:
        yield device.device.random_address.to_string(False)
    finally:
        await device.stop()
        air.remove_controller(controller)


def test_a_strap_written_with_bumble_alone_has_exactly_bumbles_deviations() -> None:
    verdicts = judge(profile.load(profile.shipped()["heart_rate"]), stranger=strap)
    found: dict[str, set[str]] = defaultdict(set)
    for verdict in failures(verdicts):
        assert is_finding(verdict), str(verdict)
        found[verdict.check].add(verdict.attribute)
    assert dict(found) == {check: entry[0] for check, entry in BUMBLE_DEVIATIONS.items()}
    # and nothing stood in the way of the rest
    assert [str(one) for one in verdicts if one.problem is not None and not one.failed] == []
    assert len(verdicts) > 200
