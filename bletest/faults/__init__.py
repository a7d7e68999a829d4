"""Fault plans: what goes wrong with an emulated device, where and when, and whether it did.

Pure. Whoever carries a plan out (the emulated device, the client's adapter) tells it what is
about to happen and is told what to do instead; see :class:`~bletest.faults.plan.FaultPlan`.
"""

from bletest.faults.plan import Fault, FaultPlan, leftover, planned, raise_for_leftovers
from bletest.profile.faults import Effect, FaultSpec, Occasion

__all__ = [
    "Effect",
    "Fault",
    "FaultPlan",
    "FaultSpec",
    "Occasion",
    "leftover",
    "planned",
    "raise_for_leftovers",
]
