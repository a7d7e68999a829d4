"""Recordings that lie beside a profile: columns of CSV files, captures and transcripts.

A profile may name a file below its own folder and nothing else; size and values are bounded.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from bletest.profile.captures import read_recording
from bletest.profile.mistakes import Refusal, suggestion
from bletest.uuids import Uuid

MAXIMUM_OCTETS = 1024 * 1024
MAXIMUM_CAPTURED = 16 * MAXIMUM_OCTETS
"""Octets of a capture, most of which is something else than values."""
MAXIMUM_ROWS = 4096


def read_column(folder: Path | None, name: str, column: str, otherwise: str) -> list[str]:
    """Return the cells of one column, top to bottom, without those that are empty.

    ``column`` is a heading, or a number that counts from 1; where it is empty the column headed
    ``otherwise`` is taken, or the first. A first row in which no cell begins like a number is
    headings. Raises :class:`Refusal`.
    """
    rows = [row for row in csv.reader(_text(folder, name).splitlines()) if any(row)]
    if not rows:
        raise Refusal(f"`{name}` has no rows", "a recording has one value a row")
    headings = [cell.strip() for cell in rows[0]]
    headed = not any(cell[:1].isdigit() or cell[:1] in "+-." for cell in headings if cell)
    index = _index(headings if headed else [], len(headings), column, otherwise)
    cells = [row[index].strip() for row in rows[headed:] if index < len(row)]
    found = [cell for cell in cells if cell]
    if not found:
        raise Refusal(f"`{name}` has no values in that column", "a recording has one value a row")
    if len(found) > MAXIMUM_ROWS:
        raise Refusal(
            f"`{name}` has {len(found)} values, a schedule takes {MAXIMUM_ROWS}", "shorten it"
        )
    return found


def _index(headings: Sequence[str], width: int, column: str, otherwise: str) -> int:
    if not column:
        return headings.index(otherwise) if otherwise in headings else 0
    if column in headings:
        return headings.index(column)
    if column.isdecimal() and 1 <= int(column) <= width:
        return int(column) - 1
    known = [heading for heading in headings if heading]
    raise Refusal(
        f"the recording has no column `{column}`",
        suggestion(column, known) if known else f"a number from 1 to {width}",
        inner=("column",),
    )


def read_sent(folder: Path | None, name: str, uuid: Uuid, handle: int | None) -> list[bytes]:
    """Return what a device has sent by itself, in a capture or transcript, in order.

    It is what came of the characteristic ``uuid``, by the discovery that was recorded, or of the
    value at ``handle``. Raises :class:`Refusal`.
    """
    data = _octets(folder, name, MAXIMUM_CAPTURED, ("*.btsnoop", "*.jsonl"))
    heard = read_recording(data, name)
    inner: tuple[str, ...] = ()
    if handle is None:
        found, what = [one for one in heard if one.uuid == uuid], uuid.label
    else:
        found, what = [one for one in heard if one.handle == handle], f"handle 0x{handle:04X}"
        inner = ("handle",)
    handles = sorted({one.handle for one in found})
    if len(handles) > 1:
        raise Refusal(
            f"`{name}` has {len(handles)} characteristics {what}",
            f"add `handle: …` with one of: {', '.join(f'0x{one:04X}' for one in handles)}",
        )
    if not found:
        names = {one.handle: one.uuid.label if one.uuid else "something" for one in heard}
        others = [f"{label} at 0x{number:04X}" for number, label in sorted(names.items())]
        raise Refusal(
            f"nothing in `{name}` was sent by {what}",
            f"it has {', '.join(others)}: say which with `uuid: …` or `handle: …`"
            if others
            else "it has no notification at all",
            inner=inner,
        )
    if len(found) > MAXIMUM_ROWS:
        raise Refusal(
            f"`{name}` has {len(found)} values, a schedule takes {MAXIMUM_ROWS}", "shorten it"
        )
    return [one.value for one in found]


def read_octets(folder: Path | None, name: str) -> bytes:
    """Return what a file beside the profile holds. Raises :class:`Refusal`."""
    octets = _octets(folder, name, MAXIMUM_OCTETS, ("*.bin",))
    if len(octets) < 2:
        raise Refusal(f"`{name}` has nothing in it", "an image has at least 2 octets")
    return octets


def _text(folder: Path | None, name: str) -> str:
    octets = _octets(folder, name, MAXIMUM_OCTETS, ("*.csv",))
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refusal(f"`{name}` cannot be read", "it is text in UTF-8, one row a line") from None


def _octets(folder: Path | None, name: str, maximum: int, kinds: Sequence[str]) -> bytes:
    """Read the file; a path cannot lead out of the folder, by a link neither."""
    if folder is None:
        raise Refusal(
            "a profile that is no file has no files beside it", "write the values in a sequence"
        )
    if Path(name).is_absolute():
        raise Refusal(
            f"`{name}` does not lie beside the profile", "name it relative to the profile"
        )
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise Refusal(
            f"`{name}` lies outside the profile's folder", "move it beside the profile, or below"
        )
    try:
        if not path.is_file():
            known = sorted(one.name for kind in kinds for one in folder.glob(kind))
            remedy = suggestion(name, known) if known else f"looked for {path}"
            raise Refusal(f"there is no file `{name}`", remedy)
        if path.stat().st_size > maximum:
            raise Refusal(f"`{name}` has more than {maximum // 1024} KiB", "shorten it")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, Refusal):
            raise
        raise Refusal(f"`{name}` cannot be read", "check its name and its permissions") from None
