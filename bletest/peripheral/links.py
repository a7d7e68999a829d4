"""One connected client of an emulated device: its bearer, its security, its timers."""

import asyncio
from collections.abc import Callable
from typing import Any

from bumble.device import Connection
from bumble.keys import PairingKeys

from bletest.att.access import LinkSecurity
from bletest.att.server import ServerBearer
from bletest.peripheral.security import Bond, Bonds


class ClientLink:
    """The device's end of one connection. ``identity`` is the client's address.

    ``transmit`` puts one ATT PDU on the air. ``send`` is what the device sends with: the same,
    unless somebody stands between.
    """

    bearer: ServerBearer

    def __init__(self, identity: str, connection: Connection, bonds: Bonds) -> None:
        self.identity = identity
        self.connection = connection
        self.security = LinkSecurity(bonded=identity in bonds)
        self._bonds = bonds
        self._schedules: dict[str, asyncio.TimerHandle] = {}
        self._confirmation: asyncio.TimerHandle | None = None
        host: Any = connection.device.host  # an AttHost, of which bumble knows nothing
        self.transmit: Callable[[bytes], None] = host.att_sender(connection.handle)
        self.send = self.transmit

    # Security

    def watch_security(self) -> None:
        """Keep ``security`` in step with the link."""
        self.connection.on("connection_encryption_change", self._on_encryption_change)
        self.connection.on("pairing", self._on_pairing)

    def _on_encryption_change(self) -> None:
        self.security.encrypted = bool(self.connection.is_encrypted)
        self.security.key_size = self.connection.encryption_key_size
        bond = self._bonds.get(self.identity)
        if bond is not None:
            self.security.authenticated = bond.authenticated
            self.security.secure_connections = bond.secure_connections

    def _on_pairing(self, keys: PairingKeys) -> None:
        ltk = keys.ltk or keys.ltk_peripheral
        bond = Bond(
            authenticated=bool(ltk is not None and ltk.authenticated),
            secure_connections=bool(self.connection.sc),
        )
        self.security.authenticated = bond.authenticated
        self.security.secure_connections = bond.secure_connections
        if ltk is not None:
            self._bonds[self.identity] = bond
            self.security.bonded = True

    # Timers

    def start_schedule(self, path: str, every: float, send: Callable[[int], None]) -> None:
        """Call ``send(n)`` for n = 0, 1, … each ``every`` seconds from now, without drift."""
        self.stop(path)
        loop = asyncio.get_running_loop()
        start = loop.time()

        def tick(count: int) -> None:
            self._schedules[path] = loop.call_at(start + (count + 2) * every, tick, count + 1)
            send(count)

        self._schedules[path] = loop.call_at(start + every, tick, 0)

    def stop(self, path: str) -> None:
        """End the schedule of one characteristic."""
        timer = self._schedules.pop(path, None)
        if timer is not None:
            timer.cancel()

    def watch_confirmation(self) -> None:
        """Arm the one timer that ends the bearer when an indication is never confirmed."""
        deadline = self.bearer.deadline
        if deadline is None or self._confirmation is not None:
            return
        loop = asyncio.get_running_loop()
        self._confirmation = loop.call_at(deadline, self._confirmation_due)

    def _confirmation_due(self) -> None:
        self._confirmation = None
        self.bearer.expire(asyncio.get_running_loop().time())
        self.watch_confirmation()

    def close(self) -> None:
        """The link is gone: end its timers and its bearer."""
        for path in tuple(self._schedules):
            self.stop(path)
        if self._confirmation is not None:
            self._confirmation.cancel()
        self.bearer.close()
