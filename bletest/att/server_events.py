"""What a server engine saw and did, as values handed to its ``on_event``.

They are named tuples, not dataclasses: a read costs less than a microsecond, and making one of
these is part of it.
"""

from typing import NamedTuple, TypeAlias

from bletest.att.database import Attribute
from bletest.att.handlers import WriteOperation


class MtuExchanged(NamedTuple):
    """ATT_MTU of the client's bearer is now ``mtu`` octets; it had asked for ``client_mtu``."""

    client: str
    mtu: int
    client_mtu: int


class Read(NamedTuple):
    """A client was given (a part of) a value; ``offset`` in octets. Not told of declarations."""

    client: str
    attribute: Attribute
    offset: int


class Written(NamedTuple):
    """A value was accepted and is stored. ``value`` is whole, also after prepared writes."""

    client: str
    attribute: Attribute
    value: bytes
    operation: WriteOperation


class Subscribed(NamedTuple):
    """A client's CCCD now enables something. ``attribute`` is the characteristic's value.

    ``restored`` says that a bonded client came back, rather than wrote.
    """

    client: str
    attribute: Attribute
    notify: bool
    indicate: bool
    restored: bool = False


class Unsubscribed(NamedTuple):
    """A client's CCCD enables nothing more, or the client is gone (``closed``)."""

    client: str
    attribute: Attribute
    closed: bool = False


class Confirmed(NamedTuple):
    """The client confirmed the indication of that value."""

    client: str
    handle: int
    value: bytes


class Truncated(NamedTuple):
    """A value did not fit into ATT_MTU - 3 octets; only the first ``sent`` of it went out."""

    client: str
    handle: int
    value: bytes
    sent: int


class TransactionTimeout(NamedTuple):
    """The client did not confirm an indication in 30 s; the bearer is dead."""

    client: str
    handle: int


class RequestIgnored(NamedTuple):
    """The client sent a request before the response to its last one; it gets no answer."""

    client: str
    pdu: bytes


class HandlerFailed(NamedTuple):
    """A handler raised something other than a refusal; the client was answered with 0x0E."""

    client: str
    attribute: Attribute
    exception: BaseException


ServerEvent: TypeAlias = (
    MtuExchanged
    | Read
    | Written
    | Subscribed
    | Unsubscribed
    | Confirmed
    | Truncated
    | TransactionTimeout
    | RequestIgnored
    | HandlerFailed
)
