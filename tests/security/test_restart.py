"""Bonds that outlive the device: its keys, and what its clients had configured."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from bumble.crypto.cryptography import aes_cmac
from bumble.keys import MemoryKeyStore, PairingKeys

from bletest.att.client_state import ClientState
from bletest.bench.bench import Bench
from bletest.bench.settings import DeviceSelector, SelectBy, Settings
from bletest.client.adapter import BumbleAdapter
from bletest.client.agent import PairingAgent
from bletest.client.connecting import make_client
from bletest.client.gatt import GattClient
from bletest.errors import BondsUnusable, EmulationError, LinkLost, PairingFailed, UsageMistake
from bletest.link.bond_file import BondFile
from bletest.link.clock import run
from bletest.link.station import open_station
from bletest.profile.rules import ReplyKind
from bletest.uuids import CLIENT_SUPPORTED_FEATURES, SERVICE_CHANGED, Uuid
from tests.security.support import Vault, life, text_of, vault
from tests.support.serving import PORT, serving

CACHING = "{service_changed: true, robust_caching: true}"
SIGNING = 0xD2


@asynccontextmanager
async def bench_with(store: Path | None) -> AsyncIterator[Bench]:
    async with Bench(Settings(seed=1, bond_store=store)) as bench:
        yield bench


def another_seed(bench: Bench) -> None:
    """Have the next device draw other addresses and keys: what it still has it was told."""
    bench.settings = replace(bench.settings, seed=bench.settings.seed + 1)


@pytest.mark.parametrize("support", ["supported", "unsupported"])
@pytest.mark.parametrize("private", [False, True], ids=["static", "private"])
def test_a_bond_encrypts_the_link_to_a_device_that_was_restarted(
    tmp_path: Path, support: str, private: bool
) -> None:
    text = text_of(
        f"{{bonding: true, io: display_only, key_size: 9, secure_connections: {support}}}"
    )

    async def main() -> None:
        async with bench_with(tmp_path / "bonds.json") as bench:
            adapter = await bench.adapter()
            if private:
                await adapter.station.renew_address(private=True)
            async with life(bench, text) as opened:
                async with opened.client(pair=True):
                    address = opened.peripheral.address
                (bonded,) = opened.peripheral.bonded
                assert (bonded == adapter.station.address) is not private
            another_seed(bench)
            if private:
                await adapter.station.renew_address(private=True)
            async with life(bench, text) as opened:
                assert opened.peripheral.address == address
                assert opened.peripheral.bonded == (bonded,)
                async with opened.client() as client:
                    assert (await client.attempt.read("authenticated")).refused_with(0x0F)
                    await client.pair()
                    assert opened.details("paired") == []
                    assert opened.details("encrypted") == ["key of 9 octets"]
                    assert (await client.read("authenticated")).raw == b"\x03"
                    assert (await client.attempt.read("allowed")).refused_with(0x08)

    run(main())


def test_without_a_store_a_restarted_device_has_lost_its_bonds() -> None:
    async def main() -> None:
        async with bench_with(None) as bench:
            async with life(bench, text_of("{bonding: true}")) as opened, opened.client(pair=True):
                pass
            async with life(bench, text_of("{bonding: true}")) as opened:
                client = await bench.connect(opened.device)
                with pytest.raises((PairingFailed, LinkLost), match="key"):
                    await client.pair()
                await client.unpair()
                await client.reconnect()
                await client.pair()
                assert (await client.read("encrypted")).raw == b"\x02"
                await client.disconnect()

    run(main())


def test_subscriptions_of_a_bonded_client_are_there_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench_with(tmp_path / "bonds.json") as bench:
            async with life(bench, text_of("{bonding: true}")) as opened:
                client = await bench.connect(opened.device, pair=True)
                # the subscription is to outlive the link: its CCCD stays as it is
                await client.exchange(cccd_write(opened, "encrypted"))
                await client.exchange(cccd_write(opened, "plain"))
                await client.disconnect()
            async with life(bench, text_of("{bonding: true}")) as opened:
                client = await bench.connect(opened.device)
                (name,) = opened.peripheral.clients
                assert opened.peripheral["plain"].subscribers == {name: ReplyKind.NOTIFICATION}
                await client.pair()
                opened.peripheral["encrypted"].value(b"\x09")
                (came,) = await client.unasked(within=1)
                assert came.raw == b"\x09"
                await client.disconnect()

    run(main())


def cccd_write(opened: Vault, name: str) -> bytes:
    attribute = opened.peripheral[name].attribute.cccd
    assert attribute is not None
    return b"\x12" + attribute.handle.to_bytes(2, "little") + b"\x01\x00"


def test_a_client_that_missed_a_change_of_the_database_is_told_after_a_restart(
    tmp_path: Path,
) -> None:
    security = "{bonding: true}"

    async def main() -> None:
        async with bench_with(tmp_path / "bonds.json") as bench:
            async with life(bench, text_of(security, gatt=CACHING)) as opened:
                client = await bench.connect(opened.device, pair=True)
                await enable(client, opened, SERVICE_CHANGED, b"\x02\x00")
                await enable(client, opened, CLIENT_SUPPORTED_FEATURES, b"\x01")
                (bonded,) = opened.peripheral.bonded
                assert kept(opened, bonded).aware
                await client.disconnect()
            grown = text_of(security, gatt=CACHING) + (
                "      - {uuid: 0xFF07, id: new, properties: [read], value: {uint8: 7}}\n"
            )
            for text, told in ((grown, True), (grown, False)):
                async with life(bench, text) as opened:
                    assert kept(opened, bonded).aware is not told
                    client = await bench.connect(opened.device)
                    await client.pair()
                    indications = [one.raw.hex() for one in await client.unasked(within=1)]
                    assert indications == (["0100ffff"] if told else [])
                    assert (await client.read("new")).raw == b"\x07"
                    assert kept(opened, bonded).aware
                    await client.disconnect()

    run(main())


async def enable(client: GattClient, opened: Vault, uuid: Uuid, value: bytes) -> None:
    (attribute,) = opened.peripheral.table.of_type(uuid)
    if uuid == SERVICE_CHANGED:
        assert attribute.characteristic is not None
        assert attribute.characteristic.cccd is not None
        attribute = attribute.characteristic.cccd
    handle = attribute.handle.to_bytes(2, "little")
    assert await client.exchange(b"\x12" + handle + value) == b"\x13"


def kept(opened: Vault, client: str) -> ClientState:
    state = opened.peripheral.server.kept(client)
    assert state is not None
    return state


def test_a_signed_write_is_taken_once_over_all_lives_of_a_device(tmp_path: Path) -> None:
    text = text_of("{bonding: true}")

    async def main() -> None:
        async with bench_with(tmp_path / "bonds.json") as bench:
            csrk, message = bytes(range(16)), b""
            for number in range(2):
                async with life(bench, text) as opened:
                    device = opened.peripheral
                    client = await bench.connect(opened.device, pair=number == 0)
                    (name,) = device.bonded
                    if number == 0:
                        device._bonds.keep(name, replace(device._bonds[name], csrk=csrk))
                        keystore = device.station.device.keystore
                        keys = await keystore.get(name)
                        keys.csrk = PairingKeys.Key(csrk)
                        handle = device["signed"].attribute.value.handle
                        message = bytes((SIGNING,)) + handle.to_bytes(2, "little") + b"\x2a"
                        await client.reconnect()
                    counter = (5).to_bytes(4, "little")
                    mac = aes_cmac((message + counter)[::-1], csrk[::-1])[:8][::-1]
                    client.send(message + counter + mac)
                    await asyncio.sleep(0.1)
                    assert device["signed"].value() == (b"\x2a" if number == 0 else b"\x06")
                    await client.disconnect()

    run(main())


def test_a_bond_that_was_forgotten_is_gone_from_the_store(tmp_path: Path) -> None:
    async def main() -> None:
        async with bench_with(tmp_path / "bonds.json") as bench:
            async with life(bench, text_of("{bonding: true}")) as opened:
                async with opened.client(pair=True):
                    pass
                assert stored(tmp_path) == list(opened.peripheral.bonded)
                opened.peripheral.forget_bonds()
            assert stored(tmp_path) == []

    run(main())


def stored(folder: Path) -> list[str]:
    owner = BondFile(folder / "bonds.json").device("vault")
    assert owner is not None
    return [one.identity for one in owner.bonds]


def test_the_order_of_use_outlives_a_restart(tmp_path: Path) -> None:
    text = text_of("{bonding: {max: 2, when_full: replace}}")

    async def main() -> None:
        async with bench_with(tmp_path / "bonds.json") as bench:
            adapter = await bench.adapter()
            async with life(bench, text) as opened:
                addresses = []
                for _ in range(2):
                    addresses.append(adapter.station.address)
                    async with opened.client(pair=True):
                        pass
                    await adapter.station.renew_address()
                    await adapter.device.keystore.delete_all()
                assert list(opened.peripheral.bonded) == stored(tmp_path) == addresses
            async with life(bench, text) as opened, opened.client(pair=True):
                assert opened.peripheral.bonded[0] == addresses[1]
                assert len(opened.peripheral.bonded) == 2

    run(main())


def test_a_store_that_is_broken_stops_the_device_before_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "bonds.json"
    path.write_text("{")

    async def main() -> None:
        with pytest.raises(BondsUnusable, match=r"bonds\.json"):
            async with vault("{bonding: true}", bond_store=path):
                pass
        assert path.read_text() == "{"

    run(main())


def spoil(path: Path) -> None:
    path.write_text("{")


async def break_the_store(path: Path) -> None:
    async with vault("{bonding: true}", bond_store=path) as opened:
        spoil(path)
        async with opened.client(pair=True):
            pass


def test_a_store_that_breaks_meanwhile_fails_the_test_and_is_left(tmp_path: Path) -> None:
    path = tmp_path / "bonds.json"

    async def main() -> None:
        with pytest.raises(EmulationError, match=r"bonds\.json"):
            await break_the_store(path)
        assert path.read_text() == "{"

    run(main())


def test_a_real_device_keeps_its_bonds_itself(tmp_path: Path) -> None:
    with pytest.raises(UsageMistake, match="--ble-bond-store"):
        Settings(
            adapter="usb:0",
            device=DeviceSelector(SelectBy.NAME, "x"),
            bond_store=tmp_path / "bonds.json",
        )


def test_a_bond_holds_when_the_process_of_the_device_is_killed(tmp_path: Path) -> None:
    """The device runs in another process, which is killed; its successor knows the client."""
    profile = tmp_path / "vault.yaml"
    profile.write_text(text_of("{bonding: true, io: display_only, passkey: 123456}"))
    arguments = (str(profile), "--hci-port", PORT, "--bond-store", str(tmp_path / "bonds.json"))
    keystore = MemoryKeyStore()

    async def visit(port: str, address: str, *, known: bool) -> None:
        station = await open_station(
            port, name="client", address="F0:00:00:00:00:0A", rng=Random(1)
        )
        station.device.keystore = keystore
        adapter = BumbleAdapter(station)
        try:
            async with make_client(
                adapter, address, agent=PairingAgent(passkey=123456), timeout=10
            ) as client:
                refusal = await client.attempt.read("0xFF04")
                assert refusal.refused_with(0x0F if known else 0x05)
                await client.pair()
                assert (await client.read("0xFF04")).raw == b"\x04"
        finally:
            await adapter.close()
            await station.close()

    addresses = set()
    for known in (False, True):
        with serving(*arguments, "--seed", "2" if known else "1") as served:
            (address,) = re.findall(r" at ([0-9A-F:]{17}) ", "\n".join(served.said))
            addresses.add(address)
            asyncio.run(visit(served.ports[0], address, known=known))
            if not known:
                served.end(signal.SIGKILL)
    assert len(addresses) == 1
