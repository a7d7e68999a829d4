"""The half of a server bearer that speaks first: notifications, indications, confirmations."""

import struct
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bletest.att import caching, pdu
from bletest.att.access import OPEN, LinkSecurity
from bletest.att.client_state import ClientState
from bletest.att.database import INDICATE_BIT, NOTIFY_BIT, Attribute, Characteristic
from bletest.att.security import refusal
from bletest.att.server_events import Confirmed, ServerEvent, TransactionTimeout, Truncated
from bletest.uuids import CLIENT_SUPPORTED_FEATURES

if TYPE_CHECKING:
    from bletest.att.server import Server

TRANSACTION_TIMEOUT = 30.0
"""Seconds (Vol 3, Part F, 3.3.3)."""

MULTIPLE_NOTIFICATIONS_BIT = 0x04
"""Client Supported Features, octet 0 (Vol 3, Part G, 7.2)."""

_NOTIFICATION = 0x1B
_head = struct.Struct("<BH").pack
"""Opcode and handle."""


class SendingBearer:
    """What a bearer sends by itself, and what its client has configured of that."""

    __slots__ = (
        "_attributes",
        "_awaiting",
        "_client",
        "_dead",
        "_deadline",
        "_emit",
        "_queue",
        "identity",
        "mtu",
        "security",
        "server",
    )

    def __init__(
        self, server: "Server", identity: str, client: ClientState, security: LinkSecurity, mtu: int
    ) -> None:
        self.server = server
        self.identity = identity
        self.security = security
        self.mtu = mtu
        self._client = client
        self._attributes = server.table.by_handle
        self._emit = server.on_event
        self._dead = False
        self._awaiting: tuple[int, bytes] | None = None
        self._queue: deque[tuple[int, bytes, bool]] = deque()
        self._deadline: float | None = None

    @property
    def deadline(self) -> float | None:
        """When :meth:`expire` is due, in seconds; None while nothing is awaited."""
        return self._deadline

    def notify(self, handle: int, value: bytes, now: float) -> bytes | None:
        """Return a Handle Value Notification, None on a closed bearer.

        The value is cut to ATT_MTU - 3 octets (Vol 3, Part F, 3.4.7.1), which is told as an
        event. Whether the client has enabled it is not looked at: ask :meth:`notifies`.
        """
        if self._dead:
            return None
        if len(value) > self.mtu - 3:
            value = self._fitting(handle, value)
        return _head(_NOTIFICATION, handle) + value

    def notification(self, characteristic: Characteristic, value: bytes) -> bytes | None:
        """Return a Handle Value Notification if the client wants it and its link may have it.

        None otherwise, and on a closed bearer: :meth:`notifies` and :meth:`notify` in one.
        """
        cccd = characteristic.cccd
        if cccd is None or self._dead:
            return None
        client = self._client
        if not client.values.get(cccd, cccd.value)[0] & NOTIFY_BIT:
            return None
        if not client.aware and self.features & caching.ROBUST_CACHING_BIT:
            return None
        if cccd.write is not OPEN and cccd.write and refusal(cccd.write, self.security):
            return None
        handle = characteristic.value.handle
        if len(value) > self.mtu - 3:
            value = self._fitting(handle, value)
        return _head(_NOTIFICATION, handle) + value

    def notify_multiple(self, values: Sequence[tuple[int, bytes]], now: float) -> bytes | None:
        """Return a Multiple Handle Value Notification, None on a closed bearer.

        Raises :class:`ValueError` where the client has not said that it takes them, for fewer
        than two values, and for values that do not fit: none may be cut (3.4.7.4).
        """
        if self._dead:
            return None
        if not self.takes_multiple_notifications:
            raise ValueError(f"{self.identity} does not take multiple notifications")
        message = pdu.MultipleHandleValueNotification(tuple(values)).to_bytes()
        if len(values) < 2 or len(message) > self.mtu:
            raise ValueError(f"{len(values)} values in {len(message)} octets, ATT_MTU {self.mtu}")
        return message

    def indicate(self, handle: int, value: bytes, now: float) -> bytes | None:
        """Return a Handle Value Indication; None if it is queued, or the bearer is closed.

        One indication at a time may be unconfirmed (3.3.2); the others wait in order. Whether
        the client has enabled it is not looked at: ask :meth:`indicates`. One that had to wait
        is dropped where that has become untrue meanwhile.
        """
        if self._dead:
            return None
        if self._awaiting is not None:
            self._queue.append((handle, value, self.indicates(handle)))
            return None
        return self._indication(handle, value, now)

    def notifies(self, handle: int) -> bool:
        """Whether the client wants notifications of that value, and its link may have them."""
        return bool(self._configuration(handle) & NOTIFY_BIT)

    def indicates(self, handle: int) -> bool:
        """Whether the client wants indications of that value, and its link may have them."""
        return bool(self._configuration(handle) & INDICATE_BIT)

    @property
    def features(self) -> int:
        """What the client has written to Client Supported Features, octet 0."""
        found = self.server.table.of_type(CLIENT_SUPPORTED_FEATURES)
        value = self.stored(found[0]) if found else b""
        return value[0] if value else 0

    @property
    def takes_multiple_notifications(self) -> bool:
        """Whether the client has set that bit in Client Supported Features."""
        return bool(self.features & MULTIPLE_NOTIFICATIONS_BIT)

    def tell_of_changes(self, now: float) -> bytes | None:
        """Return the Service Changed indication that is due; None if none is, or not yet.

        Where another indication is unconfirmed, its confirmation releases this one.
        """
        if self._dead or self._awaiting is not None:
            return None
        attribute = caching.service_changed(self.server.table)
        value = caching.stale_value(self._client)
        if attribute is None or value is None or not self.indicates(attribute.handle):
            return None
        self._client.telling = True
        return self._indication(attribute.handle, value, now)

    def expire(self, now: float) -> None:
        """Kill the bearer if the confirmation is overdue; nothing more is sent on it (3.3.3)."""
        if self._deadline is None or now < self._deadline or self._awaiting is None:
            return
        handle = self._awaiting[0]
        self._stop()
        self.emit(TransactionTimeout(self.identity, handle))

    # What both halves are made of

    def emit(self, event: ServerEvent) -> None:
        """Tell the server's listener, if there is one."""
        if self._emit is not None:
            self._emit(event)

    def stored(self, attribute: Attribute) -> bytes:
        """Return the stored value as this client sees it."""
        if attribute.per_client:
            return self._client.values.get(attribute, attribute.value)
        return attribute.value

    def _fitting(self, handle: int, value: bytes) -> bytes:
        room = self.mtu - 3
        if len(value) <= room:
            return value
        self.emit(Truncated(self.identity, handle, value, room))
        return value[:room]

    def _indication(self, handle: int, value: bytes, now: float) -> bytes:
        sent = self._fitting(handle, value)
        self._awaiting = (handle, sent)
        self._deadline = now + TRANSACTION_TIMEOUT
        return b"\x1d" + handle.to_bytes(2, "little") + sent

    def _configuration(self, handle: int) -> int:
        attribute = self._attributes.get(handle)
        characteristic = attribute.characteristic if attribute else None
        if characteristic is None or characteristic.value is not attribute:
            return 0
        cccd = characteristic.cccd
        if cccd is None:
            return 0
        client = self._client
        if not client.aware and self.features & caching.ROBUST_CACHING_BIT:
            told_by = caching.service_changed(self.server.table)
            if told_by is not attribute:
                return 0
        # A bonded client may come back on a plain link. What it took encryption to ask for is
        # not sent in the clear.
        if cccd.write and cccd.write is not OPEN and refusal(cccd.write, self.security):
            return 0
        return self.stored(cccd)[0]

    def _confirmation(self, pdu: bytes, now: float) -> bytes | None:
        if len(pdu) != 1 or self._awaiting is None:
            return None
        handle, value = self._awaiting
        self._awaiting = self._deadline = None
        told_by = caching.service_changed(self.server.table)
        if told_by is not None and told_by.handle == handle:
            caching.confirmed(self._client)
            self.server.follow(self._client)
        self.emit(Confirmed(self.identity, handle, value))
        # A listener may have sent the next indication itself; the queue then waits for that.
        changes = self.tell_of_changes(now)
        if changes is not None:
            return changes
        while self._queue and self._awaiting is None:
            handle, value, was_enabled = self._queue.popleft()
            if not was_enabled or self.indicates(handle):
                return self._indication(handle, value, now)
        return None

    def _stop(self) -> None:
        """Send nothing more."""
        self._dead = True
        self._deadline = None
        self._awaiting = None
        self._queue.clear()
