"""Permission, security of the link, operation and bearer: every cell against the specification.

``specification.yaml`` is the table, :mod:`table` what it says of a cell, :mod:`operations` the
octets. Two lanes run the cells: :mod:`engine` all of them at the bearers of our server, :mod:`air`
those that a plain bumble central reaches by pairing with an emulated device.
"""

from dataclasses import dataclass, field


@dataclass
class Outcome:
    """How many cells were run, and those that were not as the table says."""

    cells: int = 0
    wrong: list[tuple[object, object, tuple[object, ...]]] = field(default_factory=list)

    def check(self, actual: object, expected: object, *cell: object) -> None:
        """Count a cell."""
        self.cells += 1
        if actual != expected:
            self.wrong.append((actual, expected, cell))

    def add(self, other: "Outcome") -> None:
        """Take over another's cells."""
        self.cells += other.cells
        self.wrong += other.wrong

    def report(self, most: int = 20) -> str:
        """A line for each cell that is wrong, ``most`` at most."""
        lines = [
            f"{' · '.join(map(str, cell))}: {_text(actual)} in place of {_text(expected)}"
            for actual, expected, cell in self.wrong[:most]
        ]
        if len(self.wrong) > most:
            lines.append(f"and {len(self.wrong) - most} more of {self.cells}")
        return "\n".join(lines)


def _text(octets: object) -> str:
    if isinstance(octets, bytes):
        return octets.hex(" ")
    if isinstance(octets, list | tuple):
        return "(" + ", ".join(map(_text, octets)) + ")"
    return str(octets)
