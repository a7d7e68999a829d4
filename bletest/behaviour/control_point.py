"""Control points: who may ask, and when (Supplement to the Core Specification, Part B, 1.2)."""

from collections.abc import Collection

from bletest.behaviour.writes import Reaction

PROCEDURE_IN_PROGRESS = 0xFE
CCCD_IMPROPERLY_CONFIGURED = 0xFD
"""Common error codes."""

SAME_MOMENT = 1e-6
"""Seconds by which a loop may run a timer early, and what it does be over all the same."""


def guard(reaction: Reaction, *, busy: bool, subscribed: Collection[str]) -> Reaction:
    """Return what a control point does where rules alone would come to ``reaction``.

    ``busy``: it has not yet answered what this client asked before. ``subscribed`` are the paths
    that send to this client.
    """
    if busy and not reaction.cancels:
        return Reaction(error=PROCEDURE_IN_PROGRESS)
    if reaction.error is not None:
        return reaction
    if all(one.subscribers or one.via in subscribed for one in reaction.sendings):
        return reaction
    return Reaction(error=CCCD_IMPROPERLY_CONFIGURED)
