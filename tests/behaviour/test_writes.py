from hypothesis import given
from hypothesis import strategies as st

from bletest.behaviour import Reaction, Sending, react
from bletest.profile.rules import Reply, ReplyKind, WriteRule


def test_a_write_that_no_rule_matches_is_accepted_and_answered_by_nothing() -> None:
    rules = (WriteRule(match=b"\x01", error=0x80),)
    assert react(rules, b"\x02", mtu=23) == Reaction()


def test_the_first_rule_that_matches_wins() -> None:
    rules = (
        WriteRule(match=b"\x01"),
        WriteRule(match=b"\x01", error=0x80),
        WriteRule(match=None, error=0x81),
    )
    assert react(rules, b"\x01", mtu=23).error is None
    assert react(rules, b"\x02", mtu=23).error == 0x81


def test_an_echo_sends_back_what_was_written() -> None:
    rules = (WriteRule(match=None, replies=(Reply(via="uart/tx", value=None),)),)
    assert react(rules, b"hello", mtu=23).sendings == (Sending("uart/tx", b"hello", None, 0.0),)


def test_a_reply_keeps_its_kind_and_its_delay() -> None:
    reply = Reply(via="a/b", value=b"\x07", kind=ReplyKind.INDICATION, after=0.5)
    (sending,) = react((WriteRule(match=b"", replies=(reply,)),), b"", mtu=23).sendings
    assert sending == Sending("a/b", b"\x07", ReplyKind.INDICATION, 0.5)


def test_a_chunk_of_mtu_fills_notifications_to_the_brim() -> None:
    rules = (WriteRule(match=None, replies=(Reply(via="tx", value=bytes(50), chunk=0),)),)
    assert [len(one.value) for one in react(rules, b"x", mtu=23).sendings] == [20, 20, 10]


def test_an_empty_reply_in_chunks_is_one_empty_piece() -> None:
    rules = (WriteRule(match=None, replies=(Reply(via="tx", value=b"", chunk=4),)),)
    assert [one.value for one in react(rules, b"x", mtu=23).sendings] == [b""]


@given(value=st.binary(max_size=600), chunk=st.integers(0, 40), mtu=st.integers(23, 517))
def test_the_pieces_of_a_chunked_echo_join_to_what_was_written(
    value: bytes, chunk: int, mtu: int
) -> None:
    rules = (WriteRule(match=None, replies=(Reply(via="tx", value=None, chunk=chunk),)),)
    pieces = [one.value for one in react(rules, value, mtu=mtu).sendings]
    assert b"".join(pieces) == value
    assert all(len(piece) <= (chunk or mtu - 3) for piece in pieces)
