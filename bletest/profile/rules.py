"""Write rules: what a device does when a characteristic is written.

A rule is a condition and its effects; the first rule that matches wins, and a write that no
rule matches is accepted as if there were none.
"""

from dataclasses import dataclass
from enum import StrEnum


class ReplyKind(StrEnum):
    """How a reply travels."""

    NOTIFICATION = "notification"
    INDICATION = "indication"


@dataclass(frozen=True, slots=True)
class Reply:
    """A value sent through a characteristic in answer to a write.

    ``via`` is the path of the characteristic. ``value`` is None for an echo: what was written
    comes back. ``kind`` None means a notification where the characteristic has the property, or
    an indication. ``chunk`` splits the value into pieces of so many octets, 0 into pieces of
    ATT_MTU − 3, None sends it whole. ``after`` is the delay in seconds before the emulated device
    answers, ``within`` the time in seconds in which any device must have answered.
    """

    via: str
    value: bytes | None
    kind: ReplyKind | None = None
    chunk: int | None = None
    after: float = 0.0
    within: float = 1.0


@dataclass(frozen=True, slots=True)
class WriteRule:
    """One entry of ``on_write``. ``match`` None is ``otherwise``: any value.

    ``error`` is the ATT error code the write is refused with, None to accept it.
    """

    match: bytes | None
    error: int | None = None
    replies: tuple[Reply, ...] = ()

    def matches(self, value: bytes) -> bool:
        """Whether this rule is the one for ``value``."""
        return self.match is None or self.match == value


def rule_for(rules: tuple[WriteRule, ...], value: bytes) -> WriteRule | None:
    """Return the first rule that matches, None if none does."""
    return next((rule for rule in rules if rule.matches(value)), None)
