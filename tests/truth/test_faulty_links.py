"""A device that mixes up its clients is told apart from one that keeps them apart.

The hub serves four; each fault is damage to the emulated device, judged by the undamaged profile.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from bletest import profile
from bletest.att.handlers import ReadAccess, WriteAccess
from bletest.peripheral.links import ClientLink
from bletest.peripheral.virtual import VirtualPeripheral
from tests.support.judge import Fault, Verdict, failures, judge

HUB = profile.shipped()["hub"].read_text("utf-8")


def judge_links(
    fault: Fault | None = None, *edits: tuple[str, str], code: str | None = None
) -> list[Verdict]:
    """Run the checks of several links, or the one of that code, on the hub, damaged or edited."""
    text = HUB
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    device = profile.loads(text) if edits else None
    return judge(profile.loads(HUB), device, fault=fault, phase="links", code=code)


def drops_the_first(peripheral: VirtualPeripheral) -> None:
    """The third client takes the place of the first."""
    station = peripheral.station
    assert station is not None

    def crowd_out(_: object) -> None:
        if len(peripheral.links) == 3:
            peripheral.disconnect(peripheral.links[0], 0x13)

    station.device.on("connection", crowd_out)


def stays_silent(peripheral: VirtualPeripheral) -> None:
    """Once it was full it never advertises again."""
    advertise = peripheral._presence.advertise
    was_full: list[bool] = []

    async def advertise_unless_it_was_full() -> None:
        if len(peripheral.links) == peripheral.profile.device.connections:
            was_full.append(True)
        if not was_full:
            await advertise()

    peripheral._presence.advertise = advertise_unless_it_was_full  # type: ignore[method-assign]


def one_configuration_for_all(peripheral: VirtualPeripheral) -> None:
    """The CCCD is a value like any other, the same for everybody."""
    cccd = peripheral["power"].attribute.cccd
    assert cccd is not None
    cccd.per_client = False

    class Shared:
        value = b"\0\0"

        def read(self, request: ReadAccess) -> bytes:
            return self.value

        def write(self, request: WriteAccess) -> None:
            self.value = request.value

    cccd.handler = Shared()


def notifies_everybody(peripheral: VirtualPeripheral) -> None:
    """What one has subscribed to goes to all."""
    start = ClientLink.start_schedule
    handle = peripheral["power"].attribute.value.handle

    def send_to_all(_: int) -> None:
        for link in peripheral.links:
            link.send(link.bearer.notify(handle, b"\x90\x01", asyncio.get_running_loop().time()))

    def begin(link: ClientLink, path: str, every: float, send: Callable[[int], None]) -> None:
        start(link, path, every, send_to_all)

    station = peripheral.station
    assert station is not None

    def patch(_: object) -> None:
        for link in peripheral.links:
            link.start_schedule = partial(begin, link)  # type: ignore[method-assign]

    station.device.on("connection", patch)


def ends_with_the_first(peripheral: VirtualPeripheral) -> None:
    """When one link ends, all do."""
    close = peripheral._close

    def close_all(link: ClientLink) -> None:
        close(link)
        for other in peripheral.links:
            peripheral.disconnect(other, 0x13)

    peripheral._close = close_all  # type: ignore[method-assign]


def falls_silent_with_the_first(peripheral: VirtualPeripheral) -> None:
    """When one link ends, nobody is notified any more."""
    close = peripheral._close

    def silence(link: ClientLink) -> None:
        close(link)
        for other in peripheral.links:
            other.stop("house/power")

    peripheral._close = silence  # type: ignore[method-assign]


FAULTS: list[tuple[str, str, Fault | None, tuple[tuple[str, str], ...], str]] = [
    (
        "two links only",
        "links.as_many",
        None,
        (("connections: 4", "connections: 2"),),
        "2, and for the next: ",
    ),
    ("a link crowded out", "links.as_many", drops_the_first, (), "link 1 has ended"),
    (
        "a fifth link",
        "links.full",
        None,
        (("connections: 4", "connections: 5"),),
        "5 are served",
    ),
    ("no advertising after it was full", "links.full", stays_silent, (), "was not seen"),
    ("one CCCD for all", "links.configuration", one_configuration_for_all, (), "0x0001"),
    ("a notification for everybody", "links.unasked", notifies_everybody, (), "90 01"),
    ("a loss that spreads", "links.loss", ends_with_the_first, (), "the device closed the link"),
    ("a loss that silences", "links.loss", falls_silent_with_the_first, (), "0 came"),
    (
        "a broadcast to one",
        "links.replies",
        None,
        (
            (
                "{match: 03, reply: {via: happened, to: subscribers,",
                "{match: 03, reply: {via: happened,",
            ),
        ),
        "none in time",
    ),
    (
        "a reply to all",
        "links.replies",
        None,
        (("bytes: 01 01}", "bytes: 01 01, to: subscribers}"),),
        "01 01",
    ),
    (
        "a state of all",
        "links.state",
        None,
        (("scope: client", "scope: device"),),
        "observed: accepted",
    ),
]


def test_the_hub_is_found_in_order_by_every_check_of_links() -> None:
    verdicts = judge_links()
    assert [str(one) for one in verdicts if one.problem is not None] == []
    assert {one.check for one in verdicts} == {one[1] for one in FAULTS}


@pytest.mark.parametrize(
    ("code", "fault", "edits", "says"),
    [one[1:] for one in FAULTS],
    ids=[one[0].replace(" ", "-") for one in FAULTS],
)
def test_a_device_that_mixes_up_its_clients_is_found_out(
    code: str, fault: Fault | None, edits: tuple[tuple[str, str], ...], says: str
) -> None:
    found = failures(judge_links(fault, *edits, code=code))
    assert found, "no check noticed"
    assert says in "\n".join(str(one.problem) for one in found)
