"""The border between bleak's errors and ours: each is translated once, in one direction.

The back end raises bleak's types with ours as ``__cause__`` (:func:`to_bleak`); whoever stands
on bleak gets ours back, or the best guess where the back end is a stranger (:func:`from_bleak`).
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from bletest.att.codes import error_text
from bletest.errors import (
    AdapterLost,
    AdapterUnusable,
    AttributeMissing,
    AttributeRefused,
    BenchTrouble,
    BletestError,
    CapabilityMissing,
    ConnectionTimedOut,
    DeviceFault,
    DeviceNotFound,
    LinkLost,
    NoAnswer,
    PairingFailed,
    ProtocolViolation,
)

BLEAK_ERRORS = (BleakError, BletestError, NotImplementedError, EOFError, OSError)
"""What a back end raises when something is wrong (TimeoutError is an OSError)."""

NOT_PAIRED = "not_paired"
LINK_LOST = "link_lost"
NO_ANSWER = "no_answer"
VIOLATION = "protocol_violation"
PAIRING_FAILED = "pairing_failed"
MISSING = "attribute_missing"

# BlueZ, src/gatt-client.c: create_gatt_dbus_error makes one text of 0x05, 0x0C and 0x0F.
_NOT_PAIRED = re.compile(r"not paired", re.I)
_NOT_CONNECTED = re.compile(r"not connected|disconnected|service discovery has not", re.I)
_AUTHENTICATION = re.compile(r"authentication|pair", re.I)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong: the exception to raise, and how an outcome puts it."""

    error: BletestError
    code: int | None = None
    symptom: str | None = None


def to_bleak(error: BletestError, address: str) -> BleakError | TimeoutError:
    """Return the error that bleak's users expect, to be raised ``from error``.

    A connection that does not come about in time is a ``TimeoutError``, as on every platform.
    """
    if isinstance(error, AttributeRefused):
        return BleakGATTProtocolError(error.code)
    if isinstance(error, DeviceNotFound):
        return BleakDeviceNotFoundError(address, error.message)
    if isinstance(error, ConnectionTimedOut):
        return TimeoutError(error.message)
    return BleakError(error.message)


def from_bleak(error: Exception, operation: str, attribute: str) -> Trouble:
    """Say in our words why ``operation`` on ``attribute`` failed."""
    if isinstance(error, BletestError):
        return _named(error, operation, attribute)
    if isinstance(error, BleakGATTProtocolError):
        return _refused(int(error.code), operation, attribute)
    if isinstance(error, BleakError | TimeoutError) and isinstance(error.__cause__, BletestError):
        return _named(error.__cause__, operation, attribute)
    what = f"{operation} of {attribute}" if attribute else operation
    if isinstance(error, NotImplementedError):
        return Trouble(
            CapabilityMissing(f"this adapter cannot {operation}", capability=_capability(operation))
        )
    if isinstance(error, BleakDeviceNotFoundError):
        return Trouble(DeviceNotFound(f"{what}: {_text(error)}"))
    if isinstance(error, BleakBluetoothNotAvailableError):
        return Trouble(AdapterUnusable(f"{what}: {_text(error)}"))
    if isinstance(error, BleakCharacteristicNotFoundError):
        return Trouble(AttributeMissing(f"{what}: {_text(error)}"), symptom=MISSING)
    text = _text(error)
    if isinstance(error, TimeoutError):
        if operation == "connect":
            return Trouble(ConnectionTimedOut(f"no link: {text or 'timed out'}"))
        return Trouble(NoAnswer(f"{what}: no answer in time"), symptom=NO_ANSWER)
    if _NOT_PAIRED.search(text):
        return Trouble(
            DeviceFault(f"{what} was refused: the adapter says only that it is not paired"),
            symptom=NOT_PAIRED,
        )
    if _NOT_CONNECTED.search(text) or isinstance(error, EOFError):
        return Trouble(LinkLost(f"{what}: {text or 'the link is gone'}"), symptom=LINK_LOST)
    if operation == "pair" and (isinstance(error, BleakDBusError) or _AUTHENTICATION.search(text)):
        return Trouble(PairingFailed(f"pairing failed: {text}"), symptom=PAIRING_FAILED)
    return Trouble(AdapterUnusable(f"{what}: the adapter failed: {text or repr(error)}"))


def reraise(error: Exception, operation: str, attribute: str) -> NoReturn:
    """Raise the error that :func:`from_bleak` makes of ``error``."""
    ours = from_bleak(error, operation, attribute).error
    if ours is error or ours is error.__cause__:
        raise ours from None  # it is in the chain already, which must not become a ring
    raise ours from error


def _named(error: BletestError, operation: str, attribute: str) -> Trouble:
    """Give an error of our own back end the name of the attribute it is about."""
    if isinstance(error, AttributeRefused):
        return _refused(error.code, operation, attribute)
    what = f"{operation} of {attribute}" if attribute else operation
    message = f"{what}: {error.message}"
    match error:
        case LinkLost():
            lost = LinkLost(message, reason=error.reason, remedy=error.remedy)
            return Trouble(lost, symptom=LINK_LOST)
        case NoAnswer():
            return Trouble(NoAnswer(message, remedy=error.remedy), symptom=NO_ANSWER)
        case ProtocolViolation():
            return Trouble(ProtocolViolation(message, pdu=error.pdu), symptom=VIOLATION)
        case PairingFailed():
            return Trouble(error, symptom=PAIRING_FAILED)
        case AdapterLost():
            return Trouble(AdapterLost(message, remedy=error.remedy))
        case BenchTrouble():
            return Trouble(error)
        case AttributeMissing():
            return Trouble(error, symptom=MISSING)
        case _:
            return Trouble(error)


def _refused(code: int, operation: str, attribute: str) -> Trouble:
    error = AttributeRefused(
        code=code, operation=operation, attribute=attribute, meaning=error_text(code)
    )
    return Trouble(error, code=code)


def _capability(operation: str) -> str:
    return "pairing" if operation in ("pair", "unpair") else "raw_att"


def _text(error: BaseException) -> str:
    return str(error).strip()
