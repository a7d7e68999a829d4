"""A host in another process, here one over loopback sockets in real time, uses the air."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bumble import core, hci
from bumble.device import Device, DeviceConfiguration, Peer
from bumble.host import Host
from bumble.transport import open_transport

from bletest.errors import BenchTrouble
from bletest.link.clock import VirtualClockLoop, run
from bletest.link.hci_port import HciPort
from bletest.link.station import open_station
from bletest.link.virtual import VirtualLink
from tests.link.support import plain_device
from tests.link.test_plain_bumble import add_service, read_battery


@asynccontextmanager
async def foreign_device(port: HciPort, name: str = "foreign") -> AsyncIterator[Device]:
    """Power on a plain bumble device at the other end of the port."""
    where = port.transport.replace("-server", "-client", 1)
    async with await open_transport(where) as transport:
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


def test_a_second_host_is_hung_up_on_and_the_first_works_on():
    async def main() -> tuple[bytes, str]:
        link = VirtualLink()
        async with HciPort(link, "tcp-server:_:0") as port, foreign_device(port) as first:
            reader, writer = await asyncio.open_connection(*address_of(port))
            async with asyncio.timeout(5):
                nothing = await reader.read()
            writer.close()
            response = await first.host.send_sync_command(hci.HCI_Read_BD_ADDR_Command())
            return nothing, str(response.bd_addr).removesuffix("/P")

    nothing, address = asyncio.run(main())
    assert nothing == b""
    assert address.startswith("02:")


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


def test_a_host_that_loses_framing_is_hung_up_on_and_the_next_one_is_served():
    async def main() -> tuple[bytes, bool]:
        link = VirtualLink()
        async with HciPort(link, "tcp-server:_:0") as port:
            reader, writer = await asyncio.open_connection(*address_of(port))
            writer.write(b"\xff" * 20)
            async with asyncio.timeout(5):
                rest = await reader.read()
            writer.close()
            async with foreign_device(port) as device:
                return rest, device.powered_on

    assert asyncio.run(main()) == (b"", True)


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

    with pytest.raises(BenchTrouble, match="not a transport"):
        asyncio.run(main())
