"""What no client should send, and a server has to survive."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("handle.read")
async def test_read(ble_client: GattClient, ble_case: Case) -> None:
    """Reading a handle that is not there is refused with Invalid Handle."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("handle.blob")
async def test_read_part(ble_client: GattClient, ble_case: Case) -> None:
    """Reading a part at a handle that is not there is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("handle.read_multiple")
async def test_read_multiple(ble_client: GattClient, ble_case: Case) -> None:
    """Reading several handles of which one is not there is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("handle.read_multiple_variable")
async def test_read_multiple_variable(ble_client: GattClient, ble_case: Case) -> None:
    """Reading several of variable length of which one is not there is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("handle.write")
async def test_write(ble_client: GattClient, ble_case: Case) -> None:
    """Writing a handle that is not there is refused with Invalid Handle."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("handle.prepare")
async def test_prepare_write(ble_client: GattClient, ble_case: Case) -> None:
    """Preparing a write at a handle that is not there is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.range")
async def test_range(ble_client: GattClient, ble_case: Case) -> None:
    """A range of handles that cannot be is refused with Invalid Handle."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.read_by_type_range")
async def test_read_by_uuid_range(ble_client: GattClient, ble_case: Case) -> None:
    """Reading by UUID in a range that cannot be is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.group_type")
async def test_group_type(ble_client: GattClient, ble_case: Case) -> None:
    """A type that does not group attributes is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.nothing_found")
async def test_nothing_found(ble_client: GattClient, ble_case: Case) -> None:
    """What no attribute has is answered with Attribute Not Found."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.read_by_type_nothing")
async def test_read_by_unknown_uuid(ble_client: GattClient, ble_case: Case) -> None:
    """Reading by a UUID that no attribute has finds nothing."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.find_information_end")
async def test_end_of_database(ble_client: GattClient, ble_case: Case) -> None:
    """Find Information behind the last attribute finds nothing."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.unsupported_request")
async def test_unsupported_request(ble_client: GattClient, ble_case: Case) -> None:
    """A request that nobody knows is refused with Request Not Supported."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.unsupported_command")
async def test_unsupported_command(ble_client: GattClient, ble_case: Case) -> None:
    """A command that nobody knows is ignored."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.stray")
async def test_stray_response(ble_client: GattClient, ble_case: Case) -> None:
    """A confirmation or response that nobody waits for is ignored."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.truncated")
async def test_truncated_request(ble_client: GattClient, ble_case: Case) -> None:
    """A request that is cut short is refused with Invalid PDU."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.trailing")
async def test_trailing_octets(ble_client: GattClient, ble_case: Case) -> None:
    """A request with octets too many is answered all the same."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.uuid_length")
async def test_uuid_length(ble_client: GattClient, ble_case: Case) -> None:
    """A type of three octets is refused with Invalid PDU."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.execute_nothing")
async def test_execute_nothing(ble_client: GattClient, ble_case: Case) -> None:
    """Executing an empty queue is acknowledged."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("att.execute_flags")
async def test_execute_flags(ble_client: GattClient, ble_case: Case) -> None:
    """A flag of Execute Write that has no meaning breaks nothing."""
    await ble_case.verify(ble_client)
