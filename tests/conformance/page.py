"""Writes ``docs/conformance.md``: every case, our result, and stock bumble's.

Run ``python -m tests.conformance.page`` after a case was written or repaired. It runs all cases.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import official
from tests.conformance.families import FAMILIES
from tests.conformance.family import Family

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
RANDOM = Path(__file__).parents[1] / "model" / "about.md"
"""The part about random sequences, written by hand."""

HEAD = """\
# Conformance of the emulated device and of the client

Every case here is written out from what it is about, and driven by raw PDUs from a plain bumble
device that shares no code with our ATT engines, in virtual time: a central against the emulated
device, a server against the client. The titles are ours; the official documents are the Bluetooth
SIG's.

| | passed |
|---|---|
| official GATT server cases | {ours} of {total} |
"""

AFTER_HEAD = """
This page is written by `python -m tests.conformance.page`, and a test holds it to what the cases
say.

## GATT server

The official GATT server cases that LE can carry, {total} of them: {le} over the unenhanced ATT
bearer and {eatt} that need enhanced ones (EATT). They are in
[`tests/conformance/official`](../tests/conformance/official).

| | passed |
|---|---|
| bletest | {ours} of {total} |
| of them over the unenhanced bearer | {ours_le} of {le} |
| bumble 0.0.236, its own GATT server | {stock} of {total} |

What bumble's server does was found out once, by the same kind of PDUs on its `LocalLink`.

| case | what it is about | expected | bletest | bumble 0.0.236 |
|---|---|---|---|---|
"""

Result = Callable[[str, Callable[[str], None]], str]
"""How a case ended: of its identifier, and what runs it."""


def measured(identifier: str, run: Callable[[str], None]) -> str:
    """Run a case and return how it ended."""
    try:
        run(identifier)
    except (Exception, pytest.fail.Exception):  # whatever it is, the case has not passed
        return "fail"
    return "pass"


def row(*cells: str) -> str:
    """One line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def gatt_server(result: Result) -> tuple[str, dict[str, int]]:
    """Return the section of the GATT server, and its counts."""
    entries = official.catalogue()
    results = {
        one.id: result(one.id, official.run) if one.id in official.CASES else "not written yet"
        for one in entries
    }
    passed = [one for one in entries if results[one.id] == "pass"]
    unenhanced = [one for one in entries if one.transport == "le"]
    counts = {
        "total": len(entries),
        "le": len(unenhanced),
        "eatt": len(entries) - len(unenhanced),
        "ours": len(passed),
        "ours_le": sum(one.transport == "le" for one in passed),
        "stock": sum(one.bumble.startswith("pass") for one in entries),
    }
    page = AFTER_HEAD.format(**counts)
    for one in entries:
        page += row(one.id, one.title, one.expect, results[one.id], one.bumble)
    return page, counts


def section(family: Family, result: Result) -> tuple[str, int]:
    """Return the section of a family, and how many of its cases passed."""
    carried = family.carried()
    results = {
        one.id: result(one.id, family.run)
        if one.id in family.cases
        else f"open: {one.open or 'not written yet'}"
        for one in carried
    }
    passed = sum(value == "pass" for value in results.values())
    stock = [one for one in carried if one.bumble]
    page = f"\n## {family.title}\n\n{family.words}\n\n| | passed |\n|---|---|\n"
    page += row("bletest", f"{passed} of {len(carried)}")
    if stock:
        count = sum(one.bumble.startswith("pass") for one in stock)
        page += row("bumble 0.0.236", f"{count} of {len(carried)}")
    columns = ["case", "what it is about", *(["expected"] if family.has_expectations else [])]
    columns += ["bletest", *(["bumble 0.0.236"] if stock else [])]
    page += "\n" + row(*columns) + "|" + "---|" * len(columns) + "\n"
    for one in carried:
        cells = [one.id, one.about, *([one.expect] if family.has_expectations else [])]
        page += row(*cells, results[one.id], *([one.bumble] if stock else []))
    if left := [one for one in family.entries() if one.not_carried]:
        page += f"\nNot run, {len(left)} of them:\n\n| case | what it is about | why not |\n"
        page += "|---|---|---|\n"
        for one in left:
            page += row(one.id, one.about, one.not_carried)
    return page, passed


def render(result: Result = measured) -> str:
    """Return the page."""
    body, counts = gatt_server(result)
    head = HEAD.format(**counts)
    for family in FAMILIES:
        text, passed = section(family, result)
        head += row(family.counted, f"{passed} of {len(family.carried())}")
        body += text
    return head + body + "\n" + RANDOM.read_text(encoding="utf-8")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    PAGE.write_text(render(), encoding="utf-8")
