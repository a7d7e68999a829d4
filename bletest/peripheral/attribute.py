"""What characteristics and descriptors of an emulated device have in common."""

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from bletest.att.database import Attribute
from bletest.att.handlers import Deferred, ReadAccess, WriteAccess
from bletest.peripheral.requests import (
    Answer,
    Callback,
    Handler,
    Request,
    Trigger,
    encode_answer,
    encode_value,
)
from bletest.peripheral.waits import Occurrences

if TYPE_CHECKING:
    from bletest.peripheral.virtual import VirtualPeripheral

# Plain numbers, because every read and notification sets one, and those of an enumeration are slow.
READ, WRITE = Trigger.READ.value, Trigger.WRITE.value
NOTIFY, SUBSCRIBE = Trigger.NOTIFY.value, Trigger.SUBSCRIBE.value


class ServerAttribute:
    """A value of a :class:`~bletest.peripheral.virtual.VirtualPeripheral`, and what it does.

    It stands behind an attribute of the table and answers the ATT server: what the profile's
    rules say first, then the handlers. Where there is neither, the server answers by itself.
    """

    # A device has many of these. And CPython 3.11 is slow at attributes of an object whose
    # dictionary anybody has touched, as functools.cached_property does.
    __slots__ = (
        "_argument",
        "_callback",
        "_flags",
        "_happened",
        "_reader",
        "_trigger",
        "_writer",
        "path",
        "peripheral",
        "stored",
    )

    stored: Attribute
    """The attribute of the table that holds the value; set once the table is built."""

    def __init__(self, peripheral: "VirtualPeripheral", path: str) -> None:
        self.path = path
        self.peripheral = peripheral
        self._flags = self._trigger = 0
        self._callback: Callback | None = None
        self._argument: Any = None
        self._reader: Handler | None = None
        self._writer: Handler | None = None
        # Made when something happens: most devices are asked for few of their values.
        self._happened: dict[str, Occurrences[Any]] | None = None

    def _occurrences(self, what: str) -> Occurrences[Any]:
        """Return what has happened of a kind: ``write of`` this, and the like."""
        happened = self._happened
        if happened is None:
            happened = self._happened = {}
        if what not in happened:
            happened[what] = Occurrences(f"{what} {self.path}", self.peripheral.note)
        return happened[what]

    # What tests and device scripts use

    def value(self, new: bytes | str | int | None = None) -> bytes:
        """Return the stored value; with an argument, store it first.

        A characteristic sends it to all subscribers then. An int is stored little-endian in 1, 2
        or 4 octets. Raises ValueError where the value is longer than the profile allows.
        """
        attribute = self.stored
        if new is not None:
            octets = encode_value(new)
            if len(octets) > attribute.max_length:
                raise ValueError(
                    f"{self.path} holds {attribute.max_length} octets at most, not {len(octets)}"
                )
            attribute.value = octets
            self._changed()
        return attribute.value

    def callback(
        self, trigger: int | None = None, handler: Callback | None = None, arg: Any = None
    ) -> None:
        """Call ``handler`` for the events in ``trigger``; None ends it. There is one at a time.

        The handler gets ``arg``, or this object where none is given, and finds the event in
        :meth:`events` and what was written in :meth:`value`. It may be a coroutine function. For a
        read, what it returns answers this one read (None: the stored value). It refuses by
        raising :class:`~bletest.att.handlers.AttRefusal`, which puts the old value back; whatever
        else it raises is answered with 0x0E and fails the test. A callback for reads or writes
        takes the place of :meth:`on_read` or :meth:`on_write`, and they that of a callback.
        """
        self._trigger = int(trigger or 0) if handler is not None else 0
        self._callback, self._argument = handler, arg
        if self._trigger & READ:
            self._reader = self._call_for_read
        elif self._reader == self._call_for_read:
            self._reader = None
        if self._trigger & WRITE:
            self._writer = self._call_for_write
        elif self._writer == self._call_for_write:
            self._writer = None
        self._take_part()

        def take_back() -> None:
            if self._callback is handler:
                self.callback(None)

        self._until_down(take_back)

    def events(self) -> Trigger:
        """Return the events since the last call, and clear them."""
        flags, self._flags = self._flags, 0
        return Trigger(flags)

    def on_read(self, handler: Handler | None) -> Handler | None:
        """Have ``handler`` answer reads; None ends it. Returns it, so it decorates too.

        It gets a :class:`~bletest.peripheral.requests.Request`. What it returns answers this one
        read, a long one to its end; None stands for the stored value. It may be a coroutine
        function, which delays the answer. It refuses by raising
        :class:`~bletest.att.handlers.AttRefusal`, and ends the link with
        ``request.disconnect()``; whatever else it raises is answered with 0x0E and fails the test.
        """
        self._reader = handler
        self._take_part()
        self._until_down(lambda: self._reader is handler and self.on_read(None))
        return handler

    def on_write(self, handler: Handler | None) -> Handler | None:
        """Have ``handler`` decide about writes; None ends it. Returns it, so it decorates too.

        As with :meth:`on_read`. It is asked after the rules of the profile and before the value
        is stored. Returning None accepts the write, octets or a text are stored in its place.
        """
        self._writer = handler
        self._take_part()
        self._until_down(lambda: self._writer is handler and self.on_write(None))
        return handler

    async def written(self, *, within: float = 10.0) -> bytes:
        """Wait for a client's next write and return what was stored; raises NotSeen."""
        written: bytes = await self._occurrences("write of").next(within=within)
        return written

    async def read_by_client(self, *, within: float = 10.0) -> str:
        """Wait for a client's next read and return the client's address; raises NotSeen."""
        client: str = await self._occurrences("read of").next(within=within)
        return client

    def _until_down(self, take_back: Callable[[], object]) -> None:
        """Note how to take back what a behaviour has just set."""
        if self.peripheral.undo is not None:
            self.peripheral.undo.append(take_back)

    # What the ATT server asks

    def read(self, request: ReadAccess) -> bytes | Deferred | None:
        """Answer a read, at once or later."""
        self._flags |= READ
        if self._reader is None:
            return self._by_profile()
        asked = Request(self, request)
        answer = self._reader(asked)
        if inspect.isawaitable(answer):
            return self._later(request, asked, answer, self._read_answer)
        return Deferred() if asked.hung_up else self._read_answer(answer)

    def write(self, request: WriteAccess) -> bytes | Deferred | None:
        """Accept or refuse a write; replies go out after the response."""
        self._follow_profile(request)
        self._flags |= WRITE
        if self._writer is None:
            return None
        asked = Request(self, request)
        answer = self._writer(asked)
        if inspect.isawaitable(answer):
            return self._later(request, asked, answer, self._write_answer)
        return Deferred() if asked.hung_up else self._write_answer(answer)

    def _later(
        self,
        access: ReadAccess | WriteAccess,
        asked: Request,
        answer: Awaitable[Answer],
        encode: Callable[[Answer], bytes | None],
    ) -> Deferred:
        async def encoded() -> bytes | None:
            return encode(await answer)

        return self.peripheral.answer_later(access.bearer, asked, encoded())

    def _read_answer(self, answer: Answer) -> bytes | None:
        return self._by_profile() if answer is None else encode_answer(answer)

    def _write_answer(self, answer: Answer) -> bytes | None:
        if isinstance(answer, int):
            raise TypeError(f"a write handler returns None or octets to store, not {answer!r}")
        octets = encode_answer(answer)
        if octets is not None and len(octets) > self.stored.max_length:
            raise ValueError(
                f"{self.path} holds {self.stored.max_length} octets at most, not {len(octets)}"
            )
        return octets

    # A callback is called with what it was given, sees what is written as the value, and may
    # change that; its refusal puts the old value back.

    def _call(self) -> Answer | Awaitable[Answer]:
        assert self._callback is not None  # a trigger without a callback is never kept
        return self._callback(self if self._argument is None else self._argument)

    def _call_for_read(self, _request: Request) -> Answer | Awaitable[Answer]:
        return self._call()

    def _call_for_write(self, request: Request) -> Answer | Awaitable[Answer]:
        attribute, written = self.stored, request.value
        if attribute.per_client:
            return _nothing_of(self._call())
        before, attribute.value = attribute.value, written

        def undo() -> None:
            if attribute.value is written:  # nobody has written since
                attribute.value = before

        try:
            answer = self._call()
        except BaseException:
            undo()
            raise
        if not inspect.isawaitable(answer):
            return attribute.value

        async def settled() -> Answer:
            try:
                await answer
            except BaseException:
                undo()
                raise
            return attribute.value

        return settled()

    # What kinds of attributes differ in

    def _changed(self) -> None:
        """The device has a new value."""

    def _has_say(self) -> bool:
        """Whether the profile has anything to say about reads or writes."""
        return False

    def _by_profile(self) -> bytes | None:
        """Return what the profile answers this read with; None for the stored value."""
        return None

    def _follow_profile(self, request: WriteAccess) -> None:
        """Do what the profile says about a write; raises AttRefusal where it refuses."""

    def _take_part(self) -> None:
        """Have the server ask only if there is something to say: asking costs most of a read."""
        asked = self._reader is not None or self._writer is not None or self._has_say()
        self.stored.handler = self if asked else None

    # What the server tells

    def was_read(self, client: str, offset: int) -> None:
        """A client was given the value, from ``offset`` on."""
        if self.stored.handler is None:
            self._flags |= READ
        if not offset:
            self._occurrences("read of").add(client)

    def was_written(self, value: bytes) -> None:
        """A client's write was accepted."""
        if self.stored.handler is None:
            self._flags |= WRITE
        self._occurrences("write of").add(value)

    def forget(self) -> None:
        """A reboot: what has happened is forgotten."""
        self._flags = 0
        for happened in (self._happened or {}).values():
            happened.forget()


def _nothing_of(answer: Answer | Awaitable[Answer]) -> Answer | Awaitable[Answer]:
    """Leave out what a callback returns, and still wait for one that is a coroutine."""
    if not inspect.isawaitable(answer):
        return None
    work = answer

    async def awaited() -> None:
        await work

    return awaited()
