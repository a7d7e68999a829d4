"""What a profile's plain YAML promises of the device's database: its attributes, in order."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

PRIMARY, SECONDARY, INCLUDE, CHARACTERISTIC = b"\x00\x28", b"\x01\x28", b"\x02\x28", b"\x03\x28"
EXTENDED, CCCD = b"\x00\x29", b"\x02\x29"
SERVICE_CHANGED, FEATURES, HASH = b"\x05\x2a", b"\x29\x2b", b"\x2a\x2b"
DESCRIPTORS = {
    "characteristic_user_description": b"\x01\x29",
    "characteristic_presentation_format": b"\x04\x29",
    "characteristic_aggregate_format": b"\x05\x29",
}
PROPERTIES = {
    "read": 0x02,
    "write_without_response": 0x04,
    "write": 0x08,
    "notify": 0x10,
    "indicate": 0x20,
    "authenticated_signed_write": 0x40,
    "reliable_write": 0x80,
    "writable_auxiliaries": 0x80,
}
EXTENSIONS = {"reliable_write": 1, "writable_auxiliaries": 2}
WRITES = {
    "write": ("request", "prepare"),
    "reliable_write": ("prepare",),
    "write_without_response": ("command",),
    "authenticated_signed_write": ("signed",),
}
"""What a property permits (Part G, 3.3.1.1 and 3.3.3.1)."""
BASE = bytes.fromhex("fb349b5f8000008000100000")
"""The Bluetooth Base UUID without the part that short UUIDs fill in, least octet first."""


def u16(number: int) -> bytes:
    """16 bits as they travel."""
    return number.to_bytes(2, "little")


def octets_of(uuid: str) -> bytes:
    """A UUID of the file as it travels."""
    if uuid in DESCRIPTORS:
        return DESCRIPTORS[uuid]
    return bytes.fromhex(uuid.removeprefix("0x").replace("-", ""))[::-1]


def shortest(uuid: bytes) -> bytes:
    """16 octets that only spell out a short UUID mean that one (Part F, 3.2.1)."""
    short = len(uuid) == 16 and uuid.startswith(BASE) and uuid.endswith(b"\x00\x00")
    return uuid[12:14] if short else uuid


def aes_cmac(message: bytes, key: bytes = bytes(16)) -> bytes:
    """RFC 4493."""
    cmac = CMAC(AES(key))
    cmac.update(message)
    return cmac.finalize()


@dataclass(frozen=True, eq=False)
class Attribute:
    """One attribute. ``writes`` says how it is written, ``end`` where its group ends.

    ``offered`` are the bits that a CCCD takes, ``of`` the handle of the value it is for.
    """

    handle: int
    type: bytes
    value: bytes = b""
    read: str | None = "open"
    write: str = "open"
    writes: frozenset[str] = frozenset()
    least: int = 0
    most: int = 512
    end: int = 0
    name: str = ""
    offered: int = 0
    of: int = 0
    slow: bool = False

    @property
    def per_client(self) -> bool:
        """Whether each client has a value of its own."""
        return self.type in (CCCD, FEATURES)


@dataclass(eq=False, repr=False)
class Database:
    """Attributes by block, a block being a service with its name, in the order of handles."""

    blocks: list[tuple[str, list[Attribute]]]
    next_handle: int
    attributes: list[Attribute] = field(init=False)

    def __post_init__(self) -> None:
        self.attributes = [one for _, block in self.blocks for one in block]
        self.handles = [one.handle for one in self.attributes]
        self.by_handle = dict(zip(self.handles, self.attributes, strict=True))
        self.by_type: dict[bytes, list[Attribute]] = {}
        for one in self.attributes:
            self.by_type.setdefault(one.type, []).append(one)
        self.by_name = {one.name: one for one in self.attributes if one.name}
        self.cccds = {one.of: one for one in self.by_type.get(CCCD, [])}
        self.last_group = max(one.handle for one in self.attributes if one.type == PRIMARY)

    def between(self, start: int, end: int) -> Sequence[Attribute]:
        """Attributes from ``start`` to ``end``."""
        first = bisect_left(self.handles, start)
        return self.attributes[first : bisect_right(self.handles, end)]

    def of_type(self, type_: bytes, start: int, end: int) -> list[Attribute]:
        """Attributes of that type from ``start`` to ``end``."""
        found = self.by_type.get(shortest(type_), [])
        return [one for one in found if start <= one.handle <= end]

    @cached_property
    def hash(self) -> bytes:
        """The Database Hash (Part G, 7.3.1)."""
        message = b""
        for one in self.attributes:
            if one.type in (PRIMARY, SECONDARY, INCLUDE, CHARACTERISTIC, EXTENDED):
                message += u16(one.handle) + one.type + one.value
            elif one.type in (b"\x01\x29", CCCD, b"\x03\x29", b"\x04\x29", b"\x05\x29"):
                message += u16(one.handle) + one.type
        return aes_cmac(message)[::-1]

    def without(self, name: str) -> "tuple[Database, int, int]":
        """The database without a service, and the handles that are gone."""
        gone = next(block for one, block in self.blocks if one == name)
        rest = [one for one in self.blocks if one[0] != name]
        return Database(rest, self.next_handle), gone[0].handle, gone[-1].handle

    def restored(self, service: dict[str, Any]) -> "tuple[Database, int, int]":
        """The database with a service that was gone: at handles that were never used."""
        block = _block(service, self.next_handle, {})
        start, end = block[0].handle, block[-1].handle
        return Database([*self.blocks, (str(service["id"]), block)], end + 1), start, end


@dataclass(frozen=True)
class Description:
    """A device: its profile as YAML, and what follows from it."""

    path: Path
    data: dict[str, Any]
    database: Database
    slow: str = ""

    @property
    def mtu(self) -> int:
        """The MTU that the device takes."""
        return int(self.data["device"]["mtu"])

    def service(self, name: str) -> dict[str, Any]:
        """A service of the file."""
        return next(one for one in self.data["services"] if one.get("id") == name)


def describe(path: Path, *, slow: str = "") -> Description:
    """Read a profile. ``slow`` is the characteristic whose answers take a while."""
    data = yaml.load(path.read_text(), yaml.BaseLoader)  # numbers stay as they are written
    device, gatt = data["device"], data["device"].get("gatt", {})
    read = {"properties": ["read"]}
    blocks: list[tuple[str, list[Attribute]]] = []
    ends: dict[str, tuple[int, int, bytes]] = {}
    ahead = [
        {
            "uuid": "0x1800",
            "characteristics": [
                {"uuid": "0x2A00", "value": {"text": device["name"]}, **read},
                {"uuid": "0x2A01", "value": {"hex": "00 00"}, **read},
            ],
        },
        {"uuid": "0x1801", "characteristics": _gatt(gatt)},
    ]
    handle = 1
    for service in ahead + _included_first(data["services"]):
        block = _block(service, handle, ends, slow)
        blocks.append((str(service.get("id", "")), block))
        ends[str(service.get("id", ""))] = (block[0].handle, block[-1].handle, block[0].value)
        handle = block[-1].handle + 1
    return Description(path, data, Database(blocks, handle), slow)


def _gatt(gatt: dict[str, str]) -> list[dict[str, Any]]:
    """What the GATT service has by what the profile switches on (Part G, 7)."""
    changing, caching, together, eatt = (
        gatt.get(name, "false") == "true"
        for name in ("service_changed", "robust_caching", "multiple_notifications", "eatt")
    )
    wanted = (
        (changing or caching, "0x2A05", ["indicate"], "00 00 00 00", None),
        (caching or together or eatt, "0x2B29", ["read", "write"], "00", {"min": 1}),
        (caching, "0x2B2A", ["read"], "00", None),
        (eatt, "0x2B3A", ["read"], "01", None),
    )
    return [
        {"uuid": uuid, "properties": properties, "value": {"hex": value}}
        | ({"length": length} if length else {})
        for switched_on, uuid, properties, value, length in wanted
        if switched_on
    ]


def _included_first(services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    by_id = {str(one.get("id", "")): one for one in services}
    ordered: list[dict[str, Any]] = []

    def place(service: dict[str, Any]) -> None:
        if service not in ordered:
            for name in service.get("includes", ()):
                place(by_id[name])
            ordered.append(service)

    for service in services:
        place(service)
    return ordered


def _value(entry: dict[str, Any]) -> bytes:
    value = entry["value"]
    return value["text"].encode() if "text" in value else bytes.fromhex(value.get("hex", ""))


def _lengths(entry: dict[str, Any]) -> dict[str, int]:
    length = entry.get("length", {})
    if isinstance(length, str):
        return {"least": int(length), "most": int(length)}
    return {"least": int(length.get("min", 0)), "most": int(length.get("max", 512))}


def _access(asked: Any) -> str:
    return "key16" if isinstance(asked, dict) else str(asked)


def _block(
    service: dict[str, Any],
    handle: int,
    others: dict[str, tuple[int, int, bytes]],
    slow: str = "",
) -> list[Attribute]:
    """The attributes of one service (Part G, 3.1 to 3.3)."""
    primary = PRIMARY if service.get("primary") != "false" else SECONDARY
    made = [Attribute(handle, primary, octets_of(service["uuid"]))]
    for name in service.get("includes", ()):
        start, end, uuid = others[name]
        short = uuid if len(uuid) == 2 else b""
        made.append(Attribute(handle + len(made), INCLUDE, u16(start) + u16(end) + short))
    for one in service["characteristics"]:
        made += _characteristic(one, handle + len(made), slow)
    made[0] = replace(made[0], end=made[-1].handle)
    return [replace(one, end=one.end or one.handle) for one in made]


def _characteristic(entry: dict[str, Any], handle: int, slow: str) -> Iterable[Attribute]:
    names = entry["properties"]
    bits = 0
    for one in names:
        bits |= PROPERTIES[one]
    uuid = octets_of(entry["uuid"])
    value = Attribute(
        handle + 1,
        uuid,
        _value(entry),
        _access(entry.get("read", "open")) if "read" in names else None,
        _access(entry.get("write", "open")),
        frozenset(way for one in names for way in WRITES.get(one, ())),
        name=entry.get("id", ""),
        slow=bool(slow) and entry.get("id") == slow,
        **_lengths(entry),
    )
    made = [Attribute(handle, CHARACTERISTIC, bytes((bits,)) + u16(handle + 1) + uuid), value]
    if bits & 0x80:
        extensions = sum(EXTENSIONS.get(one, 0) for one in names)
        made.append(Attribute(handle + 2, EXTENDED, u16(extensions)))
    if bits & 0x30:
        made.append(
            Attribute(
                handle + len(made),
                CCCD,
                bytes(2),
                write=_access(entry.get("subscribe", "open")),
                writes=frozenset(WRITES["write"]),
                least=2,
                most=2,
                offered=bits >> 4 & 3,
                of=handle + 1,
            )
        )
    for one in entry.get("descriptors", ()):
        made.append(_descriptor(one, handle + len(made), made))
    made[0] = replace(made[0], end=made[-1].handle)
    return made


def _descriptor(entry: dict[str, Any], handle: int, before: list[Attribute]) -> Attribute:
    names = entry.get("properties", ["read"])
    value = _value(entry)
    if "handles_of" in entry["value"]:
        by_name = {one.name: one.handle for one in before}
        value = b"".join(u16(by_name[one]) for one in entry["value"]["handles_of"])
    return Attribute(
        handle,
        octets_of(entry["uuid"]),
        value,
        "open" if "read" in names else None,
        writes=frozenset(way for one in names for way in WRITES.get(one, ())),
        name=entry.get("id", ""),
        **_lengths(entry),
    )
