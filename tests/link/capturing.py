"""Two stations that connect, pair and exchange frames under capture; as a program, to a folder.

``python -m tests.link.capturing FOLDER PATH [die]`` leaves the captures of one session, or is
killed in the middle of it.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bumble.device import Connection

from bletest.link.capture import Recorder
from bletest.link.clock import run
from bletest.link.data_path import DataPath
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink

READ = b"\x0a\x03\x00"
VALUE = b"\x0b\x2a"
LONG_COMMAND = b"\x52\x03\x00" + bytes(range(256)) * 2  # a value of 512 octets, ATT_MTU 517


@dataclass
class Two:
    """A central and a peripheral that answers every request with :data:`VALUE`."""

    air: VirtualLink
    recorder: Recorder
    central: Station
    peripheral: Station

    async def connect(self) -> Connection:
        await self.peripheral.device.start_advertising(auto_restart=False)
        return await self.central.device.connect(self.peripheral.device.random_address)

    async def ask(self, link: Connection, pdu: bytes) -> None:
        self.central.host.send_att(link.handle, pdu)
        await asyncio.sleep(0.1)


@asynccontextmanager
async def two(recorder: Recorder, path: DataPath = DataPath.SHORT) -> AsyncIterator[Two]:
    """Open both, each with a tap."""
    air = VirtualLink(path=path)

    async def opened(name: str) -> Station:
        rng = random.Random(name)
        return await open_station(air, name=name, address=None, rng=rng, tap=recorder.tap(name))

    both = Two(air, recorder, await opened("central"), await opened("peripheral"))
    answer = both.peripheral.host.send_att

    def on_request(handle: int, pdu: bytes) -> None:
        if pdu == READ:
            answer(handle, VALUE)

    both.peripheral.host.on_att_server_pdu = on_request
    both.central.host.on_att_client_pdu = lambda handle, pdu: None
    try:
        yield both
    finally:
        await both.central.close()
        await both.peripheral.close()


async def session(folder: Path, path: DataPath, *, die: bool = False) -> None:
    """Capture a session of everything that there is: control, reads, long frames, pairing."""
    recorder = Recorder()
    with recorder.into(folder):
        async with two(recorder, path) as both:
            link = await both.connect()
            await both.ask(link, READ)
            await asyncio.sleep(2.5)
            await both.ask(link, LONG_COMMAND)
            if die:
                os.kill(os.getpid(), signal.SIGKILL)
            await link.pair()
            await both.ask(link, READ)
            await link.disconnect()
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    run(session(Path(sys.argv[1]), DataPath(sys.argv[2]), die="die" in sys.argv))
