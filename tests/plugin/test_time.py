"""Virtual time beside work outside the loop, as users' tests meet it."""

import time

import pytest


def run(led: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    led.makepyfile(test_it=source)
    return led.runpytest("-p", "no:randomly", "--ble-profile", "led.yaml", *arguments)


@pytest.mark.parametrize("clock", ["virtual", "real"])
def test_work_outside_the_loop_is_awaited_however_long_it_takes(
    led: pytest.Pytester, clock: str
) -> None:
    began = time.monotonic()
    result = run(
        led,
        """
        import asyncio, subprocess, sys, time

        async def test_a_subprocess(ble_client):
            async with asyncio.timeout(30):
                process = await asyncio.create_subprocess_exec("sleep", "0.3")
                assert await process.wait() == 0
            assert (await ble_client.read("led")).raw == b"\\x00"

        async def test_what_a_subprocess_says(ble_client):
            async with asyncio.timeout(30):
                process = await asyncio.create_subprocess_shell(
                    "sleep 0.3; echo done", stdout=asyncio.subprocess.PIPE
                )
                assert await process.communicate() == (b"done\\n", None)

        async def test_a_thread(ble_client):
            async with asyncio.timeout(30):
                await asyncio.to_thread(time.sleep, 0.3)
            assert (await ble_client.read("led")).raw == b"\\x00"

        async def test_a_subprocess_in_a_thread(ble_client):
            async with asyncio.timeout(30):
                done = await asyncio.to_thread(subprocess.run, ["sleep", "0.3"])
            assert done.returncode == 0
        """,
        f"--ble-clock={clock}",
    )
    result.assert_outcomes(passed=4)
    assert time.monotonic() - began < 20


def test_an_app_without_a_loop_reads_through_the_tests_client_from_a_thread(
    led: pytest.Pytester,
) -> None:
    result = run(
        led,
        """
        import asyncio, threading, time
        from bletest.link import clock

        class App:
            def __init__(self, client, loop):
                self.client, self.loop, self.seen = client, loop, []
                self.ended = asyncio.Event()

            def main(self, held):
                with held:
                    for wait in (0.5, 3600, 0.25):
                        time.sleep(0.01)
                        reading = self.call(self.client.read("led"))
                        self.seen.append((self.loop.time(), reading.raw))
                        self.call(asyncio.sleep(wait))
                    self.seen.append((self.loop.time(), b""))
                    self.loop.call_soon_threadsafe(self.ended.set)

            def call(self, coroutine):
                return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(4000)

        async def test_app(ble_client, ble_peripheral):
            loop = asyncio.get_running_loop()
            app, start = App(ble_client, loop), loop.time()
            threading.Thread(target=app.main, args=(clock.hold(),)).start()
            await asyncio.sleep(10)
            ble_peripheral["led"].value(b"\\x01")
            await app.ended.wait()
            moments = [round(moment - start, 3) for moment, _ in app.seen]
            assert moments == [0.0, 0.5, 3600.5, 3600.75]
            assert [raw for _, raw in app.seen] == [b"\\x00", b"\\x00", b"\\x01", b""]
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_thread_that_is_not_counted_is_told_in_the_deadlock(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import asyncio, threading

        async def test_it(ble_client):
            begun, go_on = threading.Event(), threading.Event()
            def work():
                begun.set()
                go_on.wait()
            thread = threading.Thread(target=work, name="worker")
            thread.start()
            begun.wait()
            try:
                await asyncio.Event().wait()
            finally:
                go_on.set()
                thread.join()

        async def test_next(ble_client):
            await asyncio.sleep(1)
        """,
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["nothing can ever wake this loop*", "*worker: *work at *"])
