"""What reads are answered with, as a profile says it."""

import pytest

from bletest.errors import ProfileError
from bletest.profile import loads
from bletest.profile.mistakes import Mistake
from bletest.profile.sources import ReadSource

HEAD = """\
bletest: 1
name: reads
device: {name: Tag}
services:
  - uuid: 0xFF00
    characteristics:
"""


def profile_of(on_read: str, more: str = "properties: [read, write], value: {uint8: 10}") -> str:
    return f"{HEAD}      - {{uuid: 0xFF01, {more}, on_read: {{{on_read}}}}}\n"


def source_of(text: str) -> ReadSource:
    profile = loads(text)
    (found,), (expected,) = profile.characteristics(), profile.expectation.characteristics()
    assert found.on_read is not None
    assert not expected.steady
    return found.on_read


def test_the_first_reads_are_served_the_value_and_the_others_a_source() -> None:
    source = source_of(profile_of("after: 2, values: {sequence: [{uint8: 1}, {uint8: 2}]}"))
    assert [source.at(number) for number in range(1, 6)] == [None, None, b"\1", b"\2", b"\1"]
    assert not source.counts_writes


def test_reads_are_answered_from_the_first_on_if_nothing_else_is_said() -> None:
    source = source_of(profile_of("counts: [reads, writes], values: {ramp: {from: 5, to: 7}}"))
    assert [source.at(number) for number in range(1, 5)] == [b"\5", b"\6", b"\7", b"\5"]
    assert source.counts_writes


def test_a_bare_number_takes_as_many_octets_as_it_needs() -> None:
    more = "properties: [read], value: {hex: 0A}, length: {max: 4}"
    ramp = "values: {ramp: {from: 0xFE, to: 0x20FE, step: 0x1000, as: big_endian}}"
    assert source_of(profile_of(ramp, more)).values.values == (b"\xfe", b"\x10\xfe", b"\x20\xfe")
    ramp = "values: {ramp: {from: 0xFFFF, to: 0x10000, as: big_endian}}"
    assert source_of(profile_of(ramp, more)).values.values == (b"\xff\xff", b"\0\1\0\0")


def test_a_value_without_on_read_is_steady() -> None:
    profile = loads(f"{HEAD}      - {{uuid: 0xFF01, properties: [read], value: {{uint8: 1}}}}\n")
    assert [one.steady for one in profile.expectation.characteristics()] == [True]


WRITABLE = "properties: [write], length: 1"


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        (profile_of("values: {constant: {uint8: 1}}", WRITABLE), "on_read", "can be read"),
        (profile_of("after: 1"), "after", "lacks `values`"),
        (profile_of("values: {sine: {from: 1, to: 2, period: 1s}}"), "sine", "how often"),
        (profile_of("values: {constant: {uint16: 1}}"), "{constant", "does not meet `expect`"),
        (profile_of("counts: writes, values: {constant: {uint8: 1}}"), "writes,", "count always"),
        (
            profile_of("values: {constant: {uint8: 1}, sequence: [{uint8: 1}]}"),
            "{constant",
            "values are a constant or a sequence",
        ),
        (
            profile_of("values: {ramp: {from: -1, to: 2, as: big_endian}}"),
            "{from",
            "-1 does not fit",
        ),
        (
            profile_of("values: {ramp: {from: 1, to: 2, of: a, as: big_endian}}"),
            "a, as",
            "takes the place of the whole value",
        ),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(text: str, at: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        loads(text)
    (mistake,) = caught.value.mistakes
    assert isinstance(mistake, Mistake)
    assert mistake.source[mistake.column - 1 :].lstrip("{").startswith(at.lstrip("{"))
