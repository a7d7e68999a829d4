"""``bletest schema``: the JSON Schema of profiles."""

from pathlib import Path

import click


@click.command()
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="write it to FILE instead",
)
def schema(output: Path | None) -> None:
    """Print the JSON Schema of the profile format.

    An editor that knows it completes keys and marks mistakes. With the YAML language server,
    let a profile begin with:

        # yaml-language-server: $schema=FILE
    """
    from bletest.errors import UsageMistake
    from bletest.evidence.files import write_atomically
    from bletest.profile.schema import render_schema

    text = render_schema()
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(output, text.encode())
    except OSError as error:
        raise UsageMistake(
            f"{output} cannot be written: {error.strerror or error}",
            remedy="name a file in a directory that you may write to",
        ) from error
