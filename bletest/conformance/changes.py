"""Services that come and go by rules: the database says so, and so does Service Changed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from bletest.conformance import discovery
from bletest.conformance.moving import follow_rule, plain_rules
from bletest.conformance.registry import Changes, Flaw, Phase, check
from bletest.conformance.service_changed import covers, service_changed_of
from bletest.conformance.subjects import ServiceOf, UpheavalOf
from bletest.contracts.client import Client
from bletest.contracts.windows import Deadline
from bletest.errors import TooFewNotifications
from bletest.profile.expectation import DeviceExpectation, ServiceExpectation

_TOLD = 2.0
"""Seconds in which the database has changed, and clients are told."""


def _rule(device: DeviceExpectation, path: str, *, present: bool) -> UpheavalOf | None:
    for one, number, rule, value in plain_rules(device):
        alone = rule.reboot is None and len(rule.services) == 1
        if alone and (rule.services[0].path, rule.services[0].present) == (path, present):
            return UpheavalOf(device, one, number, rule, value)
    return None


def _services(device: DeviceExpectation, found: tuple[ServiceExpectation, ...]) -> list[ServiceOf]:
    subjects = []
    for service in found:
        adds = _rule(device, service.path, present=True)
        removes = _rule(device, service.path, present=False)
        first = adds if service in device.absent else removes
        if first is not None:
            subjects.append(ServiceOf(first, service, adds, removes))
    return subjects


def _coming(device: DeviceExpectation) -> list[ServiceOf]:
    return _services(device, device.absent)


def _going(device: DeviceExpectation) -> list[ServiceOf]:
    return _services(device, device.services)


@check(
    "service.comes",
    title="A service that a write adds is there after it, and not before",
    phase=Phase.RECONNECTION,
    subjects=_coming,
    paragraph="the profile's on_write; Vol 3, Part G, 7.1",
    changes=Changes.SUBJECT,
    secures=("write",),
)
async def comes(client: Client, subject: ServiceOf) -> AsyncIterator[Flaw]:
    """Service Changed tells of it; where the profile can, the service is taken away again."""
    flaws: list[Flaw] = []
    if subject.service.locate(client.database) is not None and subject.removes is not None:
        flaws += await _follow(client, subject, subject.removes)  # somebody has left it there
    flaws = flaws or _wrong_presence(client, subject, expected=False)
    if not flaws and subject.adds is not None:
        flaws = await _follow(client, subject, subject.adds)
    if not flaws and subject.removes is not None:
        flaws = await _follow(client, subject, subject.removes)
    for flaw in flaws:
        yield flaw


@check(
    "service.goes",
    title="A service that a write removes is not there after it",
    phase=Phase.RECONNECTION,
    subjects=_going,
    paragraph="the profile's on_write; Vol 3, Part G, 7.1",
    changes=Changes.SUBJECT,
    secures=("write",),
)
async def goes(client: Client, subject: ServiceOf) -> AsyncIterator[Flaw]:
    """Service Changed tells of it; where the profile can, the service is brought back."""
    flaws = _wrong_presence(client, subject, expected=True)
    if not flaws and subject.removes is not None:
        flaws = await _follow(client, subject, subject.removes)
    if not flaws and subject.adds is not None:
        flaws = await _follow(client, subject, subject.adds)
    for flaw in flaws:
        yield flaw


async def _follow(client: Client, subject: ServiceOf, how: UpheavalOf) -> list[Flaw]:
    """Write what changes the database, and look whether it has changed."""
    (change,) = how.rule.services
    before = [subject.service] if not change.present else []
    told: list[bytes] = []
    async with AsyncExitStack() as stack:
        listening = None
        if how.device.service_changed:
            subscription = client.subscribe(service_changed_of(client))
            listening = await stack.enter_async_context(subscription)
        start = client.now()
        flaws = await follow_rule(client, how.device, how.characteristic, how.rule, how.value)
        deadline = Deadline.after(change.after + _TOLD, now=start, timing=client.timing)
        if listening is not None and not flaws:
            try:
                told.append((await listening.next(within=deadline.left(client.now()))).raw)
            except TooFewNotifications:
                word = "added" if change.present else "removed"
                expected = f"Service Changed is indicated when {subject.service.path} is {word}"
                flaws.append(Flaw(expected, f"nothing within {change.after + _TOLD:g} s"))
        else:
            await client.ended(within=deadline.left(client.now()))
        if listening is not None and not flaws:
            flaws += covers(client, told, before)
    if flaws:
        return flaws
    await client.reconnect()
    flaws = _wrong_presence(client, subject, expected=change.present)
    if change.present and not flaws:
        if how.device.service_changed:
            flaws += covers(client, told, [subject.service])
        for one in subject.service.characteristics:
            flaws += [flaw async for flaw in discovery.characteristic(client, one)]
    return flaws


def _wrong_presence(client: Client, subject: ServiceOf, *, expected: bool) -> list[Flaw]:
    path = subject.service.path
    there = subject.service.locate(client.database) is not None
    if there is expected:
        return []
    if expected:
        return [Flaw(f"the service {path} is there", "it is not")]
    return [Flaw(f"the service {path} is not there", "it is")]
