"""Names and paths: what attributes are called, and what a name in a profile refers to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bletest.profile.mistakes import suggestion
from bletest.profile.model import LengthModel, ProfileModel
from bletest.profile.resolve_values import Typing, characteristic_typing
from bletest.profile.shape import Shaped
from bletest.profile.spec import MAXIMUM_LENGTH
from bletest.profile.tree import Fields, Items, Node, Path, Text
from bletest.uuids import Uuid


@dataclass(frozen=True, slots=True)
class Target:
    """A characteristic that a reply can travel through.

    ``path`` is its name; ``tree_path`` its place in the file.
    """

    path: str
    tree_path: Path
    typing: Typing
    properties: frozenset[str]
    max_length: int


class Names:
    """What the names in a profile refer to: ids, and labels of UUIDs where they are unique."""

    def __init__(self, shaped: Shaped, what: str) -> None:
        self._shaped = shaped
        self._what = what
        self._by_id: dict[str, str] = {}
        self._by_label: dict[str, list[str]] = {}
        self._nameless: list[str] = []
        self._written = _ids_in(shaped.original)

    def add(self, path: str, id_: str | None, label: str) -> None:
        """Enter an attribute."""
        if id_ is not None:
            self._by_id.setdefault(id_, path)
        else:
            self._nameless.append(label)
        self._by_label.setdefault(label, []).append(path)

    def find(self, name: str, at: Path) -> str | None:
        """Return the path that ``name`` refers to; None, with the mistake noted, for none."""
        if name in self._by_id:
            return self._by_id[name]
        labelled = self._by_label.get(name, [])
        if len(labelled) == 1:
            return labelled[0]
        if labelled:
            self._shaped.mistake(
                at,
                f"{len(labelled)} {self._what}s are called `{name}`",
                "give the one that is meant an `id`, and use that",
            )
        elif name not in self._written:  # else its attribute has a mistake of its own
            known = (*self._by_id, *self._nameless)
            self._shaped.mistake(
                at,
                f"no {self._what} has the id `{name}`",
                suggestion(name, known),
            )
        return None


def _ids_in(node: Node) -> set[str]:
    found: set[str] = set()
    if isinstance(node, Fields):
        if isinstance(node.get("id"), Text):
            found.add(str(node["id"]))
        for value in node.values():
            found |= _ids_in(value)
    elif isinstance(node, Items):
        for value in node:
            found |= _ids_in(value)
    return found


class Labels:
    """Makes the paths of siblings: unique, and as readable as can be."""

    def __init__(self, siblings: Iterable[tuple[Uuid, str | None]], prefix: str = "") -> None:
        self._uuids = [uuid for uuid, _ in siblings]
        self._prefix = prefix
        self._taken: set[str] = set()

    def path(self, uuid: Uuid, id_: str | None) -> str:
        """Return the next path: the SIG's name, or the id where that is no name or no one's."""
        alone = uuid.name is not None and self._uuids.count(uuid) == 1
        label = uuid.label if alone or id_ is None else id_
        path, number = self._prefix + label, 1
        while path in self._taken:
            number += 1
            path = f"{self._prefix}{label}#{number}"
        self._taken.add(path)
        return path


@dataclass(frozen=True, slots=True)
class Naming:
    """Every attribute of a profile by name.

    ``paths`` holds the path of the attribute at each place of the tree, ``targets`` the
    characteristics by path.
    """

    services: Names
    characteristics: Names
    attributes: Names
    paths: Mapping[Path, str]
    targets: Mapping[str, Target]


def name_everything(shaped: Shaped, model: ProfileModel) -> Naming:
    """Give every attribute its path, before anything refers to one; ids taken twice are noted."""
    return _Namer(shaped).name(model)


def declared_maximum(model: LengthModel | None) -> int:
    """Return the greatest length in octets that ``length`` allows."""
    return MAXIMUM_LENGTH if model is None or model.max is None else model.max


class _Namer:
    """Walks a profile once."""

    def __init__(self, shaped: Shaped) -> None:
        self.shaped = shaped
        self.services = Names(shaped, "service")
        self.characteristics = Names(shaped, "characteristic")
        self.attributes = Names(shaped, "attribute")
        self.ids: set[str] = set()
        self.paths: dict[Path, str] = {}
        self.targets: dict[str, Target] = {}

    def name(self, model: ProfileModel) -> Naming:
        labels = Labels([(one.uuid, one.id) for one in model.services])
        for number, service in enumerate(model.services):
            at: Path = ("services", number)
            path = self._enter(at, labels, service.uuid, service.id, self.services)
            found = service.characteristics
            inner = Labels([(one.uuid, one.id) for one in found], path + "/")
            for index, one in enumerate(found):
                place = (*at, "characteristics", index)
                names = (self.characteristics, self.attributes)
                path_ = self._enter(place, inner, one.uuid, one.id, *names)
                self.targets[path_] = Target(
                    path=path_,
                    tree_path=place,
                    typing=characteristic_typing(one.uuid, known=self.shaped.sound(place, "uuid")),
                    properties=frozenset(one.properties),
                    max_length=declared_maximum(one.length),
                )
                last = Labels([(d.uuid, d.id) for d in one.descriptors], path_ + "/")
                for position, descriptor in enumerate(one.descriptors):
                    inside = (*place, "descriptors", position)
                    self._enter(inside, last, descriptor.uuid, descriptor.id, self.attributes)
        return Naming(
            self.services, self.characteristics, self.attributes, self.paths, self.targets
        )

    def _enter(self, at: Path, labels: Labels, uuid: Uuid, id_: str | None, *names: Names) -> str:
        path = labels.path(uuid, id_)
        self.paths[at] = path
        for one in names:
            one.add(path, id_, uuid.label)
        if id_ is not None:
            if id_ in self.ids:
                self.shaped.mistake(
                    (*at, "id"), f"the id `{id_}` is taken already", "ids are unique in a profile"
                )
            self.ids.add(id_)
        return path
