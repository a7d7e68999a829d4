"""The robustness classes of BLE peripherals that a virtual link can carry, each written out."""

from tests.conformance.robustness import (  # noqa: F401  (each registers its cases)
    att_pdus,
    att_writing,
    channels,
    configuring,
    links,
    pairing,
    pairing_keys,
)
from tests.conformance.robustness.registry import ROBUSTNESS

__all__ = ["ROBUSTNESS"]
