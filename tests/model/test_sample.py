"""A sample of ``python -m tests.model``, and a proof that the model can fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model.falsified import FAULTS
from tests.model.lanes import LANES, sequence
from tests.model.run import run, shortened

ABOUT = Path(__file__).with_name("about.md")
SAMPLE = 10_000
PARTS = 4
"""So that several processes can share the sample."""


@pytest.mark.parametrize("part", range(PARTS))
def test_random_sequences_are_answered_as_the_specification_says(part):
    found = run(range(1 + part, SAMPLE + 1, PARTS), most=3)
    assert not found, "\n".join(str(shortened(one)) for one in found)


def test_clients_of_several_bearers_learn_of_changes_as_the_specification_says():
    found = run(range(1, 41), most=3, lane_name="enhanced changing")
    assert not found, "\n".join(str(shortened(one)) for one in found)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_device_that_is_wrong_is_found_out(fault):
    with fault.broken:
        found = run(fault.seeds(300), most=1)
    assert found, fault.name


def test_the_page_counts_them():
    assert f"{len(FAULTS)} engines that are wrong" in ABOUT.read_text(encoding="utf-8")


def test_what_is_found_is_made_short():
    (fault,) = (one for one in FAULTS if one.name == "commands are answered")
    with fault.broken:
        (found,) = run(fault.seeds(300), most=1)
        short = shortened(found)
    assert short.alone
    assert [step.do for step in short.finding.steps] == ["send"]
    assert short.finding.steps[0].pdu[:1] == b"\x52"
    assert f"python -m tests.model --seed {found.seed}" in str(short)
    assert not run([found.seed])


def test_a_seed_is_the_same_sequence_everywhere():
    some = range(1, 300)
    assert {sequence(seed)[0] for seed in some} == {lane for lane in LANES if lane.share}
    program = (
        "from tests.model.lanes import sequence\n"
        "for seed in range(1, 300): print(*sequence(seed)[1], sep='; ')"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = ["; ".join(map(str, sequence(seed)[1])) for seed in some]
    assert elsewhere.stdout.splitlines() == here
