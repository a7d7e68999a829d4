"""When an emulated device advertises: while it has room for a client, and is not kept from it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from bumble.device import AdvertisingType

if TYPE_CHECKING:
    from bletest.peripheral.virtual import VirtualPeripheral


class Presence:
    """The advertising of one device. ``before`` is called each time it is about to begin."""

    def __init__(self, peripheral: "VirtualPeripheral", before: Callable[[], None]) -> None:
        self._peripheral = peripheral
        self._before = before
        self._lock = asyncio.Lock()
        self._paused: asyncio.TimerHandle | None = None

    async def advertise(self) -> None:
        """Advertise if the device is on and there is room for another client."""
        async with self._lock:
            station = self._peripheral.station
            device = self._peripheral.profile.device
            room = device.connections if device.advertise_while_connected else 1
            full = len(self._peripheral.links) >= room
            if station is None or full or station.device.is_advertising:
                return
            if self._paused is None:
                self._before()
            if self._paused is not None:
                return
            advertising = self._peripheral.profile.advertising
            await station.device.start_advertising(
                advertising_type=AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE,
                advertising_data=advertising.data,
                scan_response_data=advertising.scan_response,
                advertising_interval_min=advertising.interval * 1000,
                advertising_interval_max=advertising.interval * 1000,
            )

    def pause(self, seconds: float) -> None:
        """Stop advertising now, and do not begin again for so long."""
        self.end_pause()
        self._paused = asyncio.get_running_loop().call_later(seconds, self._resume)
        self._peripheral.spawn(self._stop())

    def end_pause(self) -> None:
        """Forget that the device was kept from advertising."""
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None

    async def _stop(self) -> None:
        async with self._lock:
            station = self._peripheral.station
            if station is not None and station.device.is_advertising:
                await station.device.stop_advertising()

    def _resume(self) -> None:
        self._paused = None
        self._peripheral.spawn(self.advertise())
