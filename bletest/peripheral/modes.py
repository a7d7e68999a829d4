"""Reboots of an emulated device, and the modes it comes back in: other firmware, other database."""

import abc
import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from bumble import hci
from bumble.keys import KeyStore, MemoryKeyStore

from bletest.att.database import AttributeTable, Characteristic
from bletest.att.server import Server
from bletest.link.station import Station
from bletest.peripheral.bonds import Bonds
from bletest.peripheral.changes import ChangesDatabase
from bletest.peripheral.descriptor import Descriptors
from bletest.peripheral.reactions import Reactions
from bletest.peripheral.table import build_table
from bletest.peripheral.world import InTheWorld
from bletest.profile.rules import NORMAL, Reboot
from bletest.profile.spec import Profile

if TYPE_CHECKING:
    from bletest.peripheral.characteristic import ServerCharacteristic
    from bletest.peripheral.virtual import VirtualPeripheral

_HOME = 0
"""The address of the device without a mode, as modes count it."""


@dataclass(slots=True)
class _Database:
    """What a device serves in one mode."""

    profile: Profile
    table: AttributeTable
    characteristics: "dict[str, ServerCharacteristic]"
    reactions: Reactions
    descriptors: Descriptors


@dataclass(slots=True)
class _Identity:
    """What clients know the device by, and what it knows of them: one for each of its addresses."""

    server: Server
    bonds: Bonds
    address: hci.Address
    keystore: KeyStore | None


class Reboots(InTheWorld, ChangesDatabase, abc.ABC):
    """The part of an emulated device that restarts as rules say, into the mode that they say.

    A reboot that names no mode leads to the normal one, and so do :meth:`reset` and a loss of
    power. At each of its addresses the device has its own bonds.
    """

    reactions: Reactions
    descriptors: Descriptors
    _bonds: Bonds
    _characteristics: "dict[str, ServerCharacteristic]"
    _mode: str = NORMAL
    _bound_for: str | None = None
    _rebooting: "asyncio.Task[None] | asyncio.TimerHandle | None" = None

    def __init__(self, profile: Profile) -> None:
        self._modes = profile.modes
        self._databases: dict[str, _Database] = {}
        self._identities: dict[int | str, _Identity] = {}
        self._build(profile)
        self.server = self._new_server(self._bonds)

    @abc.abstractmethod
    async def stop(self) -> None:
        """Stop advertising, disconnect every client, end every behaviour."""

    @abc.abstractmethod
    def _new_server(self, bonds: Bonds) -> Server: ...

    @abc.abstractmethod
    def _handler_for(self, spec: Any) -> "ServerCharacteristic": ...

    @abc.abstractmethod
    def _done(self, task: "asyncio.Task[None]") -> None: ...

    @property
    def mode(self) -> str:
        """The mode it is in: a name of the profile's ``modes``, or ``normal``."""
        return self._mode

    def reboot(self, how: Reboot) -> None:
        """Restart in ``how.after`` seconds; one that is to come, or under way, is left to it."""
        if self._rebooting is None:
            loop = asyncio.get_running_loop()
            self._rebooting = loop.call_later(how.after, self._begin, how)

    def _begin(self, how: Reboot) -> None:
        self._bound_for = how.enter
        self._rebooting = asyncio.get_running_loop().create_task(self._reboot(how))
        self._rebooting.add_done_callback(self._done)

    async def _reboot(self, how: Reboot) -> None:
        station = self._station
        if station is None:
            self._rebooting = self._bound_for = None
            return
        self.note("reboots" if how.enter == NORMAL else f"reboots into {how.enter}")
        self._unpowered = station
        if how.goodbye or station.controller is None:
            await self.stop()
        else:
            self._station = None
            station.controller.fall_silent()
            self._halt(station)
            station.host.forget_connections()
        self._restore()
        self._enter(how.enter, station)
        await station.device.stop_advertising()  # as bumble may believe it still does
        await self._take_identity(station)
        await asyncio.sleep(how.down)
        self._rebooting = self._bound_for = None
        if self._unpowered is not station:
            return  # somebody has switched it on
        self._unpowered = None
        await self.start(station)

    def _cancel_reboot(self) -> Station | None:
        """Forget a reboot that is to come or under way; return the station that was down for it."""
        under_way = self._rebooting
        if under_way is None or under_way is asyncio.current_task():
            return None
        self._rebooting = self._bound_for = None
        under_way.cancel()
        if isinstance(under_way, asyncio.TimerHandle):
            return None
        station, self._unpowered = self._unpowered, None
        return station

    # What is served

    def _build(self, profile: Profile) -> None:
        self.profile = profile
        self._characteristics = {}
        table, by_path = build_table(profile, self._handler_for)
        self._stand(table, by_path)
        device = cast("VirtualPeripheral", self)
        self.reactions, self.descriptors = Reactions(device), Descriptors(device)

    def _stand(self, table: AttributeTable, by_path: dict[str, Characteristic]) -> None:
        self.table = table
        for path, characteristic in by_path.items():
            self._characteristics[path].stand_behind(characteristic)

    def _return(self) -> None:
        """Go back to the normal mode, and to the services that are there from the beginning."""
        if self._services_changed:
            self._services_changed = False
            self._stand(*build_table(self.profile, lambda spec: self._characteristics[spec.path]))
            self.descriptors.stand_again()
            self.server.replace_table(self.table, self.profile.device.mtu)
        self._enter(NORMAL)

    def _enter(self, name: str, station: Station | None = None) -> None:
        """Serve the database of a mode, as who the device is there."""
        if name == self._mode:
            return
        self._databases[self._mode] = _Database(
            self.profile, self.table, self._characteristics, self.reactions, self.descriptors
        )
        self._mode = name
        found = self._databases.get(name)
        if found is None:
            self._build(self._modes[name].profile)
        else:
            self.profile, self.table = found.profile, found.table
            self._characteristics, self.reactions = found.characteristics, found.reactions
            self.descriptors = found.descriptors
        self._become(self._address_in(name), station)
        if self.server.table is not self.table:
            self.server.replace_table(self.table, self.profile.device.mtu)
        self._saboteur.on_database_changed()

    def _become(self, address: int | str, station: Station | None) -> None:
        if station is not None and not self._identities:
            device = station.device
            self._identities[_HOME] = _Identity(
                self.server, self._bonds, device.random_address, device.keystore
            )
        if address not in self._identities:
            home = self._identities[_HOME].address
            bonds = Bonds()
            self._identities[address] = _Identity(
                self._new_server(bonds), bonds, _neighbour(home, address), MemoryKeyStore()
            )
        identity = self._identities[address]
        self.server, self._bonds = identity.server, identity.bonds

    @property
    def address(self) -> str:
        """The address it advertises, or will when it has rebooted; empty before :meth:`start`."""
        station = self._station or self._unpowered
        if station is None:
            return ""
        address = station.device.random_address
        if self._bound_for is not None:
            home = self._identities[_HOME].address if self._identities else address
            address = _neighbour(home, self._address_in(self._bound_for))
        return address.to_string(False)

    def _address_in(self, mode: str) -> int | str:
        return _HOME if mode == NORMAL else self._modes[mode].address

    async def _take_identity(self, station: Station) -> None:
        """Have the host be who the device is in this mode; nothing to do for most devices."""
        if not self._identities:
            return
        identity = self._identities[self._address_in(self._mode)]
        station.device.keystore = identity.keystore
        if identity.address != station.device.random_address:
            await station.take_address(identity.address)


def _neighbour(home: hci.Address, address: int | str) -> hci.Address:
    """Return an address, or the one whose last octet is so far from that of ``home``."""
    if isinstance(address, str):
        return hci.Address(address, hci.Address.RANDOM_DEVICE_ADDRESS)
    octets = bytes(home)  # least significant first
    last = (octets[0] + address) % 256
    return hci.Address(bytes([last]) + octets[1:], hci.Address.RANDOM_DEVICE_ADDRESS)
