"""What the checks are made of: values to try, waiting, security."""

import asyncio
from itertools import islice

import pytest

from bletest.conformance.security import secured, unpaired
from bletest.conformance.steps import candidates, handle_of, octets, patience, put_back
from bletest.contracts.client import Client
from bletest.contracts.windows import Deadline, LinkTiming, Rhythm
from bletest.errors import AttributeMissing, CapabilityMissing
from bletest.profile.expectation import CharacteristicExpectation, ValueExpectation
from tests.support.rich_device import rich
from tests.support.table_client import ALL, TableClient, TableDevice, client_of


def _expected(path: str) -> CharacteristicExpectation:
    found = rich().expectation.characteristic(path)
    assert found is not None
    return found


def test_an_exact_value_leaves_one_candidate() -> None:
    assert list(candidates(ValueExpectation(exact=b"\x07"), near=b"\x08")) == [b"\x07"]


def test_candidates_near_a_value_differ_from_it_first() -> None:
    found = list(islice(candidates(ValueExpectation(min_length=2, max_length=2), near=b"ab"), 3))
    assert found == [b"ac", b"`b", b"ab"]


def test_candidates_keep_the_bounds_of_the_profile() -> None:
    expected = _expected("setting").value
    for value in islice(candidates(expected, near=(3600).to_bytes(2, "little")), 50):
        assert int.from_bytes(value, "little") <= 3600


def test_a_value_without_room_has_an_empty_candidate() -> None:
    assert list(candidates(ValueExpectation(max_length=0))) == [b""]


def test_long_values_are_shown_shortened() -> None:
    assert octets(bytes(100)).endswith("… (100 octets)")
    assert octets(b"\x01") == "01 (1 octet)"
    assert octets(b"") == "no octets"


def test_patience_grows_with_the_link() -> None:
    client: Client = client_of(rich(), timing=LinkTiming(interval=0.5, latency=1, slack=0.25))
    assert patience(client, 1.0) == pytest.approx(2.25)


def test_a_deadline_never_runs_below_zero() -> None:
    deadline = Deadline.after(1.0, now=5.0, timing=LinkTiming())
    assert deadline.left(5.25) == pytest.approx(0.75)
    assert deadline.left(9.0) == 0.0


@pytest.mark.parametrize(
    ("moments", "strays", "late"),
    [
        ([0, 1, 2, 3], 0, False),
        ([0, 1, 2.5, 3, 4], 2, True),
        ([0, 1, 2, 3.5], 1, True),
        ([0, 1, 2.5, 3.5, 4.5], 1, False),
        ([0, 1.5, 2, 3.5, 4], 4, False),
        ([0, 0.5, 2, 3, 4], 2, False),
        ([0, 1.5], 1, False),
    ],
)
def test_one_moment_that_is_late_leaves_a_long_gap_and_a_short_one(
    moments: list[float], strays: int, late: bool
) -> None:
    rhythm = Rhythm.of(moments, every=1.0, tolerance=0.1, timing=LinkTiming())
    assert len(rhythm.strays) == strays
    assert rhythm.one_was_late is late


def test_securing_an_open_access_does_nothing() -> None:
    client = client_of(rich())
    asyncio.run(secured(client, _expected("level").read))
    asyncio.run(secured(client, None))
    assert client.is_encrypted is False


def test_securing_pairs_once() -> None:
    client = client_of(rich())
    asyncio.run(secured(client, _expected("key").read))
    assert client.is_encrypted is True
    client.device.security.key_size = 7
    asyncio.run(secured(client, _expected("key").read))
    assert client.device.security.key_size == 7


def test_an_adapter_that_cannot_pair_is_not_asked_to() -> None:
    client = TableClient(TableDevice(rich()), capabilities=frozenset())
    asyncio.run(secured(client, _expected("key").read))
    assert client.is_encrypted is False


def test_unpairing_leaves_a_plain_link() -> None:
    client = client_of(rich())
    asyncio.run(client.pair())
    asyncio.run(unpaired(client))
    assert client.is_connected
    assert client.is_encrypted is False


def test_a_value_is_put_back_even_when_the_check_breaks_down() -> None:
    client = client_of(rich())
    subject = _expected("setting")

    async def break_down() -> None:
        async with put_back(client, subject) as before:
            assert before == b"\x1e\x00"
            target = subject.locate(client.database)
            assert target is not None
            await client.attempt.write(target, b"\x01\x00")
            raise AttributeMissing("gone")

    with pytest.raises(AttributeMissing):
        asyncio.run(break_down())
    assert client.device.by_path[subject.path].value.value == b"\x1e\x00"


def test_a_hidden_handle_is_no_fault_of_the_device() -> None:
    with pytest.raises(CapabilityMissing) as missing:
        handle_of(None)
    assert missing.value.capability in ALL
