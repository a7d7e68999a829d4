"""Service Changed: what tells a client that the database is another one (Vol 3, Part G, 7.1)."""

from collections.abc import Iterable, Iterator, Sequence

from bletest.conformance.registry import Flaw
from bletest.conformance.steps import octets
from bletest.contracts.client import Client
from bletest.contracts.database import RemoteCharacteristic
from bletest.errors import AttributeMissing
from bletest.profile.expectation import ServiceExpectation
from bletest.uuids import GATT_SERVICE, SERVICE_CHANGED

_TOLD = 2.0
"""Seconds in which Service Changed comes once the link is encrypted."""


def service_changed_of(client: Client) -> RemoteCharacteristic:
    """Return the discovered characteristic; raises AttributeMissing."""
    for service in client.database.find_services(GATT_SERVICE):
        for one in service.characteristics:
            if one.uuid == SERVICE_CHANGED:
                return one
    raise AttributeMissing("the device has no Service Changed characteristic (0x2A05)")


async def told_of_changes(client: Client) -> list[bytes]:
    """Return the Service Changed indications that a client gets which has not subscribed anew."""
    handle = service_changed_of(client).value_handle
    names = ("service_changed", f"handle 0x{handle or 0:04X}")
    came = await client.unasked(within=_TOLD)
    return [one.raw for one in came if one.attribute.endswith(names)]


def covers(
    client: Client, told: Sequence[bytes], services: Iterable[ServiceExpectation]
) -> Iterator[Flaw]:
    """Yield a flaw unless one of the indications ``told`` spans the handles of ``services``."""
    if not told:
        yield Flaw("Service Changed is indicated", "it is not")
        return
    ranges = [(one[:2], one[2:]) for one in told if len(one) == 4]
    if len(ranges) < len(told):
        yield Flaw("a range of handles, 4 octets", ", ".join(map(octets, told)))
        return
    spans = [(int.from_bytes(a, "little"), int.from_bytes(b, "little")) for a, b in ranges]
    for service in services:
        found = service.locate(client.database)
        if found is None or found.handle is None or found.end_handle is None:
            continue  # somebody else's clause, or an adapter that hides handles
        first, last = found.handle, found.end_handle
        if not any(start <= first and last <= end for start, end in spans):
            shown = ", ".join(f"0x{start:04X} to 0x{end:04X}" for start, end in spans)
            yield Flaw(f"a range that holds {service.path}, 0x{first:04X} to 0x{last:04X}", shown)
