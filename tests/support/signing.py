"""Signatures of Signed Write Commands (Vol 3, Part H, 2.4.5), independent of the device's own."""

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from tests.support.raw_central import CSRK


def aes_cmac(message: bytes, key: bytes) -> bytes:
    """RFC 4493."""
    cmac = CMAC(AES(key))
    cmac.update(message)
    return cmac.finalize()


def signature(message: bytes, counter: int, key: bytes = CSRK) -> bytes:
    """The 12 octets that sign a message: all numbers least significant first."""
    numbered = message + counter.to_bytes(4, "little")
    return numbered[-4:] + aes_cmac(numbered[::-1], key[::-1])[:8][::-1]
