"""What time it is on a loop, asked for every PDU."""

import asyncio
import time
from collections.abc import Callable


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return what ``loop.time()`` is, in the least time: asyncio's own loops add only a call."""
    return time.monotonic if type(loop).time is asyncio.BaseEventLoop.time else loop.time
