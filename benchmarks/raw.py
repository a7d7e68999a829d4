"""The other side: the same device and its client in plain bumble, on its own ``LocalLink``.

As fast as bumble can be used: the host talks to its controller without a queue between them.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from bumble.att import Attribute
from bumble.controller import Controller
from bumble.core import UUID
from bumble.device import Connection, Device, DeviceConfiguration, Peer
from bumble.gatt import Characteristic, Service
from bumble.hci import Address, OwnAddressType
from bumble.host import Host
from bumble.link import LocalLink

from benchmarks.ours import PUSHED, READING, TICKING, VALUE, WRITING

_READ = Characteristic.Properties.READ
_WRITE = Characteristic.Properties.WRITE
_COMMAND = Characteristic.Properties.WRITE_WITHOUT_RESPONSE
_NOTIFY = Characteristic.Properties.NOTIFY

_ADVERTISING = bytes.fromhex("02010603030f180a094265") + b"nchmark"
_UUIDS = {READING: "FF01", WRITING: "FF02", PUSHED: "FF03", TICKING: "FF04"}


@dataclass
class RawDevice:
    """A peripheral. ``characteristics`` are bumble's objects by our names."""

    device: Device
    characteristics: dict[str, Any]

    @property
    def address(self) -> Address:
        return self.device.random_address

    async def advertise(self, interval_ms: float = 100.0) -> None:
        """Advertise; bumble stops when a client connects."""
        await self.device.start_advertising(
            advertising_interval_min=interval_ms, advertising_interval_max=interval_ms
        )

    def link_to(self, central: Device) -> Connection:
        """Return this end of the connection with a central."""
        return next(
            one
            for one in self.device.connections.values()
            if one.peer_address == central.random_address
        )


@dataclass
class RawAir:
    """A ``LocalLink``, and who is on it."""

    link: Any = field(default_factory=lambda: LocalLink())  # type: ignore[no-untyped-call]
    _devices: list[Device] = field(default_factory=list)

    async def add_central(self) -> Device:
        """Put a central on the air, powered on."""
        device = self._new_device("Central")
        await device.power_on()
        return device

    async def add_device(self) -> RawDevice:
        """Put a peripheral on the air, powered on, with the database of ``ours.profile``."""
        device = self._new_device("Benchmark")
        found: dict[str, Any] = {
            READING: Characteristic(_UUIDS[READING], _READ, Attribute.READABLE, VALUE),
            WRITING: Characteristic(_UUIDS[WRITING], _WRITE | _COMMAND, Attribute.WRITEABLE, VALUE),
            PUSHED: Characteristic(_UUIDS[PUSHED], _NOTIFY, Attribute.READABLE, VALUE),
            TICKING: Characteristic(_UUIDS[TICKING], _NOTIFY, Attribute.READABLE, bytes(2)),
        }
        battery = Characteristic("2A19", _READ | _NOTIFY, Attribute.READABLE, b"\x4d")
        maker = Characteristic("2A29", _READ, Attribute.READABLE, b"Example")
        model = Characteristic("2A24", _READ, Attribute.READABLE, b"B-1")
        device.add_services(
            [
                Service("FF00", list(found.values())),
                Service("180F", [battery]),
                Service("180A", [maker, model]),
            ]
        )
        await device.power_on()
        return RawDevice(device, found)

    async def connect(self, central: Device, device: RawDevice) -> Peer:
        """Connect, exchange MTU and discover everything."""
        connection = await central.connect(device.address, own_address_type=OwnAddressType.RANDOM)
        peer = Peer(connection)
        await peer.request_mtu(247)
        await peer.discover_all()  # type: ignore[no-untyped-call]
        return peer

    async def close(self) -> None:
        for device in self._devices:
            await device.stop_advertising()
            await device.power_off()

    def _new_device(self, name: str) -> Device:
        number = len(self._devices) + 1
        controller = Controller(f"{name} {number}", link=self.link)
        config = DeviceConfiguration(
            name=name,
            address=Address(
                f"C0:00:00:00:{number >> 8:02X}:{number & 0xFF:02X}", Address.RANDOM_DEVICE_ADDRESS
            ),
            advertising_data=_ADVERTISING,
        )
        device = Device(config=config, host=Host(controller, controller))
        self._devices.append(device)
        return device


def characteristic(peer: Peer, name: str) -> Any:
    """Return what the client found of a characteristic."""
    (found,) = peer.get_characteristics_by_uuid(UUID(_UUIDS[name]))
    return found


@contextlib.asynccontextmanager
async def open_air() -> AsyncIterator[RawAir]:
    air = RawAir()
    try:
        yield air
    finally:
        await air.close()
