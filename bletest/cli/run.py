"""``bletest run``: the tests that a profile implies, and what came of them.

The only module of the library that starts pytest.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bletest import profile as profiles
from bletest.bench.behaviours import check_registered
from bletest.bench.options import BY_NAME, OPTIONS, build_settings
from bletest.cli.exit_codes import ExitCode
from bletest.conformance.known import check_names
from bletest.errors import AdapterUnusable, ReportNotMade, UsageMistake
from bletest.resources import folder

OUTCOMES = ("passed", "failed", "broken", "skipped", "known")
"""``known``: everything that was found is a known issue of the profile."""

_STANDARD_OUTPUT = Path("-")


@dataclass(slots=True)
class Result:
    """What came of one test. ``outcome`` is one of :data:`OUTCOMES`."""

    id: str
    outcome: str
    duration_s: float
    message: str = ""


@dataclass(slots=True)
class Tally:
    """A pytest plugin that keeps the results."""

    results: dict[str, Result] = field(default_factory=dict)
    collection_errors: list[str] = field(default_factory=list)
    _session: pytest.Session | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Remember the session, to be able to end it."""
        self._session = session

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what went wrong while collecting."""
        if report.failed:
            self.collection_errors.append(str(report.longrepr))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst of a test's phases, and the sum of their durations."""
        if getattr(report, "ble_error", "") == AdapterUnusable.__name__:
            self._stop("the adapter cannot be used")
        known = self.results.get(report.nodeid)
        outcome = report.outcome
        if report.skipped and hasattr(report, "wasxfail"):
            outcome = "known"  # type: ignore[assignment]
        if report.failed and getattr(report, "ble_owner", "bench") == "bench":
            outcome = "broken"  # type: ignore[assignment]
        if known is None:
            if report.when == "setup" and report.passed:
                outcome = "passed"
            self.results[report.nodeid] = Result(
                report.nodeid, outcome, report.duration, _message(report)
            )
            return
        known.duration_s += report.duration
        if _WEIGHT[outcome] > _WEIGHT[known.outcome]:
            known.outcome, known.message = outcome, _message(report)

    def _stop(self, why: str) -> None:
        """End the run: every further test would meet the same closed door."""
        assert self._session is not None  # reports come after the start
        # Where pytest-xdist spreads the tests, it is asked and not the session.
        spreading = self._session.config.pluginmanager.get_plugin("dsession")
        (spreading or self._session).shouldstop = why

    def count(self) -> Counter[str]:
        """Return how many tests had each outcome."""
        return Counter(result.outcome for result in self.results.values())


_WEIGHT = {"passed": 0, "skipped": 1, "known": 2, "broken": 3, "failed": 4}


def _message(report: pytest.TestReport) -> str:
    if report.passed:
        return ""
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail).removeprefix("reason: ").strip()
    detail = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    return str(detail).removeprefix("Skipped: ").strip()


class _Given:
    """The options of the command line, as :func:`build_settings` asks for them."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        option = BY_NAME[name]
        return str(self._values[option.key] or option.default)

    def words(self, name: str) -> list[str]:
        option = BY_NAME[name]
        given = list(self._values[option.key])
        return given or ([option.default] if option.default else [])

    def flag(self, name: str) -> bool:
        return bool(self._values[BY_NAME[name].key])


class _Run(click.Command):
    """A command that leaves everything after ``--`` to pytest."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split off what goes to pytest."""
        if "--" in args:
            at = args.index("--")
            ctx.meta["bletest.pytest"] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


def _ble_options() -> list[click.Parameter]:
    return [
        click.Option(
            [option.switch, option.key],
            metavar=option.metavar or None,
            help=option.help,
            multiple=option.many,
            is_flag=option.flag,
            default=False if option.flag else None,
            show_default=option.default or False,
        )
        for option in OPTIONS
        if option.name != "profile"
    ]


@click.pass_context
def _run(
    ctx: click.Context,
    /,
    profile: tuple[str, ...],
    report: Path | None,
    json_file: Path | None,
    **values: Any,
) -> None:
    """Run the tests that PROFILE implies: a file, a shipped name, or a glob.

    What follows -- goes to pytest: bletest run my_device.yaml -- -k notify -v
    """
    ctx.exit(
        run_profiles(
            list(profile),
            values,
            report=report,
            json_file=json_file,
            pytest_args=ctx.meta.get("bletest.pytest", []),
        )
    )


run = _Run(
    "run",
    callback=_run,
    help=_run.__doc__,
    short_help="Run the tests that a profile implies.",
    params=[
        click.Argument(["profile"], nargs=-1, required=True),
        click.Option(
            ["--report"],
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE.html",
            help="write an Allure report as one HTML file (needs Node)",
        ),
        click.Option(
            ["--json", "json_file"],
            type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
            metavar="FILE",
            help="write the results as JSON; - writes them to standard output, and nothing else",
        ),
        *_ble_options(),
    ],
)


def run_profiles(
    patterns: list[str],
    values: dict[str, Any],
    *,
    report: Path | None,
    json_file: Path | None,
    pytest_args: list[str],
) -> int:
    """Run the shipped suites; return the exit code of :class:`ExitCode`.

    Raises UsageMistake (ProfileError among them) before anything is run.
    """
    console = Console(stderr=False)
    found = (path for pattern in patterns for path in profiles.find(pattern))
    paths = list({path.resolve(): path for path in found}.values())
    loaded = [profiles.load(path) for path in paths]
    for profile in loaded:
        check_names(profile)
    settings = build_settings(_Given(values))
    if settings.emulated:
        for profile in loaded:  # told once, and not in every test
            check_registered(profile, settings.behaviours)
    if report is not None:
        _require_report_tool()
    talk: AbstractContextManager[object] = nullcontext()
    if json_file == _STANDARD_OUTPUT:
        talk = redirect_stdout(sys.stderr)
    elif json_file is not None:
        _require_writable(json_file)
    tally = Tally()
    start = time.monotonic()
    with talk, tempfile.TemporaryDirectory(prefix="bletest-") as scratch:
        results = Path(scratch) / "allure-results"
        arguments = _pytest_arguments(paths, values, settings.seed, settings.output)
        if report is not None:
            arguments += [f"--alluredir={results}"]
        code = pytest.main([*arguments, *pytest_args], plugins=[tally])
        duration = time.monotonic() - start
        outcome = _exit_code(code, tally)
        _summarise(console, tally, duration, settings.seed)
        if report is not None and results.is_dir():
            made = _make_report(console, results, report)
            outcome = outcome if made or outcome else ExitCode.BENCH_TROUBLE
    if json_file is not None:
        _write_json(json_file, tally, duration, settings.seed, paths, outcome)
    return outcome


def _make_report(console: Console, results: Path, report: Path) -> bool:
    """Make the HTML file; return whether that worked."""
    from bletest.evidence.report import build_report

    try:
        build_report(results, report)
    except ReportNotMade as trouble:
        console.print(escape(str(trouble)), style="yellow")
        return False
    console.print(f"report   {report}")
    return True


def _require_report_tool() -> None:
    """Say what to install before minutes of tests have been run for a report nobody can make."""
    from bletest.evidence.report import report_tool

    if report_tool() is None:
        raise UsageMistake(
            "--report needs Node, and there is none on this machine",
            remedy="install Node 20 or later (https://nodejs.org), or leave --report away",
        )


def _require_writable(file: Path) -> None:
    """Empty the file, so that what an earlier run left there is not taken for this one's."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    except OSError as error:
        raise UsageMistake(
            f"--json: {file} cannot be written: {error.strerror or error}",
            remedy="name a file in a directory that you may write to",
        ) from None


def _pytest_arguments(
    paths: list[Path], values: dict[str, Any], seed: int, output: Path
) -> list[str]:
    """Return pytest's arguments: our suites, none of the ini files around, the same options.

    The order of the tests is fixed, for the same seed to give the same octets: the adapter goes
    from test to test.
    """
    suites = folder("suites")
    arguments = [
        str(suites),
        f"--rootdir={suites}",
        f"-c{os.devnull}",
        "--import-mode=importlib",
        "-pno:randomly",
        "-oasyncio_default_fixture_loop_scope=function",
        f"-ocache_dir={output.absolute() / '.pytest_cache'}",
        "-q",
        "--no-header",
        "--tb=no",
        "--no-summary",
    ]
    arguments += [f"--ble-profile={path}" for path in paths]
    arguments.append(f"--ble-seed={seed}")
    for option in OPTIONS:
        value = values.get(option.key)
        if option.name in ("profile", "seed") or not value:
            continue
        if option.flag:
            arguments.append(option.switch)
        else:
            arguments += [f"{option.switch}={one}" for one in (value if option.many else [value])]
    return arguments


def _exit_code(code: int, tally: Tally) -> int:
    """Weigh what happened: the device's faults first, then the bench's trouble."""
    count = tally.count()
    if count["failed"]:
        return ExitCode.DEVICE_FAULT
    if count["broken"] or tally.collection_errors:
        return ExitCode.BENCH_TROUBLE
    if code == pytest.ExitCode.USAGE_ERROR:
        return ExitCode.USAGE
    if code in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR):
        return ExitCode.BENCH_TROUBLE
    return ExitCode.PASSED if count["passed"] or count["known"] else ExitCode.NOTHING_RAN


def _summarise(console: Console, tally: Tally, duration: float, seed: int) -> None:
    for text in tally.collection_errors:
        console.print(escape(text), style="red")
    for outcome, style in (("failed", "red"), ("broken", "yellow"), ("known", "cyan")):
        for message, ids in _by_message(tally, outcome).items():
            console.print(f"\n[bold {style}]{outcome}[/] {escape(', '.join(ids))}")
            console.print(escape(message), highlight=False, soft_wrap=True)
    skipped = _by_message(tally, "skipped")
    if skipped:
        console.print()
        for message, ids in sorted(skipped.items(), key=lambda entry: -len(entry[1])):
            console.print(f"[cyan]did not run[/]: {len(ids)} × {escape(message)}")
    count = tally.count()
    table = Table(show_header=False, box=None, pad_edge=False)
    for outcome in (one for one in OUTCOMES if count[one] or one != "known"):
        table.add_row(outcome, str(count[outcome]))
    table.add_row("time", f"{duration:.1f} s")
    table.add_row("seed", str(seed))
    console.print()
    console.print(table)
    if not count["passed"] and not count["failed"] and not count["known"]:
        console.print("[yellow]nothing was judged: no test ran to its end[/]")


def _by_message(tally: Tally, outcome: str) -> dict[str, list[str]]:
    """Group tests of one outcome by what they say, so that one cause is told once."""
    groups: dict[str, list[str]] = {}
    for result in tally.results.values():
        if result.outcome == outcome:
            groups.setdefault(result.message, []).append(result.id.partition("::")[2] or result.id)
    return groups


def _write_json(
    file: Path, tally: Tally, duration: float, seed: int, paths: list[Path], outcome: int
) -> None:
    count = tally.count()
    document = {
        "tests": len(tally.results),
        "passed": count["passed"],
        "failed": count["failed"],
        "broken": count["broken"],
        "skipped": count["skipped"],
        "known": count["known"],
        "duration_s": round(duration, 3),
        "exit_code": outcome,
        "seed": seed,
        "profiles": [str(path) for path in paths],
        "results": [
            {
                "id": result.id,
                "outcome": result.outcome,
                "duration_s": round(result.duration_s, 6),
                "message": result.message,
            }
            for result in tally.results.values()
        ],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if file == _STANDARD_OUTPUT:
        sys.stdout.write(text)
    else:
        file.write_text(text, encoding="utf-8")
