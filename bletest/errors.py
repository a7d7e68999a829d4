"""Every exception of bletest, in one tree.

::

    BletestError
    ├── UsageMistake            the caller asked for something that cannot be (a local mistake)
    │   ├── ProfileError        a profile with mistakes; lists them all
    │   │   └── BehaviourMissing  … it names behaviours that nobody has registered
    │   ├── NothingMatched      a name or glob that matches no profile
    │   └── UnknownAttribute    a name that the profile or the database does not have
    ├── DeviceFault (also AssertionError: Allure files it under product defects)
    │   ├── AttributeRefused    the device answered with an ATT error
    │   ├── AttributeMissing    the profile promises an attribute that the device lacks
    │   ├── NoAnswer            no response within the transaction timeout
    │   ├── ProtocolViolation   a response that the specification does not allow
    │   ├── LinkLost            the device dropped the link, or vanished
    │   │   └── SubscriptionEnded  … while a subscription waited
    │   ├── TooFewNotifications fewer notifications than asked for, in the window
    │   ├── PairingFailed       pairing ended with a reason
    │   ├── FirmwareDied        the firmware that runs on this machine ended by itself
    │   ├── NotSeen             the emulated device did not see what a test waited for
    │   └── CheckFailed         findings of a check
    ├── AppFailed               the program under test failed (also AssertionError)
    └── BenchTrouble            the device is not to blame: Allure files it under test defects
        ├── AdapterUnusable     the client's radio cannot be opened or used
        ├── AdapterLost         … it vanished while in use
        ├── DeviceNotFound      nothing that matches was seen while scanning
        ├── ConnectionFailed    no link, after the stated number of tries
        │   └── ConnectionTimedOut  … or in the time there was, with a device known to be there
        ├── CapabilityMissing   adapter or device cannot do this; the plugin skips
        │   └── SecretMissing   … as a secret of its profile is not in the environment
        ├── BondsUnusable       the file that bonds are kept in cannot be read or written
        ├── EmulationError      a handler of the emulated device raised
        ├── FaultNotFired       a planned fault never came to pass
        ├── ClockDeadlock       nothing can ever wake the loop
        ├── CeilingReached      more virtual or real time than a test may use
        └── ReportNotMade       the HTML report cannot be made

Facts are attributes; ``remedy`` says what the reader can do about it.
"""

from collections.abc import Sequence


class BletestError(Exception):
    """The root. ``remedy`` is one sentence in the imperative, or empty."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message}\n  remedy: {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy


class UsageMistake(BletestError):
    """The caller asked for something that cannot be; nothing was sent."""


class ProfileError(UsageMistake):
    """A profile has mistakes. ``mistakes`` lists them in file order, each printable."""

    def __init__(self, mistakes: Sequence[object]) -> None:
        super().__init__("\n\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


class BehaviourMissing(ProfileError):
    """A device is to be emulated whose profile names behaviours that nobody has registered."""


class NothingMatched(UsageMistake):
    """A profile name or glob matches nothing."""


class UnknownAttribute(UsageMistake):
    """A name that neither the profile nor the discovered database has."""


class DeviceFault(BletestError, AssertionError):
    """The device under test did something wrong, or did not do what it should."""


class AttributeRefused(DeviceFault):
    """The device answered with an ATT error (Vol 3, Part F, 3.4.1.1).

    ``code`` is the error code, ``operation`` what was tried, ``attribute`` its name.
    """

    def __init__(self, *, code: int, operation: str, attribute: str, meaning: str) -> None:
        super().__init__(f"{operation} of {attribute} was refused: {meaning}")
        self.code = code
        self.operation = operation
        self.attribute = attribute


class AttributeMissing(DeviceFault):
    """The profile promises an attribute that the device's database lacks."""


class NoAnswer(DeviceFault):
    """No response within the time allowed; 30 s end an ATT bearer (Vol 3, Part F, 3.3.3)."""


class ProtocolViolation(DeviceFault):
    """A PDU that the specification does not allow here. ``pdu`` holds its octets."""

    def __init__(self, message: str, *, pdu: bytes = b"", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.pdu = pdu


class LinkLost(DeviceFault):
    """The link ended. ``reason`` is the HCI error code (Vol 1, Part F), None if unknown."""

    def __init__(self, message: str, *, reason: int | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.reason = reason


class SubscriptionEnded(LinkLost):
    """The link ended while a subscription waited for more."""


class TooFewNotifications(DeviceFault):
    """Fewer notifications than asked for. ``received`` holds those that came."""

    def __init__(self, message: str, *, received: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.received = tuple(received)


class PairingFailed(DeviceFault):
    """Pairing ended with a reason (Vol 3, Part H, 3.5.5), in ``reason`` where known."""

    def __init__(self, message: str, *, reason: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class FirmwareDied(DeviceFault):
    """The firmware that bletest runs ended by itself. ``exit_code`` is negative for a signal."""

    def __init__(self, message: str, *, exit_code: int, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.exit_code = exit_code


class NotSeen(DeviceFault):
    """The emulated device did not see, in time, what a test waited for its client to do."""


class CheckFailed(DeviceFault):
    """A check has findings, held in ``findings``."""

    def __init__(self, findings: Sequence[object]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = tuple(findings)


class AppFailed(BletestError, AssertionError):
    """The program under test failed, or did not do what a test waited for."""


class BenchTrouble(BletestError):
    """Something beside the device is in the way: adapter, bench, test."""


class AdapterUnusable(BenchTrouble):
    """The client's radio cannot be opened, or cannot do what was asked."""


class AdapterLost(BenchTrouble):
    """The client's radio went away while it was in use."""


class DeviceNotFound(BenchTrouble):
    """No advertiser matched while scanning."""


class ConnectionFailed(BenchTrouble):
    """A link could not be established, after the stated number of tries."""


class ConnectionTimedOut(ConnectionFailed):
    """A device that was seen advertising did not take the connection in time."""


class CapabilityMissing(BenchTrouble):
    """Adapter or device cannot do this. ``capability`` names it; the plugin skips."""

    def __init__(self, message: str, *, capability: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.capability = capability


class SecretMissing(CapabilityMissing):
    """The environment does not hold a key that the profile names; the plugin skips."""


class BondsUnusable(BenchTrouble):
    """The file that bonds are kept in cannot be read or written; it was left as it is."""


class EmulationError(BenchTrouble):
    """A handler of the emulated device raised; the client was answered with 0x0E."""


class FaultNotFired(BenchTrouble):
    """A planned fault never came to pass, so the test did not show what it set out to show.

    ``faults`` are those left over, as sentences.
    """

    def __init__(self, message: str, *, faults: Sequence[str], remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.faults = tuple(faults)


class ClockDeadlock(BenchTrouble):
    """Nothing can ever wake the loop; the message names who awaits what."""


class CeilingReached(BenchTrouble):
    """A test used more virtual or real time than it may."""


class ReportNotMade(BenchTrouble):
    """The HTML report cannot be made; the results it would have shown are untouched."""
