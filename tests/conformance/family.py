"""A family of cases: a catalogue, what is written of it, and what runs one."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from bletest.link import clock
from tests.conformance.official.lab import lab

Case = Callable[[Any], Awaitable[None]]
Opening = Callable[[], AbstractAsyncContextManager[Any]]
"""Opens a :class:`~tests.conformance.official.lab.Lab`, or what can be dismissed as one can."""


@dataclass(frozen=True)
class Entry:
    """One case of a catalogue.

    ``not_carried`` says why it cannot be sent over the virtual link, ``open`` what has yet to be
    done for it to pass, ``bumble`` what bumble's own host did.
    """

    id: str
    about: str
    expect: str = ""
    layer: str = ""
    not_carried: str = ""
    open: str = ""
    bumble: str = ""


@lru_cache
def _entries(catalogue: Path) -> tuple[Entry, ...]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return tuple(Entry(**one) for one in yaml.load(catalogue.read_text(), loader))


class Family:
    """The cases of one catalogue.

    ``name`` is what the count is printed with, ``counted`` what is counted, in words; ``title``
    and ``words`` stand on the page.
    """

    def __init__(
        self,
        name: str,
        catalogue: Path,
        *,
        title: str,
        words: str,
        counted: str,
        opening: Opening = lab,
    ) -> None:
        self.name = name
        self.catalogue = catalogue
        self.title, self.words, self.counted = title, words, counted
        self.cases: dict[str, Case] = {}
        self._openings: dict[str, Opening] = {}
        self._opening = opening

    def case(self, *identifiers: str, on: Opening | None = None) -> Callable[[Case], Case]:
        """Register a case under its identifiers; ``on`` opens a lab of its own."""

        def register(function: Case) -> Case:
            for identifier in identifiers:
                assert identifier not in self.cases, identifier
                self.cases[identifier] = function
                self._openings[identifier] = on or self._opening
            return function

        return register

    def entries(self) -> tuple[Entry, ...]:
        """Return every case of the catalogue, in order."""
        return _entries(self.catalogue)

    @property
    def has_expectations(self) -> bool:
        """Whether the catalogue says what is expected apart from what a case is about."""
        return any(one.expect for one in self.entries())

    def carried(self) -> list[Entry]:
        """Return those that can be sent over the virtual link."""
        return [one for one in self.entries() if not one.not_carried]

    def run(self, identifier: str, opening: Opening | None = None) -> None:
        """Run one case on a device of its own, in virtual time; raises where it fails.

        Whatever the case was, the device serves a stranger afterwards, if it serves at all.
        """

        async def main() -> None:
            async with (opening or self._openings[identifier])() as opened:
                await self.cases[identifier](opened)
                await opened.dismiss()
                if opened.can_serve:
                    await opened.still_serves()

        clock.run(main())
