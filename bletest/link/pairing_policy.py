"""What one side of a pairing holds the other to, beyond what the protocol asks of both."""

from dataclasses import dataclass

from bumble.pairing import PairingDelegate
from bumble.smp import ErrorCode

IO = {
    "no_input_no_output": PairingDelegate.NO_OUTPUT_NO_INPUT,
    "display_only": PairingDelegate.DISPLAY_OUTPUT_ONLY,
    "display_yes_no": PairingDelegate.DISPLAY_OUTPUT_AND_YES_NO_INPUT,
    "keyboard_only": PairingDelegate.KEYBOARD_INPUT_ONLY,
    "keyboard_display": PairingDelegate.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT,
}
"""IO capabilities by the words of a profile."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What both sides' parameters come to (Vol 3, Part H, 2.3.5.1).

    ``method`` in words, ``authenticated`` whether it protects against a man in the middle,
    ``key_size`` in octets, ``bonding`` whether keys will be kept.
    """

    method: str
    authenticated: bool
    secure_connections: bool
    key_size: int
    bonding: bool

    def __str__(self) -> str:
        kind = "LE Secure Connections" if self.secure_connections else "LE legacy pairing"
        return f"{self.method}, {kind}"


class PairingPolicy(PairingDelegate):
    """A delegate that may refuse a pairing, and hears how it ended.

    ``trouble`` is what a person, or who answers for one, has raised: it ends the pairing.
    """

    trouble: BaseException | None = None

    def refusal(self, terms: Terms) -> ErrorCode | None:
        """Refuse a pairing when its terms are known."""
        del terms
        return None

    async def choose_passkey(self) -> int | None:
        """Return the passkey to show; None has one made up."""
        return None

    def on_success(self, terms: Terms) -> None:
        """All keys have been exchanged."""
