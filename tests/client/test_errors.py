"""Errors cross the border to bleak and back without losing what they say."""

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from bletest import errors
from bletest.client.errors import from_bleak, to_bleak

REFUSED = errors.AttributeRefused(code=0x03, operation="write", attribute="x", meaning="no")

OURS = [
    errors.LinkLost("gone", reason=0x13),
    errors.NoAnswer("silence"),
    errors.ProtocolViolation("nonsense", pdu=b"\x01"),
    errors.PairingFailed("no", reason=5),
    errors.AdapterLost("unplugged"),
    errors.AdapterUnusable("broken"),
    errors.ConnectionFailed("no link"),
    errors.ConnectionTimedOut("no link in time"),
    errors.AttributeMissing("not there"),
    errors.UsageMistake("too long"),
    errors.DeviceNotFound("nobody"),
    REFUSED,
]


def crossed(error):
    """Raise as the back end does."""
    try:
        raise to_bleak(error, "C0:00:00:00:00:01") from error
    except (BleakError, TimeoutError) as caught:
        return caught


@pytest.mark.parametrize("error", OURS, ids=lambda error: type(error).__name__)
def test_an_error_of_ours_survives_the_way_through_bleak(error):
    back = from_bleak(crossed(error), "read", "battery/battery_level").error
    assert type(back) is type(error)
    assert error.message in back.message or isinstance(error, errors.AttributeRefused)
    for fact in ("reason", "pdu", "code"):
        assert getattr(back, fact, None) == getattr(error, fact, None)


def test_a_refusal_is_bleaks_protocol_error_and_comes_back_with_the_attributes_name():
    there = crossed(REFUSED)
    assert isinstance(there, BleakGATTProtocolError)
    assert there.code == 0x03
    back = from_bleak(there, "write", "battery/battery_level")
    assert back.code == 0x03
    assert str(back.error).startswith("write of battery/battery_level was refused: 0x03")


def test_a_device_that_was_not_found_keeps_its_address_in_bleaks_error():
    there = crossed(errors.DeviceNotFound("nobody answered"))
    assert isinstance(there, BleakDeviceNotFoundError)
    assert there.identifier == "C0:00:00:00:00:01"
    assert "nobody answered" in str(there)


def test_a_connection_that_takes_too_long_is_a_timeout_to_bleaks_users():
    there = crossed(errors.ConnectionTimedOut("no link within 5 s", remedy="wake it"))
    assert type(there) is TimeoutError
    assert str(there) == "no link within 5 s"


@pytest.mark.parametrize(
    ("error", "operation", "kind", "symptom"),
    [
        (BleakGATTProtocolError(0x80), "read", errors.AttributeRefused, None),
        (
            BleakDBusError("org.bluez.Error.NotPermitted", ["Not paired"]),
            "read",
            errors.DeviceFault,
            "not_paired",
        ),
        (BleakError("Not connected"), "read", errors.LinkLost, "link_lost"),
        (
            BleakError("Service Discovery has not been performed yet"),
            "read",
            errors.LinkLost,
            "link_lost",
        ),
        (
            BleakError("failed to discover services, device disconnected"),
            "connect",
            errors.LinkLost,
            "link_lost",
        ),
        (EOFError(), "read", errors.LinkLost, "link_lost"),
        (TimeoutError(), "read", errors.NoAnswer, "no_answer"),
        (TimeoutError(), "connect", errors.ConnectionTimedOut, None),
        (
            BleakDBusError("org.bluez.Error.AuthenticationFailed", []),
            "pair",
            errors.PairingFailed,
            "pairing_failed",
        ),
        (NotImplementedError(), "pair", errors.CapabilityMissing, None),
        (BleakDeviceNotFoundError("C0:…"), "connect", errors.DeviceNotFound, None),
        (
            BleakCharacteristicNotFoundError("2a19"),
            "read",
            errors.AttributeMissing,
            "attribute_missing",
        ),
        (
            BleakBluetoothNotAvailableError("off", BleakBluetoothNotAvailableReason.POWERED_OFF),
            "scan",
            errors.AdapterUnusable,
            None,
        ),
        (BleakDBusError("org.bluez.Error.Failed", ["no"]), "read", errors.AdapterUnusable, None),
        (OSError("cable"), "read", errors.AdapterUnusable, None),
    ],
)
def test_what_other_back_ends_raise_gets_its_owner(error, operation, kind, symptom):
    trouble = from_bleak(error, operation, "battery/battery_level")
    assert type(trouble.error) is kind
    assert trouble.symptom == symptom


def test_every_error_of_bleak_is_translated():
    kinds = [BleakError]
    for kind in kinds:
        # bleak's own: libraries have kinds of theirs
        kinds += [one for one in kind.__subclasses__() if one.__module__ == "bleak.exc"]
    made = {
        BleakError: BleakError("x"),
        BleakBluetoothNotAvailableError: BleakBluetoothNotAvailableError(
            "x", BleakBluetoothNotAvailableReason.UNKNOWN
        ),
        BleakCharacteristicNotFoundError: BleakCharacteristicNotFoundError("x"),
        BleakDeviceNotFoundError: BleakDeviceNotFoundError("x"),
        BleakDBusError: BleakDBusError("x", []),
        BleakGATTProtocolError: BleakGATTProtocolError(0x01),
    }
    assert set(kinds) == set(made)
    for error in made.values():
        assert isinstance(from_bleak(error, "read", "x").error, errors.BletestError)
