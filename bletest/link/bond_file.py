"""Bonds in a file: whole whatever happens to who writes it, and read by nobody else.

One file holds the bonds of any number of devices and clients, each under its name. A change is
made under a lock, in a copy that takes the file's place when it is on the disk: whoever is killed
meanwhile leaves the file as it was before, or as it is after. Nothing here knows bumble or a loop.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bletest.errors import BondsUnusable

VERSION = 1
FORMAT = "bletest bonds"

_READABLE_BY_US = 0o600


class Key(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A key: 16 octets, and with which numbers legacy pairing calls it (Vol 3, Part H, 2.4.4)."""

    value: bytes
    authenticated: bool = False
    ediv: int | None = None
    rand: bytes | None = None

    def __post_init__(self) -> None:
        if len(self.value) != 16:
            raise ValueError(f"a key has 16 octets, not {len(self.value)}")


class StoredBond(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What is kept of one peer.

    ``identity`` is its identity address, ``address_type`` 0 for public and 1 for random. The LTKs
    go by who uses them: ``ltk`` both (LE Secure Connections), the others the side that is central
    or peripheral. ``counter`` is the last SignCounter seen of it, -1 before the first. ``values``
    are what it has configured, by attribute; ``aware`` and ``stale`` are its state of robust
    caching and the range of handles that it has yet to be told of.
    """

    identity: str
    address_type: int
    ltk: Key | None = None
    ltk_central: Key | None = None
    ltk_peripheral: Key | None = None
    irk: Key | None = None
    csrk: Key | None = None
    authenticated: bool = False
    secure_connections: bool = False
    key_size: int = 16
    counter: int = -1
    values: dict[str, bytes] = msgspec.field(default_factory=dict)
    aware: bool = True
    stale: tuple[int, int] | None = None


class Owner(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A device or a client with its bonds, the one used least lately first.

    ``address`` and ``irk`` are what its peers know it by; ``database`` is the Database Hash of
    what a device served.
    """

    address: str
    irk: bytes
    database: bytes = b""
    bonds: list[StoredBond] = msgspec.field(default_factory=list)


class _Store(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    version: int
    devices: dict[str, Owner] = msgspec.field(default_factory=dict)
    clients: dict[str, Owner] = msgspec.field(default_factory=dict)


class _Head(msgspec.Struct):
    format: str = ""
    version: int = 0


class BondFile:
    """The file at ``path``; it needs not exist. All methods raise BondsUnusable."""

    def __init__(self, path: Path) -> None:
        # What a link points to is to be replaced, and not the link.
        self.path = path.resolve()

    def device(self, name: str) -> Owner | None:
        """Return the bonds of a device, None where the file knows none of that name."""
        return self._read().devices.get(name)

    def client(self, name: str) -> Owner | None:
        """Return the bonds of a client, None where the file knows none of that name."""
        return self._read().clients.get(name)

    def keep_device(self, name: str, owner: Owner) -> None:
        """Have the file hold these bonds of a device, and on the disk before this returns."""
        with self._changing() as store:
            store.devices[name] = owner

    def keep_client(self, name: str, owner: Owner) -> None:
        """Have the file hold these bonds of a client, and on the disk before this returns."""
        with self._changing() as store:
            store.clients[name] = owner

    @contextlib.contextmanager
    def _changing(self) -> Iterator[_Store]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock():
                store = self._read()
                yield store
                self._replace(msgspec.json.format(msgspec.json.encode(store), indent=1) + b"\n")
        except OSError as error:
            raise BondsUnusable(
                f"the bonds cannot be written to {self.path}: {error.strerror or error}",
                remedy="make room there, allow writing in its folder, or name another file",
            ) from error

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        # Beside the file: the file itself is another one after each change.
        lock = os.open(self._beside(".lock"), os.O_CREAT | os.O_RDWR, _READABLE_BY_US)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _replace(self, content: bytes) -> None:
        # Always the same name: what somebody who was killed has left is overwritten.
        copy = self._beside(".new")
        descriptor = os.open(copy, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, _READABLE_BY_US)
        with open(descriptor, "wb") as file:
            os.fchmod(file.fileno(), _READABLE_BY_US)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(copy, self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(f".{self.path.name}{suffix}")

    def _read(self) -> _Store:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return _Store(FORMAT, VERSION)
        except OSError as error:
            raise BondsUnusable(
                f"the bonds in {self.path} cannot be read: {error.strerror or error}",
                remedy="allow reading it, or name another file",
            ) from error
        try:
            head = msgspec.json.decode(content, type=_Head)
            if head.format == FORMAT and head.version > VERSION:
                raise BondsUnusable(
                    f"{self.path} has version {head.version} of the format, and this bletest"
                    f" reads {VERSION}",
                    remedy="take a later bletest, or name another file",
                )
            if (head.format, head.version) != (FORMAT, VERSION):
                raise msgspec.ValidationError("it does not say what it is")
            return msgspec.json.decode(content, type=_Store)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BondsUnusable(
                f"{self.path} holds no bonds that can be read: {error}",
                remedy="put a copy back, or move it away: bonds are lost then, and devices pair"
                " anew; bletest leaves the file as it is",
            ) from error
