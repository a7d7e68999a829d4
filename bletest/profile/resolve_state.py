"""State: which variables there are, what rules set them to, and what conditions ask for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bletest.profile.mistakes import KEY, suggestion
from bletest.profile.model import EffectsModel, ProfileModel, RuleModel
from bletest.profile.rules import Scope, Variable
from bletest.profile.shape import Shaped
from bletest.profile.tree import Path


@dataclass(frozen=True, slots=True)
class States:
    """The variables of a profile, and for each the values that it can ever have."""

    shaped: Shaped
    variables: Mapping[str, Variable]
    values: Mapping[str, frozenset[str]]

    def conditions(
        self, when: Mapping[str, list[str]], path: Path
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return what ``when`` asks for; what can never be is noted."""
        for name, values in when.items():
            if not self._known(name, path):
                continue
            for value in values:
                if value not in self.values[name]:
                    self.shaped.mistake(
                        (*path, name),
                        f"`{name}` is never `{value}`: it does not begin so, and no rule sets it",
                        suggestion(value, sorted(self.values[name])),
                    )
        return tuple((name, tuple(values)) for name, values in when.items())

    def settings(self, values: Mapping[str, str], path: Path) -> tuple[tuple[str, str], ...]:
        """Return what ``set`` sets."""
        return tuple((name, value) for name, value in values.items() if self._known(name, path))

    def _known(self, name: str, path: Path) -> bool:
        if name in self.variables:
            return True
        if self.shaped.sound((), "state"):
            known = list(self.variables)
            self.shaped.mistake(
                (*path, name, KEY),
                f"the state has no variable `{name}`",
                suggestion(name, known)
                if known
                else f"add state: {{{name}: {{initial: idle}}}} at the top level",
            )
        return False


def read_states(shaped: Shaped, model: ProfileModel) -> States:
    """Collect the variables, and everything they are ever set to."""
    values = {name: {one.initial} for name, one in model.state.items()}
    for rule in _rules(model):
        for effects in (rule, rule.then, rule.otherwise_then):
            for name, value in effects.set.items() if isinstance(effects, EffectsModel) else ():
                values.setdefault(name, set()).add(value)
    return States(
        shaped,
        {name: Variable(one.initial, Scope(one.scope)) for name, one in model.state.items()},
        {name: frozenset(found) for name, found in values.items()},
    )


def _rules(model: ProfileModel) -> Iterable[RuleModel]:
    in_modes = (service for mode in model.modes.values() for service in mode.services)
    for service in (*model.services, *in_modes):
        for characteristic in service.characteristics:
            yield from characteristic.on_write or ()
