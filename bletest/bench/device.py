"""The device under test: the same object for the test, whether it is emulated or real."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bletest.bench.settings import DeviceSelector
from bletest.contracts.capabilities import Capability
from bletest.errors import CapabilityMissing
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.expectation import DeviceExpectation
from bletest.profile.spec import Profile


@dataclass(slots=True)
class DeviceUnderTest:
    """What a test knows of its device.

    ``selector`` says how a real device is found, ``peripheral`` is the emulated one; one of the
    two is None. ``restart`` starts its firmware anew, where the bench can. ``address`` is empty
    for a real device that was not seen yet.
    """

    profile: Profile = field(repr=False)
    selector: DeviceSelector | None = None
    peripheral: VirtualPeripheral | None = None
    restart: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    address: str = ""

    @property
    def name(self) -> str:
        """The name it goes by: what the profile says it advertises, or its GAP device name."""
        return self.profile.advertising.name or self.profile.device.name

    @property
    def expectation(self) -> DeviceExpectation:
        """What the profile promises of it; of an emulated one, in the mode that it is in."""
        if self.peripheral is not None:
            return self.peripheral.profile.expectation
        return self.profile.expectation

    async def reset(self) -> None:
        """Reboot it: its links drop, unbonded clients are forgotten.

        Firmware that the bench runs is ended and started anew.

        Raises :class:`CapabilityMissing` where the bench has no way to do that.
        """
        if self.restart is not None:
            await self.restart()
            return
        if self.peripheral is None:
            raise CapabilityMissing(
                f"{self.name} cannot be reset from here",
                capability="reset",
                remedy="what can be reset is an emulated device, or the firmware of "
                "--ble-device-command",
            )
        await self.peripheral.reset()

    async def wake(self) -> None:
        """Press its button: it advertises, for as long as its profile says.

        Raises :class:`CapabilityMissing` where the bench has no way to do that.
        """
        if self.peripheral is None:
            window = self.profile.advertising.window
            says = f"; its profile says that it advertises {window}" if window else ""
            raise CapabilityMissing(
                f"{self.name} cannot be woken from here{says}",
                capability=Capability.WAKE,
                remedy=f"use {Capability.WAKE.provided_by}",
            )
        await self.peripheral.wake()

    async def wake_if_asleep(self) -> None:
        """Wake an emulated device whose window has closed; leave any other as it is."""
        if self.peripheral is not None and self.peripheral.asleep:
            await self.peripheral.wake()
