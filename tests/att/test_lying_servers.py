"""Servers that lie: no procedure may hang, loop for ever or raise anything undocumented."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.att import procedures
from bletest.att.procedures import Refused, run
from bletest.errors import ProtocolViolation
from bletest.uuids import Uuid

NOT_FOUND = {opcode: bytes((0x01, opcode, 1, 0, 0x0A)) for opcode in (0x04, 0x06, 0x08, 0x10)}


class Liar:
    """Answers the n-th request with the n-th response, the last one for ever."""

    def __init__(self, *responses: str) -> None:
        self.responses = [bytes.fromhex(one) for one in responses]
        self.requests: list[bytes] = []

    def __call__(self, request: bytes) -> bytes:
        self.requests.append(request)
        assert len(self.requests) < 100, "the procedure goes on for ever"
        return self.responses[min(len(self.requests), len(self.responses)) - 1]


SERVICES = procedures.discover_primary_services
LIES = [
    # The same service again and again; one at 0x0000; backwards; inside out; no UUID; no end.
    (SERVICES, ["11 06 0100 0500 0d18"], "0x0001 where one from 0x0006"),
    (SERVICES, ["11 06 0000 0500 0d18"], "0x0000 where one from 0x0001"),
    (SERVICES, ["11 06 0600 0900 0d18 0100 0500 0f18"], "0x0001 where one from 0x000A"),
    (SERVICES, ["11 06 0500 0100 0d18"], "group from 0x0005 to 0x0001"),
    (SERVICES, ["11 07 0100 0500 0d1800"], "a UUID of 3 octets"),
    (SERVICES, ["11 06 0100 0500 0d"], "malformed"),
    (SERVICES, ["11 06"], "malformed"),
    (SERVICES, ["11"], "malformed"),
    (SERVICES, [""], "malformed"),
    (SERVICES, ["13"], "was answered with Write Response"),
    (SERVICES, ["01 08 0100 0a"], "was answered with Error Response to Read By Type"),
    (SERVICES, ["ff"], "undefined|not defined"),
    (lambda: procedures.discover_service_by_uuid(Uuid(0x180D)), ["07 0100 0500"], "0x0001 where"),
    (lambda: procedures.discover_service_by_uuid(Uuid(0x180D)), ["07 0500 0100"], "group from"),
    (
        lambda: procedures.discover_characteristics(1, 9),
        ["09 07 0200 02 0300 002a"],
        "0x0002 where",
    ),
    (
        lambda: procedures.discover_characteristics(1, 9),
        ["09 07 0a00 02 0b00 002a"],
        "0x000A where",
    ),
    (
        lambda: procedures.discover_characteristics(1, 9),
        ["09 06 0200 02 0300 00", NOT_FOUND[0x08].hex()],
        "4 octets",
    ),
    (
        lambda: procedures.discover_characteristics(1, 9),
        ["09 07 0200 02 0200 002a", NOT_FOUND[0x08].hex()],
        "a value at 0x0002, declared at 0x0002",
    ),
    (
        lambda: procedures.discover_characteristics(1, 9),
        ["09 07 0200 02 0a00 002a", NOT_FOUND[0x08].hex()],
        "a value at 0x000A",
    ),
    (
        lambda: procedures.discover_characteristics(1, 9),
        ["09 07 0200 02 0500 002a 0400 02 0600 002a", NOT_FOUND[0x08].hex()],
        "a declaration at 0x0004 inside another one",
    ),
    (lambda: procedures.discover_descriptors(4, 9), ["05 01 0400 0229"], "0x0004 where"),
    (lambda: procedures.discover_descriptors(4, 9), ["05 01 0500 0229 0500 0229"], "0x0005 where"),
    (lambda: procedures.discover_descriptors(4, 9), ["05 03 0400 0229"], "no format 0x03"),
    (
        lambda: procedures.find_included_services(1, 9),
        ["09 07 0200 2000 3000 00", NOT_FOUND[0x08].hex()],
        "include declaration of 5 octets",
    ),
    (
        lambda: procedures.find_included_services(1, 9),
        ["09 08 0200 3000 2000 0d18", NOT_FOUND[0x08].hex()],
        "an included service from 0x0030 to 0x0020",
    ),
    (
        lambda: procedures.find_included_services(1, 9),
        ["09 06 0200 2000 3000", NOT_FOUND[0x08].hex(), "0b 0d"],
        "a UUID of 1 octets",
    ),
    (lambda: procedures.read_by_uuid(Uuid(0x2A00), 1, 5), ["09 03 0600 aa"], "0x0006 where"),
    (
        lambda: procedures.read_by_uuid(Uuid(0x2A00), 1, 5),
        ["09 03 0300 aa 0300 aa"],
        "0x0003 where",
    ),
    (
        lambda: procedures.read_long(3, mtu=23),
        ["0b" + "aa" * 22, "0d" + "aa" * 22],
        "more than 512",
    ),
    (lambda: procedures.read(3), ["0d aa"], "was answered with Read Blob Response"),
    (lambda: procedures.read_multiple_variable([3, 5]), ["21" + "0000" * 3], "3 values for 2"),
    (lambda: procedures.exchange_mtu(247), ["03 1600"], "a Server Rx MTU of 22"),
    (lambda: procedures.exchange_mtu(247), ["03 f7"], "malformed"),
    (lambda: procedures.write(3, b"x"), ["13 00"], "malformed"),
    (lambda: procedures.write_long(3, b"x", mtu=23), ["17 0300 0000 79", "19"], "echo"),
    (lambda: procedures.write_long(3, b"x", mtu=23), ["17 0400 0000 78", "19"], "echo"),
    (lambda: procedures.write_long(3, b"x", mtu=23), ["17 0300 0100 78", "19"], "echo"),
]


@pytest.mark.parametrize(("procedure", "responses", "message"), LIES)
def test_a_lie_is_a_protocol_violation(procedure, responses, message):
    with pytest.raises(ProtocolViolation, match=message) as caught:
        run(procedure(), Liar(*responses))
    assert caught.value.pdu in [bytes.fromhex(one) for one in responses]


def test_after_a_false_echo_the_queue_is_cancelled():
    liar = Liar("17 0300 0000 79", "19")
    with pytest.raises(ProtocolViolation):
        run(procedures.write_long(3, b"x", mtu=23), liar)
    assert liar.requests[-1] == b"\x18\x00"


@pytest.mark.parametrize("code", ["07", "0b"])
def test_a_server_that_will_not_read_past_a_full_part_has_said_it_all(code):
    liar = Liar("0b" + "aa" * 22, "01 0c 0300" + code)
    assert run(procedures.read_long(3, mtu=23), liar) == b"\xaa" * 22


def test_any_other_refusal_of_a_part_is_a_refusal():
    with pytest.raises(Refused):
        run(procedures.read_long(3, mtu=23), Liar("0b" + "aa" * 22, "01 0c 0300 0e"))


@pytest.mark.parametrize("code", [0x01, 0x0E, 0x12])
def test_only_not_found_ends_a_discovery(code):
    with pytest.raises(Refused) as caught:
        run(SERVICES(), Liar(f"01 10 0100 {code:02x}"))
    assert caught.value.code == code


def test_a_service_that_ends_at_0xffff_is_the_last_one():
    liar = Liar("11 06 0100 ffff 0d18")
    assert len(run(SERVICES(), liar)) == 1
    assert len(liar.requests) == 1


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(
        [
            SERVICES,
            procedures.discover_all,
            lambda: procedures.discover_service_by_uuid(Uuid(0x180D)),
            lambda: procedures.find_included_services(1, 9),
            lambda: procedures.discover_characteristics(1, 9),
            lambda: procedures.discover_descriptors(1, 9),
            lambda: procedures.read_long(3, mtu=23),
            lambda: procedures.read_by_uuid(Uuid(0x2A00)),
            lambda: procedures.read_multiple_variable([3, 5]),
            lambda: procedures.write_long(3, bytes(40), mtu=23),
            lambda: procedures.exchange_mtu(247),
        ]
    ),
    st.data(),
)
def test_no_server_raises_anything_else_or_keeps_a_client_for_ever(procedure, data):
    asked = 0

    def server(request: bytes) -> bytes:
        nonlocal asked
        asked += 1
        assert asked < 200
        answer = bytes((request[0] + 1,))
        return data.draw(
            st.binary(max_size=23)
            | st.binary(max_size=22).map(lambda more: answer + more)
            | st.just(bytes((0x01, request[0], 1, 0, 0x0A)))
        )

    with suppress(Refused, ProtocolViolation):
        run(procedure(), server)
