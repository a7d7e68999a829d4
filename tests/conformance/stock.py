"""Stock bumble on its own link, put to the same cases: ``python -m tests.conformance.stock``.

It prints what bumble's host and GATT server did with each robustness class. The page shows what
was found out with bumble 0.0.236, from the catalogue.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bumble import gatt, hci
from bumble.controller import Controller
from bumble.core import UUID
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate

from tests.conformance.family import Family
from tests.conformance.official.lab import (
    PROPERTY_BITS,
    SERVICES,
    Lab,
    Tester,
    uuid_octets,
    value_of,
)
from tests.conformance.robustness import ROBUSTNESS

ADDRESS = "C5:00:00:00:00:01"
Permission = gatt.Attribute.Permissions


class StockAir:
    """bumble's ``LocalLink``, asked for controllers as ours is."""

    def __init__(self) -> None:
        self.link = LocalLink()

    def new_controller(self, name: str) -> Controller:
        return Controller(name, link=self.link)

    def remove_controller(self, controller: Controller) -> None:
        self.link.remove_controller(controller)


def _uuid(uuid: int | str) -> UUID:
    return UUID.from_bytes(uuid_octets(uuid))


def _permissions(entry: dict[str, Any], properties: list[str]) -> gatt.Attribute.Permissions:
    permissions = Permission(0)
    if "read" in properties:
        permissions |= Permission.READABLE
    if {"write", "write_without_response", "authenticated_signed_write"} & set(properties):
        permissions |= Permission.WRITEABLE
    for way in ("READ", "WRITE"):
        access = entry.get(way.lower(), "open")
        word = access["access"] if isinstance(access, dict) else access
        if word != "open":
            kind = {"authorized": "AUTHORIZATION", "authenticated": "AUTHENTICATION"}
            permissions |= Permission[f"{way}_REQUIRES_{kind.get(word, 'ENCRYPTION')}"]
    return permissions


def _characteristic(entry: dict[str, Any]) -> gatt.Characteristic[bytes]:
    bits = {**PROPERTY_BITS, "writable_auxiliaries": 0x80}
    properties = 0
    for name in entry["properties"]:
        properties |= bits[name]
    descriptors = [
        gatt.Descriptor(
            _uuid(one["uuid"]),
            _permissions(one, one.get("properties", ["read"])),
            b"" if "handles_of" in one["value"] else value_of(one),
        )
        for one in entry.get("descriptors", ())
    ]
    return gatt.Characteristic(
        _uuid(entry["uuid"]),
        gatt.Characteristic.Properties(properties),
        _permissions(entry, entry["properties"]),
        value_of(entry),
        descriptors,
    )


class StockDevice:
    """A bumble device with the database of ``device.yaml``."""

    address = ADDRESS

    def __init__(self, air: StockAir) -> None:
        controller = air.new_controller("stock")
        host = Host()
        host.set_packet_sink(controller)
        host.set_packet_source(controller)
        self.device = Device.from_config_with_hci(
            DeviceConfiguration(
                name="Official",
                address=hci.Address(ADDRESS, hci.Address.RANDOM_DEVICE_ADDRESS),
                eatt_enabled=True,
            ),
            controller,
            controller,
        )
        self.device.keystore = MemoryKeyStore()
        self.device.pairing_config_factory = lambda _: PairingConfig(
            mitm=False,
            delegate=PairingDelegate(),
            identity_address_type=PairingConfig.AddressType.RANDOM,
        )
        self.characteristics: dict[str, gatt.Characteristic[bytes]] = {}
        for service in SERVICES:
            of_service = {one["id"]: _characteristic(one) for one in service["characteristics"]}
            self.characteristics |= of_service
            self.device.add_service(
                gatt.Service(
                    _uuid(service["uuid"]),
                    list(of_service.values()),
                    primary=service.get("primary", True),
                )
            )

    async def advertise(self) -> None:
        """Advertise, which bumble does not do by itself while it is connected."""
        if not self.device.is_advertising:
            await self.device.start_advertising(own_address_type=hci.OwnAddressType.RANDOM)


class StockLab(Lab):
    """A stock device, and testers as needed."""

    async def tester(self, *args: Any, **options: Any) -> Tester:
        await self.device.advertise()
        tester = await super().tester(*args, **options)
        plain = tester.connect

        async def connect() -> None:
            await self.device.advertise()
            await plain()

        tester.connect = connect  # type: ignore[method-assign]
        return tester

    def tell(self, name: str, value: bytes) -> None:
        characteristic = self.device.characteristics[name]
        characteristic.value = value
        send = (
            self.device.device.notify_subscribers
            if "notifies" in name
            else self.device.device.indicate_subscribers
        )
        self._sending = asyncio.get_running_loop().create_task(send(characteristic))

    def change(self) -> None:
        self.device.device.add_service(gatt.Service(UUID(0xFFEE), []))


@asynccontextmanager
async def stock_lab() -> AsyncIterator[Lab]:
    """Switch a stock device on, and off afterwards."""
    air = StockAir()
    device = StockDevice(air)
    await device.device.power_on()
    async with StockLab(air, device, []) as opened:
        yield opened
    await device.device.power_off()


def found(family: Family, identifier: str) -> str:
    """Return what stock bumble did with a case: ``pass``, or ``fail`` and why."""
    logging.disable(logging.CRITICAL)  # bumble tells each of its mistakes at length
    try:
        family.run(identifier, stock_lab)
    except Exception as error:  # whatever it is, the case has not passed
        return f"fail: {type(error).__name__}: {error}".strip().split("\n")[0]
    finally:
        logging.disable(logging.NOTSET)
    return "pass"


def main() -> None:
    results = {one: found(ROBUSTNESS, one) for one in ROBUSTNESS.cases}
    for identifier, result in results.items():
        print(f"{identifier}: {result}")
    passed = sum(result == "pass" for result in results.values())
    print(f"stock bumble: {passed}/{len(results)}", file=sys.stderr)


if __name__ == "__main__":
    main()
