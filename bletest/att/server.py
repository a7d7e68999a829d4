"""The ATT server engine: one attribute table, many clients (Vol 3, Part F; Part G, 2.4 to 4).

:class:`Server` holds what all clients share, :class:`ServerBearer` is the link to one of them,
and :mod:`bletest.att.answers` is what the specification says of each request.
"""

from collections.abc import Callable

from bletest.att.access import LinkSecurity
from bletest.att.bearer import DEFAULT_MTU, Answer, ServerBearer, error_response
from bletest.att.client_state import ClientState, subscriptions
from bletest.att.database import AttributeTable
from bletest.att.server_events import ServerEvent

__all__ = ["DEFAULT_MTU", "MAX_MTU", "Answer", "Server", "ServerBearer", "error_response"]

MAX_MTU = 517
"""No value of 512 octets needs more: opcode, handle and offset fit before it."""


class Server:
    """A GATT server: one table, many clients.

    ``mtu`` is the Server Rx MTU in octets, 23 to 517. ``on_event`` is told what happens, during
    the call that causes it and before its response is out. ``verify_signature(identity,
    message, signature)`` judges a Signed Write Command: ``message`` is everything before the 12
    octets of ``signature``; without it, none is accepted. ``prepare_queue_limit`` is the number
    of prepared writes a bearer may have.
    """

    def __init__(
        self,
        table: AttributeTable,
        *,
        mtu: int = MAX_MTU,
        on_event: Callable[[ServerEvent], None] | None = None,
        verify_signature: Callable[[str, bytes, bytes], bool] | None = None,
        prepare_queue_limit: int = 64,
    ) -> None:
        if not DEFAULT_MTU <= mtu <= MAX_MTU:
            raise ValueError(f"an ATT_MTU is {DEFAULT_MTU} to {MAX_MTU} octets, not {mtu}")
        self.table = table
        self.mtu = mtu
        self.on_event = on_event
        self.verify_signature = verify_signature
        self.prepare_queue_limit = prepare_queue_limit
        self._clients: dict[str, ClientState] = {}
        self._bearers: list[ServerBearer] = []

    @property
    def bearers(self) -> tuple["ServerBearer", ...]:
        """The bearers that are not closed, in the order they were opened."""
        return tuple(one for one in self._bearers if not one.closed)

    def connect(
        self, identity: str, security: LinkSecurity, *, mtu: int = DEFAULT_MTU
    ) -> "ServerBearer":
        """Open the bearer of a new link.

        ``identity`` names the client the same way every time it comes. ``security`` is the
        link's own object: whoever changes it there changes what this bearer allows.
        """
        client = self._clients.setdefault(identity, ClientState())
        bearer = ServerBearer(self, identity, client, security, mtu)
        self._bearers.append(bearer)
        for subscribed in subscriptions(identity, client.values, restored=True):
            bearer.emit(subscribed)
        return bearer

    def forget(self, identity: str) -> None:
        """Drop what is kept for a client that is not connected: its bond is gone."""
        client = self._clients.get(identity)
        if client and not client.bearers:
            del self._clients[identity]
