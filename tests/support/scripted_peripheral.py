"""A small device for tests of the client: our server engine on a station, with faults to order.

It is made of real parts (link, controller, bumble device, ATT server engine) and knows nothing
of profiles. What it does wrong, it is told to.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Self

from bumble.device import Connection
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from bletest.att.access import ENCRYPTED, LinkSecurity
from bletest.att.bearer import ServerBearer
from bletest.att.database import AttributeTable
from bletest.att.server import Server
from bletest.att.server_events import ServerEvent, Subscribed, Written
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink
from bletest.uuids import USER_DESCRIPTION, Uuid

NAME = "Scripted"
ADDRESS = "C0:00:00:00:00:01"
MANUFACTURER = b"\x59\x00\x01\x02"

LONG_VALUE = bytes(range(256)) * 2
"""512 octets: needs Read Blob Requests on any ATT_MTU but the largest."""


def ad(kind: int, data: bytes) -> bytes:
    """Return one AD structure."""
    return bytes((len(data) + 1, kind)) + data


def example_table() -> AttributeTable:
    """Return a table with one attribute of every kind that the tests need."""
    table = AttributeTable()
    table.add_service(Uuid(0x1800))
    table.add_characteristic(Uuid(0x2A00), ("read",), NAME.encode())
    table.add_service(Uuid(0x180F))
    table.add_characteristic(Uuid(0x2A19), ("read", "notify"), b"\x64")
    table.add_service(Uuid(0x180D))
    table.add_characteristic(Uuid(0x2A37), ("notify",))
    table.add_characteristic(Uuid(0x2A38), ("read",), b"\x01")
    table.add_characteristic(Uuid(0x2A39), ("write",), min_length=1, max_length=1)
    table.add_service(Uuid(0xFF00))
    table.add_characteristic(Uuid(0xFF01), ("read", "write"), LONG_VALUE)
    table.add_descriptor(USER_DESCRIPTION, b"a long value", write=ENCRYPTED)
    table.add_characteristic(Uuid(0xFF02), ("read", "write_without_response"))
    table.add_characteristic(Uuid(0xFF03), ("indicate",))
    table.add_characteristic(Uuid(0xFF04), ("read",), b"secret", read=ENCRYPTED)
    table.add_characteristic(Uuid(0xFF05), ("read",), b"first")
    table.add_characteristic(Uuid(0xFF05), ("read",), b"second")
    table.add_characteristic(Uuid(0xFF06), ("read", "write", "reliable_write"), b"r")
    table.add_descriptor(USER_DESCRIPTION, b"changeable", write=ENCRYPTED)
    table.add_service(Uuid.parse("6e400001-b5a3-f393-e0a9-e50e24dcca9e"))
    table.add_characteristic(
        Uuid.parse("6e400003-b5a3-f393-e0a9-e50e24dcca9e"), ("notify", "indicate")
    )
    return table


class ScriptedPeripheral:
    """The device. ``async with ScriptedPeripheral(air) as device: …`` has it advertising.

    ``mute`` holds opcodes of requests that get no answer, ``replies`` octets that are sent in
    answer to an opcode instead of the right ones, ``on_request`` is called before each answer.
    ``written`` collects what was written, ``received`` every PDU from clients.
    """

    def __init__(
        self,
        air: VirtualLink,
        table: AttributeTable | None = None,
        *,
        name: str = NAME,
        address: str = ADDRESS,
        mtu: int = 517,
        services: tuple[int, ...] = (0x180D, 0x180F),
        accepts_pairing: bool = True,
    ) -> None:
        self.air = air
        self.table = table if table is not None else example_table()
        self.name = name
        self.address = address
        self.mute: set[int] = set()
        self.replies: dict[int, bytes] = {}
        self.on_request: Callable[[bytes], None] | None = None
        self.written: list[Written] = []
        self.received: list[bytes] = []
        self.connected = asyncio.Event()
        self.subscribed = asyncio.Event()
        self.station: Station
        self._services = services
        self._accepts_pairing = accepts_pairing
        self._server = Server(self.table, mtu=mtu, on_event=self._on_event)
        self._bearers: dict[int, tuple[Connection, ServerBearer]] = {}

    async def __aenter__(self) -> Self:
        self.station = await open_station(
            self.air, name=self.name, address=self.address, rng=random.Random(self.address)
        )
        device = self.station.device
        device.pairing_config_factory = self._pairing_config
        device.on("connection", self._on_connection)
        self.station.host.on_att_server_pdu = self._on_server_pdu
        await self.advertise()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.station.close()

    async def advertise(self) -> None:
        """Advertise until somebody connects, and again after they are gone."""
        services = b"".join(one.to_bytes(2, "little") for one in self._services)
        await self.station.device.start_advertising(
            auto_restart=True,
            advertising_data=ad(0x01, b"\x06") + ad(0x03, services),
            scan_response_data=ad(0x09, self.name.encode()) + ad(0xFF, MANUFACTURER),
            advertising_interval_min=100,
            advertising_interval_max=100,
        )

    @property
    def connection(self) -> Connection:
        """The link to the only client there is."""
        ((connection, _),) = self._bearers.values()
        return connection

    def handle_of(self, uuid: int, occurrence: int = 0) -> int:
        """Return the value handle of a characteristic."""
        found = [one for _, one in self.table.characteristics() if one.uuid == Uuid(uuid)]
        return found[occurrence].value.handle

    def notify(self, uuid: int, value: bytes) -> None:
        """Send a notification to the client."""
        self.send(b"\x1b" + self.handle_of(uuid).to_bytes(2, "little") + value)

    def indicate(self, uuid: int, value: bytes) -> None:
        """Send an indication to the client."""
        self.send(b"\x1d" + self.handle_of(uuid).to_bytes(2, "little") + value)

    def send(self, pdu: bytes) -> None:
        """Send any ATT PDU to the client."""
        self.station.host.send_att(self.connection.handle, pdu)

    def vanish(self) -> None:
        """Go off the air without a word, as when the battery is pulled."""
        controller = self.station.controller
        assert controller is not None
        self.air.remove_controller(controller)

    async def hang_up(self) -> None:
        """End the link properly."""
        await self.connection.disconnect()

    def forget_bonds(self) -> None:
        """Lose all keys, as after a factory reset."""
        keystore = self.station.device.keystore
        assert isinstance(keystore, MemoryKeyStore)
        keystore.all_keys.clear()

    def _on_connection(self, connection: Connection) -> None:
        bearer = self._server.connect(str(connection.peer_address), LinkSecurity())
        self._bearers[connection.handle] = (connection, bearer)
        self.connected.set()

        def on_end(_: int) -> None:
            bearer.close()
            del self._bearers[connection.handle]
            self.connected.clear()

        def on_encryption() -> None:
            bearer.security.encrypted = bearer.security.bonded = connection.is_encrypted
            bearer.security.key_size = 16

        connection.on("disconnection", on_end)
        connection.on("connection_encryption_change", on_encryption)

    def _on_server_pdu(self, handle: int, pdu: bytes) -> None:
        self.received.append(pdu)
        if self.on_request is not None:
            self.on_request(pdu)
        if pdu[0] in self.mute or handle not in self._bearers:
            return
        _, bearer = self._bearers[handle]
        answer = bearer.receive(pdu, asyncio.get_running_loop().time())
        answer = self.replies.get(pdu[0], answer)
        if answer is not None:
            self.station.host.send_att(handle, answer)

    def _on_event(self, event: ServerEvent) -> None:
        if isinstance(event, Written):
            self.written.append(event)
        elif isinstance(event, Subscribed):
            self.subscribed.set()

    def _pairing_config(self, _: Connection) -> PairingConfig:
        delegate = _Accepting() if self._accepts_pairing else _Refusing()
        return PairingConfig(mitm=False, delegate=delegate)


class _Accepting(PairingDelegate):
    pass


class _Refusing(PairingDelegate):
    async def accept(self) -> bool:
        return False
