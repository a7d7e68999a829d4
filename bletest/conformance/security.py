"""Bringing a link to the security that an operation takes, and back to none."""

from bletest.att.access import Access
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.profile.security import SecuritySpec

NOT_PAIRED: frozenset[int | str] = frozenset({0x05, 0x0F, "not_paired"})
"""How a device refuses what takes a pairing (Vol 3, Part C, 10.3.1): 0x05 without a bond, 0x0F
with one; where the operating system hides which, the adapter says ``not_paired``."""

NOT_AUTHENTICATED = frozenset({0x05})
"""How a device refuses what takes a better pairing than the link has."""

NOT_AUTHORIZED = frozenset({0x08})
"""How a device refuses what its user has not allowed."""


def needs_pairing(access: Access | None) -> bool:
    """Whether the operation is refused on a plain link."""
    return access is not None and (access.encrypted or access.authenticated)


def within_reach(security: SecuritySpec, access: Access) -> bool:
    """Whether a client can bring about what ``access`` asks for, of a device that pairs so.

    Who authorizes is the device's user, and not the client.
    """
    return security.reaches(access) and not access.authorized


async def secured(client: Client, access: Access | None) -> None:
    """Pair where ``access`` asks for it, the link is plain and the adapter can.

    An adapter that cannot pair by itself leaves it to its operating system, which pairs when
    the device refuses. Raises :class:`~bletest.errors.PairingFailed`.
    """
    if not needs_pairing(access):
        return
    if client.is_encrypted is not True and Capability.PAIRING in client.capabilities:
        await client.pair()


async def paired_without_authentication(client: Client) -> None:
    """Encrypt the link with a key that nothing protects against a man in the middle."""
    await unpaired(client)
    await client.pair(authenticated=False)


async def unpaired(client: Client) -> None:
    """Leave the client connected on a plain link, with no keys for this device."""
    if client.is_encrypted is False:
        return
    await client.unpair()
    if not client.is_connected or client.is_encrypted:
        await client.reconnect()
