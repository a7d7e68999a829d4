"""A descriptor of an emulated device: its value, its handlers, its waits."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bletest.att.database import Attribute
from bletest.peripheral.attribute import ServerAttribute

if TYPE_CHECKING:
    from bletest.peripheral.virtual import VirtualPeripheral


class ServerDescriptor(ServerAttribute):
    """One descriptor of a :class:`~bletest.peripheral.virtual.VirtualPeripheral`.

    That of a client's configuration is kept per client: ``value()`` is what a client finds that
    never wrote, and a handler that refuses a write refuses the subscription.
    """

    __slots__ = ()

    def __init__(self, peripheral: "VirtualPeripheral", attribute: Attribute) -> None:
        super().__init__(peripheral, attribute.name)
        self.stand_behind(attribute)

    def stand_behind(self, attribute: Attribute) -> None:
        """Take the place in the table."""
        self.stored = attribute
        attribute.witness = self
        self._take_part()


class Descriptors:
    """The descriptors of a device that somebody has asked for, or a client has used.

    Few devices are ever asked for theirs, so each is made when it is.
    """

    def __init__(self, peripheral: "VirtualPeripheral") -> None:
        self._peripheral = peripheral
        self._made: dict[str, ServerDescriptor] = {}

    def names(self) -> Iterator[str]:
        """Yield what they can be called by: paths, ids."""
        yield from self._made
        for attribute in self._attributes():
            yield attribute.name
        yield from self._paths_by_id()

    def find(self, name: str) -> ServerDescriptor | None:
        """Return one by id, by path, or by its path within the service; None if there is none."""
        path = self._paths_by_id().get(name, name)
        if path in self._made:
            return self._made[path]
        found = [one for one in self._attributes() if one.name == path]
        found = found or [one for one in self._attributes() if one.name.partition("/")[2] == path]
        return self.of(found[0]) if len(found) == 1 else None

    def of(self, attribute: Attribute) -> ServerDescriptor | None:
        """Return the descriptor at an attribute; None if there is none."""
        owner = attribute.characteristic
        if owner is None or attribute is owner.value or attribute.is_declaration:
            return None
        if attribute.name not in self._made:
            self._made[attribute.name] = ServerDescriptor(self._peripheral, attribute)
        return self._made[attribute.name]

    def used(self, attribute: Attribute) -> ServerDescriptor | None:
        """Return the descriptor that a client has just read or written for the first time.

        Clients' configurations are left out: every subscription writes one.
        """
        return None if attribute.per_client else self.of(attribute)

    def stand_again(self) -> None:
        """Services have come back, with new attributes: take the places again."""
        for attribute in self._attributes():
            if attribute.witness is None and attribute.name in self._made:
                self._made[attribute.name].stand_behind(attribute)

    def restore(self) -> None:
        """Go back to the profile's values, as after a reboot."""
        by_name = {attribute.name: attribute for attribute in self._attributes()}
        for characteristic in self._peripheral.profile.characteristics():
            for spec in characteristic.descriptors:
                if spec.path in by_name and not spec.handles_of:
                    by_name[spec.path].value = spec.value
        for descriptor in self._made.values():
            descriptor.forget()

    def _attributes(self) -> Iterator[Attribute]:
        for service in self._peripheral.table.services:
            for characteristic in service.characteristics:
                yield from characteristic.descriptors

    def _paths_by_id(self) -> dict[str, str]:
        return {
            spec.id: spec.path
            for characteristic in self._peripheral.profile.characteristics()
            for spec in characteristic.descriptors
            if spec.id is not None
        }
