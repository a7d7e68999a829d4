"""Whatever octets arrive, the server gives the answer that the specification prescribes.

The judge is the table below, written from Vol 3, Part F, 3.4 and not from the engine: for each
request the lengths that are well formed, and the error codes it may be refused with.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.att.handlers import AttRefusal
from tests.att.device import Device, ScriptedHandler, u16

ANY_LENGTH = range(0x10000)
ACCESS_CODES = {0x05, 0x08, 0x0C, 0x0F}
RANGE_CODES = {0x01, 0x0A}
REQUESTS = {
    0x02: ([3], set()),
    0x04: ([5], RANGE_CODES),
    0x06: (ANY_LENGTH[7:], RANGE_CODES),
    0x08: ([7, 21], RANGE_CODES | ACCESS_CODES | {0x02, 0x80}),
    0x0A: ([3], ACCESS_CODES | {0x01, 0x02, 0x80}),
    0x0C: ([5], ACCESS_CODES | {0x01, 0x02, 0x07, 0x80}),
    0x0E: (ANY_LENGTH[5::2], ACCESS_CODES | {0x01, 0x02, 0x04, 0x80}),
    0x10: ([7, 21], RANGE_CODES | {0x10}),
    0x12: (ANY_LENGTH[3:], ACCESS_CODES | {0x01, 0x03, 0x0D, 0x13, 0x80}),
    0x16: (ANY_LENGTH[5:], ACCESS_CODES | {0x01, 0x03, 0x09}),
    0x18: ([2], {0x04, 0x07, 0x0D, 0x13, 0x80}),
    0x20: (ANY_LENGTH[5::2], ACCESS_CODES | {0x01, 0x02, 0x04, 0x80}),
}
SILENT = {0x01, 0x03, 0x05, 0x07, 0x09, 0x0B, 0x0D, 0x0F, 0x11, 0x13, 0x17, 0x19, 0x1B} | {
    0x1D,
    0x1E,
    0x21,
    0x23,
}


def judge(received: bytes, response: bytes | None, mtu: int) -> None:
    opcode = received[0] if received else 0x01
    if opcode in SILENT or opcode & 0x40:
        assert response is None
        return
    assert response is not None, "every request is answered"
    assert len(response) <= mtu
    if opcode not in REQUESTS:
        assert response == bytes((0x01, opcode, 0, 0, 0x06))
        return
    lengths, codes = REQUESTS[opcode]
    if len(received) not in lengths or len(received) > mtu:
        assert response == bytes((0x01, opcode, 0, 0, 0x04))
    elif response[0] == 0x01:
        assert len(response) == 5
        assert response[1] == opcode
        assert response[4] in codes
    else:
        assert response[0] == opcode + 1


handle = st.integers(0, 70) | st.sampled_from([0xFFFE, 0xFFFF])
type_ = st.sampled_from(["0028", "0128", "0228", "0328", "0229", "01ff", "05ff", "08ff"])
tail = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda a, more: u16(a) + more, handle, st.binary(max_size=30)),
    st.builds(lambda a, b, t: u16(a) + u16(b) + bytes.fromhex(t), handle, handle, type_),
    st.lists(handle, min_size=1, max_size=5).map(lambda some: b"".join(map(u16, some))),
    st.sampled_from([b"\x00", b"\x01", b"\x02"]),
)
opcode = st.integers(0, 0xFF) | st.sampled_from([*REQUESTS, 0x52, 0xD2])
pdus = st.binary(max_size=2) | st.builds(lambda code, more: bytes((code,)) + more, opcode, tail)


@settings(deadline=None, max_examples=400)
@given(st.lists(pdus, min_size=1, max_size=12), st.booleans(), st.booleans(), st.booleans())
def test_any_octets_get_the_answer_that_is_due(received, paired, bonded, refusing):
    handler = ScriptedHandler(AttRefusal(0x80) if refusing else b"made")
    device = Device(handler=handler, prepare_queue_limit=3)
    bearer = device.connect(encrypted=paired, bonded=bonded, key_size=7 if paired else 0)
    for pdu in received:
        before = bearer.mtu
        judge(pdu, bearer.receive(pdu, 0.0), before)
    assert 23 <= bearer.mtu <= 517
    assert not bearer.closed
    for attribute in device.table:
        assert len(attribute.value) <= attribute.max_length


@settings(deadline=None, max_examples=150)
@given(st.lists(pdus, min_size=1, max_size=12))
def test_a_device_that_nobody_may_write_never_changes(received):
    device = Device()
    for attribute in device.table:
        attribute.write = None
    before = [attribute.value for attribute in device.table]
    bearer = device.connect()
    for pdu in received:
        bearer.receive(pdu, 0.0)
    assert [attribute.value for attribute in device.table] == before


def test_every_opcode_by_itself_and_cut_at_every_length():
    device = Device()
    for code in range(256):
        for length in range(30):
            pdu = bytes((code,)) + bytes(length)
            bearer = device.connect()
            judge(pdu, bearer.receive(pdu, 0.0), 23)
            bearer.close()


def test_nothing_at_all_is_ignored():
    assert Device().connect().receive(b"", 0.0) is None


def test_a_pdu_longer_than_att_mtu_is_refused_and_changes_nothing():
    device = Device()
    bearer = device.connect()
    long = device.octets("long") + bytes(61)
    assert bearer.receive(b"\x12" + long, 0.0) == bytes((0x01, 0x12, 0, 0, 0x04))
    assert bearer.receive(b"\x16" + long, 0.0) == bytes((0x01, 0x16, 0, 0, 0x04))
    assert bearer.receive(b"\x52" + device.octets("command_only") + bytes(61), 0.0) is None
    assert bearer.prepared == []
    assert device.value("command_only") == b"before"
    assert not device.events


def test_a_pdu_of_exactly_att_mtu_is_taken():
    device = Device()
    bearer = device.connect()
    full = bytes(20)
    assert bearer.receive(b"\x12" + device.octets("plain") + full, 0.0) == b"\x13"
    assert bearer.receive(b"\x52" + device.octets("command_only") + full, 0.0) is None
    assert device.value("command_only") == full
    assert bearer.receive(b"\x16" + device.octets("long") + full, 0.0)[0] == 0x17
    signed = b"\xd2" + device.octets("plain") + b"12345678authenticity"
    assert len(signed) == 23
    assert bearer.receive(signed, 0.0) is None
    assert device.value("plain") == b"12345678"


def test_a_signed_write_may_carry_no_value_and_needs_a_whole_signature():
    device = Device()
    bearer = device.connect()
    assert bearer.receive(b"\xd2" + device.octets("plain") + b"uthenticity", 0.0) is None
    assert device.value("plain") == b"plain"
    assert bearer.receive(b"\xd2" + device.octets("plain") + b"authenticity", 0.0) is None
    assert device.value("plain") == b""
