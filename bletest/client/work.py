"""What a caller of the ATT driver waits for."""

import asyncio
from collections.abc import Generator
from typing import Any, Generic, TypeVar

from bletest.att.procedures import Procedure

T = TypeVar("T")


class Work(Generic[T]):
    """One procedure, or one raw PDU, and its result, which is awaited once.

    ``cleanup`` is the request that puts the server in order where the caller left mid-way.
    ``is_over`` says that there is a result or an error, or that the caller has left.

    Awaiting it lets the loop turn once before it makes a future. On the virtual air the response
    is there by then, and a future with its wake-up would cost a third of a read.
    """

    __slots__ = ("_error", "_future", "_loop", "_value", "cleanup", "is_over", "procedure", "raw")

    _value: T

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        procedure: Procedure[T] | None,
        raw: bytes = b"",
        cleanup: bytes | None = None,
    ) -> None:
        self.procedure = procedure
        self.raw = raw
        self.cleanup = cleanup
        self.is_over = False
        self._loop = loop
        self._error: BaseException | None = None
        self._future: asyncio.Future[None] | None = None

    def __await__(self) -> Generator[Any, None, T]:
        """Return the result, or raise the error."""
        try:
            if not self.is_over:
                yield
            if not self.is_over:
                self._future = self._loop.create_future()
                yield from self._future
        except BaseException:  # whatever took the caller away
            self.is_over = True
            raise
        if self._error is not None:
            raise self._error
        return self._value

    def finish(self, value: T) -> None:
        """Hand over the result."""
        self._value = value
        self.is_over = True
        if self._future is not None:
            self._wake(self._future)

    def fail(self, error: BaseException) -> None:
        """Have the caller get ``error``."""
        self._error = error
        self.is_over = True
        if self._future is not None:
            self._wake(self._future)

    def _wake(self, future: "asyncio.Future[None]") -> None:
        if not future.done():
            future.set_result(None)
