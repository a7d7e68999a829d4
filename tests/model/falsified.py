"""The engine, wrong on purpose in one way or another, to see that the model finds it out."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count, islice
from unittest.mock import patch

from bletest.att import answers, caching
from bletest.att.bearer import ServerBearer
from bletest.att.database import Attribute, AttributeTable
from bletest.att.handlers import WriteOperation
from bletest.att.server import Server
from tests.model.lanes import sequence

Answer = bytes | None


@dataclass(frozen=True)
class Fault:
    """One way to be wrong, and the lane where that shows."""

    name: str
    broken: AbstractContextManager[object]
    lane: str = "official plain"

    def __str__(self) -> str:
        return self.name

    def seeds(self, most: int) -> Iterator[int]:
        """The first seeds whose sequences run in that lane."""
        return islice((one for one in count(1) if sequence(one)[0].name == self.lane), most)


_receive = ServerBearer.receive


def answering(
    change: Callable[[ServerBearer, bytes, Answer], Answer],
) -> AbstractContextManager[object]:
    """A server that changes what it answers."""

    def receive(self: ServerBearer, pdu: bytes, now: float) -> Answer:
        return change(self, pdu, _receive(self, pdu, now))

    return patch.object(ServerBearer, "receive", receive)


def _list_lacks_one(_: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    return answer[:-4] if answer and answer[:2] == b"\x05\x01" and len(answer) > 6 else answer


def _octet_lost(_: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    return answer[:-1] if answer and answer[0] == 0x0B and len(answer) > 20 else answer


def _no_handle(_: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    return answer[:2] + b"\0\0" + answer[4:] if answer and answer[0] == 0x01 else answer


def _unknown_ignored(_: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    return None if answer and answer[0] == 0x01 and answer[4] == 0x06 else answer


def _command_answered(_: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    return b"\x13" if pdu[:1] == b"\x52" else answer


def _second_exchange_counts(bearer: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    if answer and answer[0] == 0x03:
        bearer.mtu = max(23, min(pdu[1] | pdu[2] << 8, 247))
    return answer


def _queue_ends(_: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    return None if pdu == b"\x1e" else answer


def _raises(_: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    if pdu[:1] == b"\x20" and len(pdu) > 5:
        raise ZeroDivisionError
    return answer


def _deaf_after_malformed(bearer: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    if answer and answer[0] == 0x01 and answer[4] == 0x04:
        bearer.close()
    return answer


def _unsigned(bearer: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    if pdu[:1] == b"\xd2" and len(pdu) >= 15:
        _receive(bearer, b"\x52" + pdu[1:-12], 0.0)
    return answer


def _early(bearer: ServerBearer, pdu: bytes, answer: Answer) -> Answer:
    return b"\x0bearly" if bearer._promises and pdu[:1] == b"\x0a" else answer


_check_write = answers._check_write


def _any_write(bearer: ServerBearer, attribute: Attribute, operation: WriteOperation) -> None:
    _check_write(bearer, attribute, WriteOperation.REQUEST)


def _unchecked(
    bearer: ServerBearer, attribute: Attribute, opcode: int, offset: int
) -> answers.Process:
    value = yield from answers._value_of(bearer, attribute, opcode, offset)
    return bytes((opcode + 1,)) + value[offset : offset + bearer.mtu - 1]


_execute = answers.execute_write


def _queue_kept(bearer: ServerBearer, pdu: bytes) -> answers.Process:
    queue = list(bearer.prepared)
    try:
        return (yield from _execute(bearer, pdu))
    except answers.Refusal:
        bearer.prepared[:] = queue
        raise


_add_descriptor = AttributeTable.add_descriptor


def _shared(self: AttributeTable, *args: object, **kwargs: object) -> Attribute:
    attribute = _add_descriptor(self, *args, **kwargs)  # type: ignore[arg-type]
    attribute.per_client = False
    return attribute


def _reserved_bits_kept(_: ServerBearer, attribute: Attribute, value: bytes) -> bytes:
    return value


FAULTS = (
    Fault("a list of handles lacks its last", answering(_list_lacks_one)),
    Fault("a long value loses an octet", answering(_octet_lost)),
    Fault("errors name no handle", answering(_no_handle)),
    Fault("unknown requests are ignored", answering(_unknown_ignored)),
    Fault("commands are answered", answering(_command_answered)),
    Fault("a second MTU exchange counts", answering(_second_exchange_counts)),
    Fault("the next indication never comes", answering(_queue_ends)),
    Fault("an exception", answering(_raises)),
    Fault("nothing more after a malformed PDU", answering(_deaf_after_malformed)),
    Fault("no signature is checked", answering(_unsigned), "official bonded"),
    Fault("commands write what takes requests", patch.object(answers, "_check_write", _any_write)),
    Fault("reading asks for no permission", patch.object(answers, "read", _unchecked)),
    Fault("a refused queue is kept", patch.dict(answers.ANSWERS, {0x18: _queue_kept})),
    Fault(
        "bits of a CCCD are not looked at",
        patch.object(answers, "_acceptable", _reserved_bits_kept),
    ),
    Fault("all clients share a CCCD", patch.object(AttributeTable, "add_descriptor", _shared)),
    Fault(
        "the queue is one longer",
        patch.dict(Server.__init__.__kwdefaults__ or {}, prepare_queue_limit=65),
    ),
    Fault(
        "nobody is out of sync",
        patch.object(caching, "refusal", lambda *_: None),
        "official changing",
    ),
    Fault("a second request is answered first", answering(_early), "small slow"),
)
