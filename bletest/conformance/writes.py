"""What writing does (Vol 3, Part G, 4.9 and 4.12; the profile's ``on_write``)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from bletest.att.codes import error_text
from bletest.conformance.permissions import harmless
from bletest.conformance.registry import Changes, Flaw, Phase, check
from bletest.conformance.steps import (
    DEFAULT_MTU,
    LONGEST_VALUE,
    candidates,
    characteristic_of,
    descriptor_of,
    differs,
    not_accepted,
    not_refused,
    octets,
    put_back,
)
from bletest.conformance.subjects import (
    DescriptorOf,
    RuleOf,
    characteristics,
    descriptors,
    readable,
    steady,
    unwritable,
    writes_back,
)
from bletest.contracts.client import Client, Subscription
from bletest.contracts.windows import Deadline
from bletest.errors import TooFewNotifications
from bletest.profile.expectation import CharacteristicExpectation, DeviceExpectation
from bletest.profile.rules import Pattern, Reply, WriteRule, rule_for
from bletest.uuids import CCCD

WRITE_REFUSED = frozenset({0x03})
"""Write Not Permitted."""

WRONG_LENGTH = frozenset({0x0D})
"""Invalid Attribute Value Length."""


def _long_value(one: CharacteristicExpectation) -> bytes | None:
    """Return the longest value that the profile allows, None where it fits a short write."""
    longest = one.value.max_length if one.value.exact is None else len(one.value.exact)
    if longest is None or longest <= DEFAULT_MTU - 3:
        return None
    if one.value.exact is not None:
        return one.value.exact
    guesses = (bytes(at & 0x7F for at in range(longest)), b"\0" * longest, b"b" * longest)
    return next((guess for guess in guesses if one.value.mismatch(guess) is None), None)


def _writable(one: CharacteristicExpectation) -> bool:
    return one.write is not None and "write" in one.properties


def _bounded(one: CharacteristicExpectation) -> bool:
    longest = one.value.max_length
    return _writable(one) and longest is not None and longest < LONGEST_VALUE


@check(
    "write.accepted",
    title="A value that the profile accepts is acknowledged, and read back",
    phase=Phase.WRITES,
    subjects=characteristics(
        lambda one: (
            _writable(one)
            and not (one.rules or one.procedure)
            and (readable(one) or harmless(one) is not None)
        )
    ),
    official=("GATT/SR/GAW/BV-03-C",),
    paragraph="Vol 3, Part G, 4.9.3",
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def accepted(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Write another value than the one that stands there, where the profile leaves a choice."""
    async with put_back(client, subject) as before:
        value = _another(subject, before)
        target = characteristic_of(client, subject)
        outcome = await client.attempt.write(target, value)
        flaws = list(not_accepted(outcome, f"{octets(value)} is a value that the profile allows"))
        if not flaws and steady(subject):
            flaws = await differs(client, target, value, "after it was written")
    for flaw in flaws:
        yield flaw


def _another(subject: CharacteristicExpectation, before: bytes) -> bytes:
    return next(candidates(subject.value, near=before or None), before)


@check(
    "write.refused",
    title="Writing a value that is not writable is refused with Write Not Permitted",
    phase=Phase.WRITES,
    subjects=characteristics(unwritable),
    official=("GATT/SR/GAW/BI-03-C",),
    paragraph="Vol 3, Part F, 3.4.5.1",
    changes=Changes.SUBJECT,
)
async def refused(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """What is written is the value that stands there, so that no fault can do harm."""
    target = characteristic_of(client, subject)
    before = (await client.attempt.read(target)).value if readable(subject) else None
    outcome = await client.attempt.write(target, before or bytes(max(1, subject.value.min_length)))
    for flaw in not_refused(outcome, WRITE_REFUSED, "it has no write property"):
        yield flaw


@check(
    "write.too_long",
    title="A write longer than the value may be is refused",
    phase=Phase.WRITES,
    subjects=characteristics(_bounded),
    official=("GATT/SR/GAW/BI-32-C",),
    paragraph="Vol 3, Part F, 3.4.5.1",
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def too_long(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Invalid Attribute Value Length (0x0D), and nothing is stored."""
    length = (subject.value.max_length or 0) + 1
    async for flaw in _wrong_length(client, subject, length, "the longest is one octet less"):
        yield flaw


@check(
    "write.too_short",
    title="A write shorter than the value may be is refused",
    phase=Phase.WRITES,
    subjects=characteristics(lambda one: _writable(one) and one.value.min_length > 0),
    paragraph="the profile's length; Vol 3, Part F, 3.4.5.1",
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def too_short(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Invalid Attribute Value Length (0x0D), and nothing is stored."""
    length = subject.value.min_length - 1
    async for flaw in _wrong_length(client, subject, length, "the shortest is one octet more"):
        yield flaw


async def _wrong_length(
    client: Client, subject: CharacteristicExpectation, length: int, because: str
) -> AsyncIterator[Flaw]:
    async with put_back(client, subject) as before:
        target = characteristic_of(client, subject)
        outcome = await client.attempt.write(target, before[:length].ljust(length, b"\0"))
        flaws = list(not_refused(outcome, WRONG_LENGTH, f"{length} octets, {because}"))
        if not flaws and steady(subject) and subject.notify is None:
            flaws = await differs(client, target, before, "after a write that was refused")
    for flaw in flaws:
        yield flaw


@check(
    "write.longest",
    title="A value as long as the profile allows is accepted, and read back whole",
    phase=Phase.WRITES,
    subjects=characteristics(lambda one: writes_back(one) and _long_value(one) is not None),
    official=("GATT/SR/GAW/BV-05-C",),
    paragraph="Vol 3, Part G, 4.9.4",
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def longest(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Longer than one Write Request at the default ATT_MTU; the client splits it where needed."""
    async with put_back(client, subject):
        value = _long_value(subject) or b""
        target = characteristic_of(client, subject)
        outcome = await client.attempt.write(target, value)
        flaws = list(not_accepted(outcome, f"the profile allows {len(value)} octets"))
        flaws = flaws or await differs(client, target, value, "after it was written")
    for flaw in flaws:
        yield flaw


@check(
    "command.delivered",
    title="A write without response reaches the value",
    phase=Phase.WRITES,
    subjects=characteristics(
        lambda one: (
            steady(one)
            and one.write is not None
            and not (one.rules or one.procedure)
            and "write_without_response" in one.properties
        )
    ),
    official=("GATT/SR/GAW/BV-01-C",),
    paragraph="Vol 3, Part G, 4.9.1",
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def delivered(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Requests and commands of one bearer keep their order, so the next read sees it."""
    async with put_back(client, subject) as before:
        value = _another(subject, before)[: client.mtu - 3]
        target = characteristic_of(client, subject)
        await client.attempt.write(target, value, response=False)
        flaws = await differs(client, target, value, "after it was written without response")
    for flaw in flaws:
        yield flaw


@check(
    "descriptor.write",
    title="A writable descriptor takes a value and gives it back",
    phase=Phase.WRITES,
    subjects=descriptors(
        lambda one: one.write is not None and one.read is not None and one.uuid != CCCD
    ),
    official=("GATT/SR/GAW/BV-08-C",),
    paragraph="Vol 3, Part G, 4.12.3",
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def descriptor_write(client: Client, subject: DescriptorOf) -> AsyncIterator[Flaw]:
    """Write another value, read it back, put the first one back."""
    target = descriptor_of(client, subject)
    before = (await client.attempt.read_descriptor(target)).value or b""
    value = next(candidates(subject.descriptor.value, near=before or None), before)
    outcome = await client.attempt.write_descriptor(target, value)
    flaws = list(not_accepted(outcome, f"{octets(value)} is a value that the profile allows"))
    flaws = flaws or await differs(client, target, value, "after it was written")
    await client.attempt.write_descriptor(target, before)
    for flaw in flaws:
        yield flaw


@check(
    "descriptor.write_refused",
    title="Writing a descriptor that is not writable is refused with Write Not Permitted",
    phase=Phase.WRITES,
    subjects=descriptors(lambda one: one.write is None),
    paragraph="Vol 3, Part F, 3.4.5.1",
    changes=Changes.SUBJECT,
)
async def descriptor_write_refused(client: Client, subject: DescriptorOf) -> AsyncIterator[Flaw]:
    """What is written is the value that stands there, so that no fault can do harm."""
    target = descriptor_of(client, subject)
    before = None
    if subject.descriptor.read is not None:
        before = (await client.attempt.read_descriptor(target)).value
    outcome = await client.attempt.write_descriptor(target, before or b"\0")
    for flaw in not_refused(outcome, WRITE_REFUSED, "the profile says that it cannot be written"):
        yield flaw


def _with_match(expectation: DeviceExpectation) -> list[RuleOf]:
    return [one for one in plain_rules(expectation) if one.rule.match is not None]


def _otherwise(expectation: DeviceExpectation) -> list[RuleOf]:
    return [one for one in plain_rules(expectation) if one.rule.match is None]


def plain_rules(expectation: DeviceExpectation) -> list[RuleOf]:
    """Pick the rules that do the same whatever was before, each with a value it is for."""
    found = []
    for subject in expectation.characteristics():
        for rule in subject.rules:
            # a command is not answered, so that no error can be seen
            if rule.error is not None and not _writable(subject):
                continue
            # what depends on what was before is for the checks of protocols
            if not rule.always or isinstance(rule.match, Pattern):
                continue
            # what makes another device of it is for the checks of reboots and changes
            if rule.upheaval:
                continue
            value = _value_for(subject, rule)
            via = [expectation.characteristic(reply.via) for reply in rule.replies]
            if value is not None and None not in via:
                found.append(RuleOf(subject, rule, value, tuple(one for one in via if one)))
    return found


def _value_for(subject: CharacteristicExpectation, rule: WriteRule) -> bytes | None:
    """Return a value that ``rule``, and no rule before it, is for."""
    guesses = (
        candidates(subject.value, near=subject.value.exact)
        if rule.match is None
        else iter((rule.match,) if isinstance(rule.match, bytes) else ())
    )
    return next((one for one in guesses if rule_for(subject.rules, one) is rule), None)


@check(
    "write.rule",
    title="A value that the profile has a rule for does what the rule says",
    phase=Phase.WRITES,
    subjects=_with_match,
    paragraph="the profile's on_write",
    changes=Changes.SUBJECT,
    secures=("read", "write", "subscribe"),
)
async def rule_kept(client: Client, subject: RuleOf) -> AsyncIterator[Flaw]:
    """Accepted or refused with the rule's code, and answered by the rule's replies in time."""
    async for flaw in _judge_rule(client, subject):
        yield flaw


@check(
    "write.otherwise",
    title="A value that the profile has no other rule for does what it says otherwise",
    phase=Phase.WRITES,
    subjects=_otherwise,
    paragraph="the profile's on_write",
    changes=Changes.SUBJECT,
    secures=("read", "write", "subscribe"),
)
async def otherwise_kept(client: Client, subject: RuleOf) -> AsyncIterator[Flaw]:
    """Accepted or refused with the rule's code, and answered by the rule's replies in time."""
    async for flaw in _judge_rule(client, subject):
        yield flaw


async def _judge_rule(client: Client, subject: RuleOf) -> AsyncIterator[Flaw]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(put_back(client, subject.characteristic))
        listening: dict[str, Subscription] = {}
        for via in subject.via:
            if via.path not in listening:
                subscription = client.subscribe(characteristic_of(client, via))
                listening[via.path] = await stack.enter_async_context(subscription)
        start = client.now()
        outcome = await client.attempt.write(
            characteristic_of(client, subject.characteristic),
            subject.value,
            response="write" in subject.characteristic.properties,
        )
        flaws: list[Flaw] = []
        if subject.rule.error is None:
            flaws += not_accepted(outcome, f"the profile accepts {octets(subject.value)}")
        elif not outcome.refused_with(subject.rule.error):
            flaws.append(
                Flaw(
                    f"write of {octets(subject.value)} refused with "
                    f"{error_text(subject.rule.error)}",
                    str(outcome),
                )
            )
        if not flaws:
            for via, reply in zip(subject.via, subject.rule.replies, strict=True):
                deadline = Deadline.after(reply.within, now=start, timing=client.timing)
                flaws += await reply_missing(
                    client, listening[via.path], via, reply, subject.value, deadline
                )
    for flaw in flaws:
        yield flaw


async def reply_missing(
    client: Client,
    subscription: Subscription,
    via: CharacteristicExpectation,
    reply: Reply,
    written: bytes,
    deadline: Deadline,
) -> list[Flaw]:
    """Wait for a reply to what was ``written``; a flaw unless it comes whole by the deadline."""
    value = reply.value if isinstance(reply.value, bytes) else written
    pieces = pieces_of(value, reply.chunk, client.mtu - 3)
    others: list[bytes] = []
    for count, piece in enumerate(pieces):
        while True:
            try:
                reading = await subscription.next(within=deadline.left(client.now()))
            except TooFewNotifications:
                seen = f"{count} of {len(pieces)}" if len(pieces) > 1 else "none"
                extra = f", instead {', '.join(map(octets, others))}" if others else ""
                whole = f" in {len(pieces)} pieces" if len(pieces) > 1 else ""
                return [
                    Flaw(
                        f"{octets(value)}{whole} through {via.path} within {reply.within:g} s",
                        f"{seen} in time{extra}",
                    )
                ]
            if reading.raw == piece:
                break
            # what notifies by itself may do so between the pieces of a reply
            others.append(reading.raw)
    return []


def pieces_of(value: bytes, chunk: int | None, room: int) -> list[bytes]:
    """Return what a reply is cut into, where a PDU has ``room`` for so many octets."""
    if chunk is None:
        # Vol 3, Part F, 3.4.7.1: a notification carries the first ATT_MTU - 3 octets
        return [value[:room]]
    size = min(chunk, room) if chunk else room
    return [value[at : at + size] for at in range(0, len(value), size)] or [b""]
