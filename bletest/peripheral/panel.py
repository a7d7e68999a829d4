"""Display and keys of an emulated device, and the person who stands before them."""

import asyncio
from collections.abc import Callable

from bletest.errors import NotSeen
from bletest.link.smp_session import TIMEOUT


class Panel:
    """What a person sees and does at the device while it pairs.

    ``shown`` is the number on its display, None while there is none. ``agrees`` is what the
    person says when asked whether the numbers on both devices are the same. ``tell`` gets a
    sentence for whatever appears there.
    """

    __slots__ = ("_change", "_tell", "_typed", "agrees", "shown")

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.shown: int | None = None
        self.agrees = True
        self._tell = tell
        self._typed: int | None = None
        self._change: asyncio.Event | None = None

    def show(self, number: int, what: str) -> None:
        """Put six digits on the display."""
        self.shown = number
        self._tell(f"the display shows the {what} {number:06}")
        self._changed()

    def clear(self) -> None:
        """Forget what was shown and typed: another pairing begins."""
        self.shown = self._typed = None

    def type(self, passkey: int) -> None:
        """Type what the other device shows, now or as soon as the device asks for it."""
        self._typed = passkey
        self._changed()

    async def displayed(self, *, within: float = TIMEOUT) -> int:
        """Return the number on the display, as soon as there is one; raises NotSeen."""
        return await self._wait(lambda: self.shown, within, "its display stayed empty")

    async def typed(self, *, within: float = TIMEOUT) -> int:
        """Return what the person has typed, as soon as that is; raises NotSeen."""
        number = await self._wait(lambda: self._typed, within, "nobody has typed a passkey")
        self._tell(f"the passkey {number:06} is typed in")
        return number

    def _changed(self) -> None:
        if self._change is not None:
            self._change.set()

    async def _wait(self, number: Callable[[], int | None], within: float, otherwise: str) -> int:
        try:
            async with asyncio.timeout(within):
                while (found := number()) is None:
                    self._change = asyncio.Event()
                    await self._change.wait()
                return found
        except TimeoutError:
            raise NotSeen(f"the emulated device: {otherwise} for {within:g} s") from None
