"""What a client finds in the GATT database."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("discovery.service")
async def test_service(ble_client: GattClient, ble_case: Case) -> None:
    """The service is there."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.service_count")
async def test_service_count(ble_client: GattClient, ble_case: Case) -> None:
    """Each service is there as often as the profile says."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.characteristic")
async def test_characteristic(ble_client: GattClient, ble_case: Case) -> None:
    """The characteristic is in its service."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.duplicates")
async def test_duplicates(ble_client: GattClient, ble_case: Case) -> None:
    """No characteristic occurs more often than the profile says."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.properties")
async def test_properties(ble_client: GattClient, ble_case: Case) -> None:
    """The properties are exactly those of the profile."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.extended_properties")
async def test_extended_properties(ble_client: GattClient, ble_case: Case) -> None:
    """Extended properties are declared and described."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.handles")
async def test_handles(ble_client: GattClient, ble_case: Case) -> None:
    """Declaration, value and descriptors stand in order."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.groups")
async def test_groups(ble_client: GattClient, ble_case: Case) -> None:
    """Services stand in order and do not overlap."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("gap.device_name")
async def test_gap_device_name(ble_client: GattClient, ble_case: Case) -> None:
    """The Device Name of the GAP service is the profile's."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("gap.appearance")
async def test_gap_appearance(ble_client: GattClient, ble_case: Case) -> None:
    """The Appearance of the GAP service is the profile's."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.primary_services")
async def test_primary_services(ble_client: GattClient, ble_case: Case) -> None:
    """Paging through the services ends with Attribute Not Found."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.service_by_uuid")
async def test_service_by_uuid(ble_client: GattClient, ble_case: Case) -> None:
    """The service is found by its UUID."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.included_services")
async def test_included_services(ble_client: GattClient, ble_case: Case) -> None:
    """Included services are declared as the specification says."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("discovery.declarations")
async def test_declarations(ble_client: GattClient, ble_case: Case) -> None:
    """The declarations are those that discovery showed."""
    await ble_case.verify(ble_client)
