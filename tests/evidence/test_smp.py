import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.evidence import smp


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (
            "01 03 00 0d 10 07 03",
            "Pairing Request: NoInputNoOutput, no OOB data, bonding, MITM+SC, key size 16, "
            "initiator keys EncKey+IdKey+SignKey, responder keys EncKey+IdKey",
        ),
        (
            "02 00 01 00 07 00 08",
            "Pairing Response: DisplayOnly, OOB data present, no bonding, key size 7, "
            "initiator keys none, responder keys LinkKey",
        ),
        ("05 08", "Pairing Failed: 0x08 Unspecified Reason"),
        ("05 99", "Pairing Failed: 0x99 reserved"),
        ("07 34 12 01 02 03 04 05 06 07 08", "Central Identification: EDIV 0x1234"),
        (
            "09 01 55 44 33 22 11 c0",
            "Identity Address Information: static random C0:11:22:33:44:55",
        ),
        ("0b 09", "Security Request: bonding, SC"),
        ("0e 04", "Pairing Keypress Notification: 0x04 entry completed"),
        ("04" + "00" * 16, "Pairing Random"),
        ("03 00", "Pairing Confirm, malformed: 2 octets instead of 17"),
        ("0f", "SMP command 0x0F"),
        ("", "empty SMP PDU"),
    ],
)
def test_a_pdu_in_words(octets: str, words: str) -> None:
    assert smp.describe(bytes.fromhex(octets)) == words


@settings(deadline=None)
@given(st.binary(max_size=70))
def test_no_octets_are_beyond_description(pdu: bytes) -> None:
    words = smp.describe(pdu)
    assert words
    assert "\n" not in words


def test_keys_are_not_repeated_in_the_words() -> None:
    key = bytes(range(1, 17))
    for opcode in (0x06, 0x08, 0x0A):
        assert key.hex()[:8] not in smp.describe(bytes([opcode]) + key).replace(" ", "")
