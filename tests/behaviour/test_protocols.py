"""Rules with conditions: state, remembered octets, functions, keys, expiry."""

import hmac
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bletest.behaviour import Memory, Reaction, compute, react
from bletest.errors import BenchTrouble, SecretMissing
from bletest.profile import loads
from bletest.profile.rules import Computed, Function, Named, Secret, WriteRule
from bletest.profile.secrets import find_key, find_secret
from bletest.profile.spec import Profile

LOCK = """\
bletest: 1
name: lock
device: {name: Lock}
state: {phase: {initial: idle, scope: client}, jams: {initial: no, scope: device}}
services:
  - uuid: 0xFF00
    characteristics:
      - uuid: 0xFF01
        id: control
        properties: [write, notify]
        on_write:
          - {match: 01, reply: {via: control, bytes: [01, {random: 16, as: nonce}]},
             set: {phase: challenged}, expires: 5s}
          - match: [02, {field: mac, length: 32}]
            when: {phase: challenged}
            verify: {hmac_sha256: {key: 00 01 02 03, over: nonce, equals: mac}}
            then: {reply: {via: control, bytes: 02 00}, set: {phase: open}}
            else: {error: 0x81, set: {phase: idle}}
          - {match: 03, when: {phase: [open]}, set: {jams: maybe}, disconnect: true, after: 1s}
          - {match: 04, when: {jams: maybe}, reply: {via: control, text: jam, to: subscribers}}
          - match: [05, {field: rest}]
            reply: {via: control, bytes: [{crc16: {over: rest}}, {field: rest}, {random: 2}]}
          - {otherwise: true, error: 0x80}
"""
KEY = bytes(range(4))


class Device:
    """A device of pure rules, with a clock of its own and randomness that counts."""

    def __init__(self, profile: Profile) -> None:
        (spec,) = profile.characteristics()
        self.rules = spec.rules
        self.memory = Memory(profile.state)
        self.now = 0.0
        self.numbers: Iterator[int] = iter(range(256))

    def write(self, value: bytes, client: str = "one") -> Reaction:
        situation = self.memory.situation(
            client,
            self.now,
            draw=lambda length: bytes([next(self.numbers)]) * length,
            keys=find_key,
        )
        reaction = react(self.rules, value, mtu=247, situation=situation)
        self.memory.keep(client, reaction, self.now)
        return reaction

    def challenge(self, client: str = "one") -> bytes:
        (sending,) = self.write(b"\x01", client).sendings
        assert sending.value[:1] == b"\x01"
        assert len(sending.value) == 17
        return sending.value[1:]


def answer(nonce: bytes) -> bytes:
    return b"\x02" + hmac.digest(KEY, nonce, "sha256")


@pytest.fixture
def device() -> Device:
    return Device(loads(LOCK))


def test_the_right_answer_opens(device: Device) -> None:
    reaction = device.write(answer(device.challenge()))

    assert reaction.error is None
    assert [one.value for one in reaction.sendings] == [b"\x02\x00"]
    assert reaction.sets == (("phase", "open"),)


def test_a_wrong_answer_is_refused_and_ends_the_attempt(device: Device) -> None:
    right = answer(device.challenge())

    assert device.write(right[:-1] + bytes([right[-1] ^ 1])).error == 0x81
    assert device.write(right).error == 0x80


def test_the_right_answer_a_second_time_is_refused(device: Device) -> None:
    right = answer(device.challenge())
    device.write(right)

    assert device.write(right).error == 0x80
    device.challenge()
    assert device.write(right).error == 0x81


@pytest.mark.parametrize(("seconds", "error"), [(4.99, None), (5.0, 0x80), (60.0, 0x80)])
def test_a_challenge_expires(device: Device, seconds: float, error: int | None) -> None:
    right = answer(device.challenge())
    device.now = seconds

    assert device.write(right).error == error


def test_what_was_set_without_an_end_does_not_expire(device: Device) -> None:
    device.write(answer(device.challenge()))
    device.now = 1e6

    assert device.write(b"\x03").error is None


def test_an_answer_to_no_challenge_is_refused(device: Device) -> None:
    assert device.write(answer(bytes(16))).error == 0x80


def test_state_of_a_client_is_its_own_and_goes_with_it(device: Device) -> None:
    right = answer(device.challenge("one"))

    assert device.write(right, "two").error == 0x80
    device.memory.forget("two")
    assert device.write(right, "one").error is None
    device.memory.forget("one")
    assert device.write(b"\x03", "one").error == 0x80


def test_state_of_the_device_is_everybodys_until_it_reboots(device: Device) -> None:
    device.write(answer(device.challenge("one")), "one")
    assert device.write(b"\x04", "two").error == 0x80

    assert device.write(b"\x03", "one").disconnect == 1.0
    device.memory.forget("one")
    (sending,) = device.write(b"\x04", "two").sendings
    assert (sending.value, sending.subscribers) == (b"jam", True)
    device.memory.reset()
    assert device.write(b"\x04", "two").error == 0x80


def test_a_reply_is_put_together_from_its_parts(device: Device) -> None:
    (sending,) = device.write(b"\x05123456789").sendings

    assert sending.value == b"\xb1\x29123456789\x00\x00"  # the check value of CRC-16/IBM-3740


@given(writes=st.lists(st.binary(max_size=40) | st.sampled_from([b"\x01", b"\x03", b"\x04"])))
def test_nobody_gets_in_without_the_key(writes: list[bytes]) -> None:
    device = Device(PROFILE)
    for value in writes:
        reaction = device.write(value)
        device.now += 0.1
        assert ("phase", "open") not in reaction.sets
        assert reaction.error is None or not reaction.sendings


PROFILE = loads(LOCK)


@pytest.mark.parametrize(
    ("function", "key", "octets", "result"),
    [
        # RFC 4231, test case 2
        (
            Function.HMAC_SHA256,
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        # RFC 4493, example 2
        (
            Function.AES_CMAC,
            bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"),
            bytes.fromhex("6bc1bee22e409f96e93d7e117393172a"),
            "070a16b46b4d4144f79bdd9dd04a287c",
        ),
        (Function.CRC16, None, b"123456789", "b129"),
        (Function.CRC32, None, b"123456789", "2639f4cb"),
    ],
)
def test_functions_give_what_their_documents_say(
    function: Function, key: bytes | None, octets: bytes, result: str
) -> None:
    whole = Computed(function, (octets[:3], Named("rest")), function.length, key)
    first = Computed(function, (octets,), 2, key)

    assert compute(whole, {"rest": octets[3:]}, find_key) == bytes.fromhex(result)
    assert compute(first, {}, find_key) == bytes.fromhex(result)[:2]
    assert compute(whole, {}, find_key) is None


def test_a_secret_stands_in_the_environment_in_hexadecimal() -> None:
    assert find_secret(Secret("LOCK_KEY"), {"LOCK_KEY": "00 01 fe"}) == b"\x00\x01\xfe"


@pytest.mark.parametrize("environment", [{}, {"LOCK_KEY": ""}])
def test_a_secret_that_is_not_there_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(SecretMissing, match="LOCK_KEY is not set") as caught:
        find_secret(Secret("LOCK_KEY"), environment)

    assert caught.value.capability == "secret"


def test_a_secret_that_cannot_be_read_is_named_and_not_shown() -> None:
    with pytest.raises(BenchTrouble, match="LOCK_KEY does not hold octets") as caught:
        find_secret(Secret("LOCK_KEY"), {"LOCK_KEY": "hunter2"})

    assert not isinstance(caught.value, SecretMissing)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_key_of_the_wrong_length_is_the_benchs_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCK_KEY", "00 01")
    computed = Computed(Function.AES_CMAC, (b"",), 16, Secret("LOCK_KEY"))

    with pytest.raises(BenchTrouble, match="holds 2 octets"):
        find_key(computed)


def test_a_verify_without_else_lets_the_next_rule_have_it() -> None:
    rules = loads(
        LOCK.partition("on_write:")[0]
        + """on_write:
          - match: [{field: data, length: 2}, {field: sum, length: 4}]
            verify: {crc32: {over: data, equals: sum}}
            set: {phase: open}
          - {otherwise: true, error: 0x82}
"""
    )
    device = Device(rules)

    assert device.write(bytes.fromhex("3132") + bytes(4)).error == 0x82
    sum_ = compute(Computed(Function.CRC32, (b"12",), 4), {}, find_key)
    assert sum_ is not None
    assert device.write(b"12" + sum_).sets == (("phase", "open"),)


def test_a_rule_is_static_where_nothing_before_it_matters() -> None:
    (spec,) = PROFILE.characteristics()

    assert [rule.always for rule in spec.rules] == [False] * 5 + [True]
    assert WriteRule(b"\x01", disconnect=1.0).always
