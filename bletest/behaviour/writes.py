"""From a profile's write rules to what the device does about one write."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bletest.behaviour.functions import compute, fill
from bletest.profile.rules import (
    Computed,
    Effects,
    Reboot,
    Reply,
    ReplyKind,
    ServiceChange,
    Template,
    Verify,
    WriteRule,
)

NOTIFICATION_OVERHEAD = 3
"""Octets of opcode and handle in a notification or indication (Vol 3, Part F, 3.4.7.1)."""


def _no_randomness(length: int) -> bytes:
    raise AssertionError(f"nobody said where {length} random octets come from")


def _no_keys(computed: Computed) -> bytes:
    raise AssertionError(f"nobody said where the key of {computed.function} comes from")


@dataclass(frozen=True, slots=True)
class Situation:
    """What a write meets: the ``state`` of variables, the octets remembered by ``names``.

    ``draw(n)`` returns n random octets; ``keys`` returns the key of a function, and may raise.
    """

    state: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, bytes] = field(default_factory=dict)
    draw: Callable[[int], bytes] = _no_randomness
    keys: Callable[[Computed], bytes] = _no_keys


NOTHING_BEFORE = Situation()
"""What a write meets where no rule depends on anything that was before."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A value to send through the characteristic at ``via``, ``after`` seconds from the write.

    It goes to who wrote, or to all ``subscribers``.
    """

    via: str
    value: bytes
    kind: ReplyKind | None
    after: float
    subscribers: bool = False


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a write causes: a refusal with ``error``, or acceptance and ``sendings`` in order.

    ``sets`` are variables with their new values and ``names`` octets to be remembered, both for
    ``expires`` seconds, for good where that is None. ``disconnect`` seconds from the write the
    link ends; None leaves it. ``cancels``: what earlier writes of this client to the same
    characteristic still have to send is not sent. ``reboot`` and ``services`` change the device
    as a whole.
    """

    error: int | None = None
    sendings: tuple[Sending, ...] = ()
    sets: tuple[tuple[str, str], ...] = ()
    names: tuple[tuple[str, bytes], ...] = ()
    expires: float | None = None
    disconnect: float | None = None
    cancels: bool = False
    reboot: Reboot | None = None
    services: tuple[ServiceChange, ...] = ()


def react(
    rules: tuple[WriteRule, ...],
    value: bytes,
    *,
    mtu: int,
    situation: Situation = NOTHING_BEFORE,
) -> Reaction:
    """Return what the first matching rule says; a write that none matches is accepted.

    ``mtu`` is the ATT_MTU of the client that will be answered: ``chunk: mtu`` cuts by it.
    Raises whatever ``situation.keys`` raises.
    """
    chosen = _choose(rules, value, situation)
    if chosen is None:
        return Reaction()
    _, effects, names = chosen
    return carry_out(effects, value, names, mtu, situation)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a write comes to: the ``rule``, its ``effects``, and octets by ``names``."""

    rule: WriteRule
    effects: WriteRule | Effects
    names: Mapping[str, bytes]


def choose(rules: tuple[WriteRule, ...], value: bytes, situation: Situation) -> Choice | None:
    """Return what the first rule that applies says; None where none does."""
    chosen = _choose(rules, value, situation)
    return None if chosen is None else Choice(*chosen)


def _choose(
    rules: tuple[WriteRule, ...], value: bytes, situation: Situation
) -> tuple[WriteRule, WriteRule | Effects, Mapping[str, bytes]] | None:
    for rule in rules:
        fields = rule.read(value)
        if fields is None or (rule.when and not _meets(rule, situation)):
            continue
        names = {**situation.names, **fields} if fields else situation.names
        if rule.verify is None or _holds(rule.verify, names, situation):
            return rule, rule, names
        if rule.otherwise is not None:
            return rule, rule.otherwise, names
    return None


def _meets(rule: WriteRule, situation: Situation) -> bool:
    return all(situation.state.get(name) in values for name, values in rule.when)


def _holds(verify: Verify, names: Mapping[str, bytes], situation: Situation) -> bool:
    expected = compute(verify.computed, names, situation.keys)
    return expected is not None and names.get(verify.equals) == expected


def carry_out(
    effects: WriteRule | Effects,
    written: bytes,
    names: Mapping[str, bytes],
    mtu: int,
    situation: Situation = NOTHING_BEFORE,
) -> Reaction:
    """Return what ``effects`` come to; arguments as for :func:`react`, ``names`` as in Choice."""
    sendings: list[Sending] = []
    drawn: dict[str, bytes] = {}
    for reply in effects.replies if effects.error is None else ():
        value = written if reply.value is None else reply.value
        if isinstance(value, Template):
            value, new = fill(value, {**names, **drawn}, situation.keys, situation.draw)
            drawn.update(new)
        sendings.extend(
            Sending(reply.via, piece, reply.kind, reply.after, reply.subscribers)
            for piece in _pieces(reply, value, mtu)
        )
    return Reaction(
        error=effects.error,
        sendings=tuple(sendings),
        sets=effects.sets,
        names=tuple(drawn.items()),
        expires=effects.expires,
        disconnect=effects.disconnect,
        cancels=effects.aborts,
        reboot=effects.reboot,
        services=effects.services,
    )


def _pieces(reply: Reply, value: bytes, mtu: int) -> list[bytes]:
    """Cut a reply into what fits one PDU each; an empty value still is one piece."""
    if reply.chunk is None:
        return [value]
    size = reply.chunk or mtu - NOTIFICATION_OVERHEAD
    return [value[start : start + size] for start in range(0, len(value), size)] or [b""]
