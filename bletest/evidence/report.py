"""The HTML report: one file that opens from disk, made by Allure 3 out of allure-results.

Allure 3 is a Node program. npx fetches it once and keeps it; no Java, nothing to install but
Node itself.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bletest.errors import ReportNotMade
from bletest.evidence.files import write_atomically
from bletest.evidence.session import CONFIGURATION, configuration

PACKAGE = "allure@3"
OLDEST_NODE = 20

BEHAVIOURS = ("epic", "feature", "story")
"""The labels by which a report groups its tests: profile, service, characteristic."""

# The pair that Allure puts before its data: a script from a foreign host, and the inline script
# that calls it. Neither is needed to read the report, and a bench may have no way out.
_ANALYTICS = re.compile(
    rb"<script\b[^>]*\bsrc=\"https://www\.googletagmanager\.com/[^\"]*\"[^>]*>\s*</script>\s*"
    rb"(?:<script>(?:(?!</script>).)*?\bgtag\((?:(?!</script>).)*?</script>\s*)?",
    re.DOTALL,
)


def report_tool(path: str | None = None) -> str | None:
    """Return where ``npx`` is, None if Node or npx is missing.

    ``path`` is a list of directories as in ``PATH``, which is the default.
    """
    return shutil.which("npx", path=path) if shutil.which("node", path=path) else None


def build_report(
    results: Path,
    target: Path,
    *,
    name: str = "bletest",
    history: Path | None = None,
    group_by: Sequence[str] = BEHAVIOURS,
    timeout: float = 300.0,
    path: str | None = None,
) -> None:
    """Make the report of the allure-results directory ``results`` as the single file ``target``.

    ``name`` is the report's title, unless the session's files in ``results`` say another.
    ``history`` is Allure's history, one JSON Lines file that is read and added to. ``group_by``
    are the labels that make the levels of the tree. ``timeout`` is in seconds and covers
    fetching Allure the first time. ``path`` as in :func:`report_tool`.

    Raises :class:`~bletest.errors.ReportNotMade` with what to do about it: there is nothing to
    report, Node is missing or too old, or Allure failed (its last lines are told). ``target`` is
    then what it was before.
    """
    tool = _require_tool(path, results)
    results = results.resolve()
    if not any(results.glob("*-result.json")):
        raise ReportNotMade(
            f"{results} holds no test results",
            remedy=f"run the tests with --alluredir {results}",
        )
    with TemporaryDirectory(prefix="bletest-report-") as work:
        configured = results / CONFIGURATION
        if not configured.is_file():
            configured = Path(work, CONFIGURATION)
            configured.write_text(json.dumps(configuration(name)), encoding="utf-8")
        made = Path(work, "report")
        command = [tool, "--yes", "--prefer-offline", PACKAGE, "awesome", "--single-file"]
        command += ["--config", str(configured), "--output", str(made)]
        command += ["--group-by", ",".join(group_by)]
        if history is not None:
            command += ["--history-path", str(history.resolve())]
        said = _run([*command, str(results)], Path(work), timeout)
        try:
            page = (made / "index.html").read_bytes()
        except OSError:
            raise ReportNotMade(f"Allure made no report{_quoted(said)}", remedy=_BY_HAND) from None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, without_analytics(page))
    except OSError as error:
        raise ReportNotMade(
            f"{target} cannot be written: {error.strerror or error}",
            remedy="name a file in a directory that you may write to",
        ) from error


def without_analytics(page: bytes) -> bytes:
    """Return the page without the scripts that report its use to a foreign host."""
    return _ANALYTICS.sub(b"", page)


_BY_HAND = f"try by hand: npx {PACKAGE} awesome --single-file DIRECTORY"


def _require_tool(path: str | None, results: Path) -> str:
    """Return where npx is, or say what to install."""
    install = (
        f"install Node {OLDEST_NODE} or later (https://nodejs.org; it brings npx), "
        f"or make the report elsewhere: npx {PACKAGE} awesome --single-file {results}"
    )
    tool, node = report_tool(path), shutil.which("node", path=path)
    if tool is None or node is None:
        raise ReportNotMade("the HTML report needs Node, and there is none", remedy=install)
    version = _run([node, "--version"], Path.cwd(), 30.0).strip()
    major = re.match(r"v(\d+)\.", version)
    if major is not None and int(major[1]) < OLDEST_NODE:
        raise ReportNotMade(f"the HTML report needs a newer Node than {version}", remedy=install)
    return tool


def _run(command: Sequence[str], directory: Path, timeout: float) -> str:
    """Run a command to its end and return what it wrote; it and its children die in time."""
    environment = os.environ | {
        "NO_COLOR": "1",
        "npm_config_update_notifier": "false",
        "npm_config_fund": "false",
        "npm_config_audit": "false",
    }
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ReportNotMade(
            f"{command[0]} cannot be started: {error.strerror or error}", remedy=_BY_HAND
        ) from error
    with process:
        try:
            said, _ = process.communicate(timeout=timeout)
        except BaseException as trouble:
            # npx starts Node as a child of its own, which outlives npx unless it is told too.
            os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(trouble, subprocess.TimeoutExpired):
                raise
            said, _ = process.communicate()
            raise ReportNotMade(
                f"{Path(command[0]).name} took longer than {timeout:g} s{_quoted(said)}",
                remedy=f"see whether the npm registry can be reached; {_BY_HAND}",
            ) from None
    if process.returncode:
        raise ReportNotMade(
            f"{Path(command[0]).name} ended with {process.returncode}{_quoted(said)}",
            remedy=f"see whether the npm registry can be reached; {_BY_HAND}",
        )
    return said


def _quoted(said: str, most: int = 12) -> str:
    """Return the last lines of a program's output, indented, to stand behind a message."""
    lines = [line for line in said.splitlines() if line.strip()][-most:]
    return "".join(f"\n  | {line}" for line in lines)
