"""Requests at values that ask for security, by a client that has all of it."""

import pytest

from tests.att.device import Device

REQUESTS = {
    "read": lambda device, name: b"\x0a" + device.octets(name),
    "blob": lambda device, name: b"\x0c" + device.octets(name) + b"\x00\x00",
    "by_uuid": lambda device, name: b"\x08\x01\x00\xff\xff" + device.by_name[name].uuid.to_bytes(),
    "multiple": lambda device, name: b"\x0e" + device.octets("plain") + device.octets(name),
    "variable": lambda device, name: b"\x20" + device.octets("plain") + device.octets(name),
    "write": lambda device, name: b"\x12" + device.octets(name) + b"new",
    "prepare": lambda device, name: b"\x16" + device.octets(name) + b"\x00\x00new",
}


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("name", ["authorized", "encrypted", "key16"])
def test_with_all_the_security_asked_for_a_request_is_answered(request_, name):
    device = Device()
    bearer = device.connect(encrypted=True, bonded=True, key_size=16, authorized=True)
    pdu = REQUESTS[request_](device, name)
    response = bearer.receive(pdu, 0.0)
    assert response is not None
    assert response[0] == pdu[0] + 1
