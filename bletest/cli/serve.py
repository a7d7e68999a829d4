"""``bletest serve``: emulated devices for apps, phones and firmware to talk to."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bletest.profile.spec import Profile


@click.command()
@click.argument("patterns", metavar="PROFILE...", nargs=-1, required=True)
@click.option(
    "--transport",
    metavar="SPEC",
    help="the device's radio, a bumble transport such as usb:0; one PROFILE only",
)
@click.option(
    "--hci-port",
    "ports",
    metavar="SPEC",
    multiple=True,
    help="offer a controller on a virtual air to another host, for example "
    "tcp-server:127.0.0.1:9000 (port 0 picks one); repeatable",
)
@click.option(
    "--capture",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="write the HCI traffic of each device to a btsnoop file in FOLDER",
)
@click.option(
    "--bond-store",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="keep bonds, and what goes with them, in FILE: they outlive the program",
)
@click.option(
    "--behaviours",
    metavar="DISTRIBUTION",
    multiple=True,
    help="an installed distribution whose behaviours profiles may name; repeatable",
)
@click.option("--seed", type=int, metavar="N", help="for addresses and keys; printed when chosen")
def serve(
    patterns: tuple[str, ...],
    transport: str | None,
    ports: tuple[str, ...],
    capture: Path | None,
    bond_store: Path | None,
    behaviours: tuple[str, ...],
    seed: int | None,
) -> None:
    """Emulate the device of each PROFILE until Ctrl-C.

    With --transport it advertises on a real controller. With --hci-port the devices share a
    virtual air with whoever attaches to the ports: another host stack, or an app under test.
    """
    import asyncio

    from bletest import profile
    from bletest.bench.options import choose_seed
    from bletest.bench.settings import parse_transport
    from bletest.cli.serving import serve_on_air, serve_on_radio
    from bletest.errors import UsageMistake
    from bletest.link.port_spec import parse_port

    if transport is not None:
        parse_transport("--transport", transport)
    specs = [parse_port("--hci-port", port) for port in ports]
    if (transport is None) == (not ports):
        raise UsageMistake(
            "say where the device is to be found: with --transport or with --hci-port",
            remedy="try --hci-port tcp-server:127.0.0.1:0, or --transport usb:0 for a dongle",
        )
    profiles: list[Profile] = [
        profile.load(path) for pattern in patterns for path in profile.find(pattern)
    ]
    if transport is None:
        chosen = choose_seed() if seed is None else seed
        asyncio.run(
            serve_on_air(
                profiles,
                specs,
                chosen,
                click.echo,
                capture=capture,
                distributions=behaviours,
                bond_store=bond_store,
            )
        )
        return
    if len(profiles) > 1:
        raise UsageMistake(
            f"one controller is one device, and {len(profiles)} profiles are named",
            remedy="name one of them: " + ", ".join(one.name for one in profiles),
        )
    asyncio.run(
        serve_on_radio(
            profiles[0],
            transport,
            seed,
            click.echo,
            capture=capture,
            distributions=behaviours,
            bond_store=bond_store,
        )
    )
