"""H4 as a controller reads it: any cut of the stream, and octets that no host sends."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.link.h4 import Framer, MalformedH4

COMMANDS = st.builds(
    lambda opcode, data: b"\x01" + opcode.to_bytes(2, "little") + bytes([len(data)]) + data,
    st.integers(0, 0xFFFF),
    st.binary(max_size=255),
)
ACL_DATA = st.builds(
    lambda handle, data: (
        b"\x02" + handle.to_bytes(2, "little") + len(data).to_bytes(2, "little") + data
    ),
    st.integers(0, 0xFFFF),
    st.binary(max_size=27),
)


@settings(deadline=None)
@given(st.lists(COMMANDS | ACL_DATA, max_size=6), st.data())
def test_packets_come_out_whole_however_the_stream_is_cut(packets, data):
    stream, framer, found = b"".join(packets), Framer(27), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += framer.feed(stream[:size])
        stream = stream[size:]
    assert found == packets


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("00", "0x00 where a packet indicator is due"),
        ("ff", "0xFF where"),
        ("03 00 00 00", "synchronous data from a host"),
        ("04 0e 00", "an event from a host"),
        ("05 00", "isochronous data from a host"),
        ("02 01 00 1c 00", "an ACL data packet of 28 octets, and the buffers have 27"),
    ],
)
def test_octets_that_no_host_sends_are_named(octets, message):
    with pytest.raises(MalformedH4, match=message):
        list(Framer(27).feed(bytes.fromhex(octets)))


def test_what_came_before_the_malformed_octets_is_still_taken():
    stream = Framer(27).feed(bytes.fromhex("01030c00 ff"))
    assert next(stream) == bytes.fromhex("01030c00")
    with pytest.raises(MalformedH4):
        next(stream)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=6))
def test_any_octets_are_packets_or_malformed_and_nothing_else(chunks):
    framer = Framer(251)
    try:
        found = [packet for chunk in chunks for packet in framer.feed(chunk)]
    except MalformedH4:
        return
    assert b"".join(chunks).startswith(b"".join(found))
