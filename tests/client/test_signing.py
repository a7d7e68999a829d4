"""Signed writes: who may sign, on which link, and with which key."""

import asyncio

import pytest

from bletest.client.agent import PairingAgent
from bletest.client.signing import SigningKey
from bletest.errors import CapabilityMissing, LinkLost, UsageMistake
from bletest.link.clock import run
from tests.conformance.client.registry import client_lab, signing
from tests.support.scripted_server import COMMANDS
from tests.support.signing import signature

CSRK = bytes(range(16))


def test_each_signature_has_the_next_counter():
    key = SigningKey(CSRK)
    for counter in range(3):
        assert key.sign(b"message") == signature(b"message", counter, CSRK)
    assert SigningKey(CSRK, 0xFFFFFFFF).sign(b"") == signature(b"", 0xFFFFFFFF, CSRK)


def test_a_key_is_not_shown():
    assert repr(SigningKey(CSRK)) == "SigningKey(counter=0)"


def in_lab(test, opening=signing):
    async def main():
        async with opening() as lab:
            await test(lab)

    run(main())


def test_nothing_is_signed_before_pairing():
    async def test(lab):
        with pytest.raises(UsageMistake, match="has no signing key of this client"):
            lab.client.write_signed(COMMANDS, b"go")
        assert lab.received == []

    in_lab(test)


@pytest.mark.parametrize("agent", [None, PairingAgent(io="no_input_no_output", mitm=False)])
def test_who_did_not_ask_for_it_hands_out_no_key(agent):
    async def test(lab):
        await lab.client.pair()
        await lab.client.reconnect()
        with pytest.raises(UsageMistake, match="has no signing key"):
            lab.client.write_signed(COMMANDS, b"go")

    in_lab(test, lambda: client_lab(agent=agent))


def test_a_device_that_takes_no_key_is_given_none():
    async def test(lab):
        made = lab.server.device.pairing_config_factory

        def without_signing(connection):
            config = made(connection)
            config.delegate.local_initiator_key_distribution = (
                config.delegate.DEFAULT_KEY_DISTRIBUTION
            )
            return config

        lab.server.device.pairing_config_factory = without_signing
        await lab.client.pair()
        await lab.client.reconnect()
        with pytest.raises(UsageMistake, match="has no signing key"):
            lab.client.write_signed(COMMANDS, b"go")

    in_lab(test)


def test_pairing_again_hands_out_another_key_and_begins_its_counter_anew():
    async def test(lab):
        keys = []
        for _ in range(2):
            await lab.client.pair()
            await lab.client.pair()  # which does nothing on an encrypted link
            [(_, stored)] = await lab.server.device.keystore.get_all()
            keys.append(stored.csrk.value)
            await lab.client.reconnect()
            lab.server.forget()
            lab.client.write_signed(COMMANDS, b"go")
            await asyncio.sleep(1)
            message = b"\xd2\x38\x00go"
            assert lab.received == [message + signature(message, 0, keys[-1])]
            await lab.client.unpair()
            with pytest.raises(UsageMistake, match="has no signing key"):
                lab.client.write_signed(COMMANDS, b"go")
            await lab.server.device.keystore.delete_all()
            await lab.client.reconnect()
        assert keys[0] != keys[1]

    in_lab(test)


def test_encrypting_with_the_bond_keeps_key_and_counter():
    async def test(lab):
        await lab.client.pair()
        await lab.client.reconnect()
        lab.client.write_signed(COMMANDS, b"one")
        await lab.client.pair()
        await lab.client.reconnect()
        lab.server.forget()
        lab.client.write_signed(COMMANDS, b"two")
        await asyncio.sleep(1)
        assert lab.received[0][6:10] == b"\x01\x00\x00\x00"

    in_lab(test)


def test_it_takes_a_link_and_an_adapter_that_can():
    async def test(lab):
        await lab.client.disconnect()
        with pytest.raises(LinkLost):
            lab.client.write_signed(COMMANDS, b"go")
        await lab.client.connect()
        lab.client.raw = None
        with pytest.raises(CapabilityMissing, match="cannot sign writes"):
            lab.client.write_signed(COMMANDS, b"go")

    in_lab(test)
