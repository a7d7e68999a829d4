"""bleak's back end over a :class:`~bletest.client.adapter.BumbleAdapter`.

bleak hands keyword arguments on to a back end, but takes ``adapter`` for an old spelling of
BlueZ's and warns. So the adapter travels either in the class::

    BleakClient(device, backend=BumbleClient.on(adapter))
    BleakScanner.find_device_by_name("HR-Strap", backend=BumbleScanner.on(adapter))

or as ``via``::

    BleakClient(device, backend=BumbleClient, via=adapter)
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ClassVar, TypeVar

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import (
    AdvertisementData,
    AdvertisementDataCallback,
    BaseBleakScanner,
)
from bleak.exc import BleakError

from bletest.att.pdu import name_of
from bletest.att.procedures import Procedure, Refused
from bletest.client.adapter import BumbleAdapter
from bletest.client.advertising import Sighting
from bletest.client.agent import PairingAgent
from bletest.client.driver import EXECUTE_WRITE_CANCEL
from bletest.client.errors import to_bleak
from bletest.client.link import CallbackFailure, ClientLink
from bletest.client.raw import Unasked
from bletest.client.services import collection, value_handle
from bletest.client.signing import signed_write
from bletest.contracts.windows import LinkTiming
from bletest.errors import AttributeMissing, BletestError, LinkLost, UsageMistake
from bletest.uuids import CCCD

T = TypeVar("T")

NOTIFY = b"\x01\x00"
INDICATE = b"\x02\x00"
OFF = b"\x00\x00"

_UNKNOWN_RSSI = -127


def _adapter(bound: BumbleAdapter | None, via: object, bluez: object) -> BumbleAdapter:
    """Return the adapter from wherever it was handed over."""
    named = bluez.get("adapter") if isinstance(bluez, dict) else None
    for candidate in (via, named, bound):
        if isinstance(candidate, BumbleAdapter):
            return candidate
    raise UsageMistake(
        "no adapter was given to bletest's bleak back end",
        remedy="pass backend=BumbleClient.on(adapter), or via=adapter beside the back end",
    )


class BumbleScanner(BaseBleakScanner):
    """bleak's scanner on a :class:`BumbleAdapter`."""

    _bound: ClassVar[BumbleAdapter | None] = None

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        via: BumbleAdapter | None = None,
        bluez: object = None,
        **kwargs: Any,
    ) -> None:
        self._adapter = _adapter(self._bound, via, bluez)
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"
        self._running = False
        # By address: the last sighting, and what bleak made of it.
        self._shown: dict[str, tuple[Sighting, BLEDevice, AdvertisementData]] = {}

    @classmethod
    def on(cls, adapter: BumbleAdapter) -> type["BumbleScanner"]:
        """Return a back end that is bound to ``adapter``."""
        return type(cls.__name__, (cls,), {"_bound": adapter})

    async def start(self) -> None:
        """Start scanning; :class:`BleakError` if this scanner does already."""
        if self._running:
            raise BleakError("this scanner is scanning already")
        self.seen_devices = {}
        self._shown.clear()
        try:
            await self._adapter.start_scanning(self._on_sighting, active=self._active)
        except BletestError as error:
            raise to_bleak(error, "") from error
        self._running = True

    async def stop(self) -> None:
        """Stop scanning; :class:`BleakError` if the adapter was lost meanwhile."""
        self._running = False
        try:
            await self._adapter.stop_scanning(self._on_sighting)
            self._adapter.check()
        except BletestError as error:
            raise to_bleak(error, "") from error

    def _on_sighting(self, sighting: Sighting) -> None:
        known = self._shown.get(sighting.address)
        if known is not None and known[0] is sighting:
            # Nothing new: bleak is told what it was told before.
            self.call_detection_callbacks(known[1], known[2])
            return
        fields = sighting.fields
        data = AdvertisementData(
            local_name=fields.name,
            manufacturer_data=dict(fields.manufacturer_data),
            service_data={str(uuid): octets for uuid, octets in fields.service_data.items()},
            service_uuids=[str(uuid) for uuid in fields.services],
            tx_power=fields.tx_power,
            rssi=_UNKNOWN_RSSI if sighting.rssi is None else sighting.rssi,
            platform_data=(sighting,),
        )
        if not self.is_allowed_uuid(data.service_uuids):
            return
        device = self.create_or_update_device(
            sighting.address, sighting.address, fields.name, sighting, data
        )
        self._shown[sighting.address] = (sighting, device, data)
        self.call_detection_callbacks(device, data)


class RawPort:
    """A :class:`~bletest.client.raw.RawAtt` that the back end connects to its links.

    Hand one to ``BleakClient(…, backend=BumbleClient, via=adapter, port=port)``.
    """

    def __init__(self) -> None:
        self.link: ClientLink | None = None
        self.adapter: BumbleAdapter | None = None
        self.rediscover: Callable[[], Awaitable[None]] | None = None

    @property
    def is_encrypted(self) -> bool:
        """Whether the link is encrypted."""
        return self.link is not None and self.link.is_encrypted

    @property
    def link_name(self) -> str:
        """What events call the link."""
        return "" if self.link is None else self.link.name

    @property
    def timing(self) -> LinkTiming:
        """What the adapter was told that its links add, or else the connection's parameters."""
        if self.adapter is not None and self.adapter.timing is not None:
            return self.adapter.timing
        return LinkTiming() if self.link is None else self.link.timing

    @property
    def end(self) -> BletestError | None:
        """What ended the link."""
        return None if self.link is None or self.link.is_up else self.link.error()

    async def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure to its end; whoever leaves before has its prepared writes cancelled."""
        link = self._up()
        try:
            return await link.driver.run(procedure, cleanup=EXECUTE_WRITE_CANCEL)
        except Refused as refused:
            what = name_of(refused.request_opcode)
            raise await link.explain(refused, refused.handle, what)  # noqa: B904 - its cause is set
        except BletestError as trouble:
            raise await link.explain(trouble, 0, "procedure")  # noqa: B904 - its cause is set

    async def exchange(self, pdu: bytes, *, within: float) -> bytes | None:
        """Send any octets; return the next response PDU, None after ``within`` seconds."""
        return await self._up().exchange(pdu, within=within)

    def send(self, pdu: bytes) -> None:
        """Send any octets and await nothing."""
        self._up().driver.send(pdu)

    async def unasked(self, *, within: float) -> list[Unasked]:
        """Wait ``within`` seconds; return what nobody listened for on this link, each once."""
        link = self._up()
        await asyncio.wait([link.gone], timeout=within)
        if not link.is_up:
            raise link.error()
        await link.acquit_adapter()
        return link.driver.take_unasked()

    async def discover(self) -> None:
        """Discover the database again; bleak's ``services`` are the new ones then."""
        self._up()
        assert self.rediscover is not None  # it came with the link
        await self.rediscover()

    async def acquit_adapter(self) -> None:
        """Raise if it is the adapter's fault that nothing comes from the device."""
        await self._up().acquit_adapter()

    async def write(self, handle: int, value: bytes) -> None:
        """Write any attribute by its handle."""
        await self._up().write(handle, value)

    def write_signed(self, handle: int, value: bytes) -> None:
        """Send a Signed Write Command."""
        link = self._up()
        assert self.adapter is not None  # it came with the link
        signed_write(link, self.adapter.signing_key(link), handle, value)

    def _up(self) -> ClientLink:
        if self.link is None:
            raise LinkLost("not connected")
        return self.link


class BumbleClient(BaseBleakClient):
    """bleak's client on a :class:`BumbleAdapter`.

    ``address_type`` (``"public"`` or ``"random"``) helps where the device was not scanned for.
    ``port`` is filled in when the client connects: see :class:`RawPort`. ``agent`` answers for the
    person at the client while it pairs.
    """

    _bound: ClassVar[BumbleAdapter | None] = None

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None = None,
        timeout: float = 30.0,
        services: set[str] | None = None,
        via: BumbleAdapter | None = None,
        port: RawPort | None = None,
        address_type: str | None = None,
        agent: PairingAgent | None = None,
        bluez: object = None,
        **kwargs: Any,
    ) -> None:
        self._adapter = _adapter(self._bound, via, bluez)
        super().__init__(
            address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout
        )
        self._name: str | None = None
        self._address_type = address_type
        if isinstance(address_or_ble_device, BLEDevice):
            self._name = address_or_ble_device.name
            details = address_or_ble_device.details
            if isinstance(details, Sighting) and address_type is None:
                self._address_type = "random" if details.is_random else "public"
        self._wanted_services = services
        self._port = port
        self._agent = agent
        self._link: ClientLink | None = None
        self._cache: dict[int, bytes] = {}
        self._notifying: dict[int, int] = {}

    @classmethod
    def on(cls, adapter: BumbleAdapter) -> type["BumbleClient"]:
        """Return a back end that is bound to ``adapter``."""
        return type(cls.__name__, (cls,), {"_bound": adapter})

    @property
    def name(self) -> str:
        """The advertised name, or the address with dashes."""
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """ATT_MTU in octets; 23 while there is no link."""
        return self._link.mtu if self._link is not None and self._link.is_up else 23

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return self._link is not None and self._link.is_up

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connect, pair if asked to, and discover all services.

        ``timeout``, in seconds, is for this once instead of the client's.
        """
        if self.is_connected:
            raise BleakError("the client is connected already")
        try:
            link = await self._adapter.connect(
                self.address,
                address_type=self._address_type,
                timeout=kwargs.get("timeout", self._timeout),
            )
            if self._agent is not None:
                link.agent = self._agent
            try:
                self._take(link)
                if pair:
                    await self._adapter.pair(link)
                await self._discover(link)
            except BaseException:
                await link.disconnect()
                raise
        except BletestError as error:
            raise to_bleak(error, self.address) from error
        link.on_end(self._on_end)

    async def disconnect(self) -> None:
        """Disconnect; harmless where there is no link."""
        if self._link is None:
            return
        try:
            await self._link.disconnect()
        except BletestError as error:
            raise to_bleak(error, self.address) from error

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        """Pair, or encrypt with the key of an earlier bond; ``authenticated`` False: Just Works."""
        try:
            await self._adapter.pair(self._up(), authenticated=kwargs.get("authenticated", True))
        except BletestError as error:
            raise to_bleak(error, self.address) from error

    async def unpair(self) -> None:
        """Forget the keys; an encrypted link ends."""
        try:
            await self._adapter.unpair(self.address)
        except BletestError as error:
            raise to_bleak(error, self.address) from error

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        """Read the whole value; ``use_cached`` takes the last one read on this connection."""
        handle = value_handle(characteristic)
        if use_cached:
            return await self._read(handle, use_cached)
        try:
            value = await self._up().begin_read(handle)
        except (Refused, BletestError) as trouble:
            error = await self._explain(trouble, handle, "read")
            raise to_bleak(error, self.address) from error
        self._cache[handle] = value
        return bytearray(value)

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        """Read the whole value of a descriptor; ``use_cached`` as for a characteristic."""
        return await self._read(descriptor.handle, use_cached)

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        """Write: by a request (prepared parts where it is too long for one), or a command."""
        handle = value_handle(characteristic)
        try:
            link = self._up()
            if response:
                await link.begin_write(handle, bytes(data))
            else:
                await link.command(handle, bytes(data))
        except (Refused, BletestError) as trouble:
            error = await self._explain(trouble, handle, "write")
            raise to_bleak(error, self.address) from error

    async def write_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, data: SizedBuffer
    ) -> None:
        """Write a descriptor."""
        try:
            await self._up().write(descriptor.handle, bytes(data))
        except BletestError as error:
            raise to_bleak(error, self.address) from error

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        """Enable notifications, or indications where the characteristic has only those."""
        handle = value_handle(characteristic)
        cccd = characteristic.get_descriptor(str(CCCD))
        if cccd is None:
            missing = AttributeMissing(
                f"{characteristic.uuid} has no Client Characteristic Configuration (0x2902)"
            )
            raise to_bleak(missing, self.address) from missing
        if handle in self._notifying:
            raise BleakError(f"{characteristic.uuid} is subscribed to already")
        try:
            link = self._up()
            # Listen first: a notification may come before the response to the write.
            link.driver.listen(handle, callback)
            self._notifying[handle] = cccd.handle
            try:
                kind = NOTIFY if "notify" in characteristic.properties else INDICATE
                await link.write(cccd.handle, kind)
            except BaseException:
                link.driver.unlisten(handle)
                self._notifying.pop(handle, None)
                raise
        except BletestError as error:
            raise to_bleak(error, self.address) from error

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Disable them again; harmless where none were enabled."""
        handle = value_handle(characteristic)
        cccd = self._notifying.get(handle)
        if cccd is None:
            return
        try:
            link = self._up()
            await link.write(cccd, OFF)
            # Only now: what came before the server stopped still belongs to the subscriber.
            link.driver.unlisten(handle)
            self._notifying.pop(handle, None)
        except BletestError as error:
            raise to_bleak(error, self.address) from error

    async def _read(self, handle: int, use_cached: bool) -> bytearray:
        try:
            link = self._up()
            if use_cached and handle in self._cache:
                return bytearray(self._cache[handle])
            value = await link.read(handle)
        except BletestError as error:
            raise to_bleak(error, self.address) from error
        self._cache[handle] = value
        return bytearray(value)

    async def _explain(
        self, trouble: Refused | BletestError, handle: int, operation: str
    ) -> BletestError:
        if self._link is not None:
            return await self._link.explain(trouble, handle, operation)
        assert isinstance(trouble, BletestError)  # nobody refuses without a link
        return trouble

    def _take(self, link: ClientLink) -> None:
        """Begin a new connection: nothing of the last one counts any more."""
        self._link = link
        self._cache.clear()
        self._notifying.clear()
        self.services = None
        if self._port is not None:
            self._port.link = link
            self._port.adapter = self._adapter
            self._port.rediscover = partial(self._discover, link)

    async def _discover(self, link: ClientLink) -> None:
        services, extended = await link.discover()
        wanted = self._wanted_services
        if wanted is not None:
            services = tuple(one for one in services if str(one.uuid) in wanted)
        self.services = collection(services, extended, lambda: link.mtu - 3)

    def _up(self) -> ClientLink:
        if self._link is None:
            raise LinkLost("not connected")
        if not self._link.is_up:
            raise self._link.error()
        return self._link

    def _on_end(self) -> None:
        self.services = None
        if self._disconnected_callback is not None:
            try:
                self._disconnected_callback()
            except Exception as error:  # user code: the link must still end for everybody else
                self._adapter.on_callback_failed(
                    CallbackFailure(
                        self._link.name if self._link else "", "disconnected_callback", error
                    )
                )
