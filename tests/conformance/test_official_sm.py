"""The emulated device against the official Security Manager cases of a peripheral."""

import pytest

from tests.conformance.security_manager import SM


@pytest.mark.parametrize("identifier", SM.cases)
def test_the_emulated_device_passes(identifier, record_property):
    record_property("sm", identifier)
    SM.run(identifier)


def test_every_case_that_is_not_run_has_its_reason():
    assert sorted(SM.cases) == sorted(one.id for one in SM.carried())
