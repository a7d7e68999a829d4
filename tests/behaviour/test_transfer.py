"""A firmware-update target, octet by octet."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bletest.behaviour import FirmwareTransfer, Reaction
from bletest.behaviour.functions import compute
from bletest.profile.procedures import Transfer
from bletest.profile.rules import Computed, Effects, Function, Reboot, Reply, ServiceChange

IMAGE = bytes(range(10)) * 5
PLAIN = Transfer("control", "data", 20, 0, Function.CRC32, IMAGE)
WITH_INIT = replace(PLAIN, init=b"init!")
HEARD = {"control"}


class Target:
    """A transfer, and what its control point says."""

    def __init__(self, procedure: Transfer = PLAIN, now: float = 0.0) -> None:
        self.transfer = FirmwareTransfer(procedure)
        self.now = now

    def ask(self, text: str) -> str:
        return self._said(self.request(text))

    def request(self, text: str, subscribed: set[str] = HEARD) -> Reaction:
        value = bytes.fromhex(text)
        return self.transfer.request("me", value, self.now, subscribed=subscribed)

    def send(self, octets: bytes) -> str:
        return self._said(self.transfer.packet("me", octets, self.now, subscribed=HEARD))

    def _said(self, reaction: Reaction) -> str:
        if reaction.error is not None:
            return f"error {reaction.error:02x}"
        assert all(one.via == "control" for one in reaction.sendings)
        return " / ".join(one.value.hex(" ") for one in reaction.sendings)

    def take(self, octets: bytes) -> None:
        assert self.ask(f"01 02 {len(octets):02x} 00 00 00") == "60 01 01"
        assert self.send(octets) == ""
        assert self.ask("04") == "60 04 01"


def so_far(octets: bytes) -> str:
    return (len(octets).to_bytes(4, "little") + zlib.crc32(octets).to_bytes(4, "little")).hex(" ")


def test_an_image_comes_in_objects_and_starts_over_once_it_is_complete() -> None:
    target = Target()
    assert target.ask("06 02") == f"60 06 01 14 00 00 00 {so_far(b'')}"
    target.take(IMAGE[:20])
    target.take(IMAGE[20:40])
    assert target.ask("03") == f"60 03 01 {so_far(IMAGE[:40])}"
    target.take(IMAGE[40:])
    assert target.ask("06 02") == f"60 06 01 14 00 00 00 {so_far(b'')}"


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=10),
    st.lists(st.integers(1, 20), min_size=1),
)
@settings(max_examples=30, deadline=None)
def test_offset_and_crc_are_those_of_what_came_however_it_came(
    objects: list[int], packets: list[int]
) -> None:
    image = bytes(at % 251 for at in range(sum(objects) + 1))  # one octet stays away
    target = Target(replace(PLAIN, image=image))
    at = number = 0
    for size in objects:
        target.ask(f"01 02 {size:02x} 00 00 00")
        end = at + size
        while at < end:
            octets = image[at : min(end, at + packets[number % len(packets)])]
            assert target.send(octets) == ""
            at, number = at + len(octets), number + 1
            assert target.ask("03") == f"60 03 01 {so_far(image[:at])}"
        assert target.ask("04") == "60 04 01"


def test_receipts_come_each_so_many_packets_or_as_the_client_wants_them() -> None:
    target = Target(replace(PLAIN, receipt_every=2))
    target.ask("01 02 14 00 00 00")
    said = [target.send(b"%d" % at) for at in range(5)]
    assert said == ["", f"60 03 01 {so_far(b'01')}", "", f"60 03 01 {so_far(b'0123')}", ""]
    assert target.ask("02 01 00") == "60 02 01"
    assert target.send(b"5") == f"60 03 01 {so_far(b'012345')}"
    assert target.ask("02 00 00") == "60 02 01"
    assert [target.send(b"x") for _ in range(4)] == [""] * 4
    target.transfer.forget("me")
    assert [target.send(b"x")[:8] for _ in range(2)].count("60 03 01") == 1


def test_an_object_that_is_created_again_begins_where_the_last_one_ended() -> None:
    target = Target()
    target.take(IMAGE[:20])
    target.ask("01 02 14 00 00 00")
    target.send(b"wrong")
    assert target.ask("01 02 14 00 00 00") == "60 01 01"
    assert target.ask("03") == f"60 03 01 {so_far(IMAGE[:20])}"


def test_what_has_come_outlasts_a_lost_link_and_no_reboot() -> None:
    target = Target()
    target.take(IMAGE[:20])
    target.ask("01 02 14 00 00 00")
    target.send(IMAGE[20:25])
    target.transfer.forget("me")
    assert target.ask("06 02").endswith(so_far(IMAGE[:25]))
    target.send(IMAGE[25:40])
    assert target.ask("04") == "60 04 01"
    target.transfer.reset()
    assert target.ask("06 02").endswith(so_far(b""))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("", "60 00 02"),
        ("7f", "60 7f 02"),
        ("05", "60 05 02"),
        ("01 02", "60 01 03"),
        ("03 00", "60 03 03"),
        ("01 02 00 00 00 00", "60 01 03"),
        ("01 02 15 00 00 00", "60 01 03"),
        ("01 03 01 00 00 00", "60 01 07"),
        ("01 01 01 00 00 00", "60 01 07"),
        ("06 01", "60 06 07"),
        ("04", "60 04 08"),
    ],
)
def test_what_makes_no_sense_is_answered_with_the_right_result(asked: str, said: str) -> None:
    assert Target().ask(asked) == said


def test_what_goes_beyond_the_object_or_the_image_is_not_taken() -> None:
    target = Target()
    assert target.send(b"x") == "60 08 08"
    assert target.send(b"x") == ""  # said once, for all that are on their way
    target.ask("01 02 05 00 00 00")
    assert target.send(b"123456") == "60 08 03"
    assert target.send(b"12345") == ""
    assert target.send(b"6") == ""
    assert target.ask("04") == "60 04 01"
    for at in (5, 25):
        target.take(IMAGE[at : at + 20])
    assert target.ask("01 02 06 00 00 00") == "60 01 04"


def test_a_wrong_image_is_thrown_away_and_its_init_packet_with_it() -> None:
    target = Target(WITH_INIT)
    assert target.ask("01 02 14 00 00 00") == "60 01 08"
    assert target.ask("01 01 05 00 00 00") == "60 01 01"
    assert target.send(b"INIT!") == ""
    assert target.ask("04") == "60 04 05"
    target.ask("01 01 05 00 00 00")
    target.send(b"init!")
    assert target.ask("04") == "60 04 01"
    target.take(IMAGE[:20])
    target.take(IMAGE[20:40])
    target.ask("01 02 0a 00 00 00")
    target.send(IMAGE[40:49] + b"x")
    assert target.ask("04") == "60 04 05"
    assert target.ask("06 02").endswith(so_far(b""))
    assert target.ask("01 02 14 00 00 00") == "60 01 08"


def test_who_does_not_listen_or_does_not_wait_is_refused() -> None:
    target = Target(replace(PLAIN, takes=0.5), now=10.0)
    assert target.request("06 02", set()).error == 0xFD
    (sending,) = target.request("01 02 14 00 00 00").sendings
    assert (sending.after, sending.value) == (0.5, b"\x60\x01\x01")
    target.now = 10.4
    assert target.ask("03") == "error fe"
    target.now = 10.5
    assert target.ask("03")[:8] == "60 03 01"
    target.ask("01 02 14 00 00 00")
    assert target.request("0c").cancels
    assert target.ask("03")[:8] == "60 03 01"


def test_what_follows_waits_for_the_last_response() -> None:
    then = Effects(
        replies=(Reply("status", b"done", after=0.25),),
        reboot=Reboot("updated", down=1.0, after=0.125),
        services=(ServiceChange("log", True),),
        disconnect=0.0,
        sets=(("phase", "new"),),
    )
    target = Target(replace(PLAIN, object_size=50, takes=0.5, then=then))
    target.ask("01 02 32 00 00 00")
    target.now = 1.0
    target.send(IMAGE)
    reaction = target.request("04")
    assert [(one.via, one.after) for one in reaction.sendings] == [
        ("control", 0.5),
        ("status", 0.75),
    ]
    assert reaction.reboot == Reboot("updated", down=1.0, after=0.625)
    assert reaction.services == (ServiceChange("log", True, after=0.5),)
    assert (reaction.disconnect, reaction.sets) == (0.5, (("phase", "new"),))


def test_a_transfer_can_count_with_a_crc_of_16_bits() -> None:
    target = Target(replace(PLAIN, crc=Function.CRC16))
    target.ask("01 02 14 00 00 00")
    target.send(b"123456789")
    expected = compute(Computed(Function.CRC16, (b"123456789",), 2), {}, lambda _: b"")
    assert expected == b"\xb1\x29"  # 0x29B1 is what catalogues of CRCs give for these octets
    assert target.ask("03") == "60 03 01 09 00 00 00 b1 29"
