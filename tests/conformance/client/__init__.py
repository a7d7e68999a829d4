"""The official GATT client cases, each written out from its meaning."""

from tests.conformance.client import (  # noqa: F401  (each registers its cases)
    discovering,
    listening,
    reading,
    waiting,
    writing,
)
from tests.conformance.client.registry import CLIENT

__all__ = ["CLIENT"]
