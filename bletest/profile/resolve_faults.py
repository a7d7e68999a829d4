"""From the key ``faults`` to faults whose attributes are known."""

from collections.abc import Sequence

from bletest.profile.faults import FaultSpec, read_fault, resolve_fault
from bletest.profile.mistakes import Refusal
from bletest.profile.resolve_names import Naming
from bletest.profile.shape import Shaped
from bletest.profile.tree import Fields, Path


def read_faults(shaped: Shaped, naming: Naming, given: Sequence[object]) -> tuple[FaultSpec, ...]:
    """Return the faults; those with mistakes, noted, are left out."""
    found: list[FaultSpec] = []
    for index, one in enumerate(given):
        at: Path = ("faults", index)
        try:
            spec = read_fault(one)
        except Refusal as refusal:
            shaped.refuse(at, refusal)
            continue
        name_at = (*at, "of") if isinstance(one, Fields) and "of" in one else at
        if spec.attribute:
            path = naming.attributes.find(spec.attribute, name_at)
            if path is None:
                continue
            target = naming.targets.get(path)
            known = target is not None and shaped.sound(target.tree_path, "properties")
            try:
                spec = resolve_fault(spec, path, target.properties if target and known else None)
            except Refusal as refusal:
                shaped.refuse(name_at, refusal)
                continue
        found.append(spec)
    return tuple(found)
