import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import bletest
from bletest.cli import _COMMANDS, exit_code_of, main
from bletest.cli.exit_codes import ExitCode
from bletest.cli.profiles import describe
from bletest.errors import (
    AdapterLost,
    AttributeMissing,
    NothingMatched,
    ProfileError,
    ReportNotMade,
    UsageMistake,
)
from bletest.profile import shipped

LED = """
bletest: 1
name: led
device: {name: Led}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: 0xFF01, id: led, properties: [read], value: {hex: 00}}
"""
TWO_MISTAKES = LED.replace("properties", "propertys").replace("device", "devize")


def place_of(key: str) -> tuple[int, int]:
    lines = enumerate(TWO_MISTAKES.splitlines(), 1)
    return next((number, line.index(key) + 1) for number, line in lines if key in line)


def bletest_says(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result


@pytest.fixture
def led(tmp_path: Path) -> Path:
    (tmp_path / "led.yaml").write_text(LED)
    return tmp_path / "led.yaml"


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    (tmp_path / "wrong.yaml").write_text(TWO_MISTAKES)
    return tmp_path / "wrong.yaml"


def test_help_lists_the_commands_that_there_are() -> None:
    listed = bletest_says("--help")
    assert listed.exit_code == 0
    for name, words in _COMMANDS.items():
        assert f"  {name} " in listed.output
        assert words in listed.output
        assert bletest_says(name, "--help").exit_code == 0


def test_help_imports_nothing_that_takes_time() -> None:
    script = """
import sys
from bletest.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
heavy = {"bumble", "bleak", "pydantic", "yaml", "rich", "pytest", "allure", "asyncio"}
print(sorted(heavy & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_the_version_is_told() -> None:
    assert bletest.__version__ in bletest_says("--version").output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["chekc"], 'did you mean "check"?'),
        (["frobnicate"], "there are run, check"),
        (["check", "--fast"], "No such option"),
        (["check"], "Missing argument"),
        (["scan", "--seconds", "soon"], "soon"),
        (["scan", "--seconds", "0"], "--seconds"),
        (["scan", "--transport", "ubs:0"], 'did you mean "usb"?'),
        (["serve", "heart_rate"], "--hci-port"),
        (["serve", "heart_rate", "--hci-port", "_:0", "--transport", "usb:0"], "--hci-port"),
        (["serve", "heart_rate", "smart_lock", "--transport", "usb:0"], "one controller"),
        (["serve", "hart_rate", "--transport", "usb:0"], "did you mean"),
        (["--nonsense"], "No such option"),
        ([], "Usage:"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_exits_with_4_and_says_why(arguments: list[str], words: str) -> None:
    result = bletest_says(*arguments)
    assert result.exit_code == ExitCode.USAGE
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AttributeMissing("x"), 1),
        (AdapterLost("x"), 2),
        (ReportNotMade("x"), 2),
        (ProfileError(["x"]), 3),
        (UsageMistake("x"), 4),
        (NothingMatched("x"), 4),
    ],
)
def test_each_kind_of_error_has_its_exit_code(
    error: bletest.errors.BletestError, code: int
) -> None:
    assert exit_code_of(error) == code


def test_check_passes_what_is_right(led: Path) -> None:
    result = bletest_says("check", led, "heart_rate")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{led}: fine, 1 service, 1 characteristic",
        f"{shipped()['heart_rate']}: fine, 3 services, 12 characteristics",
    ]


def test_check_tells_every_mistake_with_its_place_and_goes_on(wrong: Path, led: Path) -> None:
    result = bletest_says("check", wrong, led)
    assert result.exit_code == ExitCode.PROFILE_WRONG
    for key in ("devize", "propertys"):
        line, column = place_of(key)
        assert f"{wrong}:{line}:{column}: " in result.stderr
    assert result.stdout == f"{led}: fine, 1 service, 1 characteristic\n"


def test_check_reads_a_file_once_however_often_it_is_named(led: Path) -> None:
    result = bletest_says(
        "check", led, led.parent / "*.yaml", led.parent / ".." / led.parent.name / "led.yaml"
    )
    assert result.stdout == f"{led}: fine, 1 service, 1 characteristic\n"


def test_check_of_nothing_exits_with_4_and_still_reads_the_rest(led: Path) -> None:
    result = bletest_says("check", "heart_raet", led)
    assert result.exit_code == ExitCode.USAGE
    assert 'did you mean "heart_rate"?' in result.stderr
    assert "led.yaml: fine" in result.stdout


def test_a_wrong_profile_weighs_more_than_a_name_that_matches_nothing(wrong: Path) -> None:
    assert bletest_says("check", wrong, "heart_raet").exit_code == ExitCode.PROFILE_WRONG


def test_the_schema_is_printed_or_written(tmp_path: Path) -> None:
    printed = bletest_says("schema")
    assert json.loads(printed.stdout)["title"].startswith("bletest profile")
    target = tmp_path / "new" / "profile.schema.json"
    written = bletest_says("schema", "--output", target)
    assert (written.exit_code, written.stdout) == (0, "")
    assert target.read_text() == printed.stdout


def test_a_schema_that_cannot_be_written_is_a_usage_mistake(led: Path) -> None:
    result = bletest_says("schema", "--output", led / "schema.json")
    assert result.exit_code == ExitCode.USAGE
    assert "cannot be written" in result.stderr


def test_profiles_lists_every_shipped_one_with_services_and_description() -> None:
    listed = bletest_says("profiles")
    assert listed.exit_code == 0
    for name, path in shipped().items():
        assert f" {name} " in listed.stdout
        assert describe(path).split(" ")[0] in listed.stdout
    assert "heart_rate, battery, device_information" in listed.stdout


def test_a_description_is_the_comment_a_profile_begins_with(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("# A lamp:\n#  it shines.\nbletest: 1\n# not this\n")
    assert describe(file) == "A lamp: it shines."
    file.write_text(LED)
    assert describe(file) == ""


def test_every_shipped_profile_has_a_description() -> None:
    assert [name for name, path in shipped().items() if not describe(path)] == []


@pytest.mark.parametrize(
    "command", [("run",), ("serve", "--hci-port", "tcp-server:127.0.0.1:0")], ids=["run", "serve"]
)
def test_a_behaviour_that_nobody_has_is_a_mistake_of_the_profile_once_it_is_emulated(
    led: Path, command: tuple[str, ...]
) -> None:
    text = LED.replace("{hex: 00}", "{hex: 00}, behaviour: acme.led")
    led.write_text(text)
    assert bletest_says("check", led).exit_code == 0
    result = bletest_says(*command, led)
    assert result.exit_code == ExitCode.PROFILE_WRONG
    assert "led.yaml:8:82: the behaviour `acme.led` is registered nowhere" in result.stderr
