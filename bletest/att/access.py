"""What it takes to read, write or subscribe to an attribute (Vol 3, Part F, 3.2.5)."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Access:
    """The security an operation asks of the link. Where an operation has no Access, it is refused.

    ``key_size`` is the least encryption key size in octets, 7 to 16; it counts only where
    ``encrypted`` is asked for. ``fresh`` is the age in seconds that an authorization may have
    at most, None where any on this link will do; it counts only where ``authorized`` is asked for.
    """

    encrypted: bool = False
    authenticated: bool = False
    secure_connections: bool = False
    authorized: bool = False
    key_size: int = 7
    fresh: float | None = None

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
                (self._consent, self.authorized),
                (f"key of {self.key_size} octets", self.key_size > 7),
            )
            if asked
        ]
        return ", ".join(words) or "open"

    @property
    def _consent(self) -> str:
        within = "" if self.fresh is None else f" within {self.fresh:g} s"
        return f"authorized{within}"


OPEN = Access()
ENCRYPTED = Access(encrypted=True)
AUTHENTICATED = Access(encrypted=True, authenticated=True)


@dataclass(slots=True)
class LinkSecurity:
    """What the link of one client has reached so far.

    ``bonded`` says that a key for this client is stored (Vol 3, Part C, 10.3.1 picks the error
    code by it), ``key_size`` is the size in octets of the key in use, 0 on a plain link.
    ``consent_age`` returns the seconds since the client was authorized, for who asks how fresh
    that is.
    """

    encrypted: bool = False
    authenticated: bool = False
    secure_connections: bool = False
    authorized: bool = False
    bonded: bool = False
    key_size: int = 0
    consent_age: Callable[[], float] | None = field(default=None, repr=False, compare=False)
