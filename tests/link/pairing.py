"""Two of our stations that pair; as a program it prints what they said, in all ways of pairing."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bumble.device import Connection
from bumble.keys import PairingKeys
from bumble.pairing import PairingConfig, PairingDelegate

from bletest.link.clock import run
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink

JUST_WORKS = (PairingDelegate.NO_OUTPUT_NO_INPUT, PairingDelegate.NO_OUTPUT_NO_INPUT)
PASSKEY = (PairingDelegate.KEYBOARD_INPUT_ONLY, PairingDelegate.DISPLAY_OUTPUT_ONLY)
PASSKEY_OF_CENTRAL = (PairingDelegate.DISPLAY_OUTPUT_ONLY, PairingDelegate.KEYBOARD_INPUT_ONLY)
ALL_KEYS = (
    PairingDelegate.DEFAULT_KEY_DISTRIBUTION
    | PairingDelegate.KeyDistribution.DISTRIBUTE_SIGNING_KEY
)


class Person(PairingDelegate):
    """Reads the passkey on one device and types it on the other, each after some seconds."""

    def __init__(
        self,
        passkeys: "asyncio.Queue[int]",
        io: PairingDelegate.IoCapability,
        hesitation: float,
    ) -> None:
        super().__init__(io, ALL_KEYS, ALL_KEYS)
        self._passkeys = passkeys
        self._hesitation = hesitation

    async def accept(self) -> bool:
        await asyncio.sleep(self._hesitation)
        return True

    async def display_number(self, number: int, digits: int) -> None:
        self._passkeys.put_nowait(number)

    async def get_number(self) -> int | None:
        await asyncio.sleep(self._hesitation)
        return await self._passkeys.get()


@dataclass
class Couple:
    """A central and a peripheral, connected. ``said`` holds the PDUs of both, as they come."""

    central: Station
    peripheral: Station
    passkeys: "asyncio.Queue[int]"
    said: list[str] = field(default_factory=list)
    failures: list[tuple[str, int]] = field(default_factory=list)
    keys: dict[str, PairingKeys] = field(default_factory=dict)
    configs: dict[str, PairingConfig] = field(default_factory=dict)
    link: Connection = field(init=False)
    other_link: Connection = field(init=False)

    def configure(
        self,
        io: tuple[PairingDelegate.IoCapability, PairingDelegate.IoCapability] = JUST_WORKS,
        *,
        sc: bool = True,
        key_sizes: tuple[int, int] = (16, 16),
        hesitation: float = 0,
        oob: tuple[PairingConfig.OobConfig | None, PairingConfig.OobConfig | None] = (None, None),
    ) -> None:
        """Say how both pair from now on; each pair of values is (central, peripheral)."""
        for index, (who, station) in enumerate(self.stations()):
            delegate = Person(self.passkeys, io[index], hesitation)
            delegate.maximum_encryption_key_size = key_sizes[index]
            config = self.configs[who] = PairingConfig(
                sc=sc,
                mitm=io is not JUST_WORKS,
                delegate=delegate,
                identity_address_type=PairingConfig.AddressType.RANDOM,
                oob=oob[index],
            )
            station.device.pairing_config_factory = lambda _, config=config: config

    def stations(self) -> tuple[tuple[str, Station], tuple[str, Station]]:
        return ("central", self.central), ("peripheral", self.peripheral)

    async def connect(self) -> None:
        """Connect, and note everything that happens on the link."""
        arrived: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self.peripheral.device.once("connection", arrived.set_result)
        await self.peripheral.device.start_advertising()
        self.link = await self.central.device.connect(self.peripheral.device.random_address)
        self.other_link = await arrived
        for who, link in (("central", self.link), ("peripheral", self.other_link)):
            link.on("pairing_failure", lambda code, who=who: self.failures.append((who, code)))
            link.on("pairing", lambda keys, who=who: self.keys.update({who: keys}))

    async def reconnect(self) -> None:
        await self.link.disconnect()
        await asyncio.sleep(1)
        await self.connect()

    async def pair(self) -> None:
        """Pair, and wait until the peripheral knows it too."""
        self.keys.clear()
        await self.central.device.pair(self.link)
        await asyncio.sleep(0.1)
        assert len(self.keys) == 2


@asynccontextmanager
async def couple(seed: str = "pairing", *, more: int = 0) -> AsyncIterator[Couple]:
    """Open two stations and connect them, on an air with ``more`` others."""
    air = VirtualLink()

    async def station(name: str) -> Station:
        return await open_station(air, name=name, address=None, rng=random.Random(seed + name))

    others = [await station(f"other {number}") for number in range(more)]
    opened = Couple(await station("central"), await station("peripheral"), asyncio.Queue())
    for who, one in opened.stations():
        one.host.observe = lambda kind, handle, sent, pdu, who=who: opened.said.append(
            f"{asyncio.get_running_loop().time():.9f} {who} {kind} {handle} {sent} {pdu.hex()}"
        )
    opened.configure()
    await opened.connect()
    try:
        yield opened
    finally:
        for one in (opened.central, opened.peripheral, *others):
            await one.close()


async def everything_said(seed: str = "pairing", *, more: int = 0) -> list[str]:
    """Pair in every way that a seed is needed for, and return all that was said."""
    said = []
    for io in (JUST_WORKS, PASSKEY, PASSKEY_OF_CENTRAL):
        for sc in (True, False):
            async with couple(seed, more=more) as two:
                two.configure(io, sc=sc)
                await two.pair()
                await two.reconnect()
                await two.central.device.encrypt(two.link)
                assert two.link.is_encrypted
                said += two.said
                said += [f"{who} {keys!r}" for who, keys in two.keys.items()]
    return said


if __name__ == "__main__":
    sys.stdout.write("\n".join(run(everything_said(*sys.argv[1:]))))
