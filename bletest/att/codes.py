"""ATT error codes with names and meanings (Vol 3, Part F, 3.4.1.1; Core Specification
Supplement, Part B for 0xE0 to 0xFF)."""

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """Name and meaning of one error code."""

    name: str
    meaning: str


class ErrorCode(IntEnum):
    """The error codes the specification defines."""

    INVALID_HANDLE = 0x01
    READ_NOT_PERMITTED = 0x02
    WRITE_NOT_PERMITTED = 0x03
    INVALID_PDU = 0x04
    INSUFFICIENT_AUTHENTICATION = 0x05
    REQUEST_NOT_SUPPORTED = 0x06
    INVALID_OFFSET = 0x07
    INSUFFICIENT_AUTHORIZATION = 0x08
    PREPARE_QUEUE_FULL = 0x09
    ATTRIBUTE_NOT_FOUND = 0x0A
    ATTRIBUTE_NOT_LONG = 0x0B
    ENCRYPTION_KEY_SIZE_TOO_SHORT = 0x0C
    INVALID_ATTRIBUTE_VALUE_LENGTH = 0x0D
    UNLIKELY_ERROR = 0x0E
    INSUFFICIENT_ENCRYPTION = 0x0F
    UNSUPPORTED_GROUP_TYPE = 0x10
    INSUFFICIENT_RESOURCES = 0x11
    DATABASE_OUT_OF_SYNC = 0x12
    VALUE_NOT_ALLOWED = 0x13
    WRITE_REQUEST_REJECTED = 0xFC
    CCCD_IMPROPERLY_CONFIGURED = 0xFD
    PROCEDURE_ALREADY_IN_PROGRESS = 0xFE
    OUT_OF_RANGE = 0xFF


_MEANINGS = {
    0x01: "the handle is not valid on this server",
    0x02: "the value cannot be read",
    0x03: "the value cannot be written",
    0x04: "the PDU was malformed",
    0x05: "pairing is needed first",
    0x06: "the server does not know this request",
    0x07: "the offset lies past the end of the value",
    0x08: "the user has not authorized this",
    0x09: "too many prepared writes are queued",
    0x0A: "no attribute in that range has that type",
    0x0B: "the value is too short for a partial read",
    0x0C: "the encryption key is too short",
    0x0D: "the value has a length that this attribute does not allow",
    0x0E: "something unlikely went wrong in the server",
    0x0F: "the link must be encrypted first",
    0x10: "that type does not group attributes",
    0x11: "the server has no resources left",
    0x12: "the database has changed since the client discovered it",
    0x13: "the value is not one that this attribute allows",
    0xFC: "the server rejects this write for now",
    0xFD: "the Client Characteristic Configuration is not set as this needs",
    0xFE: "a procedure of the same kind is still running",
    0xFF: "the value is out of range",
}


def code_info(code: int) -> CodeInfo:
    """Return name and meaning of any code from 0x00 to 0xFF, reserved ones included."""
    if code in _MEANINGS:
        return CodeInfo(ErrorCode(code).name, _MEANINGS[code])
    if 0x80 <= code <= 0x9F:
        return CodeInfo("APPLICATION_ERROR", "an error of this service or application")
    if 0xE0 <= code <= 0xFF:
        return CodeInfo("COMMON_PROFILE_ERROR", "a common profile error without a name")
    return CodeInfo("RESERVED", "the specification gives this code no meaning")


def error_text(code: int) -> str:
    """Return the code as people read it: ``0x02 READ_NOT_PERMITTED (…)``."""
    info = code_info(code)
    return f"0x{code:02X} {info.name} ({info.meaning})"
