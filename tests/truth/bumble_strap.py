"""A heart rate strap written by hand with bumble alone: what a careful user of bumble would write.

It imports nothing of bletest. Whatever is found wrong with it is bumble's doing, or ours.
"""

import asyncio
from typing import Any

from bumble.att import ATT_Error
from bumble.core import Appearance
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import (
    Attribute,
    Characteristic,
    CharacteristicValue,
    Descriptor,
    Service,
)
from bumble.hci import Address
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.profiles.gap import GenericAccessService

READ = Characteristic.Properties.READ
WRITE = Characteristic.Properties.WRITE
NOTIFY = Characteristic.Properties.NOTIFY

ADVERTISING = bytes.fromhex("020106 07030d180f180a18 05ff59000102")
SCAN_RESPONSE = bytes.fromhex("020a00 0909") + b"HR-Strap"


def readable(uuid: str, value: bytes, descriptors: tuple[Descriptor, ...] = ()) -> Any:
    return Characteristic(uuid, READ, Attribute.READABLE, value, descriptors)


class BumbleStrap:
    """The strap on a controller that somebody hands it."""

    def __init__(self, controller: Any) -> None:
        host = Host()
        host.set_packet_sink(controller)
        host.set_packet_source(controller)
        self.measurement: Any = Characteristic("2A37", NOTIFY, Attribute.READABLE, b"\x06\x48")
        battery: Any = Characteristic(
            "2A19",
            READ | NOTIFY,
            Attribute.READABLE,
            b"\x4d",
            (Descriptor("2904", Attribute.READABLE, bytes.fromhex("0400AD27010601")),),
        )
        control_point: Any = Characteristic(
            "2A39", WRITE, Attribute.WRITEABLE, CharacteristicValue(write=self._on_control_point)
        )
        config = DeviceConfiguration(
            name="HR-Strap",
            address=Address("C0:00:00:00:00:42", Address.RANDOM_DEVICE_ADDRESS),
            advertising_data=ADVERTISING,
            scan_response_data=SCAN_RESPONSE,
            gap_service_enabled=False,
        )
        self.device = Device(config=config, host=host)
        self.device.keystore = MemoryKeyStore()
        self.device.pairing_config_factory = lambda _: PairingConfig(
            mitm=False,
            delegate=PairingDelegate(PairingDelegate.NO_OUTPUT_NO_INPUT),
            identity_address_type=PairingConfig.AddressType.RANDOM,
        )
        self.device.gatt_server.max_mtu = 247
        belt = Appearance(
            Appearance.Category.HEART_RATE_SENSOR,
            Appearance.HeartRateSensorSubcategory.HEART_RATE_BELT,
        )
        self.device.add_services(
            [
                GenericAccessService("HR-Strap", belt),
                Service("180D", [self.measurement, readable("2A38", b"\x01"), control_point]),
                Service("180F", [battery]),
                Service(
                    "180A",
                    [
                        readable("2A29", b"Example Sports"),
                        readable("2A24", b"HRS-10"),
                        readable("2A25", b"A1B2C3D4"),
                        readable("2A27", b"0039224.02"),
                        readable("2A26", b"3.1.1"),
                        readable("2A28", b"3.1.1"),
                        readable("2A23", bytes.fromhex("feff33221101cdab")),
                        readable("2A50", bytes.fromhex("015900 0a00 1103")),
                    ],
                ),
            ]
        )
        self._beating: asyncio.Task[None] | None = None
        self.device.on("connection", self._on_connection)
        self.measurement.on("subscription", self._on_subscription)

    @staticmethod
    def _on_control_point(_connection: Connection, value: bytes) -> None:
        if value != b"\x01":
            raise ATT_Error(0x80)

    async def start(self) -> None:
        await self.device.power_on()
        await self._advertise()

    async def _advertise(self) -> None:
        await self.device.start_advertising(
            advertising_interval_min=100, advertising_interval_max=100, auto_restart=True
        )

    async def stop(self) -> None:
        self._stop_beating()
        await self.device.power_off()

    def _on_connection(self, connection: Connection) -> None:
        connection.on("disconnection", lambda _reason: self._stop_beating())

    def _on_subscription(self, connection: Connection, notify: bool, _indicate: bool) -> None:
        self._stop_beating()
        if notify:
            self._beating = asyncio.get_running_loop().create_task(self._beat(connection))

    def _stop_beating(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None

    async def _beat(self, connection: Connection) -> None:
        rate = 60
        while True:
            await asyncio.sleep(1)
            value = bytes([0x06, rate])
            await self.device.notify_subscriber(connection, self.measurement, value)
            rate = rate + 1 if rate < 180 else 60
