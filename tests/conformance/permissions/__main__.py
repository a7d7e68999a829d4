"""Runs every cell and writes ``docs/permissions.md``: ``python -m tests.conformance.permissions``.

Prints each cell that is not as the table says, and ends with 1 if there is one.
"""

import logging
import sys

from tests.conformance.permissions import Outcome, page, walks
from tests.conformance.permissions.engine import Bench
from tests.conformance.permissions.table import OPERATIONS


def main() -> int:
    """Run all."""
    logging.disable()  # bumble tells of each bearer that is refused
    outcomes = []
    for whole in (False, True):
        bench, outcome = Bench(whole=whole), Outcome()
        for name in OPERATIONS:
            outcome.add(bench.run(name))
        outcomes.append(outcome)
    air, rows = Outcome(), []
    for name in walks.WAYS:
        outcome, stages = walks.run(name)
        rows.append(page.way_row(name, stages, outcome.cells))
        air.add(outcome)
    outcomes.append(air)
    counts = [len(one.wrong) for one in outcomes]
    totals = page.total_rows(air.cells, (counts[0], counts[1], counts[2]))
    page.PAGE.write_text(page.render(totals, rows), encoding="utf-8")
    for outcome in outcomes:
        if outcome.wrong:
            print(outcome.report())
    print("; ".join(f"{one.cells - len(one.wrong):,}/{one.cells:,} cells" for one in outcomes))
    return bool(sum(counts))


if __name__ == "__main__":
    sys.exit(main())
