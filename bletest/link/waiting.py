"""Who waits for what: an event loop's tasks and timers, as lines for a person."""

import asyncio
import concurrent.futures
import functools
import linecache
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from contextvars import Context
from types import CodeType, FrameType
from typing import Any

_STEPS = 4
"""How many of the coroutines that await each other in a task are shown: the first, the last."""

_ASYNCIO = os.path.dirname(asyncio.__file__) + os.sep
_EXECUTORS = os.path.dirname(concurrent.futures.__file__)
_OURS = os.path.dirname(__file__) + os.sep
_LIBRARY = os.path.dirname(os.__file__) + os.sep


def describe_tasks(loop: asyncio.AbstractEventLoop) -> str:
    """Say of every task that does not sleep where it waits, and for what."""
    return section("waiting:", [_describe(task) for task in _tasks(loop) if not _sleeps(task)])


def describe_tickers(loop: asyncio.AbstractEventLoop, timers: Iterable[Any]) -> str:
    """Say what keeps time moving: tasks that sleep, and timers that call somebody back."""
    lines = [_describe(task) for task in _tasks(loop) if _sleeps(task)]
    callbacks = Counter(
        describe_callable(timer._callback) for timer in timers if not timer.cancelled()
    )
    for callback, count in callbacks.items():
        if callback is not None:
            lines.append(f"timer {callback}" + (f", {count} of them" if count > 1 else ""))
    return section("ticking:", lines)


def describe_threads() -> str:
    """Say which threads run beside this one; those of an executor that have no job do not count."""
    stacks = sys._current_frames()
    lines = []
    for thread in threading.enumerate():
        frame = stacks.get(thread.ident or 0)
        if thread is threading.current_thread() or frame is None or _is_idle(frame):
            continue
        while frame.f_back is not None and _is_library(frame.f_code):
            frame = frame.f_back
        lines.append(f"{thread.name}: {frame.f_code.co_qualname} at {_place(frame)}")
    return section("threads:", lines)


def caller() -> str:
    """Return file and line of whoever called the function that asks."""
    frame = sys._getframe(2)
    return _place(frame)


def _place(frame: FrameType) -> str:
    return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}"


def _is_idle(frame: FrameType) -> bool:
    return os.path.dirname(frame.f_code.co_filename) == _EXECUTORS


def _is_library(code: CodeType) -> bool:
    return code.co_filename.startswith((_LIBRARY, _OURS))


def section(title: str, lines: list[str]) -> str:
    """Return indented lines under a title, nothing where there are none."""
    return "\n".join((title, *(f"  {line}" for line in lines))) if lines else ""


def _tasks(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    # all_tasks answers with a set; by length first, Task-9 stands before Task-10.
    return sorted(asyncio.all_tasks(loop), key=lambda task: (len(task.get_name()), task.get_name()))


def _sleeps(task: asyncio.Task[Any]) -> bool:
    return any(
        frame.f_code.co_name in ("sleep", "__sleep0") and _is_asyncio(frame.f_code)
        for frame in _frames(task)
    )


def _describe(task: asyncio.Task[Any]) -> str:
    frames = _frames(task)
    if not frames:
        coroutine: Any = task.get_coro()
        name = getattr(coroutine, "__qualname__", repr(coroutine))
        return f"{task.get_name()}: {name}, about to end"
    ours = [frame for frame in frames if not _is_asyncio(frame.f_code)] or frames[-1:]
    shown = ours if len(ours) <= _STEPS else [ours[0], *ours[1 - _STEPS :]]
    way = " > ".join(f"{frame.f_code.co_qualname} at {_place(frame)}" for frame in shown)
    line = f"{task.get_name()}: {way}"
    if source := linecache.getline(ours[-1].f_code.co_filename, ours[-1].f_lineno).strip():
        line += f": {source}"
    if what := _awaited(task, frames[frames.index(ours[-1]) + 1 :]):
        line += f"  [{what}]"
    return line


def _awaited(task: asyncio.Task[Any], inner: list[FrameType]) -> str:
    """Return what the task awaits, as far as asyncio lets anybody know."""
    words = [frame.f_code.co_qualname for frame in inner]
    waiter = getattr(task, "_fut_waiter", None)
    if isinstance(waiter, asyncio.Task):
        words.append(f"task {waiter.get_name()}")
    elif waiter is not None and not words:
        words.append(type(waiter).__name__.strip("_"))
    return ", ".join(words)


def _frames(task: asyncio.Task[Any]) -> list[FrameType]:
    """Return the frames that are suspended in a task, outermost first."""
    frames: list[FrameType] = []
    current: Any = task.get_coro()
    while current is not None:
        frame = getattr(current, "cr_frame", None) or getattr(current, "gi_frame", None)
        if frame is None:
            break
        frames.append(frame)
        current = getattr(current, "cr_await", None) or getattr(current, "gi_yieldfrom", None)
    return frames


def describe_callable(callback: Any) -> str | None:
    """Return name and place of a function, None for the workings of asyncio."""
    while isinstance(callback, functools.partial):
        # asyncio.to_thread wraps what it runs in a context.
        in_context = isinstance(getattr(callback.func, "__self__", None), Context)
        callback = callback.args[0] if in_context else callback.func
    function = getattr(callback, "__func__", callback)
    code = getattr(function, "__code__", None)
    if code is None:
        return getattr(function, "__qualname__", None)
    if _is_asyncio(code):
        return None
    return f"{code.co_qualname} ({_short(code.co_filename)}:{code.co_firstlineno})"


def _is_asyncio(code: CodeType) -> bool:
    return code.co_filename.startswith(_ASYNCIO)


def _short(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
