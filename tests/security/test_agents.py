"""Where the agent of a run takes its answers from."""

import asyncio
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from bletest import profile
from bletest.bench.bench import Bench
from bletest.bench.firmware import Firmware
from bletest.bench.pairing import DeviceAgent
from bletest.bench.settings import DeviceSelector, SelectBy, Settings
from bletest.errors import BenchTrouble, CapabilityMissing
from bletest.link.port_spec import parse_port
from bletest.profile import load, shipped
from bletest.profile.security import SecuritySpec
from tests.security.support import text_of
from tests.support.serving import BLETEST

DISPLAY = SecuritySpec(pairing=True, io="display_only")
CONSOLE = SecuritySpec(pairing=True, io="display_only", passkey_console=r"PIN: (\d{6})")


def firmware_that_says(words: str, folder: Path) -> Firmware:
    return Firmware(
        f"sh -c 'echo \"{words}\"; exec sleep 60'", log=folder / "firmware.log", environment={}
    )


async def entered(agent: DeviceAgent, firmware: Firmware, *, before: bool = False) -> int | None:
    """Have firmware start after the pairing has begun, or before."""
    if not before:
        agent.begin()
    firmware.start()
    try:
        if before:
            while not firmware.output():  # noqa: ASYNC110 a file has no event
                await asyncio.sleep(0.01)
            agent.begin()
        return await agent.enter_passkey()
    finally:
        await firmware.stop()


@pytest.mark.parametrize("before", [False, True], ids=["while it pairs", "when it started"])
def test_the_passkey_on_the_console_of_firmware_is_entered(tmp_path: Path, before: bool) -> None:
    firmware = firmware_that_says("boot\nPIN: 012345", tmp_path)
    agent = DeviceAgent(CONSOLE, firmware=firmware, timeout_scale=0.1)
    assert asyncio.run(entered(agent, firmware, before=before)) == 12345


def test_a_console_that_never_shows_a_passkey_is_trouble_of_the_bench(tmp_path: Path) -> None:
    firmware = firmware_that_says("PIN 012345", tmp_path)
    agent = DeviceAgent(CONSOLE, firmware=firmware, timeout_scale=0.02)
    with pytest.raises(BenchTrouble, match=r"no passkey that matches PIN: .*\n.*firmware.log"):
        asyncio.run(entered(agent, firmware))


def test_a_group_that_matches_something_else_is_named(tmp_path: Path) -> None:
    firmware = firmware_that_says("PIN: abc", tmp_path)
    words = SecuritySpec(pairing=True, io="display_only", passkey_console="PIN: (.*)")
    with pytest.raises(BenchTrouble, match='the passkey on the console is "abc"'):
        asyncio.run(entered(DeviceAgent(words, firmware=firmware), firmware))


@pytest.mark.parametrize("security", [DISPLAY, CONSOLE], ids=["unknown", "no console"])
def test_a_passkey_that_nobody_knows_is_a_capability_that_lacks(security: SecuritySpec) -> None:
    agent = DeviceAgent(security)
    with pytest.raises(CapabilityMissing, match="ble_pairing_agent") as caught:
        asyncio.run(agent.enter_passkey())
    assert ("console" in caught.value.message) is (security is CONSOLE)
    with pytest.raises(CapabilityMissing, match="nobody types"):
        asyncio.run(agent.choose_passkey())


def test_firmware_that_makes_up_a_passkey_and_writes_it_is_paired_with(tmp_path: Path) -> None:
    """The firmware is an emulated device in another process; nothing but its console tells."""
    source = text_of("{bonding: true, io: display_only, passkey: {console: PATTERN}}")
    source = source.replace("PATTERN", "'shows the passkey (\\d{6})'")
    (tmp_path / "vault.yaml").write_text(source)
    serve = f"{shlex.join(BLETEST)} serve {tmp_path / 'vault.yaml'}"
    settings = Settings(
        device=DeviceSelector(SelectBy.NAME, "Vault"),
        hci_port=parse_port("--ble-hci-port", f"unix-server:{tmp_path / 'hci'}"),
        device_command=f"{serve} --transport unix-client:{tmp_path / 'hci'}",
        output=tmp_path,
    )

    async def main() -> None:
        async with Bench(settings) as bench:
            await bench.begin_test()
            async with bench.device(profile.loads(source)) as device:
                client = await bench.connect(device, pair=True)
                assert (await client.read("secure")).raw == b"\x04"
                await client.disconnect()

    asyncio.run(main())


def test_the_profile_s_passkey_serves_a_real_device_both_ways() -> None:
    agent = DeviceAgent(profile.loads(text_of("{io: keyboard_only, passkey: 000123}")).security)
    assert asyncio.run(agent.enter_passkey()) == 123
    assert asyncio.run(agent.choose_passkey()) == 123


SAFE = text_of("{bonding: true, io: display_only}")


def test_the_fixture_answers_right_and_can_be_overridden(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", safe=SAFE)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(
        test_right="""
        async def test_right(ble_connect, ble_peripheral, ble_pairing_agent):
            client = await ble_connect(pair=True)
            assert (await client.read("secure")).raw == b"\\x04"
            assert ble_peripheral.panel.shown is not None
            assert ble_peripheral.bonded == ble_peripheral.clients

        async def test_without_authentication(ble_client):
            await ble_client.pair(authenticated=False)
            assert (await ble_client.attempt.read("authenticated")).refused_with(0x05)
        """,
        test_wrong="""
        import pytest
        from bletest.client.agent import PairingAgent
        from bletest.errors import CapabilityMissing, PairingFailed

        @pytest.fixture
        def ble_pairing_agent():
            return PairingAgent(passkey=1)

        async def test_wrong(ble_client):
            with pytest.raises(PairingFailed, match="confirm value"):
                await ble_client.pair()

        class Nobody(PairingAgent):
            async def enter_passkey(self):
                raise CapabilityMissing("nobody is here", capability="passkey", remedy="come")

        async def test_absent(ble_connect):
            await ble_connect(pair=True, agent=Nobody())
        """,
    )
    result = pytester.runpytest("-p", "no:randomly", "--ble-profile", "safe.yaml", "-rs")
    result.assert_outcomes(passed=3, skipped=1)
    result.stdout.fnmatch_lines(["*nobody is here*"])


@pytest.mark.parametrize(
    ("io", "said"), [("display_only", "is not known here"), ("keyboard_only", "nobody types")]
)
def test_a_passkey_that_cannot_be_known_is_missed_before_anything_is_sent(
    io: str, said: str
) -> None:
    security = replace(load(shipped()["pin_safe"]).security, io=io)
    with pytest.raises(CapabilityMissing, match=said):
        DeviceAgent(security).begin()
    DeviceAgent(replace(security, passkey=123456)).begin()
