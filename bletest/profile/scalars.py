"""How the format writes single values: numbers, octets, durations, addresses, names.

Every function reads the source text of one scalar and raises
:class:`~bletest.profile.mistakes.Refusal` for a text that does not mean what is asked for.
"""

import math
import re
from collections.abc import Mapping
from datetime import date

from bletest._assigned_numbers import APPEARANCES
from bletest.att.codes import ErrorCode
from bletest.profile.mistakes import Refusal, count, did_you_mean, suggestion
from bletest.uuids import Uuid, UuidKind

_BEHAVIOUR = re.compile(r"[A-Za-z][\w-]*(\.[A-Za-z][\w-]*)+", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|([0-9]+))")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(us|ms|s|min|h)")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_ADDRESS = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", re.I)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_LONGEST = 7 * 24 * 3600.0
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def read_text(value: object, what: str = "text") -> str:
    """Read a scalar as it stands."""
    if not isinstance(value, str):
        found = "a list" if isinstance(value, list) else "a mapping"
        raise Refusal(f"expected {what}, found {found}", "write a single value here")
    return str(value)


def read_day(value: object) -> date:
    """Read a day, written as in ISO 8601: 2027-03-01."""
    text = read_text(value, "a day")
    try:
        return date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise Refusal(f"`{text}` is no day", "write it like 2027-03-01") from None


def read_integer(value: object, low: int, high: int, what: str = "a whole number") -> int:
    """Read a decimal number, or a hexadecimal one after ``0x``."""
    text = read_text(value, what)
    match = _INTEGER.fullmatch(text)
    if match is None or len(text) > 40:
        raise Refusal(f"expected {what}, found `{text}`", _range(low, high))
    sign, hexadecimal, decimal = match.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(decimal)
    number = -number if sign == "-" else number
    if not low <= number <= high:
        raise Refusal(f"{text} is out of range", _range(low, high))
    return number


def _range(low: int, high: int) -> str:
    return f"from {low} to {high}" if high < 1 << 65 else "a number that any type can hold"


def read_number(value: object) -> float:
    """Read a number with or without a fraction; whole numbers stay ``int``."""
    text = read_text(value, "a number")
    if _INTEGER.fullmatch(text) and len(text) <= 40:
        return read_integer(text, -(1 << 127), 1 << 127)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refusal(f"expected a number, found `{text}`", "such as 20, -4.5 or 0x1F")
    return number


def read_behaviour(value: object) -> str:
    """Read the name of a behaviour, ``vendor.name``."""
    text = read_text(value, "a behaviour")
    if not _BEHAVIOUR.fullmatch(text):
        raise Refusal(
            f"`{text}` is no name of a behaviour", "write vendor.name, such as acme.counter"
        )
    return text


def read_boolean(value: object) -> bool:
    """Read ``true`` or ``false``."""
    text = read_text(value, "true or false")
    if text in ("true", "false"):
        return text == "true"
    close = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
    meant = close.get(text.lower(), text.lower())
    remedy = f'did you mean "{meant}"?' if meant in ("true", "false") else ""
    raise Refusal(f"expected true or false, found `{text}`", remedy or "write one of the two")


def read_hex(value: object) -> bytes:
    """Read octets: ``01 02``, ``0102``, ``01:02`` or ``0x0102``."""
    text = read_text(value, "octets in hexadecimal")
    digits = re.sub(r"[\s:_-]", "", text)
    if digits[:2].lower() == "0x":
        digits = digits[2:]
    if wrong := re.search(r"[^0-9a-fA-F]", digits):
        raise Refusal(
            f"`{text}` is not hexadecimal: `{wrong[0]}` is no digit of it",
            "octets are written like 01 0A FF; text goes under `text:`",
        )
    if len(digits) % 2:
        raise Refusal(
            f"`{text}` has {count(len(digits), 'digit')}, octets have two each",
            f"write 0{digits}" if len(digits) == 1 else "a digit is missing, or one too many",
        )
    return bytes.fromhex(digits)


def read_duration(value: object) -> float:
    """Read a duration with its unit (``100ms``); returns seconds."""
    text = read_text(value, "a duration")
    if match := _DURATION.fullmatch(text):
        # Rounded to nanoseconds, so that 100ms is the float 0.1.
        seconds = round(float(match[1]) * _SECONDS[match[2]], 9)
        if seconds > _LONGEST:
            raise Refusal(f"{text} is out of range", "at most 168h, a week")
        return seconds
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        raise Refusal(f"`{text}` has no unit", f"write {text}ms or {text}s")
    raise Refusal(
        f"expected a duration, found `{text}`", "a number and us, ms, s, min or h, such as 100ms"
    )


def read_percent(value: object) -> float:
    """Read a share (``20%``) from 0 to 100 %; returns 0.0 to 1.0."""
    text = read_text(value, "a share in percent")
    if match := _PERCENT.fullmatch(text):
        if float(match[1]) > 100:
            raise Refusal(f"{text} is out of range", "from 0% to 100%")
        return round(float(match[1]) / 100, 9)
    if re.fullmatch(r"[0-9]+", text):
        raise Refusal(f"`{text}` is no share", f"write {text}%")
    raise Refusal(f"expected a share in percent, found `{text}`", "such as 20%")


def read_address(value: object) -> str:
    """Read a static random device address (Vol 6, Part B, 1.3.2.1)."""
    text = read_text(value, "a device address")
    if not _ADDRESS.fullmatch(text):
        raise Refusal(f"`{text}` is no device address", "six octets with colons: C0:11:22:33:44:55")
    octets = bytes.fromhex(text.replace(":", ""))
    if octets[0] >> 6 != 0b11:
        raise Refusal(
            f"{text} is no static random address: its two highest bits are not set",
            f"begin it with {octets[0] | 0xC0:02X}",
        )
    if int.from_bytes(octets, "big") & (1 << 46) - 1 in (0, (1 << 46) - 1):
        raise Refusal(
            f"{text} is no static random address: its random part is all alike",
            "change any digit after the first",
        )
    return text.upper()


def read_address_change(value: object) -> int | str:
    """Read an address, or how far another is from it: ``+1``, in the last of its octets."""
    text = read_text(value, "a device address")
    if not re.fullmatch(r"[+-][0-9]+", text):
        return read_address(text)
    if not 1 <= abs(int(text)) <= 255:
        raise Refusal(f"`{text}` leads to no other address", "from 1 to 255, such as +1")
    return int(text)


def read_identifier(value: object) -> str:
    """Read a name that other places refer to."""
    text = read_text(value, "a name")
    if not _IDENTIFIER.fullmatch(text):
        raise Refusal(
            f"`{text}` is no name",
            "letters, digits, _ and -, beginning with a letter, at most 64 of them",
        )
    return text


def read_uuid(value: object, kind: UuidKind) -> Uuid:
    """Read a UUID by SIG name, as ``0x180D`` or in full."""
    text = read_text(value, "a UUID")
    try:
        return Uuid.parse(text, kind)
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        remedy = remedy or "a name of the SIG, 0x180D, or 128 bits with hyphens"
        raise Refusal(message.replace('"', "`", 2), remedy) from None


def read_appearance(value: object) -> int:
    """Read a GAP Appearance by its SIG name or number."""
    text = read_text(value, "an appearance")
    name = text.lower().replace("-", "_").replace(" ", "_")
    if name in APPEARANCES:
        return APPEARANCES[name]
    if _INTEGER.fullmatch(text):
        return read_integer(text, 0, 0xFFFF)
    raise Refusal(
        f"`{text}` is no appearance of the Bluetooth SIG",
        did_you_mean(name.removeprefix("generic_"), APPEARANCES)
        or "a SIG name, or a number up to 0xFFFF",
    )


_ERRORS: Mapping[str, int] = {code.name.lower(): int(code) for code in ErrorCode}


def read_error(value: object) -> int:
    """Read an ATT error code that an application may answer a write with.

    Vol 3, Part F, 3.4.1.1: 0x01 to 0x13 are the protocol's, 0x80 to 0x9F the application's and
    0xE0 to 0xFF common to all; the rest is reserved.
    """
    text = read_text(value, "an error code")
    if text.lower() in _ERRORS:
        return _ERRORS[text.lower()]
    if not _INTEGER.fullmatch(text):
        raise Refusal(
            f"`{text}` is no ATT error code",
            did_you_mean(text, _ERRORS) or "such as 0x80, or value_not_allowed",
        )
    code = read_integer(text, -(1 << 64), 1 << 64, "an error code")
    if not (0x01 <= code <= 0x13 or 0x80 <= code <= 0x9F or 0xE0 <= code <= 0xFF):
        raise Refusal(
            f"{text} is no ATT error code that a device may answer with",
            "0x80 to 0x9F are the application's own, 0x01 to 0x13 and 0xE0 to 0xFF have a meaning",
        )
    return code


def read_choice(value: object, choices: tuple[str, ...], what: str) -> str:
    """Read one of a few words."""
    text = read_text(value, what)
    if text not in choices:
        raise Refusal(f"`{text}` is no {what}", suggestion(text, choices))
    return text
