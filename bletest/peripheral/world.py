"""What the world does to an emulated device: it is carried away, its battery falls out."""

import abc
import asyncio

from bletest.errors import UsageMistake
from bletest.link.controller import VirtualController
from bletest.link.station import Station


class InTheWorld(abc.ABC):
    """The verbs of the world, for devices on the virtual air; with any link model, and without.

    The supervision timeout that they speak of is the connection's: what the central's host asked
    for (720 ms unless it says otherwise), or the link model's. It counts from the last packet that
    was heard; on an ``instant`` air that is the moment of the verb. All of them raise
    :class:`~bletest.errors.UsageMistake` where the device is not on the virtual air.
    """

    _station: Station | None
    _unpowered: Station | None = None

    @abc.abstractmethod
    async def start(self, station: Station) -> None:
        """Take over the station's ATT and pairing, and advertise."""

    @abc.abstractmethod
    def _halt(self, station: Station) -> None:
        """End every behaviour and forget every link, saying nothing to anybody."""

    @abc.abstractmethod
    def _restore(self) -> None:
        """Forget what is not kept over a reboot."""

    @abc.abstractmethod
    def note(self, text: str, detail: str = "") -> None:
        """Tell the transcript what a client cannot see."""

    def simulate_out_of_range(self) -> None:
        """Carry the device so far away that nobody hears it, nor it anybody.

        Scanners see no more of it, and connecting to it times out. Connected centrals observe
        nothing at first: what they send waits, and so do requests. When the supervision timeout
        has passed their link ends with reason 0x08 (Connection Timeout), and so does the
        device's end. A device that is back before that has lost nothing.
        """
        controller = self._controller("go out of range")
        self.note("out of range")
        controller.link.take_out_of_range(controller)

    def simulate_back_in_range(self) -> None:
        """Bring the device back; harmless where it is in range.

        Connections whose supervision timeout has not passed go on, and everything that was sent
        meanwhile arrives. Otherwise centrals observe its advertising again, at once if the
        device has noticed the loss already, else as soon as its own supervision timeout has passed.
        """
        controller = self._controller("come back in range")
        self.note("back in range")
        controller.link.bring_back_in_range(controller)

    def simulate_distance(self, metres: float | None) -> None:
        """Move the device so many metres away from everybody; None is where the model has it.

        Everybody hears it at another RSSI from now on: -40 dBm at 1 m, 20 dB less at ten times the
        distance, unless the link model gives ``rssi``. Beyond the model's ``range`` it is as after
        :meth:`simulate_out_of_range`, and nearer it is back.
        """
        controller = self._controller("be moved")
        self.note("in its place again" if metres is None else f"{metres:g} m away")
        controller.link.place(controller, metres)

    def simulate_power_loss(self) -> None:
        """Pull the battery: the device says nothing any more, and forgets all but its bonds.

        Connected centrals observe nothing at first; when the supervision timeout has passed
        their link ends with reason 0x08 (Connection Timeout). Scanners see no more of it. It stays
        off until :meth:`simulate_power_return`; off already, nothing happens.
        """
        if self._unpowered is not None:
            return
        controller = self._controller("lose power")
        assert self._station is not None
        station, self._station = self._station, None
        self._unpowered = station
        self.note("power lost")
        controller.fall_silent()
        self._halt(station)
        station.host.forget_connections()
        self._restore()

    async def simulate_power_return(self) -> None:
        """Put the battery back, and return when the device advertises, with its profile's values.

        Centrals that still wait for their supervision timeout go on waiting: the device knows
        nothing of their connections. They find it by scanning and connect anew; bonds hold. On
        already, nothing happens.
        """
        if self._unpowered is None:
            return
        station, self._unpowered = self._unpowered, None
        self.note("power is back")
        await station.device.stop_advertising()  # as bumble believes it still does
        await self.start(station)

    async def simulate_reboot(self, *, down: float = 0.0) -> None:
        """Lose power for ``down`` seconds, and return when the device advertises again.

        Connected centrals observe what :meth:`simulate_power_loss` says: no word of goodbye, but
        reason 0x08 (Connection Timeout) when the supervision timeout has passed since the power was
        lost, whether the device is back by then or not. ``reset()`` is the reboot of a device that
        says goodbye first.
        """
        self.simulate_power_loss()
        await asyncio.sleep(down)
        await self.simulate_power_return()

    def _controller(self, what: str) -> VirtualController:
        station = self._station or self._unpowered
        if station is None:
            raise UsageMistake(
                f"a device that was not started cannot {what}", remedy="start it first"
            )
        if station.controller is None:
            raise UsageMistake(
                f"a device on a real radio cannot {what} by itself",
                remedy="leave --ble-emulate-on away: the virtual air can do it",
            )
        return station.controller
