"""The file that bonds are kept in: whole, private, and never thrown away."""

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bletest.errors import BondsUnusable
from bletest.link.bond_file import BondFile, Key, Owner, StoredBond

KEY = Key(bytes(range(16)), authenticated=True, ediv=7, rand=bytes(8))


def owner(bonds: int, *, padding: int = 0) -> Owner:
    """Return a device with so many bonds, which says in two places how many they are."""
    return Owner(
        address="C0:00:00:00:00:01",
        irk=bytes(16),
        database=bonds.to_bytes(2, "little"),
        bonds=[
            StoredBond(
                identity=f"F0:00:00:00:00:{number:02X}",
                address_type=1,
                ltk=KEY,
                counter=number,
                values={"a/CCCD": b"\x01\x00" + bytes(padding)},
                stale=(1, 0xFFFF),
            )
            for number in range(bonds)
        ],
    )


def test_what_is_kept_is_read_again_and_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "bonds.json"
    file = BondFile(path)
    assert file.device("strap") is None
    file.keep_device("strap", owner(2))
    file.keep_client("adapter", owner(1))
    again = BondFile(path)
    assert again.device("strap") == owner(2)
    assert again.client("adapter") == owner(1)
    assert again.device("adapter") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["version"] == 1


def test_a_file_that_others_could_read_is_private_after_the_next_change(tmp_path: Path) -> None:
    path = tmp_path / "bonds.json"
    BondFile(path).keep_device("strap", owner(1))
    path.chmod(0o644)
    BondFile(path).keep_device("strap", owner(2))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_devices_in_one_file_do_not_lose_each_other_s_bonds(tmp_path: Path) -> None:
    path = tmp_path / "bonds.json"
    first, second = BondFile(path), BondFile(path)
    first.keep_device("a", owner(1))
    second.keep_device("b", owner(2))
    first.keep_device("a", owner(3))
    assert second.device("a") == owner(3)
    assert first.device("b") == owner(2)


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "bonds.json"
    link.symlink_to(tmp_path / "real" / "bonds.json")
    BondFile(link).keep_device("strap", owner(1))
    assert link.is_symlink()
    assert (tmp_path / "real" / "bonds.json").is_file()


BROKEN = {
    "empty": b"",
    "cut off": b'{"format": "bletest bonds", "version": 1, "devices": {"strap": {"addr',
    "something else": b'{"version": 1}',
    "no text": b"\xff\xfe\x00",
    "short key": b'{"format": "bletest bonds", "version": 1, "devices": {"strap": {"address": "C0",'
    b'"irk": "", "bonds": [{"identity": "F0", "address_type": 1, "ltk": {"value": "AAAA"}}]}}}',
    "unknown key": b'{"format": "bletest bonds", "version": 1, "device": {}}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_broken_is_named_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bonds.json"
    path.write_bytes(content)
    file = BondFile(path)
    with pytest.raises(BondsUnusable, match=r"bonds.json holds no bonds(.|\n)*move it away"):
        file.device("strap")
    with pytest.raises(BondsUnusable, match=r"bonds.json"):
        file.keep_device("strap", owner(1))
    assert path.read_bytes() == content


def test_a_file_of_a_later_version_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "bonds.json"
    path.write_text('{"format": "bletest bonds", "version": 2, "tomorrow": true}')
    with pytest.raises(BondsUnusable, match="a later bletest"):
        BondFile(path).device("strap")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BondsUnusable, match=r"cannot be (read|written)(.|\n)*another file"):
        BondFile(tmp_path / "file" / "bonds.json").keep_device("strap", owner(1))
    with pytest.raises(BondsUnusable, match="cannot be read"):
        BondFile(tmp_path).device("strap")


WRITER = """
import sys
from pathlib import Path
from tests.security.test_bond_file import owner
from bletest.link.bond_file import BondFile
file = BondFile(Path(sys.argv[1]))
known = file.device("strap")
bonds = len(known.bonds) if known else 0
print("ready", flush=True)
while True:
    bonds = bonds % 60 + 1
    file.keep_device("strap", owner(bonds, padding=400))
"""
ROUNDS = 8


def test_whoever_is_killed_while_writing_leaves_a_whole_file(tmp_path: Path) -> None:
    """Each round begins with what the last one left; it is cut off at another moment."""
    path = tmp_path / "bonds.json"
    seen = set()
    for number in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(0.003 + 0.0057 * number)
            writer.send_signal(signal.SIGKILL)
        found = BondFile(path).device("strap")
        if found is not None:
            assert found == owner(len(found.bonds), padding=400)
            assert int.from_bytes(found.database, "little") == len(found.bonds)
            seen.add(len(found.bonds))
    assert len(seen) > 1
    assert {one.name for one in tmp_path.iterdir()} <= {
        "bonds.json",
        ".bonds.json.lock",
        ".bonds.json.new",
    }
