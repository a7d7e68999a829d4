"""Advertising data as octets (Supplement to the Core Specification, Part A, 1)."""

from collections.abc import Iterator
from dataclasses import dataclass

from bletest.profile.expectation import WindowExpectation
from bletest.profile.mistakes import Refusal
from bletest.profile.model import AdvertisedModel, GapModel, ProfileModel
from bletest.profile.spec import AdvertisingSpec, GapSpec
from bletest.uuids import Uuid

MAXIMUM_OCTETS = 31
"""What a legacy advertisement, or its scan response, can carry (Vol 6, Part B, 2.3.1.1)."""

_FLAGS = 0x01
_SERVICES = {2: 0x03, 4: 0x05, 16: 0x07}  # complete lists, by the length of the UUIDs
_COMPLETE_NAME = 0x09
_TX_POWER = 0x0A
_SERVICE_DATA = {2: 0x16, 4: 0x20, 16: 0x21}
_APPEARANCE = 0x19
_MANUFACTURER_DATA = 0xFF
_DISCOVERABLE = {"general": 0x02, "limited": 0x01, "none": 0x00}
_LE_ONLY = 0x04


@dataclass(frozen=True, slots=True)
class Advertised:
    """What one of the two packets carries, keyed by the key of the profile it comes from."""

    structures: tuple[tuple[str, bytes], ...]

    @property
    def data(self) -> bytes:
        """The octets."""
        return b"".join(octets for _, octets in self.structures)

    @property
    def overflowing(self) -> str | None:
        """The key whose data is the first that does not fit."""
        length = 0
        for key, octets in self.structures:
            length += len(octets)
            if length > MAXIMUM_OCTETS:
                return key
        return None


def advertising_spec(model: ProfileModel) -> AdvertisingSpec:
    """Lay out both packets. :class:`Refusal` (with the way from ``advertising``) on overflow."""
    advertising, response = model.advertising, model.advertising.scan_response
    name = model.device.name if advertising.name in (None, True) else advertising.name
    answered_name = response.name if response is not None else None
    if isinstance(answered_name, str):
        name = answered_name
    in_response = answered_name not in (None, False)
    appearance = model.device.appearance
    carried = None if name is False else str(name)

    first = Advertised(
        (
            (
                "flags",
                _structure(_FLAGS, bytes([_LE_ONLY | _DISCOVERABLE[advertising.discoverable]])),
            ),
            *_structures(advertising, None if in_response else carried, appearance),
        )
    )
    second = Advertised(
        tuple(_structures(response, carried if in_response else None, appearance))
        if response is not None
        else ()
    )
    _demand_room(first, "the advertising data", ())
    _demand_room(second, "the scan response", ("scan_response",))
    return AdvertisingSpec(
        interval=advertising.interval,
        connectable=advertising.connectable,
        discoverable=advertising.discoverable,
        name=carried,
        services=(*advertising.services, *(response.services if response else ())),
        manufacturer_data={
            **advertising.manufacturer_data,
            **(response.manufacturer_data if response else {}),
        },
        service_data={**advertising.service_data, **(response.service_data if response else {})},
        tx_power=advertising.tx_power
        if advertising.tx_power is not None or response is None
        else response.tx_power,
        data=first.data,
        scan_response=second.data,
        window=None
        if advertising.window is None
        else WindowExpectation(advertising.window.length, frozenset(advertising.window.after)),
    )


def gap_spec(model: GapModel) -> GapSpec:
    """Lay out what the GAP service has."""
    preferred = model.preferred_parameters
    return GapSpec(
        writable=frozenset(model.writable),
        preferred_parameters=None
        if preferred is None
        else b"".join(
            number.to_bytes(2, "little")
            for number in (
                *(round(one / 0.00125) for one in sorted(preferred.interval)),
                preferred.latency,
                round(preferred.supervision_timeout / 0.01),
            )
        ),
        central_address_resolution=model.central_address_resolution,
        security_levels=model.security_levels,
    )


def _demand_room(packet: Advertised, what: str, inner: tuple[str, ...]) -> None:
    key = packet.overflowing
    if key is None:
        return
    remedies = {
        "name": "put the name into the scan response: scan_response: {name: true}",
        "services": "put some of the services into the scan response",
    }
    remedy = remedies.get(key, "move something into the scan response") if not inner else ""
    raise Refusal(
        f"{what} would have {len(packet.data)} octets, {MAXIMUM_OCTETS} fit; "
        f"`{key}` is the first that does not",
        remedy or "shorten it, or move something into the advertising data",
        inner=(*inner, key),
    )


def _structures(
    model: AdvertisedModel, name: str | None, appearance: int
) -> Iterator[tuple[str, bytes]]:
    by_length: dict[int, list[bytes]] = {}
    for uuid in model.services:
        octets = _uuid_octets(uuid)
        by_length.setdefault(len(octets), []).append(octets)
    for length, uuids in sorted(by_length.items()):
        yield "services", _structure(_SERVICES[length], b"".join(uuids))
    for company, data in model.manufacturer_data.items():
        payload = company.to_bytes(2, "little") + data
        yield "manufacturer_data", _structure(_MANUFACTURER_DATA, payload)
    for uuid, data in model.service_data.items():
        octets = _uuid_octets(uuid)
        yield "service_data", _structure(_SERVICE_DATA[len(octets)], octets + data)
    if model.tx_power is not None:
        yield "tx_power", _structure(_TX_POWER, model.tx_power.to_bytes(1, "little", signed=True))
    if model.appearance:
        yield "appearance", _structure(_APPEARANCE, appearance.to_bytes(2, "little"))
    for kind, data in model.structures.items():
        yield "structures", _structure(kind, data)
    if name is not None:
        yield "name", _structure(_COMPLETE_NAME, name.encode())


def _uuid_octets(uuid: Uuid) -> bytes:
    """Return the octets in an advertisement, which knows 32-bit UUIDs where ATT does not."""
    alias = uuid.alias
    return uuid.to_bytes() if alias is None or alias < 1 << 16 else alias.to_bytes(4, "little")


def _structure(kind: int, data: bytes) -> bytes:
    # A length of one octet; what does not fit it does not fit the packet either.
    return bytes([min(len(data) + 1, 255), kind]) + data
