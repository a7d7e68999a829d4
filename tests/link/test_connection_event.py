"""Air times and single connection events, by hand from the specification."""

from collections.abc import Iterator

import pytest

from bletest.link.airtime import Phy, air_time, most_octets
from bletest.link.connection_event import Lane, Load, Outcome, run_event


@pytest.mark.parametrize(
    ("phy", "empty", "full"),
    # Vol 6, Part B, 4.5.10 gives these as the times of 27 octets with MIC: 328 µs on 1M, and
    # 2704 µs on coded; of 251 octets with MIC: 2120 and 17040 µs.
    [
        (Phy.LE_1M, 80, 2120 - 32),
        (Phy.LE_2M, 44, 1064 - 16),
        (Phy.CODED, 720, 17040 - 256),
        (Phy.CODED_S2, 462, 4542 - 64),
    ],
)
def test_the_time_of_an_empty_and_of_a_full_packet(phy: Phy, empty: int, full: int) -> None:
    assert (air_time(phy, 0), air_time(phy, 251)) == (empty, full)


@pytest.mark.parametrize("phy", Phy)
def test_a_packet_of_most_octets_fits_and_one_more_does_not(phy: Phy) -> None:
    for time in (3000, 5000, 17000):
        octets = most_octets(phy, time)
        assert octets == 27 or air_time(phy, octets) <= time
        assert air_time(phy, octets + 1) > time


def lanes(octets: int = 251, phy: Phy = Phy.LE_1M) -> tuple[Lane, Lane]:
    return Lane(phy=phy, octets=octets), Lane(phy=phy, octets=octets)


def queue(lane: Lane, *lengths: int) -> list[Load]:
    loads = [Load(number, length) for number, length in enumerate(lengths)]
    lane.waiting.extend(loads)
    return loads


def event(down: Lane, up: Lane, lost: str = "", *, interval: int = 30_000, **more) -> Outcome:
    """Run an event in which the packets marked with an x are lost, in order."""
    fate: Iterator[str] = iter(lost)
    return run_event(down, up, interval=interval, lost=lambda: next(fate, ".") == "x", **more)


def moments(outcome: Outcome) -> list[tuple[int, object]]:
    return [(at, load.content) for at, _, load in outcome.arrived]


def test_with_nothing_to_send_there_is_one_exchange_of_empty_packets() -> None:
    outcome = event(*lanes())
    assert (outcome.peripheral_heard, outcome.central_heard) == (80, 80 + 150 + 80)
    assert outcome.arrived == []


def test_the_peripherals_packet_begins_150_us_after_the_centrals() -> None:
    down, up = lanes()
    queue(down, 7)
    queue(up, 9)
    assert moments(event(down, up)) == [(136, 0), (136 + 150 + 152, 0)]


def test_a_frame_is_cut_by_the_data_length_and_arrives_with_its_last_packet() -> None:
    down, up = lanes(27)
    (load,) = queue(down, 60)  # 27 + 27 + 6
    outcome = event(down, up)
    full, last, empty, gap = 80 + 27 * 8, 80 + 6 * 8, 80, 150
    assert moments(outcome) == [(2 * (full + gap + empty + gap) + last, 0)]
    assert [done for _, _, done in outcome.acknowledged] == [load]
    assert not down.has_something


def test_an_event_ends_150_us_before_the_next_anchor_point() -> None:
    # 251 octets and the empty answer take 2088 + 150 + 80 µs, and 150 µs more to the next.
    down, up = lanes()
    queue(down, *[251] * 20)
    assert len(event(down, up, interval=3 * 2468).arrived) == 3
    assert len(event(down, up, interval=3 * 2468 - 1).arrived) == 2


def test_a_central_may_be_told_how_many_packets_it_sends_in_an_event() -> None:
    down, up = lanes()
    queue(down, *[20] * 20)
    assert len(event(down, up, packets=4).arrived) == 4


def test_a_packet_of_the_central_that_is_lost_closes_the_event_and_comes_again() -> None:
    down, up = lanes()
    queue(down, 20, 21)
    queue(up, 5)
    outcome = event(down, up, "x")
    assert (outcome.arrived, outcome.peripheral_heard, outcome.central_heard) == ([], None, None)
    assert [content for _, content in moments(event(down, up))] == [0, 0, 1]


def test_what_was_received_but_not_acknowledged_comes_again_and_is_not_delivered_twice() -> None:
    down, up = lanes()
    first, second = queue(down, 20, 21)
    outcome = event(down, up, ".x")  # the peripheral's answer is lost
    assert [load for _, _, load in outcome.arrived] == [first]
    assert outcome.acknowledged == []
    outcome = event(down, up)
    assert [load for _, _, load in outcome.arrived] == [second]
    assert [load for _, _, load in outcome.acknowledged] == [first, second]


def test_an_empty_packet_is_sent_again_too_before_new_data() -> None:
    down, up = lanes()
    event(down, up, ".x")  # the answer to an empty packet is lost
    (load,) = queue(down, 20)
    outcome = event(down, up)
    # First the empty one again, with more data announced, then the data.
    assert moments(outcome) == [(80 + 150 + 80 + 150 + 80 + 160, 0)]
    assert outcome.acknowledged[0][2] is load


def test_the_peripherals_last_packet_is_acknowledged_in_the_next_event() -> None:
    down, up = lanes()
    (load,) = queue(up, 20)
    assert event(down, up).acknowledged == []
    assert up.has_something
    assert [done for _, _, done in event(down, up).acknowledged] == [load]
    assert not up.has_something


def test_a_control_pdu_is_never_cut() -> None:
    down, up = lanes(27)
    down.waiting.append(Load("LL_ENC_REQ", 30, is_control=True))
    assert moments(event(down, up)) == [(80 + 30 * 8, "LL_ENC_REQ")]


def test_packets_on_a_slow_phy_are_cut_to_fit_a_short_interval() -> None:
    down, up = lanes(251, Phy.CODED)
    queue(down, 251)
    queue(up, 251)
    for _ in range(20):
        outcome = event(down, up, interval=7_500)
        assert outcome.central_heard is not None
        assert outcome.central_heard <= 7_500 - 150
        if not (down.has_something or up.has_something):
            break
    else:
        raise AssertionError("never through")
