"""Repeated attempts: who failed to pair has to wait, each time longer (Vol 3, Part H, 2.3.6)."""

from dataclasses import dataclass

FIRST_WAIT = 0.1
"""Seconds after the first failure within which another attempt is refused."""

LONGEST_WAIT = 60.0
"""Seconds that nobody has to wait longer than, however often it has failed."""


@dataclass(slots=True)
class _Record:
    failures: int
    last: float


class Attempts:
    """What peers have failed at. A wait is twice the one before; ``now`` is in seconds.

    ``first`` is the wait after one failure, ``longest`` the longest there is. Each ``longest``
    without a failure takes one back.
    """

    def __init__(self, first: float = FIRST_WAIT, longest: float = LONGEST_WAIT) -> None:
        self._first, self._longest = first, longest
        self._failed: dict[str, _Record] = {}

    def failed(self, peer: str, now: float) -> None:
        """Note that a pairing with this peer has failed."""
        record = self._failed.setdefault(peer, _Record(0, now))
        record.failures = self._standing(record, now) + 1
        record.last = now

    def succeeded(self, peer: str) -> None:
        """Note that a pairing with this peer has succeeded: all is forgiven."""
        self._failed.pop(peer, None)

    def must_wait(self, peer: str, now: float) -> bool:
        """Whether an attempt of this peer comes too early."""
        record = self._failed.get(peer)
        if record is None:
            return False
        doubled = self._first * 2.0 ** min(record.failures - 1, 32)
        return now < record.last + min(self._longest, doubled)

    def _standing(self, record: _Record, now: float) -> int:
        return max(0, record.failures - int((now - record.last) / self._longest))
