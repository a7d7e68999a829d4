"""What stands behind a value."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("discovery.descriptor")
async def test_descriptor(ble_client: GattClient, ble_case: Case) -> None:
    """The descriptor is there."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.cccd")
async def test_cccd(ble_client: GattClient, ble_case: Case) -> None:
    """What notifies or indicates has one Client Characteristic Configuration."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.descriptors")
async def test_listed_descriptors(ble_client: GattClient, ble_case: Case) -> None:
    """Find Information lists the descriptors."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("descriptor.value")
async def test_read_descriptor(ble_client: GattClient, ble_case: Case) -> None:
    """The descriptor's value is what the profile expects."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("descriptor.refused")
async def test_read_descriptor_refused(ble_client: GattClient, ble_case: Case) -> None:
    """A descriptor that is not readable is refused with Read Not Permitted."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("descriptor.presentation_format")
async def test_presentation_format(ble_client: GattClient, ble_case: Case) -> None:
    """A presentation format is well formed."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("descriptor.aggregate_format")
async def test_aggregate_format(ble_client: GattClient, ble_case: Case) -> None:
    """An aggregate format lists presentation formats."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("descriptor.write")
async def test_write_descriptor(ble_client: GattClient, ble_case: Case) -> None:
    """A writable descriptor takes a value and gives it back."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("descriptor.write_refused")
async def test_write_descriptor_refused(ble_client: GattClient, ble_case: Case) -> None:
    """A descriptor that is not writable is refused with Write Not Permitted."""
    await ble_case.verify(ble_client)
