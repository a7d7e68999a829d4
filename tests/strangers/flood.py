"""Random octets for an HCI port: ``python -m tests.strangers.flood --count 10000``.

Each string goes to the port on a connection of its own. Some are noise from the first octet on,
some are noise after packets that are well formed, some are well-formed packets with any content.
One in ten connects to a device on the air first, and sends its noise over that link. After each
string, a host comes that behaves: its reset must be answered. An exception anywhere, a log record
with a traceback, or an answer that does not come in time is a problem.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from bletest import profile
from bletest.link.controller import ANSWERED_COMMANDS
from bletest.link.hci_port import HciPort
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral

KINDS = ("tcp-server", "unix-server", "pty")
RESET = bytes.fromhex("01 03 0c 00")
RESET_DONE = bytes.fromhex("04 0e 04 01 03 0c 00")
IN_TIME = 5.0
"""Seconds in which a well-behaved host must have its answer."""

LONGEST = 600
OVER_LINKS = 10
"""One in so many strings goes over a link."""

HOST = "bletest.link.host"
DEVICE = "C0:00:00:00:00:42"
CONNECT = b"".join(
    bytes.fromhex(command)
    for command in (
        "01 01 0c 08 ffffffffffffff3f",  # Set Event Mask
        "01 05 20 06 0100000000c1",  # LE Set Random Address
        "01 0d 20 19 1000 1000 00 01 4200000000c0 01 0600 0600 0000 0a00 0000 0000",
    )
)
CONNECTED = bytes.fromhex("04 3e 13 01 00")  # LE Connection Complete, and then its handle


@dataclass
class Findings:
    """What came of a flood."""

    strings: int = 0
    octets: int = 0
    noticed: int = 0
    hung_up_on: int = 0
    over_links: int = 0
    problems: list[str] = field(default_factory=list)


class Watch(logging.Handler):
    """Takes down what goes wrong where nobody looks."""

    def __init__(self, findings: Findings) -> None:
        super().__init__()
        self._findings = findings

    def emit(self, record: logging.LogRecord) -> None:
        # The host of the device on the air says with a traceback which frames bumble cannot parse.
        if record.name == "asyncio" or (record.exc_info and record.name != HOST):
            self._findings.problems.append(f"{record.name}: {record.getMessage()}")

    def on_exception(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._findings.problems.append(f"{context['message']}: {context.get('exception')!r}")


def noise(rng: random.Random) -> bytes:
    """Return one string: noise, noise behind good packets, or good packets full of noise."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randint(1, LONGEST))
    packets = b"".join(packet(rng) for _ in range(rng.randint(1, 12)))
    if kind == 1:
        return packets + rng.randbytes(rng.randint(1, 40))
    if kind == 2:  # cut off in the middle
        return packets[: rng.randint(1, len(packets))]
    return packets


def packet(rng: random.Random) -> bytes:
    """Return a well-formed packet with any content, often a command that is known."""
    if rng.random() < 0.25:
        handle = rng.choice((0, 1, 2, rng.randrange(1 << 12)))
        return acl(handle | rng.randrange(1 << 4) << 12, rng.randbytes(rng.randint(0, 251)))
    known = rng.random() < 0.8
    opcode = rng.choice(sorted(ANSWERED_COMMANDS)) if known else rng.randrange(1 << 16)
    data = rng.randbytes(rng.choice((0, 1, 2, 6, 7, 15, 25, 32, rng.randrange(256))))
    if rng.random() < 0.3:
        data = bytes(len(data))
    return b"\x01" + opcode.to_bytes(2, "little") + bytes([len(data)]) + data


def acl(handle: int, data: bytes) -> bytes:
    return b"\x02" + handle.to_bytes(2, "little") + len(data).to_bytes(2, "little") + data


def frame_noise(rng: random.Random, handle: int) -> bytes:
    """Return ACL packets for one link, many of them whole L2CAP frames for a channel there is."""
    packets = []
    for _ in range(rng.randint(1, 12)):
        payload = rng.randbytes(rng.randint(0, 100))
        channel = rng.choice((4, 4, 5, 6, rng.randrange(1 << 16)))
        length = len(payload) if rng.random() < 0.8 else rng.randrange(1 << 16)
        frame = length.to_bytes(2, "little") + channel.to_bytes(2, "little") + payload
        flag = 0 if rng.random() < 0.8 else rng.randrange(4)
        packets.append(acl(handle | flag << 12, frame))
    return b"".join(packets)


async def flood(kind: str, *, count: int, seed: int) -> Findings:
    """Send ``count`` strings to a port of ``kind`` on an air with a device that advertises."""
    findings, rng = Findings(), random.Random(f"{seed}/{kind}")
    watch, root = Watch(findings), logging.getLogger()
    level, root_handlers = root.level, list(root.handlers)
    root.handlers[:] = [watch]
    asyncio.get_running_loop().set_exception_handler(watch.on_exception)

    def say(line: str) -> None:
        findings.noticed += line.endswith("a host is attached") or "attached (" in line
        findings.hung_up_on += "hung up on the host: malformed" in line

    try:
        with tempfile.TemporaryDirectory() as folder:
            place = "tcp-server:0" if kind == "tcp-server" else f"{kind}:{folder}/hci"
            link = VirtualLink(seed=seed)
            async with _device(link), HciPort(link, place, say=say) as port:
                for number in range(count):
                    if number % OVER_LINKS:
                        octets = noise(rng)
                        await _throw(port, octets, findings)
                    else:
                        octets = await _throw_over_link(port, rng)
                        findings.over_links += bool(octets)
                    findings.strings += 1
                    findings.octets += len(octets)
                    try:
                        async with asyncio.timeout(IN_TIME):
                            await _behave(port)
                    except Exception as error:
                        # Whatever it is, it is what this program looks for.
                        findings.problems.append(f"after string {number}: {error!r}")
    finally:
        root.handlers[:] = root_handlers
        root.setLevel(level)
    return findings


@contextlib.asynccontextmanager
async def _device(link: VirtualLink) -> AsyncIterator[None]:
    """Have a device on the air that takes links and answers what comes over them."""
    station = await open_station(link, name="device", address=DEVICE, rng=random.Random(1))
    peripheral = VirtualPeripheral(profile.load(profile.shipped()["heart_rate"]))
    await peripheral.start(station)
    try:
        yield
    finally:
        await peripheral.stop()
        await station.close()


@contextlib.asynccontextmanager
async def _attached(port: HciPort) -> AsyncIterator[int]:
    """Open the other end of the port; provide its file descriptor, which blocks nobody."""
    scheme, _, place = port.other_end.partition(":")
    if scheme == "serial":
        opened = os.open(place, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            yield opened
        finally:
            os.close(opened)
        return
    import socket

    family = socket.AF_INET if scheme == "tcp-client" else socket.AF_UNIX
    with socket.socket(family) as opened_socket:
        opened_socket.setblocking(False)
        host, _, number = place.rpartition(":")
        where: Any = (host, int(number)) if scheme == "tcp-client" else place
        await asyncio.get_running_loop().sock_connect(opened_socket, where)
        yield opened_socket.fileno()


async def _throw(port: HciPort, octets: bytes, findings: Findings) -> None:
    """Send a string, give the port a moment to act on it, and go without a word."""
    before, end = findings.noticed, time.monotonic() + IN_TIME
    async with _attached(port) as descriptor:
        with contextlib.suppress(OSError):  # it may have hung up in the middle
            os.write(descriptor, octets)
        # Whoever opens a terminal before the octets of the last one have come shares it.
        while findings.noticed == before and time.monotonic() < end:  # noqa: ASYNC110 it is a poll
            await asyncio.sleep(0)
        for _ in range(6):
            await asyncio.sleep(0)
        with contextlib.suppress(OSError):
            os.read(descriptor, 4096)


async def _throw_over_link(port: HciPort, rng: random.Random) -> bytes:
    """Connect to the device, send noise over the link, and go; return what was sent of it."""
    octets = b""
    async with _attached(port) as descriptor:
        os.write(descriptor, RESET + CONNECT)
        answer = await _answer(descriptor, CONNECTED, within=1.0)
        found = answer.find(CONNECTED) + len(CONNECTED)
        if found >= len(CONNECTED) and len(answer) >= found + 2:
            handle = int.from_bytes(answer[found : found + 2], "little")
            octets = frame_noise(rng, handle)
            os.write(descriptor, octets)
            await asyncio.sleep(0.005)
    return octets


async def _behave(port: HciPort) -> None:
    """Come as the next host does, and reset the controller."""
    answer = b""
    while RESET_DONE not in answer:
        # Who comes before the port has noticed that the last one went is refused, and tries again.
        async with _attached(port) as descriptor:
            with contextlib.suppress(OSError):
                os.write(descriptor, RESET)
            answer = await _answer(descriptor, RESET_DONE, within=IN_TIME)


async def _answer(descriptor: int, wanted: bytes, *, within: float) -> bytes:
    """Read until the octets have come that are wanted, the port hangs up, or the time is over."""
    answer, end = b"", time.monotonic() + within
    while wanted not in answer and time.monotonic() < end:
        try:
            octets = os.read(descriptor, 4096)
        except BlockingIOError:
            await asyncio.sleep(0)
            continue
        except OSError:
            break
        if not octets:
            break
        answer += octets
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.strangers.flood", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, action="append")
    arguments = parser.parse_args()
    problems = 0
    for kind in arguments.kind or KINDS:
        start = time.monotonic()
        findings = asyncio.run(flood(kind, count=arguments.count, seed=arguments.seed))
        seconds = time.monotonic() - start
        print(
            f"{kind:12} {findings.strings} strings, {findings.octets} octets, "
            f"{findings.over_links} over links, {findings.hung_up_on} hung up on, "
            f"{len(findings.problems)} problems, {seconds:.1f} s"
        )
        for problem in findings.problems[:20]:
            print("   ", problem)
        problems += len(findings.problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
