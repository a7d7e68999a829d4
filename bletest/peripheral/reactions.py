"""What an emulated device does about a write: its rules, its procedures, what they remember."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from bletest.att.codes import ErrorCode
from bletest.att.handlers import AttRefusal, WriteAccess
from bletest.behaviour import (
    NOTHING_BEFORE,
    SAME_MOMENT,
    Memory,
    Reaction,
    Sending,
    guard,
    make_procedures,
    react,
)
from bletest.errors import SecretMissing, UsageMistake
from bletest.peripheral.characteristic import ServerCharacteristic
from bletest.peripheral.links import ClientLink
from bletest.profile.rules import ServiceChange, WriteRule
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
        self._procedures = make_procedures(characteristics)
        self._reporting: dict[tuple[str, str], list[asyncio.TimerHandle]] = {}
        self._later: list[asyncio.TimerHandle] = []

    def reset(self) -> None:
        """Forget what is not kept over a reboot."""
        self._memory.reset()
        for timer in self._later:
            timer.cancel()
        self._later.clear()
        for procedure in self._procedures.values():
            procedure.reset()

    def forget(self, client: str) -> None:
        """A client is gone: what was remembered for it, and what it still would be sent, too."""
        self._memory.forget(client)
        for procedure in self._procedures.values():
            procedure.forget(client)
        for key in [key for key in self._reporting if key[0] == client]:
            for timer in self._reporting.pop(key):
                timer.cancel()

    def follow_rules(self, rules: tuple[WriteRule, ...], request: WriteAccess) -> None:
        """Do what the profile's rules say about a write; raises AttRefusal where they refuse."""
        client, now = request.client, _now()
        reaction = self._reaction(rules, request, now)
        self._memory.keep(client, reaction, now)
        for sending in reaction.sendings:
            self._send_later(client, sending)
        self._change(client, reaction)
        if reaction.error is not None:
            raise AttRefusal(reaction.error)

    def follow_control_point(
        self, characteristic: ServerCharacteristic, request: WriteAccess
    ) -> None:
        """Do what rules say, but one thing at a time, and only for who will see the answers."""
        client, now = request.client, _now()
        timers = self._reporting.get((client, characteristic.path), ())
        reaction = guard(
            self._reaction(characteristic.spec.rules, request, now),
            busy=any(not one.cancelled() and one.when() > now + SAME_MOMENT for one in timers),
            subscribed=self._subscribed(client),
        )
        self._memory.keep(client, reaction, now)
        self._answer(characteristic.path, client, reaction, now)

    def follow_procedure(self, characteristic: ServerCharacteristic, request: WriteAccess) -> None:
        """Do what a control point does about a write; raises AttRefusal where it refuses."""
        client, path = request.client, characteristic.path
        rules, value = characteristic.spec.rules, request.value
        if rules and any(rule.matches(value) for rule in rules):
            self.follow_rules(rules, request)
            return
        now = _now()
        subscribed = self._subscribed(client)
        reaction = self._procedures[path].write(client, value, now, subscribed=subscribed)
        self._answer(path, client, reaction, now)

    def _reaction(self, rules: tuple[WriteRule, ...], request: WriteAccess, now: float) -> Reaction:
        try:
            # Most devices have nothing to remember, and many are written often.
            situation = (
                self._memory.situation(request.client, now, draw=self._draw, keys=find_key)
                if self._remembers
                else NOTHING_BEFORE
            )
            return react(rules, request.value, mtu=request.bearer.mtu, situation=situation)
        except SecretMissing as error:
            self._peripheral.note(f"cannot follow the rules: {error.message}")
            raise AttRefusal(ErrorCode.UNLIKELY_ERROR) from None

    def _subscribed(self, client: str) -> set[str]:
        return {one.path for one in self._peripheral if client in one.subscribers}

    def _answer(self, path: str, client: str, reaction: Reaction, now: float) -> None:
        """Send one answer after another, as control points do, unless the next one aborts."""
        if reaction.error is not None:
            self._change(client, reaction)
            raise AttRefusal(reaction.error)
        timers = self._reporting.setdefault((client, path), [])
        if reaction.cancels:
            for timer in timers:
                timer.cancel()
        timers[:] = [one for one in timers if not one.cancelled() and one.when() > now]
        timers.extend(
            asyncio.get_running_loop().call_at(
                now + sending.after, self._send, client, self._peripheral[sending.via], sending
            )
            for sending in reaction.sendings
        )
        self._change(client, reaction)

    def _change(self, client: str, reaction: Reaction) -> None:
        """Do what a reaction does to the device as a whole, once the response is out."""
        if reaction.disconnect is not None:
            link = self._peripheral.link_to(client)
            if link is not None:
                # A response that is out reaches the client before the link ends.
                asyncio.get_running_loop().call_later(reaction.disconnect, self._end, link)
        if reaction.services:
            loop = asyncio.get_running_loop()
            self._later = [one for one in self._later if one.when() > loop.time()]
            self._later += [
                loop.call_later(change.after, self._change_service, change)
                for change in reaction.services
            ]
        if reaction.reboot is not None:
            self._peripheral.reboot(reaction.reboot)

    def _change_service(self, change: ServiceChange) -> None:
        device = self._peripheral
        if device.has_service(change.path) is change.present:
            return
        try:
            (device.add_service if change.present else device.remove_service)(change.path)
        except UsageMistake as error:
            device.note(f"cannot follow the rules: {error.message}")

    def _send_later(self, client: str, sending: Sending) -> None:
        """Send what a rule says, after the response to the write is out."""
        loop = asyncio.get_running_loop()
        send = partial(self._send, client, self._peripheral[sending.via], sending)
        if not sending.after:
            loop.call_soon(send)
        elif sending.subscribers:
            self._later.append(loop.call_later(sending.after, send))
            self._later = [one for one in self._later if one.when() > loop.time()]
        elif (link := self._peripheral.link_to(client)) is not None:
            loop.call_later(sending.after, self._send_on, link, send)

    def _send_on(self, link: ClientLink, send: Callable[[], None]) -> None:
        """Answer on the link that asked: a client that has come back has asked nothing yet."""
        if self._peripheral.link_to(link.identity) is link:
            send()

    def _send(self, client: str, via: ServerCharacteristic, sending: Sending) -> None:
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
