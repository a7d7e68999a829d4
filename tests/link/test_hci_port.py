"""A host in another process, here one over loopback sockets in real time, uses the air."""

import asyncio
import contextlib
import logging
import os
import pathlib
import random
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from bumble import core, hci
from bumble.device import Device, DeviceConfiguration, Peer
from bumble.host import Host
from bumble.transport import open_transport

from bletest.errors import BenchTrouble, UsageMistake
from bletest.link import hci_port, pty_door
from bletest.link.clock import VirtualClockLoop, run
from bletest.link.hci_port import HciPort
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from tests.link.support import plain_device
from tests.link.test_plain_bumble import add_service, read_battery

RESET = bytes(hci.HCI_Reset_Command())
RESET_DONE = bytes.fromhex("04 0e 04 01 03 0c 00")
KINDS = ("tcp-server", "unix-server", "pty")


def spec(kind: str, folder: pathlib.Path) -> str:
    return "tcp-server:0" if kind == "tcp-server" else f"{kind}:{folder / 'hci'}"


class Wire:
    """The octets of a port, with no host stack at all."""

    def __init__(self, reader: asyncio.StreamReader, write: Callable[[bytes], object]) -> None:
        self.reader = reader
        self.write = write

    async def read(self, size: int) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.readexactly(size)

    async def read_to_end(self) -> bytes:
        """Read until the port hangs up; a terminal tells that by an error."""
        try:
            async with asyncio.timeout(5):
                return await self.reader.read()
        except OSError:
            return b""


@asynccontextmanager
async def wire_to(port: HciPort) -> AsyncIterator[Wire]:
    if port.transport.startswith("pty:"):
        terminal = os.open(port.place, os.O_RDWR | os.O_NOCTTY)
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(terminal, "rb", 0)
        )
        try:
            yield Wire(reader, lambda octets: os.write(terminal, octets))
        finally:
            transport.close()
            await asyncio.sleep(0)
        return
    if port.transport.startswith("tcp"):
        reader, writer = await asyncio.open_connection(*address_of(port))
    else:
        reader, writer = await asyncio.open_unix_connection(port.place)
    try:
        yield Wire(reader, writer.write)
    finally:
        writer.close()


@asynccontextmanager
async def foreign_device(port: HciPort, name: str = "foreign") -> AsyncIterator[Device]:
    """Power on a plain bumble device at the other end of the port."""
    async with await open_transport(port.other_end) as transport:
        config = DeviceConfiguration(name=name, address=hci.Address("C0:00:00:00:00:F0"))
        device = Device(config=config, host=Host(transport.source, transport.sink))
        await device.power_on()
        yield device


async def peripheral_on(link: VirtualLink) -> Device:
    device = await plain_device(link, "peripheral")
    add_service(device)
    await device.start_advertising(
        auto_restart=True, advertising_interval_min=20, advertising_interval_max=20
    )
    return device


async def until_detached(port: HciPort) -> None:
    async with asyncio.timeout(5):
        while port.controller is not None:  # noqa: ASYNC110 the port has nobody to tell
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("transport", ["tcp-server:127.0.0.1:0", "tcp-server:_:0", "unix"])
def test_a_foreign_central_scans_connects_reads_disconnects_and_connects_again(transport, tmp_path):
    if transport == "unix":
        transport = f"unix-server:{tmp_path / 'hci.socket'}"

    async def main() -> tuple[str, list[bytes]]:
        link = VirtualLink()
        peripheral = await peripheral_on(link)
        values = []
        async with HciPort(link, transport) as port, foreign_device(port) as central:
            found = asyncio.get_running_loop().create_future()
            central.once("advertisement", found.set_result)
            await central.start_scanning()
            seen = await found
            await central.stop_scanning()
            for _ in range(2):
                connection = await central.connect(peripheral.random_address)
                values.append(await read_battery(Peer(connection)))
                await connection.disconnect()
            assert central.public_address == hci.Address(
                port.public_address, hci.Address.PUBLIC_DEVICE_ADDRESS
            )
        return str(seen.address), values

    assert asyncio.run(main()) == ("C0:00:00:00:00:01", [b"\x2a", b"\x2a"])


def test_a_foreign_peripheral_on_its_public_address_is_found_and_read():
    async def main() -> bytes:
        link = VirtualLink()
        async with HciPort(link, "tcp-server:_:0") as port, foreign_device(port) as peripheral:
            add_service(peripheral)
            await peripheral.start_advertising(
                own_address_type=hci.OwnAddressType.PUBLIC,
                advertising_interval_min=20,
                advertising_interval_max=20,
            )
            central = await plain_device(link, "central", "C0:00:00:00:00:02")
            connection = await central.connect(peripheral.public_address)
            return await read_battery(Peer(connection))

    assert asyncio.run(main()) == b"\x2a"


def test_hosts_come_and_go_and_find_the_same_public_address():
    async def main() -> set[str]:
        link = VirtualLink()
        seen = set()
        async with HciPort(link, "tcp-server:_:0") as port:
            for _ in range(10):
                async with foreign_device(port) as device:
                    seen.add(str(device.public_address))
            await until_detached(port)
            assert link.members == ()
        return seen

    assert len(asyncio.run(main())) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_host_is_hung_up_on_and_the_first_works_on(kind, tmp_path, caplog):
    async def main() -> tuple[bytes, str]:
        link = VirtualLink()
        async with (
            HciPort(link, spec(kind, tmp_path)) as port,
            foreign_device(port) as first,
            wire_to(port) as second,
        ):
            # Who opens a terminal is noticed by what it sends; none of it is answered.
            second.write(RESET)
            nothing = await second.read_to_end()
            response = await first.host.send_sync_command(hci.HCI_Read_BD_ADDR_Command())
            return nothing, str(response.bd_addr).removesuffix("/P")

    nothing, address = asyncio.run(main())
    assert nothing == b""
    assert address.startswith("02:")
    assert warnings_in(caplog) == ["refused a second host"]


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What our packages have warned of, without the name of the port."""
    return [
        record.getMessage().partition(": ")[2]
        for record in caplog.records
        if record.name.startswith("bletest") and record.levelno >= logging.WARNING
    ]


def address_of(port: HciPort) -> tuple[str, int]:
    _, host, number = port.transport.split(":")
    return host, int(number)


def test_peers_notice_by_supervision_timeout_that_a_host_is_gone():
    async def main() -> tuple[int, bool]:
        link = VirtualLink()
        central = await plain_device(link, "central", "C0:00:00:00:00:02")
        async with HciPort(link, "tcp-server:_:0") as port:
            async with foreign_device(port) as peripheral:
                await peripheral.start_advertising(
                    advertising_interval_min=20, advertising_interval_max=20
                )
                connection = await central.connect(peripheral.random_address)
                ended = asyncio.get_running_loop().create_future()
                connection.on("disconnection", ended.set_result)
            async with asyncio.timeout(5):
                reason = await ended
            return reason, port.controller is None

    assert asyncio.run(main()) == (0x08, True)


def test_advertising_stops_when_the_host_goes():
    async def main() -> None:
        link = VirtualLink()
        central = await plain_device(link, "central", "C0:00:00:00:00:02")
        async with HciPort(link, "tcp-server:_:0") as port:
            async with foreign_device(port) as peripheral:
                await peripheral.start_advertising(
                    advertising_interval_min=20, advertising_interval_max=20
                )
                address = peripheral.random_address
            await until_detached(port)
            await central.connect(address, timeout=0.2)

    with pytest.raises(core.TimeoutError):
        asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_malformed_octets_end_that_connection_with_one_line_and_the_next_host_is_served(
    kind, tmp_path, caplog
):
    async def main() -> tuple[bytes, bool]:
        link = VirtualLink()
        async with HciPort(link, spec(kind, tmp_path)) as port:
            async with wire_to(port) as wire:
                wire.write(RESET + bytes.fromhex("ff") * 20)
                await wire.read_to_end()
            async with wire_to(port) as wire:
                wire.write(RESET)
                answer = await wire.read(7)
            await until_detached(port)
            async with foreign_device(port) as device:
                return answer, device.powered_on

    assert asyncio.run(main()) == (RESET_DONE, True)
    assert warnings_in(caplog) == [
        "hung up on the host: malformed H4, 0xFF where a packet indicator is due"
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_reads_nothing_is_hung_up_on(kind, tmp_path, caplog, monkeypatch):
    for module in (hci_port, pty_door):
        monkeypatch.setattr(module, "UNREAD", 1 << 20)
    command = bytes(hci.HCI_Read_Local_Supported_Commands_Command())  # answered with 71 octets

    async def main() -> None:
        async with HciPort(VirtualLink(), spec(kind, tmp_path)) as port, wire_to(port) as wire:
            wire.write(RESET)
            await wire.read(7)
            attached = port._attached
            assert attached is not None
            for _ in range(200):
                attached.feed(command * 1000)
                await asyncio.sleep(0)
                if port.controller is None:
                    break
            assert port.controller is None

    asyncio.run(main())
    assert warnings_in(caplog) == ["hung up on the host: it has left 1 MiB unread"]


def test_a_port_is_only_reached_from_this_machine_unless_told_otherwise():
    async def main() -> list[str]:
        async with HciPort(VirtualLink(), "tcp-server:0") as port:
            return [port.transport.rpartition(":")[0], port.place.rpartition(":")[0]]

    assert asyncio.run(main()) == ["tcp-server:127.0.0.1", "127.0.0.1"]


def test_who_comes_and_goes_is_said_in_words():
    said: list[str] = []

    async def main() -> None:
        async with HciPort(VirtualLink(), "tcp-server:0", say=said.append) as port:
            async with foreign_device(port):
                pass
            await until_detached(port)

    asyncio.run(main())
    assert [line.split(": ")[1].partition(" (")[0] for line in said] == [
        "a host is attached",
        "the host has gone",
    ]


@pytest.mark.parametrize("buffers", [27, 100, 251])
def test_the_controller_of_a_port_tells_what_the_port_was_given(buffers):
    async def main() -> tuple[int, int, str, int]:
        given = f"tcp-server:0,buffers={buffers},address=02:00:00:AB:CD:EF"
        async with HciPort(VirtualLink(), given) as port, foreign_device(port) as device:
            send = device.host.send_sync_command
            le = await send(hci.HCI_LE_Read_Buffer_Size_Command())
            version = await send(hci.HCI_Read_Local_Version_Information_Command())
            address = (await send(hci.HCI_Read_BD_ADDR_Command())).bd_addr
            return (
                le.le_acl_data_packet_length,
                le.total_num_le_acl_data_packets,
                str(address),
                version.hci_version,
            )

    assert asyncio.run(main()) == (
        buffers,
        64,
        "02:00:00:AB:CD:EF/P",
        hci.HCI_VERSION_BLUETOOTH_CORE_5_0,
    )


@pytest.mark.parametrize("opcode", [0x0000, 0x0405, 0x1234, 0xFC01, 0xFFFF])
def test_a_command_that_the_controller_does_not_know_is_answered_as_unknown(opcode):
    async def main() -> bytes:
        async with HciPort(VirtualLink(), "tcp-server:0") as port, wire_to(port) as wire:
            wire.write(b"\x01" + opcode.to_bytes(2, "little") + b"\x02\xaa\xbb")
            return await wire.read(7)

    unknown = hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR
    assert asyncio.run(main()) == bytes([4, 0x0F, 4, unknown, 1]) + opcode.to_bytes(2, "little")


def test_a_pty_is_taken_down_and_found_again_where_somebody_was_killed(tmp_path):
    async def main() -> bytes:
        path = tmp_path / "hci"
        path.symlink_to(tmp_path / "gone")
        async with HciPort(VirtualLink(), f"pty:{path}") as port, wire_to(port) as wire:
            wire.write(RESET)
            answer = await wire.read(7)
        assert not path.is_symlink()
        return answer

    assert asyncio.run(main()) == RESET_DONE


@pytest.mark.parametrize("kind", ["unix-server", "pty"])
def test_a_path_in_use_is_not_taken_from_whoever_serves_it(kind, tmp_path):
    async def main() -> None:
        link = VirtualLink()
        async with HciPort(link, spec(kind, tmp_path)), HciPort(link, spec(kind, tmp_path)):
            pass

    with pytest.raises(BenchTrouble, match="in use"):
        asyncio.run(main())


def test_a_port_on_a_wire_hears_a_host_again_from_its_next_reset_on(tmp_path, caplog):
    async def main() -> bytes:
        primary, replica = os.openpty()
        try:
            tty.setraw(replica)
            os.set_blocking(primary, False)
            async with HciPort(VirtualLink(), f"serial:{os.ttyname(replica)}"):
                os.write(primary, RESET + b"\xff\xff")
                async with asyncio.timeout(5):
                    while not warnings_in(caplog):  # noqa: ASYNC110 a log has nobody to tell
                        await asyncio.sleep(0.01)
                os.write(primary, b"\xee" + RESET)
                answer = b""
                async with asyncio.timeout(5):
                    while not answer.endswith(RESET_DONE):
                        await asyncio.sleep(0.01)
                        with contextlib.suppress(BlockingIOError):
                            answer += os.read(primary, 100)
                return answer
        finally:
            os.close(primary)
            os.close(replica)

    assert asyncio.run(main()).endswith(RESET_DONE)
    assert warnings_in(caplog) == [
        "hung up on the host: malformed H4, 0xFF where a packet indicator is due"
    ]


def test_closing_the_port_hangs_up_and_is_told_to_a_station_at_its_other_end():
    async def main() -> tuple[list[str], int, int]:
        link = VirtualLink()
        async with HciPort(link, "tcp-server:_:0") as port:
            where = port.transport.replace("server", "client")
            opened = await open_station(where, name="it", address=None, rng=random.Random(1))
            told: list[str] = []
            lost = asyncio.Event()
            opened.host.on_lost = lambda sentence: (told.append(sentence), lost.set())  # type: ignore
        async with asyncio.timeout(5):
            await lost.wait()
        await opened.close()
        return told, len(link.members), len(asyncio.all_tasks())

    assert asyncio.run(main()) == (["the transport to the controller has ended"], 0, 1)


def test_a_station_on_a_port_works_and_closes_politely():
    async def main() -> tuple[bool, list[int]]:
        link = VirtualLink()
        peripheral = await peripheral_on(link)
        async with HciPort(link, "tcp-server:_:0") as port:
            where = port.transport.replace("server", "client")
            opened = await open_station(where, name="it", address=None, rng=random.Random(1))
            await opened.device.connect(peripheral.random_address)
            (theirs,) = peripheral.connections.values()
            reasons: list[int] = []
            theirs.on("disconnection", reasons.append)
            await opened.close()
            return opened.is_virtual, reasons

    assert asyncio.run(main()) == (False, [0x13])


def test_a_port_makes_a_virtual_clock_real_while_it_is_open():
    async def main() -> tuple[bool, bool]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualClockLoop)
        async with HciPort(VirtualLink(), "tcp-server:_:0"):
            inside = loop.is_real
        await asyncio.sleep(3600)
        return inside, loop.is_real

    assert run(main()) == (True, False)


def test_a_pty_serves_a_host_on_a_serial_port(tmp_path):
    async def main() -> bytes:
        link = VirtualLink()
        peripheral = await peripheral_on(link)
        path = tmp_path / "hci"
        async with HciPort(link, f"pty:{path}"):
            opened = await open_station(
                f"serial:{path}", name="it", address=None, rng=random.Random(1)
            )
            connection = await opened.device.connect(peripheral.random_address)
            value = await read_battery(Peer(connection))
            await opened.close()
            return value

    assert asyncio.run(main()) == b"\x2a"


def test_an_address_in_use_is_told_with_a_remedy():
    async def main() -> None:
        link = VirtualLink()
        async with HciPort(link, "tcp-server:_:0") as port, HciPort(link, port.transport):
            pass

    with pytest.raises(BenchTrouble, match="in use") as caught:
        asyncio.run(main())
    assert "port 0" in caught.value.remedy


def test_a_transport_that_is_none_is_told():
    async def main() -> None:
        async with HciPort(VirtualLink(), "tcp-server:nowhere"):
            pass

    with pytest.raises(UsageMistake, match="no port number"):
        asyncio.run(main())
