"""Devices that advertise something else than their profile."""

import asyncio

import pytest

from bletest.conformance import find
from bletest.errors import CapabilityMissing
from tests.support.rich_device import Fault, change, identifiers, rich
from tests.support.table_client import client_of

FAULTS = [
    change("advertising.name", '"Poor"', ("name: Rich,", "name: Poor,")),
    change("advertising.services", "0xFF20", ("services: [0xFF00]", "services: [0xFF20]")),
    change("advertising.manufacturer_data", "01 03", ("0x0059: 01 02", "0x0059: 01 03")),
    change("advertising.manufacturer_data", "no data for this", ("0x0059", "0x0060")),
    change("advertising.service_data", "08 (1 octet)", ("0xFF00: 07", "0xFF00: 08")),
    change("advertising.service_data", "no data for this", ("{0xFF00: 07}", "{0xFF20: 07}")),
    change("advertising.tx_power", "5 dBm", ("tx_power: 4", "tx_power: 5")),
    change("advertising.tx_power", "no TX power", (", tx_power: 4", "")),
]


@pytest.mark.parametrize("fault", FAULTS, ids=identifiers(FAULTS))
def test_a_device_that_advertises_something_else_is_found_out(fault: Fault) -> None:
    asyncio.run(fault.judge())


def test_a_link_that_is_gone_after_the_advertisement_is_a_finding() -> None:
    client = client_of(rich())
    client.is_connected = False
    [finding] = asyncio.run(find("advertising.connectable").run(client, rich().expectation))
    assert finding.official == ("GAP/CONN/UCON/BV-01-C",)
    assert "there is no link" in finding.observed


def test_a_client_that_did_not_scan_cannot_judge_advertising() -> None:
    client = client_of(rich())
    client.advertisement = None
    with pytest.raises(CapabilityMissing, match="without scanning"):
        asyncio.run(find("advertising.name").run(client, rich().expectation))
