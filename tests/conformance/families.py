"""The families of cases beside the GATT server's, in the order of the page."""

from tests.conformance.family import Family
from tests.conformance.robustness import ROBUSTNESS

FAMILIES: tuple[Family, ...] = (ROBUSTNESS,)
