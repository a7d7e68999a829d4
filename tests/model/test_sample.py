"""A sample of ``python -m tests.model``, and a proof that the model can fail."""

import pytest

from tests.model.falsified import FAULTS
from tests.model.run import run, shortened

SAMPLE = 10_000
PARTS = 4
"""So that several processes can share the sample."""


@pytest.mark.parametrize("part", range(PARTS))
def test_random_sequences_are_answered_as_the_specification_says(part):
    found = run(range(1 + part, SAMPLE + 1, PARTS), most=3)
    assert not found, "\n".join(str(shortened(one)) for one in found)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_device_that_is_wrong_is_found_out(fault):
    with fault.broken:
        found = run(fault.seeds(300), most=1)
    assert found, fault.name
