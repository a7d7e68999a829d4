"""A station opens, works, closes without remains, and says what is wrong when it cannot open."""

import asyncio
import inspect
import os
import pty
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bumble import hci
from bumble.keys import MemoryKeyStore

from bletest.errors import AdapterUnusable, UsageMistake
from bletest.link.clock import VirtualClockLoop, run
from bletest.link.station import open_station
from bletest.link.trouble import explain_open_failure
from bletest.link.virtual import VirtualLink
from tests.link.support import station


def rng() -> random.Random:
    return random.Random(7)


def test_a_station_is_le_only_has_a_static_address_and_no_services():
    async def main() -> None:
        async with station(VirtualLink(), "it") as opened:
            device = opened.device
            assert opened.is_virtual
            assert device.powered_on
            assert device.random_address.is_static
            assert opened.address == str(device.random_address)
            assert not device.gatt_server.attributes
            assert not device.classic_enabled
            assert isinstance(device.keystore, MemoryKeyStore)
            assert device.config.identity_address_type == 1
            assert any(device.irk)

    run(main())


def test_an_address_can_be_given():
    async def main() -> str:
        opened = await open_station(
            VirtualLink(), name="it", address="C0:11:22:33:44:55", rng=rng()
        )
        await opened.close()
        return opened.address

    assert run(main()) == "C0:11:22:33:44:55"


@pytest.mark.parametrize(
    "address", ["80:11:22:33:44:55", "C0:11", "banana", "", "C0:11:22:33:44:55/P"]
)
def test_an_address_that_is_not_random_static_is_refused(address):
    async def main() -> None:
        await open_station(VirtualLink(), name="it", address=address, rng=rng())

    with pytest.raises(UsageMistake, match="random static"):
        run(main())


def test_made_up_addresses_depend_on_the_randomness_handed_in_alone():
    async def main(seed: int) -> str:
        opened = await open_station(VirtualLink(), name="it", address=None, rng=random.Random(seed))
        await opened.close()
        return opened.address

    assert run(main(1)) == run(main(1)) != run(main(2))


def test_closing_disconnects_removes_the_controller_and_leaves_no_task():
    async def main() -> tuple[int, list[int], int]:
        link = VirtualLink()
        async with station(link, "peripheral") as peripheral:
            central = await open_station(link, name="central", address=None, rng=rng())
            await peripheral.device.start_advertising()
            await central.device.connect(peripheral.device.random_address)
            reasons: list[int] = []
            (connection,) = peripheral.device.connections.values()
            connection.on("disconnection", reasons.append)
            await central.close()
            await central.close()
            await asyncio.sleep(0)
            return len(link.members), reasons, len(asyncio.all_tasks())

    assert run(main()) == (1, [0x13], 1)


def test_closing_ends_a_connection_attempt_that_waits():
    async def main() -> bool:
        opened = await open_station(VirtualLink(), name="it", address=None, rng=rng())
        attempt = asyncio.create_task(opened.device.connect("C0:00:00:00:00:99", timeout=None))
        await asyncio.sleep(1)
        await opened.close()
        await asyncio.wait([attempt])
        return attempt.cancelled() or attempt.exception() is not None

    assert run(main())


async def open_on(where: str) -> None:
    await open_station(where, name="it", address=None, rng=rng())


@pytest.mark.parametrize(
    ("where", "complaint", "remedy"),
    [
        ("", "not a transport", "usb:0"),
        ("bluetooth:0", "not a transport", "usb:0"),
        ("usb", "not a transport", "usb:0"),
        ("tcp-client:localhost", "not a transport", "tcp-client:127.0.0.1:9000"),
        ("tcp-client:127.0.0.1:many", "not a transport", "tcp-client"),
        ("usb:9", "usb:9", "plug it in"),
        ("serial:/dev/no-such-port", "does not exist", "/dev/serial/by-id"),
        ("unix:/no/such/socket", "does not exist", "path"),
    ],
)
def test_a_transport_that_cannot_be_opened_is_told_with_a_remedy(where, complaint, remedy):
    began = time.monotonic()
    with pytest.raises(AdapterUnusable) as caught:
        asyncio.run(open_on(where))
    assert complaint in caught.value.message
    assert remedy in caught.value.remedy
    assert time.monotonic() - began < 4


def test_a_refused_tcp_connection_is_told_with_a_remedy():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(AdapterUnusable, match="nobody listens") as caught:
        asyncio.run(open_on(f"tcp-client:127.0.0.1:{port}"))
    assert "port number" in caught.value.remedy


@pytest.mark.parametrize(
    ("error", "complaint", "remedy"),
    [
        (PermissionError(13, "Permission denied"), "no permission", "dialout"),
        (OSError(16, "Device or resource busy"), "in use", "hciconfig"),
        (ModuleNotFoundError("No module named 'grpc'", name="grpc"), "grpc", "pip install grpc"),
        (TimeoutError(), "in time", "running"),
        (OSError(98, "Address already in use"), "in use", "port 0"),
        (socket.gaierror(-2, "Name or service not known"), "host name", "spelling"),
        (RuntimeError("something new"), "something new", "check"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_the_system_says_is_translated(error, complaint, remedy):
    trouble = explain_open_failure("serial:/dev/ttyX", error)
    assert complaint in trouble.message
    assert remedy in trouble.remedy


@asynccontextmanager
async def silent_port() -> AsyncIterator[str]:
    primary, replica = pty.openpty()
    try:
        yield f"serial:{os.ttyname(replica)}"
    finally:
        os.close(primary)
        os.close(replica)


def test_a_silent_controller_is_given_up():
    async def main() -> None:
        async with silent_port() as where:
            await open_station(where, name="it", address=None, rng=rng(), answer_timeout=0.2)

    with pytest.raises(AdapterUnusable, match=r"did not answer within 0\.2 s") as caught:
        asyncio.run(main())
    assert "speaks HCI" in caught.value.remedy


def test_a_silent_controller_is_given_5_s():
    assert inspect.signature(open_station).parameters["answer_timeout"].default == 5.0


def test_a_controller_that_hangs_up_at_once_is_told():
    async def main() -> None:
        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await open_on(f"tcp-client:127.0.0.1:{port}")

    with pytest.raises(AdapterUnusable, match="hung up"):
        asyncio.run(main())


def test_a_station_on_a_transport_makes_a_virtual_clock_real():
    async def main() -> tuple[bool, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualClockLoop)
        began = time.monotonic()
        async with silent_port() as where:
            with pytest.raises(AdapterUnusable):
                await open_station(where, name="it", address=None, rng=rng(), answer_timeout=0.2)
        return loop.is_real, time.monotonic() - began

    real_afterwards, waited = run(main())
    assert not real_afterwards
    assert waited >= 0.19


def test_a_real_controller_is_reset_when_the_station_closes():
    class Recorder:
        def __init__(self) -> None:
            self.octets: list[bytes] = []

        def snoop(self, packet: bytes, direction: object) -> None:
            self.octets.append(packet)

    async def main() -> bytes:
        opened = await open_station(VirtualLink(), name="it", address=None, rng=rng())
        recorder = Recorder()
        opened.host.snooper = recorder  # type: ignore[assignment]
        await opened.close()
        return recorder.octets[0]

    assert run(main()) == bytes(hci.HCI_Reset_Command())
