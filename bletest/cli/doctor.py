"""``bletest doctor``: what this machine can do, and what would mend the rest."""

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
def doctor(as_json: bool) -> None:
    """Say what this machine has for testing Bluetooth, and how to get what it lacks.

    The virtual air needs none of it: emulated devices run everywhere.
    """
    import json
    from dataclasses import asdict

    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from bletest.bench.machine import Machine
    from bletest.cli.console import output

    lines = Machine().lines()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in lines], indent=2))
        return
    table = Table(box=box.SIMPLE)
    table.add_column("")
    table.add_column("what", style="bold")
    table.add_column("how it is")
    for one in lines:
        mark = "[green]yes[/]" if one.usable else "[yellow]no[/]"
        told = escape(one.detail + (f" ({one.identity})" if one.identity else ""))
        table.add_row(mark, escape(one.name), told)
    output().print(table)
    for one in lines:
        if one.remedy:
            click.echo(f"{one.name}: {one.remedy}")
