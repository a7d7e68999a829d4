"""Reboots: where the device comes back, what it is then, and who is told (profile's modes)."""

from collections.abc import AsyncIterator

from bletest.conformance import discovery
from bletest.conformance.moving import Move, Traveller, in_mode, moves, same_address
from bletest.conformance.registry import Changes, Flaw, Phase, check
from bletest.conformance.service_changed import covers, service_changed_of, told_of_changes
from bletest.conformance.steps import not_accepted, octets
from bletest.conformance.subjects import UpheavalOf
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.profile.expectation import DeviceExpectation
from bletest.uuids import DATABASE_HASH, GATT_SERVICE


def _reboots(device: DeviceExpectation) -> list[UpheavalOf]:
    return [
        UpheavalOf(device, move.characteristic, move.number, move.rule, move.value)
        for move in moves(device)
    ]


def _at_home(device: DeviceExpectation) -> list[UpheavalOf]:
    """Pick those after which the device is at the same address, with another database."""
    return [
        one
        for one in _reboots(device)
        if one.rule.reboot is not None
        and same_address(device, one.rule.reboot.enter)
        and in_mode(device, one.rule.reboot.enter).services != device.services
    ]


def _told(device: DeviceExpectation) -> list[UpheavalOf]:
    return _at_home(device) if device.service_changed and device.bonding else []


def _hashed(device: DeviceExpectation) -> list[UpheavalOf]:
    return _at_home(device) if device.database_hash else []


def _move(subject: UpheavalOf) -> Move:
    reboot = subject.rule.reboot
    assert reboot is not None  # what the subject was picked for
    return Move(subject.characteristic, subject.number, subject.rule, subject.value, reboot)


@check(
    "reboot.mode",
    title="A write that reboots the device brings it back as what the profile says",
    phase=Phase.RECONNECTION,
    subjects=_reboots,
    paragraph="the profile's on_write and modes",
    changes=Changes.SUBJECT,
    secures=("write",),
)
async def mode(client: Client, subject: UpheavalOf) -> AsyncIterator[Flaw]:
    """The link ends, the device is back in time under the address it should have, and so on.

    It has the services of its mode, and none that only another mode has.
    """
    traveller = Traveller(client, subject.device)
    await traveller.go(_move(subject))
    flaws = traveller.flaws
    if not flaws:
        flaws += [flaw async for flaw in judge_database(client, traveller.expected)]
        ours = {one.uuid for one in (*traveller.expected.services, *traveller.expected.absent)}
        for one in subject.device.services:
            if one.uuid not in ours and client.database.find_services(one.uuid):
                flaws.append(Flaw(f"no service {one.path} in {traveller.mode}", "it is there"))
    for flaw in tuple(flaws):
        yield flaw
    if not flaws:
        await traveller.home()
        for flaw in traveller.flaws:
            yield flaw


async def judge_database(client: Client, expected: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Hold what was discovered to what ``expected`` promises."""
    for service in expected.services:
        missing = [flaw async for flaw in discovery.service(client, service)]
        for flaw in missing:
            yield flaw
        for one in () if missing else service.characteristics:
            found = [flaw async for flaw in discovery.characteristic(client, one)]
            found = found or [flaw async for flaw in discovery.properties(client, one)]
            for flaw in found:
                yield Flaw(f"{one.path}: {flaw.expected}", flaw.observed)


@check(
    "reboot.service_changed",
    title="A bonded client is told that the database is another one after a reboot",
    phase=Phase.RECONNECTION,
    subjects=_told,
    paragraph="Vol 3, Part G, 7.1",
    needs=frozenset({Capability.PAIRING, Capability.RAW_ATT}),
    changes=Changes.SUBJECT,
    secures=("write",),
)
async def service_changed(client: Client, subject: UpheavalOf) -> AsyncIterator[Flaw]:
    """Bond, enable Service Changed, reboot the device, come back and encrypt the link."""
    traveller = Traveller(client, subject.device)
    if not client.is_encrypted:
        await client.pair()
    outcome = await client.attempt.subscribe(service_changed_of(client))
    flaws = list(not_accepted(outcome, "a client can enable Service Changed"))
    if not flaws:
        await traveller.go(_move(subject))
        flaws += traveller.flaws
    if not flaws:
        await client.pair()
        told = await told_of_changes(client)
        flaws += covers(client, told, traveller.expected.services)
    for flaw in tuple(flaws):
        yield flaw
    if not flaws:
        await traveller.home()
        for flaw in traveller.flaws:
            yield flaw


@check(
    "reboot.database_hash",
    title="The Database Hash is another one when the database is another one",
    phase=Phase.RECONNECTION,
    subjects=_hashed,
    paragraph="Vol 3, Part G, 7.3",
    needs=frozenset({Capability.ALL_SERVICES}),
    changes=Changes.SUBJECT,
    secures=("write",),
)
async def database_hash(client: Client, subject: UpheavalOf) -> AsyncIterator[Flaw]:
    """Read it before the reboot and after, and again when the device is back in its mode."""
    traveller = Traveller(client, subject.device)
    before, flaws = await _hash(client)
    if not flaws:
        await traveller.go(_move(subject))
        flaws += traveller.flaws
    if not flaws:
        after, flaws = await _hash(client)
        if not flaws and before == after:
            flaws = [Flaw("another Database Hash than before", f"{octets(after)} both times")]
    for flaw in flaws:
        yield flaw
    if not flaws:
        await traveller.home()
        for flaw in traveller.flaws:
            yield flaw


async def _hash(client: Client) -> tuple[bytes, list[Flaw]]:
    for service in client.database.find_services(GATT_SERVICE):
        for one in service.characteristics:
            if one.uuid == DATABASE_HASH:
                outcome = await client.attempt.read(one)
                return outcome.value or b"", list(not_accepted(outcome, "it can be read"))
    return b"", [Flaw("a Database Hash in the GATT service", "none")]
