"""The server's end of one ATT bearer: PDUs in, PDUs out.

A bearer looks up the function of an opcode in a table of 256. What can be answered from a
stored value by anyone is answered right there, in well under a microsecond. Everything else
comes from :mod:`bletest.att.answers`, where a generator may pause for a handler's promise. A
bearer that owes a response, and one that is dead, use another table. What it sends by itself is
in :mod:`bletest.att.sending`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from bletest.att import answers, caching, pdu
from bletest.att.access import OPEN, LinkSecurity
from bletest.att.client_state import ClientState, Part, subscriptions
from bletest.att.codes import ErrorCode
from bletest.att.database import Attribute
from bletest.att.handlers import AttRefusal, Deferred, WriteOperation
from bletest.att.sending import SendingBearer
from bletest.att.server_events import (
    HandlerFailed,
    MtuExchanged,
    Read,
    RequestIgnored,
    Unsubscribed,
    Written,
)
from bletest.uuids import CCCD

if TYPE_CHECKING:
    from bletest.att.server import Server

DEFAULT_MTU = 23
"""ATT_MTU of an LE bearer before it is exchanged, and the least there is (Part G, 5.2.1)."""

Answer: TypeAlias = bytes | AttRefusal | BaseException | None
"""What a handler's promise is kept with."""


class ServerBearer(SendingBearer):
    """The ATT bearer of one client. Made by :meth:`Server.connect`; ``now`` is in seconds.

    ``mtu`` may be written: a client engine on the same link shares ATT_MTU with this one.
    """

    __slots__ = (
        "_dispatch",
        "_mtu_exchanged",
        "_promises",
        "_released",
        "enhanced",
    )

    def __init__(
        self,
        server: "Server",
        identity: str,
        client: ClientState,
        security: LinkSecurity,
        mtu: int,
        *,
        enhanced: bool = False,
    ) -> None:
        super().__init__(server, identity, client, security, mtu)
        self.enhanced = enhanced
        self._dispatch = _LIVE if client.aware else _UNAWARE
        self._mtu_exchanged = False
        self._promises: dict[Deferred, tuple[int, answers.Process]] = {}
        self._released = False
        client.bearers += 1

    @property
    def prepared(self) -> list[Part]:
        """The client's queue of prepared writes."""
        return self._client.prepared

    @property
    def reading(self) -> dict[Attribute, bytes]:
        """What handlers have answered to reads that the client may want the rest of."""
        return self._client.reading

    # What a link does with it

    @property
    def closed(self) -> bool:
        """Whether nothing more will be sent: closed, or a confirmation never came."""
        return self._dead

    def receive(self, pdu: bytes, now: float) -> bytes | None:
        """Take a PDU; return the PDU to send, None for silence and for a deferred answer.

        Nothing that a client can send raises. After a confirmation the PDU returned is the
        next indication of the queue.
        """
        if not pdu:
            return None
        return self._dispatch[pdu[0]](self, pdu, now)

    def follow_client(self) -> None:
        """What the client knows of the database has changed: answer it accordingly."""
        if not self._client.aware and self.features & caching.ROBUST_CACHING_BIT:
            self._queue.clear()  # it would not know what these indications are of
        if self._dispatch is _LIVE or self._dispatch is _UNAWARE:
            self._dispatch = _LIVE if self._client.aware else _UNAWARE

    def complete(self, deferred: Deferred, answer: Answer, now: float) -> bytes | None:
        """Keep a handler's promise; return the late response.

        ``answer`` is what the handler would have returned or raised: the value of a read, None
        for a write that is accepted or a read of the stored value, an exception. None comes
        back where nothing is to be sent: it was a command, the bearer is closed, or the answer
        led to another promise.
        """
        process_of = self._promises.pop(deferred, None)
        if process_of is None:
            return None
        opcode, process = process_of
        if not opcode & pdu.COMMAND_FLAG:
            self._dispatch = _LIVE if self._client.aware else _UNAWARE
        if isinstance(answer, BaseException):
            # Cancellation and the like must not escape through the generator into the caller.
            late = answer if isinstance(answer, Exception) else answers.Escaped(answer)
            return self._resume(opcode, process, lambda: process.throw(late))
        return self._resume(opcode, process, lambda: process.send(answer))

    def identify(self, identity: str) -> None:
        """The client turns out to be ``identity``: pairing told its identity address.

        What was kept under that identity comes back, where this link has not written since.
        """
        if identity == self.identity or self._released:
            return
        clients = self.server._clients
        if self._client.bearers == 1 and clients.get(self.identity) is self._client:
            del clients[self.identity]
        known = clients.setdefault(identity, ClientState())
        restored = {one: own for one, own in known.values.items() if one not in self._client.values}
        known.values.update(self._client.values)
        known.prepared += self._client.prepared
        self._client.bearers -= 1
        known.bearers += 1
        self._client = known
        self.identity = identity
        self.follow_client()
        for subscribed in subscriptions(identity, restored, restored=True):
            self.emit(subscribed)

    def close(self) -> None:
        """The link is gone: prepared writes and promises are dropped.

        The client's own values are kept if ``security.bonded``; otherwise the next link of the
        same client starts from the defaults (Vol 3, Part G, 3.3.3.3).
        """
        if self._released:
            return
        self._released = True
        self._stop()
        self.server._bearers.remove(self)
        client = self._client
        client.bearers -= 1
        if not client.bearers:
            client.prepared.clear()
            client.reading.clear()
            client.told = client.excused = client.telling = False
            if not self.security.bonded:
                self.server._clients.pop(self.identity, None)
            for ended in subscriptions(self.identity, client.values):
                self.emit(Unsubscribed(self.identity, ended.attribute, closed=True))

    # What the answers are made of

    def store(self, attribute: Attribute, value: bytes, operation: WriteOperation) -> None:
        """Store a value that was accepted, and tell so."""
        if not attribute.per_client:
            attribute.value = value
            self._tell_written(attribute, value, operation)
            return
        before = self.stored(attribute)
        self._client.values[attribute] = value
        self._tell_written(attribute, value, operation)
        if attribute.type == CCCD and attribute.characteristic and before != value:
            target = attribute.characteristic.value
            begun = subscriptions(self.identity, {attribute: value})
            self.emit(begun[0] if begun else Unsubscribed(self.identity, target))

    def tell_read(self, attribute: Attribute, offset: int) -> None:
        """Tell that the client is given a value, from ``offset`` on."""
        if attribute.witness is not None:
            attribute.witness.was_read(self.identity, offset)
        elif self._emit is not None and not attribute.is_declaration:
            self._emit(Read(self.identity, attribute, offset))

    def _tell_written(self, attribute: Attribute, value: bytes, operation: WriteOperation) -> None:
        if attribute.witness is not None:
            attribute.witness.was_written(value)
        elif self._emit is not None:
            self._emit(Written(self.identity, attribute, value, operation))

    def failed(self, attribute: Attribute, exception: BaseException) -> None:
        """Tell that a handler raised what it should not have."""
        self.emit(HandlerFailed(self.identity, attribute, exception))

    # Inside

    def _run(self, opcode: int, process: answers.Process) -> bytes | None:
        return self._resume(opcode, process, lambda: next(process))

    def _resume(
        self, opcode: int, process: answers.Process, step: Callable[[], Deferred]
    ) -> bytes | None:
        """Run an answer until it is complete, refused or waits for a promise."""
        try:
            deferred = step()
        except StopIteration as done:
            response: bytes | None = done.value
            return None if self._dispatch is _DEAD else response
        except answers.Refusal as refused:
            if opcode & pdu.COMMAND_FLAG or self._dispatch is _DEAD:
                return None
            return error_response(opcode, refused.handle, refused.code)
        if self._dispatch is _DEAD:  # the handler itself closed the bearer
            process.close()
            return None
        self._promises[deferred] = (opcode, process)
        if not opcode & pdu.COMMAND_FLAG:
            self._dispatch = _BUSY
        return None

    def _stop(self) -> None:
        super()._stop()
        self._dispatch = _DEAD
        for _, process in self._promises.values():
            process.close()
        self._promises.clear()

    # What each opcode does

    def _exchange_mtu(self, pdu: bytes, now: float) -> bytes | None:
        """3.4.2: once a connection. A second exchange is answered and changes nothing.

        An enhanced bearer has the MTU of its channel, and no such request.
        """
        if self.enhanced:
            return self._not_supported(pdu, now)
        if len(pdu) != 3:
            return _malformed(pdu)
        if not self._mtu_exchanged:
            self._mtu_exchanged = True
            asked = pdu[1] | pdu[2] << 8
            self.mtu = max(DEFAULT_MTU, min(asked, self.server.mtu))
            self.emit(MtuExchanged(self.identity, self.mtu, asked))
        return b"\x03" + self.server.mtu.to_bytes(2, "little")

    def _read(self, pdu: bytes, now: float) -> bytes | None:
        if len(pdu) != 3:
            return _malformed(pdu)
        attribute = self._attributes.get(pdu[1] | pdu[2] << 8)
        if attribute is None:
            return _no_such_handle(pdu)
        if attribute.read is OPEN and attribute.handler is None and not attribute.per_client:
            self.tell_read(attribute, 0)
            return b"\x0b" + attribute.value[: self.mtu - 1]
        return self._run(pdu[0], answers.read(self, attribute, pdu[0], 0))

    def _read_blob(self, pdu: bytes, now: float) -> bytes | None:
        if len(pdu) != 5:
            return _malformed(pdu)
        attribute = self._attributes.get(pdu[1] | pdu[2] << 8)
        if attribute is None:
            return _no_such_handle(pdu)
        offset = pdu[3] | pdu[4] << 8
        return self._run(pdu[0], answers.read(self, attribute, pdu[0], offset))

    def _write(self, pdu: bytes, now: float) -> bytes | None:
        if not 3 <= len(pdu) <= self.mtu:
            return _malformed(pdu)
        attribute = self._attributes.get(pdu[1] | pdu[2] << 8)
        if attribute is None:
            return _no_such_handle(pdu)
        value = pdu[3:]
        if (
            attribute.write is OPEN
            and attribute.write_request
            and attribute.handler is None
            and not attribute.per_client
            and attribute.min_length <= len(value) <= attribute.max_length
        ):
            attribute.value = value
            self._tell_written(attribute, value, WriteOperation.REQUEST)
            return b"\x13"
        return self._run(pdu[0], answers.write(self, attribute, value, WriteOperation.REQUEST))

    def _write_command(self, pdu: bytes, now: float) -> bytes | None:
        attribute = self._attributes.get(pdu[1] | pdu[2] << 8) if len(pdu) >= 3 else None
        if attribute is None or len(pdu) > self.mtu:
            return None
        value = pdu[3:]
        if (
            attribute.write is OPEN
            and attribute.write_command
            and attribute.handler is None
            and not attribute.per_client
            and attribute.min_length <= len(value) <= attribute.max_length
        ):
            attribute.value = value
            self._tell_written(attribute, value, WriteOperation.COMMAND)
            return None
        return self._run(pdu[0], answers.write(self, attribute, value, WriteOperation.COMMAND))

    def _signed_write(self, pdu: bytes, now: float) -> bytes | None:
        """3.4.5.4: whatever is wrong with it, it is ignored; so is any on an enhanced bearer.

        Data is not signed on an encrypted link (Vol 3, Part C, 10.2.2): there it is ignored too.
        """
        if self.enhanced or self.security.encrypted or not 15 <= len(pdu) <= self.mtu:
            return None
        attribute = self._attributes.get(pdu[1] | pdu[2] << 8)
        verify = self.server.verify_signature
        if attribute is None or verify is None:
            return None
        try:
            genuine = verify(self.identity, pdu[:-12], pdu[-12:])
        except Exception as error:  # it is a handler like any other: told, and answered
            self.failed(attribute, error)
            return None
        if not genuine:
            return None
        return self._run(pdu[0], answers.write(self, attribute, pdu[3:-12], WriteOperation.SIGNED))

    def _other_request(self, pdu: bytes, now: float) -> bytes | None:
        if len(pdu) > self.mtu:
            return _malformed(pdu)
        return self._run(pdu[0], answers.ANSWERS[pdu[0]](self, pdu))

    def _prompt_request(self, pdu: bytes, now: float) -> bytes | None:
        if len(pdu) > self.mtu:
            return _malformed(pdu)
        try:
            return answers.PROMPT_ANSWERS[pdu[0]](self, pdu)
        except answers.Refusal as refused:
            return error_response(pdu[0], refused.handle, refused.code)

    def _unaware_request(self, pdu: bytes, now: float) -> bytes | None:
        """A request of a client that does not know the database as it is."""
        client = self._client
        handle = caching.refusal(self, client, pdu)
        if handle is not None:
            if pdu[0] == 0x18:
                client.prepared.clear()
            return error_response(pdu[0], handle, caching.OUT_OF_SYNC)
        self.server.follow(client)
        response = _LIVE[pdu[0]](self, pdu, now)
        if response is not None and response[0] != 0x01 and caching.reads_hash(self, pdu):
            client.excused = not client.aware
        return response

    def _unaware_command(self, pdu: bytes, now: float) -> bytes | None:
        if self.features & caching.ROBUST_CACHING_BIT:
            return None
        return _OTHERS[pdu[0]](self, pdu, now)

    def _not_supported(self, pdu: bytes, now: float) -> bytes | None:
        return error_response(pdu[0], 0, ErrorCode.REQUEST_NOT_SUPPORTED)

    def _ignore(self, pdu: bytes, now: float) -> bytes | None:
        return None

    def _ignore_early(self, pdu: bytes, now: float) -> bytes | None:
        """3.3.2: one request at a time. An answer now could be taken for that of the first."""
        self.emit(RequestIgnored(self.identity, pdu))
        return None


def error_response(request_opcode: int, handle: int, code: int) -> bytes:
    """Return an Error Response (Vol 3, Part F, 3.4.1.1)."""
    return bytes((0x01, request_opcode, handle & 0xFF, handle >> 8, code))


def _malformed(pdu: bytes) -> bytes:
    """Handle 0x0000: what a malformed PDU says of a handle is not to be trusted."""
    return bytes((0x01, pdu[0], 0, 0, ErrorCode.INVALID_PDU))


def _no_such_handle(pdu: bytes) -> bytes:
    return bytes((0x01, pdu[0], pdu[1], pdu[2], ErrorCode.INVALID_HANDLE))


_Function: TypeAlias = Callable[[ServerBearer, bytes, float], bytes | None]


def _table(
    requests: Callable[[int], _Function], others: dict[int, _Function]
) -> tuple[_Function, ...]:
    """Return 256 functions: ``others`` first, then requests, the rest is ignored."""
    return tuple(
        others.get(opcode) or (requests(opcode) if pdu.is_request(opcode) else ServerBearer._ignore)
        for opcode in range(256)
    )


_REQUESTS: dict[int, _Function] = {
    0x02: ServerBearer._exchange_mtu,
    0x0A: ServerBearer._read,
    0x0C: ServerBearer._read_blob,
    0x12: ServerBearer._write,
    **dict.fromkeys(answers.ANSWERS, ServerBearer._other_request),
    **dict.fromkeys(answers.PROMPT_ANSWERS, ServerBearer._prompt_request),
}
_OTHERS: dict[int, _Function] = {
    0x1E: ServerBearer._confirmation,
    0x52: ServerBearer._write_command,
    0xD2: ServerBearer._signed_write,
}
_LIVE = _table(lambda opcode: _REQUESTS.get(opcode, ServerBearer._not_supported), _OTHERS)
_UNAWARE = _table(
    lambda opcode: ServerBearer._unaware_request,
    {
        0x1E: ServerBearer._confirmation,
        0x52: ServerBearer._unaware_command,
        0xD2: ServerBearer._unaware_command,
    },
)
_BUSY = _table(lambda opcode: ServerBearer._ignore_early, _OTHERS)
_DEAD: tuple[_Function, ...] = (ServerBearer._ignore,) * 256
