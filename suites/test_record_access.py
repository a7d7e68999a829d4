"""A Record Access Control Point: stored records on request."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("racp.all")
async def test_all_records(ble_client: GattClient, ble_case: Case) -> None:
    """All stored records are reported, as many as there are said to be."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("racp.last")
async def test_last_record(ble_client: GattClient, ble_case: Case) -> None:
    """The last stored record alone is reported."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("racp.refused")
async def test_refused(ble_client: GattClient, ble_case: Case) -> None:
    """What a record access control point does not know is answered with the right code."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("racp.unconfigured")
async def test_unconfigured(ble_client: GattClient, ble_case: Case) -> None:
    """Without its indications enabled, a record access control point refuses."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("racp.busy")
async def test_busy(ble_client: GattClient, ble_case: Case) -> None:
    """A second procedure is refused while one is in progress."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("racp.abort")
async def test_abort(ble_client: GattClient, ble_case: Case) -> None:
    """An abort ends a report, and nothing comes after its response."""
    await ble_case.verify(ble_client)
