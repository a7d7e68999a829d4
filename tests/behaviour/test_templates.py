"""Patterns and templates: what is put together is taken apart again, and nothing else is."""

import random

from hypothesis import given
from hypothesis import strategies as st

from bletest.behaviour import fill, recognise
from bletest.profile.rules import Computed, Field, Function, Named, Part, Pattern, Random, Template
from bletest.profile.secrets import find_key

KNOWN = {"data": b"\x01\x02\x03"}
PARTS: st.SearchStrategy[Part] = (
    st.binary(min_size=1, max_size=4)
    | st.builds(Random, st.integers(1, 8), st.sampled_from([None, "a", "b"]))
    | st.just(Named("data"))
    | st.builds(
        lambda name, length: Computed(Function.CRC32, (Named(name),), length),
        st.sampled_from(["data", "a"]),
        st.integers(1, 4),
    )
)


@given(parts=st.lists(PARTS, max_size=6), chance=st.randoms(use_true_random=False))
def test_a_filled_template_is_recognised_with_the_octets_that_were_drawn(
    parts: list[Part], chance: random.Random
) -> None:
    template = Template(tuple(parts))
    octets, drawn = fill(template, KNOWN, find_key, chance.randbytes)

    assert recognise(template, octets, KNOWN, find_key) == drawn
    assert recognise(template, octets + b"\x00", KNOWN, find_key) is None


@given(parts=st.lists(PARTS, max_size=6), octets=st.binary(max_size=40))
def test_any_octets_are_recognised_or_not_without_an_exception(
    parts: list[Part], octets: bytes
) -> None:
    found = recognise(Template(tuple(parts)), octets, KNOWN, find_key)
    assert found is None or set(found) <= {"a", "b"}


@given(
    first=st.binary(max_size=4),
    values=st.lists(st.binary(min_size=1, max_size=6), max_size=4),
    rest=st.none() | st.binary(max_size=9),
)
def test_a_built_value_matches_its_pattern_and_gives_its_fields_back(
    first: bytes, values: list[bytes], rest: bytes | None
) -> None:
    fields = {f"f{at}": value for at, value in enumerate(values)}
    parts: list[bytes | Field] = [first, *(Field(name, len(v)) for name, v in fields.items())]
    if rest is not None:
        fields["rest"] = rest
        parts.append(Field("rest", None))
    pattern = Pattern(tuple(parts))
    value = pattern.build(fields)

    assert pattern.read(value) == fields
    least, most = pattern.lengths
    assert least <= len(value)
    assert most is None or most == len(value) == least
    if rest is None:
        assert pattern.read(value + b"\x00") is None
    if first:
        assert pattern.read(bytes([value[0] ^ 1]) + value[1:]) is None
