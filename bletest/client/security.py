"""Pairing, encryption with stored keys, and forgetting them, on bumble's Security Manager."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from bumble import hci
from bumble.core import BaseBumbleError, ProtocolError
from bumble.device import Connection, Device
from bumble.keys import PairingKeys
from bumble.pairing import PairingConfig, PairingDelegate

from bletest.client.link import ClientLink
from bletest.client.reasons import link_reason, pairing_reason
from bletest.errors import AdapterUnusable, PairingFailed
from bletest.link.host import CommandFailed
from bletest.link.smp import TIMEOUT, PairingTimedOut

ENCRYPTING = 40.0
"""Seconds after which a link-layer procedure has failed (Vol 6, Part B, 5.2)."""

PAIRING = 120.0
"""Seconds that pairing may take, for adapters that get stuck. A peer that is silent for 30 s is
given up by the Security Manager itself (Vol 3, Part H, 3.4)."""


def just_works(connection: Connection) -> PairingConfig:
    """Ask for a bond by LE Secure Connections, without a person: Just Works.

    A device that only knows legacy pairing gets that.
    """
    return PairingConfig(
        sc=True,
        mitm=False,
        bonding=True,
        delegate=PairingDelegate(io_capability=PairingDelegate.NO_OUTPUT_NO_INPUT),
        identity_address_type=PairingConfig.AddressType.RANDOM,
    )


async def pair(link: ClientLink, device: Device) -> None:
    """Encrypt the link: with the key of an earlier bond where there is one, or by pairing.

    Does nothing on a link that is encrypted. Raises :class:`PairingFailed`, also where the
    device has lost its half of the bond, or what ended the link meanwhile.
    """
    if not link.is_up:
        raise link.error()
    if link.is_encrypted:
        return
    if await bond(device, link.connection) is None:
        await _settle(link, device.pair(link.connection), within=PAIRING)
        link.tell("paired", _describe(link.connection))
    else:
        await _settle(link, device.encrypt(link.connection), within=ENCRYPTING)


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


def _describe(connection: Connection) -> str:
    kind = "LE Secure Connections" if connection.sc else "LE legacy pairing"
    return f"Just Works, {kind}"
