"""What ``security`` means, and what in it cannot be."""

from bletest.profile.mistakes import KEY
from bletest.profile.model_security import RANDOM, SecurityModel
from bletest.profile.security import (
    LARGEST_KEY,
    NO_INPUT_NO_OUTPUT,
    SMALLEST_KEY,
    Protection,
    RepeatedAttempts,
    SecuritySpec,
    Support,
    WhenFull,
)
from bletest.profile.shape import Shaped

_SCREENLESS = "a device without display and keys"


def read_security(shaped: Shaped, model: SecurityModel | None) -> SecuritySpec:
    """Resolve the key; a device without it does not pair."""
    if model is None:
        return SecuritySpec()
    bonding = model.bonding
    if bonding is not None and not model.pairing:
        shaped.mistake(
            ("security", "bonding"),
            "a device that does not pair has no bonds",
            "remove `pairing: false`",
        )
    least, greatest = _key_size(shaped, model)
    keys = model.key_distribution
    passkey, console = _passkey(shaped, model)
    repeated = model.repeated_attempts
    return SecuritySpec(
        pairing=model.pairing,
        bonding=bonding is not None,
        io=model.io,
        mitm=_protection(shaped, model),
        secure_connections=Support(model.secure_connections),
        min_key_size=least,
        max_key_size=greatest,
        device_keys=frozenset(("encryption", "identity") if keys.device is None else keys.device),
        client_keys=None if keys.client is None else frozenset(keys.client),
        passkey=passkey,
        passkey_console=console,
        oob=model.oob,
        max_bonds=None if bonding is None else bonding.max,
        when_full=WhenFull.REFUSE if bonding is None else WhenFull(bonding.when_full),
        repeated_attempts=None
        if repeated is None
        else RepeatedAttempts(repeated.wait, max(repeated.wait, repeated.at_most)),
    )


def _protection(shaped: Shaped, model: SecurityModel) -> Protection:
    possible = model.oob or model.io != NO_INPUT_NO_OUTPUT
    if model.mitm is None:
        return Protection.REQUESTED if possible else Protection.NONE
    if model.mitm == Protection.REQUIRED and not possible and shaped.sound(("security",), "io"):
        shaped.mistake(
            ("security", "mitm"),
            f"{_SCREENLESS} pairs without protection, and would refuse everybody",
            "give it another `io`, or `oob: true`",
        )
    return Protection(model.mitm)


def _key_size(shaped: Shaped, model: SecurityModel) -> tuple[int, int]:
    size = model.key_size
    if size is None:
        return SMALLEST_KEY, LARGEST_KEY
    least = SMALLEST_KEY if size.min is None else size.min
    greatest = LARGEST_KEY if size.max is None else size.max
    if least > greatest:
        shaped.mistake(
            ("security", "key_size"),
            f"min {least} is greater than max {greatest}",
            "change one of the two",
        )
        return SMALLEST_KEY, LARGEST_KEY
    return least, greatest


def _passkey(shaped: Shaped, model: SecurityModel) -> tuple[str | None, str | None]:
    source = model.passkey
    if source is None:
        return None, None
    if model.io == NO_INPUT_NO_OUTPUT and shaped.sound(("security",), "io"):
        shaped.mistake(
            ("security", "passkey", KEY),
            f"{_SCREENLESS} has no use for a passkey",
            "say `io: display_only`, or what else it has",
        )
    if source.fixed is not None and source.console is not None:
        shaped.mistake(
            ("security", "passkey"),
            "a passkey is either said here or on the console",
            "keep one of `fixed` and `console`",
        )
    return (None if source.fixed == RANDOM else source.fixed), source.console
