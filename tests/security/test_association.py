"""How two devices pair follows from what both have (Vol 3, Part H, 2.3.5.1, table 2.8)."""

import re

import pytest

from bletest.client.agent import PairingAgent
from bletest.errors import CapabilityMissing, PairingFailed, UsageMistake
from bletest.link.clock import run
from tests.security.support import Vault, vault

WORKS, ENTRY, COMPARISON = "Just Works", "passkey entry", "numeric comparison"
IO = ("display_only", "display_yes_no", "keyboard_only", "no_input_no_output", "keyboard_display")

# The specification's table: a row a responder, a column an initiator, in the order of IO;
# w Just Works, p passkey entry, c numeric comparison (which legacy pairing does not have: / before
# what it does in its place).
TABLE = """
display_only       w   w   p w p
display_yes_no     w   w/c p w p/c
keyboard_only      p   p   p w p
no_input_no_output w   w   w w w
keyboard_display   p   p/c p w p/c
"""
WORDS = {"w": WORKS, "p": ENTRY, "c": COMPARISON}


def expected(device: str, client: str, *, secure: bool) -> str:
    row = re.search(rf"^{device} +(.*)$", TABLE, re.M)
    assert row is not None
    legacy, _, connections = row[1].split()[IO.index(client)].partition("/")
    return WORDS[connections or legacy] if secure else WORDS[legacy]


class Typist(PairingAgent):
    """Has what it is told to have, and passes on what the displays show."""

    def __init__(self, vault: Vault, io: str, **more: object) -> None:
        super().__init__(io=io, **more)  # type: ignore[arg-type]
        self.vault = vault

    async def enter_passkey(self) -> int | None:
        if self.passkey is not None:
            return self.passkey
        return await self.vault.peripheral.panel.displayed()

    async def show_passkey(self, passkey: int) -> None:
        self.vault.peripheral.panel.type(passkey)

    async def compare(self, number: int) -> bool:
        return await self.vault.peripheral.panel.displayed() == number


@pytest.mark.parametrize("secure", [True, False], ids=["secure connections", "legacy"])
@pytest.mark.parametrize("io", IO)
def test_the_association_model_is_that_of_the_table(io: str, secure: bool) -> None:
    async def main() -> None:
        support = "supported" if secure else "unsupported"
        security = f"{{bonding: true, io: {io}, mitm: MITM, secure_connections: {support}}}"
        security = security.replace("MITM", "none" if io == "no_input_no_output" else "requested")
        for client_io in IO:
            both_type = io == client_io == "keyboard_only"
            passkey = "}"
            if both_type:
                passkey = ", passkey: 000042}"
            async with vault(security.replace("}", passkey)) as opened:
                agent = Typist(opened, client_io, passkey=42 if both_type else None)
                async with opened.client(agent, pair=True) as client:
                    model = expected(io, client_io, secure=secure)
                    kind = "LE Secure Connections" if secure else "LE legacy pairing"
                    assert opened.details("paired") == [f"{model}, {kind}"], client_io
                    assert (await client.read("encrypted")).raw == b"\x02"
                    outcome = await client.attempt.read("authenticated")
                    if model == WORKS:
                        assert outcome.refused_with(0x05)
                    else:
                        assert outcome.value == b"\x03"
                    outcome = await client.attempt.read("secure")
                    assert outcome.succeeded is (model != WORKS)

    run(main())


@pytest.mark.parametrize("io", IO)
@pytest.mark.parametrize("support", ["supported", "unsupported"])
def test_the_agent_of_a_run_answers_right_whatever_the_device_has(io: str, support: str) -> None:
    async def main() -> None:
        async with (
            vault(f"{{bonding: true, io: {io}, secure_connections: {support}}}") as opened,
            opened.client(pair=True) as client,
        ):
            authenticated = io != "no_input_no_output"
            assert (await client.attempt.read("authenticated")).succeeded is authenticated

    run(main())


def test_a_fixed_passkey_is_shown_entered_and_repeated() -> None:
    async def main() -> None:
        async with (
            vault("{io: display_only, passkey: 012345}") as opened,
            opened.client(pair=True) as client,
        ):
            assert opened.details("passkey") == ["012345 entered"]
            assert "vault: the display shows the passkey 012345" in opened.notes()
            assert opened.peripheral.panel.shown == 12345
            assert client.is_encrypted

    run(main())


def test_a_random_passkey_is_that_of_the_seed() -> None:
    async def said(seed: int) -> tuple[str, list[str]]:
        async with (
            vault("{io: display_only, passkey: random}", seed=seed) as opened,
            opened.client(pair=True),
        ):
            return opened.notes()[0], opened.smp()

    async def main() -> None:
        first = await said(7)
        assert re.fullmatch(r"vault: the display shows the passkey \d{6}", first[0])
        assert await said(7) == first
        assert (await said(8))[0] != first[0]

    run(main())


@pytest.mark.parametrize("support", ["supported", "unsupported"])
def test_a_wrong_passkey_fails_with_the_confirm_value(support: str) -> None:
    async def main() -> None:
        security = f"{{io: display_only, passkey: 123456, secure_connections: {support}}}"
        async with vault(security) as opened, opened.client(PairingAgent(passkey=123457)) as client:
            with pytest.raises(PairingFailed, match="confirm value") as caught:
                await client.pair()
            assert caught.value.reason == 0x04
            assert client.is_connected
            assert not opened.peripheral.bonded

    run(main())


def test_a_passkey_that_is_not_entered_fails_with_its_reason() -> None:
    async def main() -> None:
        async with (
            vault("{io: display_only}") as opened,
            opened.client(PairingAgent(io="keyboard_only")) as client,
        ):
            assert (await client.attempt.pair()).refused_with("pairing_failed")
            with pytest.raises(PairingFailed, match="passkey was not entered"):
                await client.pair()

    run(main())


def test_numbers_that_differ_end_it_on_either_side() -> None:
    async def main() -> None:
        async with vault("{io: display_yes_no}") as opened:
            async with opened.client(PairingAgent(io="display_yes_no", agrees=False)) as client:
                with pytest.raises(PairingFailed, match="numbers to compare differ"):
                    await client.pair()
            opened.peripheral.panel.agrees = False
            async with opened.client() as client:
                with pytest.raises(PairingFailed) as caught:
                    await client.pair()
            assert caught.value.reason == 0x0C

    run(main())


@pytest.mark.parametrize("support", ["supported", "unsupported"])
def test_out_of_band_data_authenticate_a_device_without_a_display(support: str) -> None:
    async def main() -> None:
        security = f"{{bonding: true, oob: true, mitm: required, secure_connections: {support}}}"
        async with vault(security) as opened:
            async with opened.client(pair=True) as client:
                assert opened.details("paired")[0].startswith("out of band")
                assert (await client.read("secure")).raw == b"\x04"
            ignorant = PairingAgent()
            async with opened.client(ignorant) as client:
                await client.unpair()
                with pytest.raises(PairingFailed, match="authentication requirements"):
                    await client.pair()

    run(main())


def test_what_an_agent_raises_comes_out_of_pairing() -> None:
    class Absent(PairingAgent):
        async def enter_passkey(self) -> int | None:
            raise CapabilityMissing("nobody is here", capability="passkey")

        async def choose_passkey(self) -> int | None:
            raise CapabilityMissing("nobody is there", capability="passkey")

    async def main() -> None:
        for io, who in (("display_only", "here"), ("keyboard_only", "there")):
            async with vault(f"{{io: {io}}}") as opened, opened.client(Absent()) as client:
                with pytest.raises(CapabilityMissing, match=f"nobody is {who}"):
                    await client.pair()

    run(main())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"io": "screen"}, "no IO capability"),
        ({"key_size": 6}, "7 to 16"),
        ({"passkey": 1_000_000}, "no passkey"),
    ],
)
def test_an_agent_that_cannot_be_is_a_usage_mistake(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UsageMistake, match=message):
        PairingAgent(**wrong)  # type: ignore[arg-type]
