import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.att.handlers import AttRefusal, WriteAccess, WriteOperation
from bletest.att.server_events import Written
from tests.att.device import LONG, Device, ScriptedHandler, refusal, u16


def prepare(device: Device, name: str, offset: int, part: bytes) -> bytes:
    return b"\x16" + device.octets(name) + u16(offset) + part


def test_a_write_is_stored_answered_and_told():
    device = Device()
    bearer = device.connect()
    assert bearer.receive(b"\x12" + device.octets("plain") + b"new", 0.0) == b"\x13"
    value = device.by_name["plain"].value
    assert value.value == b"new"
    assert device.events == [Written("phone", value, b"new", WriteOperation.REQUEST)]


class Witness:
    def __init__(self) -> None:
        self.told: list[object] = []

    def was_read(self, client: str, offset: int) -> None:
        self.told.append((client, offset))

    def was_written(self, value: bytes) -> None:
        self.told.append(value)


def test_the_witness_of_a_value_is_told_in_place_of_the_listener():
    device = Device()
    bearer = device.connect()
    device.by_name["plain"].value.witness = witness = Witness()
    for pdu in (b"\x12%bnew", b"\x0a%b", b"\x0c%b\x01\x00"):
        bearer.receive(pdu % device.octets("plain"), 0.0)
    assert witness.told == [b"new", ("phone", 0), ("phone", 1)]
    assert device.events == []


@pytest.mark.parametrize("length", [0, 3, 5, 6])
def test_a_length_that_the_value_does_not_allow_is_refused_with_0x0d(length):
    device = Device()
    pdu = b"\x12" + device.octets("fixed") + bytes(length)
    assert device.connect().receive(pdu, 0.0) == refusal(0x12, device.handle("fixed"), 0x0D)
    assert device.value("fixed") == b"0123"


def test_permission_is_judged_before_length():
    device = Device()
    bearer = device.connect()
    pdu = b"\x12" + device.octets("encrypted") + bytes(20)
    device.by_name["encrypted"].value.max_length = 1
    assert bearer.receive(pdu, 0.0) == refusal(0x12, device.handle("encrypted"), 0x05)
    bearer.security.encrypted = True
    bearer.security.key_size = 16
    assert bearer.receive(pdu, 0.0) == refusal(0x12, device.handle("encrypted"), 0x0D)


def test_a_value_that_takes_only_commands_refuses_requests_with_0x03():
    device = Device()
    bearer = device.connect()
    handle = device.handle("command_only")
    assert bearer.receive(b"\x12" + u16(handle) + b"x", 0.0) == refusal(0x12, handle, 0x03)
    assert bearer.receive(b"\x16" + u16(handle) + b"\x00\x00x", 0.0) == refusal(0x16, handle, 0x03)
    assert bearer.receive(b"\x52" + u16(handle) + b"x", 0.0) is None
    assert device.value("command_only") == b"x"


@pytest.mark.parametrize("name", ["write_only", "long", "read_only", "encrypted", "authorized"])
def test_a_command_that_the_value_does_not_take_changes_nothing(name):
    device = Device()
    before = device.value(name)
    assert device.connect().receive(b"\x52" + device.octets(name) + b"x", 0.0) is None
    assert device.value(name) == before
    assert device.events == []


def test_a_signed_write_needs_the_property_and_a_server_that_verifies():
    device = Device()
    bearer = device.connect()
    assert bearer.receive(b"\xd2" + device.octets("write_only") + b"xauthenticity", 0.0) is None
    assert device.value("write_only") == b"secret"
    device.server.verify_signature = None
    assert bearer.receive(b"\xd2" + device.octets("plain") + b"xauthenticity", 0.0) is None
    assert device.value("plain") == b"plain"


def test_on_an_encrypted_link_data_is_not_signed():
    device = Device()
    asked = []
    device.server.verify_signature = lambda *call: not asked.append(call)
    signed = b"\xd2" + device.octets("plain") + b"xauthenticity"
    encrypted = device.connect(encrypted=True, bonded=True, key_size=16)
    assert encrypted.receive(signed, 0.0) is None
    assert device.value("plain") == b"plain"
    assert asked == []
    assert device.connect("other", bonded=True).receive(signed, 0.0) is None
    assert device.value("plain") == b"x"


def test_the_signature_is_judged_over_everything_before_it():
    device = Device()
    seen = []
    device.server.verify_signature = lambda *call: bool(seen.append(call))
    pdu = b"\xd2" + device.octets("plain") + b"value" + bytes(12)
    device.connect().receive(pdu, 0.0)
    assert seen == [("phone", pdu[:-12], bytes(12))]


# Prepared writes


def test_prepared_parts_become_one_value():
    device = Device()
    bearer = device.connect()
    for offset in range(0, 54, 18):
        part = bytes([offset]) * 18
        pdu = prepare(device, "long", offset, part)
        assert bearer.receive(pdu, 0.0) == b"\x17" + pdu[1:]
    assert device.value("long") == LONG
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19"
    expected = b"\x00" * 18 + b"\x12" * 18 + b"\x24" * 18
    assert device.value("long") == expected
    value = device.by_name["long"].value
    assert device.events == [Written("phone", value, expected, WriteOperation.EXECUTE)]


def test_parts_of_two_values_may_come_in_turns():
    """GATT/SR/GAW/BV-10-C."""
    device = Device()
    bearer = device.connect()
    for offset in (0, 2):
        bearer.receive(prepare(device, "long", offset, b"LL"), 0.0)
        bearer.receive(prepare(device, "fixed", offset, b"FF"), 0.0)
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19"
    assert (device.value("long"), device.value("fixed")) == (b"LLLL", b"FFFF")


def test_a_part_inside_a_value_of_fixed_length_leaves_the_rest():
    device = Device()
    bearer = device.connect()
    bearer.receive(prepare(device, "fixed", 1, b"xx"), 0.0)
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19"
    assert device.value("fixed") == b"0xx3"


def test_a_cancelled_queue_writes_nothing_and_is_empty():
    """GATT/SR/GAW/BV-07-C."""
    device = Device()
    bearer = device.connect()
    bearer.receive(prepare(device, "long", 0, b"x"), 0.0)
    assert bearer.receive(b"\x18\x00", 0.0) == b"\x19"
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19"
    assert device.value("long") == LONG


@pytest.mark.parametrize("flags", [0x02, 0x03, 0x80, 0xFF])
def test_unknown_flags_are_refused_with_0x04_and_write_nothing(flags):
    device = Device()
    bearer = device.connect()
    bearer.receive(prepare(device, "long", 0, b"x"), 0.0)
    assert bearer.receive(bytes((0x18, flags)), 0.0) == refusal(0x18, 0, 0x04)
    assert device.value("long") == LONG


@pytest.mark.parametrize(
    ("name", "offset", "part", "code"),
    [
        pytest.param("long", 101, b"x", 0x07, id="GATT/SR/GAW/BI-09-C"),
        pytest.param("fixed", 2, b"xxx", 0x0D, id="GATT/SR/GAW/BI-33-C"),
        pytest.param("fixed", 5, b"xxx", 0x07, id="the offset decides first"),
    ],
)
def test_offset_and_length_are_judged_when_the_queue_is_executed(name, offset, part, code):
    device = Device()
    bearer = device.connect()
    pdu = prepare(device, name, offset, part)
    bearer.receive(prepare(device, "plain", 0, b"first"), 0.0)
    assert bearer.receive(pdu, 0.0) == b"\x17" + pdu[1:]
    before = device.value(name)
    assert bearer.receive(b"\x18\x01", 0.0) == refusal(0x18, device.handle(name), code)
    assert (device.value(name), device.value("plain")) == (before, b"plain")
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19", "the queue is empty after a refusal"


def test_a_prepared_value_may_not_stay_too_short():
    device = Device()
    bearer = device.connect()
    value = device.by_name["plain"].value
    value.min_length = 3
    bearer.receive(prepare(device, "plain", 0, b"xx"), 0.0)
    assert bearer.receive(b"\x18\x01", 0.0) == refusal(0x18, value.handle, 0x0D)


def test_an_attribute_that_is_gone_when_executed_is_out_of_sync():
    """GATT/SR/GAW/BI-41-C."""
    device = Device()
    bearer = device.connect()
    handle = device.handle("long")
    bearer.receive(prepare(device, "long", 0, b"x"), 0.0)
    device.table.remove_service(device.table.services[2])
    assert bearer.receive(b"\x18\x01", 0.0) == refusal(0x18, handle, 0x12)


def test_a_full_queue_is_refused_with_0x09_and_stays_whole():
    device = Device(prepare_queue_limit=2)
    bearer = device.connect()
    for offset in (0, 1):
        bearer.receive(prepare(device, "long", offset, b"x"), 0.0)
    pdu = prepare(device, "long", 2, b"x")
    assert bearer.receive(pdu, 0.0) == refusal(0x16, device.handle("long"), 0x09)
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19"
    assert device.value("long") == b"xx"


def test_every_client_has_a_queue_of_its_own():
    device = Device()
    first, second = device.connect("first"), device.connect("second")
    first.receive(prepare(device, "long", 0, b"first"), 0.0)
    assert second.receive(b"\x18\x01", 0.0) == b"\x19"
    assert device.value("long") == LONG


def test_a_queue_ends_with_its_link():
    device = Device()
    bearer = device.connect(bonded=True)
    bearer.receive(prepare(device, "long", 0, b"lost"), 0.0)
    bearer.close()
    again = device.connect(bonded=True)
    assert again.receive(b"\x18\x01", 0.0) == b"\x19"
    assert device.value("long") == LONG


def test_a_handler_hears_of_the_whole_value_once():
    handler = ScriptedHandler()
    device = Device(handler=handler)
    bearer = device.connect()
    bearer.receive(prepare(device, "handled", 0, b"one "), 0.0)
    bearer.receive(prepare(device, "handled", 4, b"two"), 0.0)
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19"
    value = device.by_name["handled"].value
    assert handler.requests == [WriteAccess(bearer, value, b"one two", WriteOperation.EXECUTE)]
    assert value.value == b"one two"


def test_when_one_handler_refuses_nothing_of_the_queue_is_stored():
    device = Device(handler=ScriptedHandler(AttRefusal(0x80)))
    bearer = device.connect()
    bearer.receive(prepare(device, "plain", 0, b"x"), 0.0)
    bearer.receive(prepare(device, "handled", 0, b"x"), 0.0)
    assert bearer.receive(b"\x18\x01", 0.0) == refusal(0x18, device.handle("handled"), 0x80)
    assert (device.value("plain"), device.value("handled")) == (b"plain", b"stored")


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 18))
def test_a_value_of_any_length_written_in_parts_of_any_size_is_that_value(value, size):
    device = Device(prepare_queue_limit=300)
    bearer = device.connect()
    for offset in range(0, len(value) or 1, size):
        bearer.receive(prepare(device, "long", offset, value[offset : offset + size]), 0.0)
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19"
    assert device.value("long") == value
