"""One pairing: bumble's ``Session``, repaired and held to the order of its commands.

Paragraphs are those of the Core Specification, Vol 3, Part H.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from bumble import crypto, smp
from bumble.core import PhysicalTransport, ProtocolError
from bumble.pairing import PairingDelegate
from bumble.smp import ErrorCode, KeyDistribution, PairingMethod

from bletest.link import smp_order
from bletest.link.host import AttHost
from bletest.link.pairing_policy import PairingPolicy, Terms

if TYPE_CHECKING:
    from bletest.link.smp import SecurityManager

TIMEOUT = 30.0
"""Seconds that may pass between two commands of a pairing (3.4)."""

SMALLEST_KEY, LARGEST_KEY = 7, 16
"""Octets of an encryption key (2.3.4)."""

METHODS = {
    PairingMethod.JUST_WORKS: "Just Works",
    PairingMethod.NUMERIC_COMPARISON: "numeric comparison",
    PairingMethod.PASSKEY: "passkey entry",
    PairingMethod.OOB: "out of band",
}


class PairingTimedOut(ProtocolError):
    """The peer was silent for 30 s; on this link nothing more can be paired (3.4)."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.UNSPECIFIED_REASON, "smp", "TIMEOUT")


class PairingSession(smp.Session):
    """One pairing. Its nonces and keys come from the manager's randomness.

    Keys have the negotiated size: octets beyond it are zero (2.3.4).
    """

    manager: "SecurityManager"
    _ltk: bytes | None = None
    _stk: bytes | None = None
    _timer: asyncio.TimerHandle | None = None
    _peer_key_size = LARGEST_KEY
    _failed = False
    _asked = False
    _taken = 0
    _agreed = False
    _open_nonce: bytes | None = None
    own_csrk: bytes | None = None
    """The signing key that the peer was given, least significant octet first."""

    @property
    def key_size(self) -> int:
        """Octets of the encryption key: the smaller of what both sides offer (2.3.4)."""
        return min(self.maximum_encryption_key_size, self._peer_key_size)

    @property
    def authenticated(self) -> bool:
        """Whether its method keeps a man in the middle out (2.3.1)."""
        return self.pairing_method != PairingMethod.JUST_WORKS

    @property
    def terms(self) -> Terms:
        """What both sides' parameters come to; known once both have told them."""
        return Terms(
            method=METHODS.get(self.pairing_method, self.pairing_method.name),
            authenticated=self.authenticated,
            secure_connections=self.sc,
            key_size=self.key_size,
            bonding=self.bonding,
        )

    @property
    def policy(self) -> PairingPolicy | None:
        """Who may refuse this pairing."""
        delegate = self.pairing_config.delegate
        return delegate if isinstance(delegate, PairingPolicy) else None

    @property
    def ltk(self) -> bytes:
        """The long term key, whole or shortened."""
        if self._ltk is None:
            raise AttributeError("there is no LTK before the end of phase 2")
        return self._ltk

    @ltk.setter
    def ltk(self, key: bytes) -> None:
        self._ltk = self._shortened(key)

    @property  # type: ignore[override]
    def stk(self) -> bytes | None:
        """The short term key of legacy pairing, whole or shortened."""
        return self._stk

    @stk.setter
    def stk(self, key: bytes | None) -> None:
        self._stk = None if key is None else self._shortened(key)

    def _shortened(self, key: bytes) -> bytes:
        # Little-endian: the most significant octets are the last ones.
        shortened = key[: self.key_size] + bytes(LARGEST_KEY - self.key_size)
        self._remember_size(shortened)
        return shortened

    def _remember_size(self, key: bytes) -> None:
        host = self.manager.device.host
        if isinstance(host, AttHost) and self.key_size < LARGEST_KEY:
            host.remember_key_size(key, self.key_size)

    def on_smp_encryption_information_command(
        self, command: smp.SMP_Encryption_Information_Command
    ) -> None:
        """Take the peer's key of legacy pairing."""
        self._remember_size(command.long_term_key)
        super().on_smp_encryption_information_command(command)

    def get_long_term_key(self, rand: bytes, ediv: int) -> bytes | None:
        """Return the key that the peer asks for, None if it is not from this pairing."""
        is_unnumbered = not any(rand) and not ediv
        if self.sc:
            return self._ltk if is_unnumbered and self._agreed else None
        if not self.completed and is_unnumbered:
            return self._stk
        return self._ltk if (rand, ediv) == (self.ltk_rand, self.ltk_ediv) else None

    # The timer of 3.4, and the end.

    def send_command(self, command: smp.SMP_Command) -> None:
        """Send a command, unless the pairing has failed meanwhile."""
        if self._failed:
            return
        self._restart_timer()
        super().send_command(command)
        if isinstance(command, smp.SMP_Pairing_Failed_Command):
            self.on_pairing_failure(ErrorCode(command.reason))

    def on_smp_command(self, command: smp.SMP_Command) -> None:
        """Act on a command of the peer, if it is due; what is not ends the pairing (3.5.5)."""
        if self.completed:
            return
        self._restart_timer()
        if command.code in smp_order.AT_ANY_TIME or self._is_due(command.code):
            super().on_smp_command(command)
        else:
            self.send_pairing_failed(ErrorCode.UNSPECIFIED_REASON)

    def _is_due(self, code: int) -> bool:
        if code in smp_order.KEYS:
            return self._agreed
        if not hasattr(self, "pres"):
            first = (
                smp.CommandCode.PAIRING_RESPONSE
                if self.is_initiator
                else smp.CommandCode.PAIRING_REQUEST
            )
            # Whether to take up the pairing is decided in a task: only one request is waited for.
            is_first = code == first and not self._asked
            self._asked = True
            return is_first
        due = smp_order.next_of_phase_2(
            self.pairing_method, self._taken, sc=self.sc, is_initiator=self.is_initiator
        )
        self._taken += 1
        return code == due

    def _restart_timer(self) -> None:
        self._stop_timer()
        if not self.completed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(TIMEOUT, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timeout(self) -> None:
        self.manager.fall_silent(self.connection)
        if self.pairing_result is not None and not self.pairing_result.done():
            self.pairing_result.set_exception(PairingTimedOut())
        self.on_pairing_failure(ErrorCode.UNSPECIFIED_REASON)

    async def on_pairing(self) -> None:
        """All keys have been exchanged."""
        self._stop_timer()
        if self.policy is not None and not self.completed:
            self.policy.on_success(self.terms)
        await super().on_pairing()

    def on_pairing_failure(self, reason: ErrorCode) -> None:
        """The pairing has failed, here or at the peer."""
        if not self.completed:
            self._failed = True
            self._stop_timer()
            super().on_pairing_failure(reason)

    def close(self) -> None:
        """Leave the link to the next pairing."""
        self.on_disconnection(0)

    def on_disconnection(self, reason: int) -> None:
        """The link has ended."""
        self._stop_timer()
        super().on_disconnection(reason)

    # Parameters.

    def on_smp_pairing_request_command(self, command: smp.SMP_Pairing_Request_Command) -> None:
        """Take up a pairing, unless its parameters are impossible."""
        if self._takes_key_size(command.maximum_encryption_key_size):
            super().on_smp_pairing_request_command(command)

    def on_smp_pairing_response_command(self, command: smp.SMP_Pairing_Response_Command) -> None:
        """Go on with a pairing, unless the parameters of the answer are impossible."""
        if self._takes_key_size(command.maximum_encryption_key_size):
            super().on_smp_pairing_response_command(command)

    def _takes_key_size(self, size: int) -> bool:
        # 3.5.5: the resultant key would be too short; a parameter is out of its range.
        if size < SMALLEST_KEY:
            self.send_pairing_failed(ErrorCode.ENCRYPTION_KEY_SIZE)
        elif size > LARGEST_KEY:
            self.send_pairing_failed(ErrorCode.INVALID_PARAMETERS)
        else:
            self._peer_key_size = size
        return not self._failed

    def compute_peer_expected_distributions(self, key_distribution_flags: int) -> None:
        """Both sides' parameters are known, and nothing has come of them: now it can be refused."""
        super().compute_peer_expected_distributions(key_distribution_flags)
        refusal = self.policy.refusal(self.terms) if self.policy is not None else None
        if refusal is not None:
            self.send_pairing_failed(refusal)

    def display_or_input_passkey(self, next_steps: Callable[[], None] | None = None) -> None:
        """Ask or tell a person, unless it is over already."""
        if not self._failed:
            super().display_or_input_passkey(next_steps)

    def prompt_user_for_numeric_comparison(self, code: int, next_steps: Callable[[], None]) -> None:
        """Have a person compare; numbers that differ have a reason of their own (3.5.5)."""

        async def compare() -> None:
            if await self.pairing_config.delegate.compare_numbers(code, digits=6):
                next_steps()
            else:
                self.send_pairing_failed(ErrorCode.NUMERIC_COMPARISON_FAILED)

        self.connection.cancel_on_disconnection(compare())

    # What is random.

    def _nonce(self) -> bytes:
        return self.manager.randomness.octets("nonce", 16)

    async def display_passkey(self) -> None:
        """Show a passkey; a delegate that leaves it to bumble to make one up gets ours."""
        delegate = self.pairing_config.delegate
        if self.policy is not None:
            chosen = await self.policy.choose_passkey()
            if self.policy.trouble is not None:
                self.send_pairing_failed(ErrorCode.PASSKEY_ENTRY_FAILED)
            self.passkey = self.manager.randomness.passkey() if chosen is None else chosen
        elif type(delegate).generate_passkey is PairingDelegate.generate_passkey:
            self.passkey = self.manager.randomness.passkey()
        else:
            self.passkey = await delegate.generate_passkey()
        if self._failed:
            return
        if not self.sc:
            self.tk = self.passkey.to_bytes(16, "little")
        self.passkey_ready.set()
        self.connection.cancel_on_disconnection(delegate.display_number(self.passkey, digits=6))

    @property
    def nx(self) -> tuple[bytes, bytes]:
        """Our nonce and the peer's. bumble's would be what is secret of a pairing out of band."""
        ours, theirs = super().nx
        return (ours if self._open_nonce is None else self._open_nonce, theirs)

    def send_pairing_random_command(self) -> None:
        """Send our nonce, a fresh one where ``r`` went out of band (2.3.5.6.4)."""
        if self.sc and self.pairing_method == PairingMethod.OOB:
            self._open_nonce = self._nonce()
            self.send_command(smp.SMP_Pairing_Random_Command(random_value=self._open_nonce))
        else:
            super().send_pairing_random_command()

    def decide_pairing_method(
        self, auth_req: int, initiator_io_capability: int, responder_io_capability: int
    ) -> None:
        """Find the method where no data out of band is of use; Just Works knows no key of it."""
        super().decide_pairing_method(auth_req, initiator_io_capability, responder_io_capability)
        if self.pairing_method == PairingMethod.JUST_WORKS:
            self.tk = bytes(16)

    def send_pairing_confirm_command(self) -> None:
        """Commit to a fresh nonce (2.3.5.5 for legacy pairing, 2.3.5.6)."""
        if self.pairing_method != PairingMethod.OOB or not self.sc:
            self.r = self._nonce()
        if self.sc:
            self.connection.cancel_on_disconnection(self._confirm_secure_connections())
            return
        ours = (self.preq, self.pres, self.iat, self.rat, self.ia, self.ra)
        confirm = crypto.c1(self.tk, self.r, *ours)
        self.send_command(smp.SMP_Pairing_Confirm_Command(confirm_value=confirm))

    async def _confirm_secure_connections(self) -> None:
        bit = 0
        if self.pairing_method == PairingMethod.PASSKEY:
            await self.passkey_ready.wait()
            assert self.passkey is not None
            bit = 0x80 | self.passkey >> self.passkey_step & 1
        elif self.pairing_method == PairingMethod.OOB:
            return
        ours, theirs = (self.pka, self.pkb) if self.is_initiator else (self.pkb, self.pka)
        confirm = crypto.f4(ours, theirs, self.r, bytes((bit,)))
        self.send_command(smp.SMP_Pairing_Confirm_Command(confirm_value=confirm))

    def on_smp_pairing_confirm_command_secure_connections(
        self, command: smp.SMP_Pairing_Confirm_Command
    ) -> None:
        """The responder has committed to its nonce: send ours, or our commitment."""
        if self.pairing_method in (PairingMethod.JUST_WORKS, PairingMethod.NUMERIC_COMPARISON):
            if self.is_initiator:
                self.r = self._nonce()
                self.send_pairing_random_command()
        else:
            super().on_smp_pairing_confirm_command_secure_connections(command)

    def on_smp_pairing_random_command_legacy(self, command: smp.SMP_Pairing_Random_Command) -> None:
        """Check the peer's nonce; if it is right there is an STK, and keys to distribute."""
        super().on_smp_pairing_random_command_legacy(command)
        if self._stk is not None:
            self._agreed = True
            octets = self.manager.randomness.octets("ltk", 26)
            self.ltk, self.ltk_rand = octets[:16], octets[16:24]
            self.ltk_ediv = int.from_bytes(octets[24:], "little")

    def on_smp_pairing_public_key_command(
        self, command: smp.SMP_Pairing_Public_Key_Command
    ) -> None:
        """Take the peer's public key, if it is one, and not our own sent back (2.3.5.6.1)."""
        is_own = command.public_key_x == self.ecc_key.x[::-1] and not self.manager.debug_mode
        if is_own or not _is_on_curve(command):
            self.send_pairing_failed(ErrorCode.DHKEY_CHECK_FAILED)
        else:
            super().on_smp_pairing_public_key_command(command)

    def send_pairing_dhkey_check_command(self) -> None:
        """Send our check. As the responder we have verified the peer's: the key may be used."""
        self._agreed = True
        super().send_pairing_dhkey_check_command()

    def on_connection_encryption_change(self) -> None:
        """The link is encrypted: phase 3 begins, unless that was with an older key."""
        if self._agreed:
            super().on_connection_encryption_change()

    def distribute_keys(self) -> None:
        """Send the keys of ours that were agreed on, in the order of 3.6.1."""
        if self.connection.transport != PhysicalTransport.LE:
            super().distribute_keys()
            return
        agreed = (
            self.initiator_key_distribution
            if self.is_initiator
            else self.responder_key_distribution
        )
        if agreed & KeyDistribution.ENC_KEY and not self.sc:
            self.send_command(smp.SMP_Encryption_Information_Command(long_term_key=self.ltk))
            self.send_command(
                smp.SMP_Master_Identification_Command(ediv=self.ltk_ediv, rand=self.ltk_rand)
            )
        if agreed & KeyDistribution.ID_KEY:
            irk = self.manager.device.irk
            self.send_command(smp.SMP_Identity_Information_Command(identity_resolving_key=irk))
            self.send_identity_address_command()
        if agreed & KeyDistribution.SIGN_KEY:
            self.own_csrk = self.manager.randomness.octets("csrk", 16)
            self.send_command(smp.SMP_Signing_Information_Command(signature_key=self.own_csrk))
        if agreed & KeyDistribution.LINK_KEY:
            self.link_key = self.derive_link_key(self.ltk, self.ct2)


_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def _is_on_curve(command: smp.SMP_Pairing_Public_Key_Command) -> bool:
    """Whether a public key is a point of P-256 (FIPS 186-4, D.1.2.3)."""
    x = int.from_bytes(command.public_key_x, "little")
    y = int.from_bytes(command.public_key_y, "little")
    return x < _PRIME and y < _PRIME and (y * y - x * x * x + 3 * x - _B) % _PRIME == 0
