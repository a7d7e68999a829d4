"""When and how an emulated device advertises: while it has room for a client, to whom it may."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from bumble import hci
from bumble.device import AdvertisingType

if TYPE_CHECKING:
    from bletest.peripheral.virtual import VirtualPeripheral


LIMITED = 180.0
"""Seconds that limited discoverable mode lasts: T_GAP(lim_adv_timeout) (Vol 3, Part C, A)."""


class Presence:
    """The advertising of one device. ``before`` is called each time it is about to begin.

    A device with a window advertises for so long after one of the window's occasions, and after
    :meth:`wake`; one without always does.
    """

    def __init__(self, peripheral: "VirtualPeripheral", before: Callable[[], None]) -> None:
        self._peripheral = peripheral
        self._before = before
        self._lock = asyncio.Lock()
        self._paused: asyncio.TimerHandle | None = None
        self._window: asyncio.TimerHandle | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._target: hci.Address | None = None

    async def advertise(self) -> None:
        """Advertise if the device is on and awake and there is room for another client."""
        async with self._lock:
            station = self._peripheral.station
            device = self._peripheral.profile.device
            room = device.connections if device.advertise_while_connected else 1
            full = len(self._peripheral.links) >= room
            if station is None or full or self.asleep or station.device.is_advertising:
                return
            if self._paused is None:
                self._before()
            if self._paused is not None:
                return
            advertising = self._peripheral.profile.advertising
            if advertising.discoverable == "limited":
                self._begin_limit()
            await station.device.start_advertising(
                advertising_type=self._type(),
                target=self._target,
                advertising_data=advertising.data,
                scan_response_data=advertising.scan_response,
                advertising_interval_min=advertising.interval * 1000,
                advertising_interval_max=advertising.interval * 1000,
            )

    # The window

    @property
    def asleep(self) -> bool:
        """Whether the device has a window, and it is not open."""
        return self._peripheral.profile.advertising.window is not None and self._window is None

    async def after(self, occasion: str) -> None:
        """Open the window if this is an occasion for it, and advertise if there is reason to."""
        window = self._peripheral.profile.advertising.window
        if window is not None and occasion in window.after:
            self._open(window.length)
        await self.advertise()

    async def wake(self) -> None:
        """Open the window whatever the occasion, and advertise if there is room."""
        window = self._peripheral.profile.advertising.window
        if window is not None and self._peripheral.station is not None:
            self._peripheral.note("its button is pressed")
            self._open(window.length)
        await self.advertise()

    def _open(self, seconds: float) -> None:
        if self._window is not None:
            self._window.cancel()
        self._window = asyncio.get_running_loop().call_later(seconds, self._fall_asleep)

    def _fall_asleep(self) -> None:
        self._window = None
        self._peripheral.note("asleep, until its button is pressed")
        self._peripheral.spawn(self._stop())

    # What kind of advertising it is

    def _type(self) -> AdvertisingType:
        advertising = self._peripheral.profile.advertising
        if self._target is not None:
            return AdvertisingType.DIRECTED_CONNECTABLE_LOW_DUTY
        if advertising.connectable:
            return AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE
        if advertising.scan_response:
            return AdvertisingType.UNDIRECTED_SCANNABLE
        return AdvertisingType.UNDIRECTED

    def _begin_limit(self) -> None:
        self._end_limit()
        self._limit = asyncio.get_running_loop().call_later(
            LIMITED, lambda: self._peripheral.spawn(self._stop())
        )

    def _end_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def aim_at(self, target: hci.Address | None) -> None:
        """Advertise to one device alone from now on, or with None to everybody again."""
        self._target = target
        self._peripheral.spawn(self._begin_again())

    async def _begin_again(self) -> None:
        await self._stop()
        await self.advertise()

    # Pauses

    def pause(self, seconds: float) -> None:
        """Stop advertising now, and do not begin again for so long."""
        self._end_pause()
        self._paused = asyncio.get_running_loop().call_later(seconds, self._resume)
        self._peripheral.spawn(self._stop())

    def _end_pause(self) -> None:
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None

    def end(self) -> None:
        """The device goes off: forget windows and pauses."""
        self._end_pause()
        self._end_limit()
        if self._window is not None:
            self._window.cancel()
            self._window = None

    async def _stop(self) -> None:
        async with self._lock:
            station = self._peripheral.station
            if station is not None and station.device.is_advertising:
                await station.device.stop_advertising()

    def _resume(self) -> None:
        self._paused = None
        self._peripheral.spawn(self.advertise())
