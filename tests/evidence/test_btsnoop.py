"""The btsnoop format: by its specification, and by what another writer makes of it."""

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from bumble.snoop import BtSnooper, Snooper
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.evidence.btsnoop import (
    HEADER,
    VIRTUAL_EPOCH,
    CaptureFile,
    MalformedCapture,
    Record,
    pack,
    pack_acl,
    read,
)

packets = st.builds(
    lambda kind, rest: bytes((kind,)) + rest, st.integers(1, 5), st.binary(max_size=300)
)
records = st.builds(Record, st.integers(-(1 << 52), 1 << 60), st.booleans(), packets)

RESET = bytes.fromhex("01030c00")
COMPLETE = bytes.fromhex("040e0401030c00")


def file_of(*said: Record) -> bytes:
    return HEADER + b"".join(record.to_bytes() for record in said)


def test_a_record_is_what_the_format_says():
    # Length twice, flags, drops, microseconds since 0 AD, the packet. January 1st, 2000, is
    # 0x00E03AB44A676000 in every description of the format.
    assert pack(VIRTUAL_EPOCH + 5, True, RESET).hex(" ", 4) == (
        "00000004 00000004 00000002 00000000 00e03ab4 4a676005 01030c00"
    )


@pytest.mark.parametrize(
    ("sent", "kind", "flags"),
    [(True, 1, 2), (False, 4, 3), (True, 2, 0), (False, 2, 1), (True, 5, 0), (False, 5, 1)],
)
def test_flags_tell_direction_and_commands_and_events_from_data(sent, kind, flags):
    assert pack(0, sent, bytes((kind, 0)))[8:12] == bytes((0, 0, 0, flags))


@settings(deadline=None)
@given(st.lists(records, max_size=20))
def test_what_is_packed_is_read(said):
    assert list(read(file_of(*said))) == said


@settings(deadline=None)
@given(st.integers(0, 1 << 60), st.booleans(), st.integers(0, 0xFFFF), st.binary(max_size=300))
def test_acl_data_becomes_the_record_of_its_packet(time, sent, handle_and_flags, data):
    header = struct.pack("<BHH", 2, handle_and_flags, len(data))
    assert pack_acl(time, sent, handle_and_flags, data) == pack(time, sent, header + data)


def test_bumbles_writer_writes_the_same_format():
    written = io.BytesIO()
    snooper = BtSnooper(written)
    snooper.snoop(RESET, Snooper.Direction.HOST_TO_CONTROLLER)
    snooper.snoop(COMPLETE, Snooper.Direction.CONTROLLER_TO_HOST)
    snooper.snoop(b"\x02\x01\x20\x00\x00", Snooper.Direction.CONTROLLER_TO_HOST)
    octets = written.getvalue()
    said = list(read(octets))
    assert [(one.sent, one.packet[0]) for one in said] == [(True, 1), (False, 4), (False, 2)]
    assert file_of(*said) == octets
    assert said[0].time > VIRTUAL_EPOCH


@settings(deadline=None)
@given(st.lists(records, min_size=1, max_size=5), st.data())
def test_a_file_that_is_cut_short_is_refused_or_read_up_to_the_cut(said, data):
    octets = file_of(*said)
    whole = {len(file_of(*said[:count])): count for count in range(len(said) + 1)}
    at = data.draw(st.integers(len(HEADER), len(octets)))
    if at in whole:
        assert list(read(octets[:at])) == said[: whole[at]]
        return
    with pytest.raises(MalformedCapture, match="cut short"):
        list(read(octets[:at]))
    left = max(count for size, count in whole.items() if size < at)
    assert list(read(octets[:at], cut_short=True)) == said[:left]


@settings(deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_octets_are_records_or_malformed_and_nothing_else(octets, headed):
    octets = HEADER + octets if headed else octets
    said, at = [], len(octets)
    try:
        said.extend(read(octets))
    except MalformedCapture as error:
        at = error.offset
    # What comes before the first mistake is read, record by record.
    assert at in (0, len(file_of(*said)))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        HEADER[:-1],
        HEADER[:-1] + b"\xe9",  # 1001: H1, packets without their type
        HEADER + pack(0, True, RESET)[:3] + b"\x00" + pack(0, True, RESET)[4:],  # no octets
        HEADER + pack(0, True, RESET)[:7] + b"\x03" + pack(0, True, RESET)[8:],  # one was not kept
        HEADER + b"\x00" * 24,
    ],
)
def test_other_files_are_refused(octets):
    with pytest.raises(MalformedCapture):
        list(read(octets))


def test_a_file_is_whole_after_each_record(tmp_path: Path):
    path = tmp_path / "deep" / "er" / "one.btsnoop"
    file = CaptureFile(path)
    assert list(read(path.read_bytes())) == []
    file.write(pack(1, True, RESET))
    assert list(read(path.read_bytes())) == [Record(1, True, RESET)]
    file.write(pack(2, False, COMPLETE))
    assert len(list(read(path.read_bytes()))) == 2
    file.close()
    file.close()
    file.write(pack(3, True, RESET))
    assert len(list(read(path.read_bytes()))) == 2
    assert file.trouble is None


def test_a_file_replaces_the_one_of_the_last_run(tmp_path: Path):
    path = tmp_path / "one.btsnoop"
    path.write_bytes(b"longer than a header" * 10)
    CaptureFile(path).close()
    assert path.read_bytes() == HEADER


def test_a_full_disk_is_told_and_raises_nothing_where_packets_are_handled():
    file = CaptureFile(Path("/dev/full"))
    file.write(pack(1, True, RESET))
    assert file.trouble is not None
    assert "No space left" in str(file.trouble)


def test_what_was_written_only_in_part_is_taken_back(tmp_path: Path):
    path = tmp_path / "one.btsnoop"
    limit = len(HEADER) + len(pack(1, True, RESET)) + 10
    script = f"""
import resource, signal
from pathlib import Path
from bletest.evidence.btsnoop import CaptureFile, pack
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
file = CaptureFile(Path({str(path)!r}))
for time in range(3):
    file.write(pack(time, True, {RESET!r}))
print(file.trouble)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "10 of 28 octets were written\n"
    assert list(read(path.read_bytes())) == [Record(0, True, RESET)]
