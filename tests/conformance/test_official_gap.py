"""The emulated device against the official GAP cases of a peripheral or broadcaster."""

import pytest

from tests.conformance.gap import GAP


@pytest.mark.parametrize("identifier", GAP.cases)
def test_the_emulated_device_passes(identifier, record_property):
    record_property("gap", identifier)
    GAP.run(identifier)


def test_every_case_that_is_not_run_has_its_reason():
    assert sorted(GAP.cases) == sorted(one.id for one in GAP.carried())
