"""Known issues of a profile: findings that are told and fail no test.

What came of each issue travels with the report of the test, in a form that pytest-xdist carries.
"""

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bletest.conformance import Case
    from bletest.contracts.findings import Finding
    from bletest.profile.spec import Profile


class Came(StrEnum):
    """What a test says about an issue."""

    FOUND = "found"
    EXPIRED = "expired"
    GONE = "gone"


Note = tuple[str, str, str]
"""The profile's name, the issue in words, and a value of :class:`Came`."""

NOTES: pytest.StashKey[list[Note]] = pytest.StashKey()
FINDINGS: "pytest.StashKey[tuple[Any, ...]]" = pytest.StashKey()
"""What a check found, kept from the call to the end of the test."""


def check_names(profiles: "Iterable[Profile]") -> None:
    """Raise ProfileError where a profile knows of an issue with no check that there is."""
    for profile in profiles:
        if profile.known_issues:
            from bletest.conformance.known import check_names

            check_names(profile)


def passed(item: pytest.Item) -> None:
    """Note that a test has found nothing, for the issues that its check is about."""
    _note(item, ())


def failed(item: pytest.Item, error: Exception) -> None:
    """End the test as an expected failure if every finding is known, and note what was found.

    What keeps a check from finding anything, such as a lost link, is known to no issue.
    """
    from bletest.errors import CheckFailed

    if not isinstance(error, CheckFailed) or not _issues(item):
        return
    findings: Sequence[Finding] = error.findings  # type: ignore[assignment]
    new = _note(item, findings)
    if not new:
        item.stash[FINDINGS] = tuple(findings)
        told = dict.fromkeys(text for _, text, came in item.stash[NOTES] if came == Came.FOUND)
        pytest.xfail(f"known issue: {'; '.join(told)}\n{error}")


def _issues(item: pytest.Item) -> "tuple[Profile, Case] | None":
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    profile: Profile | None = parameters.get("ble_profile")
    case: Case | None = parameters.get("ble_case")
    if profile is None or case is None or not profile.known_issues:
        return None
    return profile, case


def _note(item: pytest.Item, findings: "Sequence[Finding]") -> "Sequence[Finding]":
    """Note what came of the issues that the test is about; return the findings nobody knows."""
    concerned = _issues(item)
    if concerned is None:
        return findings
    from bletest.conformance.known import sort_out

    profile, case = concerned
    today = date.today()
    notes: list[Note] = []
    for issue in profile.known_issues:
        if any(issue.about(one.check, one.official, one.attribute) for one in findings):
            came = Came.EXPIRED if issue.expired(today) else Came.FOUND
        elif issue.about(case.check.code, case.check.official, case.attribute):
            came = Came.GONE
        else:
            continue
        notes.append((profile.name, str(issue), came.value))
    item.stash[NOTES] = notes
    return sort_out(profile.known_issues, findings, today)[1]


def found_in(item: pytest.Item) -> tuple[str, ...]:
    """Return the issues that made a test fail as expected, in words."""
    notes = item.stash.get(NOTES, [])
    return tuple(dict.fromkeys(text for _, text, came in notes if came == Came.FOUND))


class Tally:
    """What came of all known issues in a session: those of ``profiles``, looked for or not."""

    def __init__(self, profiles: "Iterable[Profile]") -> None:
        self._came: dict[tuple[str, str], dict[str, int]] = {
            (profile.name, str(issue)): {} for profile in profiles for issue in profile.known_issues
        }

    def add(self, notes: "Iterable[Note]") -> None:
        """Take in what one test noted."""
        for profile, text, came in notes:
            counts = self._came.setdefault((profile, text), {})
            counts[came] = counts.get(came, 0) + 1

    def lines(self) -> "Iterator[str]":
        """Yield a line for each issue."""
        for (profile, text), counts in self._came.items():
            name = f"{profile}: {text}"
            if count := counts.get(Came.FOUND):
                yield f"known issue, found {count} ×: {name}"
            elif count := counts.get(Came.EXPIRED):
                yield f"known issue that has expired, found {count} ×: {name}"
            elif count := counts.get(Came.GONE):
                yield (
                    f"known issue that is gone: {name} "
                    f"({count} × nothing was found: take it out of the profile)"
                )
            else:
                yield f"known issue that nobody looked for: {name}"
