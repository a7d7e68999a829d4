"""What the device tells before anybody connects."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("advertising.connectable")
async def test_connectable(ble_client: GattClient, ble_case: Case) -> None:
    """The device advertises, and takes a connection."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("advertising.name")
async def test_name(ble_client: GattClient, ble_case: Case) -> None:
    """The name advertised is the profile's."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("advertising.services")
async def test_services(ble_client: GattClient, ble_case: Case) -> None:
    """Every service UUID that the profile promises is advertised."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("advertising.manufacturer_data")
async def test_manufacturer_data(ble_client: GattClient, ble_case: Case) -> None:
    """The manufacturer data advertised is the profile's."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("advertising.service_data")
async def test_service_data(ble_client: GattClient, ble_case: Case) -> None:
    """The service data advertised is the profile's."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("advertising.tx_power")
async def test_tx_power(ble_client: GattClient, ble_case: Case) -> None:
    """The TX power level advertised is the profile's."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("advertising.window")
async def test_window(ble_client: GattClient, ble_case: Case) -> None:
    """The device advertises in its window, and in no other time."""
    await ble_case.verify(ble_client)
