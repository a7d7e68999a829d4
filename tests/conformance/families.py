"""The families of cases beside the GATT server's, in the order of the page."""

from tests.conformance.client import CLIENT
from tests.conformance.family import Family
from tests.conformance.gap import GAP
from tests.conformance.robustness import ROBUSTNESS
from tests.conformance.security_manager import SM

FAMILIES: tuple[Family, ...] = (CLIENT, ROBUSTNESS, GAP, SM)
