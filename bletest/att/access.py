"""What it takes to read, write or subscribe to an attribute (Vol 3, Part F, 3.2.5)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """The security an operation asks of the link. Where an operation has no Access, it is refused.

    ``key_size`` is the least encryption key size in octets, 7 to 16; it counts only where
    ``encrypted`` is asked for.
    """

    encrypted: bool = False
    authenticated: bool = False
    secure_connections: bool = False
    authorized: bool = False
    key_size: int = 7

    @property
    def open(self) -> bool:
        """Whether anyone may."""
        return not (
            self.encrypted or self.authenticated or self.secure_connections or self.authorized
        )

    def __str__(self) -> str:
        words = [
            word
            for word, asked in (
                ("LE Secure Connections", self.secure_connections),
                ("authenticated", self.authenticated),
                ("encrypted", self.encrypted and not self.authenticated),
                ("authorized", self.authorized),
                (f"key of {self.key_size} octets", self.key_size > 7),
            )
            if asked
        ]
        return ", ".join(words) or "open"


OPEN = Access()
ENCRYPTED = Access(encrypted=True)
AUTHENTICATED = Access(encrypted=True, authenticated=True)


@dataclass(slots=True)
class LinkSecurity:
    """What the link of one client has reached so far.

    ``bonded`` says that a key for this client is stored (Vol 3, Part C, 10.3.1 picks the error
    code by it), ``key_size`` is the size in octets of the key in use, 0 on a plain link.
    """

    encrypted: bool = False
    authenticated: bool = False
    secure_connections: bool = False
    authorized: bool = False
    bonded: bool = False
    key_size: int = 0
