"""What is known to be wrong with a device, and until when that is put up with."""

from dataclasses import dataclass, field
from datetime import date

from bletest.profile.mistakes import Mistake


@dataclass(frozen=True, slots=True)
class KnownIssue:
    """Findings of one check that do not fail a test: they are told instead.

    ``check`` is the code of a check or the ID of an official test case; ``attribute`` the path of
    the attribute that is meant (``"device"`` for the device itself), None for any. ``until`` is
    the last day on which it counts, None for no end. ``place`` is where ``check`` stands in the
    file.
    """

    check: str
    reason: str
    until: date | None = None
    attribute: str | None = None
    place: Mistake | None = field(default=None, compare=False, repr=False)

    def about(self, code: str, official: tuple[str, ...], attribute: str) -> bool:
        """Whether it is about that check, which asks for what ``official`` cases ask, there."""
        return (self.check == code or self.check in official) and self.attribute in (
            None,
            attribute,
        )

    def expired(self, today: date) -> bool:
        """Whether it counts no more."""
        return self.until is not None and today > self.until

    def __str__(self) -> str:
        where = f" on {self.attribute}" if self.attribute else ""
        end = f", until {self.until}" if self.until else ""
        return f"{self.check}{where}: {self.reason}{end}"
