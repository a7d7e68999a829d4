"""Values out of captures and transcripts: which are found, and what is said where none are."""

import json
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.errors import ProfileError
from bletest.profile import load
from bletest.profile.captures import Heard, read_recording
from bletest.profile.mistakes import Mistake, Refusal
from bletest.uuids import Uuid
from tests.support.judge import judge

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
VENDOR = Uuid.parse("6e400003-b5a3-f393-e0a9-e50e24dcca9e")
LEVEL = Uuid(0x2A19)

ASK = bytes.fromhex("08 0100 ffff 0328")
FOUND = bytes.fromhex("09 07 0200 10 0300 192a")
FOUND_VENDOR = bytes.fromhex("09 15 0500 10 0600") + VENDOR.to_bytes()
DISCOVERY = [ASK, FOUND, ASK, FOUND_VENDOR]


def acl(pdu: bytes, handle: int = 0x40, channel: int = 4) -> bytes:
    frame = struct.pack("<HH", len(pdu), channel) + pdu
    return struct.pack("<HH", handle, len(frame)) + frame


def btsnoop(packets: Iterable[tuple[int, bytes]], datalink: int = 1002) -> bytes:
    records = (struct.pack(">IIIIq", len(p), len(p), flags, 0, 0) + p for flags, p in packets)
    return b"btsnoop\0" + struct.pack(">II", 1, datalink) + b"".join(records)


def h4(pdus: Iterable[bytes], handle: int = 0x40) -> list[tuple[int, bytes]]:
    return [(1, b"\x02" + acl(pdu, handle)) for pdu in pdus]


def heard(data: bytes) -> list[tuple[int, Uuid | None, bytes]]:
    return [(one.handle, one.uuid, one.value) for one in read_recording(data, "a.btsnoop")]


def test_notifications_and_indications_are_named_by_the_discovery_before_them() -> None:
    sent = [b"\x1b\x03\x00\x4d", b"\x1d\x06\x00ab", b"\x23\x03\x00\x01\x00\x4e\x06\x00\x02\x00cd"]
    assert heard(btsnoop(h4([*DISCOVERY, *sent]))) == [
        (3, LEVEL, b"\x4d"),
        (6, VENDOR, b"ab"),
        (3, LEVEL, b"\x4e"),
        (6, VENDOR, b"cd"),
    ]


def test_a_read_by_its_uuid_names_a_handle_too() -> None:
    pdus = [bytes.fromhex("08 0100 ffff 192a"), bytes.fromhex("09 03 0900 4d"), b"\x1b\x09\x00\x01"]
    assert heard(btsnoop(h4(pdus))) == [(9, LEVEL, b"\x01")]


def test_a_link_without_a_discovery_takes_that_of_another() -> None:
    packets = [*h4(DISCOVERY), *h4([b"\x1b\x03\x00\x4d"], handle=0x41)]
    assert heard(btsnoop(packets)) == [(3, LEVEL, b"\x4d")]
    assert heard(btsnoop(packets[4:])) == [(3, None, b"\x4d")]


@pytest.mark.parametrize(
    ("datalink", "dress"),
    [
        (1001, lambda packet: (1, packet)),
        (1002, lambda packet: (1, b"\x02" + packet)),
        (2001, lambda packet: (5, packet)),
        (2001, lambda packet: (4, packet)),
    ],
)
def test_captures_of_each_kind_are_read(datalink: int, dress) -> None:  # type: ignore[no-untyped-def]
    packets = [dress(acl(pdu)) for pdu in [*DISCOVERY, b"\x1b\x03\x00\x4d"]]
    assert heard(btsnoop(packets, datalink)) == [(3, LEVEL, b"\x4d")]


def test_fragments_are_put_together_and_other_channels_are_left_alone() -> None:
    frame = acl(b"\x1b\x03\x00" + bytes(30))[4:]
    first = b"\x02" + struct.pack("<HH", 0x2040, 10) + frame[:10]
    rest = b"\x02" + struct.pack("<HH", 0x1040, len(frame) - 10) + frame[10:]
    other = (1, b"\x02" + acl(b"\x1b\x03\x00\xff", channel=6))
    command = (2, b"\x01\x03\x0c\x00")
    data = btsnoop(
        [*h4(DISCOVERY), (1, first), (0, b"\x02" + acl(b"\x1e")), other, command, (1, rest)]
    )
    assert heard(data) == [(3, LEVEL, bytes(30))]
    assert heard(btsnoop([(1, rest)])) == []


def test_the_record_that_a_killed_process_left_is_passed_over() -> None:
    data = btsnoop(h4([*DISCOVERY, b"\x1b\x03\x00\x4d", b"\x1b\x03\x00\x4e"]))
    assert heard(data[:-1]) == [(3, LEVEL, b"\x4d")]


def test_a_transcript_says_the_same_as_its_capture() -> None:
    pdus = [*DISCOVERY, b"\x1b\x03\x00\x4d"]
    lines = [{"kind": "link", "link": "1", "what": "connected"}]
    lines += [{"kind": "att", "link": "1", "pdu": pdu.hex()} for pdu in pdus]
    data = "\n".join(json.dumps(line) for line in lines).encode()
    assert heard(data) == heard(btsnoop(h4(pdus)))


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([1001, 1002, 2001, 7]))
def test_any_octets_are_values_or_a_refusal(octets: bytes, datalink: int) -> None:
    packets = [(1, octets[at : at + 40]) for at in range(0, len(octets), 40)]
    whole = btsnoop(packets, datalink)
    for data in (octets, whole, b"btsnoop\0" + octets, btsnoop(h4([octets]))):
        try:
            found = read_recording(data, "x")
        except Refusal:
            continue
        assert all(isinstance(one, Heard) for one in found)


PROFILE = """\
bletest: 1
name: replayed
device: {name: Tag}
services:
  - uuid: 0xFF00
    characteristics:
      - {uuid: %s, properties: [notify], value: {uint8: 10}, notify: {every: 1s, values: %s}}
"""


def profile_in(folder: Path, replay: str, uuid: str = "0x2A19") -> Path:
    twice = bytes.fromhex("09 07 0800 10 0900 1a2a")
    again = bytes.fromhex("09 07 0a00 10 0b00 1a2a")
    sent = [b"\x1b\x03\x00\x4d", b"\x1b\x09\x00\x01", b"\x1b\x0b\x00\x02", b"\x1b\x03\x00\x4e"]
    pdus = [*DISCOVERY, ASK, twice, ASK, again, *sent, b"\x1b\x20\x00\x05"]
    (folder / "ride.btsnoop").write_bytes(btsnoop(h4(pdus)))
    (folder / "empty.btsnoop").write_bytes(btsnoop([]))
    (folder / "ethernet.btsnoop").write_bytes(btsnoop([], 1))
    (folder / "notes.jsonl").write_text("no json")
    (folder / "profile.yaml").write_text(PROFILE % (uuid, replay), encoding="utf-8")
    return folder / "profile.yaml"


@pytest.mark.parametrize(
    ("replay", "uuid", "values"),
    [
        ("{replay: {capture: ride.btsnoop}}", "0x2A19", (b"\x4d", b"\x4e")),
        ("{replay: {capture: ride.btsnoop, uuid: battery_level}}", "0xFF01", (b"\x4d", b"\x4e")),
        ("{replay: {capture: ride.btsnoop, handle: 0x0B}}", "0xFF01", (b"\x02",)),
        ("{replay: {capture: ride.btsnoop, handle: 0x20}}", "0x2A19", (b"\x05",)),
    ],
)
def test_a_schedule_sends_what_was_sent(
    tmp_path: Path, replay: str, uuid: str, values: tuple[bytes, ...]
) -> None:
    (found,) = load(profile_in(tmp_path, replay, uuid)).characteristics()
    assert found.notify is not None
    assert found.notify.values.values == values


@pytest.mark.parametrize(
    ("replay", "uuid", "says"),
    [
        ("capture: ride.btsnop", "0x2A19", 'there is no file `ride.btsnop`; did you mean "ride.bt'),
        ("capture: ../ride.btsnoop", "0x2A19", "lies outside the profile's folder"),
        ("capture: /etc/passwd", "0x2A19", "does not lie beside the profile"),
        ("capture: empty.btsnoop", "0x2A19", "by battery_level; it has no notification at all"),
        ("capture: ethernet.btsnoop", "0x2A19", "btsnoop of another kind (1)"),
        ("capture: notes.jsonl", "0x2A19", "neither a capture nor a transcript"),
        (
            "capture: ride.btsnoop",
            "0xFF01",
            "0xFF01; it has battery_level at 0x0003, 0x2A1A at 0x0009,",
        ),
        ("capture: ride.btsnoop", "0x2A1A", "has 2 characteristics 0x2A1A; add `handle: …` with"),
        ("capture: ride.btsnoop, handle: 7", "0x2A19", "was sent by handle 0x0007; it has"),
        ("capture: ride.btsnoop, of: bpm", "0x2A19", "`of` is not for a capture; remove it"),
        ("csv: ride.csv, handle: 3", "0x2A19", "`handle` is not for a table; remove it"),
        ("csv: a.csv, capture: a.btsnoop", "0x2A19", "a replay is of one recording; name it"),
        ("as: hex", "0x2A19", "a replay is of one recording; name it"),
    ],
)
def test_a_recording_that_does_not_have_it_is_a_mistake_that_says_what_it_has(
    tmp_path: Path, replay: str, uuid: str, says: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        load(profile_in(tmp_path, f"{{replay: {{{replay}}}}}", uuid))
    (mistake,) = caught.value.mistakes
    assert isinstance(mistake, Mistake)
    assert mistake.line == 7
    assert says in f"{mistake.message}; {mistake.remedy}"


def test_values_that_the_profile_forbids_are_a_mistake(tmp_path: Path) -> None:
    replay = "{replay: {capture: ride.btsnoop, handle: 3}}}, expect: {max: 77"
    with pytest.raises(ProfileError, match="one of these values does not meet `expect`: it is 78"):
        load(profile_in(tmp_path, replay))


def test_the_example_passes_its_own_suite() -> None:
    ride = load(EXAMPLES / "ride.yaml")
    measurement = ride.characteristic("heart_rate_measurement")
    assert measurement is not None
    assert measurement.notify is not None
    assert len(measurement.notify.values.values) == 60
    verdicts = judge(ride, phase="notifications")
    assert [str(one) for one in verdicts if one.problem is not None] == []
    assert "notify.values" in {one.check for one in verdicts}
