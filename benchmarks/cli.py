"""The command line: ``python -m benchmarks``."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks import connect, floor, load, operations, page, report, scale, setup, soak, startup
from benchmarks.figures import CannotMeasure, Measurement
from benchmarks.harness import FULL, QUICK, Effort, calm
from benchmarks.report import Result

MEASUREMENTS: tuple[Measurement, ...] = (
    *operations.MEASUREMENTS,
    *floor.MEASUREMENTS,
    *scale.MEASUREMENTS,
    *connect.MEASUREMENTS,
    *setup.MEASUREMENTS,
    *soak.MEASUREMENTS,
    *load.MEASUREMENTS,
    *startup.MEASUREMENTS,
)

FAMILIES = tuple(dict.fromkeys(measurement.family for measurement in MEASUREMENTS))


def known(name: str) -> str:
    """Return the name of a figure or family; an error of the command line if there is none."""
    if not any(measurement.answers_to(name) for measurement in MEASUREMENTS):
        raise argparse.ArgumentTypeError(f"no figure is called {name}")
    return name


def carry_out(measurement: Measurement, effort: Effort) -> tuple[list[Result], bool]:
    """Return the results, and whether something went wrong that nobody foresaw."""
    try:
        with calm():
            values = measurement.measure(effort)
    except CannotMeasure as reason:
        return [Result(figure, None, str(reason)) for figure in measurement.figures], False
    except Exception as error:  # one figure must not take the others with it
        traceback.print_exc()
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        return [Result(figure, None, why) for figure in measurement.figures], True
    return [Result(figure, values[figure.key]) for figure in measurement.figures], False


def main(arguments: Sequence[str] | None = None, *, effort: Effort | None = None) -> int:
    """Measure and report; return 1 if a measurement failed for a reason it did not foresee.

    ``effort`` is for tests of the benchmarks, instead of that of ``--quick``.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five short rounds, in two minutes")
    parser.add_argument(
        "--only",
        nargs="+",
        action="extend",
        type=known,
        metavar="NAME",
        help=f"figures, by key or family: {', '.join(FAMILIES)}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as flat JSON")
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE",
        help="write them as a page, and a picture into images/ beside it",
    )
    options = parser.parse_args(arguments)
    effort = effort or (QUICK if options.quick else FULL)
    results: list[Result] = []
    failed = False
    for measurement in MEASUREMENTS:
        if options.only and not any(map(measurement.answers_to, options.only)):
            continue
        print(f"{measurement.figures[0].key} …", file=sys.stderr, flush=True)
        some, surprise = carry_out(measurement, effort)
        results += some
        failed = failed or surprise
    report.print_table(results)
    if options.json:
        options.json.write_text(report.to_json(results), encoding="utf-8")
    if options.markdown:
        page.write(options.markdown, results)
    return int(failed)
