"""Pairing of an emulated device: what its profile allows, and the bonds it keeps."""

from dataclasses import dataclass

from bumble.device import Connection
from bumble.pairing import PairingConfig, PairingDelegate

from bletest.profile.spec import SecuritySpec


@dataclass(frozen=True, slots=True)
class Bond:
    """What a bond is worth: whether its key is authenticated, and from Secure Connections."""

    authenticated: bool
    secure_connections: bool


class Bonds(dict[str, Bond]):
    """Bonds by the client's address."""


class _Delegate(PairingDelegate):
    """Answers pairing requests as the profile says."""

    def __init__(self, security: SecuritySpec) -> None:
        super().__init__(PairingDelegate.NO_OUTPUT_NO_INPUT)
        self._pairing = security.pairing

    async def accept(self) -> bool:
        """Refuse with Pairing Not Supported where the profile has no pairing."""
        return self._pairing


def pairing_config(security: SecuritySpec, connection: Connection) -> PairingConfig:
    """Return how the device pairs on a connection: Just Works, Secure Connections or legacy."""
    return PairingConfig(
        sc=True,
        mitm=False,
        bonding=security.bonding,
        delegate=_Delegate(security),
        identity_address_type=PairingConfig.AddressType.RANDOM,
    )
