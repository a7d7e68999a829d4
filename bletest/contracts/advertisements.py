"""An advertiser as a scanner saw it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bletest.uuids import Uuid


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What a scanner gathered about one advertiser (Core Specification Supplement, Part A).

    ``address`` is what the adapter calls the device. ``rssi`` is in dBm, ``tx_power`` too.
    """

    address: str
    name: str | None = None
    services: tuple[Uuid, ...] = ()
    manufacturer_data: Mapping[int, bytes] = field(default_factory=dict)
    service_data: Mapping[Uuid, bytes] = field(default_factory=dict)
    tx_power: int | None = None
    rssi: int | None = None
