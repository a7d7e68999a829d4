"""The fixtures as users meet them, each test a pytest run of its own."""

import pytest


def run(led: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    led.makepyfile(test_it=source)
    return led.runpytest("-p", "no:randomly", "--ble-profile", "led.yaml", *arguments)


def test_a_coroutine_needs_no_marker_and_no_loop(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        async def test_the_led_is_off(ble_client):
            reading = await ble_client.read("led")
            assert reading.raw == b"\\x00"

        async def test_the_button_is_told(ble_client, ble_peripheral):
            async with ble_client.subscribe("button") as notifications:
                ble_peripheral["button"].value(1)
                assert (await notifications.next(within=1)).raw == b"\\x01"
                assert await ble_peripheral.wait_subscribed("button")
        """,
    )
    result.assert_outcomes(passed=2)


def test_methods_of_classes_work_as_functions_do(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        class TestLed:
            async def test_off(self, ble_client):
                assert (await ble_client.read("led")).raw == b"\\x00"
        """,
    )
    result.assert_outcomes(passed=1)


def test_time_is_virtual_and_other_async_tests_keep_theirs(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import asyncio, time
        import pytest

        async def test_an_hour_is_nothing(ble_client):
            start = time.monotonic()
            await asyncio.sleep(3600)
            assert time.monotonic() - start < 10

        @pytest.mark.asyncio
        async def test_of_somebody_else():
            start = time.monotonic()
            await asyncio.sleep(0.2)
            assert time.monotonic() - start >= 0.19
            assert type(asyncio.get_running_loop()).__name__ != "VirtualClockLoop"
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_users_own_async_fixtures_share_the_loop_of_the_test(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import asyncio
        import pytest
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def loop_of_fixture():
            yield asyncio.get_running_loop()

        @pytest_asyncio.fixture
        async def lit(ble_client, loop_of_fixture):
            assert asyncio.get_running_loop() is loop_of_fixture
            await ble_client.write("led", b"\\x01")
            yield ble_client
            await ble_client.write("led", b"\\x00")

        @pytest.fixture
        async def plain(lit):
            return (await lit.read("led")).raw

        async def test_lit(lit, plain, loop_of_fixture):
            assert asyncio.get_running_loop() is loop_of_fixture
            assert (await lit.read("led")).raw == plain == b"\\x01"

        @pytest.mark.asyncio
        async def test_of_somebody_else(loop_of_fixture):
            assert asyncio.get_running_loop() is loop_of_fixture
            assert type(loop_of_fixture).__name__ != "VirtualClockLoop"
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_fixture_on_a_foreign_loop_is_told_what_to_write(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest_asyncio

        @pytest_asyncio.fixture(loop_scope="module")
        async def lit(ble_client):
            return ble_client

        async def test_lit(lit): pass
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the fixture lit asks for a loop of scope 'module'*"])


def test_each_test_gets_a_fresh_device(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest

        @pytest.mark.parametrize("n", range(3))
        async def test_off_again(ble_client, n):
            assert (await ble_client.read("led")).raw == b"\\x00"
            await ble_client.write("led", b"\\x01")
        """,
    )
    result.assert_outcomes(passed=3)


def test_a_sync_test_that_wants_a_client_is_told_what_to_write(led: pytest.Pytester) -> None:
    result = run(led, "def test_sync(ble_client): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_sync is no coroutine*async def test_sync*"])


def test_a_foreign_loop_scope_is_told_what_to_write(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest

        @pytest.mark.asyncio(loop_scope="module")
        async def test_own_loop(ble_client): pass
        """,
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_own_loop*'module'*loop_scope=\"session\"*"])


def test_without_a_profile_a_test_is_skipped_and_the_option_named(led: pytest.Pytester) -> None:
    led.makepyfile("async def test_it(ble_client): pass")
    result = led.runpytest("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*--ble-profile*"])


def test_a_profile_can_be_named_by_a_marker(led: pytest.Pytester) -> None:
    led.makepyfile(
        """
        import pytest

        @pytest.mark.ble_profile("led.yaml")
        async def test_it(ble_client, ble_device):
            assert ble_device.name == "Led"
        """
    )
    led.runpytest().assert_outcomes(passed=1)


def test_several_profiles_are_told_apart_by_name(led: pytest.Pytester) -> None:
    led.makepyfile(test_it="async def test_it(ble_client): pass")
    result = led.runpytest(
        "-v", "-p", "no:randomly", "--ble-profile=led.yaml", "--ble-profile=heart_rate"
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines_random(["*test_it?led?*", "*test_it?heart_rate?*"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ble-profile=typo*"], ["typo"]),
        (["--ble-profile=led.yaml", "--ble-device=name:X"], ["--ble-adapter is virtual"]),
        (["--ble-clock=fast"], ["--ble-clock", "choose from"]),
    ],
)
def test_an_option_that_makes_no_sense_ends_the_run(
    led: pytest.Pytester, arguments: list[str], words: list[str]
) -> None:
    led.makepyfile("async def test_it(ble_client): pass")
    result = led.runpytest(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    for word in words:
        result.stderr.fnmatch_lines([f"*{word}*"])
    assert "Traceback" not in str(result.stderr) + str(result.stdout)


def test_a_broken_profile_ends_the_run_with_place_and_remedy(led: pytest.Pytester) -> None:
    led.makefile(".yaml", broken="bletest: 1\nname: x\nservises: []\n")
    led.makepyfile("async def test_it(ble_client): pass")
    result = led.runpytest("--ble-profile=broken.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*broken.yaml:3:1:*"])
    assert "services" in str(result.stderr)


def test_an_unknown_attribute_is_a_mistake_and_a_wrong_answer_a_failure(
    led: pytest.Pytester,
) -> None:
    result = run(
        led,
        """
        async def test_wrong_name(ble_client):
            await ble_client.read("lead")

        async def test_refused(ble_client):
            await ble_client.write("led", b"too long")
        """,
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*did you mean*", "*0x0D*"])
    result.stdout.fnmatch_lines(["*the device's fault: 1*", "*trouble of bench or test: 1*"])


def test_a_handler_that_raises_fails_the_test_and_not_the_next(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        async def test_bad_handler(ble_client, ble_peripheral):
            def broken(characteristic):
                raise RuntimeError("no sensor")

            ble_peripheral["led"].callback(8, broken)
            outcome = await ble_client.attempt.read("led")
            assert outcome.code == 0x0E

        async def test_next(ble_client):
            assert (await ble_client.read("led")).raw == b"\\x00"
        """,
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*a handler of the emulated device raised*no sensor*"])
    (transcript,) = (led.path / "bletest-results").glob("*bad_handler*/transcript.txt")
    story = transcript.read_text(encoding="utf-8")
    assert "led: the handler of 0xFF00/led raised RuntimeError: no sensor" in story
    assert 'raise RuntimeError("no sensor")' in story


def test_a_notification_callback_that_raises_fails_the_test(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import asyncio

        async def test_bad_callback(ble_client, ble_peripheral):
            def broken(characteristic, data):
                raise RuntimeError("my bug")

            await ble_client.bleak.start_notify(
                "0000ff02-0000-1000-8000-00805f9b34fb", broken)
            ble_peripheral["button"].value(1)
            await asyncio.sleep(1)

        async def test_next(ble_client):
            assert (await ble_client.read("led")).raw == b"\\x00"
        """,
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*a callback of the test raised*my bug*"])


def test_a_peer_that_vanishes_in_mid_read_fails_the_test_and_not_the_next(
    led: pytest.Pytester,
) -> None:
    result = run(
        led,
        """
        import asyncio

        async def test_vanishing(ble_client, ble_peripheral, ble_link):
            async def never(characteristic):
                await asyncio.sleep(1)
                for controller in list(ble_link.members):
                    if controller.name == "led":
                        ble_link.remove_controller(controller)
                await asyncio.sleep(3600)

            ble_peripheral["led"].callback(8, never)
            await ble_client.read("led")

        async def test_next(ble_client):
            assert (await ble_client.read("led")).raw == b"\\x00"
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*link*"])


def test_an_event_that_never_comes_is_told_beside_a_ticker_too(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import asyncio
        import pytest

        async def test_silence(ble_client):
            await asyncio.Event().wait()

        @pytest.mark.ble_ceiling(virtual=60, real=30)
        async def test_ticker(ble_client):
            async def tick():
                while True:
                    await asyncio.sleep(1)

            ticker = asyncio.create_task(tick())
            try:
                await asyncio.Event().wait()
            finally:
                ticker.cancel()

        async def test_next(ble_client):
            assert (await ble_client.read("led")).raw == b"\\x00"
        """,
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*test_silence*", "*test_ticker*"])


def test_a_requirement_that_is_not_met_skips_and_strict_fails(led: pytest.Pytester) -> None:
    source = """
        import pytest

        @pytest.mark.ble_requires("second_client")
        async def test_two(ble_client): pass
        """
    # one real radio is one client; none is opened to know that
    one_radio = ("--ble-adapter=tcp-client:127.0.0.1:1", "--ble-device=name:Nobody")
    result = run(led, source, "-rs", *one_radio)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*second_client: provided by*"])
    run(led, source, "--ble-strict", *one_radio).assert_outcomes(errors=1)


def test_a_second_client_has_a_radio_and_an_address_of_its_own(led: pytest.Pytester) -> None:
    source = """
        import pytest
        from bletest.errors import BenchTrouble

        @pytest.mark.ble_profile("hub")
        @pytest.mark.ble_requires("second_client")
        async def test_two(ble_connect, ble_peripheral, ble_transcript):
            first, second = await ble_connect(), await ble_connect()
            assert len(set(ble_peripheral.clients)) == 2
            async with first.another() as third:
                assert (await third.read("house_name")).raw == b"Home"
                assert len(set(ble_peripheral.clients)) == 3
                assert "2.1" in ble_transcript.text()
            await second.disconnect()
            for _ in range(2):
                await ble_peripheral.wait_disconnected(within=1)
            assert len(ble_peripheral.clients) == 1

        @pytest.mark.ble_profile("led_button")
        async def test_no_room(ble_connect):
            await ble_connect()
            with pytest.raises(BenchTrouble, match="was not seen"):
                await ble_connect()
        """
    run(led, source).assert_outcomes(passed=2)


def test_a_device_that_sleeps_is_woken_when_it_is_needed(led: pytest.Pytester) -> None:
    led.makefile(
        ".yaml",
        sleeper="""
            bletest: 1
            name: sleeper
            device: {name: Sleeper}
            advertising: {window: {for: 10s, after: power_on}}
            services: []
            """,
    )
    source = """
        import asyncio
        import pytest
        from bletest.errors import DeviceNotFound

        pytestmark = pytest.mark.ble_profile("sleeper.yaml")

        async def test_it(ble_device, ble_connect, ble_scanner):
            await asyncio.sleep(11)
            with pytest.raises(DeviceNotFound):
                await ble_scanner.find(name="Sleeper", within=3)
            client = await ble_connect()
            await asyncio.sleep(11)
            await client.reconnect()
            assert client.is_connected
            await client.disconnect()
            await asyncio.sleep(11)
            assert not await client.advertises(within=1)
            await ble_device.wake()
            assert await client.advertises(within=1)

        async def test_wake(ble_device): await ble_device.wake()
        """
    run(led, source).assert_outcomes(passed=2)
    radio = ("--ble-adapter=tcp-client:127.0.0.1:1", "--ble-device=name:Sleeper", "-rs")
    result = run(led, source, *radio, "-k", "test_wake")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["*wake: Sleeper cannot be woken from here; its profile says that it advertises for 10 s*"]
    )


def test_an_unknown_requirement_is_a_usage_error(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest

        @pytest.mark.ble_requires("raw_at")
        async def test_two(ble_client): pass
        """,
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*raw_at*raw_att*"])


def test_the_header_shows_each_value_and_its_origin(led: pytest.Pytester) -> None:
    led.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nble_profile = led.yaml\n")
    led.makepyfile("async def test_it(ble_client): pass")
    result = led.runpytest("--ble-seed=7")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["bletest: *profile=led.yaml (tox.ini)*seed=7 (command line)*"])


@pytest.mark.parametrize(
    ("options", "clock"),
    [
        ([], "virtual"),
        (["--ble-clock=virtual"], "virtual"),
        (["--ble-clock=real"], "real (because --ble-clock real asks for it)"),
        (["--ble-adapter=usb:0"], "real (because the adapter usb:0 is real)"),
        (["--ble-adapter=usb:0", "--ble-clock=real"], "real (because the adapter usb:0 is real)"),
        (
            ["--ble-adapter=usb:0", "--ble-emulate-on=usb:1"],
            "real (because the adapter usb:0 is real "
            "and the emulated device's radio usb:1 is real)",
        ),
    ],
)
def test_the_header_says_how_time_passes_and_why(
    led: pytest.Pytester, options: list[str], clock: str
) -> None:
    led.makepyfile("def test_nothing(): pass")
    result = led.runpytest("--ble-profile=led.yaml", *options)
    result.assert_outcomes(passed=1)
    assert f"bletest: clock: {clock}" in result.outlines


def test_virtual_time_is_refused_where_something_is_real(led: pytest.Pytester) -> None:
    result = led.runpytest("--ble-clock=virtual", "--ble-adapter=usb:0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "*--ble-clock virtual is impossible: the adapter usb:0 is real*",
            "*leave --ble-clock away*",
        ]
    )


def test_collecting_opens_nothing(led: pytest.Pytester) -> None:
    result = run(led, "async def test_it(ble_client): pass", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_it.py::test_it"])


def test_each_test_leaves_a_transcript(led: pytest.Pytester) -> None:
    run(
        led,
        """
        async def test_read(ble_client):
            await ble_client.read("led")
        """,
    ).assert_outcomes(passed=1)
    (folder,) = [one for one in (led.path / "bletest-results").iterdir() if one.is_dir()]
    assert "Read Request" in (folder / "transcript.txt").read_text()
    assert '"name": "Read Request"' in (folder / "transcript.jsonl").read_text()


def test_it_works_in_parallel(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest

        @pytest.mark.parametrize("n", range(4))
        async def test_read(ble_client, n):
            assert (await ble_client.read("led")).raw == b"\\x00"
        """,
        "-n2",
    )
    result.assert_outcomes(passed=4)


def test_unused_it_imports_nothing_heavy(led: pytest.Pytester) -> None:
    led.makepyfile(
        """
        import sys

        def test_light():
            heavy = {"bumble", "bleak", "pydantic", "bluetooth_sig", "allure"}
            assert not heavy & set(sys.modules)
        """
    )
    result = led.runpytest_subprocess("-p", "no:allure_pytest", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1)


def test_a_behaviour_that_nobody_registered_is_told_with_its_place(led: pytest.Pytester) -> None:
    text = (led.path / "led.yaml").read_text(encoding="utf-8")
    led.makefile(".yaml", led=text.replace("length: 1}", "length: 1, behaviour: acme.led}", 1))
    result = run(led, "async def test_led(ble_client): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*led.yaml:8:*the behaviour `acme.led` is registered nowhere*"])
    result = run(
        led,
        """
        import pytest

        @pytest.fixture
        def ble_behaviours():
            return {"acme.led": lambda led: led.on_read(lambda request: b"on")}

        async def test_led(ble_client):
            assert (await ble_client.read("led")).raw == b"on"
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_device_in_another_mode_is_met_as_what_it_is(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest

        @pytest.mark.ble_profile("firmware_update")
        async def test_it(ble_client, ble_connect, ble_peripheral, ble_transcript):
            async with ble_client.subscribe("entry"):
                await ble_client.write("entry", b"\\x01")
                assert await ble_client.ended(within=5)
            boot = await ble_connect()
            assert (ble_peripheral.mode, boot.address) == ("boot", ble_peripheral.address)
            async with boot.subscribe("dfu") as answers:
                await boot.write("dfu", b"\\x06\\x02")
                assert (await answers.next(within=1)).raw.startswith(b"\\x60\\x06\\x01")
                await boot.write("dfu", b"\\x0d")
                assert await boot.ended(within=5)
            await boot.connect_to(address=None, name="Tag", within=5)
            assert ble_peripheral.mode == "normal"
            text = ble_transcript.text()
            assert "0xFE59/dfu" in text and "update/entry" in text
            lines = [line for line in text.splitlines() if "0xFE59/dfu" in line]
            assert all(" 2 " in line for line in lines)
        """,
    )
    result.assert_outcomes(passed=1)
