"""A characteristic of an emulated device: its value, its handlers, its events, its waits."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from bletest.att.database import Characteristic
from bletest.att.handlers import WriteAccess
from bletest.peripheral import hooks
from bletest.peripheral.attribute import NOTIFY, SUBSCRIBE, ServerAttribute
from bletest.peripheral.descriptor import ServerDescriptor
from bletest.peripheral.hooks import Hook
from bletest.peripheral.requests import Trigger
from bletest.profile.rules import ReplyKind
from bletest.profile.spec import CharacteristicSpec

if TYPE_CHECKING:
    from bletest.peripheral.virtual import VirtualPeripheral

__all__ = ["ServerCharacteristic", "Trigger"]

NOTIFICATION = ReplyKind.NOTIFICATION
"""For comparing: looking a member up in its enumeration takes longer."""

_NOBODY: Mapping[str, ReplyKind] = MappingProxyType({})


class ServerCharacteristic(ServerAttribute):
    """One characteristic of a :class:`~bletest.peripheral.virtual.VirtualPeripheral`.

    It stands behind the attribute of its value and answers the ATT server: what the profile's
    rules say first, then the handlers. Where there is neither, the server answers by itself.
    """

    __slots__ = ("_accesses", "attribute", "spec", "subscribers")

    attribute: Characteristic
    """Where it stands in the table; set once the table is built, by :meth:`stand_behind`."""

    def __init__(self, peripheral: "VirtualPeripheral", spec: CharacteristicSpec) -> None:
        super().__init__(peripheral, spec.path)
        self.spec = spec
        self.subscribers = _NOBODY
        """What clients want of it, by their addresses; it is replaced, never changed."""
        self._accesses = 0

    # What tests and device scripts use

    def notify(self, value: bytes | None = None) -> None:
        """Send ``value`` (the stored one if None) to every subscriber, as each asked for it."""
        octets = self.stored.value if value is None else value
        peripheral = self.peripheral
        for client, kind in self.subscribers.items():
            link = peripheral.by_client.get(client)
            if link is None or kind is not NOTIFICATION:
                peripheral.send(client, self, octets)
                continue
            # What send() would do, in fewer steps: it is what busy devices do most.
            pdu = link.bearer.notification(self.attribute, octets)
            if pdu is not None:
                link.send(pdu)
                self._flags |= NOTIFY
                if self._trigger & NOTIFY:
                    self._run_callback()

    @property
    def cccd(self) -> ServerDescriptor | None:
        """Its client characteristic configuration, None where there is nothing to subscribe to.

        A handler of its writes that refuses is a device that refuses a subscription.
        """
        cccd = self.attribute.cccd
        return self.peripheral.descriptors.of(cccd) if cccd is not None else None

    def on_subscribe(self, hook: Hook[hooks.Subscribed]) -> Hook[hooks.Subscribed]:
        """Call ``hook`` when a client subscribes. Returns it, so it decorates too."""
        return self.peripheral.hooks.add(hooks.Subscribed, hook, self)

    def on_unsubscribe(self, hook: Hook[hooks.Unsubscribed]) -> Hook[hooks.Unsubscribed]:
        """Call ``hook`` when a subscription ends, with its link too. Returns it."""
        return self.peripheral.hooks.add(hooks.Unsubscribed, hook, self)

    def on_confirmation(self, hook: Hook[hooks.Confirmed]) -> Hook[hooks.Confirmed]:
        """Call ``hook`` when a client confirms an indication of this value. Returns it."""
        return self.peripheral.hooks.add(hooks.Confirmed, hook, self)

    async def subscribed(self, *, within: float = 10.0) -> str:
        """Wait until a client subscribes and return its address; raises NotSeen."""
        client: str = await self._occurrences("subscription to").next(within=within)
        return client

    async def unsubscribed(self, *, within: float = 10.0) -> str:
        """Wait until a subscription ends and return the client's address; raises NotSeen."""
        client: str = await self._occurrences("end of subscription to").next(within=within)
        return client

    async def confirmed(self, *, within: float = 10.0) -> str:
        """Wait until a client confirms an indication; return its address, or raise NotSeen."""
        client: str = await self._occurrences("confirmation of").next(within=within)
        return client

    # What the ATT server asks

    def stand_behind(self, attribute: Characteristic) -> None:
        """Take the place in the table."""
        self.attribute = attribute
        self.stored = attribute.value
        attribute.value.witness = self
        self._take_part()

    def _changed(self) -> None:
        self.notify()

    def _has_say(self) -> bool:
        spec = self.spec
        return bool(spec.rules) or spec.procedure is not None or spec.on_read is not None

    def _by_profile(self) -> bytes | None:
        if self.spec.on_read is None:
            return None
        self._accesses += 1
        return self.spec.on_read.at(self._accesses)

    def _follow_profile(self, request: WriteAccess) -> None:
        if self.spec.procedure is not None:
            self.peripheral.reactions.follow_procedure(self, request)
        elif self.spec.control_point:
            self.peripheral.reactions.follow_control_point(self, request)
        elif self.spec.rules:
            self.peripheral.reactions.follow_rules(self.spec.rules, request)
        if self.spec.on_read is not None and self.spec.on_read.counts_writes:
            self._accesses += 1

    # What the peripheral tells

    def was_subscribed(self, client: str, kind: ReplyKind) -> None:
        """A client enabled notifications or indications."""
        self.subscribers = {**self.subscribers, client: kind}
        self._flags |= SUBSCRIBE
        if self._trigger & SUBSCRIBE:
            self._run_callback()
        self._occurrences("subscription to").add(client)

    def was_unsubscribed(self, client: str) -> None:
        """A client disabled them, or is gone."""
        self.subscribers = {one: kind for one, kind in self.subscribers.items() if one != client}
        self._occurrences("end of subscription to").add(client)

    def was_confirmed(self, client: str) -> None:
        """A client confirmed an indication."""
        self._occurrences("confirmation of").add(client)

    def was_sent(self) -> None:
        """A notification or indication of this value went out."""
        self._flags |= NOTIFY
        if self._trigger & NOTIFY:
            self._run_callback()

    def _run_callback(self) -> None:
        self.peripheral.run_handler(self._call, f"the callback of {self.path}")

    def restore(self) -> None:
        """Go back to the profile's value, as after a reboot."""
        self.stored.value = self.spec.value
        self._accesses = 0
        self.forget()
