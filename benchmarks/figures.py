"""What is measured: the figures by their keys, and the functions that measure them."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.harness import Effort

HIGHER = "higher"
LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the report.

    ``key`` is what the JSON calls it, ``family.name``. ``what`` completes the sentence "this
    is …". ``better`` is :data:`HIGHER` or :data:`LOWER`, ``goal`` what the project wants of it.
    """

    key: str
    what: str
    unit: str
    better: str
    goal: str = ""

    @property
    def family(self) -> str:
        return self.key.partition(".")[0]


class CannotMeasure(Exception):
    """A figure that this machine, this checkout or this run cannot give; the message says why."""


Values = dict[str, float]
Measure = Callable[[Effort], Values]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A function, and the figures that it returns by key."""

    figures: tuple[Figure, ...]
    measure: Measure

    @property
    def family(self) -> str:
        return self.figures[0].family

    def answers_to(self, name: str) -> bool:
        """Return whether ``name`` is the family, or the key of one of the figures."""
        return name == self.family or any(figure.key == name for figure in self.figures)
