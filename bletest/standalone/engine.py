"""An event loop for callers that know of none: synchronous calls in, callbacks out."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

from bletest.errors import UsageMistake
from bletest.link.virtual import VirtualLink

T = TypeVar("T")

logger = logging.getLogger(__name__)

GRACE = 5.0
"""Seconds beyond its time that a call is given to say why it was not done."""


class Engine:
    """Runs coroutines on a loop for callers in any other thread.

    Without ``loop`` it has one of its own, in a thread that does not keep the program from
    ending. With one, whoever runs that loop decides how long the engine works.
    """

    _shared: ClassVar["Engine | None"] = None

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._air: VirtualLink | None = None
        if loop is None:
            self._loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
            thread = threading.Thread(target=self._loop.run_forever, name="bletest", daemon=True)
            thread.start()
        else:
            self._loop = loop

    @classmethod
    def shared(cls) -> "Engine":
        """Return the engine of this process, made when it is first asked for."""
        if cls._shared is None:
            cls._shared = cls()
        return cls._shared

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which it runs what it is given."""
        return self._loop

    @property
    def air(self) -> VirtualLink:
        """The virtual air of this engine: what runs on it hears each other."""
        if self._air is None:
            self._air = VirtualLink()
        return self._air

    def call(self, work: Coroutine[Any, Any, T], *, within: float) -> T:
        """Run ``work`` and return its result; raises TimeoutError after ``within`` seconds.

        Whatever ends the wait (the time, Ctrl-C) ends the work, too. Raises UsageMistake where
        waiting would never end: in the loop's own thread, and where the loop does not run.
        """
        try:
            self._check()
        except UsageMistake:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, within), self._loop)
        try:
            return future.result(within + GRACE)
        finally:
            future.cancel()

    def callbacks(self) -> "Callbacks":
        """Return what calls back in order, in a thread of its own."""
        return Callbacks(self._loop)

    def _check(self) -> None:
        try:
            inside = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            inside = False
        if inside:
            raise UsageMistake(
                "this call would wait for the event loop that it keeps from running",
                remedy="make it in a thread: await asyncio.to_thread(client.read, 0, uuid, None)",
            )
        if not self._loop.is_running():
            raise UsageMistake(
                "the event loop of this adapter is not running",
                remedy="call from a thread of an async test: await asyncio.to_thread(…)",
            )


class Callbacks:
    """Calls functions of the user one after the other, in a thread in which they may wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread: ThreadPoolExecutor | None = None

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call soon, from the loop's thread. What the function raises is logged."""
        # The program may be ending: then there is no thread any more, and nobody to be called.
        with contextlib.suppress(RuntimeError):
            # By the loop, because one that keeps virtual time must know that somebody works.
            self._loop.run_in_executor(self._running(), _call, function, arguments)

    async def ask(self, function: Callable[..., T], *arguments: object) -> T:
        """Call in turn, and return what the function returns, or raise what it raises."""
        return await self._loop.run_in_executor(self._running(), function, *arguments)

    def _running(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bletest callbacks")
        return self._thread

    def close(self) -> None:
        """Let what was called come to its end, and take no more."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False)


def _call(function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    try:
        function(*arguments)
    except Exception:  # user code: the client goes on, and the next callback is called
        logger.exception("a callback raised")
