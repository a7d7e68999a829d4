"""Scanning: what is on the air, and the one device that is looked for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from bletest.client.errors import BLEAK_ERRORS, reraise
from bletest.contracts.advertisements import Advertisement
from bletest.errors import DeviceNotFound, UsageMistake
from bletest.uuids import Uuid, UuidKind

if TYPE_CHECKING:
    from bletest.client.adapter import BumbleAdapter

_SHOWN = 8

SCAN_RESPONSE = 0.05
"""Seconds in which the scan response to an advertisement is known to the host."""


@dataclass(frozen=True, slots=True)
class Found:
    """A device that was seen: what to connect to, and what it advertised."""

    device: BLEDevice
    advertisement: Advertisement


async def scan(adapter: "BumbleAdapter | None", *, within: float) -> list[Advertisement]:
    """Scan actively for ``within`` seconds; return every device in order of first sight.

    ``adapter`` None is the operating system's, through bleak. Raises
    :class:`~bletest.errors.AdapterUnusable` or :class:`~bletest.errors.AdapterLost`.
    """
    seen = await _look(adapter, lambda _: False, within)
    return [found.advertisement for found in seen]


async def find(
    adapter: "BumbleAdapter | None",
    *,
    name: str | None = None,
    address: str | None = None,
    service: Uuid | str | None = None,
    within: float = 10.0,
) -> Found:
    """Scan until a device fits everything that is asked for, ``within`` seconds at most.

    ``name`` is the advertised local name, ``service`` a UUID or a SIG's name among the
    advertised ones. Raises :class:`~bletest.errors.DeviceNotFound`, which says what was seen
    instead.
    """
    if isinstance(service, str):
        service = Uuid.parse(service, UuidKind.SERVICE)
    wishes: list[tuple[str, Callable[[Advertisement], bool]]] = []
    if name is not None:
        wishes.append((f'"{name}"', lambda one: one.name == name))
    if address is not None:
        wishes.append((address, lambda one: one.address.lower() == address.lower()))
    if service is not None:
        wishes.append((f"service {service.label}", lambda one: service in one.services))
    if not wishes:
        raise UsageMistake("say what to look for: a name, an address or a service")

    def fits(one: Advertisement) -> bool:
        return all(wish(one) for _, wish in wishes)

    seen = await _look(adapter, fits, within)
    for found in seen:
        if fits(found.advertisement):
            return found
    raise DeviceNotFound(
        f"{' with '.join(text for text, _ in wishes)} was not seen in {within:g} s;"
        f" {_others([found.advertisement for found in seen])}",
        remedy="is it asleep, out of range, or connected elsewhere?",
    )


def to_advertisement(device: BLEDevice, data: AdvertisementData) -> Advertisement:
    """Return what bleak gathered as the contracts know it."""
    return Advertisement(
        address=device.address,
        name=data.local_name,
        services=tuple(Uuid.parse(uuid) for uuid in data.service_uuids),
        manufacturer_data=dict(data.manufacturer_data),
        service_data={Uuid.parse(uuid): octets for uuid, octets in data.service_data.items()},
        tx_power=data.tx_power,
        rssi=data.rssi,
    )


async def _look(
    adapter: "BumbleAdapter | None", fits: Callable[[Advertisement], bool], within: float
) -> list[Found]:
    """Scan until one fits, and on until its scan response is in too, where it has one."""
    fitting: set[str] = set()
    found, complete = asyncio.Event(), asyncio.Event()
    seen: dict[str, Found] = {}

    def on_advertisement(device: BLEDevice, data: AdvertisementData) -> None:
        advertisement = to_advertisement(device, data)
        seen[device.address] = Found(device, advertisement)
        if fits(advertisement):
            # bleak merges advertisement and scan response, and reports the device for each.
            (complete if device.address in fitting else found).set()
            fitting.add(device.address)

    try:
        async with _scanner(adapter, on_advertisement):
            try:
                async with asyncio.timeout(within):
                    await found.wait()
                async with asyncio.timeout(SCAN_RESPONSE):
                    await complete.wait()
            except TimeoutError:
                pass
    except BLEAK_ERRORS as error:
        reraise(error, "scan", "")
    return list(seen.values())


def _scanner(
    adapter: "BumbleAdapter | None",
    callback: Callable[[BLEDevice, AdvertisementData], None],
) -> BleakScanner:
    if adapter is None:
        return BleakScanner(callback)
    from bletest.client.backend import BumbleScanner  # bumble only where it is needed

    return BleakScanner(callback, backend=BumbleScanner.on(adapter))


def _others(seen: list[Advertisement]) -> str:
    if not seen:
        return "nothing else was seen either"
    strongest = sorted(seen, key=lambda one: -(one.rssi or -127))
    names = [f"{one.name or 'unnamed'} ({one.address})" for one in strongest[:_SHOWN]]
    more = ", …" if len(seen) > _SHOWN else ""
    count = "1 other was" if len(seen) == 1 else f"{len(seen)} others were"
    return f"{count}: {', '.join(names)}{more}"
