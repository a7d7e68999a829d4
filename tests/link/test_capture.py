"""Captures: both directions, on both data paths, whole after a kill, the same in every run."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from bumble import hci

from bletest.errors import BenchTrouble
from bletest.evidence.btsnoop import ACL_DATA, COMMAND, EVENT, VIRTUAL_EPOCH, Record, read
from bletest.link.capture import Recorder
from bletest.link.clock import run
from bletest.link.data_path import DataPath
from bletest.link.hci_port import HciPort
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from tests.link.capturing import LONG_COMMAND, READ, VALUE, session, two
from tests.support.tshark import complaints, dissect

BOTH = pytest.mark.parametrize("path", DataPath)
ENDS = ("central", "peripheral")


def records(file: Path) -> list[Record]:
    return list(read(file.read_bytes()))


def frames(said: Sequence[Record]) -> list[tuple[bool, int, bytes]]:
    """Put ACL fragments together; return direction, channel and payload of each frame."""
    parts: dict[bool, bytes] = {}
    whole = []
    for record in said:
        if record.packet[0] != ACL_DATA:
            continue
        assert len(record.packet) == 5 + int.from_bytes(record.packet[3:5], "little")
        assert len(record.packet) <= 5 + 251
        flags = record.packet[2] >> 4
        # Vol 4, Part E, 5.4.2: what begins a frame differs by direction.
        assert flags in ((0b00, 0b01) if record.sent else (0b10, 0b01))
        begins = flags != 0b01
        assert begins is (record.sent not in parts)
        frame = parts.pop(record.sent, b"") + record.packet[5:]
        if len(frame) < 4 + int.from_bytes(frame[:2], "little"):
            parts[record.sent] = frame
        else:
            whole.append((record.sent, int.from_bytes(frame[2:4], "little"), frame[4:]))
    assert not parts
    return whole


def connections(said: Sequence[Record]) -> list[int]:
    events = [hci.HCI_Packet.from_bytes(one.packet) for one in said if one.packet[0] == EVENT]
    completed = (
        hci.HCI_LE_Connection_Complete_Event,
        hci.HCI_LE_Enhanced_Connection_Complete_Event,
    )
    return [event.connection_handle for event in events if isinstance(event, completed)]


def commands(said: Sequence[Record]) -> list[int]:
    return [int.from_bytes(one.packet[1:3], "little") for one in said if one.packet[0] == COMMAND]


@BOTH
def test_each_host_has_a_file_with_both_directions(tmp_path, path):
    run(session(tmp_path, path))
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "central.btsnoop",
        "peripheral.btsnoop",
    ]
    central, peripheral = (records(tmp_path / f"{end}.btsnoop") for end in ENDS)
    att = [frame for frame in frames(central) if frame[1] == 4]
    assert att == [
        (True, 4, READ),
        (False, 4, VALUE),
        (True, 4, LONG_COMMAND),
        (True, 4, READ),
        (False, 4, VALUE),
    ]
    assert [(not sent, cid, pdu) for sent, cid, pdu in frames(central)] == frames(peripheral)
    for said in (central, peripheral):
        assert {(one.sent, one.packet[0]) for one in said} == {
            (True, COMMAND),
            (False, EVENT),
            (True, ACL_DATA),
            (False, ACL_DATA),
        }
        assert commands(said)[0] == hci.HCI_RESET_COMMAND
        assert [one.time for one in said] == sorted(one.time for one in said)


def test_both_data_paths_leave_the_same_but_for_flow_control(tmp_path):
    def said(path: DataPath, end: str) -> list[Record]:
        completed = hci.HCI_NUMBER_OF_COMPLETED_PACKETS_EVENT
        return [
            record
            for record in records(tmp_path / path / f"{end}.btsnoop")
            if record.packet[:2] != bytes((EVENT, completed))
        ]

    for path in DataPath:
        run(session(tmp_path / path, path))
    for end in ENDS:
        assert said(DataPath.SHORT, end) == said(DataPath.HCI, end)
        assert len(said(DataPath.SHORT, end)) > 50


@BOTH
def test_tshark_finds_every_frame_well_formed_and_the_operations_by_name(tmp_path, path):
    run(session(tmp_path, path))
    for end in ENDS:
        file = tmp_path / f"{end}.btsnoop"
        assert complaints(file) == []
        number = len(records(file))
        assert len(dissect(file, "frame.number")) == number
        said = dissect(file, "btatt.opcode", "btatt.handle", "btatt.value", where="btatt")
        assert said == [
            ["0x0a", "0x0003", ""],
            ["0x0b", "0x0003", "2a"],
            ["0x52", "0x0003", LONG_COMMAND[3:].hex()],
            ["0x0a", "0x0003", ""],
            ["0x0b", "0x0003", "2a"],
        ]
        opcodes = [row[0] for row in dissect(file, "btsmp.opcode", where="btsmp")]
        assert opcodes[:2] == ["0x01", "0x02"]
        assert len(opcodes) > 10
        directions = dissect(file, "hci_h4.direction", where="btatt")
        sent, received = ("0x00", "0x01") if end == "central" else ("0x01", "0x00")
        assert [row[0] for row in directions] == [sent, received, sent, sent, received]


@BOTH
def test_times_are_those_of_the_virtual_clock(tmp_path, path):
    run(session(tmp_path, path))
    said = records(tmp_path / "central.btsnoop")
    assert said[0].time == VIRTUAL_EPOCH
    moments = [one.time - VIRTUAL_EPOCH for one in said if one.packet[-3:] == READ]
    long = next(one.time - VIRTUAL_EPOCH for one in said if LONG_COMMAND[:3] in one.packet)
    assert long - moments[0] == 2_600_000
    assert moments[0] < 1_000_000


@BOTH
def test_a_killed_process_leaves_all_that_was_said(tmp_path, path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.link.capturing", str(tmp_path), path, "die"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    for end in ENDS:
        file = tmp_path / f"{end}.btsnoop"
        assert [pdu for _, _, pdu in frames(records(file))] == [READ, VALUE, LONG_COMMAND]
        assert complaints(file) == []
        assert len(dissect(file, "frame.number", where="btatt")) == 3


@BOTH
def test_the_same_seed_leaves_the_same_octets_in_another_process_pairing_included(tmp_path, path):
    for hash_seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-m", "tests.link.capturing", str(tmp_path / hash_seed), path],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
        )
    for end in ENDS:
        first, second = (tmp_path / seed / f"{end}.btsnoop" for seed in ("1", "2"))
        assert len(frames(records(first))) > 15
        assert first.read_bytes() == second.read_bytes()


@BOTH
def test_a_capture_that_begins_late_begins_with_what_it_takes_to_read_it(tmp_path, path):
    async def main() -> tuple[str, int]:
        recorder = Recorder()
        async with two(recorder, path) as both:
            await both.central.renew_address()
            await both.central.renew_address()
            link = await both.connect()
            await both.ask(link, READ)
            with recorder.into(tmp_path):
                await asyncio.sleep(1)
                await both.ask(link, READ)
            return both.central.address, link.handle

    address, handle = run(main())
    for end in ENDS:
        file = tmp_path / f"{end}.btsnoop"
        said = records(file)
        before = [one for one in said if one.time == VIRTUAL_EPOCH]
        after = said[len(before) :]
        assert commands(before)[0] == hci.HCI_RESET_COMMAND
        assert [pdu for _, _, pdu in frames(after)] == [READ, VALUE]
        assert frames(before) == []
        assert after[0].time == VIRTUAL_EPOCH + 1_000_000
        assert connections(before) == [handle]
        addresses = [one.packet[4:][::-1].hex(":") for one in before if one.packet[1:3] == b"\x05 "]
        assert len(addresses) == 1
        if end == "central":
            assert addresses == [address.split("/")[0].lower()]
        assert complaints(file) == []


def test_a_connection_that_has_ended_is_not_told_again(tmp_path):
    async def main() -> None:
        recorder = Recorder()
        async with two(recorder) as both:
            link = await both.connect()
            await link.disconnect()
            await asyncio.sleep(1)
            with recorder.into(tmp_path):
                await both.central.renew_address()

    run(main())
    said = records(tmp_path / "central.btsnoop")
    assert commands(said)[-1] == hci.HCI_LE_SET_RANDOM_ADDRESS_COMMAND
    assert connections(said) == []


def test_captures_follow_each_other_and_nothing_is_written_between_them(tmp_path):
    async def main() -> None:
        recorder = Recorder()
        async with two(recorder) as both:
            link = await both.connect()
            for name, count in (("one", 1), ("two", 2)):
                with recorder.into(tmp_path / name):
                    for _ in range(count):
                        await both.ask(link, READ)
                await both.ask(link, READ)
            with recorder.into(tmp_path / "silent"):
                await asyncio.sleep(10)

    run(main())
    for name, count in (("one", 1), ("two", 2)):
        for end in ENDS:
            file = tmp_path / name / f"{end}.btsnoop"
            assert [pdu for _, _, pdu in frames(records(file))] == [READ, VALUE] * count
    assert not (tmp_path / "silent").exists()


def test_a_host_of_the_same_name_gets_a_file_of_its_own(tmp_path):
    async def main() -> tuple[Path, ...]:
        recorder = Recorder()
        with recorder.into(tmp_path) as capture:
            for _ in range(2):
                async with two(recorder):
                    pass
        return capture.paths

    names = [path.name for path in run(main())]
    assert names == [
        "central.btsnoop",
        "peripheral.btsnoop",
        "central-2.btsnoop",
        "peripheral-2.btsnoop",
    ]


def test_a_discarded_capture_leaves_neither_files_nor_an_empty_folder(tmp_path):
    async def main(folder: Path) -> None:
        recorder = Recorder()
        with recorder.into(folder) as capture:
            async with two(recorder):
                pass
        assert len(capture.paths) == 2
        capture.discard()

    run(main(tmp_path / "empty"))
    assert not (tmp_path / "empty").exists()
    kept = tmp_path / "kept" / "transcript.txt"
    kept.parent.mkdir()
    kept.write_text("said")
    run(main(kept.parent))
    assert list(kept.parent.iterdir()) == [kept]


def test_a_folder_that_cannot_be_is_told_and_the_link_goes_on(tmp_path):
    (tmp_path / "file").write_text("in the way")

    async def main() -> None:
        recorder = Recorder()
        with recorder.into(tmp_path / "file") as capture:
            async with two(recorder) as both:
                link = await both.connect()
                await both.ask(link, READ)
        capture.check()

    with pytest.raises(BenchTrouble, match=r"capture in .* cannot be written"):
        run(main())


def test_a_station_without_a_tap_has_nothing_to_do_with_captures(tmp_path):
    async def main() -> tuple[Path, ...]:
        recorder = Recorder()
        with recorder.into(tmp_path) as capture:
            station = await open_station(
                VirtualLink(), name="one", address=None, rng=random.Random(1)
            )
            await station.close()
        return capture.paths

    assert run(main()) == ()


def test_a_real_controller_is_captured_with_the_time_of_the_wall(tmp_path):
    async def main() -> None:
        recorder = Recorder()
        async with HciPort(VirtualLink(), "tcp-server:127.0.0.1:0") as port:
            with recorder.into(tmp_path):
                station = await open_station(
                    port.transport.replace("server", "client"),
                    name="one",
                    address=None,
                    rng=random.Random(1),
                    tap=recorder.tap("adapter"),
                )
                await station.close()

    began = time.time_ns() // 1000
    asyncio.run(main())
    said = records(tmp_path / "adapter.btsnoop")
    assert began <= said[0].time <= said[-1].time <= time.time_ns() // 1000
    assert {(one.sent, one.packet[0]) for one in said} == {(True, COMMAND), (False, EVENT)}
    assert complaints(tmp_path / "adapter.btsnoop") == []
