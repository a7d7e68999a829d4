"""What a new connection finds (Vol 3, Part C, 9.3; Vol 3, Part G, 2.5.2)."""

from collections.abc import AsyncIterator

from bletest.conformance.registry import Flaw, Phase, check
from bletest.conformance.steps import characteristic_of, unlike
from bletest.conformance.subjects import characteristics, device
from bletest.contracts.client import Client
from bletest.contracts.database import RemoteDatabase
from bletest.profile.expectation import CharacteristicExpectation, DeviceExpectation

_CYCLES = 3


@check(
    "reconnect.accepted",
    title="The device takes one connection after another",
    phase=Phase.RECONNECTION,
    subjects=device,
    official=("GAP/CONN/TERM/BV-01-C", "GAP/CONN/UCON/BV-01-C"),
    paragraph="Vol 3, Part C, 9.3.4 and 9.3.10",
)
async def accepted(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Disconnect and connect, three times over."""
    for cycle in range(1, _CYCLES + 1):
        await client.reconnect()
        if not client.is_connected:
            yield Flaw("a link each time", f"none after disconnection {cycle}")
            return


@check(
    "reconnect.database",
    title="The database is the same on a new connection",
    phase=Phase.RECONNECTION,
    subjects=device,
    paragraph="Vol 3, Part G, 2.5.2",
)
async def database(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Same services, characteristics and descriptors at the same handles."""
    before = lines_of(client.database)
    await client.reconnect()
    after = lines_of(client.database)
    gone = [line for line in before if line not in after]
    new = [line for line in after if line not in before]
    if gone or new:
        yield Flaw(
            f"the same {len(before)} attributes as before",
            "; ".join([f"gone: {line}" for line in gone] + [f"new: {line}" for line in new]),
        )


@check(
    "reconnect.value",
    title="A value that is always the same is so on a new connection",
    phase=Phase.RECONNECTION,
    subjects=characteristics(
        lambda one: (
            one.read is not None
            and one.read.open
            and one.value.exact is not None
            and one.write is None
        )
    ),
    paragraph="the profile",
)
async def value(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """Read it as the first thing on the new connection."""
    await client.reconnect()
    outcome = await client.attempt.read(characteristic_of(client, subject))
    for flaw in unlike(outcome, subject.value):
        yield flaw


def lines_of(found: RemoteDatabase) -> list[str]:
    """Return a line for each attribute, by which two databases can be compared."""
    lines = []
    for service in found.services:
        lines.append(f"service {service.uuid.label}{_at(service.handle)}{_at(service.end_handle)}")
        for one in service.characteristics:
            names = ", ".join(sorted(one.properties))
            lines.append(f"{one.uuid.label}{_at(one.value_handle)} ({names})")
            lines += [
                f"{one.uuid.label}/{inner.uuid.label}{_at(inner.handle)}"
                for inner in one.descriptors
            ]
    return lines


def _at(handle: int | None) -> str:
    return "" if handle is None else f" 0x{handle:04X}"
