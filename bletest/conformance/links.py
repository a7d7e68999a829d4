"""What several clients at a time get of a device (Vol 3, Part C, 9.3; Vol 3, Part G, 2.4, 3.3.3.3).

These checks are for devices whose profile says that they serve more than one link.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from typing import TypeVar

from bletest.att.codes import error_text
from bletest.behaviour import Situation, choose
from bletest.conformance.notifications import OFF, configuration_unlike, declared, enabled
from bletest.conformance.reconnection import lines_of
from bletest.conformance.registry import Changes, Flaw, Phase, check
from bletest.conformance.security import secured, within_reach
from bletest.conformance.steps import characteristic_of, not_accepted, octets, put_back, unlike
from bletest.conformance.subjects import (
    RuleOf,
    StateOf,
    Subject,
    accesses,
    periodic,
    subscribable,
)
from bletest.conformance.writes import pieces_of, plain_rules, reply_missing
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client, Subscription
from bletest.contracts.windows import Deadline, Window
from bletest.errors import ConnectionFailed, DeviceNotFound, LinkLost, TooFewNotifications
from bletest.profile.expectation import CharacteristicExpectation, DeviceExpectation
from bletest.profile.rules import Scope, WriteRule

S = TypeVar("S", bound=Subject)

_SECOND = frozenset({Capability.SECOND_CLIENT})
_NO_LINK = (DeviceNotFound, ConnectionFailed)
"""How a device looks that takes no further link: it does not advertise, or does not answer."""


def _crowded(
    pick: Callable[[DeviceExpectation], Iterable[S]],
) -> Callable[[DeviceExpectation], list[S]]:
    """Return a picker that finds something only in devices that serve several clients."""
    return lambda expectation: list(pick(expectation)) if expectation.clients > 1 else []


def _subscribable(
    wanted: Callable[[CharacteristicExpectation], bool] = subscribable,
) -> Callable[[DeviceExpectation], list[CharacteristicExpectation]]:
    return _crowded(
        lambda expectation: [
            one
            for one in expectation.characteristics()
            if wanted(one)
            and one.subscribe is not None
            and within_reach(expectation.security, one.subscribe)
        ]
    )


async def _equally_secured(other: Client, subject: Subject, *operations: str) -> None:
    for access in accesses(subject, operations):
        await secured(other, access)


async def _fill(
    client: Client, subject: DeviceExpectation, count: int, stack: AsyncExitStack
) -> tuple[list[Client], list[Flaw]]:
    """Connect so many clients beside ``client``; they stay until the end of ``stack``."""
    others: list[Client] = []
    while len(others) < count:
        try:
            others.append(await stack.enter_async_context(client.another()))
        except _NO_LINK as error:
            served = len(others) + 1
            expected = f"{subject.clients} clients at a time"
            return others, [Flaw(expected, f"{served}, and for the next: {error.message}")]
    return others, []


@check(
    "links.as_many",
    title="The device serves as many clients at a time as the profile says",
    phase=Phase.LINKS,
    subjects=_crowded(lambda expectation: [expectation]),
    paragraph="the profile's connections; Vol 3, Part C, 9.3.4",
    needs=_SECOND,
)
async def as_many(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Each finds the same database, and each is still answered once all are there."""
    readable = next(
        (
            one
            for one in subject.characteristics()
            if one.read is not None and one.read.open and one.notify is None
        ),
        None,
    )
    async with AsyncExitStack() as stack:
        others, flaws = await _fill(client, subject, subject.clients - 1, stack)
        database = lines_of(client.database)
        for number, each in enumerate((client, *others), 1):
            if not each.is_connected:
                flaws.append(Flaw(f"{len(others) + 1} links", f"link {number} has ended"))
            elif lines_of(each.database) != database:
                flaws.append(
                    Flaw(
                        f"the {len(database)} attributes that the first client found",
                        f"client {number} found {len(lines_of(each.database))}, or other ones",
                    )
                )
            elif readable is not None:
                outcome = await each.attempt.read(characteristic_of(each, readable))
                flaws += [
                    Flaw(flaw.expected, f"client {number}: {flaw.observed}")
                    for flaw in unlike(outcome, readable.value)
                ]
    for flaw in flaws:
        yield flaw


@check(
    "links.full",
    title="A device that is full takes no further client, until one has left",
    phase=Phase.LINKS,
    subjects=_crowded(lambda expectation: [expectation]),
    paragraph="the profile's connections; Vol 3, Part C, 9.3.4",
    needs=_SECOND,
)
async def full(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """One client too many gets no link; once another has gone, the device is there again."""
    async with AsyncExitStack() as stack:
        _, flaws = await _fill(client, subject, subject.clients - 2, stack)
        async with AsyncExitStack() as last:
            if not flaws:
                _, flaws = await _fill(client, subject, 1, last)
            if not flaws:
                try:
                    async with client.another():
                        flaws = [
                            Flaw(
                                f"no link for one more client than {subject.clients}",
                                f"{subject.clients + 1} are served",
                            )
                        ]
                except (*_NO_LINK, LinkLost):
                    pass
        if not flaws:
            try:
                async with client.another():
                    pass
            except _NO_LINK as error:
                flaws = [Flaw("a link for a new client once another has left", error.message)]
    for flaw in flaws:
        yield flaw


@check(
    "links.configuration",
    title="Each client has a configuration of its own",
    phase=Phase.LINKS,
    subjects=_subscribable(),
    paragraph="Vol 3, Part G, 3.3.3.3",
    needs=_SECOND,
    secures=("subscribe",),
)
async def configuration(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """What one enables the other finds off; what the other switches off stays on for the one."""
    flaws: list[Flaw] = []
    async with client.another() as other:
        await _equally_secured(other, subject, "subscribe")
        async with client.subscribe(characteristic_of(client, subject)):
            flaws += await configuration_unlike(
                other, subject, OFF, "for a client that has not subscribed, while another has"
            )
            async with other.subscribe(characteristic_of(other, subject)):
                pass
            flaws += await configuration_unlike(
                client, subject, enabled(subject), "after another client unsubscribed"
            )
    for flaw in flaws:
        yield flaw


@check(
    "links.unasked",
    title="What one client subscribed to does not come to another",
    phase=Phase.LINKS,
    subjects=_subscribable(periodic),
    paragraph="Vol 3, Part G, 3.3.3.3, 4.10 and 4.11",
    needs=_SECOND | {Capability.RAW_ATT},
    secures=("subscribe",),
)
async def unasked(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Two periods of silence for who has not subscribed, while another client is notified."""
    every, tolerance = declared(subject)
    window = Window.around(2 * every, tolerance=tolerance, timing=client.timing)
    flaws: list[Flaw] = []
    async with client.another() as other:
        async with client.subscribe(characteristic_of(client, subject)) as subscription:
            strays = await other.unasked(within=window.latest)
            if not subscription.received:
                flaws.append(Flaw("something for who has subscribed", "nothing came"))
        flaws += [
            Flaw(
                "nothing for a client that has not subscribed",
                f"{one.attribute}: {octets(one.raw)}",
            )
            for one in strays[:1]
        ]
    for flaw in flaws:
        yield flaw


@check(
    "links.loss",
    title="A link that ends leaves the others alone",
    phase=Phase.LINKS,
    subjects=_subscribable(),
    paragraph="Vol 3, Part G, 2.4 and 3.3.3.3",
    needs=_SECOND,
    secures=("subscribe",),
)
async def loss(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Both have subscribed, one goes: the other is still subscribed, and still notified."""
    flaws: list[Flaw] = []
    async with client.subscribe(characteristic_of(client, subject)) as subscription:
        async with client.another() as other:
            await _equally_secured(other, subject, "subscribe")
            outcome = await other.attempt.subscribe(characteristic_of(other, subject))
            flaws += not_accepted(outcome, "another client may subscribe too")
        if not client.is_connected:
            flaws.append(Flaw("a link that lasts", "it ended with that of another client"))
        else:
            flaws += await configuration_unlike(
                client, subject, enabled(subject), "after another client has left"
            )
            if periodic(subject) and not flaws:
                flaws += await _goes_on(client, subject, subscription)
    for flaw in flaws:
        yield flaw


async def _goes_on(
    client: Client, subject: CharacteristicExpectation, subscription: Subscription
) -> list[Flaw]:
    every, tolerance = declared(subject)
    since, came = client.now(), 0
    window = Window.around(2 * every, tolerance=tolerance, timing=client.timing)
    deadline = Deadline(since + window.latest)
    while came < 2:
        try:
            reading = await subscription.next(within=deadline.left(client.now()))
        except TooFewNotifications:
            return [
                Flaw(
                    f"2 within {window.latest:.3f} s after another client has left", f"{came} came"
                )
            ]
        came += reading.time > since
    return []


def _answered(expectation: DeviceExpectation) -> list[RuleOf]:
    return [
        one
        for one in plain_rules(expectation)
        if one.rule.error is None
        and one.rule.replies
        and all(
            via.subscribe is not None and within_reach(expectation.security, via.subscribe)
            for via in one.via
        )
    ]


@check(
    "links.replies",
    title="A reply goes to whom the rule says: who wrote, or everybody who subscribed",
    phase=Phase.LINKS,
    subjects=_crowded(_answered),
    paragraph="the profile's on_write",
    needs=_SECOND,
    changes=Changes.SUBJECT,
    secures=("read", "write", "subscribe"),
)
async def replies(client: Client, subject: RuleOf) -> AsyncIterator[Flaw]:
    """Another client has subscribed too, and gets the replies that are meant for it, no others."""
    flaws: list[Flaw] = []
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(client.another())
        await _equally_secured(other, subject, "subscribe")
        await stack.enter_async_context(put_back(client, subject.characteristic))
        heard: dict[str, Subscription] = {}
        for via in subject.via:
            if via.path not in heard:
                await stack.enter_async_context(client.subscribe(characteristic_of(client, via)))
                listening = other.subscribe(characteristic_of(other, via))
                heard[via.path] = await stack.enter_async_context(listening)
        start = client.now()
        outcome = await client.attempt.write(
            characteristic_of(client, subject.characteristic),
            subject.value,
            response="write" in subject.characteristic.properties,
        )
        flaws += not_accepted(outcome, f"the profile accepts {octets(subject.value)}")
        shared = {one.via for one in subject.rule.replies if one.subscribers}
        for via, reply in zip(subject.via, subject.rule.replies, strict=True):
            deadline = Deadline.after(reply.within, now=start, timing=other.timing)
            if flaws:
                break
            if reply.subscribers:
                flaws += await reply_missing(
                    other, heard[via.path], via, reply, subject.value, deadline
                )
            elif via.path not in shared and not periodic(via):
                value = reply.value if isinstance(reply.value, bytes) else subject.value
                pieces = pieces_of(value, reply.chunk, other.mtu - 3)
                flaws += await _strays(other, heard[via.path], via, pieces, deadline)
    for flaw in flaws:
        yield flaw


async def _strays(
    other: Client,
    subscription: Subscription,
    via: CharacteristicExpectation,
    pieces: list[bytes],
    deadline: Deadline,
) -> list[Flaw]:
    while True:
        try:
            reading = await subscription.next(within=deadline.left(other.now()))
        except TooFewNotifications:
            return []
        if reading.raw in pieces:
            return [
                Flaw(
                    f"nothing through {via.path} for a client that has not written",
                    octets(reading.raw),
                )
            ]


def _states(expectation: DeviceExpectation) -> list[StateOf]:
    """Pick the writes that come to something else once a client has written something before."""
    initial = {name: one.initial for name, one in expectation.state.items()}
    knowable = [
        one
        for one in expectation.characteristics()
        if "write" in one.properties
        and one.write is not None
        and all(_is_each_clients(expectation, rule) for rule in one.rules)
    ]
    found: dict[tuple[str, bytes], StateOf] = {}
    for opened_by in knowable:
        for opener in opened_by.rules:
            if not isinstance(opener.match, bytes) or not opener.sets:
                continue
            if opener.error is not None or opener.disconnect is not None:
                continue
            first = choose(opened_by.rules, opener.match, Situation(state=initial))
            if first is None or first.rule is not opener:
                continue
            after = Situation(state={**initial, **dict(opener.sets)})
            for one in knowable:
                for value in (rule.match for rule in one.rules):
                    if not isinstance(value, bytes) or (one.path, value) in found:
                        continue
                    before_, after_ = (
                        _error(one, value, situation)
                        for situation in (Situation(state=initial), after)
                    )
                    if before_ != after_:
                        via = _heard(expectation, (*opened_by.rules, *one.rules))
                        found[one.path, value] = StateOf(
                            one, value, opened_by, opener.match, before_, after_, via
                        )
    return list(found.values())


def _is_each_clients(expectation: DeviceExpectation, rule: WriteRule) -> bool:
    """Whether what the rule does follows from what this client has done."""
    names = [name for name, _ in (*rule.when, *rule.sets)]
    scopes = {expectation.state[name].scope for name in names}
    return rule.verify is None and scopes <= {Scope.CLIENT}


def _error(one: CharacteristicExpectation, value: bytes, situation: Situation) -> int | None:
    chosen = choose(one.rules, value, situation)
    return None if chosen is None else chosen.effects.error


def _heard(
    expectation: DeviceExpectation, rules: Iterable[WriteRule]
) -> tuple[CharacteristicExpectation, ...]:
    paths = dict.fromkeys(reply.via for rule in rules for reply in rule.replies)
    found = (expectation.characteristic(path) for path in paths)
    return tuple(one for one in found if one is not None and one.subscribe is not None)


@check(
    "links.state",
    title="What one client has reached, another has not",
    phase=Phase.LINKS,
    subjects=_crowded(_states),
    paragraph="the profile's state, of scope client",
    needs=_SECOND,
    changes=Changes.SUBJECT,
    secures=("write", "subscribe"),
)
async def state(client: Client, subject: StateOf) -> AsyncIterator[Flaw]:
    """One writes what leads on; the other is treated as before, and then the one as after."""
    flaws: list[Flaw] = []
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(client.another())
        await _equally_secured(other, subject, "write", "subscribe")
        for each in (client, other):
            for via in subject.via:
                await stack.enter_async_context(each.subscribe(characteristic_of(each, via)))
        opened_by = characteristic_of(client, subject.opened_by)
        outcome = await client.attempt.write(opened_by, subject.opener)
        flaws += not_accepted(outcome, f"the profile accepts {octets(subject.opener)}")
        who = "of a client that has not written"
        for each, error, whose in ((other, subject.before, who), (client, subject.after, "after")):
            if flaws:
                break
            outcome = await each.attempt.write(
                characteristic_of(each, subject.characteristic), subject.value
            )
            what = f"write of {octets(subject.value)} {whose} {octets(subject.opener)}"
            if error is None:
                flaws += not_accepted(outcome, f"the profile accepts the {what}")
            elif not outcome.refused_with(error):
                flaws.append(Flaw(f"{what} refused with {error_text(error)}", str(outcome)))
    for flaw in flaws:
        yield flaw
