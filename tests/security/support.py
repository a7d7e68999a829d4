"""A device that pairs as its profile says, and a client with an agent, on one bench."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bletest import profile
from bletest.bench.bench import Bench
from bletest.bench.device import DeviceUnderTest
from bletest.bench.settings import Settings
from bletest.client.agent import PairingAgent
from bletest.client.gatt import GattClient
from bletest.contracts.events import Event, LinkEvent, Note, SmpPdu
from bletest.peripheral.virtual import VirtualPeripheral

SERVICES = """
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: plain, properties: [read, write, notify], value: {uint8: 1}}
      - uuid: 0xFF02
        id: encrypted
        properties: [read, notify]
        value: {uint8: 2}
        read: encrypted
        subscribe: encrypted
      - uuid: 0xFF03
        id: authenticated
        properties: [read]
        value: {uint8: 3}
        read: authenticated
      - uuid: 0xFF04
        id: secure
        properties: [read]
        value: {uint8: 4}
        read: [authenticated, SECURE]
      - uuid: 0xFF05
        id: allowed
        properties: [read]
        value: {uint8: 5}
        read: [encrypted, authorized]
      - uuid: 0xFF06
        id: signed
        properties: [read, authenticated_signed_write]
        value: {uint8: 6}
"""


def text_of(security: str, *, gatt: str = "{}") -> str:
    """Return a profile whose device pairs as ``security`` says."""
    secure = "encrypted" if "secure_connections: unsupported" in security else "secure_connections"
    services = SERVICES.replace("SECURE", secure)
    if "pairing: false" in security:
        services = services[: services.index("      - uuid: 0xFF02")]
    return (
        f"bletest: 1\nname: vault\ndevice: {{name: Vault, gatt: {gatt}}}\n"
        f"security: {security}\n{services}"
    )


@dataclass
class Vault:
    """The bench with that device."""

    bench: Bench
    device: DeviceUnderTest
    events: list[Event]

    @property
    def peripheral(self) -> VirtualPeripheral:
        assert self.device.peripheral is not None
        return self.device.peripheral

    @asynccontextmanager
    async def client(
        self, agent: PairingAgent | None = None, **more: Any
    ) -> AsyncIterator[GattClient]:
        client = await self.bench.connect(self.device, agent=agent, **more)
        try:
            yield client
        finally:
            await client.disconnect()

    def details(self, what: str) -> list[str]:
        """Return what the client's link told of one kind."""
        return [
            one.detail for one in self.events if isinstance(one, LinkEvent) and one.what == what
        ]

    def notes(self) -> list[str]:
        """Return what the device told."""
        return [one.text for one in self.events if isinstance(one, Note)]

    def smp(self) -> list[str]:
        """Return what both sides said to pair."""
        return [one.pdu.hex() for one in self.events if isinstance(one, SmpPdu)]


@asynccontextmanager
async def vault(
    security: str, *, seed: int = 1, gatt: str = "{}", **settings: Any
) -> AsyncIterator[Vault]:
    """Open a bench with a device that pairs as ``security`` says."""
    async with (
        Bench(Settings(seed=seed, **settings)) as bench,
        life(bench, text_of(security, gatt=gatt)) as opened,
    ):
        yield opened


@asynccontextmanager
async def life(bench: Bench, text: str) -> AsyncIterator[Vault]:
    """Have a device live once on a bench, whose client remembers it from one life to the next."""
    events: list[Event] = []
    with bench.recording(events.append):
        async with bench.device(profile.loads(text)) as device:
            yield Vault(bench, device, events)
