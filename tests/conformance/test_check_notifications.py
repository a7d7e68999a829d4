"""Devices that notify wrongly, or when nobody asked."""

import asyncio
from collections.abc import Callable

import pytest

from bletest.conformance import find
from bletest.contracts.findings import Finding, Severity
from bletest.contracts.windows import LinkTiming
from bletest.profile import loads
from bletest.uuids import Uuid
from tests.support.rich_device import (
    Fault,
    change,
    findings_of,
    identifiers,
    meddle,
    replying,
    rich,
)
from tests.support.table_client import Meddler, client_of

DEAF_TO_CONFIGURATION = replying(lambda request: request[0] == 0x12 and len(request) == 5, b"\x13")
ODD_REFUSAL = replying(
    lambda request: request[0] == 0x12 and request[3:] == b"\xfc\xff", b"\x01\x12\x00\x00\x0e"
)


def of_length(length: int) -> Callable[[bytes], bool]:
    return lambda request: request[0] == 0x12 and len(request) == 3 + length


FAULTS = [
    meddle("notify.unasked", "octet", Meddler(sends_until_configured=True), count=2),
    meddle("notify.configuration", "0x0000", DEAF_TO_CONFIGURATION, count=5),
    change("notify.period", "3 in the time", ("every: 1s", "every: 2s")),
    meddle("notify.period", "gaps of", Meddler(late=lambda number: 0.3 * (-1) ** number), count=2),
    change(
        "notify.values",
        "c8 (1 octet)",
        ("from: 1, to: 50, step: 1", "from: 200, to: 200, step: 1"),
        ("max: 100}", "max: 200}"),
        count=6,
    ),
    meddle("notify.stops", "octet", Meddler(sends_when_off=True), count=2),
    meddle("indicate.confirmed", "1 came", Meddler(deaf=lambda request: request[0] == 0x1E)),
    meddle("notify.forgotten", "0x0001", Meddler(keeps_configuration=True), count=3),
    meddle("indicate.forgotten", "0x0002", Meddler(keeps_configuration=True)),
    meddle("notify.remembered", "0x0000", Meddler(forgets_bonds=True), count=4),
    meddle("indicate.remembered", "0x0000", Meddler(forgets_bonds=True)),
    meddle("notify.configuration_length", "PDU 13", replying(of_length(3), b"\x13"), count=5),
    meddle("notify.configuration_bits", "UNLIKELY_ERROR", ODD_REFUSAL, count=5),
]


@pytest.mark.parametrize("fault", FAULTS, ids=identifiers(FAULTS))
def test_a_device_that_notifies_wrongly_is_found_out(fault: Fault) -> None:
    asyncio.run(fault.judge())


def test_what_comes_unasked_is_named_once_for_each_attribute_with_its_octets() -> None:
    eager = Meddler(sends_until_configured=True)
    often = ("every: 2s, tolerance", "every: 500ms, tolerance")
    found = asyncio.run(findings_of("notify.unasked", eager, often))
    assert [(one.attribute, one.observed) for one in found] == [
        ("device", "main/alarm: 01 (1 octet), the first of 4"),
        ("device", "main/meter: 01 (1 octet), the first of 2"),
    ]
    assert found[0].expected.startswith("nothing for 2.200 s on a new connection")


def test_what_a_bond_has_subscribed_to_does_not_count_as_unasked() -> None:
    client = client_of(rich())
    meter = next(one for _, one in client.database.characteristics() if one.uuid == Uuid(0xFF06))

    async def judge() -> list[Finding]:
        await client.pair()
        await client.attempt.subscribe(meter)
        await client.reconnect()
        assert [one.attribute for one in await client.unasked(within=2.5)] == ["main/meter"] * 2
        return await find("notify.unasked").run(client, rich().expectation)

    assert asyncio.run(judge()) == []


@pytest.mark.parametrize(("every", "seconds"), [("100ms", 2.0), ("20s", 22.0), ("1h", 30.0)])
def test_silence_lasts_the_longest_period_within_reason(every: str, seconds: float) -> None:
    periods = [(f"every: {one}, tolerance", f"every: {every}, tolerance") for one in ("1s", "2s")]
    client = client_of(rich(*periods))
    before = client.now()
    assert asyncio.run(find("notify.unasked").run(client, rich(*periods).expectation)) == []
    assert client.now() - before == pytest.approx(seconds)


def test_a_profile_that_sends_nothing_has_nothing_to_be_silent_about() -> None:
    level = "{uuid: 0xFF01, properties: [read], value: {uint8: 1}}"
    silent = loads(
        "bletest: 1\nname: silent\ndevice: {name: Silent}\n"
        f"services:\n  - {{uuid: 0xFF00, characteristics: [{level}]}}\n",
        "silent.yaml",
    )
    assert find("notify.unasked").cases(silent.expectation) == []
    assert len(find("notify.unasked").cases(rich().expectation)) == 1


def test_one_notification_that_is_late_is_only_told() -> None:
    late = Meddler(late=lambda number: {2: 0.4, 3: -0.4}.get(number, 0.0))
    findings = [
        one
        for one in asyncio.run(findings_of("notify.period", late))
        if one.attribute == "main/meter"
    ]
    assert [one.severity for one in findings] == [Severity.WARNING]
    assert "none was lost" in findings[0].observed


def test_a_configuration_of_one_octet_that_is_taken_is_only_told() -> None:
    lax = replying(of_length(1), b"\x13")
    findings = asyncio.run(findings_of("notify.configuration_length", lax))
    assert {one.severity for one in findings} == {Severity.WARNING}


def test_a_slow_link_widens_the_window_of_a_period() -> None:
    late = Meddler(late=lambda number: 0.3 * (-1) ** number)
    [case, _] = find("notify.period").cases(rich().expectation)
    slow = LinkTiming(interval=0.4)
    assert asyncio.run(case.run(client_of(rich(), late, timing=slow))) == []
    assert asyncio.run(case.run(client_of(rich(), late))) != []
