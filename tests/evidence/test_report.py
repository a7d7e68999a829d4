import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bletest.errors import BenchTrouble, ReportNotMade
from bletest.evidence.report import build_report, report_tool, without_analytics
from bletest.evidence.session import write_session_files

TESTS = """
def test_right():
    pass

def test_device_at_fault():
    assert b"\\x02" == b"\\x01", "body_sensor_location is 02"

def test_bench_in_trouble():
    raise RuntimeError("usb:0 was unplugged")
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The least that Allure takes for a test result."""
    directory = tmp_path / "allure-results"
    directory.mkdir()
    result = {"uuid": "1", "name": "right", "fullName": "a#right", "status": "passed"}
    (directory / "1-result.json").write_text(json.dumps(result))
    return directory


def install(directory: Path, *, node: str = "echo v22.1.0", npx: str = "exit 0") -> str:
    """Put stand-ins for Node's programs into a directory and return it as a PATH."""
    directory.mkdir(exist_ok=True)
    for name, script in (("node", node), ("npx", npx)):
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return str(directory)


def test_the_report_shows_every_verdict_or_says_what_to_install(tmp_path: Path) -> None:
    results, target = tmp_path / "allure-results", tmp_path / "out" / "report.html"
    (tmp_path / "test_strap.py").write_text(TESTS)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "allure_pytest", "--alluredir", results],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        check=False,
    )
    assert run.returncode == 1
    write_session_files(results, name="Strap", environment={"adapter": "virtual"}, variables={})
    if report_tool() is None:
        with pytest.raises(ReportNotMade, match="install Node 20 or later"):
            build_report(results, target)
        assert not target.exists()
        return
    build_report(results, target)
    page = target.read_text(encoding="utf-8")
    assert "<title> Strap </title>" in page
    assert "googletagmanager" not in page
    assert "gtag(" not in re.sub(r'src="data:[^"]*"', "", page)
    assert not re.search(r'<(?:script|link|img)[^>]*(?:src|href)="https?:', page)
    widgets = json_files(page)
    assert {name: widgets["widgets/statistic.json"].get(name) for name in VERDICTS} == VERDICTS
    categories = json.dumps(widgets["widgets/categories.json"])
    assert "Product defects" in categories
    assert "Test defects" in categories
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]


VERDICTS = {"total": 3, "passed": 1, "failed": 1, "broken": 1}


def json_files(page: str) -> dict[str, dict[str, object]]:
    """Return the data files that a single-file report carries, by their names."""
    found = re.findall(r'd\("((?:data|widgets)/[^"]+\.json)","([^"]*)"\)', page)
    return {name: json.loads(base64.b64decode(data)) for name, data in found}


def test_without_node_the_error_says_what_to_install(results: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    assert report_tool(path=str(tmp_path)) is None
    with pytest.raises(ReportNotMade) as caught:
        build_report(results, target, path=str(tmp_path))
    assert "install Node 20 or later" in caught.value.remedy
    assert str(results) in caught.value.remedy
    assert isinstance(caught.value, BenchTrouble)
    assert not target.exists()


def test_npx_without_node_is_no_tool(tmp_path: Path) -> None:
    path = install(tmp_path / "bin")
    assert report_tool(path=path) == f"{path}/npx"
    (tmp_path / "bin" / "node").unlink()
    assert report_tool(path=path) is None


def test_an_old_node_is_refused_by_its_version(results: Path, tmp_path: Path) -> None:
    path = install(tmp_path / "bin", node="echo v16.20.2")
    with pytest.raises(ReportNotMade, match=r"newer Node than v16\.20\.2"):
        build_report(results, tmp_path / "report.html", path=path)


def test_results_that_are_none_are_told(tmp_path: Path) -> None:
    empty = tmp_path / "allure-results"
    with pytest.raises(ReportNotMade, match="holds no test results"):
        build_report(empty, tmp_path / "report.html", path=install(tmp_path / "bin"))


def test_the_last_lines_of_a_failure_are_told_and_the_old_report_stays(
    results: Path, tmp_path: Path
) -> None:
    target = tmp_path / "report.html"
    target.write_text("yesterday's")
    chatter = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; done; "
    path = install(tmp_path / "bin", npx=f"{chatter} echo npm error ENOTFOUND >&2; exit 3")
    with pytest.raises(ReportNotMade) as caught:
        build_report(results, target, path=path)
    assert "npx ended with 3" in caught.value.message
    assert "| npm error ENOTFOUND" in caught.value.message
    assert "| line 40" in caught.value.message
    assert "| line 20\n" not in caught.value.message
    assert "registry" in caught.value.remedy
    assert target.read_text() == "yesterday's"
    assert {path.name for path in tmp_path.iterdir()} == {"allure-results", "bin", "report.html"}


def test_an_allure_that_makes_nothing_is_told(results: Path, tmp_path: Path) -> None:
    path = install(tmp_path / "bin", npx="echo fine")
    with pytest.raises(ReportNotMade, match=r"made no report\n  \| fine"):
        build_report(results, tmp_path / "report.html", path=path)


def test_an_allure_that_hangs_is_ended_with_its_children(results: Path, tmp_path: Path) -> None:
    # The grandchild holds the pipe open: were it left alive, this call would wait for it.
    began = time.monotonic()
    path = install(tmp_path / "bin", npx="echo started; /bin/sleep 60 & wait")
    with pytest.raises(ReportNotMade, match=r"longer than 0\.5 s\n  \| started"):
        build_report(results, tmp_path / "report.html", path=path, timeout=0.5)
    assert time.monotonic() - began < 30


def test_a_target_that_cannot_be_written_is_told(results: Path, tmp_path: Path) -> None:
    find_output = 'while [ "$1" != --output ]; do shift; done; '
    npx = f'{find_output} /bin/mkdir -p "$2"; echo "<html></html>" > "$2/index.html"'
    path = install(tmp_path / "bin", npx=npx)
    (tmp_path / "taken").write_text("a file, no directory")
    with pytest.raises(ReportNotMade, match="cannot be written"):
        build_report(results, tmp_path / "taken" / "report.html", path=path)
    build_report(results, tmp_path / "report.html", path=path)
    assert (tmp_path / "report.html").read_text() == "<html></html>\n"


def test_only_the_analytics_pair_is_taken_out() -> None:
    page = (
        b"<script>window.allure = {};</script>\n"
        b'<script async src="https://www.googletagmanager.com/gtag/js?id=G-X"></script>\n'
        b"<script>\n window.dataLayer = [];\n function gtag(){}\n gtag('js', 1);\n</script>\n"
        b"<script async>data()</script>\n<script>window.last = 1;</script>"
    )
    assert without_analytics(page) == (
        b"<script>window.allure = {};</script>\n"
        b"<script async>data()</script>\n<script>window.last = 1;</script>"
    )


def test_an_innocent_script_behind_the_foreign_one_stays() -> None:
    page = (
        b'<script src="https://www.googletagmanager.com/gtag/js"></script><script>keep()</script>'
        b"<script>gtag('js')</script>"
    )
    assert without_analytics(page).startswith(b"<script>keep()</script>")
