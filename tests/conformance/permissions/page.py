"""What ``docs/permissions.md`` says: the table, and what was run against it."""

from pathlib import Path
from typing import Any

from tests.conformance.permissions.table import (
    BEARERS,
    KEYS,
    OPERATIONS,
    SPECIFICATION,
    is_open_question,
    permissions,
    securities,
)

PAGE = Path(__file__).parents[3] / "docs" / "permissions.md"

HEAD = """\
# Permissions, security and bearers

Every permission that an attribute can ask for, in every state that a link can be in, for every
operation, on both kinds of bearer: what the emulated device answers is compared with a table of
the Core Specification, Vol 3. The table is data,
[`specification.yaml`](../tests/conformance/permissions/specification.yaml); it and the octets that
are sent and expected know nothing of the engine.

| cells | | as the table says |
|---|---|---|
{totals}

`pytest tests/conformance` runs the first and the last of these and prints `permissions: n/n cells`.
`python -m tests.conformance.permissions` runs all of them and writes this page; tests hold it to
what they find.

## What a link is refused with

The key is the one that both sides share: on a plain link that of a bond, on an encrypted link the
one in use. A dash says that the request succeeds.

| asked for | {columns} |
|---|{rules}|
{codes}

* Before that stands the permission itself: {permission}.
* After it a key that is too short, 0x{key_size:02X}, and consent that is missing, or older than
  `fresh` says, 0x{authorization:02X}.
* The specification leaves open which of a weak pairing, a short key and missing consent is told
  first where several are true of an encrypted link. Of the {pairs:,} pairs of permission and state
  {open_questions} are of that kind; there the order is ours.
* `secure_connections` without `authenticated` is no security level of the specification, but ours;
  its level 4 is both, with `key_size: 16`.

## Operations

| operation | asks for | if refused | paragraph | cells |
|---|---|---|---|---|
{operations}

* *error*: an Error Response with handle and code, and no octet of a value.
* *silence*: a command is ignored.
* *ends list*: what came before it in the list is answered.
* *not found*: 0x0A, as if there were no such value.
* *not sent*: the server sends nothing. A notification asks for what `subscribe` says, at the moment
  it goes out; the permission to read is another.
* *never* refused, because it is always open; *always*, because it is never accepted.
{notes}

A Signed Write Command is also ignored on an encrypted link, on an enhanced bearer, and from who has
no bond. Prepared writes are judged when they are prepared.

## On the air

A plain bumble central goes these ways. At each stage it tries every operation at every place, on
the unenhanced bearer and, where the link is encrypted, on an enhanced one; where it is not, it asks
for one and is refused. The device sends to it whatever it has subscribed to before.

| way | stages | cells |
|---|---|---|
{ways}
"""

COLUMNS = {
    "plain": ["none", "legacy"],
    "encrypted": KEYS[1:],
}


def engine_cells(name: str, *, whole: bool = False) -> int:
    """How many cells an operation has at the engine."""
    states = sum(1 for _ in securities(whole=whole))
    return sum(1 for _ in permissions(whole=whole)) * states * len(BEARERS)


def operation_row(name: str, cells: int) -> str:
    """The row of an operation."""
    one = OPERATIONS[name]
    return f"| {name} | {one['asks']} | {one['refused']} | {one['paragraph']} | {cells:,} |"


def way_row(name: str, stages: list[str], cells: int) -> str:
    """The row of a way on the air."""
    return f"| {name} | {'; '.join(stages)} | {cells:,} |"


def total_row(cells: int, what: str, wrong: int = 0) -> str:
    """A row of the first table."""
    return f"| {cells:,} | {what} | {cells - wrong:,} |"


def total_rows(air: int, wrong: tuple[int, int, int] = (0, 0, 0)) -> list[str]:
    """The first table: engine, the whole product, air."""
    engine = sum(map(engine_cells, OPERATIONS))
    whole = sum(engine_cells(name, whole=True) for name in OPERATIONS)
    where = "at the bearers of the engine, every key size with"
    return [
        total_row(engine, f"{where} `encrypted`, some with the rest", wrong[0]),
        total_row(whole, f"{where} every word and every kind of key", wrong[1]),
        total_row(air, "on the virtual air, after real pairing", wrong[2]),
    ]


def _text(code: int) -> str:
    return f"0x{code:02X}" if code else "–"


def _codes() -> str:
    rows = []
    link: dict[str, Any] = SPECIFICATION["link"]
    for word in link["plain"]:
        cells = [
            _text(link[state][word][KEYS.index(key)])
            for state, keys in COLUMNS.items()
            for key in keys
        ]
        rows.append(f"| {word.replace('_', ' + ')} | {' | '.join(cells)} |")
    return "\n".join(rows)


def render(totals: list[str], ways: list[str]) -> str:
    """Return the page; ``totals`` and ``ways`` are rows."""
    columns = ["plain, no key", "plain, any key"]
    columns += [f"encrypted, {key.replace('_mitm', ' authenticated')}" for key in KEYS[1:]]
    pairs = [(one, state) for one in permissions() for state in securities()]
    permission = SPECIFICATION["permission"]
    notes = [f"* {name}: {one['note']}." for name, one in OPERATIONS.items() if one.get("note")]
    return HEAD.format(
        totals="\n".join(totals),
        columns=" | ".join(columns),
        rules="|".join(["---"] * len(columns)),
        codes=_codes(),
        permission=f"0x{permission['read']:02X} to read and 0x{permission['write']:02X} to write",
        key_size=SPECIFICATION["key_size"],
        authorization=SPECIFICATION["authorization"],
        open_questions=sum(is_open_question(*pair) for pair in pairs),
        pairs=len(pairs),
        operations="\n".join(operation_row(name, engine_cells(name)) for name in OPERATIONS),
        notes="\n".join(notes),
        ways="\n".join(ways),
    )
