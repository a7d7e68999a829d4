"""Security Manager PDUs in words (Vol 3, Part H, 3.3 to 3.6), for transcripts only.

Nothing here takes part in pairing: an unknown or truncated PDU is described, never refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_IO_CAPABILITIES = {
    0x00: "DisplayOnly",
    0x01: "DisplayYesNo",
    0x02: "KeyboardOnly",
    0x03: "NoInputNoOutput",
    0x04: "KeyboardDisplay",
}
_OOB = {0x00: "no OOB data", 0x01: "OOB data present"}
_REQUIREMENTS = ((0x04, "MITM"), (0x08, "SC"), (0x10, "Keypress"), (0x20, "CT2"))
_KEYS = ((0x01, "EncKey"), (0x02, "IdKey"), (0x04, "SignKey"), (0x08, "LinkKey"))
_REASONS = {
    0x01: "Passkey Entry Failed",
    0x02: "OOB Not Available",
    0x03: "Authentication Requirements",
    0x04: "Confirm Value Failed",
    0x05: "Pairing Not Supported",
    0x06: "Encryption Key Size",
    0x07: "Command Not Supported",
    0x08: "Unspecified Reason",
    0x09: "Repeated Attempts",
    0x0A: "Invalid Parameters",
    0x0B: "DHKey Check Failed",
    0x0C: "Numeric Comparison Failed",
    0x0D: "BR/EDR Pairing In Progress",
    0x0E: "Cross-transport Key Derivation/Generation Not Allowed",
    0x0F: "Key Rejected",
    0x10: "Busy",
}
_KEYPRESSES = {
    0x00: "entry started",
    0x01: "digit entered",
    0x02: "digit erased",
    0x03: "cleared",
    0x04: "entry completed",
}


def reason_text(reason: int) -> str:
    """Return a Pairing Failed reason as people read it: ``0x04 Confirm Value Failed``."""
    return _named(_REASONS, reason)


def name_of(opcode: int) -> str:
    """Return the specification's name of an SMP command, or ``SMP command 0x..``."""
    known = _COMMANDS.get(opcode)
    return known.name if known else f"SMP command 0x{opcode:02X}"


def describe(pdu: bytes) -> str:
    """Say in one line what an SMP PDU is and holds. Never raises.

    Keys and random values are not repeated here: their octets stand in the hex dump.
    """
    if not pdu:
        return "empty SMP PDU"
    name = name_of(pdu[0])
    known = _COMMANDS.get(pdu[0])
    if known is None:
        return name
    if len(pdu) != known.length:
        return f"{name}, malformed: {len(pdu)} octets instead of {known.length}"
    fields = known.fields(pdu[1:])
    return f"{name}: {fields}" if fields else name


@dataclass(frozen=True, slots=True)
class _Command:
    """One row of Vol 3, Part H, table 3.3; ``length`` counts the code octet too."""

    name: str
    length: int
    fields: Callable[[bytes], str]


def _named(table: Mapping[int, str], number: int) -> str:
    return f"0x{number:02X} {table.get(number, 'reserved')}"


def _bits(table: tuple[tuple[int, str], ...], octet: int) -> str:
    return "+".join(word for bit, word in table if octet & bit) or "none"


def _requirements(octet: int) -> str:
    bonding = {0: "no bonding", 1: "bonding"}.get(octet & 0x03, "reserved bonding flags")
    asked = _bits(_REQUIREMENTS, octet)
    return bonding if asked == "none" else f"{bonding}, {asked}"


def _pairing(body: bytes) -> str:
    io, oob, requirements, key_size, initiator, responder = body
    return ", ".join(
        (
            _IO_CAPABILITIES.get(io, f"IO 0x{io:02X}"),
            _OOB.get(oob, f"OOB 0x{oob:02X}"),
            _requirements(requirements),
            f"key size {key_size}",
            f"initiator keys {_bits(_KEYS, initiator)}",
            f"responder keys {_bits(_KEYS, responder)}",
        )
    )


def _central_identification(body: bytes) -> str:
    return f"EDIV 0x{int.from_bytes(body[:2], 'little'):04X}"


def _identity_address(body: bytes) -> str:
    kind = {0: "public", 1: "static random"}.get(body[0], f"type 0x{body[0]:02X}")
    return f"{kind} {body[:0:-1].hex(':').upper()}"


def _opaque(body: bytes) -> str:
    return ""


_COMMANDS: dict[int, _Command] = {
    0x01: _Command("Pairing Request", 7, _pairing),
    0x02: _Command("Pairing Response", 7, _pairing),
    0x03: _Command("Pairing Confirm", 17, _opaque),
    0x04: _Command("Pairing Random", 17, _opaque),
    0x05: _Command("Pairing Failed", 2, lambda body: reason_text(body[0])),
    0x06: _Command("Encryption Information", 17, _opaque),
    0x07: _Command("Central Identification", 11, _central_identification),
    0x08: _Command("Identity Information", 17, _opaque),
    0x09: _Command("Identity Address Information", 8, _identity_address),
    0x0A: _Command("Signing Information", 17, _opaque),
    0x0B: _Command("Security Request", 2, lambda body: _requirements(body[0])),
    0x0C: _Command("Pairing Public Key", 65, _opaque),
    0x0D: _Command("Pairing DHKey Check", 17, _opaque),
    0x0E: _Command("Pairing Keypress Notification", 2, lambda body: _named(_KEYPRESSES, body[0])),
}
