"""Protocols of several steps: the client's half, made from the same rules (on_write).

What the device should answer follows from the rules and from what it sent before: a
:class:`_Conversation` keeps, on the client's side, the state that the device should be in.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from bletest.att.codes import error_text
from bletest.behaviour import Choice, Memory, Reaction, choose, compute, recognise
from bletest.conformance.registry import Changes, Flaw, Phase, check
from bletest.conformance.security import secured
from bletest.conformance.steps import characteristic_of, not_accepted, octets
from bletest.conformance.subjects import Challenge, ProtocolOf, accesses
from bletest.contracts.client import Client, Subscription
from bletest.contracts.windows import Deadline, Window
from bletest.errors import TooFewNotifications
from bletest.profile.expectation import CharacteristicExpectation, DeviceExpectation
from bletest.profile.rules import (
    Field,
    Pattern,
    Random,
    Reply,
    Scope,
    Template,
    WriteRule,
    rule_for,
)
from bletest.profile.secrets import find_key

_ME = "client"
_EXPIRY_TOLERANCE = 0.1
"""The share by which a device may keep a challenge longer than it says."""
_LONG_ENOUGH = 8
"""Octets from which on it is no accident when two challenges are alike."""


def _protocols(device: DeviceExpectation) -> list[ProtocolOf]:
    """Pick the rules that verify, as far as the way to them is known."""
    found = []
    for one in device.characteristics():
        for number, rule in enumerate(one.rules, 1):
            if not _can_be_answered(one, rule, device):
                continue
            challenge = _challenge_for(device, rule)
            if challenge is None and not _needs_nothing(device, rule):
                continue
            via = _receivers(device, (rule, *(step.rule for step in _steps(challenge))))
            found.append(ProtocolOf(device, one, number, rule, challenge, via))
    return found


def _challenged(device: DeviceExpectation) -> list[ProtocolOf]:
    return [one for one in _protocols(device) if one.challenge is not None]


def _expiring(device: DeviceExpectation) -> list[ProtocolOf]:
    return [one for one in _challenged(device) if one.challenge and one.challenge.rule.expires]


def _steps(challenge: Challenge | None) -> Iterable[Challenge]:
    return () if challenge is None else (challenge,)


def _can_be_answered(
    one: CharacteristicExpectation, rule: WriteRule, device: DeviceExpectation
) -> bool:
    if rule.verify is None or not isinstance(rule.match, Pattern) or rule.upheaval:
        return False
    # the state of a device is not known to a client that has just come
    if any(device.state[name].scope is Scope.DEVICE for name, _ in rule.when):
        return False
    fields = {part.name for part in rule.match.parts if isinstance(part, Field)}
    return "write" in one.properties and one.write is not None and rule.verify.equals in fields


def _drawn(reply: Reply) -> frozenset[str]:
    parts = reply.value.parts if isinstance(reply.value, Template) else ()
    return frozenset(one.name for one in parts if isinstance(one, Random) and one.name)


def _missing(rule: WriteRule) -> frozenset[str]:
    """Return the names that must be remembered before the rule can hold."""
    assert rule.verify is not None
    assert isinstance(rule.match, Pattern)
    fields = {part.name for part in rule.match.parts if isinstance(part, Field)}
    return rule.verify.computed.names - fields


def _state_after(device: DeviceExpectation, sets: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: one.initial for name, one in device.state.items()} | dict(sets)


def _meets(rule: WriteRule, state: Mapping[str, str]) -> bool:
    return all(state[name] in values for name, values in rule.when)


def _needs_nothing(device: DeviceExpectation, rule: WriteRule) -> bool:
    return not _missing(rule) and _meets(rule, _state_after(device, ()))


def _challenge_for(device: DeviceExpectation, wanted: WriteRule) -> Challenge | None:
    """Find a write that leads from the beginning to where ``wanted`` can hold."""
    names = _missing(wanted)
    if not names:
        return None
    for one in device.characteristics():
        for rule in one.rules:
            if not isinstance(rule.match, bytes) or rule_for(one.rules, rule.match) is not rule:
                continue
            if rule.error is not None or one.write is None or rule.upheaval:
                continue
            if rule.verify is not None or not _meets(rule, _state_after(device, ())):
                continue
            for reply in rule.replies:
                via = device.characteristic(reply.via)
                if via is None or not names <= _drawn(reply):
                    continue
                if _meets(wanted, _state_after(device, rule.sets)):
                    return Challenge(one, rule, rule.match, reply, via)
    return None


def _receivers(
    device: DeviceExpectation, rules: Iterable[WriteRule]
) -> tuple[CharacteristicExpectation, ...]:
    found: dict[str, CharacteristicExpectation] = {}
    for rule in rules:
        others = rule.otherwise.replies if rule.otherwise is not None else ()
        for reply in (*rule.replies, *others):
            via = device.characteristic(reply.via)
            if via is not None:
                found[via.path] = via
    return tuple(found.values())


class _Conversation:
    """A client that knows the rules, and what the device should make of each write."""

    def __init__(
        self, client: Client, subject: ProtocolOf, listening: Mapping[str, Subscription]
    ) -> None:
        self.client = client
        self.subject = subject
        self.listening = listening
        self.memory = Memory(subject.device.state)
        self.names: dict[str, bytes] = {}
        self.flaws: list[Flaw] = []

    def answer(self, *, wrong: bool = False) -> bytes:
        """Return the answer to the last challenge."""
        rule = self.subject.rule
        assert rule.verify is not None
        assert isinstance(rule.match, Pattern)
        fields = {
            part.name: bytes(1 if part.length is None else part.length)
            for part in rule.match.parts
            if isinstance(part, Field)
        }
        names = {**{name: bytes(16) for name in _missing(rule)}, **self.names, **fields}
        result = compute(rule.verify.computed, names, find_key)
        assert result is not None
        if wrong:
            result = result[:-1] + bytes([result[-1] ^ 0x01])
        return rule.match.build({**fields, rule.verify.equals: result})

    async def challenge(self) -> bool:
        """Ask for a challenge, where there is one to ask for; whether it came as it should."""
        step = self.subject.challenge
        if step is None:
            return True
        await self.write(step.characteristic, step.value, f"the challenge {octets(step.value)}")
        return not self.flaws

    async def right(self, what: str = "the right answer") -> bytes:
        """Give the right answer, and return it."""
        value = self.answer()
        chosen = await self.write(self.subject.characteristic, value, what)
        rule = self.subject.rule
        if not self.flaws and (chosen is None or chosen.effects is not rule):
            self.flaws.append(
                Flaw(f"{what} is for rule {self.subject.number}", "another rule takes it")
            )
        return value

    async def must_fail(self, value: bytes, what: str) -> None:
        """Write what must not be taken for the right answer."""
        chosen = await self.write(self.subject.characteristic, value, what)
        if not self.flaws and chosen is not None and chosen.effects is self.subject.rule:
            self.flaws.append(
                Flaw(
                    f"{what} is not accepted",
                    "the profile's own rules accept it",
                    remedy="set a variable in `then`, and ask for it in `when`",
                )
            )

    async def write(
        self, characteristic: CharacteristicExpectation, value: bytes, what: str
    ) -> Choice | None:
        """Write, and note where the device does not do what the rules say; return what they say."""
        client = self.client
        start = client.now()
        situation = self.memory.situation(_ME, start, draw=bytes, keys=find_key)
        chosen = choose(characteristic.rules, value, situation)
        effects = chosen.effects if chosen is not None else None
        outcome = await client.attempt.write(characteristic_of(client, characteristic), value)
        drawn: dict[str, bytes] = {}
        if effects is not None and effects.error is not None:
            if not outcome.refused_with(effects.error):
                expected = f"{what} is refused with {error_text(effects.error)}"
                self.flaws.append(Flaw(expected, str(outcome)))
        else:
            self.flaws += not_accepted(outcome, f"{what} is for the profile's rules to accept")
            if not self.flaws and chosen is not None and effects is not None:
                for reply in effects.replies:
                    deadline = Deadline.after(reply.within, now=start, timing=client.timing)
                    names = {**chosen.names, **drawn}
                    drawn |= await self._received(reply, value, names, deadline, what)
        if effects is not None:
            reaction = Reaction(
                sets=effects.sets, names=tuple(drawn.items()), expires=effects.expires
            )
            self.memory.keep(_ME, reaction, start)
            self.names |= drawn
        return chosen

    async def _received(
        self,
        reply: Reply,
        written: bytes,
        names: Mapping[str, bytes],
        deadline: Deadline,
        what: str,
    ) -> dict[str, bytes]:
        """Wait for a reply and return the random octets in it; note where it does not come."""
        subscription = self.listening[reply.via]
        seen: list[bytes] = []
        while True:
            try:
                reading = await subscription.next(within=deadline.left(self.client.now()))
            except TooFewNotifications:
                observed = f"instead {', '.join(map(octets, seen))}" if seen else "nothing in time"
                expected = f"{what} is answered through {reply.via} within {reply.within:g} s"
                self.flaws.append(Flaw(expected, observed))
                return {}
            seen.append(reading.raw)
            # A reply in pieces, or one that came after something else, ends what came.
            for start in range(len(seen)):
                found = _recognised(reply, written, names, b"".join(seen[start:]))
                if found is not None:
                    return found

    async def outlast(self, seconds: float) -> None:
        """Let more than ``seconds`` pass, as a device may count them."""
        client = self.client
        window = Window.around(seconds, tolerance=_EXPIRY_TOLERANCE, timing=client.timing)
        deadline = Deadline(client.now() + window.latest)
        (subscription, *_) = self.listening.values()
        while left := deadline.left(client.now()):
            try:
                await subscription.next(within=left)
            except TooFewNotifications:
                return


def _recognised(
    reply: Reply, written: bytes, names: Mapping[str, bytes], received: bytes
) -> dict[str, bytes] | None:
    if isinstance(reply.value, Template):
        return recognise(reply.value, received, names, find_key)
    value = written if reply.value is None else reply.value
    return {} if received == value else None


@asynccontextmanager
async def _conversation(client: Client, subject: ProtocolOf) -> AsyncIterator[_Conversation]:
    """Begin on a new connection, with nothing said before."""
    assert subject.rule.verify is not None
    find_key(subject.rule.verify.computed)  # who lacks the key need not begin
    await client.reconnect()
    for access in accesses(subject, ("write", "subscribe")):
        await secured(client, access)
    async with AsyncExitStack() as stack:
        listening = {
            via.path: await stack.enter_async_context(
                client.subscribe(characteristic_of(client, via))
            )
            for via in subject.via
        }
        yield _Conversation(client, subject, listening)


@check(
    "protocol.right_answer",
    title="The right answer is accepted, and does what the profile says",
    phase=Phase.WRITES,
    subjects=_protocols,
    paragraph="the profile's on_write",
    changes=Changes.SUBJECT,
    secures=("write", "subscribe"),
)
async def right_answer(client: Client, subject: ProtocolOf) -> AsyncIterator[Flaw]:
    """Ask for a challenge, compute the answer with the key, and give it."""
    async with _conversation(client, subject) as talk:
        if await talk.challenge():
            await talk.right()
    for flaw in talk.flaws:
        yield flaw


@check(
    "protocol.wrong_answer",
    title="An answer with one wrong bit is not accepted",
    phase=Phase.WRITES,
    subjects=_protocols,
    paragraph="the profile's on_write",
    changes=Changes.SUBJECT,
    secures=("write", "subscribe"),
)
async def wrong_answer(client: Client, subject: ProtocolOf) -> AsyncIterator[Flaw]:
    """The right answer but for its last bit."""
    async with _conversation(client, subject) as talk:
        if await talk.challenge():
            await talk.must_fail(talk.answer(wrong=True), "an answer with one wrong bit")
    for flaw in talk.flaws:
        yield flaw


@check(
    "protocol.replay",
    title="The answer to one challenge is not accepted again",
    phase=Phase.WRITES,
    subjects=_challenged,
    paragraph="the profile's on_write",
    changes=Changes.SUBJECT,
    secures=("write", "subscribe"),
)
async def replay(client: Client, subject: ProtocolOf) -> AsyncIterator[Flaw]:
    """The right answer a second time: at once, and after the next challenge."""
    async with _conversation(client, subject) as talk:
        if await talk.challenge():
            old = await talk.right()
            if not talk.flaws:
                await talk.must_fail(old, "the same answer a second time")
            if not talk.flaws and await talk.challenge():
                await talk.must_fail(old, "the answer to an earlier challenge")
    for flaw in talk.flaws:
        yield flaw


@check(
    "protocol.expiry",
    title="The right answer is not accepted after its time",
    phase=Phase.WRITES,
    subjects=_expiring,
    paragraph="the profile's on_write",
    changes=Changes.SUBJECT,
    secures=("write", "subscribe"),
)
async def expiry(client: Client, subject: ProtocolOf) -> AsyncIterator[Flaw]:
    """Ask for a challenge, let it expire, and give the right answer."""
    assert subject.challenge is not None
    async with _conversation(client, subject) as talk:
        if await talk.challenge():
            await talk.outlast(subject.challenge.rule.expires or 0.0)
            await talk.must_fail(talk.answer(), "the right answer after its time")
    for flaw in talk.flaws:
        yield flaw


@check(
    "protocol.order",
    title="An answer without a challenge is not accepted",
    phase=Phase.WRITES,
    subjects=_challenged,
    paragraph="the profile's on_write",
    changes=Changes.SUBJECT,
    secures=("write", "subscribe"),
)
async def order(client: Client, subject: ProtocolOf) -> AsyncIterator[Flaw]:
    """What would be right if the challenge had been zeros, on a connection without one."""
    async with _conversation(client, subject) as talk:
        await talk.must_fail(talk.answer(), "an answer without a challenge")
    for flaw in talk.flaws:
        yield flaw


def _long_challenges(device: DeviceExpectation) -> list[ProtocolOf]:
    return [
        one
        for one in _challenged(device)
        if one.challenge and isinstance(one.challenge.reply.value, Template)
        if any(
            isinstance(part, Random) and part.length >= _LONG_ENOUGH
            for part in one.challenge.reply.value.parts
        )
    ]


@check(
    "protocol.fresh",
    title="No two challenges are alike",
    phase=Phase.WRITES,
    subjects=_long_challenges,
    paragraph="the profile's on_write",
    changes=Changes.SUBJECT,
    secures=("write", "subscribe"),
)
async def fresh(client: Client, subject: ProtocolOf) -> AsyncIterator[Flaw]:
    """Two challenges on one connection, and one on the next."""
    seen: list[dict[str, bytes]] = []
    for count in (2, 1):
        async with _conversation(client, subject) as talk:
            for _ in range(count):
                if await talk.challenge():
                    seen.append(dict(talk.names))
        for flaw in talk.flaws:
            yield flaw
    if len(seen) > 1 and any(one in seen[:at] for at, one in enumerate(seen)):
        shown = ", ".join(octets(b"".join(one.values())) for one in seen)
        yield Flaw("random octets that are new each time", shown)
