"""The official GATT server cases, each written out from its meaning, and what ran them."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from bletest.link import clock
from tests.conformance.official import (  # noqa: F401  (each registers its cases)
    caching,
    configuring,
    discovering,
    enhanced,
    reading_writing,
    refusing,
)
from tests.conformance.official.lab import CASES, lab

CATALOGUE = Path(__file__).parents[1] / "gatt_server_cases.yaml"


@dataclass(frozen=True)
class Entry:
    """One case of the catalogue; ``bumble`` says what bumble's own server did."""

    id: str
    transport: str
    title: str
    expect: str
    bumble: str


def catalogue() -> list[Entry]:
    """Return every case, in order."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [Entry(**one) for one in yaml.load(CATALOGUE.read_text(), loader)]


def run(identifier: str) -> None:
    """Run one case on a device of its own, in virtual time; raises where it fails."""

    async def main() -> None:
        async with lab() as opened:
            await CASES[identifier](opened)

    clock.run(main())
