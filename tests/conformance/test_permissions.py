"""Permission × security × operation × bearer, against the specification's table."""

import ast
from pathlib import Path

import pytest

from tests.conformance.permissions import operations, page, table, walks
from tests.conformance.permissions.engine import Bench
from tests.conformance.permissions.operations import ASKED, SENT
from tests.conformance.permissions.table import OPERATIONS, Permission, Security, refusal


@pytest.fixture(scope="module")
def bench():
    return Bench()


@pytest.fixture(scope="module")
def written():
    return page.PAGE.read_text(encoding="utf-8")


def judge(outcome, record_property):
    record_property("permission_cells", (outcome.cells - len(outcome.wrong), outcome.cells))
    assert not outcome.wrong, outcome.report()


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_engine_answers_as_the_table_says(name, bench, written, record_property):
    outcome = bench.run(name)
    judge(outcome, record_property)
    assert page.operation_row(name, outcome.cells) in written


@pytest.mark.parametrize("name", walks.WAYS)
def test_a_device_on_the_air_answers_as_the_table_says(name, written, record_property):
    outcome, stages = walks.run(name)
    judge(outcome, record_property)
    assert page.way_row(name, stages, outcome.cells) in written


def test_the_page_says_what_was_run(written):
    ways = [line for line in written.splitlines() if line.startswith(tuple(_beginnings()))]
    air = sum(int(line.split("|")[-2].replace(",", "")) for line in ways)
    assert len(ways) == len(walks.WAYS)
    assert written == page.render(page.total_rows(air), ways)


def _beginnings():
    return [f"| {name} |" for name in walks.WAYS]


def test_every_operation_of_the_table_is_carried_out():
    assert [*ASKED, *SENT] == list(OPERATIONS)


@pytest.mark.parametrize("module", [table, operations])
def test_the_table_and_the_octets_know_nothing_of_the_engine(module):
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module]
        )
    }
    known = {"collections", "dataclasses", "functools", "itertools", "pathlib", "typing", "yaml"}
    assert {name.partition(".")[0] for name in names} <= known | {"tests"}
    assert {name for name in names if name.startswith("tests")} <= {table.__name__}


# A few cells by hand, so that the table itself can be wrong

SC16 = Permission("authenticated_secure", 16)


@pytest.mark.parametrize(
    ("permission", "security", "code"),
    [
        (table.OPEN, Security(), 0),
        (table.NOTHING, Security(True, "secure_mitm", 16, authorized=True), 0x02),
        (Permission("encrypted"), Security(), 0x05),
        (Permission("encrypted"), Security(key="legacy"), 0x0F),
        (Permission("encrypted"), Security(True, "legacy", 7), 0),
        (Permission("authenticated"), Security(key="legacy_mitm"), 0x0F),
        (Permission("authenticated"), Security(True, "secure", 16), 0x05),
        (Permission("authenticated"), Security(True, "legacy_mitm", 7), 0),
        (SC16, Security(True, "legacy_mitm", 16), 0x05),
        (SC16, Security(True, "secure_mitm", 15), 0x0C),
        (SC16, Security(True, "secure_mitm", 16), 0),
        (Permission("open", authorized=True), Security(), 0x08),
        (Permission("encrypted", authorized=True), Security(), 0x05),
        (Permission("encrypted", 16, True), Security(True, "secure", 7), 0x0C),
        (Permission("encrypted", 16, True), Security(True, "secure", 16), 0x08),
        (Permission("encrypted", 16, True), Security(True, "secure", 16, authorized=True), 0),
    ],
    ids=str,
)
def test_what_the_table_says(permission, security, code):
    assert refusal(permission, "read", security) == code
