"""What the device tells a scanner (Vol 3, Part C, 9 and 13; Core Specification Supplement)."""

from collections.abc import AsyncIterator

from bletest.conformance.registry import Flaw, Phase, check
from bletest.conformance.steps import octets
from bletest.conformance.subjects import device
from bletest.contracts.advertisements import Advertisement
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.contracts.windows import Deadline, Window
from bletest.errors import CapabilityMissing
from bletest.profile.expectation import DeviceExpectation


def _advertisement(client: Client) -> Advertisement:
    if client.advertisement is None:
        raise CapabilityMissing(
            "the client connected without scanning, nothing is known of the advertising",
            capability="scanning",
            remedy="name the device by its name or service instead of its address",
        )
    return client.advertisement


@check(
    "advertising.connectable",
    title="The device advertises and takes a connection",
    phase=Phase.ADVERTISING,
    subjects=device,
    official=("GAP/CONN/UCON/BV-01-C",),
    paragraph="Vol 3, Part C, 9.3.4",
)
async def connectable(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Seen by a scanner, then connected to."""
    seen = _advertisement(client)
    if not client.is_connected:
        yield Flaw(
            f"a link to {subject.name} after its advertisement",
            f"{seen.address} was seen, and there is no link",
        )


@check(
    "advertising.name",
    title="The name advertised is the profile's",
    phase=Phase.ADVERTISING,
    subjects=lambda expectation: [expectation] if expectation.advertising.name is not None else [],
    official=("GAP/ADV/BV-02-C",),
    paragraph="Core Specification Supplement, Part A, 1.2",
)
async def name(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Complete Local Name, in advertising data or scan response."""
    seen = _advertisement(client).name
    if seen != subject.advertising.name:
        yield Flaw(
            f'local name "{subject.advertising.name}"',
            "no local name" if seen is None else f'"{seen}"',
        )


@check(
    "advertising.services",
    title="Every service UUID that the profile promises is advertised",
    phase=Phase.ADVERTISING,
    subjects=lambda expectation: [expectation] if expectation.advertising.services else [],
    official=("GAP/ADV/BV-01-C",),
    paragraph="Core Specification Supplement, Part A, 1.1",
)
async def services(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Service UUIDs; more than promised may be there."""
    seen = _advertisement(client).services
    for uuid in subject.advertising.services:
        if uuid not in seen:
            yield Flaw(
                f"service UUID {uuid.label} among those advertised",
                ", ".join(one.label for one in seen) or "no service UUID",
            )


@check(
    "advertising.manufacturer_data",
    title="The manufacturer data advertised is the profile's",
    phase=Phase.ADVERTISING,
    subjects=lambda expectation: [expectation] if expectation.advertising.manufacturer_data else [],
    official=("GAP/ADV/BV-04-C",),
    paragraph="Core Specification Supplement, Part A, 1.4",
)
async def manufacturer_data(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Manufacturer Specific Data by company identifier."""
    seen = _advertisement(client).manufacturer_data
    for company, data in subject.advertising.manufacturer_data.items():
        found = seen.get(company)
        if found != data:
            yield Flaw(
                f"{octets(data)} for company 0x{company:04X}",
                "no data for this company" if found is None else octets(found),
            )


@check(
    "advertising.service_data",
    title="The service data advertised is the profile's",
    phase=Phase.ADVERTISING,
    subjects=lambda expectation: [expectation] if expectation.advertising.service_data else [],
    official=("GAP/ADV/BV-10-C",),
    paragraph="Core Specification Supplement, Part A, 1.11",
)
async def service_data(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Service Data by service UUID."""
    seen = _advertisement(client).service_data
    for uuid, data in subject.advertising.service_data.items():
        found = seen.get(uuid)
        if found != data:
            yield Flaw(
                f"{octets(data)} for service {uuid.label}",
                "no data for this service" if found is None else octets(found),
            )


@check(
    "advertising.tx_power",
    title="The TX power level advertised is the profile's",
    phase=Phase.ADVERTISING,
    subjects=lambda expectation: (
        [expectation] if expectation.advertising.tx_power is not None else []
    ),
    official=("GAP/ADV/BV-05-C",),
    paragraph="Core Specification Supplement, Part A, 1.5",
)
async def tx_power(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """TX Power Level in dBm."""
    seen = _advertisement(client).tx_power
    if seen != subject.advertising.tx_power:
        yield Flaw(
            f"TX power level {subject.advertising.tx_power} dBm",
            "no TX power level" if seen is None else f"{seen} dBm",
        )


_TOLERANCE = 0.1
"""The share of its window by which a device may fall silent too early or too late."""
_LOOK = 1.0
"""Seconds for which it is worth to look for a device at least."""


@check(
    "advertising.window",
    title="The device advertises in its window, and in no other time",
    phase=Phase.ADVERTISING,
    subjects=lambda expectation: (
        [expectation] if expectation.advertising.window is not None else []
    ),
    paragraph="the profile's window",
    needs=frozenset({Capability.WAKE}),
)
async def window(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """There after a disconnection, if that opens it, and still near the end; then silence.

    The window of a device that was switched on or woken has ended by then, too.
    """
    declared = subject.advertising.window
    assert declared is not None  # subjects
    look = max(_LOOK, 10 * subject.advertising.interval)
    await client.disconnect()
    start = client.now()
    end = Window.around(declared.length, tolerance=_TOLERANCE, timing=client.timing)
    if "disconnect" in declared.after:
        if not await client.advertises(within=min(look, end.earliest)):
            yield Flaw(f"advertising {declared}", f"none in the first {look:g} s after a link")
            return
        since = max(0.0, end.earliest - look)
        wait = Deadline(start + since).left(client.now())
        if not await client.advertises(within=end.earliest - since, after=wait):
            yield Flaw(
                f"advertising {declared}",
                f"none from {since:.1f} s to {end.earliest:.1f} s after a link",
            )
    wait = Deadline(start + end.latest).left(client.now())
    if await client.advertises(within=look, after=wait):
        yield Flaw(
            f"silence {end.latest:.1f} s after a link",
            f"it advertised {client.now() - start:.1f} s after it",
        )
