"""What a check found wrong."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs: an error fails the test, a warning is told."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One clause that the device does not keep.

    ``check`` is the stable code of the check (``read.value``), ``attribute`` the path of the
    attribute (``heart_rate/body_sensor_location``) or ``"device"``. ``expected`` and
    ``observed`` are sentences for a person; ``paragraph`` cites the Core Specification or the
    profile; ``official`` holds the IDs of official test cases that ask for the same.
    """

    check: str
    attribute: str
    expected: str
    observed: str
    paragraph: str = ""
    official: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR
    remedy: str = ""

    def __str__(self) -> str:
        lines = [
            f"{self.check} on {self.attribute}",
            f"  expected: {self.expected}",
            f"  observed: {self.observed}",
        ]
        if self.paragraph or self.official:
            lines.append("  source: " + ", ".join(filter(None, (self.paragraph, *self.official))))
        if self.remedy:
            lines.append(f"  remedy: {self.remedy}")
        return "\n".join(lines)
