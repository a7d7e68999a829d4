"""What a loop is asked for with every PDU, in the least time: what time it is, another turn."""

import asyncio
import time
from collections.abc import Callable
from functools import partial


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return what ``loop.time()`` is, in the least time: asyncio's own loops add only a call."""
    return time.monotonic if type(loop).time is asyncio.BaseEventLoop.time else loop.time


def caller_of(
    loop: asyncio.AbstractEventLoop, callback: Callable[[], object]
) -> Callable[[], object]:
    """Return what does ``loop.call_soon(callback)``, in the least time.

    asyncio makes an object for each call, which costs more than most of what is called. Here one
    serves every call, so ``callback`` always runs in the context that is current now. Whoever
    calls from another thread, or again before ``callback`` has run, is wrong here.
    """
    ready = getattr(loop, "_ready", None)  # asyncio's own loops have one
    plain = type(loop).call_soon is asyncio.BaseEventLoop.call_soon
    if not plain or ready is None or loop.get_debug():
        return partial(loop.call_soon, callback)
    return partial(ready.append, asyncio.Handle(callback, (), loop))
