"""Windows of time: the one place where an expected moment gets its tolerance."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class LinkTiming:
    """What a link and an adapter add to any moment, all in seconds.

    ``interval`` is the connection interval, ``latency`` the number of connection events that a
    peripheral may skip, ``slack`` what the adapter's operating system may add.
    """

    interval: float = 0.0
    latency: int = 0
    slack: float = 0.0

    @property
    def lateness(self) -> float:
        """Seconds by which a PDU may come late on a living link."""
        return self.interval * (1 + self.latency) + self.slack


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which something may happen: ``earliest`` to ``latest``, in seconds."""

    earliest: float
    latest: float

    @classmethod
    def around(cls, declared: float, *, tolerance: float, timing: LinkTiming) -> "Window":
        """Return declared ± tolerance, plus what link and adapter add.

        ``tolerance`` is a share of ``declared`` (0.2 is 20 %). A PDU that left late and the next
        that left on time stand closer together than declared, so the lateness of the link
        counts on both sides.
        """
        margin = declared * tolerance + timing.lateness
        return cls(max(0.0, declared - margin), declared + margin)

    def __contains__(self, seconds: float) -> bool:
        return self.earliest - 1e-9 <= seconds <= self.latest + 1e-9

    def __str__(self) -> str:
        return f"{self.earliest:.3f} s to {self.latest:.3f} s"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a client's clock by which something must have happened, in seconds."""

    at: float

    @classmethod
    def after(cls, declared: float, *, now: float, timing: LinkTiming) -> "Deadline":
        """Return the moment ``declared`` seconds from ``now``, plus what link and adapter add.

        It is for what answers a PDU that the client sends now: both travel, and the peripheral
        waits for its next connection event, but for no latency of its own.
        """
        both_ways = Window.around(declared, tolerance=0.0, timing=timing).latest + timing.interval
        return cls(now + both_ways)

    def left(self, now: float) -> float:
        """Return the seconds that are left at ``now``, 0 once the moment has passed."""
        return max(0.0, self.at - now)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a series of moments keeps a declared period.

    ``gaps`` are the seconds between neighbours, ``window`` is where each should lie. ``strays``
    are the gaps outside it, ``total`` the seconds from first to last and ``total_window`` where
    that should lie.
    """

    gaps: tuple[float, ...]
    window: Window
    strays: tuple[float, ...]
    total: float
    total_window: Window

    @classmethod
    def of(
        cls, moments: Sequence[float], *, every: float, tolerance: float, timing: LinkTiming
    ) -> "Rhythm":
        """Measure ``moments``, in order and at least two, against one each ``every`` seconds."""
        gaps = tuple(later - earlier for earlier, later in pairwise(moments))
        window = Window.around(every, tolerance=tolerance, timing=timing)
        return cls(
            gaps,
            window,
            tuple(gap for gap in gaps if gap not in window),
            moments[-1] - moments[0],
            Window.around(every * len(gaps), tolerance=tolerance, timing=timing),
        )

    @property
    def one_was_late(self) -> bool:
        """Whether a single moment that came late explains every stray.

        It leaves one gap too long, and the next as much too short; one that ends the series
        leaves the long gap alone. On a living link that is nobody's fault.
        """
        match [index for index, gap in enumerate(self.gaps) if gap not in self.window]:
            case [only]:
                return only == len(self.gaps) - 1 and only > 0
            case [first, second]:
                both = self.gaps[first] + self.gaps[second]
                return (
                    second == first + 1
                    and self.gaps[first] > self.window.latest
                    and both in Window(2 * self.window.earliest, 2 * self.window.latest)
                )
            case _:
                return False
