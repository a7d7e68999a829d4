"""The ways of clients through the states that a link can really reach."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bletest.link import clock
from tests.conformance.permissions import Outcome
from tests.conformance.permissions.air import Vault, Walk, vault
from tests.conformance.permissions.table import KEYS
from tests.support.raw_central import RawCentral

Way = Callable[[Walk], Awaitable[None]]


def _bonded(key: str) -> Way:
    async def way(walk: Walk) -> None:
        """Pair; come back plain; use the bond."""
        await walk.pair(key)
        await walk.look()
        await walk.reconnect()
        await walk.look()
        await walk.encrypt()
        await walk.look()

    return way


def _short(key: str, size: int) -> Way:
    async def way(walk: Walk) -> None:
        """Pair with a short key; it is as short when it comes out of the bond."""
        await walk.pair(key, size)
        await walk.reconnect()
        await walk.encrypt()
        await walk.look()

    return way


async def stranger(walk: Walk) -> None:
    """A client that never pairs."""
    await walk.look()
    await walk.reconnect()
    await walk.look()


async def lost(walk: Walk) -> None:
    """The device loses the bond, while the link is up; the client comes back."""
    await walk.pair("secure_mitm")
    await walk.look()
    walk.lose_bonds()
    await walk.look()
    await walk.reconnect()
    await walk.look()


async def authorized(walk: Walk) -> None:
    """Consent counts on a plain link and on an encrypted one, and ends with the link."""
    walk.authorize()
    await walk.look()
    await walk.reconnect()
    await walk.pair("secure_mitm")
    await walk.look()
    walk.authorize()
    await walk.look()


async def not_bonding(walk: Walk) -> None:
    """Pairing without a bond is worth something as long as the link."""
    await walk.pair("secure", 9)
    await walk.look()
    await walk.reconnect()
    await walk.look()


async def not_bonding_legacy(walk: Walk) -> None:
    """The same with legacy pairing, whose key is then a short-term one."""
    await walk.pair("legacy_mitm")
    await walk.look()
    await walk.reconnect()
    await walk.look()


async def weaker(walk: Walk) -> None:
    """A better bond is paired over by a worse; a bearer that was open sees it at once."""
    await walk.pair("secure_mitm")
    bearers = await walk.open_enhanced()
    await walk.leave_unconfirmed()
    await walk.pair_reading("legacy", 7)
    await walk.confirm()
    await walk.look(enhanced=bearers)
    await walk.reconnect()
    await walk.encrypt()
    await walk.look()


async def stronger(walk: Walk) -> None:
    """A worse bond is paired over by a better, on the link and after coming back."""
    await walk.pair("legacy")
    bearers = await walk.open_enhanced()
    await walk.pair("secure_mitm")
    await walk.look(enhanced=bearers)
    await walk.reconnect()
    await walk.pair("legacy_mitm")
    await walk.look()


WAYS: dict[str, tuple[bool, Way]] = {
    "a stranger": (True, stranger),
    **{f"{key} bond": (True, _bonded(key)) for key in KEYS[1:]},
    "a legacy bond of 7 octets": (True, _short("legacy", 7)),
    "a secure bond of 10 octets": (True, _short("secure", 10)),
    "a secure_mitm bond of 15 octets": (True, _short("secure_mitm", 15)),
    "a bond lost": (True, lost),
    "authorized": (True, authorized),
    "no bonding, secure": (False, not_bonding),
    "no bonding, legacy_mitm": (False, not_bonding_legacy),
    "a weaker pairing over a stronger": (True, weaker),
    "a stronger pairing over a weaker": (True, stronger),
}
"""By name: whether the device keeps bonds, and the way of the client."""


@asynccontextmanager
async def client(at: Vault) -> AsyncIterator[Walk]:
    """Connect a client that has never been there."""
    async with RawCentral(at.link, at.device.address) as central:
        yield Walk(at, central, Outcome(), [])


def run(name: str) -> tuple[Outcome, list[str]]:
    """Go one way in virtual time; return the cells and the stages."""
    bonding, way = WAYS[name]

    async def main() -> tuple[Outcome, list[str]]:
        async with vault(bonding=bonding) as at, client(at) as walk:
            await way(walk)
            return walk.outcome, walk.stages

    return clock.run(main())
