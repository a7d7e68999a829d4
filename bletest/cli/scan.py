"""``bletest scan``: what is on the air."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from bletest.contracts.advertisements import Advertisement


@click.command()
@click.option(
    "--transport",
    metavar="SPEC",
    help="scan with this radio, a bumble transport such as usb:0 [default: the operating system's]",
)
@click.option(
    "--seconds",
    metavar="N",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="how long",
)
def scan(transport: str | None, seconds: float) -> None:
    """Scan, and list every device that was seen, the strongest first."""
    import asyncio

    from bletest.bench.settings import parse_transport
    from bletest.cli.console import output

    if transport is not None:
        parse_transport("--transport", transport)
    found = asyncio.run(_scan(transport, seconds))
    if found:
        output().print(table_of(found))
    devices = "device" if len(found) == 1 else "devices"
    click.echo(f"{len(found)} {devices} in {seconds:g} s", err=True)


async def _scan(transport: str | None, seconds: float) -> "list[Advertisement]":
    import random

    from rich.console import Console

    from bletest.client.scan import scan as scan_with
    from bletest.errors import AdapterUnusable

    with Console(stderr=True).status(f"scanning for {seconds:g} s"):
        if transport is None:
            try:
                return await scan_with(None, within=seconds)
            except AdapterUnusable as error:
                raise AdapterUnusable(
                    f"the operating system's Bluetooth cannot be used: {error.message}",
                    remedy="switch it on, or name a radio: --transport usb:0",
                ) from error
        from bletest.client.adapter import BumbleAdapter
        from bletest.link.station import open_station

        station = await open_station(
            transport, name="bletest scan", address=None, rng=random.SystemRandom()
        )
        try:
            return await scan_with(BumbleAdapter(station), within=seconds)
        finally:
            await station.close()


def table_of(found: "Sequence[Advertisement]") -> "Table":
    """Return the table that people see, strongest signal first."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    table.add_column("address", style="bold", no_wrap=True)
    table.add_column("RSSI", justify="right", no_wrap=True)
    table.add_column("name")
    table.add_column("services")
    table.add_column("data")
    for one in sorted(found, key=lambda one: (-(one.rssi or -127), one.address)):
        made_by = sorted(one.manufacturer_data.items())
        data = [f"0x{company:04X}: {octets.hex(' ')}" for company, octets in made_by]
        data += [f"{uuid.label}: {octets.hex(' ')}" for uuid, octets in one.service_data.items()]
        table.add_row(
            escape(one.address),
            "" if one.rssi is None else f"{one.rssi} dBm",
            escape(one.name or ""),
            escape(", ".join(uuid.label for uuid in one.services)),
            escape("\n".join(data)),
        )
    return table
