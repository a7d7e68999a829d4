"""What stands behind an attribute: who asks, what they want, and the ways to answer.

An :class:`AttributeHandler` answers at once, refuses, or promises an answer for later.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from bletest.att.codes import error_text

if TYPE_CHECKING:
    from bletest.att.database import Attribute
    from bletest.att.server import ServerBearer


class AttRefusal(Exception):
    """A handler's way to refuse: the client gets an Error Response with ``code``.

    ``code`` is 0x01 to 0xFF; 0x80 to 0x9F are the application's own (Vol 3, Part F, 3.4.1.1).
    """

    def __init__(self, code: int) -> None:
        if not 0x01 <= code <= 0xFF:
            raise ValueError(f"an ATT error code is 0x01 to 0xFF, not {code:#x}")
        super().__init__(error_text(code))
        self.code = int(code)


class Deferred:
    """A promise: a handler returns one instead of an answer, and keeps it.

    Later :meth:`ServerBearer.complete <bletest.att.server.ServerBearer.complete>` of the bearer
    that the request came on turns it into the response PDU. One object serves one request.
    """

    __slots__ = ()


class WriteOperation(StrEnum):
    """How a value was written."""

    REQUEST = "request"
    COMMAND = "command"
    SIGNED = "signed"
    EXECUTE = "execute"


@dataclass(frozen=True, slots=True)
class ReadAccess:
    """A client reads. Permissions are already checked.

    ``opcode`` is the request's, ``offset`` is in octets and other than 0 only for a Read Blob
    Request; the handler returns the whole value all the same, the engine cuts it. It is asked
    once for a long read: what a client reads from an offset comes out of the answer it was given
    the beginning of, so that the parts fit together.
    """

    bearer: "ServerBearer"
    attribute: "Attribute"
    opcode: int
    offset: int = 0

    @property
    def client(self) -> str:
        """The identity of the client."""
        return self.bearer.identity


@dataclass(frozen=True, slots=True)
class WriteAccess:
    """A client writes ``value``. Permissions and length are already checked.

    For an Execute Write Request ``value`` is the whole value with all prepared parts in place.
    """

    bearer: "ServerBearer"
    attribute: "Attribute"
    value: bytes
    operation: WriteOperation

    @property
    def client(self) -> str:
        """The identity of the client."""
        return self.bearer.identity


class AttributeWitness(Protocol):
    """Whoever is told what became of one attribute's value; it is told before the response is out.

    So a read, which is most of what happens to a device, needs no event.
    """

    def was_read(self, client: str, offset: int) -> None:
        """A client was given the value, from ``offset`` on."""

    def was_written(self, value: bytes) -> None:
        """A value was accepted and is stored."""


class AttributeHandler(Protocol):
    """What an attribute does beyond keeping octets.

    Raising :class:`AttRefusal` refuses. Any other exception answers 0x0E Unlikely Error, so
    that no client waits, and is told as :class:`~bletest.att.server_events.HandlerFailed`.
    """

    def read(self, request: ReadAccess) -> bytes | Deferred | None:
        """Return the whole value, a promise of it, or None for the stored value."""

    def write(self, request: WriteAccess) -> bytes | Deferred | None:
        """Accept by returning None; the engine then stores the value in the attribute.

        Octets, returned or promised, are accepted too, and stored in place of what was written.
        A write that came as a command gets no response, whatever this does.
        """
