"""The shape of ``security``: which keys stand there, and what each may hold."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from bletest.profile import scalars
from bletest.profile.field_types import (
    ITEM,
    Boolean,
    Seconds,
    Shape,
    guard,
    in_list,
    integer,
    read_by,
    short,
    under,
    word,
)
from bletest.profile.mistakes import Refusal
from bletest.profile.security import (
    IO_CAPABILITIES,
    KEYS,
    LARGEST_KEY,
    NO_INPUT_NO_OUTPUT,
    SMALLEST_KEY,
    Protection,
    Support,
    WhenFull,
)
from bletest.profile.tree import Text, fields_at

RANDOM = "random"


def _read_passkey(value: Any) -> str:
    text = scalars.read_text(value, "a passkey")
    if text != RANDOM and not re.fullmatch("[0-9]{6}", text):
        raise Refusal(
            f"`{text}` is no passkey",
            "write six digits, `random`, or {console: 'PIN: (\\d{6})'}",
        )
    return text


def _read_pattern(value: Any) -> str:
    text = scalars.read_text(value, "a regular expression")
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise Refusal(f"this is no regular expression: {error}", "see Python's `re`") from None
    if groups != 1:
        raise Refusal(
            f"the pattern has {groups} groups, and one is to be the passkey",
            "put the six digits in parentheses: 'PIN: (\\d{6})'",
        )
    return text


def _read_bonding(value: Any) -> Any:
    """Take true for bonding without bounds, and false for none."""
    if isinstance(value, Text) and not value.is_nothing:
        return fields_at(value.place) if scalars.read_boolean(value) else None
    return value


class BondingModel(Shape):
    """Bonds are kept; ``max`` says how many."""

    max: Annotated[int | None, *integer(1, 1000)] = None
    when_full: Annotated[str, *word(tuple(WhenFull), "way to do without room")] = WhenFull.REFUSE


class KeySizeModel(Shape):
    """Octets of the encryption key."""

    min: Annotated[int | None, *integer(SMALLEST_KEY, LARGEST_KEY)] = None
    max: Annotated[int | None, *integer(SMALLEST_KEY, LARGEST_KEY)] = None


_Keys = Annotated[
    list[Annotated[str, *word(KEYS, "key that is distributed")]] | None,
    BeforeValidator(in_list),
    short(ITEM),
]


class KeyDistributionModel(Shape):
    """The keys that each side may hand over after pairing."""

    device: _Keys = None
    client: _Keys = None


class PasskeyModel(Shape):
    """Where the passkey comes from."""

    fixed: Annotated[
        str | None,
        *read_by(
            _read_passkey,
            anyOf=[{"type": "integer"}, {"type": "string", "pattern": "^([0-9]{6}|random)$"}],
        ),
    ] = None
    console: Annotated[str | None, *read_by(_read_pattern, type="string")] = None


class RepeatedAttemptsModel(Shape):
    """The pause after a failed pairing."""

    wait: Seconds = 1.0
    at_most: Seconds = 60.0


class SecurityModel(Shape):
    """What its Security Manager does."""

    pairing: Boolean = True
    bonding: Annotated[
        BondingModel | None, BeforeValidator(guard(_read_bonding)), short({"type": "boolean"})
    ] = None
    io: Annotated[str, *word(IO_CAPABILITIES, "IO capability")] = NO_INPUT_NO_OUTPUT
    mitm: Annotated[str | None, *word(tuple(Protection), "protection")] = None
    secure_connections: Annotated[str, *word(tuple(Support), "support")] = Support.SUPPORTED
    key_size: Annotated[
        KeySizeModel | None,
        BeforeValidator(under("min", "max")),
        short({"type": "integer", "minimum": SMALLEST_KEY, "maximum": LARGEST_KEY}),
    ] = None
    key_distribution: KeyDistributionModel = KeyDistributionModel()
    passkey: Annotated[
        PasskeyModel | None,
        BeforeValidator(under("fixed")),
        short({"type": "integer"}, {"type": "string"}),
    ] = None
    oob: Boolean = False
    repeated_attempts: Annotated[
        RepeatedAttemptsModel | None, BeforeValidator(under("wait")), short({"type": "string"})
    ] = None
