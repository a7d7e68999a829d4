"""The emulated device against every official GATT server case that LE can carry."""

import pytest

from tests.conformance import official, page


@pytest.mark.parametrize(
    "identifier", [one.id for one in official.catalogue() if one.id in official.CASES]
)
def test_the_emulated_server_passes(identifier, record_property):
    record_property("conformance", identifier)
    official.run(identifier)


def test_every_case_that_is_written_is_in_the_catalogue():
    assert official.CASES.keys() <= {one.id for one in official.catalogue()}


def test_the_page_says_what_the_cases_say():
    """That every case passes which the page says passes is what its own test shows."""
    assert page.PAGE.read_text(encoding="utf-8") == page.render(lambda *_: "pass")
