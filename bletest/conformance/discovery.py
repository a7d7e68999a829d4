"""What a client finds in the GATT database (Vol 3, Part G, 3 and 4.4 to 4.7)."""

from collections import Counter
from collections.abc import AsyncIterator

from bletest.conformance.registry import Flaw, Phase, check
from bletest.conformance.steps import (
    characteristic_of,
    handle_of,
    octets,
    service_of,
)
from bletest.conformance.subjects import (
    DescriptorOf,
    characteristics,
    descriptors,
    device,
    services,
    subscribable,
)
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.contracts.findings import Severity
from bletest.profile.expectation import (
    CharacteristicExpectation,
    DeviceExpectation,
    ServiceExpectation,
)
from bletest.uuids import APPEARANCE, CCCD, DEVICE_NAME, EXTENDED_PROPERTIES, GAP_SERVICE, Uuid

_EXTENDED = {"reliable_write": 0x0001, "writable_auxiliaries": 0x0002}
_NOT_IN_DECLARATION = frozenset({*_EXTENDED, "extended_properties"})


def _properties(names: frozenset[str]) -> frozenset[str]:
    return names - _NOT_IN_DECLARATION


@check(
    "discovery.service",
    title="The service is there",
    phase=Phase.DISCOVERY,
    subjects=services,
    official=("GATT/SR/GAD/BV-01-C",),
    paragraph="Vol 3, Part G, 4.4.1",
)
async def service(client: Client, subject: ServiceExpectation) -> AsyncIterator[Flaw]:
    """Found among the primary services."""
    if subject.locate(client.database) is None:
        yield Flaw(
            f"primary service {subject.uuid.label}",
            ", ".join(one.uuid.label for one in client.database.services) or "no service at all",
        )


@check(
    "discovery.service_count",
    title="Each service is there as often as the profile says",
    phase=Phase.DISCOVERY,
    subjects=device,
    official=("GATT/SR/GAD/BV-01-C",),
    paragraph="the profile; Vol 3, Part G, 4.4.1",
)
async def service_count(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Counts by UUID, of the services that the profile knows and the adapter shows."""
    promised = Counter(one.uuid for one in subject.services)
    for uuid, count in promised.items():
        found = len(client.database.find_services(uuid))
        if found > count:
            yield Flaw(f"{count} × service {uuid.label}", f"{found} ×")


@check(
    "discovery.characteristic",
    title="The characteristic is in its service",
    phase=Phase.DISCOVERY,
    subjects=characteristics(),
    official=("GATT/SR/GAD/BV-04-C", "GATT/SR/GAD/BV-05-C"),
    paragraph="Vol 3, Part G, 4.6.1",
)
async def characteristic(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Found in the service that the profile puts it in."""
    if subject.locate(client.database) is None:
        same = [
            holder.uuid.label
            for holder, one in client.database.characteristics()
            if one.uuid == subject.uuid
        ]
        where = f"found in {', '.join(same)}" if same else "nowhere in the database"
        yield Flaw(
            f"characteristic {subject.uuid.label} in service {subject.service_uuid.label}", where
        )


@check(
    "discovery.duplicates",
    title="No characteristic of the service occurs more often than the profile says",
    phase=Phase.DISCOVERY,
    subjects=services,
    official=("GATT/SR/GAD/BV-04-C",),
    paragraph="the profile; Vol 3, Part G, 3.3",
)
async def duplicates(client: Client, subject: ServiceExpectation) -> AsyncIterator[Flaw]:
    """Counts by UUID; one that the profile does not know at all is only told."""
    promised = Counter(one.uuid for one in subject.characteristics)
    found = Counter(one.uuid for one in service_of(client, subject).characteristics)
    for uuid, count in found.items():
        if uuid not in promised:
            yield Flaw(
                f"only characteristics that the profile lists in {subject.path}",
                f"{count} × {uuid.label}",
                severity=Severity.WARNING,
                remedy="add it to the profile",
            )
        elif count > promised[uuid]:
            yield Flaw(f"{promised[uuid]} × {uuid.label}", f"{count} ×")


@check(
    "discovery.properties",
    title="The properties are exactly those of the profile",
    phase=Phase.DISCOVERY,
    subjects=characteristics(),
    official=("GATT/SR/GAD/BV-04-C",),
    paragraph="Vol 3, Part G, 3.3.1.1",
)
async def properties(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """The bits of the declaration; extended properties are a check of their own."""
    promised = _properties(subject.properties)
    found = _properties(characteristic_of(client, subject).properties)
    if promised != found:
        yield Flaw(
            ", ".join(sorted(promised)) or "no property", ", ".join(sorted(found)) or "no property"
        )


@check(
    "discovery.extended_properties",
    title="Extended properties are declared and described",
    phase=Phase.DISCOVERY,
    subjects=characteristics(lambda one: bool(one.properties & set(_EXTENDED))),
    official=("GATT/SR/GAD/BV-06-C",),
    paragraph="Vol 3, Part G, 3.3.3.1",
)
async def extended_properties(
    client: Client, subject: CharacteristicExpectation
) -> AsyncIterator[Flaw]:
    """The descriptor 0x2900 is there and holds the bits that the profile names."""
    found = characteristic_of(client, subject)
    promised = sum(bit for name, bit in _EXTENDED.items() if name in subject.properties)
    same = [one for one in found.descriptors if one.uuid == EXTENDED_PROPERTIES]
    if len(same) != 1:
        yield Flaw("one Characteristic Extended Properties descriptor", f"{len(same)} of them")
        return
    outcome = await client.attempt.read_descriptor(same[0])
    if outcome.value != promised.to_bytes(2, "little"):
        yield Flaw(f"bits 0x{promised:04X}", str(outcome))


@check(
    "discovery.descriptor",
    title="The descriptor is there",
    phase=Phase.DISCOVERY,
    subjects=descriptors(),
    official=("GATT/SR/GAD/BV-06-C",),
    paragraph="Vol 3, Part G, 4.7.1",
)
async def descriptor(client: Client, subject: DescriptorOf) -> AsyncIterator[Flaw]:
    """Found behind its characteristic."""
    found = characteristic_of(client, subject.characteristic)
    if subject.descriptor.locate(found) is None:
        yield Flaw(
            f"descriptor {subject.descriptor.uuid.label}",
            ", ".join(one.uuid.label for one in found.descriptors) or "no descriptor",
        )


@check(
    "discovery.cccd",
    title="What notifies or indicates has one Client Characteristic Configuration",
    phase=Phase.DISCOVERY,
    subjects=characteristics(subscribable),
    official=("GATT/SR/GAD/BV-06-C",),
    paragraph="Vol 3, Part G, 3.3.3.3",
)
async def cccd(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Exactly one descriptor 0x2902."""
    found = characteristic_of(client, subject).descriptors
    count = sum(one.uuid == CCCD for one in found)
    if count != 1:
        yield Flaw("one Client Characteristic Configuration descriptor (0x2902)", f"{count} of it")


@check(
    "discovery.handles",
    title="Declaration, value and descriptors stand in the order of the specification",
    phase=Phase.DISCOVERY,
    subjects=characteristics(),
    paragraph="Vol 3, Part G, 3.3",
    needs=frozenset({Capability.HANDLES}),
)
async def handles(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """The value follows its declaration at once, its descriptors come after."""
    found = characteristic_of(client, subject)
    declaration, value = handle_of(found.handle), handle_of(found.value_handle)
    if value != declaration + 1:
        yield Flaw(
            "the value at the handle after the declaration",
            f"declaration 0x{declaration:04X}, value 0x{value:04X}",
        )
    last = value
    for one in found.descriptors:
        handle = handle_of(one.handle)
        if handle <= last:
            yield Flaw(
                f"descriptor {one.uuid.label} after handle 0x{last:04X}", f"at 0x{handle:04X}"
            )
        last = handle


@check(
    "discovery.groups",
    title="Services stand in the order of their handles and do not overlap",
    phase=Phase.DISCOVERY,
    subjects=device,
    paragraph="Vol 3, Part G, 2.5.1 and 3.1",
    needs=frozenset({Capability.HANDLES}),
)
async def groups(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Each group ends before the next begins, and holds its own characteristics."""
    last = 0
    for found in client.database.services:
        start, end = handle_of(found.handle), handle_of(found.end_handle)
        if not last < start <= end:
            yield Flaw(
                f"service {found.uuid.label} after handle 0x{last:04X}",
                f"0x{start:04X} to 0x{end:04X}",
            )
        for one in found.characteristics:
            if not start < handle_of(one.handle) < handle_of(one.value_handle) <= end:
                yield Flaw(
                    f"{one.uuid.label} between 0x{start:04X} and 0x{end:04X}",
                    f"at 0x{handle_of(one.handle):04X}",
                )
        last = end


@check(
    "gap.device_name",
    title="The Device Name of the GAP service is the profile's",
    phase=Phase.DISCOVERY,
    subjects=device,
    official=("GAP/GAT/BV-16-C", "GAP/IDLE/NAMP/BV-02-C"),
    paragraph="Vol 3, Part C, 12.1",
    needs=frozenset({Capability.ALL_SERVICES}),
)
async def device_name(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Read characteristic 0x2A00 of service 0x1800."""
    async for flaw in _gap(client, DEVICE_NAME, subject.device_name.encode(), "Device Name"):
        yield flaw


@check(
    "gap.appearance",
    title="The Appearance of the GAP service is the profile's",
    phase=Phase.DISCOVERY,
    subjects=device,
    official=("GAP/GAT/BV-17-C",),
    paragraph="Vol 3, Part C, 12.2",
    needs=frozenset({Capability.ALL_SERVICES}),
)
async def appearance(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Read characteristic 0x2A01 of service 0x1800, a 16-bit number."""
    expected = subject.appearance.to_bytes(2, "little")
    async for flaw in _gap(client, APPEARANCE, expected, "Appearance"):
        yield flaw


async def _gap(client: Client, uuid: Uuid, expected: bytes, what: str) -> AsyncIterator[Flaw]:
    found = [
        one
        for holder in client.database.find_services(GAP_SERVICE)
        for one in holder.characteristics
        if one.uuid == uuid
    ]
    if len(found) != 1:
        yield Flaw(f"one {what} in one GAP service", f"{len(found)} of it")
        return
    outcome = await client.attempt.read(found[0])
    if outcome.value == expected:
        return
    if outcome.value is None:
        seen = str(outcome)
    elif uuid == DEVICE_NAME:
        seen = f'"{outcome.value.decode(errors="replace")}"'
    else:
        seen = octets(outcome.value)
    yield Flaw(
        f'"{expected.decode()}"' if uuid == DEVICE_NAME else octets(expected),
        seen,
    )
