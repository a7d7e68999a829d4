"""The page of the documents: what is measured, the picture, the figures."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import picture
from benchmarks.report import Result

PICTURE = "performance.svg"


def write(path: Path, results: Sequence[Result]) -> None:
    """Write the page to ``path``, and its picture into the folder ``images`` beside it."""
    images = path.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    values = {result.figure.key: result.value for result in results}
    (images / PICTURE).write_text(picture.draw(values), encoding="utf-8")
    path.write_text(to_markdown(results), encoding="utf-8")


def to_markdown(results: Sequence[Result]) -> str:
    """Return the page, with a table of the figures in it."""
    words = (Path(__file__).parent / "performance.md").read_text(encoding="utf-8")
    return words.replace("<!-- machine -->", machine()).replace("<!-- figures -->", table(results))


def machine() -> str:
    """Return what the figures were taken on, in a sentence."""
    return (
        f"Taken with Python {platform.python_version()}, bumble {version('bumble')} and bleak "
        f"{version('bleak')} on {platform.system()} ({platform.machine()}, "
        f"{os.cpu_count()} cores)."
    )


def table(results: Sequence[Result]) -> str:
    """Return the figures as a table, and beneath it why some are missing."""
    lines = ["| figure | what it is | value | better | goal |", "|---|---|---:|---|---:|"]
    for result in results:
        figure = result.figure
        lines.append(
            f"| `{figure.key}` | {figure.what} | {result.shown} | {figure.better} | {figure.goal} |"
        )
    reasons = [f"- `{one.figure.key}`: {one.why}" for one in results if one.why]
    if reasons:
        lines += ["", "Not measured:", "", *reasons]
    return "\n".join(lines)
