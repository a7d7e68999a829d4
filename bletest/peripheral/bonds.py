"""The bonds of an emulated device: what it knows of each client beside the keys themselves."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bumble.crypto.cryptography import aes_cmac


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


def _nobody_cares() -> None:
    """What becomes of a change that nothing keeps."""


class Bonds(dict[str, Bond]):
    """Bonds by the client's address, the one used least lately first.

    ``on_change`` is called when something is another than it was.
    """

    __slots__ = ("_counters", "_on_change")

    def __init__(self, on_change: Callable[[], None] = _nobody_cares) -> None:
        super().__init__()
        self._counters: dict[str, int] = {}
        self._on_change = on_change

    def keep(self, identity: str, bond: Bond) -> None:
        """Store a new bond in place of an older one."""
        self.forget(identity)
        self[identity] = bond
        self._on_change()

    def restore(self, identity: str, bond: Bond, counter: int) -> None:
        """Take over a bond from an earlier life, with the last SignCounter seen."""
        self[identity] = bond
        self._counters[identity] = counter

    def forget(self, identity: str) -> None:
        """Drop a bond, if there is one."""
        if self.pop(identity, None) is not None:
            self._counters.pop(identity, None)
            self._on_change()

    def used(self, identity: str) -> None:
        """Note that a client has come back with its key."""
        if identity in self and next(reversed(self)) != identity:
            self[identity] = self.pop(identity)
            self._on_change()

    def counter(self, identity: str) -> int:
        """Return the last SignCounter of a client, -1 before the first."""
        return self._counters.get(identity, -1)

    def verify(self, identity: str, message: bytes, signature: bytes) -> bool:
        """Whether a Signed Write Command is genuine, and no repetition (Vol 3, Part H, 2.4.5).

        ``signature`` is the SignCounter and 8 octets of the MAC, least significant first.
        """
        bond = self.get(identity)
        if bond is None or bond.csrk is None:
            return False
        counter = int.from_bytes(signature[:4], "little")
        mac = aes_cmac((message + signature[:4])[::-1], bond.csrk[::-1])[:8][::-1]
        if mac != signature[4:] or counter <= self.counter(identity):
            return False
        self._counters[identity] = counter
        self._on_change()
        return True
