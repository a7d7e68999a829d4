"""``bletest run-script``: a MicroPython script for a Pycom board, on an emulated device."""

from pathlib import Path

import click


@click.command("run-script")
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--transport",
    metavar="SPEC",
    help="the device's radio, a bumble transport such as usb:0 [default: a virtual air]",
)
@click.option(
    "--hci-port",
    "ports",
    metavar="SPEC",
    multiple=True,
    help="offer a controller on that air to another host, for example tcp-server:127.0.0.1:9000",
)
def run_script(script: Path, transport: str | None, ports: tuple[str, ...]) -> None:
    """Run SCRIPT, and be its device until Ctrl-C, as a board is after its main.py has run.

    ``from network import Bluetooth`` in it is the device's radio. Started by
    ``--ble-device-command``, it attaches to the test's air.
    """
    import os
    import runpy
    import signal
    import sys
    import threading
    from types import ModuleType

    from bletest.bench.settings import parse_transport
    from bletest.compat.pycom import Bluetooth
    from bletest.errors import UsageMistake
    from bletest.link.hci_port import HciPort
    from bletest.link.port_spec import parse_port
    from bletest.standalone.engine import Engine
    from bletest.standalone.radios import VARIABLE

    transport = transport or (None if ports else os.environ.get("BLETEST_HCI_TRANSPORT"))
    if transport is not None:
        if ports:
            raise UsageMistake("a device on a radio of its own has no air to offer ports on")
        os.environ[VARIABLE] = parse_transport("--transport", transport)
    engine = Engine.shared()
    for number, spec in enumerate(ports):
        port = HciPort(
            engine.air, parse_port("--hci-port", spec), name=f"port {number}", say=click.echo
        )
        engine.call(port.__aenter__(), within=10)
        click.echo(f"HCI port {port.transport}")

    network = ModuleType("network")
    network.Bluetooth = Bluetooth  # type: ignore[attr-defined]
    sys.modules["network"] = network
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    sys.path.insert(0, str(script.resolve().parent))
    runpy.run_path(str(script), run_name="__main__")
    for one in Bluetooth.instances():
        click.echo(f"{script.name} at {one.address}")
    click.echo("ready; end with Ctrl-C")
    over.wait()
    for one in Bluetooth.instances():
        one.deinit()
