"""The command line: ``bletest COMMAND``.

A command's module is imported when the command is used, so that ``bletest --help`` is there at
once. A mistake of the user ends in one message and an exit code
(:class:`~bletest.cli.exit_codes.ExitCode`); a traceback means a mistake of bletest.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

import bletest
from bletest.cli.exit_codes import ExitCode
from bletest.errors import BenchTrouble, BletestError, DeviceFault, ProfileError

_COMMANDS = {
    "run": "Run the tests that a profile implies.",
    "check": "Say what is wrong with profiles.",
    "profiles": "List the profiles that come with bletest.",
    "schema": "Print the JSON Schema of profiles, for editors.",
    "scan": "List the devices that advertise.",
    "serve": "Emulate devices until Ctrl-C.",
    "app": "Run a program that uses bleak, against emulated devices.",
    "run-script": "Be the device of a MicroPython script for a Pycom board.",
    "doctor": "Say what this machine can do, and what would mend the rest.",
    "air": "Offer HCI ports on a virtual air until Ctrl-C.",
}
"""Every command with its short help; ``bletest.cli.NAME`` holds it as ``NAME``."""

_INTERRUPTED = 130  # what a shell reports for a program that SIGINT ended


class _Commands(click.Group):
    """A group that imports a command when it is used, and has the exit codes of bletest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, most used first."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(import_module(f"bletest.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Refuse an unknown command with a suggestion."""
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            close = get_close_matches(name, _COMMANDS, n=1)
            hint = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(_COMMANDS)}"
            ctx.fail(f'there is no command "{name}"; {hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and, unless ``standalone_mode`` is off, exit with its code."""

        def run() -> Any:
            return super(_Commands, self).main(
                args,
                prog_name,
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )

        if not standalone_mode:
            return run()
        try:
            raise SystemExit(int(run() or ExitCode.PASSED))
        except click.Abort:
            raise SystemExit(_INTERRUPTED) from None
        except click.ClickException as mistake:
            mistake.show()
            raise SystemExit(int(ExitCode.USAGE)) from None
        except BletestError as error:
            complain(error)
            raise SystemExit(int(exit_code_of(error))) from None


def complain(error: BletestError) -> None:
    """Say on standard error what is wrong and what to do about it."""
    # The mistakes of a profile begin with file:line:column, by which editors find the place.
    text = str(error) if isinstance(error, ProfileError) else f"bletest: {error}"
    click.echo(text, err=True)


def exit_code_of(error: BletestError) -> ExitCode:
    """Return what the process exits with when ``error`` ends it."""
    match error:
        case DeviceFault():
            return ExitCode.DEVICE_FAULT
        case BenchTrouble():
            return ExitCode.BENCH_TROUBLE
        case ProfileError():
            return ExitCode.PROFILE_WRONG
        case _:
            return ExitCode.USAGE


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 passed, 1 a fault of the device, 2 trouble of the bench, "
    "3 a wrong profile, 4 a wrong command line, 5 nothing ran.",
)
@click.version_option(bletest.__version__, prog_name="bletest")
def main() -> None:
    """Hardware-in-the-loop tests for Bluetooth LE devices, from one YAML profile."""
