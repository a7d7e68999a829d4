"""The state of a server as a client can know it: values, queues, subscriptions, bearers."""

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.model.database import FEATURES, SERVICE_CHANGED, Attribute, Database, u16
from tests.model.table import DEFAULT_MTU, INDICATE, NOTIFY, PATIENCE, ROBUST, TOGETHER, refused

Range = tuple[int, int]


@dataclass
class Client:
    """What a server keeps for one client. ``link`` is one of :data:`table.LINKS`.

    ``values`` are those that are the client's own, by handle. ``counter`` is that of its last
    signed write. ``aware``, ``told``, ``excused``: Part G, 2.5.2.1. ``stale`` are changes that
    Service Changed has yet to tell it of, ``telling`` those that it has, unconfirmed.
    """

    link: str
    csrk: bytes | None = None
    counter: int = -1
    values: dict[int, bytes] = field(default_factory=dict)
    queue: list[tuple[Attribute, int, bytes]] = field(default_factory=list)
    aware: bool = True
    told: bool = False
    excused: bool = False
    stale: list[Range] = field(default_factory=list)
    telling: list[Range] = field(default_factory=list)
    notifications: list[tuple[int, bytes]] = field(default_factory=list)
    indications: list[tuple[int, bytes]] = field(default_factory=list)

    def copy(self) -> "Client":
        """One of its own."""
        new = copy(self)
        new.values, new.queue = dict(self.values), list(self.queue)
        new.stale, new.telling = list(self.stale), list(self.telling)
        new.notifications, new.indications = list(self.notifications), list(self.indications)
        return new


@dataclass(eq=False)
class Bearer:
    """One bearer of a client. ``awaiting`` is since when a confirmation is."""

    client: int
    mtu: int = DEFAULT_MTU
    enhanced: bool = False
    exchanged: bool = False
    awaiting: float | None = None
    dead: bool = False


@dataclass
class World:
    """One way in which things may stand, where the specification leaves a choice."""

    database: Database
    mtu: int
    clients: list[Client]
    bearers: list[Bearer]
    values: dict[int, bytes] = field(default_factory=dict)

    def copy(self) -> "World":
        """One of its own; databases never change and are shared."""
        return World(
            self.database,
            self.mtu,
            [one.copy() for one in self.clients],
            [copy(one) for one in self.bearers],
            dict(self.values),
        )

    # Values

    def value(self, client: Client, attribute: Attribute) -> bytes:
        """The value that a client sees."""
        if attribute.per_client:
            return client.values.get(attribute.handle, attribute.value)
        if attribute.type == b"\x2a\x2b":
            return self.database.hash
        return self.values.get(attribute.handle, attribute.value)

    def store(self, client: Client, attribute: Attribute, value: bytes) -> None:
        """Keep a value that was accepted."""
        (client.values if attribute.per_client else self.values)[attribute.handle] = value

    def features(self, client: Client) -> int:
        """Client Supported Features, octet 0."""
        found = self.database.by_type.get(FEATURES)
        return self.value(client, found[0])[0] if found else 0

    # What the device sends by itself

    def configured(self, client: Client, handle: int) -> int:
        """The bits that count for a value: what was asked for encrypted is sent encrypted."""
        cccd = self.database.cccds.get(handle)
        if cccd is None or refused(cccd.write, client.link):
            return 0
        return self.value(client, cccd)[0]

    def set_value(self, handle: int, value: bytes) -> None:
        """The device has a new value, and tells whoever has asked for it."""
        self.values[handle] = value
        self.tell(handle, value)

    def tell(self, handle: int, value: bytes) -> None:
        """The device sends a value to whoever has asked for it."""
        for number, client in enumerate(self.clients):
            if not client.aware and self.features(client) & ROBUST:
                continue  # nothing but Service Changed is sent to it (Part G, 2.5.2.1)
            if self.bearers_of(number, alive=True):
                if self.configured(client, handle) & NOTIFY:
                    client.notifications.append((handle, value))
                elif self.configured(client, handle) & INDICATE:
                    client.indications.append((handle, value))

    def bearers_of(self, client: int, *, alive: bool = False) -> list[Bearer]:
        """The bearers of a client."""
        return [one for one in self.bearers if one.client == client and not (alive and one.dead)]

    def arrives(self, number: int, pdu: bytes, now: float) -> bool:
        """Take a notification or an indication; return whether it may come."""
        bearer = self.bearers[number]
        client = self.clients[bearer.client]
        if bearer.dead:
            return False
        if pdu[0] == 0x1B:
            return _take(client.notifications, pdu, bearer.mtu)
        if pdu[0] == 0x23:
            several = self.features(client) & TOGETHER and len(pdu) <= bearer.mtu
            return bool(several) and _take_several(client.notifications, pdu)
        if pdu[0] != 0x1D or bearer.awaiting is not None or len(pdu) < 3:
            return False
        if self._tells_of_changes(client, pdu) or _take(client.indications, pdu, bearer.mtu):
            bearer.awaiting = now
            return True
        return False

    def _tells_of_changes(self, client: Client, pdu: bytes) -> bool:
        attribute = self.database.by_handle.get(pdu[1] | pdu[2] << 8)
        if attribute is None or attribute.type != SERVICE_CHANGED or len(pdu) != 7:
            return False
        start, end = pdu[3] | pdu[4] << 8, pdu[5] | pdu[6] << 8
        client.telling = [one for one in client.stale if start <= one[0] <= one[1] <= end]
        client.stale = [one for one in client.stale if one not in client.telling]
        return bool(client.telling) and start > 0

    def confirmed(self, bearer: Bearer) -> None:
        """A confirmation is in.

        Of one who uses several bearers it does not say what the others know (Part G, 2.5.2.1).
        """
        if bearer.awaiting is None:
            return
        client = self.clients[bearer.client]
        bearer.awaiting = None
        single = len(self.bearers_of(bearer.client)) == 1
        if client.telling and not client.stale and single:
            client.aware, client.told, client.excused = True, False, False
        client.telling.clear()

    def owes(self) -> str:
        """What should have come by now, in words; empty where nothing is missing.

        A device need not use several bearers: where the unenhanced one is dead, nothing is due.
        """
        for number, client in enumerate(self.clients):
            alive = self.bearers_of(number, alive=True)
            if client.notifications and any(not one.enhanced for one in alive):
                return f"client {number} misses a notification: {client.notifications[0]}"
            free = any(one.awaiting is None and not one.enhanced for one in alive)
            if free and client.indications:
                return f"client {number} misses an indication: {client.indications[0]}"
            if free and client.stale:
                return f"client {number} misses Service Changed for {client.stale}"
        return ""

    def passes(self, now: float) -> None:
        """Time has passed: a bearer whose confirmation never came is dead (3.3.3)."""
        for bearer in self.bearers:
            if bearer.awaiting is not None and now - bearer.awaiting >= PATIENCE:
                bearer.dead, bearer.awaiting = True, None
                client = self.clients[bearer.client]
                client.indications.clear()
                client.notifications.clear()

    # The database changes, clients come and go

    def changes(self, database: Database, start: int, end: int) -> None:
        """The database has changed between those handles (Part G, 2.5.2)."""
        told_by = self.database.by_type.get(SERVICE_CHANGED)
        self.database = database
        self.values = {one: v for one, v in self.values.items() if one in database.by_handle}
        for client in self.clients:
            client.aware = client.told = client.excused = False
            if told_by and self.configured(client, told_by[0].handle) & INDICATE:
                client.stale.append((start, end))
            if self.features(client) & ROBUST:
                client.indications.clear()

    def reconnects(self, number: int) -> None:
        """A client has come back: what is its own is kept where it has bonded, else forgotten."""
        client = self.clients[number]
        client.queue.clear()
        client.notifications.clear()
        client.indications.clear()
        client.told = client.excused = False
        client.stale = client.telling + client.stale
        client.telling = []
        if client.link == "plain":
            client.values.clear()
            client.stale.clear()
            client.aware = True
        for index, bearer in enumerate(self.bearers):
            if bearer.client == number:
                self.bearers[index] = Bearer(number)


def _take(due: list[tuple[int, bytes]], pdu: bytes, mtu: int) -> bool:
    """Whether the first value that is due is this one, cut to the bearer (3.4.7.1)."""
    if not due or pdu[1:] != u16(due[0][0]) + due[0][1][: mtu - 3]:
        return False
    due.pop(0)
    return True


def _take_several(due: list[tuple[int, bytes]], pdu: bytes) -> bool:
    """Whether the first values that are due, two or more, are these, whole (3.4.7.4)."""
    octets = pdu[:1]
    for count, (handle, value) in enumerate(due, 1):
        octets += u16(handle) + u16(len(value)) + value
        if octets == pdu and count > 1:
            del due[:count]
            return True
    return False


Change: TypeAlias = Callable[[World], None]
Outcome: TypeAlias = tuple[bytes | None, Change | None]
"""An answer that is right (None: silence), and what has changed then."""
Outcomes: TypeAlias = Iterable[Outcome]
