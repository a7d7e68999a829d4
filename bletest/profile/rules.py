"""Write rules: what a device does when a characteristic is written.

A rule is a condition and its effects; the first rule that matches wins, and a write that no
rule matches is accepted as if there were none. Everything here is data; what it comes to is for
:mod:`bletest.behaviour`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ReplyKind(StrEnum):
    """How a reply travels."""

    NOTIFICATION = "notification"
    INDICATION = "indication"


class Function(StrEnum):
    """The functions a profile can name: a closed list."""

    HMAC_SHA256 = "hmac_sha256"
    AES_CMAC = "aes_cmac"
    CRC16 = "crc16"
    CRC32 = "crc32"

    @property
    def length(self) -> int:
        """Octets of its result."""
        return _LENGTHS[self]

    @property
    def takes_key(self) -> bool:
        """Whether it needs a key."""
        return self in (Function.HMAC_SHA256, Function.AES_CMAC)


_LENGTHS = {
    Function.HMAC_SHA256: 32,
    Function.AES_CMAC: 16,
    Function.CRC16: 2,
    Function.CRC32: 4,
}


class Scope(StrEnum):
    """Whose a variable of the state is."""

    CLIENT = "client"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the state: what it is until a rule sets it, and whose it is."""

    initial: str
    scope: Scope = Scope.CLIENT


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that stands in an environment variable, in hexadecimal."""

    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """A part of what is written, by name; ``length`` in octets, None for all that is left."""

    name: str
    length: int | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a write consists of: octets that must stand there, and fields.

    Only the last part can be a field without a length.
    """

    parts: tuple[bytes | Field, ...]

    @property
    def lengths(self) -> tuple[int, int | None]:
        """The least and the greatest length in octets of what it matches; None for no limit."""
        least, bounded = 0, True
        for part in self.parts:
            length = len(part) if isinstance(part, bytes) else part.length
            least, bounded = least + (length or 0), bounded and length is not None
        return least, least if bounded else None

    def read(self, value: bytes) -> dict[str, bytes] | None:
        """Return the fields of ``value``, None where it does not match."""
        fields: dict[str, bytes] = {}
        at = 0
        for part in self.parts:
            length = len(part) if isinstance(part, bytes) else part.length
            end = len(value) if length is None else at + length
            if end > len(value):
                return None
            if isinstance(part, Field):
                fields[part.name] = value[at:end]
            elif value[at:end] != part:
                return None
            at = end
        return fields if at == len(value) else None

    def build(self, fields: Mapping[str, bytes]) -> bytes:
        """Return the value with these fields; one that is not given is zeros."""
        return b"".join(
            part
            if isinstance(part, bytes)
            else fields.get(part.name, bytes(1 if part.length is None else part.length))
            for part in self.parts
        )


@dataclass(frozen=True, slots=True)
class Random:
    """So many random octets; ``name`` is what they are remembered by, None if they are not."""

    length: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A field of what was written, or random octets that are remembered."""

    name: str


@dataclass(frozen=True, slots=True)
class Computed:
    """The first ``length`` octets of what a function makes of the octets in ``over``."""

    function: Function
    over: tuple[bytes | Named, ...]
    length: int
    key: bytes | Secret | None = None

    @property
    def secret(self) -> Secret | None:
        """The secret it takes, if it takes one."""
        return self.key if isinstance(self.key, Secret) else None

    @property
    def names(self) -> frozenset[str]:
        """What it is computed over, by name."""
        return frozenset(one.name for one in self.over if isinstance(one, Named))


Part = bytes | Random | Named | Computed


@dataclass(frozen=True, slots=True)
class Template:
    """A value that is put together when it is sent."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Verify:
    """A condition: the field or the remembered octets ``equals`` are what is computed."""

    computed: Computed
    equals: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A value sent through a characteristic in answer to a write.

    ``via`` is the path of the characteristic. ``value`` is None for an echo: what was written
    comes back. ``kind`` None means a notification where the characteristic has the property, or
    an indication. ``chunk`` splits the value into pieces of so many octets, 0 into pieces of
    ATT_MTU − 3, None sends it whole. ``after`` is the delay in seconds before the emulated device
    answers, ``within`` the time in seconds in which any device must have answered.
    ``subscribers`` sends it to everybody who subscribed, else it goes to who wrote.
    """

    via: str
    value: bytes | Template | None
    kind: ReplyKind | None = None
    chunk: int | None = None
    after: float = 0.0
    within: float = 1.0
    subscribers: bool = False


NORMAL = "normal"
"""The mode that a device is in from the beginning, and after every reboot that names no other."""


@dataclass(frozen=True, slots=True)
class Reboot:
    """The device restarts, ``after`` so many seconds, and comes back in the mode ``enter``.

    It is off the air for ``down`` seconds. With ``goodbye`` it ends its links before, else its
    clients hear no more of it.
    """

    enter: str = NORMAL
    down: float = 0.0
    after: float = 0.1
    goodbye: bool = False


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """The service at ``path`` comes (``present``) or goes, ``after`` so many seconds."""

    path: str
    present: bool
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Effects:
    """What a rule does.

    ``error`` is the ATT error code the write is refused with, None to accept it. ``sets`` are
    variables with their new values; after ``expires`` seconds they go back to what they are
    initially, and random octets of the replies are forgotten. ``disconnect`` ends the link that
    many seconds after the write, None leaves it. ``aborts``: what earlier writes of this client to
    the same characteristic still have to send is not sent. ``reboot`` and ``services`` change
    the device as a whole.
    """

    error: int | None = None
    replies: tuple[Reply, ...] = ()
    sets: tuple[tuple[str, str], ...] = ()
    expires: float | None = None
    disconnect: float | None = None
    aborts: bool = False
    reboot: Reboot | None = None
    services: tuple[ServiceChange, ...] = ()

    @property
    def upheaval(self) -> bool:
        """Whether the device is another one after it."""
        return self.reboot is not None or bool(self.services)


@dataclass(frozen=True, slots=True)
class WriteRule:
    """One entry of ``on_write``. ``match`` None is ``otherwise``: any value.

    The write must match, every variable in ``when`` must have one of its values, and ``verify``
    must hold. Where it does not and there is ``otherwise``, that is the effect; without it the
    next rule is tried. The other fields are the effects, as in :class:`Effects`.
    """

    match: bytes | Pattern | None
    error: int | None = None
    replies: tuple[Reply, ...] = ()
    sets: tuple[tuple[str, str], ...] = ()
    expires: float | None = None
    disconnect: float | None = None
    aborts: bool = False
    reboot: Reboot | None = None
    services: tuple[ServiceChange, ...] = ()
    when: tuple[tuple[str, tuple[str, ...]], ...] = ()
    verify: Verify | None = None
    otherwise: Effects | None = None

    @property
    def upheaval(self) -> bool:
        """Whether the device is another one after it."""
        return self.reboot is not None or bool(self.services)

    @property
    def always(self) -> bool:
        """Whether it does the same for a value that matches, whatever happened before."""
        dynamic = any(isinstance(reply.value, Template) for reply in self.replies)
        return not self.when and self.verify is None and not dynamic

    def read(self, value: bytes) -> Mapping[str, bytes] | None:
        """Return the fields of ``value``, None where it does not match."""
        if isinstance(self.match, Pattern):
            return self.match.read(value)
        return {} if self.match is None or self.match == value else None

    def matches(self, value: bytes) -> bool:
        """Whether ``value`` is one for this rule, conditions aside."""
        return self.read(value) is not None


def rule_for(rules: tuple[WriteRule, ...], value: bytes) -> WriteRule | None:
    """Return the first rule that ``value`` is one for, conditions aside; None if none is."""
    return next((rule for rule in rules if rule.matches(value)), None)
