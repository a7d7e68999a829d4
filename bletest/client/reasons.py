"""Why a link ended or pairing failed, in words."""

from dataclasses import dataclass

VANISHED = 0x08
CLOSED_BY_PEER = 0x13
CLOSED_BY_US = 0x16
KEY_MISSING = 0x06
CANCELLED = 0x02
ALREADY_CONNECTED = 0x0B
NOT_ESTABLISHED = 0x3E

# Vol 1, Part F, 2: the codes that a Disconnection Complete or Connection Complete event carries.
_LINK_REASONS = {
    0x02: "the connection attempt was cancelled",
    0x03: "the controller reports a hardware failure",
    0x05: "authentication failed",
    KEY_MISSING: "the device does not have the key any more",
    0x07: "the controller ran out of memory",
    VANISHED: "the device vanished: nothing was heard from it within the supervision timeout",
    0x09: "the controller has no room for one more link",
    ALREADY_CONNECTED: "the controller already has a link with this address",
    0x0C: "the controller does not allow this now",
    CLOSED_BY_PEER: "the device closed the link",
    0x14: "the device closed the link because it ran low on resources",
    0x15: "the device closed the link because it is powering off",
    CLOSED_BY_US: "the link was closed on this side",
    0x1A: "the device lacks a feature that was asked for",
    0x1F: "the controller gave no reason",
    0x22: "the device did not answer a link layer procedure in time",
    0x28: "an instant of the link layer had passed",
    0x29: "the device does not pair with a unit key",
    0x3B: "the connection parameters were not acceptable",
    0x3C: "advertising ended without a link",
    0x3D: "a packet failed its integrity check, the keys do not match",
    NOT_ESTABLISHED: "the link could not be established",
}

# Vol 3, Part H, 3.5.5
_PAIRING_REASONS = {
    0x01: "the passkey was not entered",
    0x02: "out-of-band data is not available",
    0x03: "the authentication requirements cannot be met with these capabilities",
    0x04: "the confirm value does not match",
    0x05: "the device does not support pairing",
    0x06: "the encryption key would be too short",
    0x07: "the device does not know this command of the Security Manager",
    0x08: "the device gave no reason",
    0x09: "too many attempts, the device wants a pause",
    0x0A: "a parameter of the Security Manager was invalid",
    0x0B: "the Diffie-Hellman check failed",
    0x0C: "the numbers to compare differ",
    0x0D: "pairing over BR/EDR is in progress",
    0x0E: "keys must not be derived across transports",
    0x0F: "the device does not want this key",
    0x10: "the device is busy",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A code with its meaning. Printed as ``0x13, the device closed the link``."""

    code: int
    words: str

    def __str__(self) -> str:
        return f"0x{self.code:02X}, {self.words}"


def link_reason(code: int) -> Reason:
    """Say why a link ended or did not come up (Vol 1, Part F)."""
    return Reason(code, _LINK_REASONS.get(code, "a reason that says nothing about this link"))


def pairing_reason(code: int) -> Reason:
    """Say why pairing failed (Vol 3, Part H, 3.5.5)."""
    return Reason(code, _PAIRING_REASONS.get(code, "a reason the specification does not define"))
