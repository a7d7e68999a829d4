"""A characteristic of an emulated device: its value, its callback, its events, its waits."""

import inspect
from collections.abc import Awaitable, Callable
from enum import IntFlag
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bletest.att.database import Characteristic
from bletest.att.handlers import Deferred, ReadAccess, WriteAccess
from bletest.peripheral.waits import Occurrences
from bletest.profile.rules import ReplyKind
from bletest.profile.spec import CharacteristicSpec

if TYPE_CHECKING:
    from bletest.peripheral.virtual import VirtualPeripheral


class Trigger(IntFlag):
    """What a callback is called for, and what ``events()`` reports, as an OR mask."""

    READ = 8
    WRITE = 16
    NOTIFY = 32
    SUBSCRIBE = 128


# Plain numbers, because every read and notification sets one, and those of an enumeration are slow.
_READ, _WRITE = Trigger.READ.value, Trigger.WRITE.value
_NOTIFY, _SUBSCRIBE = Trigger.NOTIFY.value, Trigger.SUBSCRIBE.value

Answer = bytes | str | int | None
Handler = Callable[[Any], Answer | Awaitable[Answer]]


def encode_answer(answer: Answer) -> bytes | None:
    """Turn what a read handler returned into octets; None keeps the stored value.

    An int takes 1, 2 or 4 octets, big-endian.
    """
    if answer is None or isinstance(answer, bytes):
        return answer
    if isinstance(answer, bytearray | memoryview):
        return bytes(answer)
    if isinstance(answer, str):
        return answer.encode()
    size = 1 if answer <= 0xFF else 2 if answer <= 0xFFFF else 4
    return answer.to_bytes(size, "big")


def encode_value(value: bytes | str | int) -> bytes:
    """Turn what ``value(x)`` was given into octets: an int little-endian, in 1, 2 or 4 octets."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int):
        size = 1 if value <= 0xFF else 2 if value <= 0xFFFF else 4
        return value.to_bytes(size, "little")
    return bytes(value)


class ServerCharacteristic:
    """One characteristic of a :class:`~bletest.peripheral.virtual.VirtualPeripheral`.

    It stands behind the attribute of its value and answers the ATT server: what the profile's
    rules say first, then the callback. Where there is neither, the server answers by itself.
    """

    attribute: Characteristic
    """Where it stands in the table; set once the table is built, by :meth:`stand_behind`."""

    def __init__(self, peripheral: "VirtualPeripheral", spec: CharacteristicSpec) -> None:
        self.spec = spec
        self.path = spec.path
        self.subscribers: dict[str, ReplyKind] = {}
        self._peripheral = peripheral
        self._trigger = 0
        self._handler: Handler | None = None
        self._argument: Any = None
        self._flags = 0

    # What has happened. Made when something does: most devices are asked for few of their values.

    @cached_property
    def _written(self) -> Occurrences[bytes]:
        return Occurrences(f"write of {self.path}")

    @cached_property
    def _read(self) -> Occurrences[str]:
        return Occurrences(f"read of {self.path}")

    @cached_property
    def _subscribed(self) -> Occurrences[str]:
        return Occurrences(f"subscription to {self.path}")

    @cached_property
    def _unsubscribed(self) -> Occurrences[str]:
        return Occurrences(f"end of subscription to {self.path}")

    # What tests and device scripts use

    def value(self, new: bytes | str | int | None = None) -> bytes:
        """Return the stored value; with an argument, store it and send it to all subscribers.

        An int is stored little-endian in 1, 2 or 4 octets. Raises ValueError where the value is
        longer than the profile allows.
        """
        if new is not None:
            octets = encode_value(new)
            if len(octets) > self.spec.max_length:
                raise ValueError(
                    f"{self.path} holds {self.spec.max_length} octets at most, not {len(octets)}"
                )
            self.attribute.value.value = octets
            self.notify()
        return self.attribute.value.value

    def callback(
        self, trigger: int | None = None, handler: Handler | None = None, arg: Any = None
    ) -> None:
        """Call ``handler`` for the events in ``trigger``; None ends it.

        The handler gets ``arg``, or this characteristic where none is given. It may be a
        coroutine function. For a read, what it returns answers this one read (None: the stored
        value). It refuses by raising :class:`~bletest.att.handlers.AttRefusal`; whatever else
        it raises is answered with 0x0E and fails the test.
        """
        self._trigger = int(trigger or 0) if handler is not None else 0
        self._handler = handler
        self._argument = arg
        self._take_part()

    def events(self) -> Trigger:
        """Return the events since the last call, and clear them."""
        flags, self._flags = self._flags, 0
        return Trigger(flags)

    def notify(self, value: bytes | None = None) -> None:
        """Send ``value`` (the stored one if None) to every subscriber, as each asked for it."""
        octets = self.attribute.value.value if value is None else value
        send = self._peripheral.send
        for client in tuple(self.subscribers):
            send(client, self, octets)

    async def written(self, *, within: float = 10.0) -> bytes:
        """Wait for a client's next write and return what it wrote; raises NotSeen."""
        return await self._written.next(within=within)

    async def read_by_client(self, *, within: float = 10.0) -> str:
        """Wait for a client's next read and return the client's address; raises NotSeen."""
        return await self._read.next(within=within)

    async def subscribed(self, *, within: float = 10.0) -> str:
        """Wait until a client subscribes and return its address; raises NotSeen."""
        return await self._subscribed.next(within=within)

    async def unsubscribed(self, *, within: float = 10.0) -> str:
        """Wait until a subscription ends and return the client's address; raises NotSeen."""
        return await self._unsubscribed.next(within=within)

    # What the ATT server asks

    def stand_behind(self, attribute: Characteristic) -> None:
        """Take the place in the table."""
        self.attribute = attribute
        attribute.value.witness = self
        self._take_part()

    def _take_part(self) -> None:
        """Have the server ask only if there is something to say: asking costs most of a read."""
        decides = bool(self.spec.rules) or self.spec.procedure is not None
        has_say = decides or bool(self._trigger & (_READ | _WRITE))
        self.attribute.value.handler = self if has_say else None

    def read(self, request: ReadAccess) -> bytes | Deferred | None:
        """Answer a read, at once or later."""
        self._flags |= _READ
        if not self._trigger & _READ:
            return None
        answer = self._call()
        if inspect.isawaitable(answer):
            return self._peripheral.answer_later(request.bearer, answer, encode_answer)
        return encode_answer(answer)

    def write(self, request: WriteAccess) -> Deferred | None:
        """Accept or refuse a write; replies go out after the response."""
        if self.spec.procedure is not None:
            self._peripheral.reactions.follow_procedure(self, request)
        elif self.spec.rules:
            self._peripheral.reactions.follow_rules(self.spec.rules, request)
        self._flags |= _WRITE
        if not self._trigger & _WRITE:
            return None
        # The handler sees the new value; a refusal puts the old one back.
        attribute = self.attribute.value
        before, attribute.value = attribute.value, request.value
        try:
            answer = self._call()
        except BaseException:
            attribute.value = before
            raise
        if inspect.isawaitable(answer):
            return self._peripheral.answer_later(
                request.bearer, answer, lambda _: None, undo=(attribute, before)
            )
        return None

    def _call(self) -> Answer | Awaitable[Answer]:
        assert self._handler is not None  # a trigger without a handler is never kept
        return self._handler(self if self._argument is None else self._argument)

    # What the peripheral tells

    def on_read(self, client: str, offset: int) -> None:
        """A client was given the value, from ``offset`` on."""
        if self.attribute.value.handler is None:
            self._flags |= _READ
        if not offset:
            self._read.add(client)

    def on_written(self, value: bytes) -> None:
        """A client's write was accepted."""
        if self.attribute.value.handler is None:
            self._flags |= _WRITE
        self._written.add(value)

    def on_subscribed(self, client: str, kind: ReplyKind) -> None:
        """A client enabled notifications or indications."""
        self.subscribers[client] = kind
        self._flags |= _SUBSCRIBE
        if self._trigger & _SUBSCRIBE:
            self._peripheral.run_handler(self._call)
        self._subscribed.add(client)

    def on_unsubscribed(self, client: str) -> None:
        """A client disabled them, or is gone."""
        self.subscribers.pop(client, None)
        self._unsubscribed.add(client)

    def on_sent(self) -> None:
        """A notification or indication of this value went out."""
        self._flags |= _NOTIFY
        if self._trigger & _NOTIFY:
            self._peripheral.run_handler(self._call)

    def restore(self) -> None:
        """Go back to the profile's value, as after a reboot."""
        self.attribute.value.value = self.spec.value
        self._flags = 0
        for kind in (self._written, self._read, self._subscribed, self._unsubscribed):
            kind.forget()
