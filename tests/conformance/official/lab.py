"""Where the official cases run: one emulated device, and centrals that send it any octets.

Nothing here asks the device's engine anything. What the device is comes from its profile as
plain YAML; where things are in its database, a tester finds out by PDUs of its own.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bletest import profile
from bletest.contracts.events import Event, Note
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.raw_central import CSRK, Air, RawCentral
from tests.support.signing import aes_cmac, signature

DEVICE = Path(__file__).with_name("device.yaml")
DESCRIPTION: dict[str, Any] = yaml.safe_load(DEVICE.read_text())
SERVICES: list[dict[str, Any]] = DESCRIPTION["services"]
MTU = 247

PROPERTY_BITS = {
    "read": 0x02,
    "write_without_response": 0x04,
    "write": 0x08,
    "notify": 0x10,
    "indicate": 0x20,
    "authenticated_signed_write": 0x40,
    "reliable_write": 0x80,
    "writable_auxiliaries": 0x80,
}
SIG_DESCRIPTORS = {
    "characteristic_user_description": 0x2901,
    "characteristic_presentation_format": 0x2904,
    "characteristic_aggregate_format": 0x2905,
}


def u16(number: int) -> bytes:
    """16 bits as they travel."""
    return number.to_bytes(2, "little")


def number_at(octets: bytes, at: int) -> int:
    """Read 16 bits."""
    return octets[at] | octets[at + 1] << 8


def uuid_octets(uuid: int | str) -> bytes:
    """A UUID of the YAML file as it travels."""
    if uuid in SIG_DESCRIPTORS:
        uuid = SIG_DESCRIPTORS[str(uuid)]
    if isinstance(uuid, int):
        return u16(uuid)
    return bytes.fromhex(uuid.replace("-", ""))[::-1]


def characteristics() -> list[dict[str, Any]]:
    """All characteristics of the file, in order."""
    return [one for service in SERVICES for one in service["characteristics"]]


def described(name: str) -> dict[str, Any]:
    """The characteristic of that id."""
    return next(one for one in characteristics() if one["id"] == name)


def value_of(entry: dict[str, Any]) -> bytes:
    """The value that the file gives a characteristic or descriptor."""
    value = entry["value"]
    if "text" in value:
        return str(value["text"]).encode()
    octets = value["hex"]  # of which PyYAML makes a number where it can
    return bytes.fromhex(f"{octets:02d}" if isinstance(octets, int) else octets)


def error(request: bytes, handle: int, code: int) -> bytes:
    """The Error Response to a request."""
    return bytes((0x01, request[0])) + u16(handle) + bytes((code,))


def signed(handle: int, value: bytes, counter: int, key: bytes = CSRK) -> bytes:
    """A Signed Write Command (Vol 3, Part H, 2.4.5): all numbers least significant first."""
    message = b"\xd2" + u16(handle) + value
    return message + signature(message, counter, key)


@dataclass
class Found:
    """A characteristic as a tester found it."""

    declaration: int
    properties: int
    handle: int
    uuid: bytes
    descriptors: list[tuple[int, bytes]] = field(default_factory=list)

    def descriptor(self, uuid: int | str, nth: int = 0) -> int:
        """The handle of its descriptor of that UUID."""
        return [handle for handle, one in self.descriptors if one == uuid_octets(uuid)][nth]


class Tester(RawCentral):
    """A raw central that finds its way."""

    found: list[Found]

    async def ask(self, request: bytes) -> bytes:
        """Send a request; there is a response."""
        response = await self.request(request)
        assert response is not None, f"no response to {request.hex()}"
        return response

    async def sweep(
        self, opcode: int, type_: bytes, start: int = 1, end: int = 0xFFFF
    ) -> list[Any]:
        """Ask by type (0x08) or group type (0x10) to the end: (handle, rest of the record)."""
        records = []
        while start <= end:
            request = bytes((opcode,)) + u16(start) + u16(end) + type_
            response = await self.ask(request)
            if response[0] == 0x01:
                assert response == error(request, start, 0x0A)
                return records
            assert response[0] == opcode + 1
            size = response[1]
            assert (len(response) - 2) % size == 0
            for at in range(2, len(response), size):
                records.append((number_at(response, at), response[at + 2 : at + size]))
            last = records[-1]
            start = (number_at(last[1], 0) if opcode == 0x10 else last[0]) + 1
        return records

    async def information(self, start: int, end: int) -> list[tuple[int, bytes]]:
        """Ask Find Information to the end: (handle, type)."""
        records: list[tuple[int, bytes]] = []
        while start <= end:
            request = b"\x04" + u16(start) + u16(end)
            response = await self.ask(request)
            if response[0] == 0x01:
                assert response == error(request, start, 0x0A)
                return records
            assert response[0] == 0x05
            size = {1: 4, 2: 18}[response[1]]
            assert (len(response) - 2) % size == 0
            records += [
                (number_at(response, at), response[at + 2 : at + size])
                for at in range(2, len(response), size)
            ]
            start = records[-1][0] + 1
        return records

    async def discover(self) -> None:
        """Find all characteristics and descriptors."""
        types = dict(await self.information(1, 0xFFFF))
        self.found = []
        for declaration, rest in await self.sweep(0x08, b"\x03\x28"):
            self.found.append(Found(declaration, rest[0], number_at(rest, 1), rest[3:]))
        groups = {b"\x00\x28", b"\x01\x28", b"\x03\x28"}
        for one in self.found:
            handle = one.handle + 1
            while handle in types and types[handle] not in groups:
                one.descriptors.append((handle, types[handle]))
                handle += 1

    def characteristic(self, name: str | int) -> Found:
        """One by its id in the file, or by a 16-bit UUID."""
        uuid = u16(name) if isinstance(name, int) else uuid_octets(described(name)["uuid"])
        return next(one for one in self.found if one.uuid == uuid)

    def at(self, name: str | int) -> int:
        """The handle of its value."""
        return self.characteristic(name).handle

    def cccd(self, name: str | int) -> int:
        """The handle of its CCCD."""
        return self.characteristic(name).descriptor(0x2902)

    async def read(self, handle: int) -> bytes:
        """Read a short value that can be read."""
        response = await self.ask(b"\x0a" + u16(handle))
        assert response[0] == 0x0B, response.hex()
        return response[1:]

    async def read_long(self, handle: int, chunk: int = 22) -> bytes:
        """Read a value by blobs from its beginning."""
        value = b""
        while True:
            response = await self.ask(b"\x0c" + u16(handle) + u16(len(value)))
            assert response[0] == 0x0D, response.hex()
            value += response[1:]
            if len(response) - 1 < chunk:
                return value

    async def write(self, handle: int, value: bytes) -> None:
        """Write a value that can be written."""
        response = await self.ask(b"\x12" + u16(handle) + value)
        assert response == b"\x13", response.hex()

    async def prepare(self, handle: int, offset: int, part: bytes) -> None:
        """Prepare a write; it is echoed."""
        request = b"\x16" + u16(handle) + u16(offset) + part
        assert await self.ask(request) == b"\x17" + request[1:]

    async def quiet(self, seconds: float = 2.0) -> None:
        """Assert that neither a response nor a notification comes."""
        await asyncio.sleep(seconds)
        assert self._responses.empty()
        assert self.notifications.empty()

    async def database_hash(self) -> bytes:
        """Compute the Database Hash of what can be found out (Vol 3, Part G, 7.3.1)."""
        message = b""
        with_value = {b"\x00\x28", b"\x01\x28", b"\x02\x28", b"\x03\x28", b"\x00\x29"}
        without = {b"\x01\x29", b"\x02\x29", b"\x03\x29", b"\x04\x29", b"\x05\x29"}
        for handle, type_ in await self.information(1, 0xFFFF):
            if type_ in with_value:
                message += u16(handle) + type_ + await self.read(handle)
            elif type_ in without:
                message += u16(handle) + type_
        return aes_cmac(message, bytes(16))[::-1]


class Lab:
    """An emulated device, and testers as needed."""

    def __init__(self, link: Air, device: Any, notes: list[str]) -> None:
        self.link = link
        self.device = device
        self.notes = notes
        self.changes = 0
        self.can_serve = True
        self._stack = AsyncExitStack()

    async def tester(
        self,
        number: int = 1,
        *,
        key_size: int = 16,
        discover: bool = True,
        pair: bool = False,
        address: str | None = None,
    ) -> Tester:
        """Connect a tester of its own address."""
        tester = Tester(
            self.link,
            self.device.address,
            address=address or f"F0:00:00:00:00:{number:02X}",
            key_size=key_size,
        )
        await self._stack.enter_async_context(tester)
        if pair:
            await tester.pair()
        if discover:
            await tester.discover()
        return tester

    def tell(self, name: str, value: bytes) -> None:
        """Have the device change a value, and tell who has subscribed."""
        self.device[name].value(value)

    def change(self) -> None:
        """Have the device change its database: a service goes, or comes back."""
        self.changes += 1
        if self.changes % 2:
            self.device.remove_service("changing")
        else:
            self.device.add_service("changing")

    async def dismiss(self) -> None:
        """Disconnect every tester."""
        await self._stack.aclose()

    async def still_serves(self) -> None:
        """A stranger connects, and is served: every device has a name."""
        stranger = await self.tester(0xEE)
        assert await stranger.read(stranger.at(0x2A00))

    async def __aenter__(self) -> "Lab":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def lab(description: Path | str = DEVICE) -> AsyncIterator[Lab]:
    """Switch the device of a file or text on, and off afterwards."""
    link = VirtualLink(seed=5)
    station = await open_station(link, name="device", address=None, rng=random.Random(5))
    notes: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event.text)

    read = profile.load if isinstance(description, Path) else profile.loads
    device = VirtualPeripheral(read(description), on_event=note)
    await device.start(station)
    try:
        async with Lab(link, device, notes) as opened:
            yield opened
        assert not device.failures
    finally:
        await device.stop()
        await station.close()


Case = Callable[[Lab], Awaitable[None]]
CASES: dict[str, Case] = {}
"""What is written of the catalogue, by identifier."""


def case(identifier: str) -> Callable[[Case], Case]:
    """Register the case of that identifier."""

    def register(function: Case) -> Case:
        assert identifier not in CASES, identifier
        CASES[identifier] = function
        return function

    return register
