"""What a new connection finds."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("reconnect.accepted")
async def test_reconnect(ble_client: GattClient, ble_case: Case) -> None:
    """The device takes one connection after another."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("reconnect.database")
async def test_database(ble_client: GattClient, ble_case: Case) -> None:
    """The database is the same on a new connection."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("reconnect.value")
async def test_value(ble_client: GattClient, ble_case: Case) -> None:
    """A value that is always the same is so on a new connection."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.forgotten")
async def test_prepared_write_forgotten(ble_client: GattClient, ble_case: Case) -> None:
    """Parts that were queued before a disconnection are not executed."""
    await ble_case.verify(ble_client)
