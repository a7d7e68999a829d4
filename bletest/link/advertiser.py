"""A legacy advertiser: its PDUs (Vol 6, Part B, 2.3.1) and the moments it sends them."""

import asyncio
import math
import zlib
from typing import TYPE_CHECKING

from bumble import hci
from bumble.controller import LegacyAdvertiser

from bletest.link.privacy import is_private_type
from bletest.link.schedule import Appointment

if TYPE_CHECKING:
    from bletest.link.connection import VirtualConnection
    from bletest.link.controller import VirtualController

AdvertisingType = hci.HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType
ReportType = hci.HCI_LE_Advertising_Report_Event.EventType

_REPORTED_AS: dict[int, ReportType] = {
    AdvertisingType.ADV_IND: ReportType.ADV_IND,
    AdvertisingType.ADV_DIRECT_IND: ReportType.ADV_DIRECT_IND,
    AdvertisingType.ADV_SCAN_IND: ReportType.ADV_SCAN_IND,
    AdvertisingType.ADV_NONCONN_IND: ReportType.ADV_NONCONN_IND,
    AdvertisingType.ADV_DIRECT_IND_LOW_DUTY: ReportType.ADV_DIRECT_IND,
}

_DIRECTED = (AdvertisingType.ADV_DIRECT_IND, AdvertisingType.ADV_DIRECT_IND_LOW_DUTY)

INTERVAL_UNIT = 0.000625
"""Seconds in one unit of an advertising interval (Vol 4, Part E, 7.8.5)."""

HIGH_DUTY_INTERVAL = 0.00375
"""Seconds between two high duty cycle directed events at most (Vol 6, Part B, 4.4.2.4.3)."""

HIGH_DUTY_LIMIT = 1.28
"""Seconds after which high duty cycle directed advertising ends by itself (same paragraph)."""

MAX_DELAY_US = 10_000
"""advDelay lies between 0 and 10 ms (Vol 6, Part B, 4.4.2.2.1)."""


class Advertiser(LegacyAdvertiser):
    """bumble's record of the legacy advertising commands, with events in real units.

    Event ``n`` happens at ``start + n * interval + advDelay(n)``, where advDelay depends on the
    seed of the air, the address and ``n`` alone. So no timer needs to run while nobody
    listens, and whoever starts to listen hears the events it would have heard anyway.
    """

    controller: "VirtualController"
    is_extended = False
    """Whether these are extended advertising PDUs, which legacy hosts do not hear."""

    # Two advertisers are never the same, whatever their parameters; bumble compares these.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, controller: "VirtualController") -> None:
        super().__init__(controller)
        # 7.8.5 gives both intervals the default 0x0800 (1.28 s).
        self.advertising_interval_min = self.advertising_interval_max = 0x0800
        self._address = hci.Address.ANY
        self._phase = 0.0
        self._next = 0
        self._delay_key = 0
        self._event_timer: Appointment | None = None
        self._limit_timer: asyncio.TimerHandle | None = None

    @property
    def address(self) -> hci.Address:
        """The address in the PDUs, as it was when advertising was enabled."""
        return self._address

    @property
    def is_private(self) -> bool:
        """Whether it may advertise a resolvable private address, which changes."""
        return is_private_type(self.own_address_type)

    @property
    def target_address(self) -> hci.Address:
        """The address of the peer in directed PDUs."""
        if self.is_private:
            now = asyncio.get_running_loop().time()
            target = self.controller.resolving_list.address_of(self.peer_address, now)
            if target is not None:
                return target
        return self.peer_address

    @property
    def interval(self) -> float:
        """Seconds between two advertising events, without advDelay."""
        if self.advertising_type == AdvertisingType.ADV_DIRECT_IND:
            return HIGH_DUTY_INTERVAL
        return self.advertising_interval_min * INTERVAL_UNIT

    @property
    def report_type(self) -> ReportType:
        """What scanners report these PDUs as (Vol 4, Part E, 7.7.65.2)."""
        return _REPORTED_AS[self.advertising_type]

    @property
    def is_directed(self) -> bool:
        """Whether the PDUs name the one device that they are for, and carry no data."""
        return self.advertising_type in _DIRECTED

    @property
    def is_connectable(self) -> bool:
        """Whether a CONNECT_IND is listened for after each PDU."""
        return self.advertising_type == AdvertisingType.ADV_IND or self.is_directed

    @property
    def is_scannable(self) -> bool:
        """Whether a SCAN_REQ is answered."""
        return self.advertising_type in (AdvertisingType.ADV_IND, AdvertisingType.ADV_SCAN_IND)

    def start(self) -> None:
        """Advertise from now on; enabling it again restarts it with the current address."""
        self.stop()
        loop = asyncio.get_running_loop()
        self._address = self.own_address()
        self._phase = loop.time()
        self._next = 0
        self._delay_key = zlib.crc32(bytes(self._address), self.controller.link.seed & 0xFFFFFFFF)
        self.enabled = True
        if (limit := self.limit()) is not None:
            self._limit_timer = loop.call_later(limit, self._on_limit)
        self.controller.link.on_advertiser_started(self)

    def limit(self) -> float | None:
        """Return after how many seconds it ends by itself; None for never."""
        return HIGH_DUTY_LIMIT if self.advertising_type == AdvertisingType.ADV_DIRECT_IND else None

    def stop(self) -> None:
        """Send nothing more."""
        if not self.enabled:
            return
        self.enabled = False
        self.disarm()
        if self._limit_timer is not None:
            self._limit_timer.cancel()
            self._limit_timer = None
        self.controller.link.on_advertiser_stopped(self)

    def own_address(self) -> hci.Address:
        """Return the address to advertise from now on."""
        return self.controller.own_address(self.own_address_type, self.peer_address)

    def renew_address(self) -> None:
        """Take the private address of now, if that of before has been used long enough."""
        address = self.own_address()
        if address != self._address:
            self.controller.link.on_advertiser_stopped(self)
            self._address = address
            self.controller.link.on_advertiser_started(self)

    def on_scan_request(self, scanner: hci.Address) -> None:
        """A scanner has asked for the scan response."""

    def on_connected(self, connection: "VirtualConnection") -> None:
        """Somebody has connected to this advertiser, which has stopped."""

    def arm(self) -> None:
        """Somebody listens: set the timer for the next event, if it is not set."""
        if self._event_timer is not None:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        # advDelay is shorter than any interval, so the event of the interval before may be due.
        self._next = max(self._next, math.floor((now - self._phase) / self.interval) - 1)
        while (moment := self.moment(self._next)) < now:
            self._next += 1
        self._event_timer = self.controller.link.schedule.call_at(moment, self._on_event)

    def disarm(self) -> None:
        """Nobody listens any more: run no timer."""
        if self._event_timer is not None:
            self._event_timer.cancel()
            self._event_timer = None

    def events_until_now(self) -> int:
        """Return how many advertising events there were since it was enabled."""
        now = asyncio.get_running_loop().time()
        count = max(0, math.floor((now - self._phase) / self.interval) - 1)
        while self.moment(count) <= now:
            count += 1
        return count

    def moment(self, event: int) -> float:
        """Return when an event happens, the first being 0."""
        start = self._phase + event * self.interval
        if self.advertising_type == AdvertisingType.ADV_DIRECT_IND:
            return start
        delay = zlib.crc32(event.to_bytes(8, "little"), self._delay_key) % MAX_DELAY_US
        return start + delay * 1e-6

    def _on_event(self) -> None:
        self._event_timer = None
        self._next += 1
        if self.is_private:
            self.renew_address()
        link = self.controller.link
        if self._event_timer is None:
            now = asyncio.get_running_loop().time()
            moment = self.moment(self._next)
            if moment < now:
                self.arm()
            else:
                self._event_timer = link.schedule.call_at(moment, self._on_event)
        link.on_advertising_event(self)

    def _on_limit(self) -> None:
        self.stop()
        self.controller.on_directed_advertising_timeout(self.peer_address)
