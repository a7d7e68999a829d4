"""Advertising data and scan responses, merged into one picture of each advertiser."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bletest.contracts.advertisements import Advertisement
from bletest.uuids import Uuid

# Assigned Numbers, 2.3: the AD types that say something to a GATT client.
_UUID_LISTS = {0x02: 2, 0x03: 2, 0x04: 4, 0x05: 4, 0x06: 16, 0x07: 16}
_SHORTENED_NAME = 0x08
_COMPLETE_NAME = 0x09
_TX_POWER = 0x0A
_SERVICE_DATA = {0x16: 2, 0x20: 4, 0x21: 16}
_MANUFACTURER_DATA = 0xFF

RSSI_UNKNOWN = 127
"""What a controller reports when it has no RSSI (Vol 4, Part E, 7.7.65.2), in dBm."""


def structures(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield AD type and data of each AD structure (Vol 3, Part C, 11).

    A length of zero ends the significant part. A structure that claims more octets than there
    are ends it too: what stands before it is still good.
    """
    position = 0
    while position + 1 < len(data):
        length = data[position]
        if length == 0 or position + 1 + length > len(data):
            return
        yield data[position + 1], data[position + 2 : position + 1 + length]
        position += 1 + length


@dataclass(slots=True)
class AdvertisingFields:
    """What one or more AD structures say, later ones over earlier ones."""

    name: str | None = None
    services: list[Uuid] = field(default_factory=list)
    manufacturer_data: dict[int, bytes] = field(default_factory=dict)
    service_data: dict[Uuid, bytes] = field(default_factory=dict)
    tx_power: int | None = None

    @classmethod
    def parse(cls, data: bytes) -> "AdvertisingFields":
        """Read advertising data, scan response data, or the one after the other."""
        fields = cls()
        complete_name = False
        for kind, octets in structures(data):
            if width := _UUID_LISTS.get(kind):
                for start in range(0, len(octets) - width + 1, width):
                    uuid = Uuid.from_bytes(octets[start : start + width])
                    if uuid not in fields.services:
                        fields.services.append(uuid)
            elif kind == _COMPLETE_NAME or (kind == _SHORTENED_NAME and not complete_name):
                # A name that is not UTF-8 is shown as far as it can be: it is evidence.
                fields.name = octets.decode("utf-8", errors="replace")
                complete_name = kind == _COMPLETE_NAME
            elif kind == _TX_POWER and len(octets) == 1:
                fields.tx_power = int.from_bytes(octets, "little", signed=True)
            elif (width := _SERVICE_DATA.get(kind)) and len(octets) >= width:
                fields.service_data[Uuid.from_bytes(octets[:width])] = octets[width:]
            elif kind == _MANUFACTURER_DATA and len(octets) >= 2:
                company = int.from_bytes(octets[:2], "little")
                fields.manufacturer_data[company] = octets[2:]
        return fields


@dataclass(frozen=True, slots=True)
class Sighting:
    """One advertiser as it stands after one more report.

    ``address`` is upper case with colons; ``is_random`` tells its type apart from a public one.
    ``raw`` is the advertising data followed by the scan response. ``rssi`` is in dBm, None where
    the controller has none.
    """

    address: str
    is_random: bool
    connectable: bool
    rssi: int | None
    raw: bytes
    fields: AdvertisingFields

    @property
    def advertisement(self) -> Advertisement:
        """The same as the contract between the packages knows it."""
        fields = self.fields
        return Advertisement(
            address=self.address,
            name=fields.name,
            services=tuple(fields.services),
            manufacturer_data=dict(fields.manufacturer_data),
            service_data=dict(fields.service_data),
            tx_power=fields.tx_power,
            rssi=self.rssi,
        )


class Gatherer:
    """Keeps the last advertising data and the last scan response of every advertiser.

    A device says part of itself in each, so a report of one is shown together with the last of
    the other. Unchanged data is not parsed again.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], _Advertiser] = {}

    def clear(self) -> None:
        """Forget all advertisers: a new scan starts from nothing."""
        self._known.clear()

    def add(
        self,
        address: str,
        *,
        is_random: bool,
        connectable: bool,
        is_scan_response: bool,
        data: bytes,
        rssi: int,
    ) -> Sighting:
        """Take one report in and return the advertiser as it now stands.

        Where the report says nothing new, that is the same object as before.
        """
        advertiser = self._known.get((address, is_random))
        if advertiser is None:
            advertiser = self._known[address, is_random] = _Advertiser()
        last = advertiser.sighting
        if is_scan_response:
            if data != advertiser.scan_response:
                advertiser.scan_response = data
                advertiser.fields = last = None
        else:
            # A scan response does not say whether its advertiser can be connected to.
            if connectable != advertiser.connectable:
                advertiser.connectable, last = connectable, None
            if data != advertiser.advertising_data:
                advertiser.advertising_data = data
                advertiser.fields = last = None
        if last is not None and rssi == advertiser.rssi:
            return last
        advertiser.rssi = rssi
        raw = advertiser.advertising_data + advertiser.scan_response
        if advertiser.fields is None:
            advertiser.fields = AdvertisingFields.parse(advertiser.advertising_data)
            _merge(advertiser.fields, AdvertisingFields.parse(advertiser.scan_response))
        advertiser.sighting = Sighting(
            address=address,
            is_random=is_random,
            connectable=advertiser.connectable,
            rssi=None if rssi == RSSI_UNKNOWN else rssi,
            raw=raw,
            fields=advertiser.fields,
        )
        return advertiser.sighting


@dataclass(slots=True)
class _Advertiser:
    advertising_data: bytes = b""
    scan_response: bytes = b""
    connectable: bool = False
    fields: AdvertisingFields | None = None
    rssi: int = RSSI_UNKNOWN
    sighting: Sighting | None = None


def _merge(into: AdvertisingFields, more: AdvertisingFields) -> None:
    if more.name is not None and len(more.name) >= len(into.name or ""):
        into.name = more.name
    into.services += [uuid for uuid in more.services if uuid not in into.services]
    into.manufacturer_data.update(more.manufacturer_data)
    into.service_data.update(more.service_data)
    if more.tx_power is not None:
        into.tx_power = more.tx_power
