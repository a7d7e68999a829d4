"""From the key ``known_issues`` to issues whose attributes are known.

Which checks there are is known further up: :func:`bletest.conformance.known.check_names` looks.
"""

from collections.abc import Sequence

from bletest.profile.known_issues import KnownIssue
from bletest.profile.mistakes import Mistake
from bletest.profile.model import KnownIssueModel
from bletest.profile.resolve_names import Naming
from bletest.profile.shape import Shaped
from bletest.profile.tree import Path, place_at

DEVICE = "device"
"""What stands for the device itself where an attribute could stand."""


def read_known_issues(
    shaped: Shaped, naming: Naming, given: Sequence[KnownIssueModel]
) -> tuple[KnownIssue, ...]:
    """Return the issues; those with mistakes, noted, are left out."""
    found: list[KnownIssue] = []
    for index, one in enumerate(given):
        at: Path = ("known_issues", index)
        attribute = one.of
        if attribute is not None and attribute != DEVICE:
            if attribute not in naming.paths.values():
                attribute = naming.attributes.find(attribute, (*at, "of"))
            if attribute is None:
                continue
        if not one.reason.strip():
            shaped.mistake((*at, "reason"), "nobody knows why", "say it in a sentence")
            continue
        if any((each.check, each.attribute) == (one.check, attribute) for each in found):
            shaped.mistake((*at, "check"), f"`{one.check}` is here a second time", "remove one")
            continue
        reader = shaped.reader
        line, column = place_at(shaped.root, (*at, "check"))
        source = reader.lines[line - 1] if 0 < line <= len(reader.lines) else ""
        place = Mistake(reader.name, line, column, source, "")
        found.append(KnownIssue(one.check, one.reason, one.until, attribute, place))
    return tuple(found)
