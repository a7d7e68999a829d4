"""Where the values of a notify schedule come from: descriptions, resolved to octets.

Every source answers :meth:`at` for the n-th value since the client subscribed (n counts from 0)
and never ends: sequences and ramps start over.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Constant:
    """The same octets each time."""

    value: bytes

    @property
    def values(self) -> tuple[bytes, ...]:
        """The values of one round."""
        return (self.value,)

    def at(self, index: int) -> bytes:
        """Return the ``index``-th value, from 0."""
        return self.value


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of values, at least one, from first to last and over again."""

    values: tuple[bytes, ...]

    def at(self, index: int) -> bytes:
        """Return the ``index``-th value, from 0."""
        return self.values[index % len(self.values)]


@dataclass(frozen=True, slots=True)
class Ramp:
    """A field that climbs (or falls) from ``start`` by ``step`` until it would pass ``stop``,
    and starts over; the other fields stay as in the characteristic's ``value``.

    ``field`` is the field's name, ``""`` where the value is a single number. ``values`` holds
    one round, encoded.
    """

    field: str
    start: float
    stop: float
    step: float
    values: tuple[bytes, ...]

    def at(self, index: int) -> bytes:
        """Return the ``index``-th value, from 0."""
        return self.values[index % len(self.values)]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers in a field, one after the other and over again: a sine, a walk, a recorded column.

    ``kind`` is the word the profile has for it (``sine``, ``walk``, ``replay``); ``field`` the
    field's name, ``""`` where the value is a single number or the values were recorded whole.
    ``values`` holds one round, encoded.
    """

    kind: str
    field: str
    values: tuple[bytes, ...]

    def at(self, index: int) -> bytes:
        """Return the ``index``-th value, from 0."""
        return self.values[index % len(self.values)]


@dataclass(frozen=True, slots=True)
class ReadSource:
    """What reads are answered with once ``after`` of them were served the stored value.

    ``counts_writes`` says that a write counts as one of them too.
    """

    values: "ValueSource"
    after: int = 0
    counts_writes: bool = False

    def at(self, number: int) -> bytes | None:
        """Return the answer to the ``number``-th read, from 1; None for the stored value."""
        return self.values.at(number - self.after - 1) if number > self.after else None


ValueSource = Constant | Sequence | Ramp | Numbers
