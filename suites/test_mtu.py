"""How long a PDU may be."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("mtu.bounds")
async def test_mtu(ble_client: GattClient, ble_case: Case) -> None:
    """ATT_MTU is no more than the device offers and no less than 23."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("mtu.exchange")
async def test_mtu_offered(ble_client: GattClient, ble_case: Case) -> None:
    """The device offers the MTU that the profile says."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("mtu.too_small")
async def test_mtu_too_small(ble_client: GattClient, ble_case: Case) -> None:
    """A client's MTU below 23 changes nothing and breaks nothing."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("mtu.read_response")
async def test_read_response_length(ble_client: GattClient, ble_case: Case) -> None:
    """A Read Response of a long value is as long as ATT_MTU."""
    await ble_case.verify(ble_client)
