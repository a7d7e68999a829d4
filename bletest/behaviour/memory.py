"""What an emulated device keeps in mind between two writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bletest.behaviour.writes import Reaction, Situation
from bletest.profile.rules import Computed, Scope, Variable

_NOBODY = ""
"""Stands for the client where a variable is the device's."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A value, and the moment in seconds from which on it counts no more."""

    value: str
    until: float | None


@dataclass(frozen=True, slots=True)
class _Octets:
    """Random octets that are remembered for a client, as :class:`_Kept`."""

    value: bytes
    until: float | None


@dataclass(slots=True)
class Memory:
    """The state of one device: its variables, and the random octets remembered for each client.

    Moments are seconds on any clock that does not go back.
    """

    variables: Mapping[str, Variable] = field(default_factory=dict)
    _values: dict[tuple[str, str], _Kept] = field(default_factory=dict)
    _octets: dict[tuple[str, str], _Octets] = field(default_factory=dict)

    def situation(
        self,
        client: str,
        now: float,
        *,
        draw: Callable[[int], bytes],
        keys: Callable[[Computed], bytes],
    ) -> Situation:
        """Return what a write of ``client`` meets at ``now``."""
        state = {}
        for name, variable in self.variables.items():
            kept = self._values.get((self._owner(name, client), name))
            over = kept is None or _over(kept.until, now)
            state[name] = variable.initial if kept is None or over else kept.value
        names = {
            name: one.value
            for (owner, name), one in self._octets.items()
            if owner == client and not _over(one.until, now)
        }
        return Situation(state=state, names=names, draw=draw, keys=keys)

    def keep(self, client: str, reaction: Reaction, now: float) -> None:
        """Take in what a write of ``client`` changed at ``now``."""
        until = None if reaction.expires is None else now + reaction.expires
        for name, value in reaction.sets:
            self._values[self._owner(name, client), name] = _Kept(value, until)
        for name, octets in reaction.names:
            self._octets[client, name] = _Octets(octets, until)

    def forget(self, client: str) -> None:
        """A client is gone: so is what was kept for it."""
        for kept in (self._values, self._octets):
            for key in [key for key in kept if key[0] == client]:
                del kept[key]

    def reset(self) -> None:
        """Go back to the beginning, as after a reboot."""
        self._values.clear()
        self._octets.clear()

    def _owner(self, name: str, client: str) -> str:
        return client if self.variables[name].scope is Scope.CLIENT else _NOBODY


def _over(until: float | None, now: float) -> bool:
    return until is not None and now >= until
