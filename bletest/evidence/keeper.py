"""Where the evidence of a test goes: to a report, or nowhere.

The pytest plugin holds one :class:`Keeper` and does not care which. :func:`open_keeper` imports
allure only when there is a directory to write to.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bletest.contracts.findings import Finding
from bletest.evidence.transcript import Transcript

MACHINERY = ("_", "ble_")
"""How names of pytest's parameters begin that a report does not show."""


@dataclass(frozen=True, slots=True)
class Story:
    """What a report says about one test beside its verdict; empty parts are left as they are.

    ``profile``, ``service`` and ``characteristic`` become epic, feature and story, the levels by
    which Allure groups behaviours. ``severity`` is one of Allure's words (``blocker``,
    ``critical``, ``normal``, ``minor``, ``trivial``). ``official`` are IDs of official test
    cases, shown as tags. ``known`` are the known issues that were found, in words: with them the
    test is shown as known.

    ``parameters`` tell this test from its siblings, as the profile's name does;
    ``surroundings`` (the adapter, the seed) are shown beside them and do not: a change of dongle
    keeps a test's history. Parameters that pytest itself passes to the machinery (a name that
    begins as in :data:`MACHINERY`) are not shown, those of the user's tests are.
    """

    title: str = ""
    description: str = ""
    profile: str = ""
    service: str = ""
    characteristic: str = ""
    severity: str = ""
    official: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    surroundings: Mapping[str, object] = field(default_factory=dict)


class Step(Protocol):
    """A step that is being shown."""

    def says(self, outcome: str) -> None:
        """Put what came of it behind the title: ``read x`` becomes ``read x → outcome``."""


class Keeper(Protocol):
    """What a test may leave behind. Every method is harmless when no test runs.

    What is attached stands with the test itself, also when a fixture attaches it at its end.
    """

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all: False lets a caller save the work of rendering."""

    def tell(self, story: Story) -> None:
        """Add ``story`` to the test that runs.

        Call it in the call phase or later: allure-pytest sets the title anew after set-up.
        """

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Show what happens in a ``with`` block as a step, with its verdict."""

    def attach_transcript(self, transcript: Transcript) -> None:
        """Attach the transcript as text and as JSON Lines; an empty one leaves nothing."""

    def attach_findings(self, findings: Sequence[Finding]) -> None:
        """Attach a table of what a check found; no findings leave nothing."""

    def attach_text(self, name: str, text: str) -> None:
        """Attach plain text under ``name``."""

    def attach_file(self, path: Path) -> None:
        """Attach a file as it is, under its own name, for people to download."""

    def describe_session(
        self, *, name: str, environment: Mapping[str, object], variables: Mapping[str, str]
    ) -> None:
        """Write what holds for all tests of the session, see
        :func:`~bletest.evidence.session.write_session_files`."""


class UnshownStep:
    """A step that nobody shows."""

    def says(self, outcome: str) -> None:
        """Do nothing."""


_UNSHOWN: AbstractContextManager[Step] = nullcontext(UnshownStep())


class NoKeeper:
    """Keeps nothing."""

    @property
    def keeps(self) -> bool:
        """Nothing is."""
        return False

    def tell(self, story: Story) -> None:
        """Do nothing."""

    def step(self, title: str) -> AbstractContextManager[Step]:
        """Do nothing around the block."""
        return _UNSHOWN

    def attach_transcript(self, transcript: Transcript) -> None:
        """Do nothing."""

    def attach_findings(self, findings: Sequence[Finding]) -> None:
        """Do nothing."""

    def attach_text(self, name: str, text: str) -> None:
        """Do nothing."""

    def attach_file(self, path: Path) -> None:
        """Do nothing."""

    def describe_session(
        self, *, name: str, environment: Mapping[str, object], variables: Mapping[str, str]
    ) -> None:
        """Do nothing."""


def open_keeper(results: Path | None) -> Keeper:
    """Return a keeper that writes to the allure-results directory ``results``, or to nowhere.

    allure-pytest must have been given the same directory (``--alluredir``).
    """
    if results is None:
        return NoKeeper()
    from bletest.evidence.allure import AllureKeeper

    return AllureKeeper(results)
