"""The official Security Manager cases of a peripheral."""

from tests.conformance.security_manager import (  # noqa: F401  (each registers its cases)
    distributing,
    out_of_band,
    pairing,
    passkeys,
)
from tests.conformance.security_manager.registry import SM

__all__ = ["SM"]
