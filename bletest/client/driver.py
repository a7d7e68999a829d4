"""Runs ATT procedures over one bearer: requests out, responses in, one transaction at a time.

Vol 3, Part F, 3.3.2: a client sends no request before the last was answered. So procedures
queue, and a procedure runs to its end before the next begins (a prepared write must not be
interleaved with another). The procedures themselves and the state of the bearer are
:mod:`bletest.att.procedures` and :mod:`bletest.att.client`; here they meet an event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from bletest.att.client import (
    ClientBearer,
    IndicationArrived,
    MultipleNotificationsArrived,
    ResponseArrived,
    Unexpected,
)
from bletest.att.pdu import describe
from bletest.att.procedures import Procedure
from bletest.client.raw import Unasked
from bletest.client.work import Work
from bletest.errors import BletestError, NoAnswer
from bletest.link.time_source import clock_of

T = TypeVar("T")

UNASKED_KEPT = 1000
"""Notifications without a listener that are kept, the latest of them."""

EXECUTE_WRITE_CANCEL = bytes((0x18, 0x00))
_EXCHANGE_MTU_REQUEST = 0x02
_EXCHANGE_MTU_RESPONSE = 0x03
_NOTIFICATION = 0x1B
# Handle Value Notification, Indication, Multiple Handle Value Notification.
_SERVER_INITIATED = frozenset((_NOTIFICATION, 0x1D, 0x23))


class DriverOwner(Protocol):
    """Whoever the driver works for."""

    def send_att(self, pdu: bytes) -> None:
        """Put a PDU on the air."""

    def confirm(self, value_handle: int, confirmation: bytes) -> None:
        """Confirm an indication."""

    def on_callback_failed(self, value_handle: int, error: Exception) -> None:
        """A listener raised on a notification."""

    def on_unexpected(self, pdu: bytes, reason: str) -> None:
        """The server sent what the specification does not allow here; it was ignored."""

    def on_timeout(self, request: bytes) -> None:
        """A request got no response in 30 s; nothing more is sent on this bearer."""


class AttDriver:
    """The client half of one ATT bearer.

    Nothing here raises on bytes that a peer sends. Once ended (link lost, adapter lost,
    transaction timeout), each procedure raises what ended it.
    """

    def __init__(self, owner: DriverOwner, loop: asyncio.AbstractEventLoop) -> None:
        self.bearer = ClientBearer()
        self._owner = owner
        self._loop = loop
        self._time = clock_of(loop)
        self._queue: deque[Work[Any]] = deque()
        self._current: Work[Any] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._end: Callable[[], BletestError] | None = None
        self._listeners: dict[int, Callable[[bytearray], None]] = {}
        self._unasked: deque[Unasked] = deque(maxlen=UNASKED_KEPT)

    @property
    def ended(self) -> bool:
        """Whether nothing more can be sent."""
        return self._end is not None

    async def run(self, procedure: Procedure[T], *, cleanup: bytes | None = None) -> T:
        """Run a procedure after those that came before it and return its result.

        Raises what the procedure raises, or what ended this bearer. When the caller is
        cancelled, the response still outstanding is awaited in the background and dropped, then
        ``cleanup`` is sent, so that the next procedure finds the bearer in order.
        """
        return await self.start(procedure, cleanup=cleanup)

    def start(self, procedure: Procedure[T], *, cleanup: bytes | None = None) -> Work[T]:
        """Do what :meth:`run` does without a coroutine; return what is to be awaited."""
        if self._end is not None:
            raise self._end()
        work = Work(self._loop, procedure, b"", cleanup)
        if self._current is None:
            self._current = work
            self._advance(work, None)
        else:
            self._queue.append(work)
        return work

    async def exchange(self, pdu: bytes, *, within: float) -> bytes | None:
        """Send any octets and return the next response PDU, None after ``within`` seconds.

        Neither the PDU nor the response is checked. Notifications and indications are not
        responses. A response later than ``within`` is dropped if it comes before the next
        request.
        """
        work: Work[bytes] = Work(self._loop, None, pdu)
        try:
            async with asyncio.timeout(within):
                response = await self._submit(work)
        except TimeoutError:
            return None
        if pdu[:1] == bytes((_EXCHANGE_MTU_REQUEST,)) and len(pdu) == len(response) == 3:
            self._take_mtu(pdu, response)
        return response

    def send(self, pdu: bytes) -> None:
        """Send octets that have no response (a command), without waiting for a turn."""
        if self._end is not None:
            raise self._end()
        self._owner.send_att(pdu)

    def listen(self, value_handle: int, listener: Callable[[bytearray], None]) -> None:
        """Have notifications and indications of ``value_handle`` passed on.

        Each is an array of its own, as bleak's callbacks get it.
        """
        self._listeners[value_handle] = listener

    def unlisten(self, value_handle: int) -> None:
        """Stop passing them on; harmless where there is no listener."""
        self._listeners.pop(value_handle, None)

    def take_unasked(self) -> list[Unasked]:
        """Return what came without a listener, the oldest first, and forget it."""
        taken = list(self._unasked)
        self._unasked.clear()
        return taken

    def receive(self, pdu: bytes) -> None:
        """Take a PDU that a server sends: response, notification or indication."""
        bearer = self.bearer
        if pdu and pdu[0] == _NOTIFICATION:
            # A faultless one needs no event. What else it may be, the bearer says below.
            if 3 <= len(pdu) <= bearer.mtu and not bearer.dead:
                self._notify(pdu[1] | pdu[2] << 8, pdu[3:])
                return
        elif bearer.settles(pdu):
            if self._current is not None:
                self._advance(self._current, pdu)
            return
        event = bearer.receive(pdu, 0.0)  # which looks at no clock
        if isinstance(event, ResponseArrived):
            work = self._current
            if work is None:
                return
            if event.fault is not None:
                self._owner.on_unexpected(event.pdu, event.fault)
            self._advance(work, event.pdu)
        elif isinstance(event, IndicationArrived):
            # The confirmation goes first: a listener that raises or takes long must not make
            # the server wait (Vol 3, Part F, 3.4.7.3).
            self._owner.confirm(event.handle, event.confirmation)
            self._notify(event.handle, event.value)
        elif isinstance(event, MultipleNotificationsArrived):
            for handle, value in event.values:
                self._notify(handle, value)
        elif self._is_raw_response(pdu):
            self._complete_raw(pdu)
        elif isinstance(event, Unexpected):
            self._owner.on_unexpected(event.pdu, event.reason)

    def end(self, error: Callable[[], BletestError]) -> None:
        """Fail whoever waits, and from now on whoever comes, each with an error of its own."""
        if self._end is not None:
            return
        self._end = error
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        waiting = [self._current] if self._current is not None else []
        waiting += self._queue
        self._current = None
        self._queue.clear()
        for work in waiting:
            if work.procedure is not None:
                work.procedure.close()
            if not work.is_over:
                work.fail(error())

    async def _submit(self, work: Work[T]) -> T:
        if self._end is not None:
            raise self._end()
        if self._current is None:
            self._begin(work)
        else:
            self._queue.append(work)
        try:
            return await work
        finally:
            if work is self._current and work.procedure is None:
                # A raw exchange without an answer, or a caller who left: the turn passes on.
                self._finish()

    def _begin(self, work: Work[Any]) -> None:
        self._current = work
        if work.procedure is None:
            self._owner.send_att(work.raw)
        else:
            self._advance(work, None)

    def _advance(self, work: Work[Any], response: bytes | None) -> None:
        procedure = work.procedure
        if procedure is None:
            return
        if work.is_over:
            procedure.close()
            if work.cleanup is not None and response is not None:
                self._queue.appendleft(Work(self._loop, _once(work.cleanup)))
            self._finish()
            return
        try:
            request = procedure.send(response)  # type: ignore[arg-type]  # None begins it
        except StopIteration as stop:
            work.finish(stop.value)
        except Exception as error:  # whatever a procedure raises belongs to its caller
            work.fail(error)
        else:
            self.bearer.start(request, self._time())
            self._owner.send_att(request)
            if self._watchdog is None:
                self._watch()
            return
        self._finish()

    def _finish(self) -> None:
        self._current = None
        while self._queue and self._current is None:
            work = self._queue.popleft()
            if not work.is_over:
                self._begin(work)

    def _watch(self, due: float = 0.0) -> None:
        """One timer per bearer, set again only when it fires: a timer per request costs more
        than the request. ``due`` is when it was to, and a loop may be a hair too early."""
        self._watchdog = None
        deadline = self.bearer.deadline
        if deadline is None or self._end is not None:
            return
        now = max(due, self._loop.time())
        if now < deadline:
            self._watchdog = self._loop.call_at(deadline, self._watch, deadline)
            return
        request = self.bearer.outstanding or b""
        self.bearer.expire(now)
        self.end(lambda: NoAnswer(_no_answer(request)))
        self._owner.on_timeout(request)

    def _notify(self, handle: int, value: bytes) -> None:
        listener = self._listeners.get(handle)
        if listener is None:
            self._unasked.append(Unasked(handle, value, self._loop.time()))
            return
        try:
            listener(bytearray(value))
        except Exception as error:  # user code: it must not take the bearer down with it
            self._owner.on_callback_failed(handle, error)

    def _is_raw_response(self, pdu: bytes) -> bool:
        work = self._current
        return (
            work is not None
            and work.procedure is None
            and not work.is_over
            and pdu[:1] != b""
            and pdu[0] not in _SERVER_INITIATED
        )

    def _complete_raw(self, pdu: bytes) -> None:
        work = self._current
        if work is not None:
            work.finish(pdu)

    def _take_mtu(self, request: bytes, response: bytes) -> None:
        if response[0] == _EXCHANGE_MTU_RESPONSE:
            mine = int.from_bytes(request[1:], "little")
            theirs = int.from_bytes(response[1:], "little")
            self.bearer.mtu = max(23, min(mine, theirs))


def _once(request: bytes) -> Procedure[None]:
    """Send one request whose answer nobody needs."""
    yield request


def _no_answer(request: bytes) -> str:
    return (
        f"no response to {describe(request)} within 30 s; "
        "this ATT bearer is dead until the device is reconnected"
    )
