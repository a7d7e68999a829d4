"""bleak's back end for programs that name none: it reaches the adapter from any loop.

The adapter lives on one loop. A program may use bleak on that loop, or on loops of its own, in
other threads and one after the other. Operations go to the adapter's loop, callbacks to the
program's.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar, Protocol, Self, TypeVar

from bleak.args import SizedBuffer
from bleak.backends.adapter import BaseBleakAdapter
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

from bletest.client.adapter import BumbleAdapter
from bletest.client.backend import BumbleClient, BumbleScanner
from bletest.client.errors import to_bleak
from bletest.errors import BletestError, UsageMistake

T = TypeVar("T")

_HCI = re.compile(r"hci(\d+)")


class Radio(Protocol):
    """Where plain bleak ends up: adapters by index, on one loop."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which the adapters live."""

    async def adapter(self, index: int) -> BumbleAdapter:
        """Return the n-th adapter, opened on first use; runs on :attr:`loop`."""

    def visited(self) -> None:
        """Another loop is at work: it keeps the time of the wall. Runs on :attr:`loop`."""


def bound_to(radio: Radio) -> tuple[type["AppClient"], type["AppScanner"], type["AppAdapter"]]:
    """Return back ends whose operations go to ``radio``."""
    return (
        type(AppClient.__name__, (AppClient,), {"radio": radio}),
        type(AppScanner.__name__, (AppScanner,), {"radio": radio}),
        type(AppAdapter.__name__, (AppAdapter,), {"radio": radio}),
    )


class _Away:
    """The half that is the same for all: to the adapter's loop and back."""

    radio: ClassVar[Radio]
    _caller: asyncio.AbstractEventLoop | None = None

    async def _at_home(self, work: Coroutine[Any, Any, T]) -> T:
        """Await ``work`` on the adapter's loop, from whichever this is."""
        self._caller = asyncio.get_running_loop()
        if self._caller is self.radio.loop:
            return await work
        visit = asyncio.run_coroutine_threadsafe(self._visit(work), self.radio.loop)
        return await asyncio.wrap_future(visit)

    async def _visit(self, work: Coroutine[Any, Any, T]) -> T:
        self.radio.visited()
        return await work

    def _call_back(self, callback: Callable[..., object], *arguments: object) -> None:
        """Call on the program's loop; nobody is called on one that has ended."""
        caller = self._caller
        if caller is None or caller is self.radio.loop:
            callback(*arguments)
            return
        with contextlib.suppress(RuntimeError):  # the program has closed it meanwhile
            caller.call_soon_threadsafe(callback, *arguments)

    async def _adapter(self, index: int) -> BumbleAdapter:
        try:
            return await self.radio.adapter(index)
        except BletestError as error:
            raise to_bleak(error, "") from error


class AppClient(_Away, BaseBleakClient):
    """A client of the program: the one behind it is made when it connects."""

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None = None,
        timeout: float = 30.0,
        services: set[str] | None = None,
        bluez: object = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout
        )
        self._target = address_or_ble_device
        self._wanted = services
        self._index = adapter_index(bluez)
        self._inner: BumbleClient | None = None

    @property
    def name(self) -> str:
        """The advertised name, or the address with dashes."""
        target = self._target
        advertised = target.name if isinstance(target, BLEDevice) else None
        return advertised or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """ATT_MTU in octets; 23 while there is no link."""
        return 23 if self._inner is None else self._inner.mtu_size

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return self._inner is not None and self._inner.is_connected

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connect, pair if asked to, and discover all services."""
        await self._at_home(self._connect(pair, kwargs))

    async def _connect(self, pair: bool, options: Mapping[str, Any]) -> None:
        if self._inner is None:
            adapter = await self._adapter(self._index)
            self._inner = BumbleClient(
                self._target,
                disconnected_callback=self._on_disconnected,
                timeout=self._timeout,
                services=self._wanted,
                via=adapter,
            )
        await self._inner.connect(pair, **options)
        self.services = self._inner.services

    def _on_disconnected(self) -> None:
        self.services = None
        if self._disconnected_callback is not None:
            self._call_back(self._disconnected_callback)

    async def disconnect(self) -> None:
        """Disconnect; harmless where there is no link."""
        if self._inner is not None:
            await self._at_home(self._inner.disconnect())

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        """Pair, or encrypt with the key of an earlier bond."""
        await self._at_home(self._up().pair())

    async def unpair(self) -> None:
        """Forget the keys; an encrypted link ends."""
        await self._at_home(self._unpair())

    async def _unpair(self) -> None:
        adapter = await self._adapter(self._index)
        try:
            await adapter.unpair(self.address)
        except BletestError as error:
            raise to_bleak(error, self.address) from error

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        """Read the whole value."""
        reading = self._up().read_gatt_char(characteristic, use_cached=use_cached)
        return await self._at_home(reading)

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        """Read the whole value of a descriptor."""
        reading = self._up().read_gatt_descriptor(descriptor, use_cached=use_cached)
        return await self._at_home(reading)

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        """Write with or without response."""
        await self._at_home(self._up().write_gatt_char(characteristic, data, response))

    async def write_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, data: SizedBuffer
    ) -> None:
        """Write a descriptor."""
        await self._at_home(self._up().write_gatt_descriptor(descriptor, data))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        """Enable notifications, or indications where the characteristic has only those."""

        def deliver(value: bytearray) -> None:
            self._call_back(callback, value)

        await self._at_home(self._up().start_notify(characteristic, deliver))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Disable them again; harmless where none were enabled."""
        await self._at_home(self._up().stop_notify(characteristic))

    def _up(self) -> BumbleClient:
        if self._inner is None:
            raise BleakError("not connected")
        return self._inner


class AppScanner(_Away, BaseBleakScanner):
    """A scanner of the program: the one behind it is made when it starts."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        bluez: object = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._filter = service_uuids
        self._mode = scanning_mode
        self._index = adapter_index(bluez)
        self._inner: BumbleScanner | None = None

    async def start(self) -> None:
        """Start scanning."""
        if self._inner is not None:
            raise BleakError("this scanner is scanning already")
        await self._at_home(self._start())

    async def _start(self) -> None:
        def pass_on(device: BLEDevice, data: AdvertisementData) -> None:
            self._call_back(self.call_detection_callbacks, device, data)

        adapter = await self._adapter(self._index)
        inner = BumbleScanner(pass_on, self._filter, self._mode, via=adapter)
        await inner.start()
        self._inner = inner
        self.seen_devices = inner.seen_devices

    async def stop(self) -> None:
        """Stop scanning; harmless where it does not scan."""
        inner, self._inner = self._inner, None
        if inner is not None:
            await self._at_home(inner.stop())


class AppAdapter(_Away, BaseBleakAdapter):
    """The adapter as the program knows it."""

    def __init__(self, index: int) -> None:
        self._index = index

    @classmethod
    async def get(cls, *, bluez: object = None, **kwargs: Any) -> Self:
        """Return the adapter that is named in ``bluez``, or the first."""
        return cls(adapter_index(bluez))

    async def get_connected_devices(self, service_uuids: frozenset[str]) -> list[BLEDevice]:
        """Return the devices that the program is connected to; all, whatever their services."""
        return await self._at_home(self._connected())

    async def _connected(self) -> list[BLEDevice]:
        adapter = await self._adapter(self._index)
        return [BLEDevice(link.address, None, None) for link in adapter.links]


def adapter_index(bluez: object) -> int:
    """Return which adapter a program names, as on BlueZ: ``hci1`` is the one with index 1.

    Raises UsageMistake for any other name.
    """
    named = bluez.get("adapter") if isinstance(bluez, dict) else None
    if named is None:
        return 0
    match = _HCI.fullmatch(named) if isinstance(named, str) else None
    if match is None:
        raise UsageMistake(
            f"no adapter is called {named!r} here", remedy="call the first hci0, the next hci1, …"
        )
    return int(match[1])
