"""Values as the device itself says they are to be understood."""

from typing import TYPE_CHECKING

from bletest.contracts.client import CharacteristicName
from bletest.errors import AttributeMissing, ProtocolViolation
from bletest.profile.presentation import PresentationFormat, Quantity, quantities
from bletest.uuids import AGGREGATE_FORMAT, PRESENTATION_FORMAT

if TYPE_CHECKING:
    from bletest.client.gatt import GattClient


async def presented(client: "GattClient", name: CharacteristicName) -> tuple[Quantity, ...]:
    """Do what :meth:`GattClient.presented` says."""
    named = client.names.characteristic(name)
    formats = [one for one in named.found.descriptors if one.uuid == PRESENTATION_FORMAT]
    aggregates = [one for one in named.found.descriptors if one.uuid == AGGREGATE_FORMAT]
    if not formats and not aggregates:
        raise AttributeMissing(f"{named.path} has no presentation format (0x2904)")
    if aggregates:
        handles = (await client.read_descriptor(aggregates[0])).raw
        everywhere = {
            one.handle: one
            for _, characteristic in client.database.characteristics()
            for one in characteristic.descriptors
            if one.uuid == PRESENTATION_FORMAT
        }
        if len(handles) % 2:
            raise ProtocolViolation(
                f"the aggregate format of {named.path} has {len(handles)} octets",
                pdu=handles,
            )
        try:
            formats = [
                everywhere[int.from_bytes(handles[at : at + 2], "little")]
                for at in range(0, len(handles), 2)
            ]
        except KeyError as unknown:
            raise ProtocolViolation(
                f"the aggregate format of {named.path} lists 0x{unknown.args[0]:04X},"
                " which is no presentation format",
                pdu=handles,
            ) from None
    raws = [(await client.read_descriptor(one)).raw for one in formats]
    value = (await client.read(named.found)).raw
    try:
        return quantities([PresentationFormat.parse(raw) for raw in raws], value)
    except ValueError as wrong:
        raise ProtocolViolation(
            f"{named.path} is not what its presentation format says: {wrong}", pdu=value
        ) from None
