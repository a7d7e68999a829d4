import asyncio

import pytest

from bletest.att.handlers import (
    AttRefusal,
    Deferred,
    ReadAccess,
    WriteAccess,
    WriteOperation,
)
from bletest.att.server_events import HandlerFailed, Read, RequestIgnored, Written
from tests.att.device import Device, ScriptedHandler, refusal, u16


def scripted(answer=None):
    handler = ScriptedHandler(answer)
    device = Device(handler=handler)
    return device, handler, device.connect(), device.handle("handled")


def test_a_handler_makes_the_value():
    device, handler, bearer, handle = scripted(b"made")
    value = device.by_name["handled"].value
    assert bearer.receive(b"\x0a" + u16(handle), 0.0) == b"\x0bmade"
    assert handler.requests == [ReadAccess(bearer, value, 0x0A)]
    assert handler.requests[0].client == "phone"
    assert device.events == [Read("phone", value, 0)]


def test_a_handler_may_leave_it_at_the_stored_value():
    _, _, bearer, handle = scripted(None)
    assert bearer.receive(b"\x0a" + u16(handle), 0.0) == b"\x0bstored"


def test_a_handler_is_asked_for_the_whole_value_and_the_engine_cuts_it():
    _, handler, bearer, handle = scripted(bytes(range(60)))
    assert bearer.receive(b"\x0c" + u16(handle) + b"\x16\x00", 0.0) == b"\x0d" + bytes(
        range(22, 44)
    )
    assert handler.requests[0].offset == 22
    assert bearer.receive(b"\x0c" + u16(handle) + b"\x3d\x00", 0.0) == refusal(0x0C, handle, 0x07)


def test_a_handler_is_not_asked_where_permission_lacks():
    device, handler, bearer, handle = scripted(b"made")
    device.by_name["handled"].value.read = None
    assert bearer.receive(b"\x0a" + u16(handle), 0.0) == refusal(0x0A, handle, 0x02)
    assert bearer.receive(b"\x08\x01\x00\xff\xff\x0e\xff", 0.0) == refusal(0x08, handle, 0x02)
    assert handler.requests == []


def test_a_write_that_the_handler_accepts_is_stored():
    device, handler, bearer, handle = scripted()
    value = device.by_name["handled"].value
    assert bearer.receive(b"\x12" + u16(handle) + b"new", 0.0) == b"\x13"
    assert bearer.receive(b"\x52" + u16(handle) + b"cmd", 0.0) is None
    assert handler.requests == [
        WriteAccess(bearer, value, b"new", WriteOperation.REQUEST),
        WriteAccess(bearer, value, b"cmd", WriteOperation.COMMAND),
    ]
    assert handler.requests[0].client == "phone"
    assert value.value == b"cmd"


REQUESTS = [b"\x0a{}", b"\x0c{}\x00\x00", b"\x12{}new", b"\x0e\x03\x00{}", b"\x20\x03\x00{}"]


def filled(pdu: bytes, handle: int) -> bytes:
    return pdu.replace(b"{}", u16(handle))


@pytest.mark.parametrize("pdu", [*REQUESTS, b"\x08\x01\x00\xff\xff\x0e\xff"])
def test_a_refusal_of_the_handler_is_the_answer(pdu):
    device, _, bearer, handle = scripted(AttRefusal(0x81))
    assert bearer.receive(filled(pdu, handle), 0.0) == refusal(pdu[0], handle, 0x81)
    assert device.value("handled") == b"stored"
    assert not any(isinstance(event, HandlerFailed) for event in device.events)


@pytest.mark.parametrize("pdu", REQUESTS)
def test_whatever_else_a_handler_raises_is_told_and_answered_with_0x0e(pdu):
    mistake = KeyError("oops")
    device, _, bearer, handle = scripted(mistake)
    assert bearer.receive(filled(pdu, handle), 0.0) == refusal(pdu[0], handle, 0x0E)
    assert device.events[-1] == HandlerFailed("phone", device.by_name["handled"].value, mistake)


@pytest.mark.parametrize("answer", [AttRefusal(0x81), KeyError("oops")])
def test_a_command_is_not_answered_even_when_its_handler_raises(answer):
    device, _, bearer, handle = scripted(answer)
    assert bearer.receive(b"\x52" + u16(handle) + b"new", 0.0) is None
    assert device.value("handled") == b"stored"


@pytest.mark.parametrize("answer", [7, "text"])
def test_a_handler_that_returns_no_octets_has_failed(answer):
    device, _, bearer, handle = scripted(answer)
    assert bearer.receive(b"\x0a" + u16(handle), 0.0) == refusal(0x0A, handle, 0x0E)
    assert isinstance(device.events[-1].exception, TypeError)


def test_a_verifier_that_raises_is_told():
    device = Device()

    def verify(identity, message, signature):
        raise KeyError("no key")

    device.server.verify_signature = verify
    pdu = b"\xd2" + device.octets("plain") + bytes(13)
    assert device.connect().receive(pdu, 0.0) is None
    assert isinstance(device.events[-1].exception, KeyError)


@pytest.mark.parametrize("code", [0x00, 0x100])
def test_a_refusal_has_an_error_code(code):
    with pytest.raises(ValueError, match="error code"):
        AttRefusal(code)


# Promises


@pytest.mark.parametrize(
    ("pdu", "answer", "response"),
    [
        (b"\x0a{}", b"late", b"\x0blate"),
        (b"\x0a{}", None, b"\x0bstored"),
        (b"\x0c{}\x02\x00", b"late", b"\x0dte"),
        (b"\x12{}new", None, b"\x13"),
        (b"\x0e\x03\x00{}", b"late", b"\x0fbletestlate"),
        (b"\x20\x03\x00{}", b"late", b"\x21\x07\x00bletest\x04\x00late"),
        (b"\x08\x01\x00\xff\xff\x0e\xff", b"late", b"\x09\x06{}late"),
    ],
)
def test_a_promise_is_kept_later(pdu, answer, response):
    promise = Deferred()
    _, _, bearer, handle = scripted(promise)
    assert bearer.receive(filled(pdu, handle), 0.0) is None
    assert bearer.complete(promise, answer, 1.0) == filled(response, handle)
    assert bearer.complete(promise, answer, 1.0) is None, "a promise is kept once"


@pytest.mark.parametrize("pdu", REQUESTS)
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (AttRefusal(0x82), 0x82),
        (KeyError("oops"), 0x0E),
        (asyncio.CancelledError(), 0x0E),
    ],
)
def test_a_promise_may_end_in_a_refusal_or_a_failure(pdu, answer, code):
    promise = Deferred()
    device, _, bearer, handle = scripted(promise)
    bearer.receive(filled(pdu, handle), 0.0)
    assert bearer.complete(promise, answer, 1.0) == refusal(pdu[0], handle, code)
    failures = [event.exception for event in device.events if isinstance(event, HandlerFailed)]
    assert failures == ([] if code == 0x82 else [answer])
    assert device.value("handled") == b"stored"


def test_a_deferred_write_is_stored_when_the_promise_is_kept():
    promise = Deferred()
    device, _, bearer, handle = scripted(promise)
    bearer.receive(b"\x12" + u16(handle) + b"new", 0.0)
    assert device.value("handled") == b"stored"
    bearer.complete(promise, None, 1.0)
    value = device.by_name["handled"].value
    assert value.value == b"new"
    assert device.events == [Written("phone", value, b"new", WriteOperation.REQUEST)]


def test_a_deferred_command_is_never_answered_and_holds_nothing_up():
    promise = Deferred()
    device, _, bearer, handle = scripted(promise)
    assert bearer.receive(b"\x52" + u16(handle) + b"new", 0.0) is None
    assert bearer.receive(b"\x0a" + device.octets("plain"), 0.0) == b"\x0bplain"
    assert bearer.complete(promise, None, 1.0) is None
    assert device.value("handled") == b"new"


def test_a_deferred_execute_stores_all_at_once():
    promise = Deferred()
    device, _, bearer, handle = scripted(promise)
    bearer.receive(b"\x16" + device.octets("plain") + b"\x00\x00x", 0.0)
    bearer.receive(b"\x16" + u16(handle) + b"\x00\x00y", 0.0)
    assert bearer.receive(b"\x18\x01", 0.0) is None
    assert (device.value("plain"), device.value("handled")) == (b"plain", b"stored")
    assert bearer.complete(promise, None, 1.0) == b"\x19"
    assert (device.value("plain"), device.value("handled")) == (b"x", b"y")


def test_a_request_before_the_response_is_ignored_and_everything_else_goes_on():
    promise = Deferred()
    device, _, bearer, handle = scripted(promise)
    read = b"\x0a" + u16(handle)
    plain = b"\x0a" + device.octets("plain")
    bearer.receive(read, 0.0)
    assert bearer.receive(plain, 0.0) is None
    assert bearer.receive(b"\x99", 0.0) is None
    assert device.events == [RequestIgnored("phone", plain), RequestIgnored("phone", b"\x99")]
    assert bearer.receive(b"\x52" + device.octets("plain") + b"cmd", 0.0) is None
    assert device.value("plain") == b"cmd"
    assert bearer.notify(3, b"n", 0.0) == b"\x1b\x03\x00n"
    assert bearer.indicate(3, b"i", 0.0) == b"\x1d\x03\x00i"
    assert bearer.receive(b"\x1e", 0.0) is None
    assert bearer.complete(promise, b"late", 1.0) == b"\x0blate"
    assert bearer.receive(plain, 2.0) == b"\x0bcmd"


def test_a_promise_of_a_closed_link_is_void():
    promise = Deferred()
    device, _, bearer, handle = scripted(promise)
    bearer.receive(b"\x12" + u16(handle) + b"new", 0.0)
    bearer.close()
    assert bearer.complete(promise, None, 1.0) is None
    assert device.value("handled") == b"stored"
    assert bearer.closed


def test_one_client_waiting_does_not_hold_up_another():
    promise = Deferred()
    device, _, bearer, handle = scripted(promise)
    bearer.receive(b"\x0a" + u16(handle), 0.0)
    other = device.connect("other")
    assert other.receive(b"\x0a" + device.octets("plain"), 0.0) == b"\x0bplain"


class ClosingHandler(ScriptedHandler):
    def write(self, request):
        request.bearer.close()
        return super().write(request)


@pytest.mark.parametrize("answer", [None, Deferred(), AttRefusal(0x80)])
def test_a_handler_that_ends_the_link_leaves_nothing_to_send(answer):
    device = Device(handler=ClosingHandler(answer))
    bearer = device.connect()
    assert bearer.receive(b"\x12" + device.octets("handled") + b"new", 0.0) is None
    assert bearer.closed
    assert bearer.receive(b"\x0a" + device.octets("plain"), 0.0) is None


def test_a_handler_is_asked_once_for_a_long_read():
    _, handler, bearer, handle = scripted(bytes(range(44)))
    assert bearer.receive(b"\x0a" + u16(handle), 0.0) == b"\x0b" + bytes(range(22))
    handler.answer = b"another"
    assert bearer.receive(b"\x0c" + u16(handle) + u16(22), 0.0) == b"\x0d" + bytes(range(22, 44))
    assert bearer.receive(b"\x0c" + u16(handle) + u16(44), 0.0) == b"\x0d"  # was that all?
    assert len(handler.requests) == 1
    assert bearer.receive(b"\x0c" + u16(handle) + u16(2), 0.0) == b"\x0dother"
    assert len(handler.requests) == 2


def test_a_read_that_begins_anew_asks_anew():
    _, handler, bearer, handle = scripted(b"a" * 30)
    assert bearer.receive(b"\x0a" + u16(handle), 0.0) == b"\x0b" + b"a" * 22
    handler.answer = b"b" * 30
    assert bearer.receive(b"\x0c" + u16(handle) + u16(0), 0.0) == b"\x0d" + b"b" * 22
    handler.answer = b"c" * 30
    assert bearer.receive(b"\x0c" + u16(handle) + u16(22), 0.0) == b"\x0d" + b"b" * 8
    assert len(handler.requests) == 2


def test_a_long_read_may_go_on_over_another_bearer_of_its_client():
    device, handler, bearer, handle = scripted(b"a" * 30)
    other, stranger = device.connect(), device.connect("tablet")
    bearer.receive(b"\x0a" + u16(handle), 0.0)
    handler.answer = b"b" * 30
    rest = b"\x0c" + u16(handle) + u16(22)
    assert stranger.receive(rest, 0.0) == b"\x0d" + b"b" * 8
    assert other.receive(rest, 0.0) == b"\x0d" + b"a" * 8


def test_a_new_link_does_not_read_on_where_the_last_one_ended():
    device, handler, bearer, handle = scripted(b"a" * 30)
    bearer.receive(b"\x0a" + u16(handle), 0.0)
    bearer.close()
    handler.answer = b"b" * 30
    again = device.connect()
    assert again.receive(b"\x0c" + u16(handle) + u16(22), 0.0) == b"\x0d" + b"b" * 8


def test_what_a_handler_promises_for_a_write_is_stored_in_its_place():
    promise = Deferred()
    device, _, bearer, handle = scripted(promise)
    assert bearer.receive(b"\x12" + u16(handle) + b"new", 0.0) is None
    assert bearer.complete(promise, b"old", 0.0) == b"\x13"
    assert device.value("handled") == b"old"
