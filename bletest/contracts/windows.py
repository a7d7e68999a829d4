"""Windows of time: the one place where an expected moment gets its tolerance."""

from dataclasses import dataclass


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
