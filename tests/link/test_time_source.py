"""Being called in the next turn of a loop, at less than asyncio's own price."""

import asyncio
import platform
from collections.abc import Callable
from typing import Any

import pytest

from bletest.link.clock import new_loop
from bletest.link.time_source import caller_of

LOOPS = pytest.mark.parametrize("new", [asyncio.SelectorEventLoop, new_loop])


def on(new: Callable[[], asyncio.AbstractEventLoop], debug: bool = False) -> asyncio.Runner:
    return asyncio.Runner(debug=debug, loop_factory=new)


@LOOPS
@pytest.mark.parametrize("debug", [False, True])
def test_it_is_called_in_turn_with_what_asyncio_calls(new, debug):
    async def look() -> list[str]:
        heard: list[str] = []
        loop = asyncio.get_running_loop()
        call = caller_of(loop, lambda: heard.append("ours"))
        for _ in range(2):
            loop.call_soon(heard.append, "before")
            call()
            loop.call_soon(heard.append, "after")
            assert heard in ([], ["before", "ours", "after"])  # never at once
            await asyncio.sleep(0)
        return heard

    with on(new, debug) as runner:
        assert runner.run(look()) == ["before", "ours", "after"] * 2


@LOOPS
def test_what_it_raises_goes_to_the_handler_of_the_loop_and_it_can_be_called_again(new):
    async def look() -> list[Any]:
        loop, heard = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _, context: heard.append(context["exception"].args))

        def fail() -> None:
            raise ValueError(len(heard))

        call = caller_of(loop, fail)
        for _ in range(2):
            call()
            await asyncio.sleep(0)
        return heard

    with on(new) as runner:
        assert runner.run(look()) == [(0,), (1,)]


def test_a_loop_with_a_way_of_its_own_is_asked_in_that_way():
    asked: list[object] = []

    class OtherLoop(asyncio.SelectorEventLoop):
        def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
            asked.append(callback)
            return super().call_soon(callback, *args, context=context)

    async def look() -> None:
        heard: list[str] = []
        call = caller_of(asyncio.get_running_loop(), one := lambda: heard.append("ours"))
        call()
        await asyncio.sleep(0)
        assert one in asked
        assert heard == ["ours"]

    with on(OtherLoop) as runner:
        runner.run(look())


def test_loops_of_this_python_keep_what_is_ready_where_it_is_put():
    with on(asyncio.SelectorEventLoop) as runner:
        loop = runner.get_loop()
        caller_of(loop, str)()
        assert len(getattr(loop, "_ready", ())) == 1, (
            f"asyncio of Python {platform.python_version()} no longer has the deque loop._ready;"
            " caller_of in bletest/link/time_source.py now only does what call_soon does"
        )
