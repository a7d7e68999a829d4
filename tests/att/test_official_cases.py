"""The server's answers that official GATT test cases ask for, PDU by PDU."""

import pytest

from tests.att.device import LONG, Device, refusal, u16

PAIRED = {"encrypted": True, "bonded": True, "key_size": 16}
SHORT_KEY = {"encrypted": True, "bonded": True, "key_size": 7}
PLAIN: dict[str, object] = {}

# A short spelling of each request, with the handle (or type) of an attribute filled in.
REQUESTS = {
    "read": lambda device, name: b"\x0a" + device.octets(name),
    "blob": lambda device, name: b"\x0c" + device.octets(name) + b"\x00\x00",
    "by_uuid": lambda device, name: b"\x08\x01\x00\xff\xff" + device.by_name[name].uuid.to_bytes(),
    "multiple": lambda device, name: b"\x0e" + device.octets("plain") + device.octets(name),
    "variable": lambda device, name: b"\x20" + device.octets("plain") + device.octets(name),
    "write": lambda device, name: b"\x12" + device.octets(name) + b"new",
    "prepare": lambda device, name: b"\x16" + device.octets(name) + b"\x00\x00new",
}
REFUSALS = [
    ("GATT/SR/GAR/BI-01-C", "read", "write_only", PLAIN, 0x02),
    ("GATT/SR/GAR/BI-03-C", "read", "authorized", PLAIN, 0x08),
    ("GATT/SR/GAR/BI-04-C", "read", "encrypted", PLAIN, 0x05),
    ("GATT/SR/GAR/BI-05-C", "read", "key16", SHORT_KEY, 0x0C),
    ("GATT/SR/GAR/BI-06-C", "by_uuid", "write_only", PLAIN, 0x02),
    ("GATT/SR/GAR/BI-09-C", "by_uuid", "authorized", PLAIN, 0x08),
    ("GATT/SR/GAR/BI-10-C", "by_uuid", "encrypted", PLAIN, 0x05),
    ("GATT/SR/GAR/BI-11-C", "by_uuid", "key16", SHORT_KEY, 0x0C),
    ("GATT/SR/GAR/BI-12-C", "blob", "write_only", PLAIN, 0x02),
    ("GATT/SR/GAR/BI-15-C", "blob", "authorized", PLAIN, 0x08),
    ("GATT/SR/GAR/BI-16-C", "blob", "encrypted", PLAIN, 0x05),
    ("GATT/SR/GAR/BI-17-C", "blob", "key16", SHORT_KEY, 0x0C),
    ("GATT/SR/GAR/BI-18-C", "multiple", "write_only", PLAIN, 0x02),
    ("GATT/SR/GAR/BI-20-C", "multiple", "authorized", PLAIN, 0x08),
    ("GATT/SR/GAR/BI-21-C", "multiple", "encrypted", PLAIN, 0x05),
    ("GATT/SR/GAR/BI-22-C", "multiple", "key16", SHORT_KEY, 0x0C),
    ("GATT/SR/GAR/BI-36-C", "variable", "write_only", PLAIN, 0x02),
    ("GATT/SR/GAR/BI-40-C", "variable", "authorized", PLAIN, 0x08),
    ("GATT/SR/GAR/BI-42-C", "variable", "encrypted", PLAIN, 0x05),
    ("GATT/SR/GAR/BI-44-C", "variable", "key16", SHORT_KEY, 0x0C),
    ("GATT/SR/GAW/BI-03-C", "write", "read_only", PLAIN, 0x03),
    ("GATT/SR/GAW/BI-04-C", "write", "authorized", PLAIN, 0x08),
    ("GATT/SR/GAW/BI-05-C", "write", "encrypted", PLAIN, 0x05),
    ("GATT/SR/GAW/BI-06-C", "write", "key16", SHORT_KEY, 0x0C),
    ("GATT/SR/GAW/BI-08-C", "prepare", "read_only", PLAIN, 0x03),
    ("GATT/SR/GAW/BI-11-C", "prepare", "authorized", PLAIN, 0x08),
    ("GATT/SR/GAW/BI-12-C", "prepare", "encrypted", PLAIN, 0x05),
    ("GATT/SR/GAW/BI-13-C", "prepare", "key16", SHORT_KEY, 0x0C),
]


def named(cases):
    return [pytest.param(*case[1:], id=case[0]) for case in cases]


@pytest.mark.parametrize(("request_", "name", "security", "code"), named(REFUSALS))
def test_a_value_is_refused_with_its_handle_and_the_right_code(request_, name, security, code):
    device = Device()
    bearer = device.connect(**security)
    before = device.value(name)
    pdu = REQUESTS[request_](device, name)
    assert bearer.receive(pdu, 0.0) == refusal(pdu[0], device.handle(name), code)
    assert device.value(name) == before
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19"
    assert device.value(name) == before


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (request, name)
        for _, request, name, security, _ in REFUSALS
        if name not in ("write_only", "read_only")
    ],
)
def test_with_all_the_security_asked_for_the_same_request_is_answered(request_, name):
    device = Device()
    bearer = device.connect(**PAIRED, authorized=True)
    pdu = REQUESTS[request_](device, name)
    response = bearer.receive(pdu, 0.0)
    assert response is not None
    assert response[0] == pdu[0] + 1


NO_SUCH = 0x0FFF
BY_HANDLE = [
    ("GATT/SR/GAR/BI-02-C", b"\x0a" + u16(NO_SUCH)),
    ("GATT/SR/GAR/BI-14-C", b"\x0c" + u16(NO_SUCH) + b"\x00\x00"),
    ("GATT/SR/GAW/BI-02-C", b"\x12" + u16(NO_SUCH) + b"x"),
    ("GATT/SR/GAW/BI-07-C", b"\x16" + u16(NO_SUCH) + b"\x00\x00x"),
    ("GATT/SR/GAR/BI-19-C", b"\x0e" + u16(3) + u16(NO_SUCH)),
    ("GATT/SR/GAR/BI-38-C", b"\x20" + u16(3) + u16(NO_SUCH)),
]


@pytest.mark.parametrize("pdu", named(BY_HANDLE))
def test_an_invalid_handle_is_refused_with_0x01(pdu):
    assert Device().connect().receive(pdu, 0.0) == refusal(pdu[0], NO_SUCH, 0x01)


WHOLE_ANSWERS = [
    ("GATT/SR/GAC/BV-01-C", "02 1700", "03 0502"),
    ("GATT/SR/GAR/BV-01-C", "0a {plain}", "0b" + b"plain".hex()),
    ("GATT/SR/GAR/BV-03-C", "08 0100ffff 01ff", "09 07 {plain}" + b"plain".hex()),
    ("GATT/SR/GAR/BI-07-C", "08 0100ffff 99ff", "01 08 0100 0a"),
    ("GATT/SR/GAR/BI-08-C", "08 05000400 01ff", "01 08 0500 01"),
    ("GATT/SR/GAR/BV-04-C", "0c {long} 1600", "0d" + LONG[22:44].hex()),
    ("GATT/SR/GAR/BI-13-C", "0c {long} 6500", "01 0c {long} 07"),
    ("GATT/SR/GAR/BV-05-C", "0e {plain}{twin}", "0f" + b"plaintwin".hex()),
    ("GATT/SR/GAR/BV-06-C", "0a {format}", "0b" + "00" * 7),
    ("GATT/SR/GAR/BV-07-C", "0c {description} 1600", "0d" + LONG[22:44].hex()),
    ("GATT/SR/GAR/BV-08-C", "0c {description} 3200", "0d"),
    (
        "GATT/SR/GAR/BV-09-C",
        "20 {plain}{twin}",
        "21 0500" + b"plain".hex() + "0400" + b"twin".hex(),
    ),
    ("GATT/SR/GAW/BV-03-C", "12 {plain} aabb", "13"),
    ("GATT/SR/GAW/BV-08-C", "12 {description} aabb", "13"),
    ("GATT/SR/GAW/BI-32-C", "12 {fixed} aabbccddee", "01 12 {fixed} 0d"),
    ("GATT/SR/GAW/BV-11-C", "18 01", "19"),
    ("GATT/SR/UNS/BI-01-C", "24", "01 24 0000 06"),
]


@pytest.mark.parametrize(("pdu", "response"), named(WHOLE_ANSWERS))
def test_the_answer_is_this_to_the_octet(pdu, response):
    device = Device()
    names = {name: one.value.handle for name, one in device.by_name.items()}
    names |= {"description": device.description.handle, "format": device.format.handle}
    octets = {name: u16(handle).hex() for name, handle in names.items()}
    assert device.connect().receive(bytes.fromhex(pdu.format(**octets)), 0.0) == bytes.fromhex(
        response.format(**octets)
    )


@pytest.mark.parametrize(
    ("pdu", "written"),
    [
        pytest.param("52 {plain} aabb", b"\xaa\xbb", id="GATT/SR/GAW/BV-01-C"),
        pytest.param(
            "d2 {plain} aabb" + b"authenticity".hex(), b"\xaa\xbb", id="GATT/SR/GAW/BV-02-C"
        ),
        pytest.param("d2 {plain} aabb" + b"forged------".hex(), None, id="GATT/SR/GAW/BI-01-C"),
        pytest.param("52 {plain}" + "aa" * 21, None, id="GATT/SR/GAW/BI-39-C"),
        pytest.param(
            "d2 {plain}" + "aa" * 21 + b"authenticity".hex(), None, id="GATT/SR/GAW/BI-40-C"
        ),
        pytest.param("5f {plain} aabb", None, id="GATT/SR/UNS/BI-02-C"),
        pytest.param("f3 {plain} aabb", None, id="GATT/SR/UNS/BI-03-C"),
    ],
)
def test_a_command_is_never_answered(pdu, written):
    device = Device()
    bearer = device.connect(bonded=True)
    bearer.receive(b"\x02\xf7\x00", 0.0)
    pdu = bytes.fromhex(pdu.format(plain=device.octets("plain").hex()))
    assert bearer.receive(pdu, 0.0) is None
    assert device.value("plain") == (b"plain" if written is None else written)


def test_a_read_sent_before_the_last_response_breaks_nothing():
    """GATT/SR/GAR/BI-45-C."""
    device = Device()
    bearer = device.connect()
    read = b"\x0a" + device.octets("plain")
    assert [bearer.receive(read, 0.0) for _ in range(3)] == [b"\x0bplain"] * 3
