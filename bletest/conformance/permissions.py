"""What takes a pairing or an authorization (Vol 3, Part C, 10.3; Part F, 3.2.5)."""

from collections.abc import AsyncIterator, Callable

from bletest.conformance import raw
from bletest.conformance.registry import Changes, Flaw, Phase, check
from bletest.conformance.security import (
    NOT_AUTHENTICATED,
    NOT_AUTHORIZED,
    NOT_PAIRED,
    needs_pairing,
    paired_without_authentication,
    secured,
    unpaired,
    within_reach,
)
from bletest.conformance.steps import (
    candidates,
    characteristic_of,
    not_accepted,
    not_refused,
    put_back,
    value_handle_of,
)
from bletest.conformance.subjects import characteristics, subscribable
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.profile.expectation import CharacteristicExpectation, DeviceExpectation
from bletest.profile.rules import rule_for
from bletest.profile.security import Protection

_PAIRING = frozenset({Capability.PAIRING})
_CHOICE = frozenset({Capability.PAIRING_CHOICE})
_RAW = frozenset({Capability.PAIRING, Capability.RAW_ATT})
_BECAUSE = "the profile asks for more security than a plain link has"
_CODES = tuple(one for one in NOT_PAIRED if isinstance(one, int))


def harmless(subject: CharacteristicExpectation) -> bytes | None:
    """Return a value that the device accepts, None if no guess fits what the profile says."""
    if subject.procedure is not None:
        return None
    for rule in subject.rules:
        literal = isinstance(rule.match, bytes) and rule_for(subject.rules, rule.match) is rule
        tame = rule.always and rule.error is None and not rule.upheaval
        if literal and tame and isinstance(rule.match, bytes):
            return rule.match
    for guess in candidates(subject.value):
        hit = rule_for(subject.rules, guess)
        if hit is None or (hit.always and hit.error is None and not hit.upheaval):
            return guess
    return None


def _protected(operation: str) -> Callable[[CharacteristicExpectation], bool]:
    return lambda one: needs_pairing(getattr(one, operation))


def _reachable(
    operation: str, wanted: Callable[[CharacteristicExpectation], bool]
) -> Callable[[DeviceExpectation], list[CharacteristicExpectation]]:
    """Pick what ``wanted`` says yes to, where pairing with this device is enough for it."""

    def pick(device: DeviceExpectation) -> list[CharacteristicExpectation]:
        return [
            one
            for one in characteristics(wanted)(device)
            if within_reach(device.security, getattr(one, operation))
        ]

    return pick


def _unauthenticated(
    operation: str, wanted: Callable[[CharacteristicExpectation], bool]
) -> Callable[[DeviceExpectation], list[CharacteristicExpectation]]:
    """Pick what takes authentication, of a device that pairs without it too."""

    def pick(device: DeviceExpectation) -> list[CharacteristicExpectation]:
        security = device.security
        if not security.pairing or security.mitm is Protection.REQUIRED:
            return []
        return [
            one for one in characteristics(wanted)(device) if getattr(one, operation).authenticated
        ]

    return pick


def _writes(one: CharacteristicExpectation) -> bool:
    return needs_pairing(one.write) and "write" in one.properties


def _writes_known(one: CharacteristicExpectation) -> bool:
    return _writes(one) and harmless(one) is not None


def _subscribes(one: CharacteristicExpectation) -> bool:
    return needs_pairing(one.subscribe) and subscribable(one)


@check(
    "permissions.read_unpaired",
    title="Reading what takes a pairing is refused before it",
    phase=Phase.PERMISSIONS,
    subjects=characteristics(_protected("read")),
    official=("GATT/SR/GAR/BI-04-C", "GAP/SEC/AUT/BV-11-C"),
    paragraph="Vol 3, Part C, 10.3.1; Vol 3, Part F, 3.4.4.3",
    needs=_PAIRING,
)
async def read_unpaired(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Insufficient Authentication (0x05) or Encryption (0x0F)."""
    await unpaired(client)
    outcome = await client.attempt.read(characteristic_of(client, subject))
    for flaw in not_refused(outcome, NOT_PAIRED, _BECAUSE):
        yield flaw


@check(
    "permissions.read_paired",
    title="Reading what takes a pairing is allowed after it",
    phase=Phase.PERMISSIONS,
    subjects=_reachable("read", _protected("read")),
    official=("GAP/SEC/AUT/BV-18-C",),
    paragraph="Vol 3, Part C, 10.3.1",
    needs=_PAIRING,
)
async def read_paired(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Refused or not before, after pairing it is answered."""
    await unpaired(client)
    await client.attempt.read(characteristic_of(client, subject))
    await secured(client, subject.read)
    outcome = await client.attempt.read(characteristic_of(client, subject))
    for flaw in not_accepted(outcome, "the link is paired now"):
        yield flaw


@check(
    "permissions.write_unpaired",
    title="Writing what takes a pairing is refused before it",
    phase=Phase.PERMISSIONS,
    subjects=characteristics(_writes_known),
    official=("GATT/SR/GAW/BI-05-C",),
    paragraph="Vol 3, Part C, 10.3.1; Vol 3, Part F, 3.4.5.1",
    needs=_PAIRING,
    changes=Changes.SUBJECT,
)
async def write_unpaired(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Insufficient Authentication (0x05) or Encryption (0x0F)."""
    await unpaired(client)
    value = harmless(subject) or b""
    outcome = await client.attempt.write(characteristic_of(client, subject), value)
    for flaw in not_refused(outcome, NOT_PAIRED, _BECAUSE):
        yield flaw


@check(
    "permissions.write_paired",
    title="Writing what takes a pairing is allowed after it",
    phase=Phase.PERMISSIONS,
    subjects=_reachable("write", _writes_known),
    official=("GAP/SEC/AUT/BV-18-C",),
    paragraph="Vol 3, Part C, 10.3.1",
    needs=_PAIRING,
    changes=Changes.SUBJECT,
    secures=("read", "write"),
)
async def write_paired(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """A value that the profile accepts is acknowledged."""
    async with put_back(client, subject) as before:
        value = harmless(subject) if subject.rules else before or harmless(subject)
        outcome = await client.attempt.write(characteristic_of(client, subject), value or b"")
    for flaw in not_accepted(outcome, "the link is paired now"):
        yield flaw


@check(
    "permissions.subscribe_unpaired",
    title="Subscribing to what takes a pairing is refused before it",
    phase=Phase.PERMISSIONS,
    subjects=characteristics(_subscribes),
    paragraph="Vol 3, Part C, 10.3.1; Vol 3, Part G, 3.3.3.3",
    needs=_PAIRING,
)
async def subscribe_unpaired(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """The write of the CCCD is refused with 0x05 or 0x0F."""
    await unpaired(client)
    target = characteristic_of(client, subject)
    outcome = await client.attempt.subscribe(target)
    if outcome.succeeded:
        await client.attempt.unsubscribe(target)
    for flaw in not_refused(outcome, NOT_PAIRED, _BECAUSE):
        yield flaw


@check(
    "permissions.subscribe_paired",
    title="Subscribing to what takes a pairing is allowed after it",
    phase=Phase.PERMISSIONS,
    subjects=characteristics(_subscribes),
    paragraph="Vol 3, Part C, 10.3.1; Vol 3, Part G, 3.3.3.3",
    needs=_PAIRING,
    secures=("subscribe",),
)
async def subscribe_paired(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """The write of the CCCD is acknowledged."""
    target = characteristic_of(client, subject)
    outcome = await client.attempt.subscribe(target)
    if outcome.succeeded:
        await client.attempt.unsubscribe(target)
    for flaw in not_accepted(outcome, "the link is paired now"):
        yield flaw


@check(
    "permissions.blob_unpaired",
    title="Reading a part of what takes a pairing is refused before it",
    phase=Phase.PERMISSIONS,
    subjects=characteristics(_protected("read")),
    official=("GATT/SR/GAR/BI-16-C",),
    paragraph="Vol 3, Part F, 3.4.4.5",
    needs=_RAW,
)
async def blob_unpaired(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """No part of the value leaks by Read Blob."""
    async for flaw in _raw_unpaired(client, subject, lambda handle: raw.read_blob(handle, 0)):
        yield flaw


@check(
    "permissions.by_uuid_unpaired",
    title="Reading by UUID what takes a pairing is refused before it",
    phase=Phase.PERMISSIONS,
    subjects=characteristics(_protected("read")),
    official=("GATT/SR/GAR/BI-10-C",),
    paragraph="Vol 3, Part F, 3.4.4.1",
    needs=_RAW,
)
async def by_uuid_unpaired(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """No part of the value leaks by Read By Type."""

    def request(handle: int) -> bytes:
        return raw.read_by_type(handle, handle, subject.uuid)

    async for flaw in _raw_unpaired(client, subject, request):
        yield flaw


@check(
    "permissions.prepare_unpaired",
    title="Preparing a write of what takes a pairing is refused before it",
    phase=Phase.PERMISSIONS,
    subjects=characteristics(_writes),
    official=("GATT/SR/GAW/BI-12-C",),
    paragraph="Vol 3, Part F, 3.4.6.1",
    needs=_RAW,
    changes=Changes.SUBJECT,
)
async def prepare_unpaired(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Refused when it is prepared already, or with 0x06 where prepared writes are not known."""

    def request(handle: int) -> bytes:
        return raw.prepare_write(handle, 0, bytes(max(1, subject.value.min_length))[:18])

    async for flaw in _raw_unpaired(client, subject, request, also=(0x06,)):
        yield flaw
    await client.exchange(raw.execute_write(cancel=True))


async def _raw_unpaired(
    client: Client,
    subject: CharacteristicExpectation,
    request: Callable[[int], bytes],
    also: tuple[int, ...] = (),
) -> AsyncIterator[Flaw]:
    await unpaired(client)
    pdu = request(value_handle_of(client, subject))
    answer = await client.exchange(pdu)
    for flaw in raw.not_refused(answer, pdu, (*_CODES, *also), _BECAUSE):
        yield flaw


_WEAK = "Just Works does not authenticate"


@check(
    "permissions.read_unauthenticated",
    title="Reading what takes authentication is refused after Just Works",
    phase=Phase.PERMISSIONS,
    subjects=_unauthenticated("read", _protected("read")),
    paragraph="Vol 3, Part C, 10.3.1; Vol 3, Part F, 3.4.4.3",
    needs=_CHOICE,
)
async def read_unauthenticated(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Insufficient Authentication (0x05), though the link is encrypted."""
    await paired_without_authentication(client)
    outcome = await client.attempt.read(characteristic_of(client, subject))
    for flaw in not_refused(outcome, NOT_AUTHENTICATED, _WEAK):
        yield flaw
    await unpaired(client)


@check(
    "permissions.write_unauthenticated",
    title="Writing what takes authentication is refused after Just Works",
    phase=Phase.PERMISSIONS,
    subjects=_unauthenticated("write", _writes_known),
    paragraph="Vol 3, Part C, 10.3.1; Vol 3, Part F, 3.4.5.1",
    needs=_CHOICE,
    changes=Changes.SUBJECT,
)
async def write_unauthenticated(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Insufficient Authentication (0x05), though the link is encrypted."""
    await paired_without_authentication(client)
    value = harmless(subject) or b""
    outcome = await client.attempt.write(characteristic_of(client, subject), value)
    for flaw in not_refused(outcome, NOT_AUTHENTICATED, _WEAK):
        yield flaw
    await unpaired(client)


def _authorized(
    operation: str, wanted: Callable[[CharacteristicExpectation], bool]
) -> Callable[[DeviceExpectation], list[CharacteristicExpectation]]:
    """Pick what takes an authorization, and else nothing that pairing with this device lacks."""

    def pick(device: DeviceExpectation) -> list[CharacteristicExpectation]:
        return [
            one
            for one in characteristics(wanted)(device)
            if (access := getattr(one, operation)) is not None
            and access.authorized
            and (access.open or device.security.reaches(access))
        ]

    return pick


def _writable(one: CharacteristicExpectation) -> bool:
    return "write" in one.properties and harmless(one) is not None


@check(
    "permissions.read_unauthorized",
    title="Reading what takes an authorization is refused without it",
    phase=Phase.PERMISSIONS,
    subjects=_authorized("read", lambda one: True),
    official=("GATT/SR/GAR/BI-03-C",),
    paragraph="Vol 3, Part F, 3.4.4.3",
    secures=("read",),
    out_of_reach=True,
)
async def read_unauthorized(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Insufficient Authorization (0x08), after what else the value asks of the link."""
    outcome = await client.attempt.read(characteristic_of(client, subject))
    for flaw in not_refused(outcome, NOT_AUTHORIZED, "nobody has authorized it"):
        yield flaw


@check(
    "permissions.write_unauthorized",
    title="Writing what takes an authorization is refused without it",
    phase=Phase.PERMISSIONS,
    subjects=_authorized("write", _writable),
    official=("GATT/SR/GAW/BI-04-C",),
    paragraph="Vol 3, Part F, 3.4.5.1",
    changes=Changes.SUBJECT,
    secures=("write",),
    out_of_reach=True,
)
async def write_unauthorized(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """Insufficient Authorization (0x08), after what else the value asks of the link."""
    target = characteristic_of(client, subject)
    outcome = await client.attempt.write(target, harmless(subject) or b"")
    for flaw in not_refused(outcome, NOT_AUTHORIZED, "nobody has authorized it"):
        yield flaw
