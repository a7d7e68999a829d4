"""Firmware-update targets that do not do as they should."""

from collections.abc import Callable, Collection

import pytest

from bletest.behaviour import FirmwareTransfer, Reaction
from bletest.behaviour.transfer import TransferControl
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile import loads, shipped
from tests.support.judge import failures, judge

TEXT = shipped()["firmware_update"].read_text(encoding="utf-8")
SMALL = (
    TEXT.replace("size: 10000", "size: 600")
    .replace("object: 4096", "object: 400")
    .replace("receipt_every: 12", "receipt_every: 1")
)
TAG = loads(SMALL)
CHECKS = {
    "whole", "service_changed", "wrong_image", "abort", "resume", "order", "too_long",
    "unconfigured", "busy",
}  # fmt: skip
Change = Callable[[FirmwareTransfer], None]


def faulty(change: Change) -> Callable[[VirtualPeripheral], None]:
    """Return what damages the transfer of a device once it is in its boot loader."""

    def damage(peripheral: VirtualPeripheral) -> None:
        enter = peripheral._enter

        def entering(name: str, *arguments: object) -> None:
            enter(name, *arguments)  # type: ignore[arg-type]
            for one in peripheral.reactions._procedures.values():
                if isinstance(one, TransferControl):
                    change(one.transfer)

        peripheral._enter = entering  # type: ignore[method-assign]

    return damage


def verdicts(
    change: Change | None = None, device: str = SMALL, checks: Collection[str] = CHECKS
) -> dict[str, str]:
    """Return what ``checks`` find wrong, for those that find something."""
    fault = faulty(change) if change is not None else None
    codes = tuple(f"transfer.{name}" for name in checks)
    found = judge(TAG, loads(device), fault=fault, checks=codes)
    assert {one.check for one in found} == set(codes)
    return {one.check.removeprefix("transfer."): str(one.problem) for one in failures(found)}


def test_a_target_that_does_as_it_should_passes_every_check() -> None:
    assert verdicts() == {}


def _loses_the_first(transfer: FirmwareTransfer) -> None:
    """Loses the first packet of each object."""
    packet = transfer.packet

    def lossy(client: str, value: bytes, now: float, *, subscribed: Collection[str]) -> Reaction:
        progress = transfer._progress[transfer._kind]
        if transfer._packets == 0 and progress.end is not None and len(value) > 8:
            transfer._packets += 1
            return Reaction()
        return packet(client, value, now, subscribed=subscribed)

    transfer.packet = lossy  # type: ignore[method-assign]


def _takes_any_image(transfer: FirmwareTransfer) -> None:
    execute = transfer._execute

    def anything(now: float) -> Reaction:
        progress = transfer._progress[transfer._kind]
        if len(progress.octets) == len(transfer.procedure.image):
            progress.octets[:] = transfer.procedure.image
        return execute(now)

    transfer._execute = anything  # type: ignore[method-assign]


def _keeps_what_is_aborted(transfer: FirmwareTransfer) -> None:
    restart = transfer._restart
    transfer._restart = lambda: None  # type: ignore[method-assign]
    transfer.reset = lambda: (restart(), None)[1]  # type: ignore[method-assign, func-returns-value]


def _forgets_with_the_link(transfer: FirmwareTransfer) -> None:
    transfer.forget = lambda client: transfer.reset()  # type: ignore[method-assign]


def _forgets_half_with_the_link(transfer: FirmwareTransfer) -> None:
    def half(client: str) -> None:
        octets = transfer._progress[transfer._kind].octets
        del octets[len(octets) // 2 :]

    transfer.forget = half  # type: ignore[method-assign]


def _answers_everything(transfer: FirmwareTransfer) -> None:
    request = transfer.request

    def willing(client: str, value: bytes, now: float, *, subscribed: Collection[str]) -> Reaction:
        transfer._until = 0.0
        return request(client, value, now, subscribed={transfer.procedure.control})

    transfer.request = willing  # type: ignore[method-assign]


def _takes_what_is_too_long(transfer: FirmwareTransfer) -> None:
    packet = transfer.packet

    def cut(client: str, value: bytes, now: float, *, subscribed: Collection[str]) -> Reaction:
        progress = transfer._progress[transfer._kind]
        room = len(value) if progress.end is None else progress.end - len(progress.octets)
        return packet(client, value[:room], now, subscribed=subscribed)

    transfer.packet = cut  # type: ignore[method-assign]


def _wants_no_init(transfer: FirmwareTransfer) -> None:
    create = transfer._create

    def willing(kind: int, size: int) -> object:
        init = transfer._progress[1]
        before, init.executed = init.executed, 1
        try:
            return create(kind, size)
        finally:
            init.executed = before

    transfer._create = willing  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize(
    ("change", "wrong", "right", "says"),
    [
        (_loses_the_first, {"whole", "abort"}, {"order"}, "packet 1"),
        (_takes_any_image, {"wrong_image"}, {"whole"}, "60 04 05"),
        (_keeps_what_is_aborted, {"abort", "wrong_image"}, {"too_long"}, "offset 0"),
        (_forgets_with_the_link, {"resume"}, {"abort"}, "offset 200"),
        (_forgets_half_with_the_link, {"resume"}, {"abort"}, "offset 200"),
        (_answers_everything, {"unconfigured", "busy"}, {"too_long"}, "accepted"),
        (_takes_what_is_too_long, {"too_long"}, {"order"}, "too long"),
        (_wants_no_init, {"order"}, {"resume"}, "before its init"),
    ],
)  # fmt: skip
def test_a_target_that_does_not_is_found_out(
    change: Change, wrong: set[str], right: set[str], says: str
) -> None:
    found = verdicts(change, checks=wrong | right)

    assert set(found) == wrong
    assert any(says in text for text in found.values()), found


@pytest.mark.parametrize(
    ("old", "new", "wrong", "says"),
    [
        # counts with another CRC
        ("crc: crc32", "crc: crc16", {"resume", "too_long"}, "crc32"),
        # sends a receipt less often
        ("receipt_every: 1", "receipt_every: 2", {"resume"}, "packet 1 of an object"),
        # has smaller objects
        ("object: 400", "object: 200", {"whole"}, "objects of 400 octets"),
        # stays in the boot loader
        ("then: {enter: updated, down: 1s, disconnect: true}", "", {"whole"}, "still up"),
        # comes back as it was
        ("then: {enter: updated, ", "then: {", {"whole", "service_changed"}, "battery"),
    ],
)  # fmt: skip
def test_a_target_of_another_profile_is_found_out(
    old: str, new: str, wrong: set[str], says: str
) -> None:
    found = verdicts(device=SMALL.replace(old, new), checks=wrong)

    assert set(found) == wrong
    assert any(says in text for text in found.values()), found
