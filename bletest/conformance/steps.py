"""The steps that checks are made of: find, compare, put back, wait."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

from bletest.att.codes import error_text
from bletest.conformance.registry import Flaw
from bletest.conformance.subjects import DescriptorOf
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.contracts.database import RemoteCharacteristic, RemoteDescriptor, RemoteService
from bletest.contracts.outcomes import Outcome
from bletest.contracts.windows import Window
from bletest.errors import AttributeMissing, CapabilityMissing
from bletest.profile.expectation import (
    CharacteristicExpectation,
    ServiceExpectation,
    ValueExpectation,
)
from bletest.uuids import CCCD

DEFAULT_MTU = 23
"""ATT_MTU in octets before any exchange on LE (Vol 3, Part G, 5.2.1)."""

LONGEST_VALUE = 512
"""The most octets an attribute value can have (Vol 3, Part F, 3.2.9)."""


def service_of(client: Client, subject: ServiceExpectation) -> RemoteService:
    """Return the discovered service; raises :class:`~bletest.errors.AttributeMissing`."""
    found = subject.locate(client.database)
    if found is None:
        raise AttributeMissing(f"the device has no service {subject.path}")
    return found


def characteristic_of(client: Client, subject: CharacteristicExpectation) -> RemoteCharacteristic:
    """Return the discovered one; raises :class:`~bletest.errors.AttributeMissing`."""
    found = subject.locate(client.database)
    if found is None:
        raise AttributeMissing(f"the device has no characteristic {subject.path}")
    return found


def descriptor_of(client: Client, subject: DescriptorOf) -> RemoteDescriptor:
    """Return the discovered one; raises :class:`~bletest.errors.AttributeMissing`."""
    found = subject.descriptor.locate(characteristic_of(client, subject.characteristic))
    if found is None:
        raise AttributeMissing(f"the device has no descriptor {subject.descriptor.path}")
    return found


def cccd_of(client: Client, subject: CharacteristicExpectation) -> RemoteDescriptor:
    """Return its Client Characteristic Configuration; raises AttributeMissing."""
    for descriptor in characteristic_of(client, subject).descriptors:
        if descriptor.uuid == CCCD:
            return descriptor
    raise AttributeMissing(
        f"{subject.path} has no Client Characteristic Configuration descriptor (0x2902)"
    )


def handle_of(handle: int | None) -> int:
    """Return a handle that the adapter shows; raises CapabilityMissing where it hides it."""
    if handle is None:
        raise CapabilityMissing(
            "the adapter does not show attribute handles",
            capability=Capability.HANDLES,
            remedy=f"use {Capability.HANDLES.provided_by}",
        )
    return handle


def value_handle_of(client: Client, subject: CharacteristicExpectation) -> int:
    """Return the handle of the value; raises AttributeMissing or CapabilityMissing."""
    return handle_of(characteristic_of(client, subject).value_handle)


def octets(value: bytes) -> str:
    """Return a value as people read it, shortened where it is long."""
    if not value:
        return "no octets"
    shown = value[:24].hex(" ") + (" …" if len(value) > 24 else "")
    return f"{shown} ({len(value)} octet{'s' if len(value) != 1 else ''})"


def refusal(accepted: Iterable[int | str]) -> str:
    """Say which refusals are accepted."""
    words = sorted(
        (error_text(one) if isinstance(one, int) else one.replace("_", " ") for one in accepted),
    )
    return "refused with " + " or ".join(words)


def not_refused(outcome: Outcome, accepted: Iterable[int | str], because: str) -> Iterator[Flaw]:
    """Yield a flaw unless ``outcome`` is one of the refusals ``accepted``."""
    accepted = tuple(accepted)
    if not outcome.refused_with(*accepted):
        yield Flaw(f"{outcome.operation} {refusal(accepted)}: {because}", str(outcome))


def not_accepted(outcome: Outcome, because: str) -> Iterator[Flaw]:
    """Yield a flaw unless ``outcome`` succeeded."""
    if not outcome.succeeded:
        yield Flaw(f"{outcome.operation} succeeds: {because}", str(outcome))


def unlike(outcome: Outcome, expected: ValueExpectation) -> Iterator[Flaw]:
    """Yield a flaw unless ``outcome`` brought a value that satisfies ``expected``."""
    if outcome.value is None:
        yield Flaw(f"{outcome.operation} brings {expected.describe()}", str(outcome))
    elif problem := expected.mismatch(outcome.value):
        yield Flaw(expected.describe(), f"{octets(outcome.value)}: {problem}")


def patience(client: Client, seconds: float) -> float:
    """Return how long to wait for what is declared to take ``seconds``."""
    return Window.around(seconds, tolerance=0.0, timing=client.timing).latest


def candidates(expected: ValueExpectation, *, near: bytes | None = None) -> Iterator[bytes]:
    """Yield values that satisfy ``expected``, the same in every run.

    Those close to ``near`` come first, ``near`` itself last among them.
    """
    for value in _guesses(expected, near):
        if expected.mismatch(value) is None:
            yield value


def _guesses(expected: ValueExpectation, near: bytes | None) -> Iterator[bytes]:
    if expected.exact is not None:
        yield expected.exact
        return
    if near is not None:
        for index in reversed(range(len(near))):
            yield near[:index] + bytes([near[index] ^ 0x01]) + near[index + 1 :]
        yield near
    longest = LONGEST_VALUE if expected.max_length is None else expected.max_length
    length = max(expected.min_length, min(1, longest))
    yield bytes(length)
    for index in range(length):
        for octet in range(1, 256):
            yield bytes(index) + bytes([octet]) + bytes(length - index - 1)


@asynccontextmanager
async def put_back(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[bytes]:
    """Give the value that stands before the block, and write it back after it.

    Where it cannot be read nothing can be put back, and the block is given no octets.
    """
    target = characteristic_of(client, subject)
    before = (await client.attempt.read(target)).value if subject.read is not None else None
    try:
        yield before or b""
    finally:
        if before is not None and subject.write is not None and client.is_connected:
            target = characteristic_of(client, subject)
            if (await client.attempt.read(target)).value != before:
                await client.attempt.write(target, before, response="write" in subject.properties)


async def differs(
    client: Client, target: RemoteCharacteristic | RemoteDescriptor, value: bytes, when: str
) -> list[Flaw]:
    """Read ``target`` again; a flaw unless it holds ``value``."""
    outcome = (
        await client.attempt.read(target)
        if isinstance(target, RemoteCharacteristic)
        else await client.attempt.read_descriptor(target)
    )
    if outcome.value == value:
        return []
    seen = str(outcome) if outcome.value is None else octets(outcome.value)
    return [Flaw(f"{octets(value)} {when}", seen)]
