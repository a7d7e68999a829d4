"""Findings that a profile knows of, told apart from those that it does not.

::

    check_names(profile)  # raises ProfileError for an issue of no check
    known, new = sort_out(profile.known_issues, findings, date.today())
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from difflib import get_close_matches

from bletest.conformance import all_checks
from bletest.contracts.findings import Finding
from bletest.errors import ProfileError
from bletest.profile.known_issues import KnownIssue
from bletest.profile.mistakes import Mistake
from bletest.profile.spec import Profile


def check_names(profile: Profile) -> None:
    """Raise :class:`~bletest.errors.ProfileError` where a known issue is about no check."""
    if not profile.known_issues:
        return
    codes = [one.code for one in all_checks()]
    official = sorted({case for one in all_checks() for case in one.official})
    mistakes = []
    for issue in profile.known_issues:
        if issue.check in codes or issue.check in official:
            continue
        place = issue.place or Mistake(str(profile.source or profile.name), 0, 0, "", "")
        close = get_close_matches(issue.check, (*codes, *official), n=1)
        remedy = f'did you mean "{close[0]}"?' if close else "a finding names its check"
        mistakes.append(
            replace(place, message=f"no check is called `{issue.check}`", remedy=remedy)
        )
    if mistakes:
        raise ProfileError(mistakes)


def sort_out(
    issues: Sequence[KnownIssue], findings: Sequence[Finding], today: date
) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that are known, and the others; an issue that has expired knows none."""
    counting = [issue for issue in issues if not issue.expired(today)]
    known: list[Finding] = []
    new: list[Finding] = []
    for one in findings:
        is_known = any(issue.about(one.check, one.official, one.attribute) for issue in counting)
        (known if is_known else new).append(one)
    return known, new
