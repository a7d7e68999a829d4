"""The agent that a run gives its clients: it answers right, from what the bench can see."""

import asyncio
import re

from bletest.bench.firmware import Firmware
from bletest.client.agent import OutOfBand, PairingAgent
from bletest.errors import BenchTrouble, CapabilityMissing
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.security import NO_INPUT_NO_OUTPUT, SecuritySpec, Support

PASSKEY_APPEARS = 20.0
"""Seconds that firmware may take to write a passkey to its console."""

PASSKEY_STOOD_THERE = 3.0
"""Seconds after which a passkey counts that stood on the console before the pairing began."""

_POLL = 0.05
_REMEDY = (
    "say `security.passkey` in the profile, six digits or {console: PATTERN} with "
    "--ble-device-command, or override the fixture ble_pairing_agent"
)


class DeviceAgent(PairingAgent):
    """Pairs as well as the device can, and answers right.

    A passkey comes from the profile, from the display of the emulated ``peripheral``, or from
    what ``firmware`` writes; without any of them CapabilityMissing is raised, and the plugin skips.
    Numbers are compared with the display of an emulated device. What a real one shows nobody here
    can see: it is agreed to, and the device's side decides.
    """

    def __init__(
        self,
        security: SecuritySpec,
        *,
        peripheral: VirtualPeripheral | None = None,
        firmware: Firmware | None = None,
        timeout_scale: float = 1.0,
    ) -> None:
        screenless = security.io == NO_INPUT_NO_OUTPUT
        super().__init__(
            io=NO_INPUT_NO_OUTPUT if screenless else "keyboard_display",
            mitm=security.authenticates,
            secure_connections=security.secure_connections is not Support.UNSUPPORTED,
            passkey=security.passkey,
        )
        self._security = security
        self._peripheral = peripheral
        self._firmware = firmware
        self._scale = timeout_scale
        self._console_from = 0

    @property
    def oob(self) -> OutOfBand | None:
        """What the emulated device hands out of band; of a real one nothing is known."""
        if self._peripheral is None:
            return None
        room = self._peripheral.pairing_room
        if room.oob is None or room.oob_legacy is None:
            return None
        if not self.secure_connections:
            return OutOfBand(temporary_key=room.oob_legacy.tk)
        shared = room.oob.share()
        return OutOfBand(confirm=shared.c, random=shared.r)

    def begin(self) -> None:
        """Remember where the console stands; raise what is known not to work."""
        super().begin()
        # Known before anything is sent: a device takes a pairing that was given up for a guess.
        if self._peripheral is None and self.mitm and self.passkey is None:
            console = self._security.passkey_console is not None and self._firmware is not None
            if self._security.io == "display_only" and not console:
                raise self._unknown("the passkey that the device shows is not known here")
            if self._security.io == "keyboard_only":
                raise self._unknown("nobody types the passkey at the device")
        if self._firmware is not None:
            self._console_from = self._firmware.end_of_output()

    async def enter_passkey(self) -> int | None:
        """Enter the passkey of the profile, of the emulated display, or of the console."""
        if self.passkey is not None:
            return self.passkey
        if self._peripheral is not None:
            return await self._peripheral.panel.displayed()
        if self._security.passkey_console is not None and self._firmware is not None:
            return await self._read_console(self._security.passkey_console, self._firmware)
        raise self._unknown("the passkey that the device shows is not known here")

    async def choose_passkey(self) -> int | None:
        """Leave it to the seed where an emulated device's person types it."""
        if self.passkey is None and self._peripheral is None:
            raise self._unknown("nobody types the passkey at the device")
        return self.passkey

    async def show_passkey(self, passkey: int) -> None:
        """Have it typed at the emulated device."""
        if self._peripheral is not None:
            self._peripheral.panel.type(passkey)

    async def compare(self, number: int) -> bool:
        """Look at the display of the emulated device."""
        if self._peripheral is None:
            return self.agrees
        return self.agrees and await self._peripheral.panel.displayed() == number

    async def _read_console(self, pattern: str, firmware: Firmware) -> int:
        wanted = re.compile(pattern)
        loop = asyncio.get_running_loop()
        start = loop.time()
        while loop.time() < start + PASSKEY_APPEARS * self._scale:
            since = self._console_from
            if loop.time() > start + PASSKEY_STOOD_THERE * self._scale:
                since = 0
            found = wanted.findall(firmware.output(since))
            if found:
                return _six_digits(found[-1], pattern)
            await asyncio.sleep(_POLL)
        raise BenchTrouble(
            f"the firmware has written no passkey that matches {pattern} within"
            f" {PASSKEY_APPEARS * self._scale:g} s of the pairing",
            remedy=f"compare `security.passkey` with what it writes, in {firmware.log}",
        )

    def _unknown(self, what: str) -> CapabilityMissing:
        if self._security.passkey_console is not None:
            what += ": the console is that of firmware which bletest runs, and it runs none"
        return CapabilityMissing(what, capability="passkey", remedy=_REMEDY)


def _six_digits(text: str, pattern: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text):
        raise BenchTrouble(
            f'the passkey on the console is "{text}"',
            remedy=f"have the group of {pattern} match six digits",
        )
    return int(text)
