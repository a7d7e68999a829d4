"""The ATT server engine: one attribute table, many clients (Vol 3, Part F; Part G, 2.4 to 4).

:class:`Server` holds what all clients share, :class:`ServerBearer` is the link to one of them,
and :mod:`bletest.att.answers` is what the specification says of each request.
"""

from collections.abc import Callable

from bletest.att import caching
from bletest.att.access import LinkSecurity
from bletest.att.bearer import DEFAULT_MTU, Answer, ServerBearer, error_response
from bletest.att.client_state import ClientState, subscriptions
from bletest.att.database import Attribute, AttributeTable
from bletest.att.server_events import ServerEvent, Unsubscribed
from bletest.uuids import (
    CCCD,
    CLIENT_SUPPORTED_FEATURES,
    DATABASE_HASH,
    SERVICE_CHANGED,
    Uuid,
)

__all__ = ["DEFAULT_MTU", "MAX_MTU", "Answer", "Server", "ServerBearer", "error_response"]

MAX_MTU = 517
"""No value of 512 octets needs more: opcode, handle and offset fit before it."""


class Server:
    """A GATT server: one table, many clients.

    ``mtu`` is the Server Rx MTU in octets, 23 to 517. ``on_event`` is told what happens, during
    the call that causes it and before its response is out. ``verify_signature(identity,
    message, signature)`` judges a Signed Write Command: ``message`` is everything before the 12
    octets of ``signature``; without it, none is accepted. ``prepare_queue_limit`` is the number
    of prepared writes a client may have. ``authorize(identity, attribute)`` is asked where
    nothing but consent is missing; True lets that one operation pass. ``aes_cmac(message, key)``
    is RFC 4493: with it the server keeps the Database Hash right, where its table has one.
    """

    def __init__(
        self,
        table: AttributeTable,
        *,
        mtu: int = MAX_MTU,
        on_event: Callable[[ServerEvent], None] | None = None,
        verify_signature: Callable[[str, bytes, bytes], bool] | None = None,
        authorize: Callable[[str, Attribute], bool] | None = None,
        prepare_queue_limit: int = 64,
        aes_cmac: Callable[[bytes, bytes], bytes] | None = None,
    ) -> None:
        if not DEFAULT_MTU <= mtu <= MAX_MTU:
            raise ValueError(f"an ATT_MTU is {DEFAULT_MTU} to {MAX_MTU} octets, not {mtu}")
        self.table = table
        self.mtu = mtu
        self.on_event = on_event
        self.verify_signature = verify_signature
        self.authorize = authorize
        self.prepare_queue_limit = prepare_queue_limit
        self._aes_cmac = aes_cmac
        self._clients: dict[str, ClientState] = {}
        self._bearers: list[ServerBearer] = []
        self._update_hash()

    @property
    def bearers(self) -> tuple["ServerBearer", ...]:
        """The bearers that are not closed, in the order they were opened."""
        return tuple(one for one in self._bearers if not one.closed)

    def connect(
        self,
        identity: str,
        security: LinkSecurity,
        *,
        mtu: int = DEFAULT_MTU,
        enhanced: bool = False,
    ) -> "ServerBearer":
        """Open the bearer of a new link, or an ``enhanced`` one of a link that has one already.

        ``identity`` names the client the same way every time it comes. ``security`` is the
        link's own object: whoever changes it there changes what this bearer allows.
        """
        client = self._clients.setdefault(identity, ClientState())
        is_new_link = not client.bearers
        bearer = ServerBearer(self, identity, client, security, mtu, enhanced=enhanced)
        self._bearers.append(bearer)
        if not is_new_link:
            return bearer
        for subscribed in subscriptions(identity, client.values, restored=True):
            bearer.emit(subscribed)
        return bearer

    def database_changed(self, start: int, end: int) -> None:
        """The table has changed between those handles: no client knows it any more.

        What clients had configured of attributes that are gone is dropped. The changes are told
        of by :meth:`ServerBearer.tell_of_changes`, which is for the caller to send.
        """
        self._update_hash()
        for identity, client in self._clients.items():
            for attribute in [one for one in client.values if self._is_gone(one)]:
                value = client.values.pop(attribute)
                owner = attribute.characteristic
                enabled = attribute.type == CCCD and owner is not None and value[0]
                if owner and enabled and client.bearers and self.on_event is not None:
                    self.on_event(Unsubscribed(identity, owner.value))
            caching.note_change(self.table, client, start, end)
            self.follow(client)

    def replace_table(self, table: AttributeTable, mtu: int) -> None:
        """Serve another database, as after a reboot into other firmware; no bearer may be open.

        Of what clients had configured, that of the GATT service stays, where it is the same.
        ``mtu`` is the Server Rx MTU from now on. Clients are told by
        :meth:`ServerBearer.tell_of_changes` when they are back.
        """
        for client in self._clients.values():
            kept = {}
            for attribute, value in client.values.items():
                twin = table.get(attribute.handle)
                place = _of_gatt(attribute)
                if place is not None and twin is not None and place == _of_gatt(twin):
                    kept[twin] = value
            client.values = kept
        self.table, self.mtu = table, mtu
        self._update_hash()
        for client in self._clients.values():
            caching.note_change(table, client, 0x0001, 0xFFFF)

    def follow(self, client: ClientState) -> None:
        """Have all bearers of a client answer by what it knows of the database."""
        for bearer in self._bearers:
            if bearer._client is client:
                bearer.follow_client()

    def _is_gone(self, attribute: Attribute) -> bool:
        return self.table.get(attribute.handle) is not attribute

    def _update_hash(self) -> None:
        if self._aes_cmac is None:
            return
        for attribute in self.table:  # of_type would make an index, which few devices live to need
            if attribute.type == DATABASE_HASH:
                attribute.value = self.table.database_hash(self._aes_cmac)

    def kept(self, identity: str) -> ClientState | None:
        """Return what is kept for a client, None where nothing is."""
        return self._clients.get(identity)

    def restore(self, identity: str, state: ClientState) -> None:
        """Keep ``state`` for a client that has not connected yet: a bond from an earlier life."""
        self._clients[identity] = state

    def forget(self, identity: str) -> None:
        """Drop what is kept for a client that is not connected: its bond is gone."""
        client = self._clients.get(identity)
        if client and not client.bearers:
            del self._clients[identity]


def _of_gatt(attribute: Attribute) -> tuple[Uuid, Uuid] | None:
    """Return what an attribute is in the GATT service, None where that keeps nothing of it."""
    owner = attribute.characteristic
    if owner is None or owner.uuid not in (SERVICE_CHANGED, CLIENT_SUPPORTED_FEATURES):
        return None
    return owner.uuid, attribute.type
