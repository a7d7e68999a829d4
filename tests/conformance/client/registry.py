"""The official GATT client cases: the family that the modules here fill, and where they run."""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakGATTProtocolError

from bletest.client.adapter import BumbleAdapter
from bletest.client.agent import PairingAgent
from bletest.client.connecting import make_client
from bletest.client.gatt import GattClient
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from tests.conformance.family import Family
from tests.support.scripted_server import NAME, ScriptedServer, u16

DEVICE_NAME = 0x0003


class ClientLab:
    """A client, connected to a scripted server whose record begins after the discovery."""

    can_serve = True

    def __init__(self, server: ScriptedServer, client: GattClient) -> None:
        self.server = server
        self.client = client

    @property
    def bleak(self) -> BleakClient:
        """What a user of bleak has."""
        return self.client.bleak

    @property
    def received(self) -> list[bytes]:
        """What the server was sent."""
        return self.server.received

    def characteristic(self, handle: int) -> BleakGATTCharacteristic:
        """The characteristic whose value is there, as bleak has it."""
        (found,) = [
            one
            for one in self.bleak.services.characteristics.values()
            if one.obj.value_handle == handle
        ]
        return found

    async def refused(self, work: Coroutine[Any, Any, Any], code: int) -> None:
        """What a user of bleak asked for is refused with that code."""
        with pytest.raises(BleakGATTProtocolError) as caught:
            await work
        assert caught.value.code == code

    async def goes_on(self) -> None:
        """The server does as it should again, and the client reads from it."""
        self.server.answers.clear()
        self.server.forget()
        assert await self.bleak.read_gatt_char(self.characteristic(DEVICE_NAME)) == NAME
        assert self.received == [b"\x0a" + u16(DEVICE_NAME)]

    async def dismiss(self) -> None:
        """The client disconnects."""
        await self.client.disconnect()
        self.server.answers.clear()

    async def still_serves(self) -> None:
        """The client connects again, and reads."""
        await self.client.connect()
        await self.goes_on()


@asynccontextmanager
async def client_lab(
    *, mtu: int = 23, connect: bool = True, agent: PairingAgent | None = None
) -> AsyncIterator[ClientLab]:
    """Switch a scripted server and a client on; ``mtu`` is what the server takes."""
    air = VirtualLink(seed=5)
    async with ScriptedServer(air, mtu=mtu) as server:
        station = await open_station(air, name="client", address=None, rng=random.Random(7))
        adapter = BumbleAdapter(station)
        client = make_client(adapter, server.address, address_type="random", agent=agent)
        try:
            lab = ClientLab(server, client)
            if connect:
                await client.connect()
                server.forget()
            yield lab
            assert not adapter.take_callback_failures()
        finally:
            await adapter.close()
            await station.close()
            await asyncio.sleep(0.1)


CLIENT = Family(
    "client",
    Path(__file__).with_name("cases.yaml"),
    title="GATT client",
    counted="official GATT client cases that LE can carry",
    words="",
    opening=client_lab,
)
CLIENT.words = f"""\
The official GATT client cases, in [`tests/conformance/client`](../tests/conformance/client): our
client against a server of raw PDUs on a plain bumble device, which shares no code with it.
{sum(one.layer == "bleak" for one in CLIENT.entries())} of them are what any user of bleak can bring
about, and go through bleak's own calls; {sum(one.layer == "raw" for one in CLIENT.entries())} need
procedures that bleak has no call for, and go through `GattClient.run()` and the like;
{sum(one.layer == "eatt" for one in CLIENT.entries())} need enhanced bearers. What is asserted is
what the server was sent, octet by octet, and what the caller got. After each case the client
connects again and reads."""
case = CLIENT.case
unconnected = partial(client_lab, connect=False)
signing = partial(client_lab, agent=PairingAgent(io="no_input_no_output", mitm=False, signing=True))
