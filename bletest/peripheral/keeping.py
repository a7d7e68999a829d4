"""What an emulated device knows of the clients it has paired with."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bletest.att.server import Server
from bletest.errors import BondsUnusable
from bletest.link.station import Station
from bletest.peripheral.bonds import Bonds
from bletest.peripheral.links import ClientLink
from bletest.peripheral.panel import Panel
from bletest.peripheral.persistence import BondKeeper
from bletest.peripheral.security import PairingRoom

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from bumble.device import Connection
    from bumble.pairing import PairingConfig

    from bletest.profile.spec import Profile


class KeepsBonds:
    """The part of an emulated device that pairs, and remembers.

    ``panel`` is its display and its keys.
    """

    profile: "Profile"
    server: Server
    _bonds: Bonds
    _room: PairingRoom | None = None
    _keeper: BondKeeper | None = None
    _keeping: asyncio.Handle | None = None
    _station: Station | None
    _links: Mapping[str, ClientLink]
    note: "Callable[[str], None]"
    spawn: "Callable[[Coroutine[Any, Any, None]], None]"
    failures: list[BaseException]

    def _set_up_pairing(self, keeper: BondKeeper | None) -> None:
        if keeper is not None:
            self._keeper = keeper
        self._bonds = Bonds() if keeper is None else Bonds(self._bonds_changed)

    @property
    def panel(self) -> Panel:
        """Its display and its keys, and the person before them."""
        return self.pairing_room.panel

    @property
    def pairing_room(self) -> PairingRoom:
        """What all its pairings share; ``oob`` is what it hands out of band."""
        if self._room is None:  # most devices live without a pairing
            self._room = PairingRoom(
                lambda: self.profile,
                lambda: self._bonds,
                Panel(self.note),
                self.note,
                self.forget_bond,
            )
        return self._room

    def _pairing_config(self, connection: "Connection") -> "PairingConfig":
        return self.pairing_room.config(connection)

    @property
    def bonded(self) -> tuple[str, ...]:
        """The identity addresses of bonded clients, the one seen least lately first."""
        return tuple(self._bonds)

    def forget_bonds(self) -> None:
        """Lose all keys, and what is kept for bonded clients; links that are up stay up."""
        for identity in tuple(self._bonds):
            self.forget_bond(identity)

    def forget_bond(self, client: str) -> None:
        """Lose the keys of one client, by its address; a link that is up stays up."""
        self.server.forget(client)
        self._bonds.forget(client)
        for link in self._links.values():
            if link.identity == client:
                link.security.bonded = False
        if self._station is not None:
            self.spawn(_delete_keys(self._station, client))

    async def _prepare_pairing(self, station: Station) -> None:
        """Take over the pairing of a station, and the bonds of an earlier life."""
        security = self.profile.security
        if security.oob or security.repeated_attempts is not None:
            self.pairing_room.prepare(station.security_manager)
        station.device.pairing_config_factory = self._pairing_config
        if self._keeper is not None and not self._keeper.is_set_up:
            # Kept is the device at its own address: a mode at another one has bonds of its own.
            await self._keeper.set_up(station, self.server, self._bonds)

    def _bonds_changed(self, client: str | None = None) -> None:
        """Have the file follow, if there is one and what has changed is that of a bonded client.

        It does so once in a turn of the loop: a pairing is many changes.
        """
        if self._keeper is None or self._keeping is not None:
            return
        if client is None or self._keeper.knows(client):
            self._keeping = asyncio.get_running_loop().call_soon(self._keep_bonds)

    def _keep_bonds(self) -> None:
        """Have the file follow now, if anything has changed."""
        if self._keeping is None or self._keeper is None:
            return
        self._keeping.cancel()
        self._keeping = None
        try:
            self._keeper.keep()
        except BondsUnusable as trouble:
            self.failures.append(trouble)


async def _delete_keys(station: Station, client: str) -> None:
    keystore = station.device.keystore
    assert keystore is not None  # every station has one
    names = [name for name, _ in await keystore.get_all() if name.split("/")[0] == client]
    await asyncio.gather(*(keystore.delete(name) for name in names))
