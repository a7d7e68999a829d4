"""Control points by rules: one thing at a time, for who sees the answer (``control_point``)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

from bletest.behaviour.control_point import CCCD_IMPROPERLY_CONFIGURED, PROCEDURE_IN_PROGRESS
from bletest.conformance.moving import plain_rules
from bletest.conformance.registry import Changes, Flaw, Phase, check
from bletest.conformance.steps import characteristic_of, not_accepted, not_refused, octets
from bletest.conformance.subjects import RuleOf
from bletest.contracts.client import Client, Subscription
from bletest.contracts.windows import Deadline
from bletest.errors import TooFewNotifications
from bletest.profile.expectation import CharacteristicExpectation, DeviceExpectation
from bletest.profile.rules import WriteRule

_SECTION = "Supplement to the Core Specification, Part B, 1.2"
_QUICK = 0.1
"""Seconds after a second request in which the answer to the first may still be on its way."""

_QUIET = 1.0
"""Seconds for which nothing more may come after an abort, beside what the rule says itself."""


def _answered(device: DeviceExpectation) -> Iterator[RuleOf]:
    """Yield the rules of control points that answer who writes."""
    for one, _, rule, value in plain_rules(device):
        via = [device.characteristic(reply.via) for reply in rule.replies if not reply.subscribers]
        known = tuple(one for one in via if one is not None)
        whole = bool(via) and len(known) == len(rule.replies)
        if one.control_point and "write" in one.properties and whole:
            yield RuleOf(one, rule, value, known)


def _first(device: DeviceExpectation) -> list[RuleOf]:
    found: dict[str, RuleOf] = {}
    for one in _answered(device):
        found.setdefault(one.characteristic.path, one)
    return list(found.values())


def _slow(device: DeviceExpectation) -> list[RuleOf]:
    return [
        one
        for one in _answered(device)
        if not one.rule.upheaval and any(reply.after for reply in one.rule.replies)
    ]


def _abort_of(one: CharacteristicExpectation) -> WriteRule | None:
    """Return the rule that ends what is going on."""
    literal = (rule for rule in one.rules if isinstance(rule.match, bytes))
    return next((rule for rule in literal if rule.aborts and rule.error is None), None)


def _abortable(device: DeviceExpectation) -> list[RuleOf]:
    return [one for one in _slow(device) if _abort_of(one.characteristic) is not None]


@check(
    "control_point.unconfigured",
    title="A control point refuses who has not enabled what it answers by",
    phase=Phase.WRITES,
    subjects=_first,
    paragraph=_SECTION,
    changes=Changes.SUBJECT,
    secures=("write", "subscribe"),
)
async def unconfigured(client: Client, subject: RuleOf) -> AsyncIterator[Flaw]:
    """Client Characteristic Configuration Descriptor Improperly Configured (0xFD)."""
    for via in subject.via:
        await client.attempt.unsubscribe(characteristic_of(client, via))
    target = characteristic_of(client, subject.characteristic)
    outcome = await client.attempt.write(target, subject.value)
    because = f"{subject.via[0].path} does not send to this client"
    for flaw in not_refused(outcome, (CCCD_IMPROPERLY_CONFIGURED,), because):
        yield flaw


@check(
    "control_point.busy",
    title="A control point refuses a second request while it answers the first",
    phase=Phase.WRITES,
    subjects=_slow,
    paragraph=_SECTION,
    changes=Changes.SUBJECT,
    secures=("write", "subscribe"),
)
async def busy(client: Client, subject: RuleOf) -> AsyncIterator[Flaw]:
    """Procedure Already In Progress (0xFE); not judged where the answer was quicker."""
    flaws: list[Flaw] = []
    async with AsyncExitStack() as stack:
        listening = await _listen(client, subject, stack)
        target = characteristic_of(client, subject.characteristic)
        first = await client.attempt.write(target, subject.value)
        flaws += not_accepted(first, "nothing was asked before")
        if not flaws:
            second = await client.attempt.write(target, subject.value)
            if not await _was_quick(client, subject, listening):
                because = "the first request has not been answered yet"
                flaws += not_refused(second, (PROCEDURE_IN_PROGRESS,), because)
            await _rest(client, subject, listening)
    for flaw in flaws:
        yield flaw


@check(
    "control_point.abort",
    title="An abort ends what a control point was about to send",
    phase=Phase.WRITES,
    subjects=_abortable,
    paragraph="the profile's on_write",
    changes=Changes.SUBJECT,
    secures=("write", "subscribe"),
)
async def abort(client: Client, subject: RuleOf) -> AsyncIterator[Flaw]:
    """Ask, abort, and wait; what comes at once in answer to either is nobody's fault."""
    flaws: list[Flaw] = []
    rule = _abort_of(subject.characteristic)
    assert rule is not None  # what the subject was picked for
    assert isinstance(rule.match, bytes)
    async with AsyncExitStack() as stack:
        listening = await _listen(client, subject, stack)
        target = characteristic_of(client, subject.characteristic)
        await client.attempt.write(target, subject.value)
        outcome = await client.attempt.write(target, rule.match)
        flaws += not_accepted(outcome, f"{octets(rule.match)} ends what is going on")
        before = {path: len(one.received) for path, one in listening.items()}
        allowed = {reply.value for reply in rule.replies}
        await _rest(client, subject, listening)
        for path, one in listening.items():
            late = [each.raw for each in one.received[before[path] :] if each.raw not in allowed]
            if late and not flaws:
                flaws.append(Flaw(f"nothing through {path} after an abort", octets(late[0])))
    for flaw in flaws:
        yield flaw


async def _listen(
    client: Client, subject: RuleOf, stack: AsyncExitStack
) -> dict[str, Subscription]:
    listening: dict[str, Subscription] = {}
    for via in subject.via:
        if via.path not in listening:
            subscription = client.subscribe(characteristic_of(client, via))
            listening[via.path] = await stack.enter_async_context(subscription)
    return listening


async def _was_quick(client: Client, subject: RuleOf, listening: dict[str, Subscription]) -> bool:
    """Whether the end of the answer was out, or nearly, when the second request was."""
    deadline = Deadline.after(_QUICK, now=client.now(), timing=client.timing)
    last, via = max(
        zip(subject.rule.replies, subject.via, strict=True), key=lambda one: one[0].after
    )
    while True:
        try:
            reading = await listening[via.path].next(within=deadline.left(client.now()))
        except TooFewNotifications:
            return False
        if not isinstance(last.value, bytes) or reading.raw == last.value:
            return True


async def _rest(client: Client, subject: RuleOf, listening: dict[str, Subscription]) -> None:
    """Wait as long as the answer may take, and a little more."""
    longest = max(max(reply.within, reply.after) for reply in subject.rule.replies)
    deadline = Deadline.after(longest + _QUIET, now=client.now(), timing=client.timing)
    (one, *_) = listening.values()
    while left := deadline.left(client.now()):
        try:
            await one.next(within=left)
        except TooFewNotifications:
            return
