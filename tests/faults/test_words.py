"""What a fault may be called, and what is said to a mistake."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.profile.faults import (
    ABOUT_ATTRIBUTES,
    EFFECTS_OF,
    Effect,
    FaultSpec,
    Occasion,
    read_fault,
)
from bletest.profile.mistakes import Refusal

CODES = st.integers(1, 0xFF)
REASONS = st.integers(1, 0x45)
SECONDS = st.integers(1, 10**9).map(lambda us: round(us * 1e-6, 9))


def arguments(occasion: Occasion, effect: Effect) -> st.SearchStrategy[int | float | None]:
    match effect:
        case Effect.ANSWERS:
            return st.integers(0, 0xFFFF) if occasion is Occasion.MTU else CODES
        case Effect.OPCODE:
            return st.integers(0, 0xFF)
        case Effect.TRUNCATED:
            return st.just(-1) | st.integers(0, 512)
        case Effect.DELAYED | Effect.PAUSES:
            return SECONDS
        case Effect.DISCONNECTS | Effect.REFUSED:
            return REASONS
        case _:
            return st.none()


@st.composite
def faults(draw: st.DrawFn) -> FaultSpec:
    occasion = draw(st.sampled_from(list(Occasion)))
    effect = draw(st.sampled_from(sorted(EFFECTS_OF[occasion])))
    argument = draw(arguments(occasion, effect))
    if occasion is Occasion.AT:
        return FaultSpec(occasion, effect, argument, moment=draw(SECONDS))
    first = draw(st.integers(1, 1000))
    last = draw(st.none() | st.integers(first, first + 10))
    attribute = draw(st.sampled_from(["", "led", "heart_rate/level#2"]))
    return FaultSpec(
        occasion,
        effect,
        argument,
        first,
        last,
        attribute=attribute if occasion in ABOUT_ATTRIBUTES else "",
    )


@settings(deadline=None)
@given(faults())
def test_a_fault_is_shown_in_the_words_that_make_it(fault: FaultSpec) -> None:
    assert read_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("battery_level: read 2 answers 0x0E", "battery_level: read 2 answers 0x0E"),
        ("battery_level: read answers unlikely_error", "battery_level: read 1 answers 0x0E"),
        ("confirmation is dropped", "confirmation 1 dropped"),
        ("notification 3 disconnects with 0x13", "notification 3 disconnects 0x13"),
        ("notification 3 disconnects", "notification 3 disconnects 0x13"),
        ("level: read 1 is delayed by 29 s", "level: read 1 delayed 29s"),
        ("every notification is delayed by 250ms", "notification every delayed 0.25s"),
        ("write 2-4 opcode 0x0D", "write 2-4 opcode 0x0D"),
        ("read 1 is truncated", "read 1 truncated"),
        ("read 1 is truncated to 5", "read 1 truncated 5"),
        ("notification after 3 duplicated", "notification after 3 duplicated"),
        ("indication 1 corrupted", "indication 1 corrupted"),
        ("at 3s pauses advertising for 5s", "at 3s pauses advertising 5s"),
        ("connection 1-3 refused with 0x3E", "connection 1-3 refused 0x3E"),
        ("connection is refused", "connection 1 refused 0x3E"),
        ("disconnection forgets the bond", "disconnection 1 forgets bond"),
        ("mtu answers 22", "mtu 1 answers 22"),
        ("discovery 4 kills the adapter", "discovery 4 kills adapter"),
        ({"of": "level", "on": "read", "nth": 2, "answers": 0x0E}, "level: read 2 answers 0x0E"),
        ({"at": "3s", "disconnects": 0x13}, "at 3s disconnects 0x13"),
        ({"on": "notification", "nth": "every", "dropped": True}, "notification every dropped"),
        ({"level": "read 2 answers 0x0E"}, "level: read 2 answers 0x0E"),
    ],
)
def test_sentences_and_parts(said: object, shown: str) -> None:
    assert str(read_fault(said)) == shown


@pytest.mark.parametrize(
    ("said", "message", "remedy"),
    [
        ("level: raed 2 answers 0x0E", "`raed` is no occasion", 'did you mean "read"?'),
        ("level: read 2 answer 0x0E", "`answer` is nothing that can go wrong", '"answers"'),
        ("level: read 2", "does not say what goes wrong", "battery_level: read 2 answers"),
        ("", "does not say what goes wrong", "battery_level: read 2 answers"),
        ("read 2 answers", "`answers` needs a value", "answers 0x0E"),
        ("read 2 answers 0", "0 is out of range", "from 1 to 255"),
        ("read 2 answers unlikly_error", "no ATT error code", '"unlikely_error"'),
        ("read 0 dropped", "0 is out of range", "from 1"),
        ("read 4-2 dropped", "`4-2` holds nothing", "write 2-4"),
        ("read 2 delayed by 29", "`29` has no unit", "29ms or 29s"),
        ("read 2 dropped 5", "nothing comes after `dropped`", "remove it"),
        ("read 2 refused", "nothing can be said to be `refused`", "answers"),
        ("notification 1 answers 0x0E", "`answers` does not go with `notification`", "delayed"),
        ("level: mtu answers 22", "`mtu` does not concern one attribute", "remove the name"),
        ("at 3s forgets the key", "nothing forgets `key`", "forgets bond"),
        ("2 at 3s disconnects", "a moment comes once", "remove"),
        ("mtu answers 70000", "70000 is out of range", "from 0 to 65535"),
        ({"on": "read"}, "does not say what goes wrong", "answers"),
        ({"on": "read", "dropped": True, "corrupted": True}, "one effect", "a fault for each"),
        ({"on": "read", "at": "1s", "dropped": True}, "an occasion or a moment", "remove"),
        ({"answers": 14, "of": "level"}, "has no occasion", "on: read"),
        ({"on": "read", "dropped": False}, "`dropped: false` is no fault", "remove"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(said: object, message: str, remedy: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_fault(said)
    assert message in caught.value.message
    assert remedy in caught.value.remedy


@settings(deadline=None)
@given(st.text(max_size=60) | st.dictionaries(st.text(max_size=8), st.integers() | st.text()))
def test_nothing_that_is_said_does_anything_but_be_read_or_refused(said: object) -> None:
    with contextlib.suppress(Refusal):
        assert isinstance(read_fault(said), FaultSpec)
