"""Files of every kind, scalars as they stand in the source, and nothing that runs or explodes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bletest.profile.tree
from bletest.errors import ProfileError
from bletest.profile import load, loads, shipped
from bletest.profile.mistakes import Mistake
from bletest.profile.tree import Reader
from tests.profile.test_mistakes import HEAD, SERVICES


def only_mistake(path: Path) -> Mistake:
    with pytest.raises(ProfileError) as caught:
        load(path)
    (mistake,) = caught.value.mistakes
    assert isinstance(mistake, Mistake)
    return mistake


@pytest.mark.parametrize(
    ("content", "position", "message", "remedy"),
    [
        (b"", (1, 1), "nothing in this profile", "bletest: 1"),
        (b"\n\n", (1, 1), "nothing in this profile", "bletest: 1"),
        ("bletest: 1\nname: é".encode("latin-1"), (2, 7), "not UTF-8: octet 0xE9", "as UTF-8"),
        ("bletest: 1".encode("utf-16"), (1, 1), "not UTF-8", "UTF-16"),
        (b"\x7fELF\x02\x01\x01\x00\x00", (1, 1), "control character 0x7F", "UTF-8"),
        (b"bletest: 1\nname: \x00\n", (2, 7), "control character 0x00", "UTF-8"),
        (b"\x89PNG\r\n\x1a\n", (1, 1), "not UTF-8", "as UTF-8"),
        (b"#" * 300 * 1024, (0, 0), "300 KiB, a profile has at most 256", "is it a profile"),
    ],
    ids=["empty", "blank", "latin-1", "utf-16", "elf", "nul", "png", "huge"],
)
def test_a_file_that_is_no_profile_gets_one_clear_mistake(
    tmp_path: Path, content: bytes, position: tuple[int, int], message: str, remedy: str
) -> None:
    path = tmp_path / "device.yaml"
    path.write_bytes(content)

    mistake = only_mistake(path)

    assert (mistake.line, mistake.column) == position
    assert message in mistake.message
    assert remedy in mistake.remedy


def test_a_missing_file_is_told_from_one_with_a_similar_name(tmp_path: Path) -> None:
    (tmp_path / "my_device.yaml").write_text("")

    mistake = only_mistake(tmp_path / "my_devise.yaml")

    assert str(mistake) == (
        f'{tmp_path}/my_devise.yaml: there is no such file\n    did you mean "my_device.yaml"?'
    )


def test_a_folder_and_a_pipe_are_no_profiles(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert "a folder" in only_mistake(tmp_path).message
    assert "no ordinary file" in only_mistake(tmp_path / "pipe").message


def test_a_byte_order_mark_and_line_ends_of_windows_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "device.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + "services: []\n").replace("\n", "\r\n").encode())

    assert load(path).source == path
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + "services: {}\n").replace("\n", "\r\n").encode())
    assert only_mistake(path).line == 4


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 ["
        + "x," * 9
        + "x]\n"
        + "".join(f"a{n}: &a{n} [" + f"*a{n - 1}," * 9 + f"*a{n - 1}]\n" for n in range(1, 30)),
        "a: " + "[" * 100_000,
        "a: " + "{b: " * 50_000,
        "\n".join(f"{' ' * n}a:" for n in range(600)),
        "a: [" + "1," * 120_000 + "]",
        "? " * 100_000,
        "- " * 100_000,
    ],
    ids=["aliases", "lists", "mappings", "blocks", "items", "keys", "dashes"],
)
@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_a_file_that_explodes_gets_a_clear_mistake_fast(
    text: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bletest.profile.tree, "_LOADER", getattr(yaml, loader))
    started = time.process_time()

    with pytest.raises(ProfileError) as caught:
        loads(text)

    assert time.process_time() - started < 10
    (mistake,) = caught.value.mistakes
    assert "50,000 values" in mistake.message or "32 levels" in mistake.message  # type: ignore[attr-defined]


def test_nothing_that_needs_quotes_in_yaml_needs_them_here() -> None:
    profile = loads(
        """\
bletest: 1
name: on
device: {name: 0123, address: C0:10:20:30:40:50}
advertising: {manufacturer_data: {0x0059: 0102}, interval: 1s}
services:
  - uuid: 180D
    id: no
    characteristics:
      - {uuid: 0x2A29, id: on, properties: [read, write, notify], value: {text: 1e3},
         on_write: [{match: 010203, reply: {via: on, text: 1_000}}, {match: 0x0F, error: 0x80}]}
      - {uuid: 2A19, properties: [read], value: 0x4D}
      - {uuid: 0xFF01, properties: [read], value: {hex: 0x0102}}
      - {uuid: 0xFF02, properties: [read], value: {text: 10:20:30}}
      - {uuid: 0xFF03, properties: [read], value: {hex: 12e4}}
      - {uuid: 0xFF04, properties: [read], value: {uint8: 010}}
      - {uuid: 0xFF05, properties: [read], value: {text: "null"}}
"""
    )

    assert profile.name == "on"
    assert profile.device.name == "0123"
    assert profile.device.address == "C0:10:20:30:40:50"
    assert profile.advertising.manufacturer_data == {0x59: b"\x01\x02"}
    values = [one.value for one in profile.characteristics()]
    assert values == [
        b"1e3", b"\x4d", b"\x01\x02", b"10:20:30", b"\x12\xe4", b"\x0a", b"null",
    ]  # fmt: skip
    first = profile.characteristic("on")
    assert first is not None
    assert [rule.match for rule in first.rules] == [b"\x01\x02\x03", b"\x0f"]
    assert first.rules[0].replies[0].value == b"1_000"


def test_aliases_stand_for_what_they_name() -> None:
    profile = loads(
        SERVICES
        + """\
      - {uuid: 0xFF01, properties: &both [read, write], value: &one {uint8: 1}}
      - {uuid: 0xFF02, properties: *both, value: *one}
"""
    )

    first, second = profile.characteristics()
    assert second.properties == first.properties == {"read", "write"}
    assert second.value == first.value == b"\x01"


def test_both_parsers_give_the_same_trees_and_places(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hasattr(yaml, "CSafeLoader")
    for path in shipped().values():
        text = path.read_text(encoding="utf-8")
        fast = Reader("f", text).read()
        monkeypatch.setattr(bletest.profile.tree, "_LOADER", yaml.SafeLoader)
        slow = Reader("f", text).read()
        monkeypatch.undo()
        assert places(fast) == places(slow)


def places(node: object) -> object:
    place = getattr(node, "place", None)
    if isinstance(node, dict):
        return place, [(key, places(value)) for key, value in node.items()]
    if isinstance(node, list):
        return place, [places(value) for value in node]
    return place, node


TEXTS = [path.read_text(encoding="utf-8") for path in shipped().values()]
WORDS = [
    "{", "}", "[", "]", ":", ",", "- ", "'", '"', "&a ", "*a", "!x ", "#", "|", "\n", "\n  ", "\t",
    "null", "~", "0", "-1", "1e999", "9" * 50, "0x", "true", "same", "min: ", "text", "{hex: 0}",
    "via: ", "uuid: ", "on_write: ", "% ", "\u2028", "\x85", "é", "😀", "notify", "expect: ",
]  # fmt: skip


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(TEXTS),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(WORDS)),
        min_size=1,
        max_size=4,
    ),
)
def test_a_profile_broken_at_random_loads_or_gives_mistakes_with_places(
    text: str, edits: list[tuple[float, int, str]]
) -> None:
    for where, removed, word in edits:
        start = int(where * len(text))
        text = text[:start] + word + text[start + removed :]
    lines = text.splitlines()

    for one in mistakes_of(text):
        assert 1 <= one.line <= len(lines) + 1
        assert one.column >= 1
        assert one.message
        assert one.remedy, str(one)


SWAPS = st.sampled_from(
    ["1", "same", "x", "[]", "{}", "[x]", "{a: b}", "{min: 1}", "{uint8: 1}", "[[1]]", "true",
     "{hex: 00}", "{one_of: [1]}", "{ramp: {from: 1, to: 2}}", "read", "[read, notify]", "''"]
)  # fmt: skip


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(TEXTS), st.integers(0, 400), SWAPS)
def test_any_value_may_be_replaced_by_any_other_without_a_traceback(
    text: str, number: int, swap: str
) -> None:
    tree = yaml.compose(text)
    assert tree is not None
    found = [node for node in walk(tree) if node is not tree]
    node = found[number % len(found)]
    text = text[: node.start_mark.index] + swap + "\n" + text[node.end_mark.index :]

    assert all(one.line and one.remedy for one in mistakes_of(text))


def mistakes_of(text: str) -> list[Mistake]:
    """Load a profile; whatever it raises beside its mistakes is for the test to fail with."""
    try:
        loads(text)
    except ProfileError as error:
        return [one for one in error.mistakes if isinstance(one, Mistake)]
    return []


def walk(node: yaml.Node) -> list[yaml.Node]:
    found = [node]
    for one in node.value if isinstance(node, yaml.SequenceNode | yaml.MappingNode) else ():
        for inner in one if isinstance(one, tuple) else (one,):
            found += walk(inner)
    return found


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import bletest.profile", ["yaml", "pydantic", "bluetooth_sig"]),
        ("import bletest.profile.spec", ["yaml", "pydantic", "bluetooth_sig"]),
        (
            "from bletest.profile import load, shipped; load(shipped()['nordic_uart'])",
            ["bluetooth_sig"],
        ),
    ],
)
def test_importing_costs_only_what_is_used(statement: str, absent: list[str]) -> None:
    code = f"{statement}\nimport sys\nprint([one for one in {absent!r} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
