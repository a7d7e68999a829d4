"""A firmware-update target: an image in objects, chunk by chunk."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("transfer.whole")
async def test_whole(ble_client: GattClient, ble_case: Case) -> None:
    """An image is taken in objects, and the device does what it says when it is complete."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("transfer.service_changed")
async def test_service_changed(ble_client: GattClient, ble_case: Case) -> None:
    """A bonded client is told that the new firmware has another database."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("transfer.wrong_image")
async def test_wrong_image(ble_client: GattClient, ble_case: Case) -> None:
    """An image with one wrong bit is refused, and thrown away."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("transfer.abort")
async def test_abort(ble_client: GattClient, ble_case: Case) -> None:
    """An abort throws away what has come."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("transfer.resume")
async def test_resume(ble_client: GattClient, ble_case: Case) -> None:
    """A transfer goes on where a lost link has interrupted it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("transfer.order")
async def test_order(ble_client: GattClient, ble_case: Case) -> None:
    """What comes out of order, or makes no sense, is answered with the right result."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("transfer.too_long")
async def test_too_long(ble_client: GattClient, ble_case: Case) -> None:
    """A packet that goes beyond its object is not taken."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("transfer.unconfigured")
async def test_unconfigured(ble_client: GattClient, ble_case: Case) -> None:
    """A control point that cannot answer refuses."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("transfer.busy")
async def test_busy(ble_client: GattClient, ble_case: Case) -> None:
    """A request is refused while an object is still being created."""
    await ble_case.verify(ble_client)
