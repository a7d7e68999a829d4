import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.contracts.events import AttPdu, Direction, Event, LinkEvent, Note, SmpPdu
from bletest.evidence.transcript import Transcript, what_is_noted

SENT, RECEIVED = Direction.SENT, Direction.RECEIVED
NAMES = {0x0012: "heart_rate/body_sensor_location", 0x000F: "heart_rate/heart_rate_measurement"}


def att(time: float, direction: Direction, octets: str, link: str = "1") -> AttPdu:
    return AttPdu(time, link, direction, bytes.fromhex(octets))


def transcript_of(*events: Event) -> Transcript:
    transcript = Transcript(NAMES)
    for event in events:
        transcript(event)
    return transcript


def attributes(transcript: Transcript) -> list[str | None]:
    return [json.loads(line)["attribute"] for line in transcript.json_lines().splitlines()]


def test_a_line_holds_time_arrow_attribute_words_and_octets() -> None:
    transcript = transcript_of(
        LinkEvent(100.0, "1", "connected", "C0:11:22:33:44:55"),
        att(100.00125, SENT, "0a1200"),
        att(100.0025, RECEIVED, "0b01"),
        Note(112.5, "the strap\nwas put on"),
    )
    assert transcript.text().splitlines() == [
        " 0.000000  ·  connected C0:11:22:33:44:55",
        " 0.001250  →  heart_rate/body_sensor_location  Read Request 0x0012  0a 12 00",
        " 0.002500  ←  heart_rate/body_sensor_location  Read Response 01     0b 01",
        "12.500000  #  the strap was put on",
    ]


def test_json_lines_have_the_documented_keys_in_their_order() -> None:
    transcript = transcript_of(
        att(1.0, SENT, "0a1200"),
        SmpPdu(1.5, "1", RECEIVED, bytes.fromhex("0504")),
        LinkEvent(2.0, "1", "disconnected", "0x13"),
        Note(2.25, "end"),
    )
    read, failed, gone, note = transcript.json_lines().splitlines()
    assert read == (
        '{"time": 0.000000, "kind": "att", "link": "1", "direction": "sent", "opcode": 10, '
        '"name": "Read Request", "attribute": "heart_rate/body_sensor_location", '
        '"text": "Read Request 0x0012", "pdu": "0a1200"}'
    )
    assert json.loads(failed) == {
        "time": 0.5,
        "kind": "smp",
        "link": "1",
        "direction": "received",
        "opcode": 5,
        "name": "Pairing Failed",
        "attribute": None,
        "text": "Pairing Failed: 0x04 Confirm Value Failed",
        "pdu": "0504",
    }
    assert gone == (
        '{"time": 1.000000, "kind": "link", "link": "1", "what": "disconnected", "detail": "0x13"}'
    )
    assert note == '{"time": 1.250000, "kind": "note", "text": "end"}'


def test_a_response_is_named_after_what_was_asked_on_its_link() -> None:
    transcript = transcript_of(
        att(0, SENT, "0a1200", "1"),
        att(0, SENT, "0a0f00", "2"),
        att(0, RECEIVED, "1b0f000048", "1"),
        att(0, RECEIVED, "0b01", "1"),
        att(0, RECEIVED, "0b0048", "2"),
        att(0, RECEIVED, "0a1200", "1"),
        att(0, SENT, "010a120002", "1"),
    )
    location, measurement = NAMES[0x12], NAMES[0x0F]
    assert attributes(transcript) == [
        location,
        measurement,
        measurement,
        location,
        measurement,
        location,
        location,
    ]


def test_an_answer_to_a_request_without_attributes_is_not_named_after_an_earlier_one() -> None:
    transcript = transcript_of(
        att(0, SENT, "0a1200"), att(0, RECEIVED, "0b01"), att(0, SENT, "0e"), att(0, RECEIVED, "0f")
    )
    assert attributes(transcript)[2:] == [None, None]


def test_an_error_is_named_after_an_attribute_only_where_one_was_asked_for() -> None:
    transcript = transcript_of(
        att(0, SENT, "081200ffff0328"),
        att(0, RECEIVED, "010812000a"),
        att(0, SENT, "0a1200"),
        att(0, RECEIVED, "010a120005"),
        att(0, RECEIVED, "01"),
    )
    assert attributes(transcript) == [None, None, NAMES[0x12], NAMES[0x12], None]


def test_a_confirmation_is_named_after_its_indication() -> None:
    transcript = transcript_of(
        att(0, RECEIVED, "1d0f000048"), att(0, SENT, "0a1200"), att(0, SENT, "1e")
    )
    assert attributes(transcript)[2] == NAMES[0x0F]


@pytest.mark.parametrize(
    "octets", ["0e12000f00", "2012000f00", "2312000100010f0002000048"], ids=["0E", "20", "23"]
)
def test_a_pdu_with_several_handles_names_them_all(octets: str) -> None:
    assert attributes(transcript_of(att(0, RECEIVED, octets))) == [f"{NAMES[0x12]}, {NAMES[0x0F]}"]


def test_names_may_come_after_the_events() -> None:
    transcript = Transcript()
    transcript(att(0, SENT, "521200ff"))
    assert attributes(transcript) == [None]
    transcript.names = NAMES
    assert attributes(transcript) == [NAMES[0x12]]


def test_on_another_link_the_same_handle_may_be_something_else() -> None:
    transcript = transcript_of(att(0, SENT, "0a1200", "1"), att(0, SENT, "0a1200", "2"))
    transcript.names_on["2"] = {0x12: "dfu"}
    assert attributes(transcript) == [NAMES[0x12], "dfu"]
    assert "dfu" in transcript.text()


def test_links_are_told_apart_where_there_are_several() -> None:
    transcript = transcript_of(att(0, SENT, "1e", "1"), att(0, SENT, "1e", "10"))
    assert transcript.text().splitlines() == [
        "0.000000  1   →  Handle Value Confirmation  1e",
        "0.000000  10  →  Handle Value Confirmation  1e",
    ]


def test_a_limit_keeps_both_ends_and_counts_the_rest() -> None:
    transcript = transcript_of(*(Note(float(n), f"line {n}") for n in range(10)))
    assert transcript.text(limit=3).splitlines() == [
        "0.000000  #  line 0",
        "1.000000  #  line 1",
        "… 7 lines left out …",
        "9.000000  #  line 9",
    ]
    assert transcript.text(limit=10) == transcript.text()
    assert len(transcript.json_lines().splitlines()) == 10


def test_a_long_value_is_cut_in_the_text_and_whole_in_the_json() -> None:
    transcript = transcript_of(AttPdu(0, "1", SENT, b"\x1b\x0f\x00" + bytes(range(200))))
    (line,) = transcript.text().splitlines()
    assert len(line) < 400
    assert line.endswith("3c … (203 octets)")
    assert json.loads(transcript.json_lines())["pdu"].endswith(bytes(range(200)).hex())


def test_clear_forgets_events_and_keeps_names() -> None:
    transcript = transcript_of(Note(5.0, "of the test before"))
    transcript.clear()
    assert (len(transcript), transcript.events, transcript.text()) == (0, (), "")
    transcript(att(9.0, SENT, "0a1200"))
    assert transcript.text().startswith("0.000000  →  heart_rate/body_sensor_location")


def test_only_the_distance_between_events_counts_not_the_clock() -> None:
    def at(start: float) -> str:
        return transcript_of(Note(start, "a"), Note(start + 0.000_25, "b")).json_lines()

    assert at(0.0) == at(1_234.5) == at(9e5)


@st.composite
def pdus(draw: st.DrawFn) -> Event:
    time, link = draw(st.floats(0, 1e5)), draw(st.sampled_from(["1", "2"]))
    direction, pdu = draw(st.sampled_from(Direction)), draw(st.binary(max_size=40))
    is_att = draw(st.booleans())
    return (AttPdu if is_att else SmpPdu)(time, link, direction, pdu)


@settings(deadline=None)
@given(st.lists(pdus(), max_size=12))
def test_any_octets_give_one_line_and_one_object_each(events: list[Event]) -> None:
    transcript = transcript_of(*events)
    assert len(transcript.text().splitlines()) == len(events)
    objects = [json.loads(line) for line in transcript.json_lines().splitlines()]
    assert [bytes.fromhex(one["pdu"]) for one in objects] == [
        event.pdu for event in events if isinstance(event, AttPdu | SmpPdu)
    ]
    assert transcript.json_lines() == transcript_of(*events).json_lines()


def test_a_noted_pdu_is_the_event_it_stands_for():
    transcript = Transcript()
    for smp in (False, True):
        for sent in (False, True):
            transcript.note((1.5, "1", what_is_noted(smp=smp, sent=sent), b"\x0b\x2a"))
    assert transcript.events == (
        AttPdu(1.5, "1", RECEIVED, b"\x0b\x2a"),
        AttPdu(1.5, "1", SENT, b"\x0b\x2a"),
        SmpPdu(1.5, "1", RECEIVED, b"\x0b\x2a"),
        SmpPdu(1.5, "1", SENT, b"\x0b\x2a"),
    )
    assert [type(event) for event in transcript.events] == [AttPdu, AttPdu, SmpPdu, SmpPdu]
    transcript.clear()
    transcript.note((0.0, "1", 0, b"\x0b"))
    assert len(transcript) == 1


def test_the_detail_of_a_note_stands_beneath_it_and_in_the_json_lines():
    transcript = transcript_of(
        Note(1.0, "a handler raised", "Traceback:\n  line 7"), Note(1.5, "b")
    )
    assert transcript.text().splitlines() == [
        "0.000000  #  a handler raised",
        "          Traceback:",
        "            line 7",
        "0.500000  #  b",
    ]
    first, second = transcript.json_lines().splitlines()
    assert first.endswith('"text": "a handler raised", "detail": "Traceback:\\n  line 7"}')
    assert "detail" not in second
