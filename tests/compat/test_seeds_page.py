"""The page on the two founding documents names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "seeds.md").read_text(encoding="utf-8")


def test_each_row_names_a_test_that_is_there() -> None:
    folder = Path(__file__).parent
    there = {
        name
        for file in folder.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)
    }
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "test |" not in line]
    assert len(rows) >= 40
    for row in rows:
        (named,) = re.findall(r"`(test_\w+)`", row)
        assert named in there, row


def test_each_call_of_the_documents_has_a_row() -> None:
    calls = (
        "gattc(cmd) connect( get_db( read( write_req( write_cmd( subscribe_notification("
        " unsubscribe_notification( callback( events( set_advertisement( service( characteristic("
    )
    for call in calls.split():
        assert call in PAGE
