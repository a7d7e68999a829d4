"""bumble's Security Manager with randomness that is handed in, and repaired where it is wrong.

Subclasses of bumble's ``Manager`` and, in :mod:`bletest.link.smp_session`, of its ``Session``, put
into a device by :func:`use`; nothing of bumble itself is changed, so that a plain bumble device on
the same air keeps its own. Paragraphs are those of the Core Specification, Vol 3, Part H.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import cast
from weakref import WeakSet

from bumble import smp
from bumble.crypto.cryptography import EccKey
from bumble.device import Connection, Device
from bumble.hci import Address
from bumble.keys import PairingKeys
from bumble.pairing import PairingConfig
from bumble.smp import ErrorCode, KeyDistribution

from bletest.link import smp_order
from bletest.link.randomness import Randomness
from bletest.link.smp_attempts import Attempts
from bletest.link.smp_session import PairingSession, PairingTimedOut

logger = logging.getLogger(__name__)

_silent: WeakSet[Connection] = WeakSet()
"""Links whose pairing timed out: nothing more is said on them, nor heard (3.4)."""


def use(device: Device, randomness: Randomness) -> "SecurityManager":
    """Give ``device`` a Security Manager of ours, drawing from ``randomness``."""
    manager = SecurityManager(device, device.pairing_config_factory, randomness)
    device.smp_manager = manager
    return manager


class SecurityManager(smp.Manager):
    """Pairs on the links of one device, drawing everything random from ``randomness``.

    Unlike bumble's it drops a session that has failed, so that the next attempt on the same
    link is a new one and tells of its end too; it takes another pairing after one that
    succeeded; and it sends and takes nothing more on a link whose pairing timed out. It ignores
    codes that are reserved, and refuses commands of the wrong length. With ``attempts`` it makes
    who failed to pair with it wait before the next time.
    """

    def __init__(
        self,
        device: Device,
        pairing_config_factory: Callable[[Connection], PairingConfig],
        randomness: Randomness,
    ) -> None:
        super().__init__(device, pairing_config_factory)
        self.randomness = randomness
        self.session_proxy = PairingSession
        self.attempts: Attempts | None = None

    @property
    def ecc_key(self) -> EccKey:
        """A fresh key pair, as each pairing gets one (2.3.5.6); the debug key in debug mode."""
        return super().ecc_key if self.debug_mode else self.randomness.ecc_key()

    def new_oob_context(self) -> smp.OobContext:
        """Return what a device hands out of band for Secure Connections (2.3.5.6.4)."""
        return smp.OobContext(ecc_key=self.ecc_key, r=self.randomness.octets("oob", 16))

    def new_oob_legacy_context(self) -> smp.OobLegacyContext:
        """Return the temporary key that legacy pairing takes out of band (2.3.5.4)."""
        return smp.OobLegacyContext(tk=self.randomness.octets("oob", 16))

    async def pair(self, connection: Connection) -> None:
        """Pair as the initiator; raises PairingTimedOut at once where 3.4 forbids to."""
        if connection in _silent:
            raise PairingTimedOut
        self._drop_completed(connection)
        await super().pair(connection)

    def on_smp_pdu(self, connection: Connection, pdu: bytes) -> None:
        """Take one command from the peer."""
        length = smp_order.LENGTHS.get(pdu[0]) if pdu else None
        if connection in _silent or length is None:
            return
        is_request = pdu[0] == smp.CommandCode.PAIRING_REQUEST
        if is_request:
            self._drop_completed(connection)
        session = self.sessions.get(connection.handle)
        if session is None and not is_request and pdu[0] != smp.CommandCode.SECURITY_REQUEST:
            # bumble would begin a session with it. It belongs to one that has failed.
            logger.debug("an SMP command of no pairing: %s", pdu.hex())
        elif len(pdu) != length or (is_request and not smp_order.has_sound_parameters(pdu)):
            self._refuse(connection, ErrorCode.INVALID_PARAMETERS)
        elif is_request and session is None and self._comes_too_early(connection):
            self._refuse(connection, ErrorCode.REPEATED_ATTEMPTS)
        else:
            super().on_smp_pdu(connection, pdu)

    def _refuse(self, connection: Connection, reason: ErrorCode) -> None:
        session = self.sessions.get(connection.handle)
        if session is not None:
            session.send_pairing_failed(reason)
        else:
            self.send_command(connection, smp.SMP_Pairing_Failed_Command(reason=reason))

    def _comes_too_early(self, connection: Connection) -> bool:
        if self.attempts is None:
            return False
        now = asyncio.get_running_loop().time()
        return self.attempts.must_wait(str(connection.peer_address), now)

    async def on_pairing(
        self, session: smp.Session, identity_address: Address | None, keys: PairingKeys
    ) -> None:
        """Store the keys: whose LTK is used depends on who will be the central (2.4.4.1)."""
        if session.is_responder and keys.ltk_central is not None:
            # bumble's responder files both the wrong way round, and finds no bond again.
            keys.ltk_central, keys.ltk_peripheral = keys.ltk_peripheral, keys.ltk_central
        if not session.sc:
            _drop_undistributed(session, keys)
        if self.attempts is not None:
            self.attempts.succeeded(str(session.connection.peer_address))
        if session.bonding:
            await super().on_pairing(session, identity_address, keys)
        else:  # the keys are for this link; bumble would store them all the same
            self.device.on_pairing(session.connection, identity_address, keys, session.sc)

    def pairing_on(self, connection: Connection) -> "PairingSession | None":
        """Return the latest pairing on a link, under way or done; None where there is none."""
        return cast("PairingSession | None", self.sessions.get(connection.handle))

    def on_pairing_failure(self, session: smp.Session, reason: ErrorCode) -> None:
        """Tell of the failure, and forget the session."""
        if self.sessions.get(session.connection.handle) is session:
            cast("PairingSession", session).close()
        if session.is_responder and self.attempts is not None:
            now = asyncio.get_running_loop().time()
            self.attempts.failed(str(session.connection.peer_address), now)
        super().on_pairing_failure(session, reason)

    def fall_silent(self, connection: Connection) -> None:
        """Send and take no more on a link: its pairing has timed out."""
        _silent.add(connection)

    def _drop_completed(self, connection: Connection) -> None:
        session = self.sessions.get(connection.handle)
        if session is not None and session.completed:
            cast("PairingSession", session).close()


def _drop_undistributed(session: smp.Session, keys: PairingKeys) -> None:
    """Drop the LTKs of legacy pairing that nobody was given (2.4.4.1)."""
    mine, theirs = session.responder_key_distribution, session.initiator_key_distribution
    if session.is_initiator:
        mine, theirs = theirs, mine
    # The LTK of the peripheral's side encrypts: as a central we use theirs.
    if not mine & KeyDistribution.ENC_KEY:
        keys.ltk_peripheral = None
    if not theirs & KeyDistribution.ENC_KEY:
        keys.ltk_central = None
