"""The figures as a table for people, and as JSON for machines."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.picture import number


@dataclass(frozen=True, slots=True)
class Result:
    """A figure and its value; where that is None, ``why`` says why."""

    figure: Figure
    value: float | None
    why: str = ""

    @property
    def shown(self) -> str:
        return "–" if self.value is None else f"{number(self.value)} {self.figure.unit}".rstrip()


def print_table(results: Sequence[Result]) -> None:
    table = Table(box=None, header_style="bold")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("what it is")
    family = ""
    for result in results:
        if family and result.figure.family != family:
            table.add_row()
        family = result.figure.family
        figure = result.figure
        table.add_row(figure.key, result.shown, figure.goal, escape(figure.what))
    console = Console()
    console.print(table)
    for result in results:
        if result.why:
            console.print(f"{result.figure.key}: {escape(result.why)}", highlight=False)


def to_json(results: Sequence[Result]) -> str:
    """Return one flat object, figures by key; null for what could not be measured."""
    flat = {result.figure.key: result.value for result in results}
    return json.dumps(flat, indent=2) + "\n"
