"""The functions that a profile can name, and values put together with them."""

import binascii
import hmac
from collections.abc import Callable, Iterable, Mapping

from bletest.profile.rules import Computed, Function, Named, Random, Template

Names = Mapping[str, bytes]
Keys = Callable[[Computed], bytes]


def compute(computed: Computed, names: Names, keys: Keys) -> bytes | None:
    """Return what a function makes of its octets; None where a name stands for none.

    ``keys`` returns the key of a function. HMAC-SHA-256 (RFC 2104, FIPS 180-4) and AES-CMAC
    (RFC 4493) give their octets as these documents write them. CRC-16 is the CCITT's (polynomial
    0x1021, initially 0xFFFF), CRC-32 that of Ethernet; both are little-endian, as numbers in
    GATT are.
    """
    octets = _joined(computed.over, names)
    if octets is None:
        return None
    match computed.function:
        case Function.HMAC_SHA256:
            result = hmac.digest(keys(computed), octets, "sha256")
        case Function.AES_CMAC:
            result = _aes_cmac(keys(computed), octets)
        case Function.CRC16:
            result = binascii.crc_hqx(octets, 0xFFFF).to_bytes(2, "little")
        case _:
            assert computed.function is Function.CRC32
            result = binascii.crc32(octets).to_bytes(4, "little")
    return result[: computed.length]


def _joined(parts: Iterable[bytes | Named], names: Names) -> bytes | None:
    found = []
    for part in parts:
        octets = part if isinstance(part, bytes) else names.get(part.name)
        if octets is None:
            return None
        found.append(octets)
    return b"".join(found)


def _aes_cmac(key: bytes, octets: bytes) -> bytes:
    # Costs tens of milliseconds to import, and few profiles need it.
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.cmac import CMAC

    mac = CMAC(AES(key))
    mac.update(octets)
    return mac.finalize()


def recognise(
    template: Template, octets: bytes, names: Names, keys: Keys
) -> dict[str, bytes] | None:
    """Return the random octets by name that a filled template holds; None where it is another."""
    drawn: dict[str, bytes] = {}
    at = 0
    for part in template.parts:
        known = {**names, **drawn}
        match part:
            case Random(length, name):
                found = octets[at : at + length]
                if len(found) < length:
                    return None
                if name is not None:
                    drawn[name] = found
            case Named(name):
                found = known.get(name, b"")
            case Computed():
                found = compute(part, known, keys) or b""
            case _:
                found = part
        if octets[at : at + len(found)] != found:
            return None
        at += len(found)
    return drawn if at == len(octets) else None


def fill(
    template: Template, names: Names, keys: Keys, draw: Callable[[int], bytes]
) -> tuple[bytes, dict[str, bytes]]:
    """Return the octets of a template, and the random ones that are to be remembered.

    ``draw(n)`` returns n random octets. A name that stands for nothing gives no octets.
    """
    found: list[bytes] = []
    drawn: dict[str, bytes] = {}
    for part in template.parts:
        known = {**names, **drawn}
        match part:
            case bytes():
                found.append(part)
            case Random(length, name):
                octets = draw(length)
                if name is not None:
                    drawn[name] = octets
                found.append(octets)
            case Named(name):
                found.append(known.get(name, b""))
            case Computed():
                found.append(compute(part, known, keys) or b"")
    return b"".join(found), drawn
