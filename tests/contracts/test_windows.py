import pytest

from bletest.contracts.windows import LinkTiming, Window


def test_a_window_on_an_instant_link_is_the_declared_tolerance() -> None:
    window = Window.around(1.0, tolerance=0.2, timing=LinkTiming())
    assert (window.earliest, window.latest) == pytest.approx((0.8, 1.2))
    assert 0.8 in window
    assert 1.3 not in window


def test_link_and_adapter_widen_a_window_on_both_sides() -> None:
    timing = LinkTiming(interval=0.05, latency=3, slack=0.1)
    window = Window.around(1.0, tolerance=0.0, timing=timing)
    assert (window.earliest, window.latest) == pytest.approx((0.7, 1.3))


def test_nothing_is_due_before_it_can_have_begun() -> None:
    assert Window.around(0.1, tolerance=0.5, timing=LinkTiming(slack=1.0)).earliest == 0.0
