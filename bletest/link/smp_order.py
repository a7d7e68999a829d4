"""Which SMP commands there are, how long each is, and which may come next in a pairing.

Paragraphs are those of the Core Specification, Vol 3, Part H.
"""

from collections.abc import Iterator
from itertools import islice

from bumble.pairing import PairingDelegate
from bumble.smp import CommandCode, PairingMethod

LENGTHS: dict[int, int] = {
    CommandCode.PAIRING_REQUEST: 7,
    CommandCode.PAIRING_RESPONSE: 7,
    CommandCode.PAIRING_CONFIRM: 17,
    CommandCode.PAIRING_RANDOM: 17,
    CommandCode.PAIRING_FAILED: 2,
    CommandCode.ENCRYPTION_INFORMATION: 17,
    CommandCode.MASTER_IDENTIFICATION: 11,
    CommandCode.IDENTITY_INFORMATION: 17,
    CommandCode.IDENTITY_ADDRESS_INFORMATION: 8,
    CommandCode.SIGNING_INFORMATION: 17,
    CommandCode.SECURITY_REQUEST: 2,
    CommandCode.PAIRING_PUBLIC_KEY: 65,
    CommandCode.PAIRING_DHKEY_CHECK: 17,
    CommandCode.PAIRING_KEYPRESS_NOTIFICATION: 2,
}
"""Octets of each command with its code (3.5 and 3.6); a code that is not here is reserved."""

KEYS = frozenset(
    {
        CommandCode.ENCRYPTION_INFORMATION,
        CommandCode.MASTER_IDENTIFICATION,
        CommandCode.IDENTITY_INFORMATION,
        CommandCode.IDENTITY_ADDRESS_INFORMATION,
        CommandCode.SIGNING_INFORMATION,
    }
)
"""What is distributed in phase 3."""

AT_ANY_TIME = frozenset({CommandCode.PAIRING_FAILED, CommandCode.PAIRING_KEYPRESS_NOTIFICATION})
"""What needs no place in the order of a pairing."""

_PASSKEY_BITS = 20
_IO_CAPABILITIES = frozenset(PairingDelegate.IoCapability)


def phase_2(method: PairingMethod, *, sc: bool, is_initiator: bool) -> Iterator[CommandCode]:
    """Return the commands of the peer in phase 2, in order (2.3.5.5 and 2.3.5.6)."""
    confirm, nonce = CommandCode.PAIRING_CONFIRM, CommandCode.PAIRING_RANDOM
    if not sc:
        yield from (confirm, nonce)
        return
    yield CommandCode.PAIRING_PUBLIC_KEY
    if method is PairingMethod.PASSKEY:
        for _ in range(_PASSKEY_BITS):
            yield from (confirm, nonce)
    elif method is PairingMethod.OOB or not is_initiator:
        yield nonce
    else:
        # Only the responder commits to its nonce (2.3.5.6.2).
        yield from (confirm, nonce)
    yield CommandCode.PAIRING_DHKEY_CHECK


def next_of_phase_2(
    method: PairingMethod, taken: int, *, sc: bool, is_initiator: bool
) -> CommandCode | None:
    """Return what the peer has to say after ``taken`` commands, None at the end of phase 2."""
    order = phase_2(method, sc=sc, is_initiator=is_initiator)
    return next(islice(order, taken, None), None)


def has_sound_parameters(pdu: bytes) -> bool:
    """Whether a Pairing Request or Response has parameters that exist (3.5.1).

    The key size is judged apart, for it has reasons of its own to be refused.
    """
    return pdu[1] in _IO_CAPABILITIES and pdu[2] in (0, 1)
