"""What is wrong with a profile, where, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

_WIDTH = 96  # columns of a source line that are shown; more would wrap and part line and caret


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. ``line`` and ``column`` count from 1; ``line`` 0 means the file as a whole.

    ``source`` is the text of that line. ``remedy`` says what to do, often as "did you mean".
    """

    path: str
    line: int
    column: int
    source: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        if not self.line:
            head = f"{self.path}: {self.message}"
            return f"{head}\n    {self.remedy}" if self.remedy else head
        text, column = self.source.rstrip(), self.column - 1
        if len(text) > _WIDTH:
            start = max(0, min(column - _WIDTH // 2, len(text) - _WIDTH))
            text, column = text[start : start + _WIDTH], column - start
        # Tabs stay tabs under the line, so that the caret stands where the eye expects it.
        indent = "".join("\t" if sign == "\t" else " " for sign in text[:column].ljust(column))
        lines = [
            f"{self.path}:{self.line}:{self.column}: {self.message}",
            f"    {text}",
            f"    {indent}^",
        ]
        if self.remedy:
            lines.append(f"    {self.remedy}")
        return "\n".join(lines)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean "x"?``, or an empty string where nothing is close."""
    names = list(known)
    close = get_close_matches(word.lower().replace("-", "_"), names, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""


def count(number: int, noun: str) -> str:
    """Return ``1 octet``, ``2 octets``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean …``, or what there is to choose from where nothing is close."""
    names = list(known)
    return did_you_mean(word, names) or f"one of: {', '.join(names)}"


class Refusal(ValueError):
    """A value that does not mean anything, raised while it is read.

    ``inner`` is the way from the value to the place of the mistake (keys and indices), empty
    for the value itself; a last element ``KEY`` points at the key instead of its value.
    ``others`` are refusals of other parts of the same value.
    """

    def __init__(
        self, message: str, remedy: str = "", *, inner: tuple[str | int, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.inner = inner
        self.others: tuple[Refusal, ...] = ()

    def under(self, *steps: str | int) -> "Refusal":
        """Lead to this refusal, and the others, from further out."""
        for one in (self, *self.others):
            one.inner = (*steps, *one.inner)
        return self


KEY = "[key]"
"""Ends the way to a place where the key is meant, not the value (pydantic's word for it)."""
