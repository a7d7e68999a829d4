"""Whose fault it is: 100 faults of the device and 100 of the bench, each under its owner.

``python -m tests.faults.owners`` injects them all and prints a table. A *device* fault is one that
an emulated device can plan; the check that has to find it is named, and it must be filed as a
failure of the device. A *bench* fault hits the client's adapter on its way through a check: the
transport is lost, the controller falls silent, or a command of it fails, at points spread over
everything that passes between host and controller. Whatever it breaks must be filed as trouble of
the bench; where it breaks nothing, the next point is taken.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, islice, zip_longest

from bumble import hci

from bletest import conformance, profile
from bletest.bench.bench import Bench
from bletest.bench.link_options import LinkOptions
from bletest.bench.settings import Settings
from bletest.errors import FaultNotFired
from bletest.link import clock
from bletest.link.clock import Ceiling
from bletest.link.controller import VirtualController
from bletest.link.data_path import DataPath
from bletest.link.station import Station
from bletest.profile.spec import Profile
from pytest_bletest.reporting import BENCH, DEVICE, owner_of

NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Filed:
    """One fault, and under whom what came of it was filed."""

    fault: str
    check: str
    owner: str
    error: BaseException | None

    def __str__(self) -> str:
        said = str(self.error).partition("\n")[0] if self.error else "no check noticed"
        kind = type(self.error).__name__ if self.error else ""
        return f"{self.owner:<7} {self.check:<62} {self.fault:<52} {kind}: {said[:110]}"


class Meddler:
    """Stands between the client's host and its controller; ``meddle`` may change what passes."""

    def __init__(self) -> None:
        self.packets = 0
        self.commands = 0
        self.silent = False

    def install(self, station: Station) -> None:
        """Begin to count and to meddle."""
        assert station.controller is not None  # a virtual one
        controller: VirtualController = station.controller
        meddler, host = self, station.host

        class Down:
            def on_packet(self, packet: bytes) -> None:
                if meddler.on_packet(station, packet, down=True):
                    controller.on_packet(packet)

        class Up:
            def on_packet(self, packet: bytes) -> None:
                if meddler.on_packet(station, packet, down=False):
                    host.on_packet(packet)

        host.set_packet_sink(Down())
        controller.set_packet_sink(Up())

    def on_packet(self, station: Station, packet: bytes, *, down: bool) -> bool:
        """Return whether a packet may pass."""
        self.packets += 1
        if down and packet[0] == hci.HCI_COMMAND_PACKET:
            self.commands += 1
        return True


class Losing(Meddler):
    """The transport ends with the ``point``-th packet."""

    def __init__(self, point: int) -> None:
        super().__init__()
        self.point = point

    def on_packet(self, station: Station, packet: bytes, *, down: bool) -> bool:
        passes = super().on_packet(station, packet, down=down)
        if self.packets == self.point:
            # Not in the middle of a call of the host's own, as no transport does.
            asyncio.get_running_loop().call_soon(station.vanish)
        return passes and self.packets < self.point


class Silencing(Losing):
    """From the ``point``-th packet on, nothing passes any more."""

    def on_packet(self, station: Station, packet: bytes, *, down: bool) -> bool:
        Meddler.on_packet(self, station, packet, down=down)
        return self.packets < self.point


class Failing(Losing):
    """The ``point``-th command is answered with Hardware Failure (0x03) and not carried out."""

    def on_packet(self, station: Station, packet: bytes, *, down: bool) -> bool:
        before = self.commands
        Meddler.on_packet(self, station, packet, down=down)
        if self.commands == before or self.commands != self.point:
            return True
        opcode = int.from_bytes(packet[1:3], "little")
        status = hci.HCI_Command_Status_Event(
            status=hci.HCI_HARDWARE_FAILURE_ERROR, num_hci_command_packets=1, command_opcode=opcode
        )
        asyncio.get_running_loop().call_soon(station.host.on_packet, bytes(status))
        return False


class Stalling(Losing):
    """From the ``point``-th packet on, data is swallowed: commands work, and no data moves."""

    def on_packet(self, station: Station, packet: bytes, *, down: bool) -> bool:
        Meddler.on_packet(self, station, packet, down=down)
        return not (down and self.packets >= self.point and packet[0] == hci.HCI_ACL_DATA_PACKET)


def judge(
    oracle: Profile,
    case: conformance.Case,
    *,
    fault: str | None = None,
    meddler: Meddler | None = None,
) -> BaseException | None:
    """Run one case on a device with a fault, or through an adapter that is meddled with."""

    async def main() -> BaseException | None:
        path = DataPath.SHORT if meddler is None else DataPath.HCI
        async with Bench(Settings(seed=1, link=LinkOptions(path=path))) as bench:
            faults = [] if fault is None else [fault]
            async with bench.device(oracle, faults=faults) as device:
                if meddler is not None:
                    meddler.install((await bench.adapter()).station)
                try:
                    client = await bench.connect(device)
                    try:
                        await case.verify(client)
                    finally:
                        await bench.release(client)
                except Exception as error:  # whatever it is, somebody is held to be its owner
                    return error
                finally:
                    assert device.peripheral is not None
                    leftovers = device.peripheral.faults.leftovers
                    if leftovers:
                        raise FaultNotFired("it never fired", faults=[*map(str, leftovers)])
        return None

    return clock.run(main(), ceiling=Ceiling(virtual=4 * 3600.0, real=60))


@cache
def shipped(name: str) -> Profile:
    """Return a shipped profile."""
    return profile.load(profile.shipped()[name])


def case_of(name: str, check: str, attribute: str) -> conformance.Case:
    """Return the case of a check on an attribute."""
    cases = conformance.cases(shipped(name).expectation, check)
    return next(case for case in cases if case.attribute == attribute)


# Faults of the device: a profile, a check, an attribute, and the faults that it has to find.

UNANSWERED = ("dropped", "delayed by 31s", "opcode 0x13", "disconnects with 0x13")
READS = ("answers 0x0E", "truncated to 1", "corrupted", *UNANSWERED)
WRITES = ("answers 0x11", "dropped", "delayed by 31s", "opcode 0x0B", "disconnects with 0x15")
SENDINGS = ("dropped", "truncated to 3", "corrupted", "disconnects with 0x14", "delayed by 700ms")
SEARCHES = ("answers 0x0E", "dropped", "opcode 0x0B", "corrupted", "disconnects", "delayed by 31s")

DEVICE_FAULTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    *(
        (
            "heart_rate",
            "read.value",
            f"device_information/{name}_string",
            tuple(f"{name}_string: read {what}" for what in READS),
        )
        for name in ("manufacturer_name", "model_number", "serial_number")
    ),
    *(
        (
            device,
            "read.value",
            attribute,
            tuple(f"{attribute}: read {what}" for what in READS),
        )
        for device, attribute in (
            ("heart_rate", "battery/battery_level"),
            ("heart_rate", "heart_rate/body_sensor_location"),
            ("led_button", "lbs/led"),
            ("led_button", "lbs/button"),
        )
    ),
    (
        "smart_lock",
        "read.value",
        "lock/state",
        tuple(f"state: every read {what}" for what in READS),
    ),
    (
        "heart_rate",
        "write.rule",
        "heart_rate/heart_rate_control_point",
        tuple(f"heart_rate_control_point: write {what}" for what in WRITES),
    ),
    ("led_button", "write.rule", "lbs/led", tuple(f"led: write {what}" for what in WRITES)),
    (
        "smart_lock",
        "permissions.write_paired",
        "lock/auto_lock_delay",
        tuple(f"auto_lock_delay: write {what}" for what in WRITES),
    ),
    (
        "heart_rate",
        "notify.values",
        "heart_rate/heart_rate_measurement",
        tuple(f"every notification {what}" for what in SENDINGS[:4]),
    ),
    (
        "heart_rate",
        "notify.period",
        "heart_rate/heart_rate_measurement",
        tuple(
            f"heart_rate_measurement: notification {which} {what}"
            for which in (2, 4)
            for what in ("dropped", "disconnects with 0x13", "delayed by 1500ms")
        ),
    ),
    (
        "heart_rate",
        "notify.period",
        "heart_rate/heart_rate_measurement",
        tuple(
            f"heart_rate_measurement: subscription {what}"
            for what in ("answers 0xFD", "opcode 0x0B", "dropped", "disconnects", "delayed by 31s")
        ),
    ),
    (
        "heart_rate",
        "discovery.primary_services",
        "device",
        tuple(f"discovery {which} {what}" for which in (1, 3) for what in SEARCHES),
    ),
    (
        "led_button",
        "mtu.exchange",
        "device",
        ("mtu answers 22", "mtu answers 0", *(f"mtu {what}" for what in UNANSWERED)),
    ),
    (
        "smart_lock",
        "read.value",
        "battery/battery_level",
        ("every connection disconnects with 0x13",),
    ),
)


def device_faults() -> Iterator[Callable[[], Filed]]:
    """Yield what injects each fault of the device."""
    for name, check, attribute, faults in DEVICE_FAULTS:
        for fault in faults:
            yield partial(filed, name, check, attribute, fault, fault=fault)


# Faults of the bench: checks on whose way the adapter is hit, and how.

WAYS = (
    ("heart_rate", "read.value", "battery/battery_level"),
    ("heart_rate", "notify.period", "heart_rate/heart_rate_measurement"),
    ("led_button", "write.rule", "lbs/led"),
    ("smart_lock", "permissions.read_paired", "lock/state"),
    ("led_button", "reconnect.accepted", "device"),
    ("heart_rate", "read.blob_beyond_end", "battery/battery_level"),
)
KINDS: tuple[tuple[str, type[Losing]], ...] = (
    ("the transport is lost", Losing),
    ("the controller falls silent", Silencing),
    ("a command fails", Failing),
    ("no data moves", Stalling),
)
POINTS = 8
"""On each way, of each kind."""


@cache
def length_of(way: tuple[str, str, str]) -> tuple[int, int]:
    """Return how many packets and commands pass on a way where nothing goes wrong."""
    counter = Meddler()
    name, check, attribute = way
    error = judge(shipped(name), case_of(name, check, attribute), meddler=counter)
    assert error is None, error
    return counter.packets, counter.commands


def bench_faults() -> Iterator[Callable[[], Filed]]:
    """Yield what injects each fault of the bench, those of all ways and kinds mixed."""
    rows = [_spread(way, title, kind) for way in WAYS for title, kind in KINDS]
    return filter(None, chain.from_iterable(zip_longest(*rows)))


def _spread(
    way: tuple[str, str, str], title: str, kind: type[Losing]
) -> Iterator[Callable[[], Filed]]:
    packets, commands = length_of(way)
    length = commands if kind is Failing else packets
    for point in dict.fromkeys(
        1 + number * (length - 1) // (POINTS - 1) for number in range(POINTS)
    ):
        what = f"{title}, {point} of {length}"
        yield partial(_hit, way, what, kind, point)


def _hit(way: tuple[str, str, str], what: str, kind: type[Losing], point: int) -> Filed:
    return filed(*way, what, meddler=kind(point))


def filed(
    name: str,
    check: str,
    attribute: str,
    title: str,
    *,
    fault: str | None = None,
    meddler: Meddler | None = None,
) -> Filed:
    """Inject one fault."""
    error = judge(shipped(name), case_of(name, check, attribute), fault=fault, meddler=meddler)
    owner = NOBODY if error is None else owner_of(error)
    return Filed(title, f"{name}: {check}[{attribute}]", owner, error)


def first(count: int, faults: Iterator[Callable[[], Filed]], *, tolerant: bool) -> list[Filed]:
    """Inject faults until ``count`` of them had an effect; those without count if not tolerant."""
    injected = (fault() for fault in faults)
    return list(islice((one for one in injected if one.error or not tolerant), count))


def main(count: int = 100) -> int:
    """Inject ``count`` of each, print a table, and return how many were filed wrongly."""
    wrong = 0
    for owner, faults in ((DEVICE, device_faults()), (BENCH, bench_faults())):
        results = first(count, faults, tolerant=owner == BENCH)
        for result in results:
            print(("    " if result.owner == owner else "!!! ") + str(result))
        right = sum(result.owner == owner for result in results)
        print(f"\n{right} of {len(results)} faults of the {owner} filed under the {owner}\n")
        wrong += max(count, len(results)) - right
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(*map(int, sys.argv[1:])) else 0)
