"""Pairing of an emulated device: what its profile allows, asks for and answers."""

from collections.abc import Callable
from dataclasses import dataclass

from bumble.device import Connection
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.smp import ErrorCode, OobContext, OobLegacyContext

from bletest.errors import NotSeen
from bletest.link.pairing_policy import IO, PairingPolicy, Terms
from bletest.link.smp import SecurityManager
from bletest.link.smp_attempts import Attempts
from bletest.peripheral.bonds import Bonds
from bletest.peripheral.panel import Panel
from bletest.profile.security import Protection, SecuritySpec, Support, WhenFull
from bletest.profile.spec import Profile

_KEYS = {
    "encryption": PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY,
    "identity": PairingDelegate.KeyDistribution.DISTRIBUTE_IDENTITY_KEY,
    "signing": PairingDelegate.KeyDistribution.DISTRIBUTE_SIGNING_KEY,
}


@dataclass(slots=True)
class PairingRoom:
    """What all pairings of a device share.

    ``profile`` and ``bonds`` return what is in force now; ``tell`` gets a sentence for the
    transcript.
    """

    profile: Callable[[], Profile]
    bonds: Callable[[], Bonds]
    panel: Panel
    tell: Callable[[str], None]
    drop_bond: Callable[[str], None]
    oob: OobContext | None = None
    oob_legacy: OobLegacyContext | None = None

    @property
    def security(self) -> SecuritySpec:
        """What the profile says."""
        return self.profile().security

    def prepare(self, manager: SecurityManager) -> None:
        """Make what the device hands out of band, once for all its pairings, and its patience."""
        rule = self.security.repeated_attempts
        if rule is not None and manager.attempts is None:
            manager.attempts = Attempts(rule.wait, rule.at_most)
        if self.security.oob and self.oob is None:
            self.oob = manager.new_oob_context()
            self.oob_legacy = manager.new_oob_legacy_context()

    def config(self, connection: Connection) -> PairingConfig:
        """Return how the device pairs on a connection."""
        security = self.security
        oob = None
        if self.oob is not None:
            oob = PairingConfig.OobConfig(self.oob, None, self.oob_legacy)
        return PairingConfig(
            sc=security.secure_connections is not Support.UNSUPPORTED,
            mitm=security.mitm is not Protection.NONE,
            bonding=security.bonding,
            delegate=DevicePolicy(self, connection),
            identity_address_type=PairingConfig.AddressType.RANDOM,
            oob=oob,
        )

    def client_keys(self) -> frozenset[str]:
        """Return the keys that the device takes from a client, in words."""
        if self.security.client_keys is not None:
            return self.security.client_keys
        values = self.profile().characteristics()
        signed = any("authenticated_signed_write" in one.properties for one in values)
        return frozenset({"encryption", "identity"} | ({"signing"} if signed else set()))


class DevicePolicy(PairingPolicy):
    """One pairing of the device, judged and answered as the profile says."""

    def __init__(self, room: PairingRoom, connection: Connection) -> None:
        security = room.security
        super().__init__(
            IO[security.io],
            local_initiator_key_distribution=_distribution(room.client_keys()),
            local_responder_key_distribution=_distribution(security.device_keys),
            maximum_encryption_key_size=security.max_key_size,
        )
        self._room = room
        self._connection = connection

    # What it refuses

    async def accept(self) -> bool:
        """Refuse where the device does not pair: Pairing Not Supported."""
        self._room.panel.clear()
        return self._room.security.pairing

    def refusal(self, terms: Terms) -> ErrorCode | None:
        """Refuse what protects less than the profile requires, and a bond without room for it."""
        security = self._room.security
        if security.mitm is Protection.REQUIRED and not terms.authenticated:
            return ErrorCode.AUTHENTICATION_REQUIREMENTS
        if security.secure_connections is Support.REQUIRED and not terms.secure_connections:
            return ErrorCode.AUTHENTICATION_REQUIREMENTS
        if terms.key_size < security.min_key_size:
            return ErrorCode.ENCRYPTION_KEY_SIZE
        if terms.bonding and self._is_full() and security.when_full is WhenFull.REFUSE:
            self._room.tell(
                f"no room for a bond with {self._client}: {security.max_bonds} are kept"
            )
            return ErrorCode.UNSPECIFIED_REASON
        return None

    def _is_full(self) -> bool:
        bonds, most = self._room.bonds(), self._room.security.max_bonds
        return most is not None and self._client not in bonds and len(bonds) >= most

    def on_success(self, terms: Terms) -> None:
        """Make room for the bond."""
        room = self._room
        if terms.bonding and self._is_full():
            oldest = next(iter(room.bonds()))
            room.tell(f"the bond with {oldest} makes room")
            room.drop_bond(oldest)

    # What it shows, and what is typed

    async def choose_passkey(self) -> int | None:
        """Return the passkey that the profile names, if it does."""
        fixed = self._room.security.passkey
        return None if fixed is None else int(fixed)

    async def display_number(self, number: int, digits: int) -> None:
        """Show the passkey."""
        self._room.panel.show(number, "passkey")

    async def compare_numbers(self, number: int, digits: int) -> bool:
        """Show a number, and have the person say whether the other device shows it too."""
        self._room.panel.show(number, "number to compare")
        return self._room.panel.agrees

    async def get_number(self) -> int | None:
        """Have the person type the passkey; the profile's, where it names one."""
        fixed = self._room.security.passkey
        if fixed is not None:
            return int(fixed)
        try:
            return await self._room.panel.typed()
        except NotSeen:
            return None

    @property
    def _client(self) -> str:
        return str(self._connection.peer_address.to_string(False))


def _distribution(words: frozenset[str]) -> PairingDelegate.KeyDistribution:
    keys = PairingDelegate.KeyDistribution(0)
    for word in words:
        keys |= _KEYS[word]
    return keys
