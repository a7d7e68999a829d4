"""Who answers for the person at the client while it pairs."""

from dataclasses import dataclass

from bletest.errors import UsageMistake
from bletest.profile.security import IO_CAPABILITIES, LARGEST_KEY, NO_INPUT_NO_OUTPUT, SMALLEST_KEY


@dataclass(frozen=True, slots=True)
class OutOfBand:
    """What a device has told of itself by another way than Bluetooth.

    ``confirm`` and ``random`` are for LE Secure Connections, 16 octets each (Vol 3, Part H,
    2.3.5.6.4); ``temporary_key``, 16 octets, for legacy pairing (2.3.5.4). Least significant octet
    first, as in the Supplement to the Core Specification, Part A.
    """

    confirm: bytes = b""
    random: bytes = b""
    temporary_key: bytes = b""


class PairingAgent:
    """Answers what a pairing asks of a person at the client; each method may be overridden.

    ``io`` is what the client says it has, in the words of a profile; ``mitm`` whether it asks for
    protection against a man in the middle, ``bonding`` for a bond; ``secure_connections`` False
    leaves it at legacy pairing; ``key_size`` is the longest key that it takes, 7 to 16 octets.
    ``passkey`` is what it enters, and what it shows where it is its part to choose one; ``agrees``
    what it says of two numbers. ``oob`` is what it knows of the device out of band. ``signing``
    hands out a key to sign writes with, if the device takes one.

    Whatever a method raises ends the pairing, and comes out of ``pair()``.
    """

    def __init__(
        self,
        *,
        io: str = "keyboard_display",
        mitm: bool = True,
        bonding: bool = True,
        secure_connections: bool = True,
        key_size: int = LARGEST_KEY,
        passkey: int | str | None = None,
        agrees: bool = True,
        oob: OutOfBand | None = None,
        signing: bool = False,
    ) -> None:
        if io not in IO_CAPABILITIES:
            raise UsageMistake(
                f'"{io}" is no IO capability', remedy=f"choose from {', '.join(IO_CAPABILITIES)}"
            )
        if not SMALLEST_KEY <= key_size <= LARGEST_KEY:
            raise UsageMistake(
                f"an encryption key has {SMALLEST_KEY} to {LARGEST_KEY} octets, not {key_size}"
            )
        if passkey is not None and not 0 <= int(passkey) <= 999_999:
            raise UsageMistake(f"{passkey} is no passkey", remedy="give six digits")
        self.io = io
        self.mitm = mitm
        self.bonding = bonding
        self.secure_connections = secure_connections
        self.key_size = key_size
        self.passkey = None if passkey is None else int(passkey)
        self.agrees = agrees
        self.signing = signing
        self.shown: int | None = None
        self._oob = oob

    @property
    def oob(self) -> OutOfBand | None:
        """What is known of the device out of band; None leaves that way of pairing out."""
        return self._oob

    def begin(self) -> None:
        """A pairing begins."""
        self.shown = None

    async def enter_passkey(self) -> int | None:
        """Return what the device shows; None refuses, with Passkey Entry Failed."""
        return self.passkey

    async def choose_passkey(self) -> int | None:
        """Return the passkey that the client is to show; None leaves it to the run's seed."""
        return self.passkey

    async def show_passkey(self, passkey: int) -> None:
        """Tell the person at the device what to type there."""

    async def compare(self, number: int) -> bool:
        """Say whether the device shows this number too."""
        return self.agrees

    async def accept_just_works(self) -> bool:
        """Say whether to go on without anything to enter or compare."""
        return True


JUST_WORKS = PairingAgent(io=NO_INPUT_NO_OUTPUT, mitm=False)
"""Asks for a bond without a person. A device that only knows legacy pairing gets that."""
