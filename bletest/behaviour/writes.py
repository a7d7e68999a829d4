"""From a profile's write rules to what the device does about one write."""

from dataclasses import dataclass

from bletest.profile.rules import Reply, ReplyKind, WriteRule, rule_for

NOTIFICATION_OVERHEAD = 3
"""Octets of opcode and handle in a notification or indication (Vol 3, Part F, 3.4.7.1)."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A value to send through the characteristic at ``via``, ``after`` seconds from the write."""

    via: str
    value: bytes
    kind: ReplyKind | None
    after: float


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a write causes: a refusal with ``error``, or acceptance and ``sendings`` in order."""

    error: int | None = None
    sendings: tuple[Sending, ...] = ()


def react(rules: tuple[WriteRule, ...], value: bytes, *, mtu: int) -> Reaction:
    """Return what the first matching rule says; a write that none matches is accepted.

    ``mtu`` is the ATT_MTU of the client that will be answered: ``chunk: mtu`` cuts by it.
    """
    rule = rule_for(rules, value)
    if rule is None:
        return Reaction()
    if rule.error is not None:
        return Reaction(error=rule.error)
    return Reaction(
        sendings=tuple(
            Sending(reply.via, piece, reply.kind, reply.after)
            for reply in rule.replies
            for piece in _pieces(reply, value, mtu)
        )
    )


def _pieces(reply: Reply, written: bytes, mtu: int) -> list[bytes]:
    """Cut a reply into what fits one PDU each; an empty value still is one piece."""
    value = written if reply.value is None else reply.value
    if reply.chunk is None:
        return [value]
    size = reply.chunk or mtu - NOTIFICATION_OVERHEAD
    return [value[start : start + size] for start in range(0, len(value), size)] or [b""]
