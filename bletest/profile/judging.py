"""Whether octets are what a :class:`~bletest.profile.expectation.ValueExpectation` asks for."""

import datetime
import enum
import math

from bletest.profile.expectation import FieldExpectation, ValueExpectation


def mismatch(expectation: ValueExpectation, raw: bytes) -> str | None:
    """Say what is wrong with ``raw``, None if nothing is.

    Bounds of a field that the value does not carry hold; ``one_of`` does not. Bounds of a field
    that is a list hold for each of its items.
    """
    if expectation.exact is not None and raw != expectation.exact:
        return f"it is {octets(raw)}, not {octets(expectation.exact)}"
    if wrong := _length(expectation, len(raw)):
        return wrong
    if expectation.decode is None:
        return None
    try:
        decoded = expectation.decode(raw)
    except ValueError as error:
        return f"{octets(raw)} is no {expectation.format}: {error}"
    for name, bounds in expectation.fields.items():
        value: object = decoded
        for part in name.split(".") if name else ():
            value = getattr(value, part, None)
        if wrong := _outside(name, bounds, value):
            return wrong
    return None


def describe(expectation: ValueExpectation) -> str:
    """Say in a few words what is expected."""
    if expectation.exact is not None:
        return _exact(expectation, expectation.exact)
    words = [expectation.format or "any octets"]
    low, high = expectation.min_length, expectation.max_length
    if low == high:
        words.append(f"{low} octet{'s' * (low != 1)}")
    elif high is not None and high < 512:
        words.append(f"{low} to {high} octets")
    elif low:
        words.append(f"at least {low} octet{'s' * (low != 1)}")
    words += [f"{name} {_wish(one)}".strip() for name, one in expectation.fields.items()]
    return ", ".join(words)


def _exact(expectation: ValueExpectation, raw: bytes) -> str:
    """Show the octets, and the value they hold where that is one word."""
    if expectation.decode is None:
        return octets(raw)
    try:
        decoded = expectation.decode(raw)
    except ValueError:
        return octets(raw)
    simple = isinstance(decoded, str | int | float | enum.Enum)
    return f"{shown(decoded)} ({octets(raw)})" if simple else octets(raw)


def octets(raw: bytes) -> str:
    """Write octets for people: ``01 0A``, and "no octets" for none."""
    if len(raw) > 32:
        return f"{raw[:32].hex(' ').upper()} … ({len(raw)} octets)"
    return raw.hex(" ").upper() or "no octets"


def shown(value: object) -> str:
    """Write a decoded value as a profile would."""
    if isinstance(value, enum.Flag):
        return f"0x{value.value:X}"
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, bytes):
        return octets(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, datetime.timedelta):
        return f"{value.total_seconds():g}s"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _length(expectation: ValueExpectation, length: int) -> str | None:
    low, high = expectation.min_length, expectation.max_length
    if low <= length and (high is None or length <= high):
        return None
    wanted = f"at least {low}" if high is None else str(low) if low == high else f"{low} to {high}"
    return f"it has {length} octet{'s' * (length != 1)}, not {wanted}"


def _outside(name: str, bounds: FieldExpectation, value: object) -> str | None:
    subject = f"`{name}`" if name else "it"
    if bounds.one_of is not None:
        if any(_equal(value, one) for one in bounds.one_of):
            return None
        return f"{subject} is {shown(value)}, not {_wish(bounds)}"
    for one in value if isinstance(value, tuple | list) else (value,):
        if one is None:
            continue
        if not isinstance(one, int | float):
            return f"{subject} is {shown(one)}, not {_wish(bounds)}"
        low, high = bounds.minimum, bounds.maximum
        # A value exactly on a bound counts as inside, whatever binary fractions make of it.
        below = low is not None and one < low and not _equal(one, low)
        above = high is not None and one > high and not _equal(one, high)
        if below or above:
            return f"{subject} is {shown(one)}, not {_wish(bounds)}"
    return None


def _equal(value: object, one: object) -> bool:
    if isinstance(value, float) and isinstance(one, int | float):
        return math.isclose(value, one, rel_tol=1e-6, abs_tol=1e-9)
    return value == one


def _wish(bounds: FieldExpectation) -> str:
    if bounds.one_of is not None:
        return " or ".join(map(shown, bounds.one_of))
    low, high = bounds.minimum, bounds.maximum
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return f"at most {high:g}" if low is None else f"at least {low:g}"
    return f"{low:g} to {high:g}"
