"""Databases that differ from the profile, and servers that list them wrongly."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bletest.conformance import find
from bletest.contracts.database import RemoteCharacteristic, RemoteDatabase
from bletest.contracts.findings import Finding, Severity
from tests.support.rich_device import (
    Fault,
    altering,
    change,
    findings_of,
    identifiers,
    meddle,
    recode,
    rich,
)
from tests.support.table_client import Meddler, client_of

LEVEL = "      - {uuid: 0xFF01, id: level, properties: [read], value: {uint8: 7}, expect: same}\n"
DESCRIBED = "  - uuid: 0xFF30\n"
AGAIN = (
    "  - uuid: 0xFF20\n    id: again\n    characteristics:\n"
    "      - {uuid: 0xFF99, properties: [read], value: {uint8: 1}}\n"
)
NO_CCCD = altering(0x05, lambda pdu: pdu.replace(b"\x02\x29", b"\x99\x29"))
NO_PROPERTIES = Meddler(
    answer=lambda request, right: (
        _without_properties(right)
        if right and right[0] == 0x09 and request[5:] == b"\x03\x28"
        else right
    )
)
INCLUDE_OF_NOTHING = Meddler(
    answer=lambda request, right: (
        right[:4] + bytes(4) + right[8:]
        if right and right[0] == 0x09 and request[5:] == b"\x02\x28"
        else right
    )
)


def _without_properties(pdu: bytes) -> bytes:
    size = pdu[1]
    entries = [pdu[at : at + size] for at in range(2, len(pdu), size)]
    return pdu[:2] + b"".join(one[:2] + b"\0" + one[3:] for one in entries)


ENDS_ELSEWHERE = altering(0x07, lambda pdu: pdu[:-1] + b"\xee")
NOT_EXTENDED = altering(0x05, lambda pdu: pdu.replace(b"\x00\x29", b"\x98\x29"))

FAULTS = [
    change("discovery.service", "0xFF40", ("uuid: 0xFF30", "uuid: 0xFF40")),
    change("discovery.service_count", "2 ×", (DESCRIBED, f"{AGAIN}{DESCRIBED}")),
    change("discovery.characteristic", "nowhere", ("uuid: 0xFF01", "uuid: 0xFF81")),
    change("discovery.duplicates", "2 ×", (LEVEL, f"{LEVEL}{LEVEL.replace('level', 'two')}")),
    change(
        "discovery.properties",
        "notify, read",
        ("level, properties: [", "level, properties: [notify, "),
    ),
    meddle("discovery.extended_properties", "0 of them", NOT_EXTENDED, early=True),
    meddle("discovery.extended_properties", "01 00", altering(0x0B, lambda pdu: b"\x0b\x01\x00")),
    change("discovery.descriptor", "user_description", ("uuid: 0xFF3A", "uuid: 0xFF4A")),
    meddle("discovery.cccd", "0 of it", NO_CCCD, count=5, early=True),
    change("gap.device_name", '"Poor"', ("name: Rich,", "name: Poor,")),
    change("gap.appearance", "41 03", ("0x0340", "0x0341")),
    meddle("discovery.primary_services", "INVALID_HANDLE", recode(0x0A, 0x01)),
    change("discovery.primary_services", "0xFF40", ("uuid: 0xFF30", "uuid: 0xFF40")),
    meddle(
        "discovery.service_by_uuid", "0x", altering(0x07, lambda pdu: pdu[:-1] + b"\xee"), count=3
    ),
    meddle("discovery.included_services", "00 00", INCLUDE_OF_NOTHING),
    meddle("discovery.declarations", "0x00", NO_PROPERTIES, count=16),
    meddle("discovery.descriptors", "0x2999", NO_CCCD, count=5),
]


@pytest.mark.parametrize("fault", FAULTS, ids=identifiers(FAULTS))
def test_a_database_that_differs_is_found_out(fault: Fault) -> None:
    asyncio.run(fault.judge())


def test_a_characteristic_the_profile_does_not_know_is_only_told() -> None:
    extra = LEVEL.replace("FF01", "FF91").replace("level", "more")
    [finding] = asyncio.run(findings_of("discovery.duplicates", None, (LEVEL, f"{LEVEL}{extra}")))
    assert finding.severity is Severity.WARNING
    assert "1 × 0xFF91" in finding.observed


def test_a_value_away_from_its_declaration_is_a_finding() -> None:
    findings = _with_database(
        "discovery.handles", lambda one: replace(one, value_handle=(one.handle or 0) + 2)
    )
    assert findings
    assert all("declaration 0x" in one.observed for one in findings)


def test_a_characteristic_outside_its_service_is_a_finding() -> None:
    findings = _with_database("discovery.groups", lambda one: replace(one, handle=0xFFF0))
    assert findings
    assert all("at 0xFFF0" in one.observed for one in findings)


def _with_database(
    code: str, alter: Callable[[RemoteCharacteristic], RemoteCharacteristic]
) -> list[Finding]:
    client = client_of(rich())
    client.database = RemoteDatabase(
        tuple(
            replace(service, characteristics=tuple(map(alter, service.characteristics)))
            for service in client.database.services
        )
    )
    [case, *_] = find(code).cases(rich().expectation)
    return asyncio.run(case.run(client))
