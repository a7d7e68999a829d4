"""A Record Access Control Point: stored records, chosen, reported, counted and deleted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bletest.behaviour import Reaction, StoredRecords
from bletest.profile.procedures import Record, RecordAccess
from bletest.profile.rules import ReplyKind

CONTROL, RECORDS = "glucose/racp", "glucose/measurement"
BOTH = {CONTROL, RECORDS}
FIVE = tuple(Record(number, bytes([number])) for number in (3, 4, 5, 6, 7))


def meter(records: tuple[Record, ...] = FIVE) -> StoredRecords:
    return StoredRecords(CONTROL, RecordAccess(RECORDS, 0.5, records))


def ask(stored: StoredRecords, value: str, *, now: float = 0.0, client: str = "one") -> Reaction:
    return stored.write(client, bytes.fromhex(value), now, subscribed=BOTH)


def answer(stored: StoredRecords, value: str) -> str:
    reaction = ask(stored, value)
    assert reaction.error is None
    *_, last = reaction.sendings
    assert (last.via, last.kind) == (CONTROL, ReplyKind.INDICATION)
    return last.value.hex(" ")


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        ("01", [3, 4, 5, 6, 7]),
        ("02 01 05 00", [3, 4, 5]),
        ("03 01 05 00", [5, 6, 7]),
        ("04 01 04 00 06 00", [4, 5, 6]),
        ("05", [3]),
        ("06", [7]),
    ],
)
def test_the_records_that_are_asked_for_are_reported_then_the_response(
    chosen: str, numbers: list[int]
) -> None:
    reaction = ask(meter(), "01" + chosen)

    *reported, last = reaction.sendings
    assert [one.value[0] for one in reported] == numbers
    assert {one.via for one in reported} == {RECORDS}
    assert [one.after for one in reported] == [0.5 * at for at in range(len(numbers))]
    assert (last.via, last.value.hex(), last.after) == (CONTROL, "06000101", 0.5 * len(numbers))
    assert answer(meter(), "04" + chosen) == f"05 00 {len(numbers):02x} 00"


@pytest.mark.parametrize(
    ("value", "response"),
    [
        ("01 00", "06 00 01 03"),
        ("01 07", "06 00 01 04"),
        ("01 01 00", "06 00 01 05"),
        ("01 02 01 05", "06 00 01 05"),
        ("01 02", "06 00 01 05"),
        ("01 04 01 06 00 04 00", "06 00 01 05"),
        ("01 03 02 00 00", "06 00 01 09"),
        ("01 03 01 08 00", "06 00 01 06"),
        ("02 03 01 08 00", "06 00 02 06"),
        ("04 03 01 08 00", "05 00 00 00"),
        ("05 01", "06 00 05 02"),
        ("ff 01", "06 00 ff 02"),
        ("03 00", "06 00 03 01"),
    ],
)
def test_what_cannot_be_done_is_answered_with_its_code(value: str, response: str) -> None:
    assert answer(meter(), value) == response


def test_deleted_records_are_gone_for_everybody_until_the_device_is_reset() -> None:
    stored = meter()

    assert answer(stored, "02 02 01 05 00") == "06 00 02 01"
    assert ask(stored, "04 01", client="two").sendings[0].value.hex() == "05000200"
    stored.reset()
    assert answer(stored, "04 01") == "05 00 05 00"


def test_a_second_procedure_is_refused_until_the_first_has_ended() -> None:
    stored = meter()
    ask(stored, "01 01")

    assert ask(stored, "04 01", now=2.49).error == 0xFE
    assert ask(stored, "04 01", now=2.49, client="two").error is None
    assert ask(stored, "04 01", now=2.5).error is None


def test_an_abort_ends_a_report() -> None:
    stored = meter()
    ask(stored, "01 01")
    reaction = ask(stored, "03 00", now=1.0)

    assert reaction.cancels
    assert [one.value.hex() for one in reaction.sendings] == ["06000301"]
    assert ask(stored, "04 01", now=1.0).error is None


def test_a_client_that_comes_back_is_not_busy() -> None:
    stored = meter()
    ask(stored, "01 01")
    stored.forget("one")

    assert ask(stored, "04 01").error is None


@pytest.mark.parametrize(
    ("value", "subscribed", "error"),
    [
        ("04 01", set(), 0xFD),
        ("04 01", {RECORDS}, 0xFD),
        ("04 01", {CONTROL}, None),
        ("01 01", {CONTROL}, 0xFD),
        ("03 00", {RECORDS}, 0xFD),
        ("01", BOTH, 0x0D),
        ("", BOTH, 0x0D),
    ],
)
def test_who_has_not_subscribed_is_refused(
    value: str, subscribed: set[str], error: int | None
) -> None:
    found = meter().write("one", bytes.fromhex(value), 0.0, subscribed=subscribed)
    assert found.error == error


@given(
    writes=st.lists(
        st.binary(max_size=8)
        | st.builds(
            lambda opcode, rest: bytes([opcode]) + rest, st.integers(1, 4), st.binary(max_size=6)
        ),
        max_size=20,
    )
)
def test_whatever_is_written_is_refused_or_answered_by_one_indication_at_the_end(
    writes: list[bytes],
) -> None:
    stored = meter()
    now = 0.0
    for value in writes:
        reaction = stored.write("one", value, now, subscribed=BOTH)
        if reaction.error is not None:
            assert reaction.sendings == ()
            assert (reaction.error == 0x0D) == (len(value) < 2)
        else:
            assert [one.via for one in reaction.sendings].count(CONTROL) == 1
            assert reaction.sendings[-1].via == CONTROL
            assert reaction.sendings[-1].value[0] in (5, 6)
            assert {one.value[0] for one in reaction.sendings[:-1]} <= {
                one.number for one in stored.records
            }
        now += 1.0
