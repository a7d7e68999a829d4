"""Locks that ask and are answered, and locks that can be fooled."""

import asyncio

import pytest

from bletest import conformance
from bletest.errors import CheckFailed, SecretMissing
from bletest.profile import load, loads, shipped
from bletest.profile.spec import Profile
from tests.support.table_client import TableClient, TableDevice

TEXT = shipped()["challenge_lock"].read_text(encoding="utf-8")
ORACLE = load(shipped()["challenge_lock"])
CHECKS = ("right_answer", "wrong_answer", "replay", "expiry", "order", "fresh")
KEY = "00 01 02 03 04 05 06 07"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCK_KEY", KEY)


def verdicts(device: TableDevice, oracle: Profile = ORACLE) -> dict[str, str]:
    """Return what each check of a protocol finds wrong, for those that find something."""
    found = {}
    for name in CHECKS:
        (case,) = conformance.cases(oracle.expectation, f"protocol.{name}")
        device.connect()
        try:
            asyncio.run(case.verify(TableClient(device)))
        except CheckFailed as failure:
            found[name] = str(failure)
    return found


def changed(*changes: tuple[str, str]) -> TableDevice:
    text = TEXT
    for before, after in changes:
        assert text.count(before) == 1
        text = text.replace(before, after)
    return TableDevice(loads(text))


def test_a_lock_that_does_as_its_profile_says_passes_every_check() -> None:
    assert verdicts(TableDevice(ORACLE)) == {}


@pytest.mark.parametrize(
    ("changes", "wrong", "says"),
    [
        # opens to anybody
        (
            [("equals: mac}}", "equals: nonce}}"), ("mac, length: 32", "nonce, length: 32")],
            {"right_answer"},
            "0x81",
        ),
        # another key
        ([("key: {env: LOCK_KEY}", "key: 00 01")], {"right_answer", "replay"}, "0x81"),
        # another function
        (
            [("hmac_sha256: {key: {env: LOCK_KEY}, over: nonce",
              "hmac_sha256: {key: {env: LOCK_KEY}, over: [nonce, nonce]")],
            {"right_answer", "replay"},
            "0x81",
        ),
        # a wrong answer is refused with another code
        ([("error: 0x81", "error: 0x82")], {"wrong_answer", "replay"}, "0x82"),
        # stays challenged after the right answer, so that it opens twice
        (
            [("set: {phase: open}", "set: {phase: challenged}"),
             ("when: {phase: open}", "when: {phase: idle}")],
            {"replay"},
            "accepted",
        ),
        # never expires
        ([("            expires: 5s\n", "")], {"expiry"}, "accepted"),
        # expires later than it says
        ([("expires: 5s", "expires: 6s")], {"expiry"}, "accepted"),
        # expires at once
        ([("expires: 5s", "expires: 1us")], set(), ""),
        # tells "no challenge" from "wrong answer" although it should not
        ([("when: {phase: challenged}\n", "when: {phase: [challenged, idle]}\n")],
         {"order", "expiry"}, "0x81"),
        # always the same challenge
        (
            [("{random: 16, as: nonce}", "{random: 1, as: nonce}"),
             ("bytes: [01, ", "bytes: [01, 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00, ")],
            {"right_answer", "replay"},
            "0x81",
        ),
        # does not say that it is open
        ([("- {via: control, bytes: 02 00}", "- {via: control, bytes: 02 01}")],
         {"right_answer", "replay"}, "02 01"),
        # says so too late
        ([("{uint8: 0}, after: 200ms", "{uint8: 0}, after: 1200ms")],
         {"right_answer", "replay"}, "nothing in time"),
        # sends no challenge
        ([("            reply: {via: control, bytes: [01, {random: 16, as: nonce}]}\n", ""),
          ("over: nonce", "over: mac")], set(CHECKS) - {"order"}, "nothing in time"),
    ],
)  # fmt: skip
def test_a_lock_that_does_not_is_found_out(
    changes: list[tuple[str, str]], wrong: set[str], says: str
) -> None:
    found = verdicts(changed(*changes))

    assert wrong <= set(found)
    assert all(says in text for name, text in found.items() if name in wrong)


def test_a_lock_whose_challenge_is_always_the_same_is_found_out() -> None:
    device = TableDevice(ORACLE)
    device.draw = lambda length: bytes(length)

    assert set(verdicts(device)) == {"fresh", "replay"}


def test_a_profile_whose_own_rules_let_an_answer_in_twice_is_told() -> None:
    before, after = "set: {phase: open}", "set: {phase: challenged}"
    text = TEXT.replace(before, after).replace("when: {phase: open}", "when: {phase: idle}")
    weak = loads(text)

    found = verdicts(TableDevice(weak), weak)

    assert set(found) == {"replay"}
    assert "the profile's own rules accept it" in found["replay"]


def test_no_message_holds_the_key_or_a_part_of_it() -> None:
    found = verdicts(changed(("key: {env: LOCK_KEY}", "key: 00 01")))

    assert found
    assert all("02 03 04" not in text and "020304" not in text for text in found.values())


@pytest.mark.parametrize("name", CHECKS)
def test_without_the_key_nothing_is_sent_and_the_key_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCK_KEY")
    (case,) = conformance.cases(ORACLE.expectation, f"protocol.{name}")
    client = TableClient(TableDevice(ORACLE))
    client.device.pair()

    with pytest.raises(SecretMissing, match="LOCK_KEY"):
        asyncio.run(case.verify(client))


def test_a_rule_with_a_checksum_needs_no_challenge() -> None:
    profile = loads(
        """\
bletest: 1
name: checked
device: {name: Checked}
services:
  - uuid: 0xFF00
    characteristics:
      - uuid: 0xFF01
        properties: [write]
        on_write:
          - match: [01, {field: data, length: 4}, {field: sum, length: 2}]
            verify: {crc16: {over: data, equals: sum}}
            else: {error: 0x81}
          - {otherwise: true, error: 0x80}
"""
    )
    cases = {name: conformance.cases(profile.expectation, f"protocol.{name}") for name in CHECKS}

    assert {name for name, found in cases.items() if found} == {"right_answer", "wrong_answer"}
    for name in ("right_answer", "wrong_answer"):
        (case,) = cases[name]
        assert case.id == "0xFF00/0xFF01/rule 1"
        assert asyncio.run(case.run(TableClient(TableDevice(profile)))) == []
    harsh = loads(
        "bletest: 1\nname: checked\ndevice: {name: Checked}\nservices:\n"
        "  - uuid: 0xFF00\n    characteristics:\n"
        "      - {uuid: 0xFF01, properties: [write], on_write: [{otherwise: true, error: 0x81}]}\n"
    )
    (case,) = cases["right_answer"]
    (finding,) = asyncio.run(case.run(TableClient(TableDevice(harsh))))
    assert "0x81" in finding.observed
