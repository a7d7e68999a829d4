"""What characteristics and descriptors resolve alike: value, length, permissions, side effect."""

from dataclasses import dataclass

from bletest.att.access import OPEN, Access
from bletest.profile.expectation import SideEffect, ValueExpectation
from bletest.profile.mistakes import KEY, count
from bletest.profile.model import AccessModel, AttributeModel, LengthModel, ProfileModel
from bletest.profile.resolve_names import declared_maximum
from bletest.profile.resolve_values import (
    ResolvedValue,
    Typing,
    resolve_expectation,
    resolve_value,
)
from bletest.profile.security import Support
from bletest.profile.shape import Shaped
from bletest.profile.spec import MAXIMUM_LENGTH
from bletest.profile.tree import Path


@dataclass(frozen=True, slots=True)
class Common:
    """What characteristics and descriptors resolve alike."""

    value: ResolvedValue | None
    expectation: ValueExpectation
    min_length: int
    max_length: int


@dataclass(frozen=True, slots=True)
class AttributeReader:
    """Reads those parts of any attribute; ``model`` is the whole file."""

    shaped: Shaped
    model: ProfileModel

    def common(self, model: AttributeModel, typing: Typing, at: Path) -> Common:
        """Resolve value, length and expectation, which depend on each other."""
        value = None
        if model.value is not None:
            value = resolve_value(self.shaped, typing, model.value, (*at, "value"))
        low, high = self._lengths(model.length, at)
        if value is not None and not low <= len(value.octets) <= high:
            wanted = str(low) if low == high else f"{low} to {high}"
            self.shaped.mistake(
                (*at, "value"),
                f"this value has {count(len(value.octets), 'octet')}, `length` allows {wanted}",
                "change one of the two",
            )
        length = model.length
        trusted = self.shaped.sound(at, "uuid") and self.shaped.sound(at, "value")
        if not trusted or (model.value is not None and value is None):
            expectation = ValueExpectation()  # what `expect` means hangs on what failed
        else:
            expectation = resolve_expectation(
                self.shaped, typing, model.expect, (*at, "expect"), value, length
            )
            wrong = None if value is None else expectation.mismatch(value.octets)
            if wrong is not None and low <= len(value.octets if value else b"") <= high:
                self.shaped.mistake(
                    (*at, "value"),
                    f"this value does not meet `expect`: {wrong}",
                    "change one of the two",
                )
        if length is None and value is not None:
            least, greatest = value.format.lengths(value.octets)
            low, high = least, MAXIMUM_LENGTH if greatest is None else greatest
        return Common(value, expectation, low, high)

    def access(
        self, at: Path, key: str, model: AccessModel | None, allowed: bool, needed: str
    ) -> Access | None:
        """Resolve a permission; None where no property lets anyone."""
        if model is None:
            return OPEN if allowed else None
        if not allowed:
            if self.shaped.sound(at, "properties"):
                self.shaped.mistake(
                    (*at, key, KEY),
                    f"`{key}` asks for security, but the properties do not allow it at all",
                    f"add {needed} to `properties`, or remove `{key}`",
                )
            return None
        words = set(model.access)
        if "open" in words and len(words) > 1:
            self.shaped.mistake((*at, key), "`open` stands alone", "remove it, or the others")
        encrypted = bool(words & {"encrypted", "authenticated", "secure_connections"})
        if model.key_size > 7 and not encrypted:
            self.shaped.mistake(
                (*at, key, "key_size"),
                "a key size counts only on an encrypted link",
                "add `access: encrypted`",
            )
        if model.fresh is not None and "authorized" not in words:
            self.shaped.mistake(
                (*at, key, "fresh"),
                "only an authorization is more or less fresh",
                "add `access: authorized`",
            )
        pairs = self.model.security is not None and self.model.security.pairing
        if encrypted and not pairs and self.shaped.sound((), "security"):
            self.shaped.mistake(
                (*at, key),
                "nobody could ever get there: this device does not pair",
                "add `security: {bonding: true}` at the top level",
            )
        self._hold_against_pairing(at, key, model, words)
        return Access(
            encrypted=encrypted,
            authenticated="authenticated" in words,
            secure_connections="secure_connections" in words,
            authorized="authorized" in words,
            key_size=model.key_size,
            fresh=model.fresh,
        )

    def _hold_against_pairing(
        self, at: Path, key: str, model: AccessModel, words: set[str]
    ) -> None:
        """Note what no pairing with this device can give."""
        security = self.model.security
        if security is None or not security.pairing:
            return
        if "secure_connections" in words and security.secure_connections == Support.UNSUPPORTED:
            self.shaped.mistake(
                (*at, key),
                "nobody could ever get there: this device does not know LE Secure Connections",
                "remove `secure_connections: unsupported` under `security`",
            )
        longest = security.key_size.max if security.key_size is not None else None
        if longest is not None and model.key_size > longest:
            self.shaped.mistake(
                (*at, key),
                f"nobody could ever get there: keys of this device have at most {longest} octets",
                "change this size, or `security.key_size`",
            )

    def side_effect(
        self, model: AttributeModel, at: Path, read: Access | None, write: Access | None
    ) -> SideEffect:
        """Resolve what a write does to the world; silent, it is guessed from the permissions."""
        if write is None:
            if model.side_effect not in (None, "none") and self.shaped.sound(at, "properties"):
                self.shaped.mistake(
                    (*at, "side_effect", KEY),
                    "a side effect is that of a write, and this cannot be written",
                    "remove it",
                )
            return SideEffect.NONE
        if model.side_effect is not None:
            return SideEffect(model.side_effect)
        return SideEffect.STORES if read is not None else SideEffect.ACTUATES

    def _lengths(self, model: LengthModel | None, at: Path) -> tuple[int, int]:
        if model is None:
            return 0, MAXIMUM_LENGTH
        low, high = model.min or 0, declared_maximum(model)
        if low > high:
            self.shaped.mistake(
                (*at, "length"), f"min {low} is greater than max {high}", "change one of the two"
            )
            return 0, MAXIMUM_LENGTH
        return low, high
