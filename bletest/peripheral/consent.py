"""Authorization: somebody consents to what a client does with the emulated device."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from bletest.att.database import Attribute
from bletest.errors import UsageMistake
from bletest.peripheral.characteristic import ServerCharacteristic
from bletest.peripheral.links import ClientLink

Person: TypeAlias = Callable[[str, ServerCharacteristic], bool]
"""Is told the client's address and what it wants to reach; returns whether it may."""


class TakesConsent:
    """The part of an emulated device that knows who has been authorized, and since when."""

    _links: Mapping[str, ClientLink]
    _time: Callable[[], float]
    _person: Person | None = None
    undo: list[Callable[[], object]] | None

    def authorize(self, client: str | None = None) -> None:
        """Authorize a client by its address, or all that are connected, until its link ends.

        Values whose permission says ``fresh`` want it again after that time. Raises
        UsageMistake where that client is not connected.
        """
        for link in self._authorizing(client):
            link.authorize(self._time)

    def withdraw_authorization(self, client: str | None = None) -> None:
        """Take the authorization of a client back, or of all that are connected."""
        for link in self._authorizing(client):
            link.security.authorized = False

    def on_authorization(self, person: Person | None) -> Person | None:
        """Ask ``person(client, characteristic)`` where a request lacks nothing but consent.

        What returns True has authorized the client, as :meth:`authorize` does, and the request is
        answered; otherwise it is refused with 0x08. There is one such function, which is returned,
        so that this decorates too; None asks nobody.
        """
        if self.undo is not None:
            self.undo.append(partial(setattr, self, "_person", self._person))
        self._person = person
        return person

    def _is_authorized(self, client: str, attribute: Attribute) -> bool:
        """Ask, on behalf of the server engine."""
        owner = attribute.characteristic.value.witness if attribute.characteristic else None
        if self._person is None or not isinstance(owner, ServerCharacteristic):
            return False
        if not self._person(client, owner):
            return False
        self.authorize(client)
        return True

    def _authorizing(self, client: str | None) -> tuple[ClientLink, ...]:
        if client is None:
            return tuple(self._links.values())
        link = self._links.get(client)
        if link is None:
            known = ", ".join(self._links) or "nobody"
            raise UsageMistake(f"{client} is not connected", remedy=f"{known} is")
        return (link,)
