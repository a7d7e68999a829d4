"""Discovery as the PDUs show it: what a client's own database hides (Vol 3, Part G, 4.4 to 4.7)."""

from collections.abc import AsyncIterator

from bletest.conformance import raw
from bletest.conformance.registry import Flaw, Phase, check
from bletest.conformance.steps import handle_of, octets, service_of
from bletest.conformance.subjects import device, services
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.profile.expectation import DeviceExpectation, ServiceExpectation
from bletest.uuids import CCCD, CHARACTERISTIC, INCLUDE, PRIMARY_SERVICE, Uuid

_RAW = frozenset({Capability.RAW_ATT})
_BITS = {
    "broadcast": 0x01,
    "read": 0x02,
    "write_without_response": 0x04,
    "write": 0x08,
    "notify": 0x10,
    "indicate": 0x20,
    "authenticated_signed_write": 0x40,
    "reliable_write": 0x80,
    "writable_auxiliaries": 0x80,
    "extended_properties": 0x80,
}


@check(
    "discovery.primary_services",
    title="Paging through the primary services ends with Attribute Not Found",
    phase=Phase.DISCOVERY,
    subjects=device,
    official=("GATT/SR/GAD/BV-01-C",),
    paragraph="Vol 3, Part G, 4.4.1; Vol 3, Part F, 3.4.4.9",
    needs=_RAW,
)
async def primary_services(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Read By Group Type from 0x0001 on finds every service that the profile promises."""
    walk = await raw.Walk().by_group_type(client, 0x0001, 0xFFFF, PRIMARY_SERVICE)
    for flaw in walk.flaws:
        yield flaw
    found = [rest[2:] for _, rest in walk.entries]
    for one in subject.services:
        if found.count(one.uuid.to_bytes()) <= one.occurrence:
            yield Flaw(
                f"service {one.path} in the list",
                ", ".join(_label(value) for value in found) or "an empty list",
            )


@check(
    "discovery.service_by_uuid",
    title="The service is found by its UUID",
    phase=Phase.DISCOVERY,
    subjects=services,
    official=("GATT/SR/GAD/BV-02-C",),
    paragraph="Vol 3, Part G, 4.4.2; Vol 3, Part F, 3.4.3.3",
    needs=_RAW,
)
async def service_by_uuid(client: Client, subject: ServiceExpectation) -> AsyncIterator[Flaw]:
    """Find By Type Value lists the same groups as the discovery of all services."""
    found: list[tuple[int, int]] = []
    start = 0x0001
    while start <= 0xFFFF:
        request = raw.find_service(start, 0xFFFF, subject.uuid)
        answer = await client.exchange(request)
        if raw.error_of(answer, request[0]):
            for flaw in raw.not_refused(
                answer, request, (0x0A,), "nothing is left in the range", handle=start
            ):
                yield flaw
            break
        page = _ranges(answer)
        if not page or page[0][0] < start or page[-1][1] < start:
            yield Flaw(
                f"a list of handle ranges in answer to PDU {octets(request)}", raw.seen(answer)
            )
            break
        found += page
        start = page[-1][1] + 1
    known = [
        (handle_of(one.handle), handle_of(one.end_handle))
        for one in client.database.find_services(subject.uuid)
    ]
    if found != known:
        yield Flaw(f"{subject.uuid.label} at {_spans(known)}", _spans(found))


@check(
    "discovery.included_services",
    title="Included services are declared as the specification says",
    phase=Phase.DISCOVERY,
    subjects=services,
    official=("GATT/SR/GAD/BV-03-C",),
    paragraph="Vol 3, Part G, 3.2 and 4.5.1",
    needs=_RAW,
)
async def included_services(client: Client, subject: ServiceExpectation) -> AsyncIterator[Flaw]:
    """A declaration has two handles, and the UUID only where it has 16 bits; none is fine too."""
    group = service_of(client, subject)
    start, end = handle_of(group.handle), handle_of(group.end_handle)
    walk = await raw.Walk().by_type(client, start, end, INCLUDE)
    for flaw in walk.flaws:
        yield flaw
    for handle, rest in walk.entries:
        first, last = int.from_bytes(rest[:2], "little"), int.from_bytes(rest[2:4], "little")
        if len(rest) not in (4, 6) or not 0 < first <= last or start <= first <= end:
            yield Flaw(
                f"an include declaration at 0x{handle:04X} that points at another service",
                octets(rest),
            )


@check(
    "discovery.declarations",
    title="The characteristic declarations are those that discovery showed",
    phase=Phase.DISCOVERY,
    subjects=services,
    official=("GATT/SR/GAD/BV-04-C",),
    paragraph="Vol 3, Part G, 3.3.1 and 4.6.1",
    needs=_RAW,
)
async def declarations(client: Client, subject: ServiceExpectation) -> AsyncIterator[Flaw]:
    """Read By Type lists them in order, and its pages end with Attribute Not Found."""
    group = service_of(client, subject)
    start, end = handle_of(group.handle), handle_of(group.end_handle)
    walk = await raw.Walk().by_type(client, start, end, CHARACTERISTIC)
    for flaw in walk.flaws:
        yield flaw
    found = [raw.declaration_of(rest) for _, rest in walk.entries]
    for one in subject.characteristics:
        bits = 0
        for name in one.properties:
            bits |= _BITS.get(name, 0)
        same = [seen for seen in found if seen and seen[2] == one.uuid]
        if one.occurrence >= len(same):
            yield Flaw(f"a declaration of {one.path}", f"{len(same)} with its UUID")
        elif same[one.occurrence][0] != bits:
            yield Flaw(f"properties 0x{bits:02X} of {one.path}", f"0x{same[one.occurrence][0]:02X}")


@check(
    "discovery.descriptors",
    title="Find Information lists the descriptors of each characteristic",
    phase=Phase.DISCOVERY,
    subjects=lambda expectation: [
        one
        for one in expectation.services
        if any(
            inner.descriptors or inner.properties & {"notify", "indicate"}
            for inner in one.characteristics
        )
    ],
    official=("GATT/SR/GAD/BV-06-C",),
    paragraph="Vol 3, Part G, 4.7.1; Vol 3, Part F, 3.4.3.1",
    needs=_RAW,
)
async def listed_descriptors(client: Client, subject: ServiceExpectation) -> AsyncIterator[Flaw]:
    """Every handle of the service has a type, and the promised descriptors are among them."""
    group = service_of(client, subject)
    types: dict[int, Uuid] = {}
    start, end = handle_of(group.handle), handle_of(group.end_handle)
    at = start
    while at <= end:
        request = raw.find_information(at, end)
        answer = await client.exchange(request)
        if raw.error_of(answer, request[0]) is not None:
            for flaw in raw.not_refused(
                answer, request, (0x0A,), "nothing is left in the range", handle=at
            ):
                yield flaw
            break
        page = _types(answer)
        if not page or min(page) < at or max(page) > end or list(page) != sorted(page):
            yield Flaw(
                f"a list of handles and types in answer to PDU {octets(request)}", raw.seen(answer)
            )
            break
        types |= page
        at = max(page) + 1
    for one in subject.characteristics:
        located = one.locate(client.database)
        if located is None:
            continue
        shown = [types.get(handle_of(found.handle)) for found in located.descriptors]
        promised = [inner.uuid for inner in one.descriptors]
        if one.subscribe is not None and CCCD not in promised:
            promised.append(CCCD)
        for uuid in promised:
            if promised.count(uuid) > shown.count(uuid):
                yield Flaw(
                    f"descriptor {uuid.label} of {one.path}",
                    ", ".join(found.label for found in shown if found) or "no descriptor",
                )


def _label(value: bytes) -> str:
    return Uuid.from_bytes(value).label if len(value) in (2, 16) else octets(value)


def _ranges(answer: bytes | None) -> list[tuple[int, int]]:
    if (
        not answer
        or answer[0] != raw.FIND_BY_TYPE_VALUE + 1
        or len(answer) == 1
        or len(answer) % 4 != 1
    ):
        return []
    return [
        (
            int.from_bytes(answer[at : at + 2], "little"),
            int.from_bytes(answer[at + 2 : at + 4], "little"),
        )
        for at in range(1, len(answer), 4)
    ]


def _spans(ranges: list[tuple[int, int]]) -> str:
    return ", ".join(f"0x{start:04X} to 0x{end:04X}" for start, end in ranges) or "no handle"


def _types(answer: bytes | None) -> dict[int, Uuid]:
    if not answer or answer[0] != raw.FIND_INFORMATION + 1 or len(answer) < 3:
        return {}
    size = {1: 4, 2: 18}.get(answer[1], 0)
    if not size or (len(answer) - 2) % size:
        return {}
    return {
        int.from_bytes(answer[at : at + 2], "little"): Uuid.from_bytes(answer[at + 2 : at + size])
        for at in range(2, len(answer), size)
    }
