"""Where the values of a schedule come from: a sine, a walk, a recording."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.errors import ProfileError
from bletest.profile import load, loads
from bletest.profile.mistakes import Mistake
from bletest.profile.sources import Constant, Numbers, ValueSource

HEAD = """\
bletest: 1
name: sources
device: {name: Tag}
services:
  - uuid: 0xFF00
    characteristics:
"""


def profile_of(values: str, value: str = "{uint8: 10}", every: str = "1s") -> str:
    return (
        f"{HEAD}      - {{uuid: 0xFF01, properties: [notify], value: {value},"
        f" notify: {{every: {every}, values: {{{values}}}}}}}\n"
    )


def source_of(text: str) -> ValueSource:
    (found,) = loads(text).characteristics()
    assert found.notify is not None
    return found.notify.values


def replayed(folder: Path, content: str, replay: str, value: str = "{uint8: 10}") -> ValueSource:
    (folder / "ride.csv").write_text(content, encoding="utf-8")
    path = folder / "profile.yaml"
    path.write_text(profile_of(f"replay: {{csv: ride.csv{replay}}}", value), encoding="utf-8")
    (found,) = load(path).characteristics()
    assert found.notify is not None
    return found.notify.values


def complaint(folder: Path, values: str) -> str:
    path = folder / "profile.yaml"
    path.write_text(profile_of(values), encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        load(path)
    (mistake,) = caught.value.mistakes
    assert isinstance(mistake, Mistake)
    assert (mistake.path, mistake.line) == (str(path), 7)
    assert mistake.source[mistake.column - 1 :]
    return f"{mistake.message}; {mistake.remedy}"


def test_a_constant_is_always_the_same() -> None:
    assert source_of(profile_of("constant: {uint8: 7}")) == Constant(b"\x07")


def test_a_sine_swings_between_its_bounds_once_a_period() -> None:
    source = source_of(profile_of("sine: {from: 0, to: 100, period: 8s}"))

    assert isinstance(source, Numbers)
    assert [one[0] for one in source.values] == [50, 85, 100, 85, 50, 15, 0, 15]
    assert source.at(8) == source.at(0)


def test_a_sine_keeps_to_multiples_of_its_step() -> None:
    source = source_of(
        profile_of("sine: {from: -0.5, to: 0.5, period: 4s, step: 0.25}", "{float32: 0}")
    )

    assert source.values == (bytes(4), b"\0\0\0\x3f", bytes(4), b"\0\0\0\xbf")


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), step=st.integers(1, 9))
def test_a_walk_goes_one_step_at_most_within_its_bounds_and_joins_its_ends(
    seed: int, step: int
) -> None:
    text = profile_of(f"walk: {{from: 50, min: 40, max: 60, step: {step}, seed: {seed}}}")
    source = source_of(text)
    steps = [one[0] for one in source.values]

    assert steps[0] == 50
    assert all(40 <= one <= 60 for one in steps)
    assert {abs(a - b) for a, b in zip(steps, [*steps[1:], steps[0]], strict=True)} <= {0, step}
    assert len(set(steps)) > 1
    assert source == source_of(text)


def test_walks_of_two_seeds_differ() -> None:
    one, other = (
        source_of(profile_of(f"walk: {{from: 50, min: 0, max: 99, seed: {seed}}}"))
        for seed in (1, 2)
    )
    assert one != other


def test_a_walk_leaves_other_randomness_alone() -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    source_of(profile_of("walk: {from: 50, min: 0, max: 99}"))

    assert random.random() == expected


@pytest.mark.parametrize(
    ("content", "replay"),
    [
        ("1\n2\n3\n", ""),
        ("bpm\n1\n2\n3\n", ""),
        ("bpm\n1\n2\n3\n", ", column: bpm"),
        ("\ufeffbpm\n1\n2\n3\n", ", column: bpm"),
        ("time,bpm\n0.0,1\n0.5,2\n\n1.0,3\n", ", column: bpm"),
        ("time,bpm\r\n0.0,1\r\n0.5,2\r\n0.7,\r\n1.0,3\r\n", ", column: 2"),
        ('9,"1",x\n9,2,x\n9,3,x\n', ", column: 2"),
        ("raw\n01\n02\n03\n", ", as: hex"),
    ],
)
def test_a_recording_is_played_row_by_row(tmp_path: Path, content: str, replay: str) -> None:
    assert replayed(tmp_path, content, replay) == Numbers("replay", "", (b"\1", b"\2", b"\3"))


def test_a_recording_below_the_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "rides").mkdir()
    (tmp_path / "rides" / "one.csv").write_text("4\n", encoding="utf-8")
    path = tmp_path / "profile.yaml"
    path.write_text(profile_of("replay: {csv: rides/one.csv}"), encoding="utf-8")
    (found,) = load(path).characteristics()

    assert found.notify is not None
    assert found.notify.values.at(0) == b"\x04"


def test_a_recorded_field_takes_its_place_among_the_others(tmp_path: Path) -> None:
    folder = tmp_path
    (folder / "ride.csv").write_text("t,heart_rate\n0,61\n1,62\n", encoding="utf-8")
    path = folder / "profile.yaml"
    path.write_text(
        HEAD + "      - {uuid: heart_rate_measurement, properties: [notify],"
        " value: {heart_rate: 60, sensor_contact: detected}, notify: {every: 1s,"
        " values: {replay: {csv: ride.csv, of: heart_rate}}}}\n",
        encoding="utf-8",
    )
    (found,) = load(path).characteristics()

    assert found.notify is not None
    assert found.notify.values.values == (b"\x06\x3d", b"\x06\x3e")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("replay: {csv: rdie.csv}", 'did you mean "ride.csv"?'),
        ("replay: {csv: ../ride.csv}", "outside the profile's folder"),
        ("replay: {csv: link.csv}", "outside the profile's folder"),
        ("replay: {csv: /etc/hostname}", "name it relative to the profile"),
        ("replay: {csv: ride.csv, column: bmp}", 'did you mean "bpm"?'),
        ("replay: {csv: ride.csv, column: 3}", "no column `3`"),
        ("replay: {csv: ride.csv, column: note}", "found `fast`"),
        ("replay: {csv: high.csv}", "the replay leaves the range: 300"),
        ("replay: {csv: empty.csv}", "has no rows"),
        ("replay: {csv: long.csv}", "a schedule takes 4096"),
        ("replay: {csv: huge.csv}", "more than 1024 KiB"),
        ("replay: {csv: latin.csv}", "text in UTF-8"),
        ("replay: {csv: ride.csv, as: hex, of: x}", "remove `of`"),
        ("sine: {from: 1, to: 300, period: 4s}", "the sine leaves the range"),
        ("sine: {from: 9, to: 1, period: 4s}", "swap them"),
        ("sine: {from: 1, to: 9, period: 1s}", "2 to 4096 values"),
        ("sine: {from: 1, to: 9, period: 4s, step: 0}", "a step is greater than 0"),
        ("walk: {from: 1, min: 2, max: 9}", "begins between `min` and `max`"),
        ("walk: {of: rate, from: 2, min: 2, max: 9}", "no field `rate`"),
        ("walk: {from: 2, min: 2, max: 9}, sequence: [{uint8: 1}]", "keep one of them"),
    ],
)
def test_a_source_that_cannot_be_is_told_with_its_place_and_a_remedy(
    tmp_path: Path, values: str, words: str
) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (tmp_path / "ride.csv").write_text("1\n", encoding="utf-8")
    (folder / "link.csv").symlink_to(tmp_path / "ride.csv")
    (folder / "ride.csv").write_text("bpm,note\n1,fast\n2,slow\n", encoding="utf-8")
    (folder / "high.csv").write_text("1\n300\n", encoding="utf-8")
    (folder / "empty.csv").write_text("\n", encoding="utf-8")
    (folder / "long.csv").write_text("1\n" * 4097, encoding="utf-8")
    (folder / "huge.csv").write_text("1" * 1024 * 1025, encoding="utf-8")
    (folder / "latin.csv").write_bytes(b"caf\xe9\n")

    assert words in complaint(folder, values)


def test_a_profile_that_is_no_file_replays_nothing() -> None:
    with pytest.raises(ProfileError, match="no files beside it"):
        loads(profile_of("replay: {csv: ride.csv}"))
