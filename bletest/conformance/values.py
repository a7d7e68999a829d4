"""What reading brings (Vol 3, Part G, 4.8 and 4.12)."""

from collections.abc import AsyncIterator

from bletest.conformance.registry import Flaw, Phase, check
from bletest.conformance.steps import (
    DEFAULT_MTU,
    characteristic_of,
    descriptor_of,
    handle_of,
    not_refused,
    octets,
    unlike,
)
from bletest.conformance.subjects import (
    DescriptorOf,
    characteristics,
    descriptors,
    readable,
    unreadable,
)
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.profile.expectation import CharacteristicExpectation, ValueExpectation
from bletest.uuids import AGGREGATE_FORMAT, PRESENTATION_FORMAT

READ_REFUSED = frozenset({0x02})
"""Read Not Permitted."""


def is_long(value: ValueExpectation) -> bool:
    """Whether no Read Response holds the value before ATT_MTU has been exchanged."""
    shortest = value.min_length if value.exact is None else len(value.exact)
    return shortest > DEFAULT_MTU - 1


@check(
    "read.value",
    title="The value is what the profile expects",
    phase=Phase.VALUES,
    subjects=characteristics(readable),
    official=("GATT/SR/GAR/BV-01-C",),
    paragraph="Vol 3, Part G, 4.8.1",
    secures=("read",),
)
async def value(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Read it, and compare octets where the profile gives octets, values where it gives values."""
    outcome = await client.attempt.read(characteristic_of(client, subject))
    for flaw in unlike(outcome, subject.value):
        yield flaw


@check(
    "read.refused",
    title="A value that is not readable is refused with Read Not Permitted",
    phase=Phase.VALUES,
    subjects=characteristics(unreadable),
    official=("GATT/SR/GAR/BI-01-C",),
    paragraph="Vol 3, Part F, 3.4.4.3",
)
async def refused(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """0x02, whatever the link has for security."""
    outcome = await client.attempt.read(characteristic_of(client, subject))
    for flaw in not_refused(outcome, READ_REFUSED, "it has no read property"):
        yield flaw


@check(
    "read.long",
    title="A long value is read to its end",
    phase=Phase.VALUES,
    subjects=characteristics(lambda one: readable(one) and is_long(one.value)),
    official=("GATT/SR/GAR/BV-04-C",),
    paragraph="Vol 3, Part G, 4.8.3",
    secures=("read",),
)
async def long_value(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Longer than one Read Response at the default ATT_MTU."""
    outcome = await client.attempt.read(characteristic_of(client, subject))
    for flaw in unlike(outcome, subject.value):
        yield flaw


@check(
    "descriptor.value",
    title="The descriptor's value is what the profile expects",
    phase=Phase.VALUES,
    subjects=descriptors(readable),
    official=("GATT/SR/GAR/BV-06-C",),
    paragraph="Vol 3, Part G, 4.12.1",
    secures=("read",),
)
async def descriptor_value(client: Client, subject: DescriptorOf) -> AsyncIterator[Flaw]:
    """Read it and compare."""
    outcome = await client.attempt.read_descriptor(descriptor_of(client, subject))
    for flaw in unlike(outcome, subject.descriptor.value):
        yield flaw


@check(
    "descriptor.long",
    title="A long descriptor is read to its end",
    phase=Phase.VALUES,
    subjects=descriptors(lambda one: readable(one) and is_long(one.value)),
    official=("GATT/SR/GAR/BV-07-C",),
    paragraph="Vol 3, Part G, 4.12.2",
    secures=("read",),
)
async def long_descriptor(client: Client, subject: DescriptorOf) -> AsyncIterator[Flaw]:
    """Longer than one Read Response at the default ATT_MTU."""
    outcome = await client.attempt.read_descriptor(descriptor_of(client, subject))
    for flaw in unlike(outcome, subject.descriptor.value):
        yield flaw


@check(
    "descriptor.refused",
    title="A descriptor that is not readable is refused with Read Not Permitted",
    phase=Phase.VALUES,
    subjects=descriptors(unreadable),
    paragraph="Vol 3, Part F, 3.4.4.3",
)
async def descriptor_refused(client: Client, subject: DescriptorOf) -> AsyncIterator[Flaw]:
    """0x02, whatever the link has for security."""
    outcome = await client.attempt.read_descriptor(descriptor_of(client, subject))
    for flaw in not_refused(outcome, READ_REFUSED, "the profile says that it cannot be read"):
        yield flaw


@check(
    "descriptor.presentation_format",
    title="A presentation format is well formed",
    phase=Phase.VALUES,
    subjects=descriptors(lambda one: readable(one) and one.uuid == PRESENTATION_FORMAT),
    official=("GATT/SR/GPA/BV-12-C",),
    paragraph="Vol 3, Part G, 3.3.3.5",
    secures=("read",),
)
async def presentation_format(client: Client, subject: DescriptorOf) -> AsyncIterator[Flaw]:
    """Seven octets: format, exponent, unit (2), name space, description (2)."""
    outcome = await client.attempt.read_descriptor(descriptor_of(client, subject))
    if outcome.value is None or len(outcome.value) != 7:
        yield Flaw("7 octets", str(outcome))
    elif not 0x01 <= outcome.value[0] <= 0x1C:
        yield Flaw("a format from 0x01 to 0x1C", f"0x{outcome.value[0]:02X}")


@check(
    "descriptor.aggregate_format",
    title="An aggregate format lists presentation formats",
    phase=Phase.VALUES,
    subjects=descriptors(lambda one: readable(one) and one.uuid == AGGREGATE_FORMAT),
    official=("GATT/SR/GPA/BV-11-C",),
    paragraph="Vol 3, Part G, 3.3.3.6",
    needs=frozenset({Capability.HANDLES}),
    secures=("read",),
)
async def aggregate_format(client: Client, subject: DescriptorOf) -> AsyncIterator[Flaw]:
    """A list of two or more handles, each of a Characteristic Presentation Format."""
    outcome = await client.attempt.read_descriptor(descriptor_of(client, subject))
    if outcome.value is None or len(outcome.value) < 4 or len(outcome.value) % 2:
        yield Flaw("two or more handles of 2 octets each", str(outcome))
        return
    formats = {
        handle_of(one.handle)
        for _, found in client.database.characteristics()
        for one in found.descriptors
        if one.uuid == PRESENTATION_FORMAT
    }
    for at in range(0, len(outcome.value), 2):
        handle = int.from_bytes(outcome.value[at : at + 2], "little")
        if handle not in formats:
            yield Flaw(
                f"the handle of a presentation format in {octets(outcome.value)}",
                f"0x{handle:04X}",
            )
