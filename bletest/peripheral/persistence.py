"""The bonds of an emulated device, between its memory and a file."""

from collections.abc import Iterable
from pathlib import Path

from bumble import hci
from bumble.crypto.cryptography import aes_cmac
from bumble.keys import MemoryKeyStore, PairingKeys

from bletest.att.caching import note_change
from bletest.att.client_state import ClientState
from bletest.att.database import Attribute, AttributeTable
from bletest.att.server import Server
from bletest.link.bond_file import BondFile, Key, Owner, StoredBond
from bletest.link.station import Station
from bletest.peripheral.bonds import Bond, Bonds
from bletest.profile.spec import Profile

_LAST_HANDLE = 0xFFFF


class BondKeeper:
    """Puts what a device knows of its bonded clients into a file, and takes it out again.

    ``name`` is that of the device in the file.
    """

    def __init__(self, file: BondFile, name: str) -> None:
        self.file = file
        self.name = name
        self._address = ""
        self._device: tuple[Station, MemoryKeyStore, Server, Bonds] | None = None

    @property
    def is_set_up(self) -> bool:
        """Whether it knows the device, and has given it what the file holds."""
        return self._device is not None

    def knows(self, client: str) -> bool:
        """Whether the device has a bond with a client."""
        return self._device is not None and client in self._device[3]

    async def set_up(self, station: Station, server: Server, bonds: Bonds) -> None:
        """Give the device what the file holds; raises BondsUnusable.

        Where the database is another one by now, clients are told by Service Changed.
        """
        keystore = station.device.keystore
        assert isinstance(keystore, MemoryKeyStore)  # that of every station
        self._device = station, keystore, server, bonds
        self._address = station.device.static_address.to_string(False)
        owner = self.file.device(self.name)
        if owner is None:
            return
        changed = owner.database != _fingerprint(server.table)
        for stored in owner.bonds:
            address = hci.Address(stored.identity, hci.AddressType(stored.address_type))
            keys = _pairing_keys(stored)
            await keystore.update(str(address), keys)
            _remember_key_size(station, stored)
            bonds.restore(stored.identity, _bond(stored), stored.counter)
            state = ClientState(
                values=_by_attribute(server.table, stored.values),
                aware=stored.aware,
                stale=stored.stale,
            )
            if changed:
                note_change(server.table, state, 1, _LAST_HANDLE)
            server.restore(stored.identity, state)
        await station.device.refresh_resolving_list()

    def keep(self) -> None:
        """Have the file hold what the device knows; raises BondsUnusable."""
        if self._device is None:
            return
        station, keystore, server, bonds = self._device
        by_identity = {name.split("/")[0]: keys for name, keys in keystore.all_keys.items()}
        stored = [
            _stored(identity, bond, by_identity[identity], bonds, server)
            for identity, bond in bonds.items()
            if identity in by_identity
        ]
        self.file.keep_device(
            self.name,
            Owner(
                address=self._address,
                irk=bytes(station.device.irk),
                database=_fingerprint(server.table),
                bonds=stored,
            ),
        )


def keeper_of(file: Path | None, name: str) -> BondKeeper | None:
    """Return what keeps the bonds of a device in a file; None where there is no file."""
    return None if file is None else BondKeeper(BondFile(file), name)


def identity_of(profile: Profile, bonds: BondKeeper | None) -> tuple[str | None, bytes | None]:
    """Return the address and the IRK that clients know the device by; None for fresh ones.

    An address that the profile pins is the device's, whatever it had before. Raises
    BondsUnusable.
    """
    owner = None if bonds is None else bonds.file.device(bonds.name)
    if owner is None:
        return profile.device.address, None
    return profile.device.address or owner.address, owner.irk


def _fingerprint(table: AttributeTable) -> bytes:
    return table.database_hash(aes_cmac)


def _bond(stored: StoredBond) -> Bond:
    return Bond(
        authenticated=stored.authenticated,
        secure_connections=stored.secure_connections,
        key_size=stored.key_size,
        csrk=None if stored.csrk is None else stored.csrk.value,
    )


def _stored(
    identity: str, bond: Bond, keys: PairingKeys, bonds: Bonds, server: Server
) -> StoredBond:
    state = server.kept(identity) or ClientState()
    return StoredBond(
        identity=identity,
        address_type=int(keys.address_type if keys.address_type is not None else 1),
        ltk=_key(keys.ltk),
        ltk_central=_key(keys.ltk_central),
        ltk_peripheral=_key(keys.ltk_peripheral),
        irk=_key(keys.irk),
        csrk=_key(keys.csrk),
        authenticated=bond.authenticated,
        secure_connections=bond.secure_connections,
        key_size=bond.key_size,
        counter=bonds.counter(identity),
        values={_name(one): value for one, value in state.values.items()},
        aware=state.aware,
        stale=state.stale,
    )


def _pairing_keys(stored: StoredBond) -> PairingKeys:
    return PairingKeys(
        address_type=hci.AddressType(stored.address_type),
        ltk=_bumble_key(stored.ltk),
        ltk_central=_bumble_key(stored.ltk_central),
        ltk_peripheral=_bumble_key(stored.ltk_peripheral),
        irk=_bumble_key(stored.irk),
        csrk=_bumble_key(stored.csrk),
    )


def _key(key: PairingKeys.Key | None) -> Key | None:
    # bumble writes down an LTK of no octets where legacy pairing brought none.
    if key is None or not key.value:
        return None
    return Key(key.value, key.authenticated, key.ediv, key.rand)


def _bumble_key(key: Key | None) -> PairingKeys.Key | None:
    if key is None:
        return None
    return PairingKeys.Key(key.value, key.authenticated, key.ediv, key.rand)


def _remember_key_size(station: Station, stored: StoredBond) -> None:
    if stored.key_size < 16:
        for key in (stored.ltk, stored.ltk_central, stored.ltk_peripheral):
            if key is not None:
                station.host.remember_key_size(key.value, stored.key_size)


def _name(attribute: Attribute) -> str:
    # By name, not by handle: what a client has configured outlives a database that changes.
    return attribute.name or f"0x{attribute.handle:04X}"


def _by_attribute(table: AttributeTable, values: dict[str, bytes]) -> dict[Attribute, bytes]:
    if not values:
        return {}
    found: Iterable[Attribute] = table
    return {one: values[_name(one)] for one in found if one.per_client and _name(one) in values}
