"""The official Security Manager cases of a peripheral."""

from tests.conformance.security_manager import (  # noqa: F401  (each registers its cases)
    distributing,
    pairing,
)
from tests.conformance.security_manager.registry import SM

__all__ = ["SM"]
