"""What a handler of an emulated device is asked, and what it may answer."""

from collections.abc import Awaitable, Callable
from enum import IntFlag, StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from bletest.att.handlers import AttRefusal, ReadAccess, WriteAccess, WriteOperation

if TYPE_CHECKING:
    from bletest.peripheral.attribute import ServerAttribute

__all__ = [
    "REMOTE_USER",
    "Answer",
    "AttRefusal",
    "Callback",
    "Handler",
    "Operation",
    "Request",
    "Trigger",
    "encode_answer",
    "encode_value",
]

REMOTE_USER = 0x13
"""Remote User Terminated Connection (Vol 1, Part F, 2.19): how a device hangs up."""

LONGEST_VALUE = 512
"""Octets (Vol 3, Part F, 3.2.9)."""


class Trigger(IntFlag):
    """What a callback is called for, and what ``events()`` reports, as an OR mask."""

    READ = 8
    WRITE = 16
    NOTIFY = 32
    SUBSCRIBE = 128


class Operation(StrEnum):
    """What a client does with a value: the requests and commands of Vol 3, Part F, 3.4."""

    READ = "read"
    READ_BLOB = "read_blob"
    READ_BY_TYPE = "read_by_type"
    READ_MULTIPLE = "read_multiple"
    READ_MULTIPLE_VARIABLE = "read_multiple_variable"
    WRITE = "write"
    WRITE_COMMAND = "write_command"
    SIGNED_WRITE = "signed_write"
    EXECUTE_WRITE = "execute_write"

    @property
    def is_write(self) -> bool:
        """Whether it brings a value."""
        return self in _WRITES.values()


_READS = {
    0x08: Operation.READ_BY_TYPE,
    0x0A: Operation.READ,
    0x0C: Operation.READ_BLOB,
    0x0E: Operation.READ_MULTIPLE,
    0x20: Operation.READ_MULTIPLE_VARIABLE,
}
_WRITES = {
    WriteOperation.REQUEST: Operation.WRITE,
    WriteOperation.COMMAND: Operation.WRITE_COMMAND,
    WriteOperation.SIGNED: Operation.SIGNED_WRITE,
    WriteOperation.EXECUTE: Operation.EXECUTE_WRITE,
}


class Request:
    """A client reads or writes a value; the one argument of ``on_read`` and ``on_write`` handlers.

    ``client`` is the client's identity address, ``operation`` what it does. ``value`` of a write
    is what it writes, whole also where it came in prepared parts; of a read it is the stored
    value. ``offset`` is in octets and other than 0 only for a read blob that begins in the middle;
    a handler answers with the whole value all the same. ``attribute`` is the characteristic or
    descriptor, ``mtu`` the ATT_MTU of the bearer that it came on.
    """

    __slots__ = ("_access", "attribute", "hung_up", "operation", "value")

    def __init__(self, attribute: "ServerAttribute", access: ReadAccess | WriteAccess) -> None:
        self.attribute = attribute
        self.hung_up = False
        self._access = access
        if isinstance(access, WriteAccess):
            self.operation = _WRITES[access.operation]
            self.value = access.value
        else:
            self.operation = _READS[access.opcode]
            self.value = access.bearer.stored(access.attribute)

    @property
    def client(self) -> str:
        """The client's identity address."""
        return self._access.client

    @property
    def offset(self) -> int:
        """Where in the value a read begins, in octets."""
        return self._access.offset if isinstance(self._access, ReadAccess) else 0

    @property
    def mtu(self) -> int:
        """ATT_MTU of the bearer, in octets."""
        return self._access.bearer.mtu

    def disconnect(self, reason: int = REMOTE_USER) -> None:
        """End the link in place of an answer, with an HCI reason (Vol 1, Part F, 1.3).

        The client gets no response any more, whatever the handler goes on to return, and a value
        that it wrote is not stored.
        """
        self.hung_up = True
        self.attribute.peripheral.hang_up(self.client, reason)

    def __repr__(self) -> str:
        value = f" of {self.value.hex(' ') or 'nothing'}" if self.operation.is_write else ""
        return f"<{self.operation}{value} at {self.attribute.path} by {self.client}>"


Answer: TypeAlias = bytes | str | int | None
Handler: TypeAlias = Callable[[Request], Answer | Awaitable[Answer]]
"""Handles reads or writes: a function or a coroutine function."""
Callback: TypeAlias = Callable[[Any], Answer | Awaitable[Answer]]
"""Gets the argument given with it, or the attribute that it was called for."""


def encode_answer(answer: Answer) -> bytes | None:
    """Turn what a read handler returned into octets; None keeps the stored value.

    An int takes 1, 2 or 4 octets, big-endian. Raises ValueError for what no attribute can hold.
    """
    if answer is None:
        return None
    if isinstance(answer, str):
        answer = answer.encode()
    elif isinstance(answer, int):
        answer = _integer(answer, "big")
    octets = bytes(memoryview(answer))
    if len(octets) > LONGEST_VALUE:
        raise ValueError(f"a value has {LONGEST_VALUE} octets at most, not {len(octets)}")
    return octets


def encode_value(value: bytes | str | int) -> bytes:
    """Turn what ``value(x)`` was given into octets: an int little-endian, in 1, 2 or 4 octets."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int):
        return _integer(value, "little")
    return bytes(value)


def _integer(number: int, order: Any) -> bytes:
    if not 0 <= number <= 0xFFFFFFFF:
        raise ValueError(f"an int stands for 1, 2 or 4 octets: 0 to 0xFFFFFFFF, not {number}")
    size = 1 if number <= 0xFF else 2 if number <= 0xFFFF else 4
    return number.to_bytes(size, order)
