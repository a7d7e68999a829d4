"""The cells on the virtual air: a plain bumble central pairs with an emulated device.

Each :class:`Walk` is one client from its first connection on. At every stage it tries every
operation at every place, on every bearer that it can have there, and the device sends.
"""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import yaml
from bumble import l2cap
from bumble.pairing import PairingConfig, PairingDelegate

from bletest import profile
from bletest.link.station import Station, open_station
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.spec import Profile
from bletest.uuids import CLIENT_SUPPORTED_FEATURES
from tests.conformance.permissions import Outcome
from tests.conformance.permissions.operations import (
    ASKED,
    LENGTH,
    NEW,
    PUBLIC,
    SECRET,
    Place,
    others,
    u16,
)
from tests.conformance.permissions.table import (
    KEYS,
    NOTHING,
    OPEN,
    OPERATIONS,
    SPECIFICATION,
    TARGETS,
    WORDS,
    Permission,
    Security,
    expected,
)
from tests.support.raw_central import EnhancedBearer, RawCentral
from tests.support.signing import signature

PASSKEY = 271828
WORDS_UUID = "6e40aaaa-b5a3-f393-e0a9-e50e24dcca9e"
PERMISSIONS = [
    NOTHING,
    OPEN,
    Permission("open", authorized=True),
    *(Permission(word) for word in WORDS),
    Permission("encrypted", 10),
    Permission("encrypted", 16),
    Permission("authenticated", 16, authorized=True),
]
PROPERTIES = {"read": 0x02, "write_without_response": 0x04, "write": 0x08, "notify": 0x10}
PROPERTIES |= {"indicate": 0x20, "authenticated_signed_write": 0x40}
WRITES = ["write", "write_without_response", "authenticated_signed_write"]
KINDS = {"notify": 1, "indicate": 2}
BONDED = PairingDelegate.DEFAULT_KEY_DISTRIBUTION
SIGNING = PairingDelegate.KeyDistribution.DISTRIBUTE_SIGNING_KEY


# The device


def _asked(permission: Permission) -> Any:
    words = [] if permission.word == "open" else permission.word.split("_")
    names = [{"secure": "secure_connections"}.get(word, word) for word in words]
    if permission.authorized:
        names.append("authorized")
    return {"access": names or ["open"], "key_size": permission.key_size}


def _characteristic(name: str, uuid: int, target: str, permission: Permission) -> dict[str, Any]:
    asked = dict.fromkeys(TARGETS, others(permission)) | {target: permission}
    properties = ["notify", "indicate"]
    properties += ["read"] if asked["read"].word != "none" else []
    properties += WRITES if asked["write"].word != "none" else []
    entry = {
        "uuid": f"0x{uuid:04X}",
        "id": name,
        "properties": properties,
        "value": {"text": SECRET.decode()},
        "length": {"min": 0, "max": LENGTH},
    }
    words = {
        "uuid": WORDS_UUID,
        "id": f"{name}_words",
        "value": {"text": SECRET.decode()},
        "length": {"min": 0, "max": LENGTH},
        "properties": [one for one in ("read", "write") if asked[one].word != "none"],
    }
    for key, one in asked.items():
        if one.word != "none":
            entry[key] = _asked(one)
            if key != "subscribe":
                words[key] = _asked(one)
    return entry | {"descriptors": [words]}


def _name(target: str, permission: Permission, kind: str = "") -> str:
    text = f"{target} {permission} {kind}".replace(",", "").replace("+", "")
    return "_".join(text.split())


def _described() -> dict[str, tuple[str, Permission, dict[str, Any]]]:
    """Every place: what it is for, and its entry in the profile."""
    places: dict[str, tuple[str, Permission, dict[str, Any]]] = {}
    for target in (*TARGETS, *KINDS):
        for permission in PERMISSIONS:
            at = "subscribe" if target in KINDS else target
            if at == "subscribe" and permission == NOTHING:
                continue  # a profile cannot say that a CCCD takes no writes
            name = _name(target, permission)
            entry = _characteristic(name, 0xA000 + len(places), at, permission)
            places[name] = (target, permission, entry)
    return places


DESCRIBED = _described()


@cache
def _profile(*, bonding: bool) -> Profile:
    open_value = {"properties": ["read", "write", "notify"], "value": {"text": PUBLIC.decode()}}
    characteristics: list[dict[str, Any]] = [
        {"uuid": "0xFF01", "id": "plain"} | open_value,
        {"uuid": "0xFF02", "id": "closed", "properties": ["write"], "value": {"text": "hidden"}},
    ]
    for name, (target, _, entry) in DESCRIBED.items():
        if target == "read":
            twin = {"properties": ["read"], "value": {"text": PUBLIC.decode()}}
            characteristics.append({"uuid": entry["uuid"], "id": f"{name}_twin"} | twin)
        characteristics.append(entry)
    description = {
        "bletest": 1,
        "name": "vault",
        "device": {
            "name": "Vault",
            "mtu": 100,
            "gatt": {"eatt": True, "multiple_notifications": True},
        },
        "advertising": {"interval": "100ms"},
        "security": {"bonding": bonding},
        "services": [{"uuid": "0xFF00", "characteristics": characteristics}],
    }
    return profile.loads(yaml.safe_dump(description))


class _Person(PairingDelegate):
    """Knows the passkey, on both sides."""

    async def generate_passkey(self) -> int:
        return PASSKEY

    async def get_number(self) -> int:
        return PASSKEY


def _pairing(
    key: str, size: int, io: PairingDelegate.IoCapability, *, bonding: bool
) -> PairingConfig:
    with_passkey = key.endswith("_mitm")
    return PairingConfig(
        sc=key.startswith("secure"),
        mitm=with_passkey,
        bonding=bonding,
        delegate=_Person(
            io if with_passkey else PairingDelegate.NO_OUTPUT_NO_INPUT,
            BONDED | SIGNING,
            BONDED,
            size,
        ),
        identity_address_type=PairingConfig.AddressType.RANDOM,
    )


class Vault:
    """The device, on the air."""

    def __init__(
        self, link: VirtualLink, station: Station, device: VirtualPeripheral, *, bonding: bool
    ) -> None:
        self.link = link
        self.device = device
        self.bonding = bonding
        self._station = station
        self.plain = device["plain"].attribute.value.handle
        self.places = [self._place(name) for name in DESCRIBED]

    def _place(self, name: str) -> Place:
        target, permission, entry = DESCRIBED[name]
        found = self.device[name].attribute
        twin = self.device[f"{name}_twin"].attribute.value.handle if target == "read" else 0
        assert found.cccd is not None
        (words,) = [one for one in found.descriptors if one is not found.cccd]
        return Place(
            name=name,
            target=target,
            permission=permission,
            uuid=int(entry["uuid"], 16),
            declaration=found.declaration.handle,
            properties=sum(PROPERTIES[one] for one in entry["properties"]),
            value=found.value.handle,
            cccd=found.cccd.handle,
            words=words.handle,
            twin=twin,
            plain=self.plain,
            closed=self.device["closed"].attribute.value.handle,
        )

    def pairs_by(self, key: str) -> None:
        """Have the device pair in that way from now on."""
        io = PairingDelegate.DISPLAY_OUTPUT_ONLY
        self._station.device.pairing_config_factory = lambda _: _pairing(
            key, 16, io, bonding=self.bonding
        )

    def stored(self, handle: int) -> bytes:
        """What an attribute holds."""
        return self.device.table.by_handle[handle].value

    def restore(self, place: Place) -> None:
        """Put the values of a place back."""
        for handle in (place.value, place.words):
            self.device.table.by_handle[handle].value = SECRET


@asynccontextmanager
async def vault(*, bonding: bool = True) -> AsyncIterator[Vault]:
    """Switch the device on, and off afterwards."""
    link = VirtualLink(seed=10)
    station = await open_station(link, name="device", address=None, rng=random.Random(10))
    device = VirtualPeripheral(_profile(bonding=bonding))
    await device.start(station)
    try:
        yield Vault(link, station, device, bonding=bonding)
    finally:
        await device.stop()
        await station.close()
    assert not device.failures


# The client


@dataclass
class Walk:
    """One client. ``security`` is what its link has reached by the rules of the specification."""

    vault: Vault
    central: RawCentral
    outcome: Outcome
    stages: list[str]
    security: Security = field(default_factory=Security)

    def __post_init__(self) -> None:
        self._enabled: set[str] = set()
        self._counter = 0

    async def pair(self, key: str, size: int = 16) -> None:
        """Pair in that way; a bond is kept where the device keeps any."""
        io = PairingDelegate.KEYBOARD_INPUT_ONLY
        self.vault.pairs_by(key)
        self.central.device.pairing_config_factory = lambda _: _pairing(
            key, size, io, bonding=self.vault.bonding
        )
        await self.central.pair()
        self.security = Security(True, key, size, kept=self.vault.bonding)

    async def pair_reading(self, key: str, size: int = 16) -> None:
        """Pair, and read everything as soon as the new key is in use, before pairing is done."""
        places = [one for one in self.vault.places if one.target == "read"]

        def read() -> None:
            for place in places:
                self.central.send(b"\x0a" + u16(place.value))

        self.central.connection.once("connection_encryption_change", read)
        await self.pair(key, size)
        self.stages.append(f"{self.security}, while pairing")
        for place in places:
            code = expected("Read", place.permission, self.security, "unenhanced")
            ((_, answer),) = ASKED["Read"](place, code, self._sign).steps
            self.outcome.check(
                await self.central.response(),
                answer,
                *("on air", "Read", place.name, self.stages[-1]),
            )

    async def leave_unconfirmed(self) -> None:
        """Have the device send every indication; the first of them is not confirmed."""
        await self._subscribe()
        for place in self._sending():
            if place.target == "indicate":
                self.vault.device[place.name].notify(NEW)
        held = await self.central.notification()
        assert held is not None

    async def confirm(self) -> None:
        """Confirm now; what may be sent follows, one by one."""
        name = "Indication that had to wait"
        waiting = [one for one in self._sending() if one.target == "indicate"][1:]
        for place in waiting:
            code = expected(name, place.permission, self.security, "unenhanced")
            if code or place.name not in self._enabled:
                continue
            self.central.send(b"\x1e")
            told = [b"\x1d" + u16(place.value) + NEW]
            await self._arrived(told, name, place.name, confirm=False)
        self.central.send(b"\x1e")
        await self._arrived([], name, "no more")

    async def reconnect(self) -> None:
        """Come back on a plain link."""
        await self.central.disconnect()
        await self.central.connect()
        if not self.security.kept or self.security.key == KEYS[0]:
            self.security = Security()
            self._enabled.clear()
        self.security = replace(self.security, encrypted=False, authorized=False)

    async def encrypt(self) -> None:
        """Use the key of the bond."""
        await self.central.encrypt()
        self.security = replace(self.security, encrypted=True)

    def authorize(self) -> None:
        """Somebody at the device consents, until the link ends."""
        self.vault.device.authorize(*self.vault.device.clients)
        self.security = replace(self.security, authorized=True)

    def lose_bonds(self) -> None:
        """The device forgets its bonds while the link is up."""
        self.vault.device.forget_bonds()
        lost = replace(self.security, kept=False)
        self.security = lost if self.security.encrypted else Security()

    async def look(self, *, enhanced: Sequence[EnhancedBearer] = ()) -> None:
        """Run every cell of this stage; on an encrypted link also on an enhanced bearer."""
        self.stages.append(str(self.security))
        await self._send()
        await self._ask("unenhanced", self.central.send, self.central.response)
        bearers = list(enhanced) or await self._enhanced()
        for bearer in bearers:
            await self._ask("enhanced", bearer.send, bearer.next)
        if not enhanced:
            for bearer in bearers:
                await bearer.close()
        await self._subscribe()

    async def open_enhanced(self) -> list[EnhancedBearer]:
        """Open an enhanced bearer, to be kept."""
        return await self.central.open_enhanced(1)

    async def _enhanced(self) -> list[EnhancedBearer]:
        refused = 0
        bearers: list[EnhancedBearer] = []
        try:
            bearers = await self.open_enhanced()
        except l2cap.L2capError as error:
            refused = error.error_code
        results = SPECIFICATION["enhanced"]["plain"]
        right = 0 if self.security.encrypted else results[KEYS.index(self.security.key)]
        self.outcome.check(refused, right, "opening an enhanced bearer", self.security)
        return bearers

    def _sign(self, message: bytes) -> bytes:
        self._counter += 1
        return signature(message, self._counter)

    async def _ask(
        self, kind: str, send: Callable[[bytes], None], answer: Callable[[], Any]
    ) -> None:
        """Try what a client can begin, at every place."""
        alive = b"\x0a" + u16(self.vault.plain)
        for name, build in ASKED.items():
            for place in self.vault.places:
                if place.target != OPERATIONS[name]["asks"]:
                    continue
                exchange = build(
                    place, expected(name, place.permission, self.security, kind), self._sign
                )
                answers: list[bytes | None] = []
                for request, response in exchange.steps:
                    send(request)
                    if response is None:
                        send(alive)
                    answers.append(await answer())
                self.outcome.check(
                    (answers, self.vault.stored(place.value), self.vault.stored(place.words)),
                    (
                        [b"\x0b" + PUBLIC if one is None else one for _, one in exchange.steps],
                        exchange.value,
                        exchange.words,
                    ),
                    *("on air", name, place.name, self.security, kind),
                )
                self.vault.restore(place)
                if exchange.cccd:
                    send(b"\x12" + u16(place.cccd) + u16(0))
                    await answer()

    async def _subscribe(self) -> None:
        """Configure all that may be, for the stages to come."""
        features = self.vault.device.table.of_type(CLIENT_SUPPORTED_FEATURES)[0].handle
        await self.central.request(b"\x12" + u16(features) + b"\x04")
        plain = self.vault.device["plain"].attribute.cccd
        assert plain is not None
        await self.central.request(b"\x12" + u16(plain.handle) + u16(KINDS["notify"]))
        for one in self._sending():
            await self.central.request(b"\x12" + u16(one.cccd) + u16(KINDS[one.target]))
        self._enabled |= {
            one.name
            for one in self._sending()
            if not expected("Configure", one.permission, self.security, "unenhanced")
        }
        self._enabled.add("plain")

    def _sending(self) -> list[Place]:
        return [one for one in self.vault.places if one.target in KINDS]

    async def _send(self) -> None:
        """Have the device send each value, and the values two by two."""
        names = {"notify": "Notification, once configured"}
        names["indicate"] = "Indication, once configured"
        for place in self._sending():
            name = names[place.target]
            may = place.name in self._enabled and not expected(
                name, place.permission, self.security, "unenhanced"
            )
            self.vault.device[place.name].notify(NEW)
            opcode = 0x1B if place.target == "notify" else 0x1D
            told = [bytes((opcode,)) + u16(place.value) + NEW] if may else []
            await self._arrived(told, name, place.name)
            if place.target != "notify":
                continue
            self.vault.device.notify_together({"plain": PUBLIC, place.name: NEW})
            told = []
            if "plain" in self._enabled:
                told = [b"\x1b" + u16(place.plain) + PUBLIC]
                if may:
                    one = u16(place.plain) + u16(LENGTH) + PUBLIC
                    told = [b"\x23" + one + u16(place.value) + u16(LENGTH) + NEW]
            await self._arrived(told, "Multiple notification", place.name)

    async def _arrived(self, told: list[bytes], *cell: object, confirm: bool = True) -> None:
        """Compare with what has come by the time that the next request is answered."""
        await self.central.request(b"\x0a" + u16(self.vault.plain))
        seen: list[bytes] = []
        while not self.central.notifications.empty():
            seen.append(self.central.notifications.get_nowait())
            if confirm and seen[-1][0] == 0x1D:
                self.central.send(b"\x1e")
        self.outcome.check(seen, told, "on air", *cell, self.security)
