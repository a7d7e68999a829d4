"""The specification's table, and what it says of a cell. Knows nothing of the engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

SPECIFICATION: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("specification.yaml").read_text(encoding="utf-8")
)
OPERATIONS: dict[str, dict[str, Any]] = SPECIFICATION["operations"]
KEYS: list[str] = SPECIFICATION["keys"]
TARGETS = ("read", "write", "subscribe")
"""What a permission is given for, each apart; ``subscribe`` is the writing of the CCCD."""

WORDS = ("encrypted", "authenticated", "secure", "authenticated_secure")
SIZES = range(7, 17)
BEARERS = ("unenhanced", "enhanced")
IGNORED = -1
"""In place of a code: refused without one."""


@dataclass(frozen=True)
class Permission:
    """What an attribute asks: a word, octets of the key, and somebody's consent."""

    word: str
    key_size: int = 7
    authorized: bool = False

    def __str__(self) -> str:
        size = f", {self.key_size} octets" if self.key_size > 7 else ""
        consent = ", authorized" if self.authorized else ""
        return self.word.replace("_", " + ") + size + consent


@dataclass(frozen=True)
class Security:
    """What a link has reached. ``key`` is the one shared with the client, of ``key_size`` octets.

    On a plain link it is the one that a bond keeps, on an encrypted link the one in use, which
    ``kept`` says is also that of a bond. ``before`` says that the plain link has been encrypted.
    """

    encrypted: bool = False
    key: str = "none"
    key_size: int = 16
    kept: bool = True
    before: bool = False
    authorized: bool = False

    def __str__(self) -> str:
        key = self.key.replace("_mitm", ", authenticated")
        if self.encrypted:
            text = f"encrypted: {key}, {self.key_size} octets" + ("" if self.kept else ", no bond")
        else:
            text = "plain" + ("" if self.key == "none" else f", bond kept: {key}")
        text += ", encrypted before" if self.before else ""
        return text + (", authorized" if self.authorized else "")


NOTHING = Permission("none")
OPEN = Permission("open")


def permissions(*, whole: bool = False) -> Iterator[Permission]:
    """Every word, with every key size where it is alone, with some where it is not.

    ``whole`` gives all combinations.
    """
    yield NOTHING
    yield OPEN
    yield Permission("open", authorized=True)
    for word, authorized in product(WORDS, (False, True)):
        everything = whole or (word == "encrypted" and not authorized)
        for size in SIZES if everything else (7, 12, 16):
            yield Permission(word, size, authorized)


def securities(*, whole: bool = False) -> Iterator[Security]:
    """Every state of a link; with ``whole``, every key with every size."""
    for authorized in (False, True):
        yield Security(authorized=authorized)
        for key in KEYS[1:]:
            yield Security(key=key, authorized=authorized)
            yield Security(key=key, before=True, authorized=authorized)
            sizes = SIZES if whole or key == "secure" else (7, 11, 12, 16)
            for size, kept in product(sizes, (True, False)):
                yield Security(True, key, size, kept, authorized=authorized)


def demands(permission: Permission, target: str, security: Security) -> Iterator[tuple[str, int]]:
    """Yield what is wanting, and the code that says so, in the table's order."""
    codes: dict[str, int] = dict.fromkeys((one["demand"] for one in SPECIFICATION["order"]), 0)
    if permission.word == "none":
        codes["permission"] = SPECIFICATION["permission"][target]
    elif permission.word != "open":
        rows = SPECIFICATION["link"]["encrypted" if security.encrypted else "plain"]
        codes["link"] = rows[permission.word][KEYS.index(security.key)]
        if security.encrypted and security.key_size < permission.key_size:
            codes["key_size"] = SPECIFICATION["key_size"]
    if permission.authorized and not security.authorized:
        codes["authorization"] = SPECIFICATION["authorization"]
    for demand, code in codes.items():
        if code:
            yield demand, code


@cache
def refusal(permission: Permission, target: str, security: Security) -> int:
    """Return the code of the refusal, 0 where the link may."""
    return next((code for _, code in demands(permission, target, security)), 0)


def expected(name: str, permission: Permission, security: Security, bearer: str) -> int:
    """Return the code that an operation is refused with, 0 where it is carried out."""
    operation = OPERATIONS[name]
    refused = operation["refused"]
    if refused == "never":
        return 0
    if refused == "always":
        return IGNORED
    if operation.get("signed"):
        asked = SPECIFICATION["signed"]
        link = "encrypted" if security.encrypted else "plain"
        kept = security.kept and security.key != "none"
        if (link, kept, bearer) != (asked["link"], asked["key"] == "kept", asked["bearer"]):
            return IGNORED
    return refusal(permission, operation["asks"], security)


def is_open_question(permission: Permission, security: Security) -> bool:
    """Whether several things are wanting on an encrypted link: their order is ours."""
    return security.encrypted and len(list(demands(permission, "read", security))) > 1
