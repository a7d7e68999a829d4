"""Control points by rules: one thing at a time, for who sees the answer."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("control_point.unconfigured")
async def test_unconfigured(ble_client: GattClient, ble_case: Case) -> None:
    """A control point refuses who has not enabled what it answers by."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("control_point.busy")
async def test_busy(ble_client: GattClient, ble_case: Case) -> None:
    """A control point refuses a second request while it answers the first."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("control_point.abort")
async def test_abort(ble_client: GattClient, ble_case: Case) -> None:
    """An abort ends what a control point was about to send."""
    await ble_case.verify(ble_client)
