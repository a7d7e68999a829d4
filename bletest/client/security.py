"""Pairing, encryption with stored keys, and forgetting them, on bumble's Security Manager."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar, cast

from bumble import hci
from bumble.core import BaseBumbleError, ProtocolError
from bumble.device import Connection, Device
from bumble.keys import PairingKeys
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.smp import OobLegacyContext, OobSharedData

from bletest.client.agent import JUST_WORKS, PairingAgent
from bletest.client.link import ClientLink
from bletest.client.reasons import link_reason, pairing_reason
from bletest.client.signing import SigningKey
from bletest.errors import AdapterUnusable, BletestError, PairingFailed
from bletest.link.host import CommandFailed
from bletest.link.pairing_policy import IO, PairingPolicy
from bletest.link.smp import SecurityManager
from bletest.link.smp_session import TIMEOUT, PairingTimedOut

T = TypeVar("T")

ENCRYPTING = 40.0
"""Seconds after which a link-layer procedure has failed (Vol 6, Part B, 5.2)."""

PAIRING = 120.0
"""Seconds that pairing may take, for adapters that get stuck. A peer that is silent for 30 s is
given up by the Security Manager itself (Vol 3, Part H, 3.4)."""


class AgentPolicy(PairingPolicy):
    """Asks an agent what a pairing asks of a person; what it raises is kept as ``trouble``."""

    def __init__(self, agent: PairingAgent, tell: Callable[[str], None]) -> None:
        keys = PairingDelegate.DEFAULT_KEY_DISTRIBUTION
        if agent.signing:
            keys |= PairingDelegate.KeyDistribution.DISTRIBUTE_SIGNING_KEY
        super().__init__(
            IO[agent.io],
            local_initiator_key_distribution=keys,
            maximum_encryption_key_size=agent.key_size,
        )
        self._agent = agent
        self._tell = tell

    async def _ask(self, question: Awaitable[T]) -> T | None:
        try:
            return await question
        except Exception as trouble:  # an agent is the user's, and may raise anything
            self.trouble = trouble
            return None

    async def confirm(self, auto: bool = False) -> bool:
        """Go on with Just Works."""
        return bool(await self._ask(self._agent.accept_just_works()))

    async def compare_numbers(self, number: int, digits: int) -> bool:
        """Say whether the device shows this number."""
        agreed = bool(await self._ask(self._agent.compare(number)))
        self._tell(f"{number:06} compared: {'the same' if agreed else 'not the same'} there")
        return agreed

    async def get_number(self) -> int | None:
        """Enter what the device shows."""
        passkey = await self._ask(self._agent.enter_passkey())
        if passkey is not None:
            self._tell(f"{passkey:06} entered")
        return passkey

    async def choose_passkey(self) -> int | None:
        """Have the agent choose what to show."""
        return await self._ask(self._agent.choose_passkey())

    async def display_number(self, number: int, digits: int) -> None:
        """Show the passkey to whoever types it at the device."""
        self._agent.shown = number
        self._tell(f"{number:06} shown")
        await self._ask(self._agent.show_passkey(number))


def pairing_config(link: ClientLink | None, manager: SecurityManager) -> PairingConfig:
    """Return how the client pairs on a link: as its agent says."""
    agent = JUST_WORKS if link is None else link.agent
    agent.begin()
    policy = AgentPolicy(agent, lambda what: link.tell("passkey", what) if link else None)
    if link is not None:
        link.pairing_policy = policy
    known = agent.oob
    oob = None
    if known is not None:
        shared = OobSharedData(c=known.confirm, r=known.random) if known.confirm else None
        legacy = OobLegacyContext(tk=known.temporary_key) if known.temporary_key else None
        oob = PairingConfig.OobConfig(manager.new_oob_context(), shared, legacy)
    return PairingConfig(
        sc=agent.secure_connections,
        mitm=agent.mitm,
        bonding=agent.bonding,
        delegate=policy,
        identity_address_type=PairingConfig.AddressType.RANDOM,
        oob=oob,
    )


async def pair(link: ClientLink, device: Device) -> None:
    """Encrypt the link: with the key of an earlier bond where there is one, or by pairing.

    Does nothing on a link that is encrypted. Raises :class:`PairingFailed`, also where the
    device has lost its half of the bond, or what ended the link meanwhile, or what the agent
    has raised.
    """
    if not link.is_up:
        raise link.error()
    if link.is_encrypted:
        return
    if await bond(device, link.connection) is not None:
        await _settle(link, device.encrypt(link.connection), within=ENCRYPTING)
        return
    try:
        await _settle(link, device.pair(link.connection), within=PAIRING)
    except BletestError as failure:
        trouble = link.pairing_policy.trouble if link.pairing_policy is not None else None
        if trouble is not None:
            raise trouble from failure
        raise
    session = cast("SecurityManager", device.smp_manager).pairing_on(link.connection)
    link.tell("paired", str(session.terms) if session is not None else "")


def signing_key(link: ClientLink, device: Device) -> SigningKey | None:
    """Return the signing key that the latest pairing on the link has handed out, if any."""
    session = cast("SecurityManager", device.smp_manager).pairing_on(link.connection)
    return None if session is None or session.own_csrk is None else SigningKey(session.own_csrk)


async def bond(device: Device, connection: Connection) -> PairingKeys | None:
    """Return the stored keys of the device at the other end, None if there is no LTK."""
    if device.keystore is None:
        return None
    keys = await device.keystore.get(str(connection.peer_address))
    return keys if keys is not None and (keys.ltk or keys.ltk_central) else None


async def is_authenticated(device: Device, connection: Connection) -> bool:
    """Return whether the stored key of the device at the other end was made against a MITM."""
    keys = await bond(device, connection)
    key = (keys.ltk or keys.ltk_central) if keys is not None else None
    return key is not None and bool(key.authenticated)


async def forget(device: Device, address: str) -> bool:
    """Delete the keys of ``address`` (of either type) and say whether there were any."""
    keystore = device.keystore
    if keystore is None:
        return False
    names = [name for name, _ in await keystore.get_all() if name.split("/")[0] == address.upper()]
    for name in names:
        await keystore.delete(name)
    if names:
        await device.refresh_resolving_list()
    return bool(names)


async def _settle(link: ClientLink, procedure: Coroutine[Any, Any, None], *, within: float) -> None:
    # bumble cancels its own coroutine when the link ends: in a task of its own that cannot be
    # mistaken for a cancellation of whoever waits here.
    task = asyncio.ensure_future(procedure)
    try:
        await asyncio.wait({task, link.gone}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        if link.is_up and not task.done():
            raise PairingFailed(f"the link to {link.address} was not encrypted within {within:g} s")
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError, BaseBumbleError):
                await task
    if not link.is_up or task.cancelled():
        raise link.error()
    if (error := task.exception()) is not None:
        raise _translated(link, error) from error


def refused(link: ClientLink, failure: CommandFailed) -> AdapterUnusable:
    """Say that the controller is why a link is not encrypted."""
    return AdapterUnusable(
        f"the controller would not carry out {hci.HCI_Command.command_name(failure.opcode)} for"
        f" the link to {link.address}: {link_reason(int(failure.error_code or 0))}"
    )


def _translated(link: ClientLink, error: BaseException) -> BaseException:
    if isinstance(error, CommandFailed):
        return refused(link, error)
    if not isinstance(error, BaseBumbleError):
        return error
    if isinstance(error, PairingTimedOut):
        return PairingFailed(
            f"pairing with {link.address}: no answer within {TIMEOUT:g} s;"
            " no more can be tried on this link"
        )
    if isinstance(error, ProtocolError) and error.error_namespace == "smp":
        smp_code = int(error.error_code or 0)
        return PairingFailed(
            f"pairing with {link.address} failed: {pairing_reason(smp_code)}", reason=smp_code
        )
    if isinstance(error, ProtocolError):
        return PairingFailed(
            f"encrypting the link to {link.address} with the key of an earlier bond failed:"
            f" {link_reason(int(error.error_code or 0))}; unpair() forgets that bond"
        )
    return AdapterUnusable(f"the adapter could not pair with {link.address}: {error}")
