"""What takes a pairing or an authorization."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("permissions.read_unpaired")
async def test_read_before_pairing(ble_client: GattClient, ble_case: Case) -> None:
    """Reading what takes a pairing is refused before it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.read_paired")
async def test_read_after_pairing(ble_client: GattClient, ble_case: Case) -> None:
    """Reading what takes a pairing is allowed after it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.write_unpaired")
async def test_write_before_pairing(ble_client: GattClient, ble_case: Case) -> None:
    """Writing what takes a pairing is refused before it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.write_paired")
async def test_write_after_pairing(ble_client: GattClient, ble_case: Case) -> None:
    """Writing what takes a pairing is allowed after it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.subscribe_unpaired")
async def test_subscribe_before_pairing(ble_client: GattClient, ble_case: Case) -> None:
    """Subscribing to what takes a pairing is refused before it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.subscribe_paired")
async def test_subscribe_after_pairing(ble_client: GattClient, ble_case: Case) -> None:
    """Subscribing to what takes a pairing is allowed after it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.read_unauthenticated")
async def test_read_after_pairing_without_authentication(
    ble_client: GattClient, ble_case: Case
) -> None:
    """Reading what takes authentication is refused after Just Works."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.write_unauthenticated")
async def test_write_after_pairing_without_authentication(
    ble_client: GattClient, ble_case: Case
) -> None:
    """Writing what takes authentication is refused after Just Works."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.blob_unpaired")
async def test_read_part_before_pairing(ble_client: GattClient, ble_case: Case) -> None:
    """No part of what takes a pairing is read before it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.by_uuid_unpaired")
async def test_read_by_uuid_before_pairing(ble_client: GattClient, ble_case: Case) -> None:
    """Nothing that takes a pairing is read by UUID before it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.prepare_unpaired")
async def test_prepare_before_pairing(ble_client: GattClient, ble_case: Case) -> None:
    """No write of what takes a pairing is prepared before it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.read_unauthorized")
async def test_read_without_authorization(ble_client: GattClient, ble_case: Case) -> None:
    """Reading what takes an authorization is refused without it."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("permissions.write_unauthorized")
async def test_write_without_authorization(ble_client: GattClient, ble_case: Case) -> None:
    """Writing what takes an authorization is refused without it."""
    await ble_case.verify(ble_client)
