"""What a subscribed client gets (Vol 3, Part G, 3.3.3.3, 4.10 and 4.11)."""

from collections.abc import AsyncIterator

from bletest.conformance import raw
from bletest.conformance.registry import Flaw, Phase, check
from bletest.conformance.security import unpaired
from bletest.conformance.steps import (
    cccd_of,
    characteristic_of,
    handle_of,
    not_accepted,
    octets,
    patience,
)
from bletest.conformance.subjects import characteristics, periodic, subscribable
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client, Reading, Subscription
from bletest.contracts.findings import Severity
from bletest.contracts.windows import Rhythm, Window
from bletest.errors import TooFewNotifications
from bletest.profile.expectation import (
    CharacteristicExpectation,
    DeviceExpectation,
    NotifyExpectation,
)

_RAW = frozenset({Capability.RAW_ATT})
_PAIRING = frozenset({Capability.PAIRING})
_LISTEN = 30.0
"""Seconds for which it is worth to listen to a series; two of it are awaited however long."""
_SILENCE = 2.0
"""Seconds for which a client that has not subscribed listens at least."""


def enabled(subject: CharacteristicExpectation) -> frozenset[bytes]:
    """Return what the CCCD may read while a client is subscribed."""
    # a client may ask for both where both are offered
    kinds = {
        frozenset({"notify"}): {1},
        frozenset({"indicate"}): {2},
        frozenset({"notify", "indicate"}): {1, 2, 3},
    }[frozenset(subject.properties & {"notify", "indicate"})]
    return frozenset(kind.to_bytes(2, "little") for kind in kinds)


def _unbonded(one: CharacteristicExpectation) -> bool:
    return subscribable(one) and one.subscribe is not None and one.subscribe.open


async def configuration_unlike(
    client: Client, subject: CharacteristicExpectation, accepted: frozenset[bytes], when: str
) -> list[Flaw]:
    """Read the CCCD; a flaw unless it is one of ``accepted``."""
    outcome = await client.attempt.read_descriptor(cccd_of(client, subject))
    if outcome.value in accepted:
        return []
    words = " or ".join(sorted(f"0x{one[::-1].hex().upper()}" for one in accepted))
    seen = (
        str(outcome)
        if outcome.value is None or len(outcome.value) != 2
        else f"0x{outcome.value[::-1].hex().upper()}"
    )
    return [Flaw(f"Client Characteristic Configuration {words} {when}", seen)]


OFF = frozenset({b"\0\0"})
"""What the CCCD reads while nothing is enabled."""


def _sending(expectation: DeviceExpectation) -> list[DeviceExpectation]:
    """Pick the device where it has anything that notifies or indicates."""
    return [expectation] if any(map(subscribable, expectation.characteristics())) else []


@check(
    "notify.unasked",
    title="Nothing comes before the client subscribes",
    phase=Phase.NOTIFICATIONS,
    subjects=_sending,
    paragraph="Vol 3, Part G, 3.3.3.3, 4.10 and 4.11",
    needs=_RAW,
)
async def unasked(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Silence on a new connection without a bond, for the longest declared period."""
    # unpaired() leaves the keys of a link that is plain just now, and what a bond has
    # subscribed to comes legitimately
    await client.unpair()
    await client.reconnect()
    periods = (
        Window.around(every, tolerance=tolerance, timing=client.timing).latest
        for every, tolerance in map(declared, subject.characteristics())
    )
    seconds = min(_LISTEN, max([_SILENCE, *periods]))
    came: dict[str, list[Reading]] = {}
    for reading in await client.unasked(within=seconds):
        came.setdefault(reading.attribute, []).append(reading)
    for attribute, readings in came.items():
        more = f", the first of {len(readings)}" if len(readings) > 1 else ""
        yield Flaw(
            f"nothing for {seconds:.3f} s on a new connection, before the client subscribes",
            f"{attribute}: {octets(readings[0].raw)}{more}",
        )


@check(
    "notify.configuration",
    title="The configuration descriptor follows what the client subscribes to",
    phase=Phase.NOTIFICATIONS,
    subjects=characteristics(subscribable),
    paragraph="Vol 3, Part G, 3.3.3.3",
    secures=("subscribe",),
)
async def configuration(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Off, on while subscribed, off again."""
    for flaw in await configuration_unlike(client, subject, OFF, "before the client subscribes"):
        yield flaw
    async with client.subscribe(characteristic_of(client, subject)):
        flaws = await configuration_unlike(client, subject, enabled(subject), "while subscribed")
    for flaw in flaws:
        yield flaw
    for flaw in await configuration_unlike(client, subject, OFF, "after the client unsubscribed"):
        yield flaw


def _count(every: float) -> int:
    return max(2, min(6, int(_LISTEN / every))) if every > 0 else 6


async def _listen(
    client: Client, subject: CharacteristicExpectation, subscription: Subscription
) -> TooFewNotifications | None:
    """Wait for a series; None when it came, else what is missing."""
    every, tolerance = declared(subject)
    count = _count(every)
    window = Window.around(every * count, tolerance=tolerance, timing=client.timing)
    try:
        await subscription.take(count, within=window.latest)
    except TooFewNotifications as missing:
        return missing
    return None


def declared(subject: CharacteristicExpectation) -> tuple[float, float]:
    """Return the period in seconds, 0 for none, and its tolerance."""
    notify = subject.notify or NotifyExpectation()
    return notify.every or 0.0, notify.tolerance


@check(
    "notify.period",
    title="It comes as often as the profile says",
    phase=Phase.NOTIFICATIONS,
    subjects=characteristics(periodic),
    paragraph="the profile's notify; Vol 3, Part G, 4.10.1 and 4.11.1",
    secures=("subscribe",),
)
async def period(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Several in a row, each within the window after the one before; one may be late."""
    every, tolerance = declared(subject)
    async with client.subscribe(characteristic_of(client, subject)) as subscription:
        missing = await _listen(client, subject, subscription)
        moments = [reading.time for reading in subscription.received]
    if missing is not None:
        yield Flaw(
            f"{_count(every)}, one every {every:g} s",
            f"{len(missing.received) or len(moments)} in the time that {_count(every)} take",
        )
        return
    rhythm = Rhythm.of(moments, every=every, tolerance=tolerance, timing=client.timing)
    if rhythm.strays:
        gaps = ", ".join(f"{gap:.3f}" for gap in rhythm.gaps)
        late = rhythm.one_was_late
        yield Flaw(
            f"one every {every:g} s, {rhythm.window} apart",
            f"gaps of {gaps} s" + ("; one was late, none was lost" if late else ""),
            severity=Severity.WARNING if late else Severity.ERROR,
        )
    if rhythm.total not in rhythm.total_window:
        yield Flaw(
            f"{len(moments)} within {rhythm.total_window}", f"they took {rhythm.total:.3f} s"
        )


@check(
    "notify.values",
    title="What it brings is what the profile expects, and fits the PDU",
    phase=Phase.NOTIFICATIONS,
    subjects=characteristics(periodic),
    paragraph="Vol 3, Part F, 3.4.7.1",
    secures=("subscribe",),
)
async def values(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Every value of a series is compared like one that was read."""
    async with client.subscribe(characteristic_of(client, subject)) as subscription:
        missing = await _listen(client, subject, subscription)
        received = subscription.received
    if missing is not None and not received:
        yield Flaw(f"at least one value, {subject.value.describe()}", "none came")
    for reading in received:
        problem = subject.value.mismatch(reading.raw)
        # Vol 3, Part F, 3.4.7.1: what is longer is cut at ATT_MTU - 3 octets
        cut = subject.value.exact is not None and len(reading.raw) == client.mtu - 3
        if problem and not (cut and (subject.value.exact or b"").startswith(reading.raw)):
            yield Flaw(subject.value.describe(), f"{octets(reading.raw)}: {problem}")
        if len(reading.raw) > client.mtu - 3:
            yield Flaw(
                f"{client.mtu - 3} octets at most, at an ATT_MTU of {client.mtu}",
                f"{len(reading.raw)} octets",
            )


@check(
    "notify.stops",
    title="Nothing comes while the configuration is off",
    phase=Phase.NOTIFICATIONS,
    subjects=characteristics(periodic),
    paragraph="Vol 3, Part G, 3.3.3.3 and 4.10.1",
    needs=_RAW,
    secures=("subscribe",),
)
async def stops(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """The client listens on, and the descriptor is switched off behind its back, then on again."""
    every, tolerance = declared(subject)
    handle = handle_of(cccd_of(client, subject).handle)
    window = Window.around(2 * every, tolerance=tolerance, timing=client.timing)
    async with client.subscribe(characteristic_of(client, subject)) as subscription:
        answer = await client.exchange(raw.write(handle, b"\0\0"))
        flaws = list(raw.not_answered(answer, bytes([raw.WRITE_RESPONSE]), "it is switched off"))
        # what was on its way when the device answered has come by the time it answers again
        flaws += await raw.not_alive(client, "after the configuration is off")
        before = len(subscription.received)
        if before:
            await subscription.take(before, within=patience(client, 0.0))
        try:
            stray = await subscription.next(within=window.latest)
        except TooFewNotifications:
            pass
        else:
            flaws.append(
                Flaw(f"nothing for {window.latest:.3f} s while it is off", octets(stray.raw))
            )
        on = min(enabled(subject))
        answer = await client.exchange(raw.write(handle, on))
        flaws += raw.not_answered(answer, bytes([raw.WRITE_RESPONSE]), "it is switched on again")
        try:
            await subscription.next(within=window.latest)
        except TooFewNotifications:
            flaws.append(
                Flaw("something once it is on again", f"nothing for {window.latest:.3f} s")
            )
    for flaw in flaws:
        yield flaw


@check(
    "indicate.confirmed",
    title="The next indication comes when the one before is confirmed",
    phase=Phase.NOTIFICATIONS,
    subjects=characteristics(lambda one: periodic(one) and "notify" not in one.properties),
    paragraph="Vol 3, Part G, 4.11.1; Vol 3, Part F, 3.4.7.3",
    secures=("subscribe",),
)
async def confirmed(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """The client confirms each; a device that misses confirmations stops after the first."""
    every, _ = declared(subject)
    async with client.subscribe(characteristic_of(client, subject)) as subscription:
        missing = await _listen(client, subject, subscription)
        came = len(subscription.received)
    if missing is not None:
        yield Flaw(f"{_count(every)} indications, each confirmed", f"{came} came")


async def _after_reconnection(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    await unpaired(client)
    outcome = await client.attempt.subscribe(characteristic_of(client, subject))
    for flaw in not_accepted(outcome, "anyone may subscribe"):
        yield flaw
    await client.reconnect()
    for flaw in await configuration_unlike(
        client, subject, OFF, "on a new connection without a bond"
    ):
        yield flaw


@check(
    "notify.forgotten",
    title="A client without a bond is not subscribed to notifications after it reconnects",
    phase=Phase.NOTIFICATIONS,
    subjects=characteristics(lambda one: _unbonded(one) and "notify" in one.properties),
    official=("GATT/SR/GAN/BV-01-C",),
    paragraph="Vol 3, Part G, 3.3.3.3",
)
async def notify_forgotten(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """The configuration reads 0x0000 on the new connection."""
    async for flaw in _after_reconnection(client, subject):
        yield flaw


@check(
    "indicate.forgotten",
    title="A client without a bond is not subscribed to indications after it reconnects",
    phase=Phase.NOTIFICATIONS,
    subjects=characteristics(lambda one: _unbonded(one) and "notify" not in one.properties),
    official=("GATT/SR/GAI/BV-01-C",),
    paragraph="Vol 3, Part G, 3.3.3.3",
)
async def indicate_forgotten(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """The configuration reads 0x0000 on the new connection."""
    async for flaw in _after_reconnection(client, subject):
        yield flaw


def _bonded(expectation: DeviceExpectation, *, notify: bool) -> list[CharacteristicExpectation]:
    return [
        one
        for one in expectation.characteristics()
        if expectation.pairing
        and expectation.bonding
        and subscribable(one)
        and one.subscribe is not None
        and not one.subscribe.authorized
        and ("notify" in one.properties) is notify
    ]


async def _kept(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    if client.is_encrypted is not True:
        await client.pair()
    outcome = await client.attempt.subscribe(characteristic_of(client, subject))
    for flaw in not_accepted(outcome, "the link is paired"):
        yield flaw
    await client.reconnect()
    if client.is_encrypted is not True:
        await client.pair()
    flaws = await configuration_unlike(
        client, subject, enabled(subject), "on a new link with a bond"
    )
    # what a bond remembers outlives this check unless it is switched off
    await client.attempt.subscribe(characteristic_of(client, subject))
    await client.attempt.unsubscribe(characteristic_of(client, subject))
    for flaw in flaws:
        yield flaw


@check(
    "notify.remembered",
    title="A bonded client is still subscribed to notifications after it reconnects",
    phase=Phase.NOTIFICATIONS,
    subjects=lambda expectation: _bonded(expectation, notify=True),
    official=("GATT/SR/GAN/BV-03-C",),
    paragraph="Vol 3, Part G, 3.3.3.3",
    needs=_PAIRING,
)
async def notify_remembered(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """The configuration persists with the bond."""
    async for flaw in _kept(client, subject):
        yield flaw


@check(
    "indicate.remembered",
    title="A bonded client is still subscribed to indications after it reconnects",
    phase=Phase.NOTIFICATIONS,
    subjects=lambda expectation: _bonded(expectation, notify=False),
    official=("GATT/SR/GAI/BV-02-C",),
    paragraph="Vol 3, Part G, 3.3.3.3",
    needs=_PAIRING,
)
async def indicate_remembered(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """The configuration persists with the bond."""
    async for flaw in _kept(client, subject):
        yield flaw


@check(
    "notify.configuration_length",
    title="A configuration of a wrong length is refused",
    phase=Phase.NOTIFICATIONS,
    subjects=characteristics(subscribable),
    paragraph="Vol 3, Part G, 3.3.3.3; Vol 3, Part F, 3.4.5.1",
    needs=_RAW,
    secures=("subscribe",),
)
async def configuration_length(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Invalid Attribute Value Length (0x0D) for 3 octets; a device that takes 1 is told of."""
    handle = handle_of(cccd_of(client, subject).handle)
    for value in (b"\0\0\0", b"\0"):
        request = raw.write(handle, value)
        answer = await client.exchange(request)
        for flaw in raw.not_refused(answer, request, (0x0D,), "it has 2 octets", handle=handle):
            # Part F, 3.4.5.1 lets a server write the first octets of a value of fixed length
            short = len(value) < 2 and answer == bytes([raw.WRITE_RESPONSE])
            yield Flaw(
                flaw.expected,
                flaw.observed,
                severity=Severity.WARNING if short else Severity.ERROR,
            )


@check(
    "notify.configuration_bits",
    title="Bits of the configuration that the properties do not offer have no effect",
    phase=Phase.NOTIFICATIONS,
    subjects=characteristics(subscribable),
    paragraph="Vol 3, Part G, 3.3.3.3",
    needs=_RAW,
    secures=("subscribe",),
)
async def configuration_bits(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Refused, or accepted and not stored among the bits that mean something."""
    handle = handle_of(cccd_of(client, subject).handle)
    offered = ("notify" in subject.properties) | ("indicate" in subject.properties) << 1
    for bits in (0x0003 & ~offered, 0xFFFC):
        if not bits:
            continue
        request = raw.write(handle, bits.to_bytes(2, "little"))
        answer = await client.exchange(request)
        if answer != bytes([raw.WRITE_RESPONSE]):
            # 0xFD is Client Characteristic Configuration Descriptor Improperly Configured
            for flaw in raw.not_refused(
                answer, request, (0x03, 0x13, 0xFD), f"0x{bits:04X} is not offered", handle=handle
            ):
                yield flaw
            continue
        outcome = await client.attempt.read_descriptor(cccd_of(client, subject))
        if outcome.value is None or int.from_bytes(outcome.value, "little") & offered:
            yield Flaw(f"no bit of 0x{offered:04X} after a write of 0x{bits:04X}", str(outcome))
        await client.exchange(raw.write(handle, b"\0\0"))
