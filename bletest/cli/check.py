"""``bletest check``: what is wrong with profiles."""

from pathlib import Path

import click

from bletest.cli.exit_codes import ExitCode


@click.command()
@click.argument("patterns", metavar="PROFILE...", nargs=-1, required=True)
def check(patterns: tuple[str, ...]) -> int:
    """Read each PROFILE (a file, a shipped name, or a glob) and print every mistake.

    Exits with 3 if a profile is wrong, with 4 if a PROFILE matches nothing.
    """
    from bletest import profile
    from bletest.cli import complain
    from bletest.conformance.known import check_names
    from bletest.errors import NothingMatched, ProfileError

    worst = ExitCode.PASSED
    paths: dict[Path, Path] = {}  # by where they really are: a glob may name a file again
    for pattern in patterns:
        try:
            for path in profile.find(pattern):
                paths.setdefault(path.resolve(), path)
        except NothingMatched as error:
            complain(error)
            worst = ExitCode.USAGE
    for path in paths.values():
        try:
            loaded = profile.load(path)
            check_names(loaded)
        except ProfileError as error:
            complain(error)
            worst = ExitCode.PROFILE_WRONG
        else:
            services, characteristics = len(loaded.services), len(tuple(loaded.characteristics()))
            click.echo(
                f"{path}: fine, {_count(services, 'service')},"
                f" {_count(characteristics, 'characteristic')}"
            )
    return worst


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
