"""The part of an emulated device that runs its own code: late answers, and what it raises."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import bletest
from bletest.att.handlers import AttRefusal, Deferred
from bletest.att.server import ServerBearer
from bletest.contracts.events import EventSink, Note
from bletest.peripheral.links import ClientLink
from bletest.peripheral.requests import Answer, Request
from bletest.profile.spec import Profile

_OURS = str(Path(bletest.__file__).parent)


class RunsHandlers:
    """Answers clients with what handlers promised, and keeps what they raise.

    ``failures`` holds that; where a client waited for an answer, it was answered with 0x0E.
    """

    profile: Profile
    failures: list[BaseException]
    _links: Mapping[str, ClientLink]
    _tasks: set["asyncio.Task[None]"]
    _on_event: EventSink
    undo: list[Callable[[], object]] | None = None
    """While behaviours begin: what takes back what they set."""

    def answer_later(
        self, bearer: ServerBearer, request: Request, answer: Awaitable[bytes | None]
    ) -> Deferred:
        """Promise the response to a request whose handler is a coroutine."""
        deferred = Deferred()
        self.spawn(self._complete(bearer, request, deferred, answer))
        return deferred

    async def _complete(
        self,
        bearer: ServerBearer,
        request: Request,
        deferred: Deferred,
        answer: Awaitable[bytes | None],
    ) -> None:
        result: bytes | AttRefusal | Exception | None
        try:
            result = await answer
        except Exception as error:  # the client must be answered whatever a handler raises
            result = error
        if bearer.closed or request.hung_up:
            # Nobody waits any more. What went wrong is told all the same.
            if isinstance(result, Exception) and not isinstance(result, AttRefusal):
                self.failed(result, f"the handler of {request.attribute.path}")
            return
        response = bearer.complete(deferred, result, asyncio.get_running_loop().time())
        link = self._links.get(bearer.identity)
        if response is not None and link is not None:
            link.send_on(bearer, response)

    def run_handler(self, call: Callable[[], Answer | Awaitable[Answer]], who: str) -> None:
        """Run a handler whose answer nobody waits for."""

        async def run() -> None:
            try:
                answer = call()
                if isinstance(answer, Awaitable):
                    await answer
            except Exception as error:  # a handler's mistake ends the test, not the device
                self.failed(error, who)

        self.spawn(run())

    def failed(self, error: BaseException, who: str = "the device") -> None:
        """Keep what the device's own code raised, with its traceback in the transcript."""
        self.failures.append(error)
        self.note(f"{who} raised {type(error).__name__}: {error}", _traceback_of(error))

    def note(self, text: str, detail: str = "") -> None:
        """Tell the transcript what a client cannot see."""
        now = asyncio.get_running_loop().time()
        self._on_event(Note(now, f"{self.profile.name}: {text}", detail))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work of the device; it ends with the device, and what it raises ends the test."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(error)


def _traceback_of(error: BaseException) -> str:
    """Return the traceback, without the way through bletest that led to the handler."""
    own = _leave_out(error.__traceback__) or error.__traceback__
    return "".join(traceback.format_exception(type(error), error, own)).rstrip()


def _leave_out(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    return trace
