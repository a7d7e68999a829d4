"""Pairing of an emulated device: what its profile allows, and the bonds it keeps."""

from dataclasses import dataclass, field

from bumble.crypto.cryptography import aes_cmac
from bumble.device import Connection
from bumble.pairing import PairingConfig, PairingDelegate

from bletest.profile.spec import Profile, SecuritySpec


@dataclass(frozen=True, slots=True)
class Bond:
    """What a bond is worth: whether its key is authenticated, and from Secure Connections.

    ``key_size`` is that of the LTK in octets; ``csrk`` the key that the client signs with, None
    where it gave none.
    """

    authenticated: bool
    secure_connections: bool
    key_size: int = 16
    csrk: bytes | None = field(default=None, repr=False)


class Bonds(dict[str, Bond]):
    """Bonds by the client's address."""

    __slots__ = ("_counters",)

    def __init__(self) -> None:
        super().__init__()
        self._counters: dict[str, int] = {}

    def keep(self, identity: str, bond: Bond) -> None:
        """Store a new bond in place of an older one."""
        self[identity] = bond
        self._counters.pop(identity, None)

    def verify(self, identity: str, message: bytes, signature: bytes) -> bool:
        """Whether a Signed Write Command is genuine, and no repetition (Vol 3, Part H, 2.4.5).

        ``signature`` is the SignCounter and 8 octets of the MAC, least significant first.
        """
        bond = self.get(identity)
        if bond is None or bond.csrk is None:
            return False
        counter = int.from_bytes(signature[:4], "little")
        mac = aes_cmac((message + signature[:4])[::-1], bond.csrk[::-1])[:8][::-1]
        if mac != signature[4:] or counter <= self._counters.get(identity, -1):
            return False
        self._counters[identity] = counter
        return True


class _Delegate(PairingDelegate):
    """Answers pairing requests as the profile says."""

    def __init__(self, security: SecuritySpec, *, signing: bool) -> None:
        keys = PairingDelegate.DEFAULT_KEY_DISTRIBUTION
        sign_key = PairingDelegate.KeyDistribution.DISTRIBUTE_SIGNING_KEY
        super().__init__(
            PairingDelegate.NO_OUTPUT_NO_INPUT,
            local_initiator_key_distribution=keys | sign_key if signing else keys,
            local_responder_key_distribution=keys,
        )
        self._pairing = security.pairing

    async def accept(self) -> bool:
        """Refuse with Pairing Not Supported where the profile has no pairing."""
        return self._pairing


def pairing_config(profile: Profile, connection: Connection) -> PairingConfig:
    """Return how the device pairs on a connection: Just Works, Secure Connections or legacy.

    It asks for the client's signature key where it has a value that takes signed writes.
    """
    security = profile.security
    signing = any(
        "authenticated_signed_write" in one.properties for one in profile.characteristics()
    )
    return PairingConfig(
        sc=True,
        mitm=False,
        bonding=security.bonding,
        delegate=_Delegate(security, signing=signing),
        identity_address_type=PairingConfig.AddressType.RANDOM,
    )
