"""The GATT client of pybtle: synchronous, with results for answers."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bletest.client.adapter import BumbleAdapter
from bletest.client.agent import PairingAgent
from bletest.client.backend import RawPort
from bletest.client.connecting import make_client
from bletest.client.gatt import GattClient
from bletest.client.link import ClientLink
from bletest.compat.pybtle.cmd import cmd as Cmd
from bletest.compat.pybtle.results import (
    Result,
    answers,
    error,
    function,
    octets,
    ok,
    one_of,
    whole_number,
)
from bletest.contracts.client import Reading
from bletest.contracts.database import RemoteCharacteristic, RemoteDescriptor, RemoteService
from bletest.errors import PairingFailed, UnknownAttribute, UsageMistake
from bletest.standalone.engine import Callbacks
from bletest.uuids import Uuid, UuidKind

ADDRESS_TYPES = ("public", "random")
SECURITY_LEVELS = ("low", "medium", "high")

_ADDRESS = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}", re.I)

Found = TypeVar("Found", bound=RemoteCharacteristic | RemoteDescriptor)
Stop = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Connection:
    """A link, and what is subscribed to on it, by the handle of the value."""

    client: GattClient
    link: ClientLink
    address: str
    subscriptions: dict[int, Stop] = field(default_factory=dict)


class gattc:
    """A GATT client on the adapters of a ``cmd``, with one link on each at most.

    Callbacks run in a thread of this client, one after the other; they may call the client.
    """

    def __init__(self, cmd: Cmd) -> None:
        self._cmd = cmd
        self._engine = cmd.engine
        self._callbacks: Callbacks = cmd.engine.callbacks()
        self._connections: dict[int, _Connection] = {}
        self._passkey: Callable[[], int | str | None] = lambda: None
        self._connected_cb: Callable[..., object] | None = None
        self._disconnected_cb: Callable[..., object] | None = None

    # The link

    @answers
    def connect(
        self,
        devId: int | str,
        addr: str,
        addrtype: str | None = None,
        sec_level: str = "low",
    ) -> Result:
        """Connect, secure the link as asked, discover; return when all of it is done.

        ``addr`` is ``"00:11:22:33:44:55"``, ``addrtype`` ``"public"`` or ``"random"``.
        ``sec_level``: ``"low"`` leaves the link plain, ``"medium"`` encrypts it, ``"high"`` takes
        nothing less than authenticated keys. ``connect(addr, addrtype)`` is adapter 0, ``"low"``.
        """
        if isinstance(devId, str) and addrtype is None:
            return self.connect(0, devId, addr)
        index = whole_number("devId", devId)
        adapter = self._cmd.adapter(index)
        address = address_of(addr)
        kind = one_of("addrtype", addrtype, ADDRESS_TYPES)
        level = one_of("sec_level", sec_level, SECURITY_LEVELS)
        current = self._connections.get(index)
        if current is not None and current.client.is_connected:
            raise UsageMistake(
                f"this client is connected to {current.address} already", remedy="disconnect first"
            )
        connecting = self._connect(index, adapter, address, kind, level)
        self._connections[index] = self._engine.call(connecting, within=self._cmd.timeout)
        if self._connected_cb is not None:
            self._callbacks.call(self._connected_cb, {"devId": index, "addr": address})
        return ok()

    @answers
    def disconnect(self, devId: int = 0) -> Result:
        """End the link."""
        connection = self._connection(devId)
        self._engine.call(connection.client.disconnect(), within=self._cmd.timeout)
        return ok()

    @answers
    def set_connected_cb(self, callback: Callable[[dict[str, Any]], object] | None) -> Result:
        """Call ``callback`` when a link is up, with ``devId`` and ``addr``; None ends it."""
        self._connected_cb = None if callback is None else function("callback", callback)
        return ok()

    @answers
    def set_disconnected_cb(self, callback: Callable[[dict[str, Any]], object] | None) -> Result:
        """Call ``callback`` when a link has ended, with ``devId``, ``addr`` and ``reason``."""
        self._disconnected_cb = None if callback is None else function("callback", callback)
        return ok()

    @answers
    def set_passkey(self, passkey: int | str | Callable[[], int | str] | None) -> Result:
        """Enter this where a device shows a passkey, for ``sec_level`` ``"high"``.

        Six digits as int or str, or a function that returns them; None refuses.
        """
        if callable(passkey):
            self._passkey = passkey
            return ok()
        known = None if passkey is None else passkey_of(passkey)
        self._passkey = lambda: known
        return ok()

    @answers
    def pair(self, devId: int = 0) -> Result:
        """Pair, or encrypt with the key of an earlier bond."""
        connection = self._connection(devId)
        self._engine.call(connection.client.pair(), within=self._cmd.timeout)
        return ok()

    @answers
    def get_mtu(self, devId: int = 0) -> Result:
        """``value`` is ATT_MTU in octets."""
        return ok(self._connection(devId).client.mtu)

    @answers
    def get_rssi(self, devId: int = 0) -> Result:
        """``value`` is the RSSI of the link in dBm."""
        reading = self._cmd.adapter(devId).rssi(self._connection(devId).link)
        return ok(self._engine.call(reading, within=self._cmd.timeout))

    # The database

    @answers
    def service_discovery(self, devId: int = 0) -> Result:
        """Discover the database again."""
        connection = self._connection(devId)
        self._engine.call(connection.client.discover(), within=self._cmd.timeout)
        return ok()

    @answers
    def get_db(self, devId: int = 0) -> Result:
        """``value`` is what was discovered: a list of services, in the order of their handles.

        A service has ``uuid``, ``start``, ``end`` and ``characteristics``; each of these ``uuid``,
        ``handle``, ``value_handle``, ``properties`` and ``descriptors``, with ``uuid`` and
        ``handle`` each.
        """
        return ok([_service(one) for one in self._connection(devId).client.database.services])

    # Values

    @answers
    def read(self, devId: int, chr: str | None = None, handle: int | None = None) -> Result:
        """Read a characteristic or descriptor whole; ``value`` holds its octets.

        It is the one at ``handle``, or where that is None the one with the UUID ``chr``.
        """
        connection = self._connection(devId)
        found = _attribute(connection.client, chr, handle)
        client = connection.client
        if isinstance(found, RemoteDescriptor):
            reading = self._engine.call(client.read_descriptor(found), within=self._cmd.timeout)
        else:
            reading = self._engine.call(client.read(found), within=self._cmd.timeout)
        return ok(reading.raw)

    @answers
    def write_req(
        self, devId: int, chr: str | None, handle: int | None, value: str | bytes
    ) -> Result:
        """Write with response a characteristic or descriptor, found as :meth:`read` does."""
        connection = self._connection(devId)
        data = octets("value", value)
        found = _attribute(connection.client, chr, handle)
        client = connection.client
        if isinstance(found, RemoteDescriptor):
            work = client.write_descriptor(found, data)
        else:
            work = client.write(found, data)
        self._engine.call(work, within=self._cmd.timeout)
        return ok()

    @answers
    def write_cmd(
        self, devId: int, chr: str | None, handle: int | None, value: str | bytes
    ) -> Result:
        """Write a characteristic without response; whether the device took it, nobody knows."""
        connection = self._connection(devId)
        data = octets("value", value)
        found = _attribute(connection.client, chr, handle)
        if isinstance(found, RemoteDescriptor):
            raise UsageMistake("a descriptor is written with response", remedy="use write_req")
        work = connection.client.write(found, data, response=False)
        self._engine.call(work, within=self._cmd.timeout)
        return ok()

    @answers
    def subscribe_notification(
        self, devId: int, chrc_uuid: str, notification_cb: Callable[[dict[str, Any]], object]
    ) -> Result:
        """Call back for each notification, or indication where only those exist.

        The callback gets one dict: ``value_handle``, ``data_len``, ``data``, ``chrc_uuid``.
        """
        connection = self._connection(devId)
        callback = function("notification_cb", notification_cb)
        found = _characteristic(connection.client, chrc_uuid)
        handle = _handle(found)
        if handle in connection.subscriptions:
            return error("subscription already exists")

        def tell(reading: Reading) -> None:
            self._callbacks.call(
                callback,
                {
                    "value_handle": handle,
                    "data_len": len(reading.raw),
                    "data": reading.raw,
                    "chrc_uuid": chrc_uuid,
                },
            )

        listening = connection.client.listen(found, tell)
        connection.subscriptions[handle] = self._engine.call(listening, within=self._cmd.timeout)
        return ok()

    @answers
    def unsubscribe_notification(self, devId: int, chrc_uuid: str) -> Result:
        """End a subscription; what has come before is still called back."""
        connection = self._connection(devId)
        found = _characteristic(connection.client, chrc_uuid)
        stop = connection.subscriptions.pop(_handle(found), None)
        if stop is None:
            return error("none subscription for this characteristic")
        self._engine.call(_awaited(stop), within=self._cmd.timeout)
        return ok()

    # Inside

    async def _connect(
        self, dev_id: int, adapter: BumbleAdapter, address: str, kind: str, level: str
    ) -> _Connection:
        client = make_client(
            adapter,
            address,
            address_type=kind,
            timeout=self._cmd.timeout,
            pair=level != "low",
            agent=_Person(self._ask_passkey) if level == "high" else None,
        )
        await client.connect()
        assert isinstance(client.raw, RawPort)  # adapters of ours give one to their clients
        assert client.raw.link is not None
        connection = _Connection(client, client.raw.link, address)
        if level == "high" and not await adapter.is_authenticated(connection.link):
            await client.disconnect()
            raise PairingFailed(
                f"{address} is paired with, but nobody compared or typed a passkey: its keys are "
                'not authenticated, as sec_level "high" asks for'
            )
        connection.link.on_end(lambda: self._on_end(dev_id, connection))
        return connection

    async def _ask_passkey(self) -> int | None:
        told = await self._callbacks.ask(self._passkey)
        return None if told is None else passkey_of(told)

    def _connection(self, dev_id: object) -> _Connection:
        index = whole_number("devId", dev_id)
        connection = self._connections.get(index)
        if connection is None:
            raise UsageMistake(f"not connected on adapter {index}", remedy="connect first")
        return connection

    def _on_end(self, dev_id: int, connection: _Connection) -> None:
        connection.subscriptions.clear()
        if self._disconnected_cb is not None:
            reason = connection.link.error().message
            told = {"devId": dev_id, "addr": connection.address, "reason": reason}
            self._callbacks.call(self._disconnected_cb, told)


class _Person(PairingAgent):
    """Whoever sits before the script: types what it is told to."""

    def __init__(self, passkey: Callable[[], Awaitable[int | None]]) -> None:
        super().__init__(io="keyboard_display")
        self._enter = passkey

    async def enter_passkey(self) -> int | None:
        """Return what the script says that the device shows."""
        return await self._enter()


def passkey_of(passkey: object) -> int:
    """Return a passkey of six digits as a number; raises UsageMistake."""
    digits = f"{passkey:06}" if isinstance(passkey, int) else passkey
    if not isinstance(digits, str) or len(digits) != 6 or not digits.isdecimal():
        raise UsageMistake(f"a passkey has six digits, unlike {passkey!r}")
    return int(digits)


async def _awaited(stop: Stop) -> None:
    await stop()


def address_of(addr: object) -> str:
    """Return an address as the adapters know it; raises UsageMistake."""
    if not isinstance(addr, str) or not _ADDRESS.fullmatch(addr):
        raise UsageMistake(f"addr must be like 00:11:22:33:44:55, not {addr!r}")
    return addr.upper()


def _service(one: RemoteService) -> dict[str, Any]:
    return {
        "uuid": str(one.uuid),
        "start": one.handle,
        "end": one.end_handle,
        "characteristics": [
            {
                "uuid": str(characteristic.uuid),
                "handle": characteristic.handle,
                "value_handle": characteristic.value_handle,
                "properties": sorted(characteristic.properties),
                "descriptors": [
                    {"uuid": str(descriptor.uuid), "handle": descriptor.handle}
                    for descriptor in characteristic.descriptors
                ],
            }
            for characteristic in one.characteristics
        ],
    }


def _attribute(
    client: GattClient, uuid: object, handle: object
) -> RemoteCharacteristic | RemoteDescriptor:
    """Return what is at ``handle``, or where that is None the only one with that UUID."""
    if handle is None:
        if uuid is None:
            raise UsageMistake("say which attribute: its uuid, or its handle")
        everything: list[RemoteCharacteristic | RemoteDescriptor] = [
            *_characteristics(client),
            *_descriptors(client),
        ]
        return _only(client, _uuid(uuid), uuid, everything)
    number = whole_number("handle", handle)
    for characteristic in _characteristics(client):
        if number == characteristic.value_handle:
            return characteristic
    for descriptor in _descriptors(client):
        if number == descriptor.handle:
            return descriptor
    raise UnknownAttribute(
        f"no characteristic has its value at handle 0x{number:04X}, and no descriptor is there",
        remedy="get_db() tells the handles",
    )


def _characteristic(client: GattClient, uuid: object) -> RemoteCharacteristic:
    return _only(client, _uuid(uuid), uuid, _characteristics(client))


def _only(client: GattClient, wanted: Uuid, shown: object, among: Sequence[Found]) -> Found:
    matches = [one for one in among if one.uuid == wanted]
    if not matches:
        raise UnknownAttribute(f"{client.address} has no {shown}")
    if len(matches) > 1:
        places = ", ".join(
            f"0x{(one.value_handle if isinstance(one, RemoteCharacteristic) else one.handle):04X}"
            for one in matches
        )
        raise UnknownAttribute(
            f"{client.address} has {len(matches)} of {shown}",
            remedy=f"name one by handle: {places}",
        )
    return matches[0]


def _handle(one: RemoteCharacteristic | RemoteDescriptor) -> int:
    handle = one.value_handle if isinstance(one, RemoteCharacteristic) else one.handle
    return handle or 0  # an adapter of ours knows them all


def _characteristics(client: GattClient) -> tuple[RemoteCharacteristic, ...]:
    return tuple(one for _, one in client.database.characteristics())


def _descriptors(client: GattClient) -> tuple[RemoteDescriptor, ...]:
    return tuple(found for one in _characteristics(client) for found in one.descriptors)


def _uuid(text: object) -> Uuid:
    try:
        if isinstance(text, str):
            return Uuid.parse(text, UuidKind.CHARACTERISTIC)
    except ValueError as mistake:
        raise UsageMistake(str(mistake)) from None
    raise UsageMistake(f"chr must be a UUID as text, not {text!r}")
