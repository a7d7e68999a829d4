"""Devices that agree on the wrong ATT_MTU, or come back changed."""

import asyncio

import pytest

from bletest.conformance import find
from tests.support.rich_device import (
    Fault,
    altering,
    change,
    findings_of,
    identifiers,
    meddle,
    replying,
    rich,
)
from tests.support.table_client import TableClient, TableDevice


def below_23(request: bytes) -> bool:
    return request[0] == 0x02 and int.from_bytes(request[1:], "little") < 23


NO_CCCD = altering(0x05, lambda pdu: pdu.replace(b"\x02\x29", b"\x99\x29"))

FAULTS = [
    change("mtu.bounds", "200", ("mtu: 100", "mtu: 200")),
    change("mtu.exchange", "200", ("mtu: 100", "mtu: 200")),
    meddle("mtu.too_small", "no answer", replying(below_23, None), count=2),
    meddle("mtu.read_response", "PDU 0b", altering(0x0B, lambda pdu: pdu[:23])),
    meddle(
        "reconnect.database",
        "gone: ",
        NO_CCCD,
    ),
    change("reconnect.value", "08", ("value: {uint8: 7}", "value: {uint8: 8}")),
]


@pytest.mark.parametrize("fault", FAULTS, ids=identifiers(FAULTS))
def test_a_device_that_comes_back_changed_is_found_out(fault: Fault) -> None:
    asyncio.run(fault.judge())


class Deaf(TableClient):
    """Its device takes no second connection."""

    async def reconnect(self) -> None:
        await super().reconnect()
        self.is_connected = False


def test_a_device_that_takes_no_second_connection_is_found_out() -> None:
    client = Deaf(TableDevice(rich()))
    [finding] = asyncio.run(find("reconnect.accepted").run(client, rich().expectation))
    assert finding.observed == "none after disconnection 1"


def test_a_client_that_offers_less_than_the_device_is_no_fault() -> None:
    assert asyncio.run(findings_of("mtu.bounds", mtu=50)) == []
    assert asyncio.run(findings_of("mtu.exchange", mtu=50)) == []
