"""What a device's Security Manager does, as its profile says it (Vol 3, Part H)."""

from dataclasses import dataclass
from enum import StrEnum

from bletest.att.access import Access

IO_CAPABILITIES = (
    "no_input_no_output",
    "display_only",
    "display_yes_no",
    "keyboard_only",
    "keyboard_display",
)
"""Vol 3, Part H, 2.3.2, in snake case."""

NO_INPUT_NO_OUTPUT = IO_CAPABILITIES[0]

KEYS = ("encryption", "identity", "signing")
"""What is distributed in phase 3: LTK, IRK with identity address, CSRK (3.6.1)."""

SMALLEST_KEY, LARGEST_KEY = 7, 16


class Protection(StrEnum):
    """What a device does about a man in the middle.

    ``requested`` sets the bit in its Authentication Requirements and takes what comes of it,
    ``required`` refuses a pairing that came out as Just Works.
    """

    NONE = "none"
    REQUESTED = "requested"
    REQUIRED = "required"


class Support(StrEnum):
    """What a device does about LE Secure Connections; ``required`` refuses legacy pairing."""

    UNSUPPORTED = "unsupported"
    SUPPORTED = "supported"
    REQUIRED = "required"


class WhenFull(StrEnum):
    """What becomes of a pairing where no room is left for its bond."""

    REFUSE = "refuse"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class RepeatedAttempts:
    """A pause after a pairing that failed (2.3.6), in seconds.

    ``wait`` after the first failure, twice as long after each further one, ``at_most`` in the end;
    each ``at_most`` without a failure takes one back.
    """

    wait: float = 1.0
    at_most: float = 60.0


@dataclass(frozen=True, slots=True)
class SecuritySpec:
    """What the device's Security Manager does.

    ``pairing`` False: it refuses with Pairing Not Supported. ``bonding`` says whether keys are
    kept, ``max_bonds`` of how many clients (None: of any number), ``when_full`` what happens
    then. ``io`` is the IO capability of 2.3.2 in snake case, ``oob`` whether the device hands out
    data out of band. A key has ``min_key_size`` to ``max_key_size`` octets. ``device_keys`` and
    ``client_keys`` are what each side may distribute, in words of :data:`KEYS`; None leaves the
    client's signing key to whether a value takes signed writes. ``passkey`` is six digits, or
    None for a fresh one each time; ``passkey_console`` is the pattern by which a device tells it
    on its console, with one group of six digits.
    """

    pairing: bool = False
    bonding: bool = False
    io: str = NO_INPUT_NO_OUTPUT
    mitm: Protection = Protection.NONE
    secure_connections: Support = Support.SUPPORTED
    min_key_size: int = SMALLEST_KEY
    max_key_size: int = LARGEST_KEY
    device_keys: frozenset[str] = frozenset({"encryption", "identity"})
    client_keys: frozenset[str] | None = None
    passkey: str | None = None
    passkey_console: str | None = None
    oob: bool = False
    max_bonds: int | None = None
    when_full: WhenFull = WhenFull.REFUSE
    repeated_attempts: RepeatedAttempts | None = None

    @property
    def authenticates(self) -> bool:
        """Whether pairing can give protection against a man in the middle."""
        return self.pairing and (self.oob or self.io != NO_INPUT_NO_OUTPUT)

    def reaches(self, access: Access) -> bool:
        """Whether a client that pairs as well as it can gets what ``access`` asks of the link.

        The consent of the device's user is not part of that.
        """
        if access.authenticated and not self.authenticates:
            return False
        if access.secure_connections and self.secure_connections is Support.UNSUPPORTED:
            return False
        return self.max_key_size >= access.key_size


NO_PAIRING = SecuritySpec()
"""A device that refuses to pair."""
