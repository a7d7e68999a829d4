"""What a subscribed client gets, and when."""

import pytest

from bletest.client.gatt import GattClient
from bletest.conformance import Case


@pytest.mark.ble_check("notify.unasked")
async def test_nothing_unasked(ble_client: GattClient, ble_case: Case) -> None:
    """Nothing comes before the client subscribes."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("notify.configuration")
async def test_configuration(ble_client: GattClient, ble_case: Case) -> None:
    """The configuration descriptor follows what the client subscribes to."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("notify.configuration_length")
async def test_configuration_length(ble_client: GattClient, ble_case: Case) -> None:
    """A configuration of a wrong length is refused."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("notify.configuration_bits")
async def test_configuration_bits(ble_client: GattClient, ble_case: Case) -> None:
    """Bits of the configuration that are not offered have no effect."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("notify.period")
async def test_period(ble_client: GattClient, ble_case: Case) -> None:
    """It comes as often as the profile says."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("notify.values")
async def test_values(ble_client: GattClient, ble_case: Case) -> None:
    """What it brings is what the profile expects, and fits the PDU."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("notify.stops")
async def test_stops(ble_client: GattClient, ble_case: Case) -> None:
    """Nothing comes while the configuration is off."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("indicate.confirmed")
async def test_indications_confirmed(ble_client: GattClient, ble_case: Case) -> None:
    """The next indication comes when the one before is confirmed."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("notify.forgotten")
async def test_notifications_forgotten(ble_client: GattClient, ble_case: Case) -> None:
    """A client without a bond is not subscribed after it reconnects."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("indicate.forgotten")
async def test_indications_forgotten(ble_client: GattClient, ble_case: Case) -> None:
    """A client without a bond gets no indications after it reconnects."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("notify.remembered")
async def test_notifications_remembered(ble_client: GattClient, ble_case: Case) -> None:
    """A bonded client is still subscribed after it reconnects."""
    await ble_case.verify(ble_client)


@pytest.mark.ble_check("indicate.remembered")
async def test_indications_remembered(ble_client: GattClient, ble_case: Case) -> None:
    """A bonded client still gets indications after it reconnects."""
    await ble_case.verify(ble_client)
