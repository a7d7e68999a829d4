"""The benchmarks measure what they say they do; how fast anything is, is not asserted."""

import json
import math
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import picture
from benchmarks.cli import FAMILIES, MEASUREMENTS, carry_out, main
from benchmarks.figures import CannotMeasure, Figure, Measurement, Values
from benchmarks.harness import Effort, ratio
from benchmarks.page import table
from benchmarks.report import Result, to_json

ROOT = Path(__file__).parents[2]

PROMISED = frozenset(
    {
        "read.captured_ratio",
        *("read.ratio", "write.ratio", "write_command.ratio", "notify.ratio"),
        "floor.read_ratio",
        *("scale.ratio", "scale.scan_ratio", "scale.raw_ratio"),
        *("connect.ms", "connect.raw_ms"),
        *("setup.ms", "setup.kb"),
        *("soak.seconds", "soak.lost"),
        "load.ops_per_s",
        *("startup.first_test_s", "startup.unused_ms", "startup.suite_s"),
    }
)

TINY = Effort(rounds=1, seconds=0.001, patience=30.0, world=0.02)


def test_every_promised_figure_is_measured_once() -> None:
    keys = [figure.key for measurement in MEASUREMENTS for figure in measurement.figures]
    assert len(keys) == len(set(keys))
    assert set(keys) >= PROMISED


def test_chosen_figures_come_as_flat_json_numbers(tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--json", str(written)]
    done = subprocess.run(
        [*command, "--only", "read", "floor.read_ratio"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    values = json.loads(written.read_text(encoding="utf-8"))
    assert set(values) == {
        *("read.ratio", "read.per_s", "read.raw_per_s", "read.captured_ratio"),
        *("floor.read_ratio", "floor.reads_per_s"),
    }
    assert all(math.isfinite(value) and value > 0 for value in values.values())
    assert "read.ratio" in done.stdout


@pytest.mark.parametrize("family", [one for one in FAMILIES if one != "startup"])
def test_each_family_measures_a_small_world(family: str, tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    assert main(["--only", family, "--json", str(written)], effort=TINY) == 0
    values = json.loads(written.read_text(encoding="utf-8"))
    wanted = {figure.key for one in MEASUREMENTS if one.family == family for figure in one.figures}
    assert set(values) == wanted
    assert all(isinstance(value, float | int) for value in values.values())


def test_nothing_is_lost_in_the_small_soak(tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    assert main(["--only", "soak", "--json", str(written)], effort=TINY) == 0
    assert json.loads(written.read_text(encoding="utf-8"))["soak.lost"] == 0


def test_what_an_unused_plugin_costs_is_measured_in_fresh_processes(tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    assert main(["--only", "startup.unused_ms", "--json", str(written)], effort=TINY) == 0
    assert json.loads(written.read_text(encoding="utf-8"))["startup.pytest_ms"] > 0


def test_a_figure_that_does_not_exist_is_an_error_of_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--only", "reed"])
    assert ended.value.code == 2
    assert "no figure is called reed" in capsys.readouterr().err


def test_the_page_shows_figures_and_its_picture_both_sides(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    assert main(["--only", "read", "--markdown", str(page)], effort=TINY) == 0
    words = page.read_text(encoding="utf-8")
    assert "| `read.ratio` |" in words
    assert "<!--" not in words
    drawn = ElementTree.parse(tmp_path / "images" / "performance.svg").getroot()
    assert "reads" in {element.text for element in drawn.iter()}


def test_bars_are_as_long_as_their_values() -> None:
    pair = picture.Pair("reads", "read.per_s", "read.raw_per_s", "/s", True)
    drawn = ElementTree.fromstring(
        picture.draw({"read.per_s": 2000.0, "read.raw_per_s": 500.0}, (pair,))
    )
    (ours,) = (float(one.attrib["width"]) for one in bars(drawn, picture.OURS))
    (raw,) = (float(one.attrib["width"]) for one in bars(drawn, picture.RAW))
    assert ours == pytest.approx(4 * raw, abs=1)
    assert "4×" in {element.text for element in drawn.iter()}


def bars(drawn: ElementTree.Element, fill: str) -> list[ElementTree.Element]:
    """Return the bars of a colour, without the one in the legend."""
    return [one for one in drawn.iter() if one.attrib.get("fill") == fill][1:]


def test_a_picture_leaves_out_what_was_not_measured() -> None:
    drawn = ElementTree.fromstring(picture.draw({"read.per_s": 2000.0, "read.raw_per_s": None}))
    assert bars(drawn, picture.OURS) == []


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine was ten times slower in the second round, for both.
    assert ratio([100.0, 10.0, 100.0], [50.0, 5.0, 50.0]) == 2.0


def test_what_cannot_be_measured_is_null_and_says_why() -> None:
    def measure(effort: Effort) -> Values:
        raise CannotMeasure("there is no radio")

    figure = Figure("radio.ms", "a radio", "ms", "lower")
    results, surprise = carry_out(Measurement((figure,), measure), TINY)
    assert not surprise
    assert json.loads(to_json(results)) == {"radio.ms": None}
    assert "- `radio.ms`: there is no radio" in table(results)


def test_a_measurement_that_breaks_fails_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    def measure(effort: Effort) -> Values:
        raise LookupError("gone")

    results, surprise = carry_out(Measurement((Figure("x.y", "", "", "lower"),), measure), TINY)
    assert surprise
    assert results == [Result(results[0].figure, None, "LookupError: gone")]
    assert "LookupError: gone" in capsys.readouterr().err
