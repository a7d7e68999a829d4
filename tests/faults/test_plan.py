"""Which faults are due when, and what is left over."""

import pytest

from bletest import profile
from bletest.errors import FaultNotFired, UnknownAttribute, UsageMistake
from bletest.faults import Effect, FaultPlan, FaultSpec, Occasion
from bletest.faults.pdus import answer_to, spoil
from bletest.profile.faults import read_fault
from tests.plugin.conftest import LED

LEVEL, BUTTON, CCCD = 3, 5, 6


def plan(*sentences: str, text: str = LED) -> FaultPlan:
    made = FaultPlan(profile.loads(text))
    led, button = made.profile.characteristics()
    made.handles = {LEVEL: led.path, BUTTON: button.path}
    made.cccds = {CCCD: button.path}
    for sentence in sentences:
        made.add(sentence)
    return made


def read(handle: int) -> bytes:
    return b"\x0a" + handle.to_bytes(2, "little")


def test_the_second_read_is_the_second_of_that_attribute() -> None:
    faulty = plan("led: read 2 answers 0x0E")
    assert faulty.ask_request(read(LEVEL)) == ()
    assert faulty.ask_request(read(BUTTON)) == ()
    assert [spec.argument for spec in faulty.ask_request(read(LEVEL))] == [0x0E]
    assert faulty.ask_request(read(LEVEL)) == ()


def test_ranges_and_every() -> None:
    faulty = plan("read 2-3 dropped", "led: read after 2 delayed 1s", "every request duplicated")
    due = [{one.effect for one in faulty.ask_request(read(LEVEL))} for _ in range(4)]
    assert due == [
        {Effect.DUPLICATED},
        {Effect.DUPLICATED, Effect.DROPPED},
        {Effect.DUPLICATED, Effect.DROPPED, Effect.DELAYED},
        {Effect.DUPLICATED, Effect.DELAYED},
    ]


def test_writing_a_cccd_is_a_subscription_and_no_write() -> None:
    faulty = plan("button: subscription 1 answers 0x11", "write 1 dropped")
    request = bytes((0x12, CCCD, 0))
    assert faulty.ask_request(request + b"\x00\x00") == ()
    assert [one.argument for one in faulty.ask_request(request + b"\x01\x00")] == [0x11]


def test_what_hits_more_than_a_pdu_is_done_at_once() -> None:
    faulty, done = plan("read 1 forgets the bond"), list[FaultSpec]()
    faulty.perform = done.append
    faulty.ask_request(read(LEVEL))
    assert [one.effect for one in done] == [Effect.FORGETS]


def test_a_fault_that_never_fired_is_left_over_and_says_how_often_it_could_have() -> None:
    faulty = plan("led: read 3 answers 0x0E", "at 5s disconnects", "write 1 dropped")
    faulty.ask_request(read(LEVEL))
    faulty.ask_request(bytes((0x12, LEVEL, 0, 1)))
    with pytest.raises(FaultNotFired) as caught:
        faulty.check_leftovers()
    assert caught.value.faults == ("led: read 3 answers 0x0E", "at 5s disconnects 0x13")
    assert str(caught.value) == (
        'the fault "led: read 3 answers 0x0E" never fired: 1 × read of led happened\n'
        'the fault "at 5s disconnects 0x13" never fired: the end came before it\n'
        "  remedy: make the test get there, or take the fault out of the plan"
    )


KINDS = (
    "led: read 2 answers 0x0E",
    "alarm: confirmation dropped",
    "button: notification 3 disconnects with 0x13",
    "led: read delayed by 29s",
    "led: read delayed by 31s",
    "led: read opcode 0x0D",
    "led: read truncated",
    "button: every notification is duplicated",
    "led: read corrupted",
    "at 3s pauses advertising for 5s",
    "connection refused with 0x3E",
    "disconnection forgets the bond",
    "mtu answers 22",
    "request 9 kills the adapter",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_of_any_kind_that_never_came_to_pass_fails(kind: str) -> None:
    text = LED + "      - {uuid: 0xFF03, id: alarm, properties: [indicate], value: {hex: 00}}\n"
    faulty = FaultPlan(profile.loads(text))
    fault = faulty.add(kind)
    with pytest.raises(FaultNotFired, match="never fired"):
        faulty.check_leftovers()
    faulty.reach(fault)
    faulty.check_leftovers()


def test_faults_of_a_profile_are_part_of_the_device_and_not_left_over() -> None:
    faulty = plan(text=LED + "faults: [{led: read 3 answers 0x0E}]\n")
    assert [str(one) for one in faulty] == ["led: read 3 answers 0x0E"]
    faulty.check_leftovers()


def test_parts_say_the_same_as_a_sentence() -> None:
    faulty = plan()
    assert str(faulty.add(of="led", on="read", nth=2, answers=0x0E)) == "led: read 2 answers 0x0E"
    assert str(faulty.add(at="3s", kills="adapter")) == "at 3s kills adapter"


def test_an_empty_plan_is_false() -> None:
    assert not plan()
    assert plan("read 1 dropped")


def test_mistakes_name_the_fault_and_a_remedy() -> None:
    with pytest.raises(UnknownAttribute, match='did you mean "button"'):
        plan("buton: read 1 dropped")
    with pytest.raises(UsageMistake, match=r"`led` sends no notification: it cannot notify"):
        plan("led: notification 1 dropped")
    with pytest.raises(UsageMistake, match="`button` is never confirmed"):
        plan("button: confirmation 1 dropped")
    with pytest.raises(UsageMistake, match="raed"):
        plan("led: raed 1 dropped")
    with pytest.raises(UsageMistake, match="one sentence, or parts"):
        plan().add("read 1 dropped", nth=2)


@pytest.mark.parametrize(
    ("sentence", "sent"),
    [
        ("read 1 dropped", []),
        ("read 1 delayed 31s", [(31.0, b"\x0b\x01\x02")]),
        ("read 1 duplicated", [(0.0, b"\x0b\x01\x02")] * 2),
        ("read 1 opcode 0x0D", [(0.0, b"\x0d\x01\x02")]),
        ("read 1 truncated", [(0.0, b"\x0b\x01")]),
        ("read 1 truncated to 1", [(0.0, b"\x0b")]),
        ("read 1 corrupted", [(0.0, b"\x0b\xfe\xfd")]),
        ("read 1 forgets bond", [(0.0, b"\x0b\x01\x02")]),
    ],
)
def test_what_is_sent_in_place_of_a_pdu(sentence: str, sent: list[tuple[float, bytes]]) -> None:
    assert spoil(b"\x0b\x01\x02", [read_fault(sentence)]) == sent


def test_a_pdu_of_an_opcode_alone_is_corrupted_by_an_octet_too_many() -> None:
    assert spoil(b"\x13", [read_fault("write 1 corrupted")]) == [(0.0, b"\x13\xff")]


def test_answers_in_place_of_the_servers() -> None:
    refused = read_fault("read 1 answers 0x0E")
    assert answer_to(read(LEVEL), [refused]) == b"\x01\x0a\x03\x00\x0e"
    assert answer_to(b"\x02\x05\x02", [read_fault("mtu answers 22")]) == b"\x03\x16\x00"
    assert answer_to(b"\x18\x01", [read_fault("request answers 6")]) == b"\x01\x18\x00\x00\x06"
    assert answer_to(read(LEVEL), [read_fault("read 1 delayed 1s")]) is None


def test_occasions_that_are_no_pdus() -> None:
    faulty = plan("connection 2 refused")
    assert faulty.ask(Occasion.CONNECTION) == ()
    assert [one.argument for one in faulty.ask(Occasion.CONNECTION)] == [0x3E]
