"""Reboots, and what the device is after them."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("reboot.mode")
async def test_mode(ble_client: GattClient, ble_case: Case) -> None:
    """A write that reboots the device brings it back as what the profile says."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("reboot.service_changed")
async def test_service_changed(ble_client: GattClient, ble_case: Case) -> None:
    """A bonded client is told that the database is another one after a reboot."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("reboot.database_hash")
async def test_database_hash(ble_client: GattClient, ble_case: Case) -> None:
    """The Database Hash is another one when the database is another one."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("service.comes")
async def test_service_comes(ble_client: GattClient, ble_case: Case) -> None:
    """A service that a write adds is there after it, and not before."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("service.goes")
async def test_service_goes(ble_client: GattClient, ble_case: Case) -> None:
    """A service that a write removes is not there after it."""
    await ble_case.verify(ble_client)
