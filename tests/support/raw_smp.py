"""Pairing as a raw central does it: SMP PDUs of any kind, step by step, with a toolbox of its own.

Octets are as they travel, least significant first; the functions of Vol 3, Part H, 2.2 turn them
round where the specification computes with numbers.
"""

import asyncio
from types import TracebackType
from typing import Self

from bumble import hci
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from tests.support.raw_central import RawCentral

SMP_CID = 6
REQUEST, RESPONSE, CONFIRM, RANDOM, FAILED = 0x01, 0x02, 0x03, 0x04, 0x05
LTK, EDIV_RAND, IRK, ADDRESS, SIGNATURE_KEY = 0x06, 0x07, 0x08, 0x09, 0x0A
SECURITY_REQUEST, PUBLIC_KEY, CHECK = 0x0B, 0x0C, 0x0D

BONDING, MITM, SC = 0x01, 0x04, 0x08
ENC_KEY, ID_KEY, SIGN_KEY = 0x01, 0x02, 0x04

CURVE = ec.SECP256R1()
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
OWN_IRK = bytes(range(0x50, 0x60))
NONCE = bytes(range(0x20, 0x30))


def _aes(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(AES(key[::-1]), modes.ECB()).encryptor()
    return encryptor.update(block[::-1])[::-1]


def _cmac(key: bytes, message: bytes) -> bytes:
    cmac = CMAC(AES(key))
    cmac.update(message)
    return cmac.finalize()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def c1(key: bytes, nonce: bytes, request: bytes, response: bytes, ia: bytes, ra: bytes) -> bytes:
    """The confirm value of legacy pairing (2.2.3); addresses are seven octets with their type."""
    inner = _aes(key, _xor(nonce, ia[6:] + ra[6:] + request + response))
    return _aes(key, _xor(inner, ra[:6] + ia[:6] + bytes(4)))


def s1(key: bytes, responder: bytes, initiator: bytes) -> bytes:
    """The short term key of legacy pairing (2.2.4)."""
    return _aes(key, initiator[:8] + responder[:8])


def f4(u: bytes, v: bytes, nonce: bytes, z: int = 0) -> bytes:
    """The confirm value of Secure Connections (2.2.6)."""
    return _cmac(nonce[::-1], u[::-1] + v[::-1] + bytes((z,)))[::-1]


def f5(secret: bytes, na: bytes, nb: bytes, ia: bytes, ra: bytes) -> tuple[bytes, bytes]:
    """MacKey and LTK (2.2.7)."""
    key = _cmac(bytes.fromhex("6C888391AAF5A53860370BDB5A6083BE"), secret[::-1])
    rest = b"btle" + na[::-1] + nb[::-1] + ia[::-1] + ra[::-1] + b"\x01\x00"
    return _cmac(key, b"\x00" + rest)[::-1], _cmac(key, b"\x01" + rest)[::-1]


def f6(
    key: bytes, n1: bytes, n2: bytes, r: bytes, parameters: bytes, a1: bytes, a2: bytes
) -> bytes:
    """A DHKey check (2.2.8); ``parameters`` are I/O capability, OOB flag and AuthReq."""
    message = n1[::-1] + n2[::-1] + r[::-1] + parameters[::-1] + a1[::-1] + a2[::-1]
    return _cmac(key[::-1], message)[::-1]


class KeyPair:
    """A key pair on P-256."""

    def __init__(self, private: int) -> None:
        self._key = ec.derive_private_key(private, CURVE)
        numbers = self._key.public_key().public_numbers()
        self.x, self.y = numbers.x.to_bytes(32, "little"), numbers.y.to_bytes(32, "little")

    def shared_with(self, x: bytes, y: bytes) -> bytes:
        """The Diffie-Hellman key with somebody else's public key."""
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(x, "little"), int.from_bytes(y, "little"), CURVE
        )
        return self._key.exchange(ec.ECDH(), numbers.public_key())[::-1]


class Refused(AssertionError):
    """The device ended the pairing with Pairing Failed."""

    def __init__(self, reason: int) -> None:
        super().__init__(f"Pairing Failed, reason 0x{reason:02X}")
        self.reason = reason


class RawPairing:
    """SMP of one raw central on its present link, instead of bumble's, while it is entered.

    ``public_key`` may be replaced by two coordinates that are no point of the curve, and
    ``nonce`` by any 16 octets, before they are sent. With :meth:`type_passkey` or
    :meth:`take_out_of_band` the steps are those of that method instead of Just Works.
    """

    def __init__(
        self,
        central: RawCentral,
        *,
        sc: bool = True,
        io: int = 0x03,
        oob: int = 0,
        auth: int = BONDING,
        key_size: int = 16,
        initiator_keys: int = 0,
        responder_keys: int = 0,
        private: int = 0x1234567,
    ) -> None:
        self.central = central
        self.sc = sc
        self.tk = bytes(16)
        self.ra = self.rb = bytes(16)
        self.passkey: int | None = None
        self.commitment: bytes | None = None
        self.nonce = NONCE
        self.own = KeyPair(private)
        self.public_key = (self.own.x, self.own.y)
        self.request = bytes(
            (
                REQUEST,
                io,
                oob,
                auth | (SC if sc else 0),
                key_size,
                initiator_keys,
                responder_keys,
            )
        )
        self.response = b""
        self.peer_key = (b"", b"")
        self.peer_nonce = b""
        self.key = b""
        self._received: asyncio.Queue[bytes] = asyncio.Queue()
        self._ia = bytes(central.device.random_address) + b"\x01"
        self._ra = bytes(central.connection.peer_address) + b"\x01"

    def __enter__(self) -> Self:
        manager = self.central.device.l2cap_channel_manager
        manager.register_fixed_channel(SMP_CID, lambda _, pdu: self._received.put_nowait(pdu))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Device.on_smp_pdu is what bumble registers; through an object it takes a connection.
        device = self.central.device
        device.l2cap_channel_manager.register_fixed_channel(SMP_CID, device.on_smp_pdu)

    def send(self, pdu: bytes) -> None:
        """Send any octets on the SMP channel."""
        self.central.device.send_l2cap_pdu(self.central.connection.handle, SMP_CID, pdu)

    async def next(self, *, within: float = 5.0) -> bytes | None:
        """Return the next PDU of the device, None for silence."""
        try:
            async with asyncio.timeout(within):
                return await self._received.get()
        except TimeoutError:
            return None

    async def say(self, pdu: bytes, *, within: float = 5.0) -> bytes | None:
        """Send, and return what comes next."""
        self.send(pdu)
        return await self.next(within=within)

    async def expect(self, code: int, size: int) -> bytes:
        """Return the parameters of the next PDU, which has that code and so many octets of them.

        Raises :class:`Refused` where it is Pairing Failed.
        """
        pdu = await self.next()
        assert pdu is not None, f"nothing where 0x{code:02X} was due"
        if pdu[0] == FAILED and len(pdu) == 2:
            raise Refused(pdu[1])
        assert (pdu[0], len(pdu)) == (code, size + 1), pdu.hex()
        return pdu[1:]

    async def refused(self) -> int:
        """The next PDU is Pairing Failed; return its reason."""
        pdu = await self.next()
        assert pdu is not None, "silence where Pairing Failed was due"
        assert (pdu[0], len(pdu)) == (FAILED, 2), pdu.hex()
        return pdu[1]

    # The steps of a pairing that succeeds

    async def negotiate(self) -> None:
        """Pairing Request and Response."""
        self.send(self.request)
        self.response = bytes((RESPONSE,)) + await self.expect(RESPONSE, 6)
        self.sc = self.sc and bool(self.response[3] & SC)

    async def exchange_public_keys(self) -> None:
        """Both public keys; ours need not be one."""
        self.send(bytes((PUBLIC_KEY,)) + self.public_key[0] + self.public_key[1])
        key = await self.expect(PUBLIC_KEY, 64)
        self.peer_key = (key[:32], key[32:])

    async def exchange_nonces(self) -> None:
        """Commitment and nonces of Just Works and Numeric Comparison (2.3.5.6.2)."""
        commitment = await self.expect(CONFIRM, 16)
        self.send(bytes((RANDOM,)) + self.nonce)
        self.peer_nonce = await self.expect(RANDOM, 16)
        assert f4(self.peer_key[0], self.public_key[0], self.peer_nonce) == commitment
        self.derive()

    def type_passkey(self, passkey: int) -> None:
        """Enter what the device shows, or is about to."""
        self.passkey = passkey
        self.tk = self.ra = self.rb = passkey.to_bytes(16, "little")

    def take_out_of_band(self, r: bytes, commitment: bytes) -> None:
        """Take what the device hands out of band for Secure Connections (2.3.5.6.4)."""
        self.rb, self.commitment = r, commitment

    async def enter_passkey(self) -> None:
        """The twenty rounds of a passkey (2.3.5.6.3)."""
        assert self.passkey is not None
        ours, theirs = self.public_key[0], self.peer_key[0]
        for step in range(20):
            bit = 0x80 | self.passkey >> step & 1
            self.nonce = bytes((0xC0 + step,)) * 16
            self.send(bytes((CONFIRM,)) + f4(ours, theirs, self.nonce, bit))
            commitment = await self.expect(CONFIRM, 16)
            self.send(bytes((RANDOM,)) + self.nonce)
            self.peer_nonce = await self.expect(RANDOM, 16)
            assert f4(theirs, ours, self.peer_nonce, bit) == commitment
        self.derive()

    async def enter_passkey_blindly(self) -> int:
        """Enter it without a look at what the device sends, until it refuses; return its reason."""
        assert self.passkey is not None
        ours, theirs = self.public_key[0], self.peer_key[0]
        try:
            for step in range(20):
                bit = 0x80 | self.passkey >> step & 1
                self.send(bytes((CONFIRM,)) + f4(ours, theirs, self.nonce, bit))
                await self.expect(CONFIRM, 16)
                self.send(bytes((RANDOM,)) + self.nonce)
                await self.expect(RANDOM, 16)
        except Refused as refusal:
            return refusal.reason
        raise AssertionError("the device has taken that passkey")

    async def exchange_out_of_band(self) -> None:
        """The nonces of a pairing whose commitment came out of band."""
        key = self.peer_key[0]
        assert f4(key, key, self.rb) == self.commitment
        self.send(bytes((RANDOM,)) + self.nonce)
        self.peer_nonce = await self.expect(RANDOM, 16)
        assert self.peer_nonce != self.rb, "what is secret is not a nonce"
        self.derive()

    def derive(self) -> None:
        """Compute MacKey and LTK from what was exchanged."""
        secret = self.own.shared_with(*self.peer_key)
        self.mac_key, key = f5(secret, self.nonce, self.peer_nonce, self._ia, self._ra)
        self.key = self.shortened(key)

    def shortened(self, key: bytes) -> bytes:
        """The key with no more octets than agreed (2.3.4)."""
        size = min(self.request[4], self.response[4])
        return key[:size] + bytes(16 - size)

    def check(self) -> bytes:
        """Our DHKey Check."""
        value = f6(
            self.mac_key,
            self.nonce,
            self.peer_nonce,
            self.rb,
            self.request[1:4],
            self._ia,
            self._ra,
        )
        return bytes((CHECK,)) + value

    async def exchange_checks(self) -> None:
        """Both DHKey checks; theirs is right."""
        self.send(self.check())
        theirs = await self.expect(CHECK, 16)
        assert theirs == f6(
            self.mac_key,
            self.peer_nonce,
            self.nonce,
            self.ra,
            self.response[1:4],
            self._ra,
            self._ia,
        )

    def confirmation(self, nonce: bytes | None = None) -> bytes:
        """A confirm value of legacy pairing."""
        return c1(self.tk, nonce or self.nonce, self.request, self.response, self._ia, self._ra)

    async def exchange_confirmations(self) -> None:
        """Both confirm values of legacy pairing."""
        self.send(bytes((CONFIRM,)) + self.confirmation())
        self.peer_confirmation = await self.expect(CONFIRM, 16)

    async def exchange_legacy_nonces(self) -> None:
        """Both nonces of legacy pairing; theirs is what was confirmed."""
        self.send(bytes((RANDOM,)) + self.nonce)
        self.peer_nonce = await self.expect(RANDOM, 16)
        assert self.confirmation(self.peer_nonce) == self.peer_confirmation
        self.key = self.shortened(s1(self.tk, self.peer_nonce, self.nonce))

    def steps(self) -> list[str]:
        """The names of the methods that make up phases 1 and 2."""
        if self.sc:
            middle = "exchange_nonces"
            if self.commitment is not None:
                middle = "exchange_out_of_band"
            elif self.passkey is not None:
                middle = "enter_passkey"
            return ["negotiate", "exchange_public_keys", middle, "exchange_checks"]
        return ["negotiate", "exchange_confirmations", "exchange_legacy_nonces"]

    async def go(self, *names: str) -> None:
        """Take those steps."""
        for name in names:
            await getattr(self, name)()

    async def agree(self) -> None:
        """Phases 1 and 2, up to where the link may be encrypted."""
        await self.go(*self.steps())

    async def take_keys(self) -> dict[int, bytes]:
        """Encrypt, and take the keys that the device distributes, by the code of their PDU."""
        assert await self.encrypt(self.key) == 0
        keys: dict[int, bytes] = {}
        agreed = self.response[6]
        expected = [
            *([(LTK, 16), (EDIV_RAND, 10)] if agreed & ENC_KEY and not self.sc else []),
            *([(IRK, 16), (ADDRESS, 7)] if agreed & ID_KEY else []),
            *([(SIGNATURE_KEY, 16)] if agreed & SIGN_KEY else []),
        ]
        for code, size in expected:
            keys[code] = await self.expect(code, size)
        return keys

    def private_address(self, prand: bytes) -> bytes:
        """A resolvable private address of the IRK that we distribute (2.2.2)."""
        return _aes(OWN_IRK, prand + bytes(13))[:3] + prand

    def give_keys(self, signature_key: bytes = bytes(range(0xA0, 0xB0))) -> None:
        """Distribute the keys of ours that were agreed on."""
        agreed = self.response[5]
        if agreed & ENC_KEY and not self.sc:
            self.send(bytes((LTK,)) + bytes(range(1, 17)))
            self.send(bytes((EDIV_RAND,)) + b"\x34\x12" + bytes(range(8)))
        if agreed & ID_KEY:
            self.send(bytes((IRK,)) + OWN_IRK)
            self.send(bytes((ADDRESS, 1)) + self._ia[:6])
        if agreed & SIGN_KEY:
            self.send(bytes((SIGNATURE_KEY,)) + signature_key)

    async def pair(self) -> dict[int, bytes]:
        """Pair from beginning to end; return the keys of the device."""
        await self.agree()
        keys = await self.take_keys()
        self.give_keys()
        await asyncio.sleep(0.1)
        return keys

    # The link layer

    async def encrypt(self, key: bytes, *, rand: bytes = bytes(8), ediv: int = 0) -> int:
        """Have the link encrypted with any key; return the HCI status, 0 where it is.

        A device that does not answer at all loses a real link after 40 s, with 0x22.
        """
        connection = self.central.connection
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def end(status: int = 0) -> None:
            if not ended.done():
                ended.set_result(int(status))

        watched = {
            "connection_encryption_change": lambda: end(),
            "connection_encryption_key_refresh": lambda: end(),
            "connection_encryption_failure": end,
            "disconnection": end,
        }
        for event, listener in watched.items():
            connection.on(event, listener)
        try:
            await self.central.device.host.send_async_command(
                hci.HCI_LE_Enable_Encryption_Command(
                    connection_handle=connection.handle,
                    random_number=rand,
                    encrypted_diversifier=ediv,
                    long_term_key=key,
                )
            )
            async with asyncio.timeout(40):
                return await ended
        except TimeoutError:
            return 0x22
        finally:
            for event, listener in watched.items():
                connection.remove_listener(event, listener)
