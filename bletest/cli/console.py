"""Where tables go."""

import sys

from rich.console import Console

_WIDTH_OF_A_PIPE = 160


def output() -> Console:
    """Return a console on standard output; into a pipe or file it is wide and plain."""
    # A pipe has no width, and what is cut there cannot be searched for.
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)
