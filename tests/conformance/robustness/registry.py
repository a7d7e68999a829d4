"""The robustness classes: the family that the modules here fill."""

from pathlib import Path

from tests.conformance.family import Family

ROBUSTNESS = Family(
    "robustness",
    Path(__file__).with_name("cases.yaml"),
    title="Robustness",
    counted="robustness classes that a virtual link can carry",
    words="""\
What breaks peripherals, by class: public advisories, the anomalies of fuzzers, and what the
specification leaves to get wrong. Each case of
[`tests/conformance/robustness`](../tests/conformance/robustness) sends it, and looks that the
answer is right or that there is none, that the link is as it should be, and that the device serves
a stranger afterwards. bumble's column is what its own host and GATT server did in the same cases
(`python -m tests.conformance.stock` measures it).""",
)
case = ROBUSTNESS.case
