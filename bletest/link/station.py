"""A station: one bumble device with our host, on the virtual air or on a real controller."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import cast

from bumble import core, hci
from bumble.device import Device, DeviceConfiguration
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig
from bumble.transport import open_transport
from bumble.transport.common import Transport, TransportLostError

from bletest.errors import AdapterUnusable, UsageMistake
from bletest.link.capture import DEFAULT_LENGTH, Tap
from bletest.link.clock import real_time
from bletest.link.controller import VirtualController
from bletest.link.host import AttHost
from bletest.link.quick_host import QuickDevice, trim
from bletest.link.randomness import Randomness
from bletest.link.smp import SecurityManager
from bletest.link.smp import use as use_security_manager
from bletest.link.trouble import explain_open_failure, explain_setup_failure, explain_silence
from bletest.link.virtual import VirtualLink

ANSWER_TIMEOUT = 5.0
"""Seconds within which a transport has to open and its controller has to answer."""

GOODBYE_TIMEOUT = 2.0
"""Seconds that closing may take to end links and reset the controller."""


class Station:
    """A powered-on bumble ``Device`` whose ATT goes to our engines.

    ``device`` is the bumble device (LE only, no GATT services, keys in memory, identity address
    type RANDOM), ``host`` its :class:`~bletest.link.host.AttHost`, ``is_virtual`` says whether
    its controller is on a :class:`~bletest.link.virtual.VirtualLink`. Its addresses, keys and
    nonces come from ``randomness``.
    """

    def __init__(
        self,
        device: Device,
        host: AttHost,
        *,
        controller: VirtualController | None,
        resources: contextlib.AsyncExitStack | None,
        randomness: Randomness,
    ) -> None:
        self.device = device
        self.host = host
        self.controller = controller
        self.randomness = randomness
        self._resources = resources
        self._closed = False

    @property
    def is_virtual(self) -> bool:
        """Whether the controller is on a virtual air."""
        return self.controller is not None

    @property
    def address(self) -> str:
        """The random address it goes by, ``C0:…`` unless it was made private."""
        return str(self.device.random_address)

    @property
    def security_manager(self) -> SecurityManager:
        """The Security Manager of the device."""
        return cast("SecurityManager", self.device.smp_manager)

    async def renew_address(self, *, private: bool = False) -> str:
        """Take a fresh address and return it: random static, or resolvable by its IRK.

        To its peers it is a stranger, or with ``private`` a friend that only bonded ones know.
        Not while it scans, advertises, connects or is connected (Vol 4, Part E, 7.8.4); raises
        :class:`~bletest.errors.AdapterUnusable` where the controller refuses.
        """
        if private:
            address = self.randomness.resolvable_address(self.device.irk)
        else:
            address = self.randomness.static_address()
        await self.take_address(address)
        return self.address

    async def take_address(self, address: hci.Address) -> None:
        """Go by another random address from now on; when and what as :meth:`renew_address`."""
        try:
            await self.device.send_sync_command(
                hci.HCI_LE_Set_Random_Address_Command(random_address=address)
            )
        except (hci.HCI_Error, TransportLostError) as error:
            raise AdapterUnusable(f"the controller takes no new address: {error}") from error
        self.device.random_address = address
        if address.is_static:
            self.device.static_address = address

    def vanish(self) -> None:
        """Lose the controller, as when a dongle is pulled out: its host finds the transport gone.

        A virtual one leaves the air without a word; a real one stays where it is.
        """
        if self.controller is not None:
            self.controller.link.remove_controller(self.controller)
        self.host.on_transport_lost()

    async def close(self) -> None:
        """Disconnect, reset the controller, close the transport. Closing twice is harmless.

        Peers see their links end with reason 0x13 (Remote User Terminated Connection).
        """
        if self._closed:
            return
        self._closed = True
        try:
            if not self.host.lost:
                await self._say_goodbye()
        finally:
            # Nothing more comes from the controller, and whoever still waits for it wakes up.
            self.host.on_lost = None
            self.host.on_transport_lost()
            if self.controller is not None:
                self.controller.link.remove_controller(self.controller)
            if self._resources is not None:
                await self._resources.aclose()

    async def _say_goodbye(self) -> None:
        # A controller that has stopped answering must not keep its station from closing.
        with contextlib.suppress(TimeoutError, hci.HCI_Error, core.BaseBumbleError):
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                for connection in tuple(self.device.connections.values()):
                    await connection.disconnect()
                await self.host.send_sync_command(hci.HCI_Reset_Command())


async def open_station(
    where: VirtualLink | str,
    *,
    name: str,
    address: str | None,
    rng: random.Random,
    irk: bytes | None = None,
    answer_timeout: float = ANSWER_TIMEOUT,
    tap: Tap | None = None,
) -> Station:
    """Open a station on the air, or on any bumble transport (``usb:0``, ``tcp-client:…``).

    ``address`` is a random static address (two top bits set, ``C0:…`` to ``FF:…``); None makes
    one from ``rng``, from which come everything random in pairing too, and the IRK where ``irk``
    is None. While a
    station on a transport is open, a virtual clock follows the wall clock. ``tap`` sees what
    host and controller say to each other.

    Raises :class:`~bletest.errors.UsageMistake` for any other address, and
    :class:`~bletest.errors.AdapterUnusable` with a remedy where the transport cannot be opened
    or the controller does not answer within ``answer_timeout`` seconds.
    """
    randomness = Randomness(rng)
    static_address = randomness.static_address() if address is None else _parse_static(address)
    irk = randomness.octets("irk", 16) if irk is None else irk
    host = AttHost()
    host.tap = tap
    if isinstance(where, VirtualLink):
        controller = where.new_controller(name)
        try:
            host.set_packet_sink(controller)
            host.set_packet_source(controller)
            device = _new_device(name, static_address, irk, host)
            use_security_manager(device, randomness)
            await _power_on(device, where, answer_timeout, tap)
            trim(host)
            trim(controller)
        except BaseException:
            where.remove_controller(controller)
            raise
        return Station(device, host, controller=controller, resources=None, randomness=randomness)
    async with contextlib.AsyncExitStack() as resources:
        resources.enter_context(real_time(asyncio.get_running_loop()))
        transport = await resources.enter_async_context(_opened(where, answer_timeout))
        host.set_packet_sink(transport.sink)
        host.set_packet_source(transport.source)
        device = _new_device(name, static_address, irk, host)
        use_security_manager(device, randomness)
        await _power_on(device, where, answer_timeout, tap)
        return Station(
            device, host, controller=None, resources=resources.pop_all(), randomness=randomness
        )


async def _power_on(
    device: Device, where: VirtualLink | str, answer_timeout: float, tap: Tap | None
) -> None:
    try:
        async with asyncio.timeout(answer_timeout):
            await device.power_on()
    except TimeoutError:
        raise explain_silence(where, answer_timeout) from None
    except (hci.HCI_Error, AssertionError, RuntimeError) as error:
        # TransportLostError is a RuntimeError, and bumble asserts what answers look like.
        raise explain_setup_failure(where, error) from error
    if tap is not None:
        queue = device.host.le_acl_packet_queue or device.host.acl_packet_queue
        tap.settle(queue.max_packet_size if queue is not None else DEFAULT_LENGTH)


def _parse_static(address: str) -> hci.Address:
    try:
        parsed = hci.Address(address, hci.Address.RANDOM_DEVICE_ADDRESS)
    except (ValueError, core.BaseBumbleError):
        parsed = None
    if parsed is None or not parsed.is_static:
        raise UsageMistake(
            f"{address} is not a random static address (Vol 6, Part B, 1.3.2.1)",
            remedy="write six octets, the first from C0 to FF: C0:01:02:03:04:05",
        )
    return parsed


_CONFIGURATION = DeviceConfiguration(
    advertising_data=b"",
    scan_response_data=b"",
    classic_enabled=False,
    classic_smp_enabled=False,
    gap_service_enabled=False,
    gatt_service_enabled=False,
    # The default is the public address, by which a peer on a random one finds no bond.
    identity_address_type=PairingConfig.AddressType.RANDOM,
)
"""What all stations have in common; they keep it, and nobody changes it."""


def _new_device(name: str, address: hci.Address, irk: bytes, host: AttHost) -> Device:
    device = QuickDevice(name=name, address=address, config=_CONFIGURATION, host=host)
    device.irk = irk
    device.keystore = MemoryKeyStore()
    return device


@contextlib.asynccontextmanager
async def _opened(spec: str, timeout: float) -> AsyncIterator[Transport]:
    try:
        async with asyncio.timeout(timeout):
            transport = await open_transport(spec)
    except Exception as error:
        # Transports raise what bumble, pyserial, libusb, gRPC or the system has for them.
        raise explain_open_failure(spec, error) from error
    try:
        yield transport
    finally:
        await transport.close()
        # Stream transports report their end in the next turn of the loop.
        await asyncio.sleep(0)
