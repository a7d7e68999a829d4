"""Behaviours: Python that users have registered, and that profiles call by name.

A behaviour is called each time the device is switched on, before it advertises, with what its
name stands at: a characteristic, or the device. It sets handlers and hooks there, which last until
the device goes down. A class is called as a function is; what a coroutine function does goes on
until then.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from bletest.errors import BehaviourMissing, EmulationError
from bletest.profile.mistakes import did_you_mean
from bletest.profile.spec import BehaviourSpec, Profile

if TYPE_CHECKING:
    from bletest.peripheral.virtual import VirtualPeripheral

Behaviour: TypeAlias = Callable[[Any], object]
NO_BEHAVIOURS: Mapping[str, Behaviour] = {}


def named_behaviours(profile: Profile) -> Iterator[BehaviourSpec]:
    """Yield what the profile names, in its modes too."""
    for one in (profile, *(mode.profile for mode in profile.modes.values())):
        for spec, _ in _of_mode(one):
            yield spec


def _of_mode(profile: Profile) -> Iterator[tuple[BehaviourSpec, str | None]]:
    """Yield what one mode names, with the path of its characteristic; None is the device."""
    if profile.device.behaviour is not None:
        yield profile.device.behaviour, None
    for characteristic in profile.characteristics():
        if characteristic.behaviour is not None:
            yield characteristic.behaviour, characteristic.path


def check_behaviours(profile: Profile, known: Mapping[str, object]) -> None:
    """Raise BehaviourMissing, with every place, where the profile names what is not known."""
    missing = []
    for spec in named_behaviours(profile):
        if spec.name not in known:
            mistake, hint = spec.unregistered, did_you_mean(spec.name, known)
            missing.append(replace(mistake, remedy=f"{hint} {mistake.remedy}".strip()))
    if missing:
        raise BehaviourMissing(missing)


class Behaviours:
    """The behaviours of one device that is emulated."""

    def __init__(self, peripheral: "VirtualPeripheral", known: Mapping[str, Behaviour]) -> None:
        """Raises BehaviourMissing where the profile names one that is not known."""
        check_behaviours(peripheral.profile, known)
        self._peripheral = peripheral
        self._known = known
        self._begun: list[object] = []
        self._undo: list[Callable[[], object]] = []

    def begin(self) -> None:
        """The device is switched on. Raises EmulationError where a behaviour raises."""
        self.end()
        peripheral = self._peripheral
        peripheral.undo = self._undo
        try:
            for spec, path in _of_mode(peripheral.profile):
                self._begin(spec.name, peripheral if path is None else peripheral[path])
        finally:
            peripheral.undo = None

    def _begin(self, name: str, subject: object) -> None:
        try:
            begun = self._known[name](subject)
        except Exception as error:  # it is the user's code
            raise EmulationError(
                f"the behaviour {name} raised {type(error).__name__}: {error}"
            ) from error
        if inspect.isawaitable(begun):
            self._peripheral.spawn(_finish(begun))
        else:
            self._begun.append(begun)  # an object that lives as long as the device is on

    def end(self) -> None:
        """The device is down: take back what the behaviours have set."""
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        self._begun.clear()


async def _finish(work: Awaitable[object]) -> None:
    await work
