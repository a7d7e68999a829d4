"""Behaviours of installed distributions, for profiles to name.

Nothing is imported because a profile asks for it. Who runs the tests names the distributions
that are trusted; of those, only entry points that a profile names are loaded.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution

from bletest.errors import UsageMistake
from bletest.peripheral.behaviours import Behaviour, check_behaviours, named_behaviours
from bletest.profile.spec import Profile

GROUP = "bletest.behaviours"
"""The group of entry points; their names are those of behaviours, ``vendor.name``."""


def check_registered(profile: Profile, distributions: Sequence[str]) -> None:
    """Raise BehaviourMissing where the distributions lack what the profile names; load nothing.

    Raises UsageMistake for a distribution that is not installed.
    """
    check_behaviours(profile, _entry_points(distributions))


def registered_behaviours(
    profile: Profile, given: Mapping[str, Behaviour], distributions: Sequence[str]
) -> dict[str, Behaviour]:
    """Return ``given``, and what the distributions have of the names that the profile asks for.

    Raises UsageMistake for a distribution that is not installed, and for what cannot be loaded.
    """
    known = dict(given)
    named = {spec.name for spec in named_behaviours(profile)} - set(given)
    if named:
        for name, entry in _entry_points(distributions).items():
            if name in named:
                known[name] = _load(entry)
    return known


def _entry_points(distributions: Sequence[str]) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for name in distributions:
        try:
            entries = distribution(name).entry_points.select(group=GROUP)
        except PackageNotFoundError:
            raise UsageMistake(
                f'--ble-behaviours: no distribution "{name}" is installed',
                remedy="give its name as pip knows it",
            ) from None
        for entry in entries:
            other = found.get(entry.name, entry).value
            if other != entry.value:
                raise UsageMistake(
                    f"--ble-behaviours: {entry.name} is {other} and {entry.value}",
                    remedy="name one distribution of the two",
                )
            found[entry.name] = entry
    return found


def _load(entry: EntryPoint) -> Behaviour:
    try:
        behaviour: Behaviour = entry.load()
    except Exception as error:  # it runs the code of another distribution
        raise UsageMistake(
            f"the behaviour {entry.name} ({entry.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error
    return behaviour
