"""The decimal floating-point numbers of medical devices (IEEE 11073-20601), as GATT uses them.

GATT Specification Supplement, 2.2: ``medfloat32`` is a signed mantissa of 24 bits and a signed
exponent of 8 bits to base 10, ``medfloat16`` has 12 and 4 bits; exponents are two's complement,
and a few mantissas with exponent 0 are not numbers.

bluetooth-sig 0.6.0 takes the exponents for biased ones (by 128 and 8): it reads the octets
``6E 01 00 FF``, 36.6 on every thermometer, as 3.66e129, and writes numbers that no client reads.
:func:`corrected` puts that right while a codec runs, and only then: an application under test
that uses the library shall meet it as it is.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from typing import Any

_SPECIAL = {-2: math.inf, -1: math.nan, 0: math.nan, 1: math.nan, 2: -math.inf}
"""Special values, by the distance of the mantissa from the sign bit."""


class MedicalFloat:
    """One of the two formats: ``mantissa`` and ``exponent`` are lengths in bits."""

    def __init__(self, mantissa: int, exponent: int) -> None:
        self.octets = (mantissa + exponent) // 8
        self._mantissa = mantissa
        self._exponent = exponent
        self._sign = 1 << mantissa - 1
        self._low, self._high = -(1 << exponent - 1), (1 << exponent - 1) - 1

    def decode(self, data: bytes | bytearray, offset: int = 0) -> float:
        """Read a number at ``offset``; :class:`ValueError` where octets lack."""
        raw = bytes(data[offset : offset + self.octets])
        if len(raw) < self.octets:
            raise ValueError(f"a number needs {self.octets} octets, {len(raw)} are left")
        number = int.from_bytes(raw, "little")
        mantissa, exponent = number & (1 << self._mantissa) - 1, number >> self._mantissa
        if exponent == 0 and mantissa - self._sign in _SPECIAL:
            return _SPECIAL[mantissa - self._sign]
        if mantissa & self._sign:
            mantissa -= 1 << self._mantissa
        if exponent > self._high:
            exponent -= 1 << self._exponent
        # Through its decimal spelling: 366 and -1 are 36.6, not 36.6 and some dust.
        return float(f"{mantissa}e{exponent}")

    def encode(self, value: float) -> bytearray:
        """Write a number, rounded where the mantissa is too short, with no digit it lacks.

        Raises :class:`ValueError` where the exponent is too short.
        """
        if not math.isfinite(value):
            distance = -1 if math.isnan(value) else -2 if value > 0 else 2
            return bytearray((self._sign + distance).to_bytes(self.octets, "little"))
        number = Decimal(repr(value)).normalize()
        exponent = int(number.as_tuple().exponent)
        if exponent > 0 and self._holds(int(number), 0):
            exponent = 0  # whole numbers as they are
        mantissa = int(number.scaleb(-exponent))
        while not self._holds(mantissa, exponent) or exponent < self._low:
            exponent += 1
            mantissa = round(number.scaleb(-exponent))
        while exponent > self._high:
            exponent -= 1
            mantissa *= 10
        if not self._holds(mantissa, exponent):
            raise ValueError(f"{value:g} is too great for {self.octets} octets")
        mantissa &= (1 << self._mantissa) - 1
        packed = mantissa | (exponent & (1 << self._exponent) - 1) << self._mantissa
        return bytearray(packed.to_bytes(self.octets, "little"))

    def _holds(self, mantissa: int, exponent: int) -> bool:
        if exponent == 0 and (mantissa & (1 << self._mantissa) - 1) - self._sign in _SPECIAL:
            return False
        return -self._sign <= mantissa < self._sign


MEDFLOAT16 = MedicalFloat(12, 4)
MEDFLOAT32 = MedicalFloat(24, 8)

_lock = threading.RLock()


@lru_cache(maxsize=1)
def _mended() -> tuple[Any, dict[str, Callable[..., Any]]]:
    """Return the library's class, and what to put into it; nothing if it reads 37 as 37."""
    from bluetooth_sig.gatt.characteristics.utils import IEEE11073Parser

    sound = IEEE11073Parser.parse_float32(b"\x25\x00\x00\x00") == 37
    if sound and IEEE11073Parser.parse_sfloat(b"\x25\x00") == 37:
        return IEEE11073Parser, {}
    return IEEE11073Parser, {
        "parse_sfloat": MEDFLOAT16.decode,
        "parse_float32": MEDFLOAT32.decode,
        "encode_sfloat": MEDFLOAT16.encode,
        "encode_float32": MEDFLOAT32.encode,
    }


@contextmanager
def corrected() -> Iterator[None]:
    """Let the codecs of bluetooth-sig read and write medical floats as GATT does."""
    parser, methods = _mended()
    if not methods:
        yield
        return
    with _lock:
        own = {name: vars(parser)[name] for name in methods}
        try:
            for name, method in methods.items():
                setattr(parser, name, staticmethod(method))
            yield
        finally:
            for name, method in own.items():
                setattr(parser, name, method)
