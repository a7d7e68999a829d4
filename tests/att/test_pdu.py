import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.att import pdu
from bletest.att.pdu import MalformedPdu, Pdu, PduKind, parse
from bletest.uuids import Uuid

octet = st.integers(0, 0xFF)
word = st.integers(0, 0xFFFF)
octets = st.binary(max_size=40)
short_uuid = word.map(Uuid)
long_uuid = st.integers(1 << 112, (1 << 128) - 1).map(Uuid)
uuid = short_uuid | long_uuid


records = st.integers(0, 20).flatmap(
    lambda size: st.lists(
        st.tuples(word, st.binary(min_size=size, max_size=size)), min_size=1, max_size=6
    ).map(tuple)
)
groups = st.integers(0, 20).flatmap(
    lambda size: st.lists(
        st.tuples(word, word, st.binary(min_size=size, max_size=size)), min_size=1, max_size=6
    ).map(tuple)
)
information = st.sampled_from([short_uuid, long_uuid]).flatmap(
    lambda kind: st.lists(st.tuples(word, kind), min_size=1, max_size=6).map(tuple)
)
pairs = st.lists(st.tuples(word, word), min_size=1, max_size=6).map(tuple)
handles = st.lists(word, min_size=2, max_size=6).map(tuple)
valued = st.lists(st.tuples(word, octets), min_size=2, max_size=6).map(tuple)


@st.composite
def lengths_and_values(draw: st.DrawFn) -> pdu.ReadMultipleVariableResponse:
    values = [(len(one), one) for one in draw(st.lists(octets, min_size=1, max_size=5))]
    missing = draw(st.integers(0, 20))
    rest = draw(st.binary(max_size=1)) if not missing else b""
    values[-1] = (values[-1][0] + missing, values[-1][1])
    return pdu.ReadMultipleVariableResponse(tuple(values), rest)


EXAMPLES: dict[type[Pdu], st.SearchStrategy[Pdu]] = {
    pdu.ErrorResponse: st.builds(pdu.ErrorResponse, octet, word, octet),
    pdu.ExchangeMtuRequest: st.builds(pdu.ExchangeMtuRequest, word),
    pdu.ExchangeMtuResponse: st.builds(pdu.ExchangeMtuResponse, word),
    pdu.FindInformationRequest: st.builds(pdu.FindInformationRequest, word, word),
    pdu.FindInformationResponse: st.builds(pdu.FindInformationResponse, information),
    pdu.FindByTypeValueRequest: st.builds(pdu.FindByTypeValueRequest, word, word, word, octets),
    pdu.FindByTypeValueResponse: st.builds(pdu.FindByTypeValueResponse, pairs),
    pdu.ReadByTypeRequest: st.builds(pdu.ReadByTypeRequest, word, word, uuid),
    pdu.ReadByTypeResponse: st.builds(pdu.ReadByTypeResponse, records),
    pdu.ReadRequest: st.builds(pdu.ReadRequest, word),
    pdu.ReadResponse: st.builds(pdu.ReadResponse, octets),
    pdu.ReadBlobRequest: st.builds(pdu.ReadBlobRequest, word, word),
    pdu.ReadBlobResponse: st.builds(pdu.ReadBlobResponse, octets),
    pdu.ReadMultipleRequest: st.builds(pdu.ReadMultipleRequest, handles),
    pdu.ReadMultipleResponse: st.builds(pdu.ReadMultipleResponse, octets),
    pdu.ReadByGroupTypeRequest: st.builds(pdu.ReadByGroupTypeRequest, word, word, uuid),
    pdu.ReadByGroupTypeResponse: st.builds(pdu.ReadByGroupTypeResponse, groups),
    pdu.ReadMultipleVariableRequest: st.builds(pdu.ReadMultipleVariableRequest, handles),
    pdu.ReadMultipleVariableResponse: lengths_and_values(),
    pdu.WriteRequest: st.builds(pdu.WriteRequest, word, octets),
    pdu.WriteResponse: st.builds(pdu.WriteResponse),
    pdu.WriteCommand: st.builds(pdu.WriteCommand, word, octets),
    pdu.SignedWriteCommand: st.builds(
        pdu.SignedWriteCommand, word, st.tuples(octets, st.binary(min_size=12, max_size=12))
    ),
    pdu.PrepareWriteRequest: st.builds(pdu.PrepareWriteRequest, word, word, octets),
    pdu.PrepareWriteResponse: st.builds(pdu.PrepareWriteResponse, word, word, octets),
    pdu.ExecuteWriteRequest: st.builds(pdu.ExecuteWriteRequest, octet),
    pdu.ExecuteWriteResponse: st.builds(pdu.ExecuteWriteResponse),
    pdu.HandleValueNotification: st.builds(pdu.HandleValueNotification, word, octets),
    pdu.HandleValueIndication: st.builds(pdu.HandleValueIndication, word, octets),
    pdu.HandleValueConfirmation: st.builds(pdu.HandleValueConfirmation),
    pdu.MultipleHandleValueNotification: st.builds(pdu.MultipleHandleValueNotification, valued),
}
any_pdu = st.one_of(*EXAMPLES.values())


def test_every_opcode_has_an_example_here():
    assert sorted(cls.opcode for cls in EXAMPLES) == list(pdu.known_opcodes())


@settings(deadline=None, max_examples=600)
@given(any_pdu)
def test_what_is_written_is_read_back(example):
    assert parse(example.to_bytes()) == example


@settings(deadline=None, max_examples=600)
@given(st.binary(max_size=60) | st.builds(lambda a, b: bytes([a]) + b, octet, octets))
def test_what_is_read_is_written_back_and_nothing_else_gets_through(received):
    malformed = None
    try:
        written_back = parse(received).to_bytes()
    except MalformedPdu as error:
        written_back = None
        malformed = error
    if malformed is None:
        assert written_back == received
    else:
        assert malformed.pdu == received
        assert malformed.opcode == (received[0] if received else None)
        assert malformed.reason


@settings(deadline=None, max_examples=400)
@given(any_pdu, st.data())
def test_any_pdu_can_be_described_on_one_line_even_when_cut(example, data):
    received = example.to_bytes()
    cut = data.draw(st.integers(0, len(received)))
    for text in (pdu.describe(received), pdu.describe(received[:cut])):
        assert text
        assert "\n" not in text
    assert pdu.describe(received).startswith(example.name)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ("080100ffff0328", "Read By Type Request 0x0001–0xFFFF characteristic"),
        ("100100ffff0028", "Read By Group Type Request 0x0001–0xFFFF primary_service"),
        ("110601000500 0d18", "Read By Group Type Response 0x0001–0x0005 heart_rate"),
        (
            "060100ffff00280d18",
            "Find By Type Value Request 0x0001–0xFFFF primary_service = heart_rate",
        ),
        ("0a0300", "Read Request 0x0003"),
        ("0b", "Read Response (empty)"),
        ("0c03001600", "Read Blob Request 0x0003 at 22"),
        ("12030001ff", "Write Request 0x0003 01 ff"),
        ("13", "Write Response"),
        ("1801", "Execute Write Request write"),
        ("1803", "Execute Write Request flags 0x03"),
        ("02f700", "Exchange MTU Request 247"),
        ("0e03000500", "Read Multiple Request 0x0003, 0x0005"),
        ("09030300aa0500bb", "Read By Type Response 0x0003: aa, 0x0005: bb"),
        ("0501 0300 0229", "Find Information Response 0x0003 client_characteristic_configuration"),
        ("070300ffff", "Find By Type Value Response 0x0003–0xFFFF"),
        ("210500aabb", "Read Multiple Variable Response aa bb (5)"),
        (
            "010a030002",
            "Error Response to Read Request at 0x0003: "
            "0x02 READ_NOT_PERMITTED (the value cannot be read)",
        ),
        ("0a03", "Read Request, malformed (1 octet is missing): 03"),
        ("24aa", "undefined opcode 0x24: aa"),
        ("7e", "undefined command 0x7E: (empty)"),
        ("", "empty PDU"),
    ],
)
def test_a_person_can_read_it(received, expected):
    assert pdu.describe(bytes.fromhex(received)) == expected


@pytest.mark.parametrize(
    ("received", "reason"),
    [
        ("", "no octets"),
        ("00", "opcode 0x00 is not defined"),
        ("0a", "2 octets are missing"),
        ("0a0300ff", "1 octet is left over"),
        ("080100ffff032800", "a UUID has 2 or 16 octets, not 3"),
        ("0e0300", "1 of at least 2 records"),
        ("0e03000500ff", "5 octets do not divide into records of 2"),
        ("07", "0 of at least 1 records"),
        ("0903030001 05", "4 octets do not divide into records of 3"),
        ("0901ff", "records of size 1 have no room for their handles"),
        ("1103010002", "records of size 3 have no room for their handles"),
        ("05030300022a", "there is no format 0x03"),
        ("0501", "0 octets do not divide into records of 4"),
        ("d20300" + "00" * 11, "1 octet is missing from the signature"),
        ("2303000200aa", "1 octet is missing in a value"),
        ("2303000100aa", "1 of at least 2 values"),
        ("1e00", "1 octet is left over"),
    ],
)
def test_a_malformed_pdu_says_what_is_wrong(received, reason):
    with pytest.raises(MalformedPdu) as caught:
        parse(bytes.fromhex(received))
    assert caught.value.reason == reason


def test_records_of_unequal_length_cannot_be_written():
    with pytest.raises(ValueError, match="one size"):
        pdu.ReadByTypeResponse(((1, b"a"), (2, b"bb"))).to_bytes()
    with pytest.raises(ValueError, match="one length"):
        pdu.FindInformationResponse(((1, Uuid(0x2902)), (2, Uuid(1 << 120)))).to_bytes()
    with pytest.raises(ValueError, match="12 octets"):
        pdu.SignedWriteCommand(1, (b"", b"short")).to_bytes()


def test_a_number_too_large_cannot_be_written():
    with pytest.raises(OverflowError):
        pdu.ReadRequest(0x1_0000).to_bytes()


def test_every_request_names_its_response():
    for opcode in pdu.known_opcodes():
        response = pdu.response_to(opcode)
        if pdu.kind_of(opcode) is PduKind.REQUEST:
            assert response == opcode + 1
            assert pdu.is_response(response)
            assert pdu.name_of(response) == pdu.name_of(opcode).replace("Request", "Response")
        else:
            assert response is None


TO_CLIENT = {0x01, 0x03, 0x05, 0x07, 0x09, 0x0B, 0x0D, 0x0F, 0x11, 0x13, 0x17, 0x19} | {
    0x1B,
    0x1D,
    0x21,
    0x23,
}


@pytest.mark.parametrize("opcode", range(256))
def test_every_opcode_has_one_end_that_takes_it(opcode):
    assert pdu.goes_to_server(opcode) == (opcode not in TO_CLIENT)


def test_undefined_opcodes_are_requests_unless_the_command_flag_is_set():
    assert pdu.is_request(0x00)
    assert pdu.is_request(0x25)
    assert pdu.is_request(0x80)
    assert not pdu.is_request(0x40)
    assert not pdu.is_request(0xD2)
    assert not pdu.is_request(0x1E)
    assert pdu.is_command(0xFF)
    assert pdu.name_of(0x52) == "Write Command"
    assert pdu.kind_of(0x99) is None
