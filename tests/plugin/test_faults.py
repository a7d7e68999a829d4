"""Fault plans as users of pytest meet them, each test a pytest run of its own."""

import json

import pytest

from bletest.cli.exit_codes import ExitCode
from tests.plugin.conftest import LED
from tests.support.serving import BLETEST


def run(led: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    led.makepyfile(test_it=source)
    return led.runpytest("-p", "no:randomly", "--ble-profile", "led.yaml", *arguments)


def test_markers_plan_faults_before_the_device_is_there(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest
        from bletest.errors import AttributeRefused

        @pytest.mark.ble_fault("connection 1 refused with 0x3E")
        @pytest.mark.ble_fault("led: read 2 answers 0x0E", "led: write answers 0x11")
        async def test_led(ble_client):
            assert (await ble_client.read("led")).raw == b"\\x00"
            with pytest.raises(AttributeRefused):
                await ble_client.read("led")
            with pytest.raises(AttributeRefused):
                await ble_client.write("led", b"\\x01")
        """,
    )
    result.assert_outcomes(passed=1)


def test_the_fixture_plans_faults_while_the_test_runs(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest
        from bletest.errors import LinkLost

        async def test_led(ble_client, ble_faults):
            fault = ble_faults.add("led: read 1 disconnects with 0x13")
            ble_faults.add(of="led", on="write", answers=0x11)
            assert (await ble_client.attempt.write("led", b"\\x01")).code == 0x11
            with pytest.raises(LinkLost):
                await ble_client.read("led")
            assert (fault.seen, fault.fired) == (1, 1)
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_fault_that_never_fired_fails_the_test_that_planned_it(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest

        @pytest.mark.ble_fault("led: read 3 answers 0x0E")
        async def test_marked(ble_client):
            await ble_client.read("led")

        async def test_added(ble_faults):
            ble_faults.add("at 5s disconnects")

        @pytest.mark.ble_fault("led: read 3 answers 0x0E")
        async def test_that_fails_for_another_reason(ble_client):
            assert (await ble_client.read("led")).raw == b"\\x07"

        async def test_that_plans_nothing(ble_client):
            pass
        """,
    )
    result.assert_outcomes(failed=3, passed=1)
    result.stdout.fnmatch_lines(
        [
            '*the fault "led: read 3 answers 0x0E" never fired: 1 × read of led happened',
            "*remedy: make the test get there, or take the fault out of the plan",
            '*the fault "at 5s disconnects 0x13" never fired: the end came before it',
            "the device's fault: 1",
            "trouble of bench or test: 2",
        ]
    )


def test_faults_show_in_the_transcript_and_as_a_step_of_the_report(led: pytest.Pytester) -> None:
    run(
        led,
        """
        import pytest

        @pytest.mark.ble_fault("led: read 1 truncated to 1")
        async def test_led(ble_client):
            assert (await ble_client.read("led")).raw == b""
        """,
        "--alluredir=results",
    ).assert_outcomes(passed=1)
    folder = led.path / "bletest-results" / "test_it.py-test_led"
    lines = (folder / "transcript.jsonl").read_text("utf-8").splitlines()
    faults = [one for line in lines if (one := json.loads(line))["kind"] == "fault"]
    assert [one["fault"] for one in faults] == ["led: read 1 truncated 1"]
    (report,) = (led.path / "results").glob("*-result.json")
    (read,) = json.loads(report.read_text("utf-8"))["steps"]
    assert read["name"].startswith("read led")
    assert [one["name"] for one in read["steps"]] == ["fault: led: read 1 truncated 1"]


def test_each_fault_is_filed_under_its_owner(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest

        @pytest.mark.ble_fault("led: read 1 dropped")
        async def test_device(ble_client):
            await ble_client.read("led")

        @pytest.mark.ble_fault("led: read 1 kills the adapter")
        async def test_bench(ble_client):
            await ble_client.read("led")

        async def test_after_that(ble_client):
            await ble_client.read("led")
        """,
        "--alluredir=results",
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["the device's fault: 1", "trouble of bench or test: 1"])
    reports = [
        json.loads(one.read_text("utf-8")) for one in (led.path / "results").glob("*-result.json")
    ]
    assert {one["name"]: one["status"] for one in reports} == {
        "test_device": "failed",
        "test_bench": "broken",
        "test_after_that": "passed",
    }


def test_what_is_wrong_with_a_marker_ends_the_run_before_any_test(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest

        @pytest.mark.ble_fault("led: raed 2 answers 0x0E")
        async def test_misspelt(ble_client):
            pass

        @pytest.mark.ble_fault("read 2 dropped")
        async def test_without_a_device(ble_scanner):
            pass

        @pytest.mark.ble_fault(on="read", dropped=True)
        async def test_in_parts(ble_client):
            pass
        """,
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            '*::test_misspelt: ble_fault("led: raed 2 answers 0x0E"): `raed` is no occasion of a '
            'fault; did you mean "read"?',
            "*::test_without_a_device: ble_fault is for tests that ask for a device",
            '*::test_in_parts: the marker takes sentences, ble_fault("read 1 dropped")',
        ]
    )


def test_an_attribute_that_the_device_lacks_is_an_error_of_the_test(led: pytest.Pytester) -> None:
    result = run(
        led,
        """
        import pytest

        @pytest.mark.ble_fault("lde: read 2 answers 0x0E")
        async def test_misspelt(ble_client):
            pass
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*led has no attribute "lde" for a fault', '*did you mean "led"?'])


def test_a_real_device_has_no_faults_on_command(led: pytest.Pytester) -> None:
    source = """
        import pytest

        async def test_fixture(ble_faults):
            pass

        @pytest.mark.ble_fault("led: read 2 answers 0x0E")
        async def test_marker(ble_device):
            pass
        """
    real = ("--ble-adapter=tcp-client:127.0.0.1:1", "--ble-device=C0:11:22:33:44:55")
    result = run(led, source, *real, "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*peripheral_control: only an emulated device has faults*"])
    run(led, source, *real, "--ble-strict").assert_outcomes(errors=2)


FAULTY = LED + "faults:\n  - led: read 2 answers 0x0E\n  - 'button: write 1 dropped'\n"
READS = """
    import pytest

    async def test_once(ble_client):
        assert (await ble_client.read("led")).raw == b"\\x00"

    async def test_twice(ble_client):
        assert (await ble_client.read("led")).raw == b"\\x00"
        assert (await ble_client.attempt.read("led")).code == 0x0E
    """


def test_faults_of_a_profile_are_judged_over_the_run(led: pytest.Pytester) -> None:
    led.makefile(".yaml", led=FAULTY)
    result = run(led, READS)
    result.assert_outcomes(passed=2, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*faults of led*",
            'the fault "button: write 1 dropped" never fired: 0 × write of button happened',
            "trouble of bench or test: 1",
        ]
    )


def test_a_part_of_a_run_says_nothing_about_them(led: pytest.Pytester) -> None:
    led.makefile(".yaml", led=FAULTY)
    run(led, READS, "-k", "once").assert_outcomes(passed=1, deselected=1)


def test_workers_of_xdist_count_them_together(led: pytest.Pytester) -> None:
    led.makefile(".yaml", led=FAULTY)
    led.makepyfile(test_it=READS)
    arguments = ("-p", "no:randomly", "--ble-profile", "led.yaml", "-n2")
    result = led.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=2, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(['the fault "button: write 1 dropped" never fired: 0 × *'])


def test_bletest_run_ends_with_2_where_a_fault_of_the_profile_never_fired(
    led: pytest.Pytester,
) -> None:
    only_led = "\n".join(line for line in LED.splitlines() if "button" not in line)
    led.makefile(".yaml", led=only_led + "\nfaults: [at 3h pauses advertising for 5s]\n")
    result = led.run(*BLETEST, "run", "led.yaml")
    assert result.ret == ExitCode.BENCH_TROUBLE
    result.stdout.fnmatch_lines(
        [
            "broken faults of led",
            'the fault "at 10800s pauses advertising 5s" never fired: the end came before it',
        ]
    )
