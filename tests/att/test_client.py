import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.att import client
from bletest.att.client import (
    BearerBusy,
    BearerDead,
    ClientBearer,
    IndicationArrived,
    MultipleNotificationsArrived,
    NotificationArrived,
    ResponseArrived,
    Unexpected,
)

READ = b"\x0a\x03\x00"


def test_a_request_is_outstanding_until_its_response():
    bearer = ClientBearer()
    bearer.start(READ, 5.0)
    assert (bearer.outstanding, bearer.deadline) == (READ, 35.0)
    with pytest.raises(BearerBusy, match="Read Request 0x0003"):
        bearer.start(READ, 6.0)
    assert bearer.receive(b"\x0bvalue", 7.0) == ResponseArrived(b"\x0bvalue")
    assert (bearer.outstanding, bearer.deadline) == (None, None)
    bearer.start(READ, 8.0)


def test_an_error_response_is_a_response():
    bearer = ClientBearer()
    bearer.start(READ, 0.0)
    assert bearer.receive(b"\x01\x0a\x03\x00\x02", 0.0) == ResponseArrived(b"\x01\x0a\x03\x00\x02")


def test_a_response_that_nothing_asked_for_is_unexpected():
    assert ClientBearer().receive(b"\x0bvalue", 0.0) == Unexpected(
        b"\x0bvalue", "a response that nothing asked for"
    )


def test_a_response_longer_than_att_mtu_arrives_with_its_fault():
    bearer = ClientBearer()
    bearer.start(READ, 0.0)
    pdu = b"\x0b" + bytes(23)
    assert bearer.receive(pdu, 0.0) == ResponseArrived(pdu, "24 octets where ATT_MTU is 23")


def test_a_pdu_of_exactly_att_mtu_is_taken():
    bearer = ClientBearer()
    bearer.start(READ, 0.0)
    assert bearer.receive(b"\x0b" + bytes(22), 0.0) == ResponseArrived(b"\x0b" + bytes(22))
    assert bearer.receive(b"\x1b\x05\x00" + bytes(20), 0.0) == NotificationArrived(5, bytes(20))
    several = b"\x23\x03\x00\x07\x00" + bytes(7) + b"\x05\x00\x07\x00" + bytes(7)
    assert len(several) == 23
    assert bearer.receive(several, 0.0) == (
        MultipleNotificationsArrived(((3, bytes(7)), (5, bytes(7))))
    )


def test_values_arrive_while_a_response_is_awaited():
    bearer = ClientBearer()
    bearer.start(READ, 0.0)
    assert bearer.receive(b"\x1b\x05\x00n", 0.0) == NotificationArrived(5, b"n")
    assert bearer.receive(b"\x1d\x07\x00i", 0.0) == IndicationArrived(7, b"i", b"\x1e")
    assert bearer.receive(b"\x23\x03\x00\x01\x00a\x05\x00\x00\x00", 0.0) == (
        MultipleNotificationsArrived(((3, b"a"), (5, b"")))
    )
    assert bearer.outstanding == READ


@pytest.mark.parametrize(
    ("pdu", "reason"),
    [
        (b"", "no octets"),
        (b"\x1b\x05", "too short for a handle"),
        (b"\x1d", "too short for a handle"),
        (b"\x1b\x05\x00" + bytes(21), "24 octets where ATT_MTU is 23"),
        (b"\x1d\x05\x00" + bytes(21), "24 octets where ATT_MTU is 23"),
        (b"\x23" + bytes(23), "24 octets where ATT_MTU is 23"),
        (b"\x23\x03\x00\x02\x00a", "1 octet is missing in a value"),
        (READ, "nothing that a server sends to a client"),
        (b"\x99", "nothing that a server sends to a client"),
        (b"\x1e", "nothing that a server sends to a client"),
    ],
)
def test_what_a_server_may_not_send_is_unexpected(pdu, reason):
    bearer = ClientBearer()
    bearer.start(READ, 0.0)
    assert bearer.receive(pdu, 0.0) == Unexpected(pdu, reason)
    assert bearer.outstanding == READ


@pytest.mark.parametrize(
    ("own", "servers", "effective"), [(247, 100, 100), (100, 247, 100), (517, 10, 23), (5, 517, 23)]
)
def test_an_mtu_exchange_that_passes_through_sets_att_mtu(own, servers, effective):
    bearer = ClientBearer()
    bearer.start(b"\x02" + own.to_bytes(2, "little"), 0.0)
    bearer.receive(b"\x03" + servers.to_bytes(2, "little"), 0.0)
    assert bearer.mtu == effective


@pytest.mark.parametrize("response", [b"\x03\xf7", b"\x03\xf7\x00\x00", b"\x01\x02\x00\x00\x06"])
def test_an_mtu_exchange_that_fails_leaves_att_mtu(response):
    bearer = ClientBearer()
    bearer.start(b"\x02\xf7\x00", 0.0)
    bearer.receive(response, 0.0)
    assert bearer.mtu == 23


def test_an_mtu_response_to_another_request_leaves_att_mtu():
    bearer = ClientBearer()
    bearer.start(READ, 0.0)
    bearer.receive(b"\x03\xf7\x00", 0.0)
    assert bearer.mtu == 23


def test_thirty_seconds_without_response_end_the_bearer():
    bearer = ClientBearer()
    bearer.start(READ, 10.0)
    bearer.expire(39.9)
    assert not bearer.dead
    bearer.expire(40.0)
    assert bearer.dead
    assert bearer.deadline is None
    with pytest.raises(BearerDead):
        bearer.start(READ, 41.0)
    for late in (b"\x0bvalue", b"\x1b\x05\x00n", b"\x1d\x05\x00i", b"\x23" + bytes(8)):
        assert isinstance(bearer.receive(late, 41.0), Unexpected)


def test_who_expects_silence_abandons_the_request():
    bearer = ClientBearer()
    bearer.start(b"\x99", 0.0)
    bearer.abandon()
    bearer.expire(100.0)
    assert not bearer.dead
    bearer.start(READ, 100.0)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.binary(max_size=30), max_size=10), st.booleans())
def test_any_octets_are_some_event(received, waiting):
    bearer = ClientBearer()
    for pdu in received:
        if waiting and bearer.outstanding is None:
            bearer.start(READ, 0.0)
        event = bearer.receive(pdu, 0.0)
        assert isinstance(event, tuple(vars(client)[name] for name in EVENTS))
    assert bearer.mtu == 23


EVENTS = [
    "ResponseArrived",
    "NotificationArrived",
    "MultipleNotificationsArrived",
    "IndicationArrived",
    "Unexpected",
]
