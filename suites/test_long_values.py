"""Values that no single PDU holds at the default ATT_MTU."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("read.long")
async def test_read_long(ble_client: GattClient, ble_case: Case) -> None:
    """A long value is read to its end."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("read.blob")
async def test_read_part(ble_client: GattClient, ble_case: Case) -> None:
    """A part of the value is read from an offset."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("descriptor.long")
async def test_read_long_descriptor(ble_client: GattClient, ble_case: Case) -> None:
    """A long descriptor is read to its end."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.longest")
async def test_write_longest(ble_client: GattClient, ble_case: Case) -> None:
    """A value as long as the profile allows is accepted, and read back whole."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.prepared")
async def test_prepared_write(ble_client: GattClient, ble_case: Case) -> None:
    """A value is written in parts, and stands when they are executed."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.cancelled")
async def test_prepared_write_cancelled(ble_client: GattClient, ble_case: Case) -> None:
    """Parts that are cancelled leave the value as it was."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.prepared_refused")
async def test_prepared_write_refused(ble_client: GattClient, ble_case: Case) -> None:
    """Preparing a write of a value that is not writable is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.prepared_too_long")
async def test_prepared_write_too_long(ble_client: GattClient, ble_case: Case) -> None:
    """Parts that add up to too much are refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.prepared_offset")
async def test_prepared_write_offset(ble_client: GattClient, ble_case: Case) -> None:
    """A part past the end of the value is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("write.queue_limit")
async def test_prepare_queue_limit(ble_client: GattClient, ble_case: Case) -> None:
    """A prepare queue that is full says so, and can be cancelled."""
    await ble_case.verify(ble_client)
