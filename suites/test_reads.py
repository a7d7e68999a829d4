"""What reading brings."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("read.value")
async def test_read(ble_client: GattClient, ble_case: Case) -> None:
    """The value is what the profile expects."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("read.refused")
async def test_read_refused(ble_client: GattClient, ble_case: Case) -> None:
    """A value that is not readable is refused with Read Not Permitted."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("read.by_uuid")
async def test_read_by_uuid(ble_client: GattClient, ble_case: Case) -> None:
    """The value is found by its UUID."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("read.by_uuid_refused")
async def test_read_by_uuid_refused(ble_client: GattClient, ble_case: Case) -> None:
    """Reading by UUID a value that is not readable is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("read.blob_beyond_end")
async def test_read_beyond_end(ble_client: GattClient, ble_case: Case) -> None:
    """An offset past the end of the value is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("read.blob_refused")
async def test_read_part_refused(ble_client: GattClient, ble_case: Case) -> None:
    """A part of a value that is not readable is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("read.multiple")
async def test_read_multiple(ble_client: GattClient, ble_case: Case) -> None:
    """Several values are read at once."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("read.multiple_refused")
async def test_read_multiple_refused(ble_client: GattClient, ble_case: Case) -> None:
    """Several values of which one is not readable are refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("read.multiple_variable")
async def test_read_multiple_variable(ble_client: GattClient, ble_case: Case) -> None:
    """Several values of variable length are read at once."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("read.multiple_variable_refused")
async def test_read_multiple_variable_refused(ble_client: GattClient, ble_case: Case) -> None:
    """Several of variable length of which one is not readable are refused."""
    await ble_case.verify(ble_client)
