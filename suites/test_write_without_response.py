"""What a write command does, which nobody acknowledges."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("command.delivered")
async def test_command(ble_client: GattClient, ble_case: Case) -> None:
    """A write without response reaches the value."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("command.refused")
async def test_command_refused(ble_client: GattClient, ble_case: Case) -> None:
    """A write without response to a value that is not writable is ignored."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("command.too_long")
async def test_command_too_long(ble_client: GattClient, ble_case: Case) -> None:
    """A write without response that is too long is dropped."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("signed.forged")
async def test_forged_signature(ble_client: GattClient, ble_case: Case) -> None:
    """A signed write with a wrong signature is ignored."""
    await ble_case.verify(ble_client)
