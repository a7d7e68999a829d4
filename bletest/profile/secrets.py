"""Secrets that a profile names and the environment holds.

A secret is octets in hexadecimal. No message ever holds one, or a part of one.
"""

import os
from collections.abc import Mapping

from bletest.errors import BenchTrouble, SecretMissing
from bletest.profile.mistakes import Refusal
from bletest.profile.rules import Computed, Function, Secret
from bletest.profile.scalars import read_hex


def find_secret(secret: Secret, environment: Mapping[str, str] = os.environ) -> bytes:
    """Return the octets of a secret.

    Raises :class:`~bletest.errors.SecretMissing` where the environment does not have it, and
    :class:`~bletest.errors.BenchTrouble` where it is not hexadecimal.
    """
    text = environment.get(secret.name, "")
    if not text:
        raise SecretMissing(
            f"the environment variable {secret.name} is not set",
            capability="secret",
            remedy=f"set {secret.name} to the key's octets in hexadecimal",
        )
    try:
        return read_hex(text)
    except Refusal:
        raise BenchTrouble(
            f"the environment variable {secret.name} does not hold octets in hexadecimal",
            remedy="two digits an octet",
        ) from None


def find_key(computed: Computed) -> bytes:
    """Return the key of a function, empty for one that takes none; raises as find_secret does."""
    if computed.secret is None:
        return computed.key if isinstance(computed.key, bytes) else b""
    key = find_secret(computed.secret)
    if computed.function is Function.AES_CMAC and len(key) != 16:
        raise BenchTrouble(
            f"the environment variable {computed.secret.name} holds {len(key)} octets",
            remedy="a key of AES-CMAC has 16",
        )
    return key
