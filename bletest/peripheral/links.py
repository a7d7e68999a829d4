"""One connected client of an emulated device: its bearer, its security, its timers."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from bumble.device import Connection
from bumble.keys import PairingKeys

from bletest.att.access import LinkSecurity
from bletest.att.server import ServerBearer
from bletest.link.smp import SecurityManager
from bletest.link.smp_session import PairingSession
from bletest.peripheral.bonds import Bond, Bonds


class ClientLink:
    """The device's end of one connection. ``identity`` is the client's address.

    ``transmit`` puts one ATT PDU on the air. ``send`` is what the device sends with: the same,
    unless somebody stands between. ``enhanced`` are the enhanced bearers, with what sends on each.
    """

    bearer: ServerBearer

    def __init__(self, identity: str, connection: Connection, bonds: Bonds) -> None:
        self.identity = identity
        self.connection = connection
        self.security = LinkSecurity(bonded=identity in bonds)
        self.enhanced: dict[ServerBearer, Callable[[bytes], None]] = {}
        self._bonds = bonds
        self._schedules: dict[str, asyncio.TimerHandle] = {}
        self._confirmation: asyncio.TimerHandle | None = None
        host: Any = connection.device.host  # an AttHost, of which bumble knows nothing
        self.transmit: Callable[[bytes], None] = host.att_sender(connection.handle)
        self.send = self.transmit

    def send_on(self, bearer: ServerBearer, pdu: bytes) -> None:
        """Send on one of the bearers of this link; nothing is sent on one that is closed."""
        if bearer is self.bearer:
            self.send(pdu)
        elif bearer in self.enhanced:
            self.enhanced[bearer](pdu)

    def close_enhanced(self, bearer: ServerBearer) -> None:
        """An enhanced bearer's channel is gone."""
        self.enhanced.pop(bearer, None)
        bearer.close()

    # Security

    def watch_security(self) -> None:
        """Keep ``security`` in step with the link."""
        self.connection.on("connection_encryption_change", self._on_encryption_change)
        self.connection.on("pairing", self._on_pairing)

    @property
    def _pairing(self) -> PairingSession | None:
        manager = self.connection.device.smp_manager
        return manager.pairing_on(self.connection) if isinstance(manager, SecurityManager) else None

    def _on_encryption_change(self) -> None:
        self.security.encrypted = bool(self.connection.is_encrypted)
        self.security.key_size = self.connection.encryption_key_size
        pairing, bond = self._pairing, self._bonds.get(self.identity)
        if pairing is not None and not pairing.completed:
            # The key in use is the new one, whatever an older bond was worth.
            self.security.authenticated = pairing.authenticated
            self.security.secure_connections = pairing.sc
        elif bond is not None:
            self.security.authenticated = bond.authenticated
            self.security.secure_connections = bond.secure_connections
            if self.security.encrypted:
                self._bonds.used(self.identity)
        self.tell_of_changes()

    def _on_pairing(self, keys: PairingKeys) -> None:
        ltk = keys.ltk or keys.ltk_peripheral
        pairing = self._pairing
        bond = Bond(
            authenticated=pairing.authenticated if pairing else bool(ltk and ltk.authenticated),
            secure_connections=bool(self.connection.sc),
            key_size=self.connection.encryption_key_size or 16,
            csrk=keys.csrk.value if keys.csrk is not None else None,
        )
        self.security.authenticated = bond.authenticated
        self.security.secure_connections = bond.secure_connections
        if ltk is not None and (pairing is None or pairing.bonding):
            self._bonds.keep(self.identity, bond)
            self.security.bonded = True

    def authorize(self, now: Callable[[], float]) -> None:
        """Somebody consents to what the client does, at this moment; ``now`` is in seconds."""
        since = now()
        self.security.authorized = True
        self.security.consent_age = lambda: now() - since

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

    def tell_of_changes(self) -> None:
        """Indicate Service Changed if that is due and the client wants it."""
        if self.security.bonded and not self.security.encrypted:
            return  # what a bond restored is for the client that has its key
        pdu = self.bearer.tell_of_changes(asyncio.get_running_loop().time())
        if pdu is not None:
            self.send(pdu)
            self.watch_confirmation()

    def notify_together(self, values: Sequence[tuple[int, bytes]], now: float) -> bool:
        """Send (handle, value) pairs in one notification; False where that cannot be done."""
        size = 1 + sum(4 + len(value) for _, value in values)
        if (
            len(values) < 2
            or size > self.bearer.mtu
            or not self.bearer.takes_multiple_notifications
        ):
            return False
        pdu = self.bearer.notify_multiple(values, now)
        if pdu is not None:
            self.send(pdu)
        return pdu is not None

    def watch_confirmation(self) -> None:
        """Arm the one timer that ends the bearer when an indication is never confirmed."""
        deadline = self.bearer.deadline
        if deadline is None or self._confirmation is not None:
            return
        loop = asyncio.get_running_loop()
        self._confirmation = loop.call_at(deadline, self._confirmation_due, deadline)

    def _confirmation_due(self, deadline: float) -> None:
        self._confirmation = None
        # A loop may call a hair too early. To ask for that hair again and again has no end on
        # a virtual clock.
        self.bearer.expire(max(deadline, asyncio.get_running_loop().time()))
        self.watch_confirmation()

    def close(self) -> None:
        """The link is gone: end its timers and its bearer."""
        for path in tuple(self._schedules):
            self.stop(path)
        if self._confirmation is not None:
            self._confirmation.cancel()
        for bearer in tuple(self.enhanced):
            self.close_enhanced(bearer)
        self.bearer.close()
