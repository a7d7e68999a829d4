"""``bletest profiles``: what comes with bletest."""

from itertools import takewhile
from pathlib import Path

import click


@click.command()
def profiles() -> None:
    """List the shipped profiles, their services and what they describe.

    Each name can be given wherever a PROFILE is asked for.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from bletest import profile
    from bletest.cli.console import output

    table = Table(box=box.SIMPLE)
    table.add_column("name", style="bold", no_wrap=True)
    table.add_column("services")
    table.add_column("description")
    for name, path in profile.shipped().items():
        services = ", ".join(service.uuid.label for service in profile.load(path).services)
        table.add_row(escape(name), escape(services), escape(describe(path)))
    output().print(table)


def describe(path: Path) -> str:
    """Return the comment that a profile begins with, as one paragraph; "" if there is none."""
    with path.open(encoding="utf-8") as lines:
        comments = takewhile(lambda line: line.startswith("#"), lines)
        return " ".join(line.removeprefix("#").strip() for line in comments)
