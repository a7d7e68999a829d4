"""What several clients at a time get."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("links.as_many")
async def test_as_many_clients(ble_client: GattClient, ble_case: Case) -> None:
    """The device serves as many clients at a time as its profile says."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("links.full")
async def test_a_full_device(ble_client: GattClient, ble_case: Case) -> None:
    """A device that is full takes no further client, until one has left."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("links.configuration")
async def test_configuration_of_each(ble_client: GattClient, ble_case: Case) -> None:
    """Each client has a configuration of its own."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("links.unasked")
async def test_nothing_for_others(ble_client: GattClient, ble_case: Case) -> None:
    """What one client subscribed to does not come to another."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("links.loss")
async def test_a_link_that_ends(ble_client: GattClient, ble_case: Case) -> None:
    """A link that ends leaves the others alone."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("links.replies")
async def test_replies(ble_client: GattClient, ble_case: Case) -> None:
    """A reply goes to whom the profile says."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("links.state")
async def test_state_of_each(ble_client: GattClient, ble_case: Case) -> None:
    """What one client has reached, another has not."""
    await ble_case.verify(ble_client)
