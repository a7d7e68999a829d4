"""The official GAP cases of a peripheral or broadcaster."""

from tests.conformance.gap import (  # noqa: F401  (each registers its cases)
    advertising,
    connecting,
    reading,
    security,
)
from tests.conformance.gap.registry import GAP

__all__ = ["GAP"]
