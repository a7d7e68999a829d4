"""Private addresses (Vol 6, Part B, 1.3.2.2) and the resolving list of a controller."""

import functools
import random
from dataclasses import dataclass

from bumble import crypto, hci

DEFAULT_TIMEOUT = 900.0
"""Seconds for which a resolvable private address is used (Vol 4, Part E, 7.8.45)."""

_NO_KEY = bytes(16)


@dataclass(slots=True)
class KnownPeer:
    """An entry of a resolving list. A key of zeros means that there is none.

    Keys are as in HCI, least significant octet first. ``network_privacy``: the peer is not
    listened to under its identity address (Vol 6, Part B, 4.7).
    """

    identity: hci.Address
    peer_irk: bytes
    local_irk: bytes
    network_privacy: bool = True


class ResolvingList:
    """The devices whose private addresses a controller resolves, and its own for each of them.

    Own addresses change every ``timeout`` seconds, with no timer: which one is in use follows
    from the time, and is drawn from ``seed``.
    """

    def __init__(self, seed: str) -> None:
        self.enabled = False
        self.timeout = DEFAULT_TIMEOUT
        self._seed = seed
        self._peers: dict[hci.Address, KnownPeer] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def find(self, identity: hci.Address) -> KnownPeer | None:
        """Return the entry of an identity address, of whatever address type it is written in."""
        return self._peers.get(identity)

    def add(self, peer: KnownPeer) -> None:
        """Add an entry."""
        self._peers[peer.identity] = peer

    def remove(self, identity: hci.Address) -> None:
        """Remove the entry of an identity address; KeyError if there is none."""
        del self._peers[identity]

    def clear(self) -> None:
        """Remove every entry."""
        self._peers.clear()

    def reset(self) -> None:
        """Be as when new (HCI Reset)."""
        self.clear()
        self.enabled = False
        self.timeout = DEFAULT_TIMEOUT

    def resolve(self, address: hci.Address) -> KnownPeer | None:
        """Return the first entry whose peer key a resolvable private address was made with."""
        if address.is_resolvable:
            for peer in self._peers.values():
                if peer.peer_irk != _NO_KEY and is_made_with(peer.peer_irk, address):
                    return peer
        return None

    def is_own(self, address: hci.Address) -> bool:
        """Whether a resolvable private address was made with a local key of any entry."""
        return address.is_resolvable and any(
            peer.local_irk != _NO_KEY and is_made_with(peer.local_irk, address)
            for peer in self._peers.values()
        )

    def own_address_for(self, identity: hci.Address, now: float) -> hci.Address | None:
        """Return the own address towards a peer, None where its entry has no local key."""
        peer = self._peers.get(identity)
        return self._made_with(peer.local_irk, "own", peer, now) if peer else None

    def address_of(self, identity: hci.Address, now: float) -> hci.Address | None:
        """Return an address that the peer knows as its own, None where its key is not known."""
        peer = self._peers.get(identity)
        return self._made_with(peer.peer_irk, "peer", peer, now) if peer else None

    def _made_with(self, irk: bytes, whose: str, peer: KnownPeer, now: float) -> hci.Address | None:
        if irk == _NO_KEY:
            return None
        period = int(now / self.timeout)
        rng = random.Random(f"{self._seed}/{whose}/{bytes(peer.identity).hex()}/{period}")
        return new_resolvable_address(irk, rng)


def is_private_type(own_address_type: int) -> bool:
    """Whether an ``Own_Address_Type`` of HCI asks for a resolvable private address."""
    return own_address_type not in (hci.OwnAddressType.PUBLIC, hci.OwnAddressType.RANDOM)


def new_resolvable_address(irk: bytes, rng: random.Random) -> hci.Address:
    """Make a resolvable private address (Vol 6, Part B, 1.3.2.2)."""
    prand = 0
    while prand in (0, 0x3FFFFF):  # The random part is neither all zeros nor all ones.
        prand = rng.getrandbits(22)
    octets = (prand | 0x400000).to_bytes(3, "little")
    return hci.Address(_hash(irk, octets) + octets, hci.Address.RANDOM_DEVICE_ADDRESS)


def is_made_with(irk: bytes, address: hci.Address) -> bool:
    """Whether a resolvable private address was made with this key."""
    octets = bytes(address)
    return _hash(irk, octets[3:]) == octets[:3]


@functools.lru_cache(maxsize=4096)
def _hash(irk: bytes, prand: bytes) -> bytes:
    return crypto.ah(irk, prand)
