"""Descriptors that a profile lists."""

from dataclasses import dataclass

from bletest.profile.expectation import DescriptorExpectation, ValueExpectation
from bletest.profile.model import DescriptorModel, ProfileModel
from bletest.profile.resolve_attributes import AttributeReader, Common
from bletest.profile.resolve_names import Naming
from bletest.profile.resolve_values import descriptor_typing
from bletest.profile.shape import Shaped
from bletest.profile.spec import DescriptorSpec
from bletest.profile.tree import Fields, Items, Path, Text
from bletest.uuids import AGGREGATE_FORMAT, CCCD, EXTENDED_PROPERTIES, SCCD, USER_DESCRIPTION

_IMPLIED = {CCCD: "notify or indicate", SCCD: "broadcast", EXTENDED_PROPERTIES: "reliable_write"}


@dataclass(frozen=True, slots=True)
class DescriptorReader:
    """Reads them, with their mistakes."""

    shaped: Shaped
    model: ProfileModel
    naming: Naming
    attributes: AttributeReader

    def read(
        self, number: int, index: int, place: int, owner: frozenset[str]
    ) -> tuple[DescriptorSpec, DescriptorExpectation]:
        """Return the descriptor at ``place``; ``owner`` are its characteristic's properties."""
        siblings = self.model.services[number].characteristics[index].descriptors
        model = siblings[place]
        at: Path = (
            "services",
            number,
            "characteristics",
            index,
            "descriptors",
            place,
        )
        occurrence = sum(one.uuid == model.uuid for one in siblings[:place])
        properties = frozenset(model.properties)
        self._check(model, at, owner, occurrence)
        handles_of = self._handles_of(model, at)
        if handles_of:
            octets = 2 * len(handles_of)
            common = Common(
                None, ValueExpectation(min_length=octets, max_length=octets), octets, octets
            )
        else:
            typing = descriptor_typing(model.uuid, known=self.shaped.sound(at, "uuid"))
            common = self.attributes.common(model, typing, at)
            readable = "read" in properties and model.value is None
            if readable and self.shaped.sound(at, "value"):
                self.shaped.mistake(
                    at, "this descriptor can be read, but has no value", "add `value: …`"
                )
        read = self.attributes.access(at, "read", model.read, "read" in properties, "read")
        write = self.attributes.access(at, "write", model.write, "write" in properties, "write")
        path = self.naming.paths[at]
        spec = DescriptorSpec(
            path=path,
            uuid=model.uuid,
            id=model.id,
            value=common.value.octets if common.value is not None else b"",
            read=read,
            write=write,
            min_length=common.min_length,
            max_length=common.max_length,
            handles_of=handles_of,
        )
        expectation = DescriptorExpectation(
            path=path,
            uuid=model.uuid,
            id=model.id,
            occurrence=occurrence,
            read=read,
            write=write,
            value=common.expectation,
            side_effect=self.attributes.side_effect(model, at, read, write),
        )
        return spec, expectation

    def _check(
        self, model: DescriptorModel, at: Path, owner: frozenset[str], occurrence: int
    ) -> None:
        if model.uuid in _IMPLIED:
            self.shaped.mistake(
                (*at, "uuid"),
                f"{model.uuid.label} is implied by the properties; a profile does not list it",
                f"it comes with {_IMPLIED[model.uuid]}",
            )
        if occurrence and model.uuid in (USER_DESCRIPTION, AGGREGATE_FORMAT):
            self.shaped.mistake(
                (*at, "uuid"), f"a characteristic has one {model.uuid.label}", "remove this one"
            )
        writable = "write" in model.properties and model.uuid == USER_DESCRIPTION
        sound = self.shaped.sound(at[:4], "properties")
        if writable and sound and "writable_auxiliaries" not in owner:  # Vol 3, Part G, 3.3.3.2
            self.shaped.mistake(
                (*at, "properties"),
                "a user description that can be written needs the property writable_auxiliaries",
                "add it to the `properties` of the characteristic",
            )

    def _handles_of(self, model: DescriptorModel, at: Path) -> tuple[str, ...]:
        """Resolve ``{handles_of: [ids]}``; empty for any other value."""
        if not isinstance(model.value, Fields) or "handles_of" not in model.value:
            return ()
        names = model.value["handles_of"]
        path: Path = (*at, "value", "handles_of")
        if not isinstance(names, Items) or not names:
            self.shaped.mistake(path, "handles_of is a list of ids", "such as [first, second]")
            return ("",)
        found: list[str] = []
        for index, name in enumerate(names):
            if isinstance(name, Text):
                found.append(self.naming.attributes.find(name, (*path, index)) or "")
            else:
                self.shaped.mistake((*path, index), "an id is a name", "such as first")
        return tuple(found) or ("",)
