"""Faults in words: what goes wrong with an emulated device, where, and when.

One vocabulary for profiles, markers and calls. As a sentence::

    battery_level: read 2 answers 0x0E
    every notification is delayed by 250ms
    at 3s pauses advertising for 5s

that is ``[attribute:] occasion [which] effect [argument]``, with little words where English wants
them; or in parts, ``{of: battery_level, on: read, nth: 2, answers: 0x0E}``. :mod:`bletest.faults`
counts occasions and says which faults are due.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bletest.att.codes import ErrorCode
from bletest.profile.mistakes import KEY, Refusal, did_you_mean, suggestion
from bletest.profile.scalars import read_boolean, read_duration, read_integer, read_text


class Occasion(StrEnum):
    """What a fault waits for."""

    READ = "read"
    READ_BLOB = "read_blob"
    WRITE = "write"
    PREPARE_WRITE = "prepare_write"
    SUBSCRIPTION = "subscription"
    DISCOVERY = "discovery"
    MTU = "mtu"
    REQUEST = "request"
    COMMAND = "command"
    NOTIFICATION = "notification"
    INDICATION = "indication"
    CONFIRMATION = "confirmation"
    CONNECTION = "connection"
    DISCONNECTION = "disconnection"
    ADVERTISING = "advertising"
    AT = "at"


class Effect(StrEnum):
    """What goes wrong."""

    ANSWERS = "answers"
    OPCODE = "opcode"
    TRUNCATED = "truncated"
    DUPLICATED = "duplicated"
    CORRUPTED = "corrupted"
    DROPPED = "dropped"
    DELAYED = "delayed"
    DISCONNECTS = "disconnects"
    REFUSED = "refused"
    PAUSES = "pauses"
    FORGETS = "forgets"
    KILLS = "kills"


_ANYWHERE = frozenset({Effect.PAUSES, Effect.FORGETS, Effect.KILLS})
_SENT = frozenset(
    {
        Effect.OPCODE,
        Effect.TRUNCATED,
        Effect.DUPLICATED,
        Effect.CORRUPTED,
        Effect.DROPPED,
        Effect.DELAYED,
    }
)
_BY_DEVICE = _ANYWHERE | _SENT | {Effect.DISCONNECTS}
_ANSWERED = _BY_DEVICE | {Effect.ANSWERS}

EFFECTS_OF: Mapping[Occasion, frozenset[Effect]] = {
    Occasion.READ: _ANSWERED,
    Occasion.READ_BLOB: _ANSWERED,
    Occasion.WRITE: _ANSWERED,
    Occasion.PREPARE_WRITE: _ANSWERED,
    Occasion.SUBSCRIPTION: _ANSWERED,
    Occasion.DISCOVERY: _ANSWERED,
    Occasion.MTU: _ANSWERED,
    Occasion.REQUEST: _ANSWERED,
    Occasion.COMMAND: _ANYWHERE | {Effect.DROPPED, Effect.DISCONNECTS},
    Occasion.NOTIFICATION: _BY_DEVICE,
    Occasion.INDICATION: _BY_DEVICE,
    Occasion.CONFIRMATION: _ANYWHERE | _SENT,
    Occasion.CONNECTION: _ANYWHERE | {Effect.REFUSED, Effect.DISCONNECTS},
    Occasion.DISCONNECTION: _ANYWHERE,
    Occasion.ADVERTISING: _ANYWHERE,
    Occasion.AT: _ANYWHERE | {Effect.DISCONNECTS},
}
"""What can go wrong on each occasion."""

ABOUT_ATTRIBUTES = frozenset(
    {
        Occasion.READ,
        Occasion.READ_BLOB,
        Occasion.WRITE,
        Occasion.PREPARE_WRITE,
        Occasion.SUBSCRIPTION,
        Occasion.COMMAND,
        Occasion.NOTIFICATION,
        Occasion.INDICATION,
        Occasion.CONFIRMATION,
    }
)
"""Occasions that can be narrowed down to one attribute."""

_NEEDS: Mapping[Occasion, str] = {
    Occasion.NOTIFICATION: "notify",
    Occasion.INDICATION: "indicate",
    Occasion.CONFIRMATION: "indicate",
}

REMOTE_USER_TERMINATED = 0x13
FAILED_TO_BE_ESTABLISHED = 0x3E
_DEFAULTS: Mapping[Effect, int] = {
    Effect.DISCONNECTS: REMOTE_USER_TERMINATED,
    Effect.REFUSED: FAILED_TO_BE_ESTABLISHED,
    Effect.TRUNCATED: -1,
}
_WITHOUT_ARGUMENT = frozenset({Effect.DUPLICATED, Effect.CORRUPTED, Effect.DROPPED})
_OBJECTS: Mapping[Effect, str] = {Effect.FORGETS: "bond", Effect.KILLS: "adapter"}
_DURATIONS = frozenset({Effect.DELAYED, Effect.PAUSES})
_LITTLE_WORDS = frozenset({"is", "are", "by", "to", "for", "with", "the", "an", "a", "its", "on"})
_ERRORS: Mapping[str, int] = {code.name.lower(): int(code) for code in ErrorCode}
_RANGE = re.compile(r"([0-9]+)-([0-9]+)")
_MOST = 1_000_000

KEYS = ("of", "on", "nth", "at", *Effect)
"""The keys of a fault that is said in parts."""

_SCALAR = {"type": ["string", "number", "boolean"]}
FAULT_SCHEMA: dict[str, object] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                **{str(key): _SCALAR for key in KEYS},
                "on": {"enum": [str(one) for one in Occasion if one is not Occasion.AT]},
            },
            # What stands before the colon of an unquoted sentence is its key.
            "additionalProperties": {"type": "string"},
        },
    ],
    "description": 'what goes wrong, such as "battery_level: read 2 answers 0x0E", or in parts',
}
"""The JSON Schema of one fault."""


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One fault.

    It is due on the ``first`` to ``last`` (None: every later) matching occasion, counted from 1,
    or, where ``occasion`` is AT, once, ``moment`` seconds after the plan began. ``argument`` is
    an ATT error code, an ATT_MTU (answers, on MTU), an opcode, the octets that are left (-1: all
    but the last), an HCI reason, or seconds, as the effect needs. ``attribute`` is its name as
    it was given, ``path`` the path it stands for; both empty where any attribute will do.
    """

    occasion: Occasion
    effect: Effect
    argument: int | float | None = None
    first: int = 1
    last: int | None = 1
    moment: float = 0.0
    attribute: str = ""
    path: str = ""

    def matches(self, number: int) -> bool:
        """Whether it is due on the ``number``-th occasion."""
        return self.first <= number and (self.last is None or number <= self.last)

    def __str__(self) -> str:
        front = f"{self.attribute}: " if self.attribute else ""
        return f"{front}{self.occasion} {self._which} {self._what}"

    @property
    def _which(self) -> str:
        if self.occasion is Occasion.AT:
            return _in_seconds(self.moment)
        if self.last is None:
            return "every" if self.first == 1 else f"after {self.first - 1}"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def _what(self) -> str:
        if self.effect in _WITHOUT_ARGUMENT or self.argument == -1:
            return str(self.effect)
        if self.effect in _OBJECTS:
            return f"{self.effect} {_OBJECTS[self.effect]}"
        if self.effect in _DURATIONS:
            front = f"{self.effect} advertising" if self.effect is Effect.PAUSES else self.effect
            return f"{front} {_in_seconds(self.argument or 0.0)}"
        decimal = self.effect is Effect.TRUNCATED or self.occasion is Occasion.MTU
        if decimal and self.effect in (Effect.TRUNCATED, Effect.ANSWERS):
            return f"{self.effect} {self.argument}"
        return f"{self.effect} 0x{int(self.argument or 0):02X}"


def _in_seconds(seconds: float) -> str:
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def read_fault(given: object) -> FaultSpec:
    """Read a sentence (a string) or parts (a mapping); ``path`` is left empty.

    Raises :class:`~bletest.profile.mistakes.Refusal`, which leads to the part that is wrong.
    """
    if isinstance(given, Mapping):
        words = [str(key) for key in given]
        if len(words) == 1 and words[0] not in KEYS:
            # Unquoted in YAML, `battery_level: read 2 answers 0x0E` is a mapping of one key.
            return _built(_parts(words[0], read_text(given[words[0]], "what goes wrong")))
        return _built({str(key): _as_text(value) for key, value in given.items()}, nested=True)
    front, colon, rest = read_text(given, "a fault").rpartition(":")
    return _built(_parts(front.strip(), rest) if colon else _parts("", rest))


def resolve_fault(spec: FaultSpec, path: str, properties: Iterable[str] | None = None) -> FaultSpec:
    """Return ``spec`` with its ``path``; refuse where ``properties`` rule its occasion out."""
    needed = _NEEDS.get(spec.occasion)
    if needed is not None and properties is not None and needed not in properties:
        confirmed = spec.occasion is Occasion.CONFIRMATION
        never = "is never confirmed" if confirmed else f"sends no {spec.occasion}"
        raise Refusal(
            f"`{spec.attribute}` {never}: it cannot {needed}",
            f"add {needed} to its `properties`, or name another characteristic",
        )
    return replace(spec, path=path)


def _as_text(value: object) -> object:
    """Turn what Python code says into what a file would."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _parts(attribute: str, sentence: str) -> dict[str, object]:
    """Take a sentence apart; the parts are judged by :func:`_built`."""
    words = [word for word in sentence.split() if word not in _LITTLE_WORDS]
    parts: dict[str, object] = {"of": attribute} if attribute else {}
    which = _take_which(words)
    occasion = words.pop(0) if words else ""
    if occasion == Occasion.AT:
        parts["at"] = words.pop(0) if words else ""
        if which:
            raise Refusal("a moment comes once", "remove what stands before `at`")
    else:
        parts["on"] = occasion
        which = which or _take_which(words)
    if which:
        parts["nth"] = which
    if not words:
        raise Refusal(
            f"`{sentence.strip()}` does not say what goes wrong",
            "a fault reads like `battery_level: read 2 answers 0x0E`",
        )
    effect = words.pop(0)
    parts[effect] = " ".join(words) or "true"
    return parts


def _take_which(words: list[str]) -> str:
    if not words:
        return ""
    if words[0] == "every" or words[0][0].isdigit():
        return words.pop(0)
    if words[0] == "after" and len(words) > 1:
        return f"{words.pop(0)} {words.pop(0)}"
    return ""


def _built(parts: Mapping[str, object], *, nested: bool = False) -> FaultSpec:
    """Make a fault of its parts; a refusal leads into them where they are ``nested``."""

    def read(key: str, reader: Callable[[object], int | float | None]) -> int | float | None:
        try:
            return reader(parts[key])
        except Refusal as refusal:
            raise (refusal.under(key) if nested else refusal) from None

    def at(key: str, *, name: bool = False) -> tuple[str, ...]:
        return ((key, KEY) if name else (key,)) if nested else ()

    occasion = _occasion(parts, at)
    effect = _effect(parts, at)
    if effect not in EFFECTS_OF[occasion]:
        raise Refusal(
            f"on `{occasion}`, nothing can be said to be `{effect}`"
            if effect in _SENT | {Effect.REFUSED}
            else f"`{effect}` does not go with `{occasion}`",
            f"there it is one of: {', '.join(sorted(EFFECTS_OF[occasion]))}",
            inner=at(effect, name=True),
        )
    if "of" in parts and occasion not in ABOUT_ATTRIBUTES:
        raise Refusal(
            f"`{occasion}` does not concern one attribute",
            "remove the name of the attribute",
            inner=at("of", name=True),
        )
    if "nth" in parts and occasion is Occasion.AT:
        raise Refusal("a moment comes once", "remove `nth`", inner=at("nth", name=True))
    first, last = 1, 1 if occasion is not Occasion.AT else None
    if "nth" in parts:
        try:
            first, last = _read_which(parts["nth"])
        except Refusal as refusal:
            raise (refusal.under("nth") if nested else refusal) from None
    return FaultSpec(
        occasion=occasion,
        effect=effect,
        argument=read(effect, lambda value: _read_argument(occasion, effect, value)),
        first=first,
        last=1 if occasion is Occasion.AT else last,
        moment=read("at", read_duration) or 0.0 if "at" in parts else 0.0,
        attribute=read_text(parts.get("of", ""), "the name of an attribute"),
    )


def _occasion(parts: Mapping[str, object], at: Callable[..., tuple[str, ...]]) -> Occasion:
    if "at" in parts:
        if "on" in parts:
            raise Refusal(
                "a fault has an occasion or a moment", "remove `at`, or `on`", inner=at("at")
            )
        return Occasion.AT
    if "on" not in parts:
        raise Refusal("this fault has no occasion", "add `on: read` or another, or `at: 3s`")
    word = read_text(parts["on"], "an occasion")
    if word not in Occasion.__members__.values() or word == Occasion.AT:
        known = [one for one in Occasion if one is not Occasion.AT]
        raise Refusal(
            f"`{word}` is no occasion of a fault", suggestion(word, known), inner=at("on")
        )
    return Occasion(word)


def _effect(parts: Mapping[str, object], at: Callable[..., tuple[str, ...]]) -> Effect:
    found = [Effect(key) for key in parts if key in Effect.__members__.values()]
    unknown = [key for key in parts if key not in KEYS]
    if unknown:
        raise Refusal(
            f"`{unknown[0]}` is nothing that can go wrong",
            did_you_mean(unknown[0], KEYS) or f"one of: {', '.join(Effect)}",
            inner=at(unknown[0], name=True),
        )
    if len(found) != 1:
        raise Refusal(
            "one fault has one effect" if found else "this fault does not say what goes wrong",
            "write a fault for each" if found else f"add one of: {', '.join(Effect)}",
            inner=at(found[1], name=True) if found else (),
        )
    return found[0]


def _read_which(value: object) -> tuple[int, int | None]:
    text = read_text(value, "which occasion is meant")
    if text == "every":
        return 1, None
    if text.startswith("after "):
        return read_integer(text.removeprefix("after ").strip(), 0, _MOST) + 1, None
    if match := _RANGE.fullmatch(text):
        first, last = read_integer(match[1], 1, _MOST), read_integer(match[2], 1, _MOST)
        if first > last:
            raise Refusal(f"`{text}` holds nothing", f"write {last}-{first}")
        return first, last
    if not text.isdigit():
        raise Refusal(
            f"`{text}` says not which occasion is meant", "such as 2, 2-4, every, or after 3"
        )
    number = read_integer(text, 1, _MOST)
    return number, number


def _read_argument(occasion: Occasion, effect: Effect, value: object) -> int | float | None:
    text = read_text(value, f"what comes after `{effect}`")
    if effect in _WITHOUT_ARGUMENT:
        if text != "true" and text not in ("false",):
            raise Refusal(f"nothing comes after `{effect}`, and `{text}` does", "remove it")
        if not read_boolean(text):
            raise Refusal(f"`{effect}: false` is no fault", "remove the fault")
        return None
    if effect in _OBJECTS:
        if text != _OBJECTS[effect]:
            raise Refusal(f"nothing {effect} `{text}`", f"write `{effect} {_OBJECTS[effect]}`")
        return None
    if text == "true":
        if effect not in _DEFAULTS:
            raise Refusal(f"`{effect}` needs a value", f"such as `{effect} {_EXAMPLES[effect]}`")
        return _DEFAULTS[effect]
    if effect in _DURATIONS:
        return read_duration(text.removeprefix("advertising "))
    if effect is Effect.ANSWERS:
        return _read_answer(occasion, text)
    low, high = _LIMITS[effect]
    return read_integer(text, low, high)


def _read_answer(occasion: Occasion, text: str) -> int:
    if occasion is Occasion.MTU:
        return read_integer(text, 0, 0xFFFF, "an ATT_MTU")
    if text.lower() in _ERRORS:
        return _ERRORS[text.lower()]
    if not re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", text):
        raise Refusal(
            f"`{text}` is no ATT error code",
            did_you_mean(text, _ERRORS) or "such as 0x0E, or unlikely_error",
        )
    # Any code but 0: a device with a fault may well answer with a reserved one.
    return read_integer(text, 1, 0xFF, "an ATT error code")


_EXAMPLES: Mapping[Effect, str] = {
    Effect.ANSWERS: "0x0E",
    Effect.OPCODE: "0x0D",
    Effect.DELAYED: "31s",
    Effect.PAUSES: "5s",
}
_LIMITS: Mapping[Effect, tuple[int, int]] = {
    Effect.OPCODE: (0, 0xFF),
    Effect.TRUNCATED: (0, 512),
    Effect.DISCONNECTS: (0x01, 0x45),
    Effect.REFUSED: (0x01, 0x45),
}
