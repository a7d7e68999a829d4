"""The clock jumps, is exact, and does not jump over what comes from outside."""

import asyncio
import math
import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.link.clock import Ceiling, VirtualClockLoop, new_loop, real_time, run


def clock() -> VirtualClockLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop)
    return loop


def test_an_hour_of_ticks_costs_seconds():
    async def tick() -> float:
        for _ in range(3600):
            await asyncio.sleep(1)
        return clock().time()

    began = time.monotonic()
    assert run(tick()) == 3600.0
    assert time.monotonic() - began < 5.0


def test_time_adds_up_to_the_nanosecond():
    async def tick() -> tuple[int, float]:
        for _ in range(100_000):
            await asyncio.sleep(0.1)
        return clock().time_ns(), clock().time()

    assert run(tick()) == (10_000_000_000_000, 10_000.0)


def test_a_timer_fires_at_its_moment_and_not_before():
    async def look() -> list[float]:
        loop, seen = clock(), []
        for delay in (0.3, 1e-9, 2.5e-4, 86_400.0):
            loop.call_later(delay, lambda: seen.append(loop.time()))
        await asyncio.sleep(86_401)
        return seen

    assert run(look(), ceiling=Ceiling(virtual=None)) == [1e-9, 2.5e-4, 0.3, 86_400.0]


@given(st.lists(st.integers(min_value=0, max_value=3), min_size=1, max_size=40))
@settings(deadline=None, max_examples=50)
def test_timers_of_one_moment_fire_in_the_order_in_which_they_were_set(delays):
    async def look() -> list[int]:
        loop, fired = clock(), []
        for index, delay in enumerate(delays):
            loop.call_later(delay / 10, fired.append, index)
        await asyncio.sleep(1)
        return fired

    assert run(look()) == sorted(range(len(delays)), key=lambda index: delays[index])


def test_a_cancelled_timer_does_not_move_time():
    async def look() -> float:
        clock().call_later(100, lambda: None).cancel()
        await asyncio.sleep(1)
        return clock().time()

    assert run(look()) == 1.0


def test_time_stays_exact_where_floats_are_coarser_than_nanoseconds():
    async def look() -> list[float]:
        await asyncio.sleep(2.0**25)
        moments = []
        for _ in range(3):
            await asyncio.sleep(0.5)
            moments.append(clock().time() - 2.0**25)
        return moments

    assert run(look(), ceiling=Ceiling(virtual=None)) == [0.5, 1.0, 1.5]


def test_asyncio_timeouts_are_virtual():
    async def look() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return clock().time()

    assert run(look()) == 30.0


def test_polling_with_sleep_0_does_not_move_time():
    async def look() -> float:
        for _ in range(1000):
            await asyncio.sleep(0)
        return clock().time()

    assert run(look()) == 0.0


def test_a_sleep_without_end_is_no_timer():
    async def look() -> float:
        asleep = asyncio.create_task(asyncio.sleep(math.inf))
        await asyncio.sleep(5)
        asleep.cancel()
        return clock().time()

    assert run(look()) == 5.0


def test_time_stands_still_while_a_thread_works():
    async def look() -> tuple[str, float]:
        async with asyncio.timeout(0.001):
            answer = await asyncio.to_thread(lambda: time.sleep(0.05) or "done")
        return answer, clock().time()

    assert run(look()) == ("done", 0.0)


def test_time_stands_still_while_it_is_held():
    async def look() -> float:
        loop = clock()
        released = asyncio.Event()
        threading.Timer(0.05, loop.call_soon_threadsafe, (released.set,)).start()
        ticker = asyncio.create_task(asyncio.sleep(1))
        with loop.hold():
            await released.wait()
        held_at = loop.time()
        await ticker
        return held_at

    assert run(look()) == 0.0


def test_time_follows_the_wall_clock_while_a_socket_is_watched():
    async def look() -> tuple[float, bool, bool]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            reading = asyncio.create_task(asyncio.get_running_loop().sock_recv(ours, 1))
            before = time.monotonic()
            await asyncio.sleep(0.1)
            waited = time.monotonic() - before
            while_watched = clock().is_real
            theirs.send(b"x")
            await reading
        return waited, while_watched, clock().is_real

    waited, while_watched, afterwards = run(look())
    assert waited >= 0.09
    assert while_watched
    assert not afterwards


def test_virtual_time_goes_on_from_where_the_wall_clock_left_it():
    async def look() -> float:
        loop = clock()
        with real_time(loop):
            await asyncio.sleep(0.05)
        reached = loop.time()
        await asyncio.sleep(1000)
        return loop.time() - reached

    assert run(look()) == pytest.approx(1000.0, abs=1e-6)


def test_an_answer_over_a_socket_arrives_before_its_timeout():
    async def look() -> bytes:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readexactly(2)).upper())
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server, asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"ok")
            answered = await reader.readexactly(2)
            writer.close()
        return answered

    assert run(look()) == b"OK"


def test_a_subprocess_takes_real_time():
    async def look() -> bytes:
        async with asyncio.timeout(30):
            process = await asyncio.create_subprocess_exec(
                "sh", "-c", "sleep 0.1; echo done", stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
        return out

    assert run(look()) == b"done\n"


def test_a_subprocess_without_pipes_takes_real_time_until_it_has_ended():
    async def look() -> tuple[int, bool, bool]:
        process = await asyncio.create_subprocess_exec("sh", "-c", "sleep 0.1; exit 3")
        meanwhile = clock().is_real
        async with asyncio.timeout(30):
            status = await process.wait()
        return status, meanwhile, clock().is_real

    assert run(look()) == (3, True, False)


def test_a_process_that_cannot_be_started_leaves_time_virtual():
    async def look() -> bool:
        with pytest.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec("/no/such/program")
        return clock().is_real

    assert run(look()) is False


def test_a_loop_on_the_wall_clock_needs_no_holding():
    async def look() -> None:
        with real_time(asyncio.get_running_loop()):
            await asyncio.sleep(0)

    asyncio.run(look())


def test_the_loop_is_known_by_its_class():
    loop = new_loop()
    assert isinstance(loop, VirtualClockLoop)
    loop.close()


def test_two_runs_see_the_same_moments():
    async def look() -> list[tuple[int, float]]:
        seen = []

        async def tick(who: int, every: float) -> None:
            for _ in range(20):
                await asyncio.sleep(every)
                seen.append((who, clock().time()))

        async with asyncio.TaskGroup() as group:
            for who, every in enumerate((0.1, 0.2, 0.1, 0.3)):
                group.create_task(tick(who, every))
        return seen

    assert run(look()) == run(look())
