"""Moments that are hard on whoever waits until a deadline."""

import asyncio


async def before_a_hair(seconds: float) -> None:
    """Wait until a moment from which ``seconds`` on no nanosecond is exact.

    The clock then says a hair less than the deadline when it is due.
    """
    loop = asyncio.get_running_loop()
    number = round(loop.time() * 100) + 1
    while round((number / 100 + seconds) * 1e9) / 1e9 >= number / 100 + seconds:
        number += 1
    there = loop.create_future()
    loop.call_at(number / 100, there.set_result, None)
    await there
    assert loop.time() == number / 100
