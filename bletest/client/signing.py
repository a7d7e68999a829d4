"""Signed writes: the keys that the client has handed out, and what is signed with them.

A Signed Write Command goes over a link that is not encrypted, to a device that has been given the
client's signing key when they paired (Vol 3, Part G, 4.9.2; Part C, 10.4.1).
"""

from dataclasses import dataclass, field

from bumble.crypto.cryptography import aes_cmac

from bletest.client.link import ClientLink
from bletest.errors import UsageMistake

SIGNATURE = 12
"""Octets of a signature: the SignCounter and 8 octets of a MAC."""


@dataclass(slots=True)
class SigningKey:
    """A CSRK, least significant octet first, and the next SignCounter (Vol 3, Part H, 2.4.5)."""

    csrk: bytes = field(repr=False)
    counter: int = 0

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message``; the counter goes on, and never back."""
        counter = self.counter.to_bytes(4, "little")
        self.counter += 1
        # The MAC is over the octets as they travel, most significant first.
        mac = aes_cmac((message + counter)[::-1], self.csrk[::-1])
        return counter + mac[:8][::-1]


def signed_write(link: ClientLink, key: SigningKey | None, handle: int, value: bytes) -> None:
    """Send a Signed Write Command, which nothing answers.

    Raises :class:`UsageMistake` without a key, on an encrypted link, and for more than
    ATT_MTU - 15 octets; :class:`~bletest.errors.LinkLost` where there is no link.
    """
    if not link.is_up:
        raise link.error()
    if key is None:
        raise UsageMistake(
            f"{link.address} has no signing key of this client",
            remedy="pair with PairingAgent(signing=True); only some devices take such a key",
        )
    if link.is_encrypted:
        raise UsageMistake(
            "data is signed on links that are not encrypted",
            remedy="write without response here, or sign before pair() encrypts the link",
        )
    most = link.mtu - 3 - SIGNATURE
    if len(value) > most:
        raise UsageMistake(f"a signed write carries {most} octets on this link, not {len(value)}")
    message = b"\xd2" + handle.to_bytes(2, "little") + value
    link.driver.send(message + key.sign(message))
