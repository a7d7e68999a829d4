"""Bringing a link to the security that an operation takes, and back to none."""

from bletest.att.access import Access
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client

NOT_PAIRED: frozenset[int | str] = frozenset({0x05, 0x0F, "not_paired"})
"""How a device refuses what takes a pairing (Vol 3, Part C, 10.3.1): 0x05 without a bond, 0x0F
with one; where the operating system hides which, the adapter says ``not_paired``."""

NOT_AUTHORIZED = frozenset({0x08})
"""How a device refuses what its user has not allowed."""


def needs_pairing(access: Access | None) -> bool:
    """Whether the operation is refused on a plain link."""
    return access is not None and (access.encrypted or access.authenticated)


def within_reach(access: Access) -> bool:
    """Whether a client can bring about what ``access`` asks for.

    Pairing without a person, which is what a profile can describe so far, gives no protection
    against a man in the middle; and who authorizes is the device's user.
    """
    return not (access.authenticated or access.authorized)


async def secured(client: Client, access: Access | None) -> None:
    """Pair where ``access`` asks for it, the link is plain and the adapter can.

    An adapter that cannot pair by itself leaves it to its operating system, which pairs when
    the device refuses. Raises :class:`~bletest.errors.PairingFailed`.
    """
    if not needs_pairing(access):
        return
    if client.is_encrypted is not True and Capability.PAIRING in client.capabilities:
        await client.pair()


async def unpaired(client: Client) -> None:
    """Leave the client connected on a plain link, with no keys for this device."""
    if client.is_encrypted is False:
        return
    await client.unpair()
    if not client.is_connected or client.is_encrypted:
        await client.reconnect()
