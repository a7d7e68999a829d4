"""What writing does."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("write.accepted")
async def test_write(ble_client: GattClient, ble_case: Case) -> None:
    """A value that the profile accepts is acknowledged, and read back."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.rule")
async def test_write_rule(ble_client: GattClient, ble_case: Case) -> None:
    """A value that the profile has a rule for does what the rule says."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.otherwise")
async def test_write_otherwise(ble_client: GattClient, ble_case: Case) -> None:
    """Any other value does what the profile says of the rest."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.refused")
async def test_write_refused(ble_client: GattClient, ble_case: Case) -> None:
    """A value that is not writable is refused with Write Not Permitted."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.too_long")
async def test_write_too_long(ble_client: GattClient, ble_case: Case) -> None:
    """A write longer than the value may be is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.too_short")
async def test_write_too_short(ble_client: GattClient, ble_case: Case) -> None:
    """A write shorter than the value may be is refused."""
    await ble_case.verify(ble_client)
