"""A central made of bumble alone: it sends any ATT PDU and shares no line with our engines."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

from bumble import hci, l2cap, smp
from bumble.controller import Controller
from bumble.device import Connection, Device
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

ATT_CID = 4
EATT_PSM = 0x27
CSRK = bytes(range(0xA0, 0xB0))
"""The signature resolving key that every raw central hands out where it bonds."""

_SERVER_ONLY = {0x1B, 0x1D, 0x23}


class _Pairing(smp.Session):
    """bumble's pairing, with what Vol 3, Part H asks of it and bumble leaves out.

    LTK and STK have no more octets than the central said it takes (2.3.4), and the CSRK is not
    zero.
    """

    _ltk: bytes
    _stk: bytes | None = None

    @property
    def ltk(self) -> bytes:
        return self._ltk

    @ltk.setter
    def ltk(self, key: bytes) -> None:
        self._ltk = self._shortened(key)

    @property  # type: ignore[override]
    def stk(self) -> bytes | None:
        return self._stk

    @stk.setter
    def stk(self, key: bytes | None) -> None:
        self._stk = key and self._shortened(key)

    def _shortened(self, key: bytes) -> bytes:
        size = self.maximum_encryption_key_size
        return key[:size] + bytes(16 - size)

    def send_command(self, command: smp.SMP_Command) -> None:
        if isinstance(command, smp.SMP_Signing_Information_Command):
            command = smp.SMP_Signing_Information_Command(signature_key=CSRK)
        super().send_command(command)


class Air(Protocol):
    """What connects controllers: our virtual link, or bumble's."""

    def new_controller(self, name: str) -> Controller:
        """Return a new controller on this air."""

    def remove_controller(self, controller: Controller) -> None:
        """Take a controller off this air."""


class EnhancedBearer:
    """An enhanced ATT bearer of a raw central."""

    def __init__(self, channel: l2cap.LeCreditBasedChannel) -> None:
        self.channel = channel
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        channel.sink = self.received.put_nowait

    def send(self, pdu: bytes) -> None:
        """Send any octets as one SDU."""
        self.channel.write(pdu)

    async def request(self, pdu: bytes, *, within: float = 5.0) -> bytes | None:
        """Send and return what comes next, None for silence."""
        self.send(pdu)
        return await self.next(within=within)

    async def next(self, *, within: float = 5.0) -> bytes | None:
        """Return the next PDU, None if there is none in time."""
        try:
            async with asyncio.timeout(within):
                return await self.received.get()
        except TimeoutError:
            return None

    async def close(self) -> None:
        """Close the channel."""
        await self.channel.disconnect()


class RawCentral:
    """Connects to one peripheral and exchanges octets with it.

    ``key_size`` is the most octets of an encryption key that it takes, 7 to 16.
    """

    def __init__(
        self,
        link: Air,
        peer: str,
        *,
        address: str = "F0:00:00:00:00:01",
        key_size: int = 16,
    ) -> None:
        self._peer = hci.Address(peer, hci.Address.RANDOM_DEVICE_ADDRESS)
        controller: Any = link.new_controller(f"raw {address}")
        assert isinstance(controller, Controller)
        host = Host()
        host.set_packet_sink(controller)
        host.set_packet_source(controller)
        self.device = Device(
            name="raw",
            address=hci.Address(address, hci.Address.RANDOM_DEVICE_ADDRESS),
            host=host,
        )
        self.device.keystore = MemoryKeyStore()
        self.device.smp_manager.session_proxy = _Pairing
        keys = PairingDelegate.DEFAULT_KEY_DISTRIBUTION
        self.device.pairing_config_factory = lambda _: PairingConfig(
            mitm=False,
            delegate=PairingDelegate(
                PairingDelegate.NO_OUTPUT_NO_INPUT,
                keys | PairingDelegate.KeyDistribution.DISTRIBUTE_SIGNING_KEY,
                keys,
                key_size,
            ),
            identity_address_type=PairingConfig.AddressType.RANDOM,
        )
        self.device.l2cap_channel_manager.register_fixed_channel(ATT_CID, self._on_att)
        self.connection: Connection
        self.notifications: asyncio.Queue[bytes] = asyncio.Queue()
        self._responses: asyncio.Queue[bytes] = asyncio.Queue()
        self._link, self._controller = link, controller

    async def __aenter__(self) -> Self:
        await self.device.power_on()
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.disconnect()
        self._link.remove_controller(self._controller)

    async def connect(self) -> None:
        """Connect (again)."""
        self.connection = await self.device.connect(
            self._peer, own_address_type=hci.OwnAddressType.RANDOM
        )

    async def disconnect(self) -> None:
        """Disconnect if connected."""
        if self.is_connected:
            await self.connection.disconnect()
            await asyncio.sleep(0.1)

    async def pair(self) -> None:
        """Pair (Just Works) and bond; the link is encrypted afterwards."""
        await self.connection.pair()
        await asyncio.sleep(0.1)

    async def encrypt(self) -> None:
        """Encrypt the link with the key of the bond."""
        await self.connection.encrypt()
        await asyncio.sleep(0.1)

    async def open_enhanced(
        self, count: int, *, mtu: int = 64, mps: int = 64, credits: int = 8
    ) -> list[EnhancedBearer]:
        """Open enhanced ATT bearers; raises bumble's L2capError where they are refused."""
        channels = await self.device.l2cap_channel_manager.create_enhanced_credit_based_channels(
            self.connection,
            l2cap.LeCreditBasedChannelSpec(psm=EATT_PSM, mtu=mtu, mps=mps, max_credits=credits),
            count,
        )
        return [EnhancedBearer(channel) for channel in channels]

    def _on_att(self, _handle: int, pdu: bytes) -> None:
        queue = self.notifications if pdu[0] in _SERVER_ONLY else self._responses
        queue.put_nowait(pdu)

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return self.connection.handle in self.device.connections

    @contextmanager
    def taking(self, *cids: int) -> Iterator["asyncio.Queue[tuple[int, bytes]]"]:
        """Take every L2CAP frame on those channels, instead of bumble, as (CID, octets)."""
        manager: Any = self.device.l2cap_channel_manager
        taken: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        bumbles = manager.on_pdu

        def on_pdu(connection: Connection, cid: int, pdu: bytes) -> None:
            if cid in cids:
                taken.put_nowait((cid, pdu))
            else:
                bumbles(connection, cid, pdu)

        manager.on_pdu = on_pdu
        try:
            yield taken
        finally:
            del manager.on_pdu

    def send_frame(self, cid: int, payload: bytes) -> None:
        """Send any octets on any L2CAP channel."""
        self.device.send_l2cap_pdu(self.connection.handle, cid, payload)

    def send(self, pdu: bytes) -> None:
        """Send any octets on the ATT channel."""
        self.device.send_l2cap_pdu(self.connection.handle, ATT_CID, pdu)

    async def request(self, pdu: bytes, *, within: float = 5.0) -> bytes | None:
        """Send and return the next response, None for silence."""
        self.send(pdu)
        return await self.response(within=within)

    async def response(self, *, within: float = 5.0) -> bytes | None:
        """Return the next response, None for silence."""
        try:
            async with asyncio.timeout(within):
                return await self._responses.get()
        except TimeoutError:
            return None

    async def notification(self, *, within: float = 5.0) -> bytes | None:
        """Return the next notification or indication, None if there is none in time."""
        try:
            async with asyncio.timeout(within):
                return await self.notifications.get()
        except TimeoutError:
            return None
