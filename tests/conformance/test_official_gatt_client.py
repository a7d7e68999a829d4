"""Our client against the official GATT client cases that LE can carry."""

import pytest

from tests.conformance.client import CLIENT


@pytest.mark.parametrize("identifier", CLIENT.cases)
def test_the_client_passes(identifier, record_property):
    record_property("client", identifier)
    CLIENT.run(identifier)


def test_every_case_that_is_not_run_has_its_reason():
    undone = [one.id for one in CLIENT.carried() if one.open]
    assert sorted([*CLIENT.cases, *undone]) == sorted(one.id for one in CLIENT.carried())
