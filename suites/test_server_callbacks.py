"""What the emulated device's own code sees of what a client does."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case
from bletest.peripheral.virtual import VirtualPeripheral


@pytest.mark.ble_check("read.value")
async def test_device_sees_the_read(
    ble_client: GattClient, ble_peripheral: VirtualPeripheral, ble_case: Case
) -> None:
    """A read that brings the right value is seen by the device."""
    await ble_case.verify(ble_client)
    await ble_peripheral[ble_case.attribute].read_by_client(within=5)


@pytest.mark.ble_check("write.accepted")
async def test_device_sees_the_write(
    ble_client: GattClient, ble_peripheral: VirtualPeripheral, ble_case: Case
) -> None:
    """A write that is acknowledged is seen by the device."""
    await ble_case.verify(ble_client)
    await ble_peripheral[ble_case.attribute].written(within=5)


@pytest.mark.ble_check("write.rule")
async def test_device_sees_what_its_rule_is_for(
    ble_client: GattClient, ble_peripheral: VirtualPeripheral, ble_case: Case
) -> None:
    """A write that the device has a rule for is seen by it, and answered by the rule."""
    await ble_case.verify(ble_client)
    if ble_case.subject.rule.error is None:
        seen = await ble_peripheral[ble_case.attribute].written(within=5)
        assert seen == ble_case.subject.value


@pytest.mark.ble_check("command.delivered")
async def test_device_sees_the_command(
    ble_client: GattClient, ble_peripheral: VirtualPeripheral, ble_case: Case
) -> None:
    """A write without response is seen by the device."""
    await ble_case.verify(ble_client)
    await ble_peripheral[ble_case.attribute].written(within=5)


@pytest.mark.ble_check("notify.configuration")
async def test_device_sees_the_subscription(
    ble_client: GattClient, ble_peripheral: VirtualPeripheral, ble_case: Case
) -> None:
    """A client that subscribes is seen by the device."""
    await ble_case.verify(ble_client)
    await ble_peripheral[ble_case.attribute].subscribed(within=5)
