"""What an emulated device does about a write: its rules, its procedures, what they remember."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bletest.att.codes import ErrorCode
from bletest.att.handlers import AttRefusal, WriteAccess
from bletest.behaviour import NOTHING_BEFORE, Memory, Sending, StoredRecords, react
from bletest.errors import SecretMissing
from bletest.peripheral.characteristic import ServerCharacteristic
from bletest.peripheral.links import ClientLink
from bletest.profile.rules import WriteRule
from bletest.profile.secrets import find_key

if TYPE_CHECKING:
    from bletest.peripheral.virtual import VirtualPeripheral

_REMOTE_USER = 0x13
"""Remote User Terminated Connection (Vol 1, Part F, 2.19)."""


class Reactions:
    """Carries out what :mod:`bletest.behaviour` decides, for one device."""

    def __init__(self, peripheral: "VirtualPeripheral") -> None:
        self._peripheral = peripheral
        characteristics = tuple(peripheral.profile.characteristics())
        self._memory = Memory(peripheral.profile.state)
        self._remembers = not all(rule.always for one in characteristics for rule in one.rules)
        self._stored = {
            one.path: StoredRecords(one.path, one.procedure)
            for one in characteristics
            if one.procedure is not None
        }
        self._reporting: dict[tuple[str, str], list[asyncio.TimerHandle]] = {}

    def reset(self) -> None:
        """Forget what is not kept over a reboot."""
        self._memory.reset()
        for stored in self._stored.values():
            stored.reset()

    def forget(self, client: str) -> None:
        """A client is gone: what was remembered for it, and what it still would be sent, too."""
        self._memory.forget(client)
        for stored in self._stored.values():
            stored.forget(client)
        for key in [key for key in self._reporting if key[0] == client]:
            for timer in self._reporting.pop(key):
                timer.cancel()

    def follow_rules(self, rules: tuple[WriteRule, ...], request: WriteAccess) -> None:
        """Do what the profile's rules say about a write; raises AttRefusal where they refuse."""
        client, now = request.client, _now()
        try:
            # Most devices have nothing to remember, and many are written often.
            situation = (
                self._memory.situation(client, now, draw=self._draw, keys=find_key)
                if self._remembers
                else NOTHING_BEFORE
            )
            reaction = react(rules, request.value, mtu=request.bearer.mtu, situation=situation)
        except SecretMissing as error:
            self._peripheral.note(f"cannot follow the rules: {error.message}")
            raise AttRefusal(ErrorCode.UNLIKELY_ERROR) from None
        self._memory.keep(client, reaction, now)
        for sending in reaction.sendings:
            self._send_later(client, sending)
        if reaction.disconnect is not None:
            link = self._peripheral.link_to(client)
            if link is not None:
                # A response that is out reaches the client before the link ends.
                asyncio.get_running_loop().call_later(reaction.disconnect, self._end, link)
        if reaction.error is not None:
            raise AttRefusal(reaction.error)

    def follow_procedure(self, characteristic: ServerCharacteristic, request: WriteAccess) -> None:
        """Do what a control point does about a write; raises AttRefusal where it refuses."""
        client, path = request.client, characteristic.path
        subscribed = {one.path for one in self._peripheral if client in one.subscribers}
        now = _now()
        reaction = self._stored[path].write(client, request.value, now, subscribed=subscribed)
        if reaction.error is not None:
            raise AttRefusal(reaction.error)
        timers = self._reporting.setdefault((client, path), [])
        if reaction.cancels:
            for timer in timers:
                timer.cancel()
        timers[:] = [one for one in timers if not one.cancelled() and one.when() > now]
        timers.extend(
            asyncio.get_running_loop().call_at(now + sending.after, self._send, client, sending)
            for sending in reaction.sendings
        )

    def _send_later(self, client: str, sending: Sending) -> None:
        """Send what a rule says, after the response to the write is out."""
        loop = asyncio.get_running_loop()
        send = partial(self._send, client, sending)
        if sending.after:
            loop.call_later(sending.after, send)
        else:
            loop.call_soon(send)

    def _send(self, client: str, sending: Sending) -> None:
        via = self._peripheral[sending.via]
        for receiver in tuple(via.subscribers) if sending.subscribers else (client,):
            self._peripheral.send(receiver, via, sending.value, sending.kind)

    def _end(self, link: ClientLink) -> None:
        if self._peripheral.link_to(link.identity) is link:
            self._peripheral.disconnect(link, _REMOTE_USER)

    def _draw(self, length: int) -> bytes:
        station = self._peripheral.station
        assert station is not None  # only a device that is up is written
        return station.randomness.octets("behaviour", length)


def _now() -> float:
    return asyncio.get_running_loop().time()
