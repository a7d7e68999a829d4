"""An answer is a value: what came back from an attempt, raising is the caller's choice."""

from dataclasses import dataclass

from bletest.att.codes import error_text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation brought: a value, an ATT error, or a symptom.

    ``operation``
        ``"read"``, ``"write"``, …; ``attribute`` names what it was tried on.
    ``value``
        The octets that came; empty for a write that succeeded; None if it did not succeed.
    ``code``
        The ATT error code where the adapter tells it (Vol 3, Part F, 3.4.1.1).
    ``symptom``
        What an adapter says where it hides the code: ``"not_paired"``; or what happened instead
        of an answer: ``"no_answer"``, ``"link_lost"``.
    """

    operation: str
    attribute: str
    value: bytes | None = None
    code: int | None = None
    symptom: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the device did as it was asked."""
        return self.value is not None

    def refused_with(self, *accepted: int | str) -> bool:
        """Whether the refusal is one of ``accepted`` (codes and symptoms)."""
        return not self.succeeded and (self.code in accepted or self.symptom in accepted)

    def __str__(self) -> str:
        if self.value:
            count = "1 octet" if len(self.value) == 1 else f"{len(self.value)} octets"
            return f"{count} {self.value.hex(' ')}"
        if self.value is not None:
            return "accepted"
        if self.code is not None:
            return error_text(self.code)
        return (self.symptom or "no answer").replace("_", " ")
