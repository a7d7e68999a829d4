"""Where the random octets of one device come from: a stream of its own for each purpose."""

import hashlib
import random
import secrets

from bumble import crypto, hci
from bumble.crypto.cryptography import EccKey

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Private keys on the curve P-256 lie below this (FIPS 186-4, D.1.2.3)."""


class Randomness:
    """The random streams of one device.

    From a seeded ``random.Random`` come seeded streams, one a purpose, so that another key or
    another device more does not shift what is drawn elsewhere. From ``random.SystemRandom``, as
    on a real controller, comes the system's randomness.
    """

    def __init__(self, rng: random.Random) -> None:
        self._key = None if isinstance(rng, random.SystemRandom) else rng.randbytes(16)
        self._drawn: dict[str, int] = {}

    def octets(self, purpose: str, count: int) -> bytes:
        """Return the next ``count`` octets for a purpose."""
        if self._key is None:
            return secrets.token_bytes(count)
        # A hash of what is drawn how many times takes no state worth mentioning, where each
        # random.Random would take 2.5 kB of every device.
        drawn = self._drawn[purpose] = self._drawn.get(purpose, 0) + 1
        return hashlib.shake_128(self._key + f"{drawn}/{purpose}".encode()).digest(count)

    def _number(self, purpose: str, below: int) -> int:
        # 16 octets more than needed make the remainder as good as uniform.
        return int.from_bytes(self.octets(purpose, below.bit_length() // 8 + 17), "big") % below

    def passkey(self) -> int:
        """Return a passkey, 0 to 999999 (Vol 3, Part H, 2.3.5.3)."""
        return self._number("passkey", 1_000_000)

    def ecc_key(self) -> EccKey:
        """Return a key pair on P-256."""
        private = 1 + self._number("ecc", _P256_ORDER - 1)
        return EccKey.from_private_key_bytes(private.to_bytes(32, "big"))

    def static_address(self) -> hci.Address:
        """Return a random static address (Vol 6, Part B, 1.3.2.1)."""
        octets = bytearray(self.octets("address", 6))
        octets[5] |= 0xC0
        return hci.Address(bytes(octets), hci.Address.RANDOM_DEVICE_ADDRESS)

    def resolvable_address(self, irk: bytes) -> hci.Address:
        """Return a resolvable private address of ``irk`` (Vol 6, Part B, 1.3.2.2)."""
        prand = bytearray(self.octets("private address", 3))
        prand[2] = prand[2] & 0x3F | 0x40
        octets = crypto.ah(irk, bytes(prand)) + bytes(prand)
        return hci.Address(octets, hci.Address.RANDOM_DEVICE_ADDRESS)

    def non_resolvable_address(self) -> hci.Address:
        """Return a non-resolvable private address (Vol 6, Part B, 1.3.2.2)."""
        octets = bytearray(self.octets("private address", 6))
        octets[5] &= 0x3F
        return hci.Address(bytes(octets), hci.Address.RANDOM_DEVICE_ADDRESS)
