"""``bletest air``: a virtual air that other host stacks meet on."""

import click


@click.command()
@click.option(
    "--hci-port",
    "ports",
    metavar="SPEC",
    multiple=True,
    required=True,
    help="offer a controller: tcp-server:127.0.0.1:9000 (port 0 picks one), unix-server:PATH or "
    "pty:PATH, with ,buffers=27 or ,address=02:00:00:00:00:01 behind it; repeatable",
)
@click.option("--seed", type=int, metavar="N", help="for addresses; printed when chosen")
def air(ports: tuple[str, ...], seed: int | None) -> None:
    """Offer HCI ports on a virtual air until Ctrl-C.

    Each port is a Bluetooth LE controller that a host stack attaches to as to a dongle: firmware
    that runs on this machine, an app under test, two stacks that have never met. To have devices
    on the air too, use bletest serve.
    """
    import asyncio

    from bletest.bench.options import choose_seed
    from bletest.cli.serving import serve_on_air
    from bletest.link.port_spec import parse_port

    specs = [parse_port("--hci-port", port) for port in ports]
    chosen = choose_seed() if seed is None else seed
    asyncio.run(serve_on_air([], specs, chosen, click.echo))
