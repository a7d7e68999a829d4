"""The emulated device, and stock bumble, against every robustness class that can be sent."""

from importlib.metadata import version

import pytest

from tests.conformance.robustness import ROBUSTNESS
from tests.conformance.stock import found

PASSED_FROM_0_0_236_ON = {"att_prepare_queue_overflow"}


@pytest.mark.parametrize("identifier", ROBUSTNESS.cases)
def test_the_emulated_device_withstands(identifier, record_property):
    record_property("robustness", identifier)
    ROBUSTNESS.run(identifier)


def test_every_class_that_can_be_sent_is_written():
    assert sorted(ROBUSTNESS.cases) == sorted(one.id for one in ROBUSTNESS.carried())


def test_stock_bumble_does_what_the_page_says():
    told = {one.id for one in ROBUSTNESS.carried() if one.bumble == "pass"}
    if version("bumble") == "0.0.235":
        told -= PASSED_FROM_0_0_236_ON
    assert {one for one in ROBUSTNESS.cases if found(ROBUSTNESS, one) == "pass"} == told
