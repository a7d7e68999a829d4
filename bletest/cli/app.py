"""``bletest app``: a program that uses plain bleak, on a virtual air."""

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bletest.profile.spec import Profile


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--emulate",
    "patterns",
    metavar="PROFILE",
    multiple=True,
    help="emulate this device on an air of the program's own; repeatable",
)
@click.option("--seed", type=int, metavar="N", help="for addresses and keys")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def app(patterns: tuple[str, ...], seed: int | None, command: tuple[str, ...]) -> None:
    """Run COMMAND; where it uses bleak and names no back end, it meets the devices on the air.

    Those of --emulate, or of the radios that BLETEST_ADAPTERS names: comma-separated bumble
    transports such as a port of ``bletest serve --hci-port``. The exit code is the program's.
    """
    import asyncio

    from bletest import profile
    from bletest.apps.environment import environment_for
    from bletest.bench.options import choose_seed
    from bletest.errors import UsageMistake
    from bletest.standalone.radios import VARIABLE, named_radios

    if patterns:
        profiles: list[Profile] = [
            profile.load(path) for pattern in patterns for path in profile.find(pattern)
        ]
        chosen = choose_seed() if seed is None else seed
        raise SystemExit(asyncio.run(_run_on_air(profiles, chosen, command)))
    if not os.environ.get(VARIABLE):
        raise UsageMistake(
            "no device is there for the program to meet",
            remedy=f"emulate one with --emulate heart_rate, or name the radio in {VARIABLE}: "
            "tcp-client:127.0.0.1:9000",
        )
    environment = {**os.environ, **environment_for(named_radios())}
    words = _words(command)
    try:
        os.execvpe(words[0], words, environment)
    except OSError as error:
        raise UsageMistake(f"{words[0]} cannot be started: {error.strerror}") from error


async def _run_on_air(profiles: "list[Profile]", seed: int, command: tuple[str, ...]) -> int:
    """Emulate the devices while the program runs, and return its exit code."""
    import asyncio
    import signal
    from contextlib import AsyncExitStack

    from bletest.apps.environment import environment_for
    from bletest.apps.program import ANY_PORT
    from bletest.bench.bench import Bench
    from bletest.bench.settings import CaptureChoice, Settings
    from bletest.errors import UsageMistake
    from bletest.link.hci_port import HciPort

    async with AsyncExitStack() as resources:
        settings = Settings(seed=seed, capture=CaptureChoice.OFF)
        bench = await resources.enter_async_context(Bench(settings))
        assert bench.air is not None  # these settings name no radio
        for one in profiles:
            device = await resources.enter_async_context(bench.device(one))
            click.echo(f"{one.name} at {device.address} ({one.device.name})", err=True)
        port = await resources.enter_async_context(HciPort(bench.air, ANY_PORT, name="app"))
        # Ctrl-C is for the program, which gets it too: it decides what becomes of it.
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, lambda: None)
        resources.callback(loop.remove_signal_handler, signal.SIGINT)
        environment = {**os.environ, **environment_for([port.other_end])}
        words = _words(command)
        try:
            process = await asyncio.create_subprocess_exec(*words, env=environment)
        except OSError as error:
            raise UsageMistake(f"{words[0]} cannot be started: {error.strerror}") from error
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.terminate()
        return code if code >= 0 else 128 - code


def _words(command: tuple[str, ...]) -> tuple[str, ...]:
    import sys

    return (sys.executable, *command[1:]) if command[0] in ("python", "python3") else command
