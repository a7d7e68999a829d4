"""Who hears whom: distance, range, silence, loss, scan windows, and clocks that drift."""

import math
import random
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from bumble.controller import Controller

from bletest.link.airtime import T_IFS, advertising_time
from bletest.link.model import NOMINAL_RSSI, LinkModel

if TYPE_CHECKING:
    from bletest.link.advertiser import Advertiser

CHANNELS = 3
"""Primary advertising channels, 37 to 39, in the order in which an event uses them."""

_SCAN_UNIT = 0.000625
_PPM = 1e-6
_MICROSECOND = 1e-6


class Radio:
    """What a link model and the world do to everything that controllers send.

    ``model`` is None where everything arrives at once. ``is_clear`` says that everybody hears
    everything: no model, and nobody out of range; it is all that an instant air looks at.

    Each random thing has a stream of its own, named by the seed, by who sends to whom, and by
    what for, so that one more device does not change what happens to the others.
    """

    def __init__(self, seed: int) -> None:
        self.model: LinkModel | None = None
        self.is_clear = True
        self._air_seed = seed
        self._silent: dict[Controller, None] = {}
        self._distances: dict[Controller, float] = {}
        self._listening_since: dict[Controller, float] = {}
        self._streams: dict[str, random.Random] = {}
        self._connections: Counter[str] = Counter()

    def use(self, model: LinkModel | None) -> None:
        """Put ``model`` in force for what is sent and connected from now on.

        What is random begins anew, so that the same happens whatever was on the air before.
        Connections that exist keep theirs.
        """
        self.model = model
        self._streams.clear()
        self._connections.clear()
        self._settle()

    def _settle(self) -> None:
        self.is_clear = self.model is None and not self._silent

    # Where everybody is.

    def silence(self, controller: Controller) -> None:
        """Let nobody hear ``controller``, nor it anybody."""
        self._silent[controller] = None
        self._settle()

    def unsilence(self, controller: Controller) -> None:
        """Bring it back to where it was."""
        self._silent.pop(controller, None)
        self._settle()

    def place(self, controller: Controller, distance: float | None) -> None:
        """Put it so many metres away from everybody else; None is where the model has it."""
        if distance is None:
            self._distances.pop(controller, None)
        else:
            self._distances[controller] = distance

    def forget(self, controller: Controller) -> None:
        """``controller`` has left the air."""
        self._listening_since.pop(controller, None)
        self.place(controller, None)
        self.unsilence(controller)

    def distance(self, one: Controller, other: Controller) -> float | None:
        """Return the metres between two; None where neither they nor a model say."""
        placed = [self._distances[end] for end in (one, other) if end in self._distances]
        if placed:
            return max(placed)
        return self.model.distance if self.model is not None else None

    def reaches(self, one: Controller, other: Controller) -> bool:
        """Whether two can hear each other at all."""
        if self.is_clear:
            return True
        if one in self._silent or other in self._silent:
            return False
        distance = self.distance(one, other)
        return self.model is None or distance is None or distance <= self.model.range

    def rssi(self, sender: Controller, receiver: Controller) -> int:
        """Return at how many dBm ``receiver`` hears ``sender``."""
        if self.model is None and not self._distances:
            return NOMINAL_RSSI
        return (self.model or _PLAIN).rssi_at(self.distance(sender, receiver))

    def rate(self, controller: Controller) -> float:
        """Return how fast its clock runs: 1 is true, 1.00002 is 20 ppm too fast."""
        if self.model is None or not self.model.drift:
            return 1.0
        error = random.Random(f"{self._seed}/{controller.name}/drift").uniform(-1, 1)
        return 1 + error * self.model.drift * _PPM

    # Chance.

    @property
    def _seed(self) -> int:
        seed = self.model.seed if self.model is not None else None
        return self._air_seed if seed is None else seed

    def new_connection(self, central: Controller, peripheral: Controller) -> Callable[[], float]:
        """Return the chance of one connection: a draw from 0 to 1 at each call."""
        pair = f"{central.name}>{peripheral.name}"
        self._connections[pair] += 1
        return random.Random(f"{self._seed}/{pair}/{self._connections[pair]}/loss").random

    def loses(self, sender: Controller, receiver: Controller, what: str) -> bool:
        """Whether ``receiver`` misses one packet outside of connections."""
        if self.model is None or not self.model.loss:
            return False
        name = f"{sender.name}>{receiver.name}/{what}"
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random(f"{self._seed}/{name}")
        return stream.random() < self.model.loss

    # Advertising.

    def on_listening(self, controller: Controller, now: float) -> None:
        """``controller`` begins to scan or to initiate: its scan windows count from here."""
        self._listening_since[controller] = now

    def hears(
        self,
        listener: Controller,
        advertiser: "Advertiser",
        now: float,
        *,
        interval: int,
        window: int,
    ) -> bool:
        """Whether ``listener`` receives one of the PDUs of an advertising event.

        ``interval`` and ``window`` are the scan's, in units of 0.625 ms. The event has one PDU
        on each of the three channels, the next two T_IFS after the end of the one before. A
        scan listens in each window on the channel after that of the window before.
        """
        if self.is_clear:
            return True
        if not self.reaches(listener, advertiser.controller):
            return False
        if self.model is None:
            return True
        duration = advertising_time(len(advertiser.advertising_data)) * _MICROSECOND
        step = duration + 2 * T_IFS * _MICROSECOND
        since = self._listening_since.get(listener, 0.0)
        for channel in range(CHANNELS):
            elapsed = now + channel * step - since
            number = math.floor(elapsed / (interval * _SCAN_UNIT) + 1e-9)
            into = elapsed - number * interval * _SCAN_UNIT
            if (
                number % CHANNELS == channel
                and into + duration <= window * _SCAN_UNIT + 1e-9
                and not self.loses(advertiser.controller, listener, "advertising")
            ):
                return True
        return False

    def answers(self, advertiser: "Advertiser", scanner: Controller) -> bool:
        """Whether a SCAN_REQ of ``scanner`` and the SCAN_RSP to it both get through."""
        if self.is_clear:
            return True
        return not (
            self.loses(scanner, advertiser.controller, "scan request")
            or self.loses(advertiser.controller, scanner, "scan response")
        )


_PLAIN = LinkModel()
