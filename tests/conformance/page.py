"""Writes ``docs/conformance.md``: every official case, our result, and stock bumble's.

Run ``python -m tests.conformance.page`` after a case was written or repaired. It runs all cases;
a test compares the page with what this module would write.
"""

from functools import lru_cache
from pathlib import Path

from tests.conformance import official

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
RANDOM = Path(__file__).parents[1] / "model" / "about.md"
"""The part about random sequences, written by hand."""

HEAD = """\
# Conformance of the emulated device

The official GATT server cases that LE can carry, {total} of them: {le} over the unenhanced ATT
bearer and {eatt} that need enhanced ones (EATT). Each case is written out in
[`tests/conformance/official`](../tests/conformance/official) from what it is about, and driven by
raw PDUs from a plain bumble device that shares no code with our ATT engines, in virtual time. The
titles are ours; the official documents are the Bluetooth SIG's.

| | passed |
|---|---|
| bletest | {ours} of {total} |
| of them over the unenhanced bearer | {ours_le} of {le} |
| bumble 0.0.236, its own GATT server | {stock} of {total} |

This page is written by `python -m tests.conformance.page`, and a test holds it to what the cases
say. What bumble's server does was found out once, by the same kind of PDUs on its `LocalLink`.

| case | what it is about | expected | bletest | bumble 0.0.236 |
|---|---|---|---|---|
"""


@lru_cache
def result(identifier: str) -> str:
    """Run a case and return how it ended."""
    if identifier not in official.CASES:
        return "not written yet"
    try:
        official.run(identifier)
    except Exception:  # whatever it is, the case has not passed
        return "fail"
    return "pass"


def render() -> str:
    """Return the page."""
    entries = official.catalogue()
    passed = [one for one in entries if result(one.id) == "pass"]
    unenhanced = [one for one in entries if one.transport == "le"]
    page = HEAD.format(
        total=len(entries),
        le=len(unenhanced),
        eatt=len(entries) - len(unenhanced),
        ours=len(passed),
        ours_le=sum(one.transport == "le" for one in passed),
        stock=sum(one.bumble.startswith("pass") for one in entries),
    )
    for one in entries:
        cells = (one.id, one.title, one.expect, result(one.id), one.bumble)
        page += "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
    return page + "\n" + RANDOM.read_text(encoding="utf-8")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
