"""From a device that was found to a connected :class:`~bletest.client.gatt.GattClient`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bleak import BleakClient
from bleak.backends.device import BLEDevice

from bletest.client.agent import PairingAgent
from bletest.client.gatt import Around, GattClient, LinkWatch
from bletest.client.raw import RawAtt
from bletest.client.scan import Found, find
from bletest.contracts.advertisements import Advertisement
from bletest.contracts.capabilities import Capability
from bletest.contracts.windows import LinkTiming
from bletest.profile.expectation import DeviceExpectation

if TYPE_CHECKING:
    from bletest.client.adapter import BumbleAdapter

OWN_CAPABILITIES = frozenset(
    {
        Capability.RAW_ATT,
        Capability.PAIRING,
        Capability.PAIRING_CHOICE,
        Capability.HANDLES,
        Capability.MTU_CHOICE,
        Capability.ALL_SERVICES,
    }
)
"""What every :class:`BumbleAdapter` can do."""


def make_client(
    adapter: "BumbleAdapter | None",
    target: Found | BLEDevice | str,
    *,
    expectation: DeviceExpectation | None = None,
    advertisement: Advertisement | None = None,
    capabilities: Iterable[Capability] = (),
    timing: LinkTiming | None = None,
    timeout: float = 30.0,
    pair: bool = False,
    around: Around | None = None,
    address_type: str | None = None,
    agent: PairingAgent | None = None,
) -> GattClient:
    """Return a client that is not connected yet: ``async with`` or ``connect()`` does that.

    ``adapter`` None is the operating system's, through bleak. ``target`` is what a scan found,
    or an address. ``capabilities`` come on top of what an adapter of ours has; ``timeout`` is
    in seconds and for connecting; ``pair`` encrypts the link before discovery, ``agent`` answers
    for the person at a client of ours. ``around`` is what is known of the device beside the link.
    ``address_type`` (``"public"`` or ``"random"``) helps an adapter of ours where the device was
    not scanned for.
    """
    if isinstance(target, Found):
        advertisement = advertisement or target.advertisement
        target = target.device
    watch = LinkWatch()

    def make(device: BLEDevice | str, kind: str | None) -> tuple[BleakClient, RawAtt | None]:
        if adapter is None:
            return BleakClient(device, watch, timeout=timeout, pair=pair), None
        from bletest.client.backend import BumbleClient, RawPort  # bumble only where it is needed

        port = RawPort()
        options: dict[str, Any] = {"port": port, "address_type": kind, "agent": agent}
        backend = BumbleClient.on(adapter)
        client = BleakClient(device, watch, timeout=timeout, pair=pair, backend=backend, **options)
        return client, port

    async def elsewhere(
        address: str | None, name: str | None, within: float
    ) -> tuple[BleakClient, RawAtt | None, Advertisement]:
        found = await find(adapter, address=address, name=None if address else name, within=within)
        return *make(found.device, None), found.advertisement

    own: frozenset[Capability] = frozenset() if adapter is None else OWN_CAPABILITIES
    client, raw = make(target, address_type)
    return GattClient(
        client,
        expectation=expectation,
        watch=watch,
        raw=raw,
        timing=timing,
        capabilities=own | frozenset(capabilities),
        advertisement=advertisement,
        around=around,
        elsewhere=elsewhere,
    )
