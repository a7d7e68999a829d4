"""Protocols of several steps: challenge and response."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("protocol.right_answer")
async def test_right_answer(ble_client: GattClient, ble_case: Case) -> None:
    """The right answer is accepted, and does what the profile says."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("protocol.wrong_answer")
async def test_wrong_answer(ble_client: GattClient, ble_case: Case) -> None:
    """An answer with one wrong bit is not accepted."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("protocol.replay")
async def test_replay(ble_client: GattClient, ble_case: Case) -> None:
    """The answer to one challenge is not accepted again."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("protocol.expiry")
async def test_expiry(ble_client: GattClient, ble_case: Case) -> None:
    """The right answer is not accepted after its time."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("protocol.order")
async def test_order(ble_client: GattClient, ble_case: Case) -> None:
    """An answer without a challenge is not accepted."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("protocol.fresh")
async def test_fresh(ble_client: GattClient, ble_case: Case) -> None:
    """No two challenges are alike."""
    await ble_case.verify(ble_client)
