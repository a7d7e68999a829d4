"""Consent that is asked for while a request waits to be judged."""

import pytest

from bletest.att.server_events import HandlerFailed
from tests.att.device import Device, refusal
from tests.att.test_permitted import REQUESTS


def asking(answer, **security):
    """A device whose person always says the same; returns who was asked for what, too."""
    device = Device()
    asked = []

    def person(identity, attribute):
        asked.append((identity, attribute.name))
        if isinstance(answer, Exception):
            raise answer
        return answer

    device.server.authorize = person
    return device, device.connect(**security), asked


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_person_who_consents_lets_one_request_pass(request_):
    device, bearer, asked = asking(True)
    pdu = REQUESTS[request_](device, "authorized")
    assert bearer.receive(pdu, 0.0)[0] == pdu[0] + 1
    assert asked == [("phone", "authorized")]
    assert not bearer.security.authorized


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_person_who_does_not_consent_refuses_with_0x08(request_):
    device, bearer, asked = asking(False)
    pdu = REQUESTS[request_](device, "authorized")
    assert bearer.receive(pdu, 0.0) == refusal(pdu[0], device.handle("authorized"), 0x08)
    assert asked == [("phone", "authorized")]


@pytest.mark.parametrize("name", ["plain", "encrypted", "write_only", "read_only"])
def test_nobody_is_asked_where_consent_is_not_what_is_missing(name):
    device, bearer, asked = asking(True)
    for opcode in (b"\x0a", b"\x12"):
        bearer.receive(opcode + device.octets(name), 0.0)
    assert asked == []


def test_nobody_is_asked_to_authorize_a_guess():
    device, bearer, asked = asking(True)
    guess = b"\x06\x01\x00\xff\xff" + device.by_name["authorized"].uuid.to_bytes() + b"hidden"
    assert bearer.receive(guess, 0.0) == refusal(0x06, 1, 0x0A)
    assert asked == []


def test_a_person_who_raises_refuses_and_is_told():
    device, bearer, _ = asking(LookupError("no one"))
    pdu = b"\x0a" + device.octets("authorized")
    assert bearer.receive(pdu, 0.0) == refusal(0x0A, device.handle("authorized"), 0x08)
    (event,) = device.events
    assert isinstance(event, HandlerFailed)
    assert isinstance(event.exception, LookupError)
