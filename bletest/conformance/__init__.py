"""The checks that a profile implies, each a clause of its own.

::

    for case in cases(expectation, "read.value"):
        await case.verify(client)

A check knows nothing of pytest, of a loop or of a radio: it takes a
:class:`~bletest.contracts.client.Client` and an Expectation, and says what is wrong. Checks see
only what the profile *expects*, never what an emulated device serves, so that a verdict cannot
depend on whether the device is virtual or real.
"""

from importlib import import_module

from bletest.conformance.registry import Case, Changes, Check, Flaw, Phase, check, table
from bletest.errors import UnknownAttribute
from bletest.profile.expectation import DeviceExpectation

__all__ = ["Case", "Changes", "Check", "Flaw", "Phase", "all_checks", "cases", "check", "find"]

_MODULES = (
    "advertising",
    "discovery",
    "discovery_pdus",
    "values",
    "values_pdus",
    "permissions",
    "writes",
    "writes_pdus",
    "protocols",
    "record_access",
    "control_points",
    "notifications",
    "mtu",
    "reconnection",
    "links",
    "modes",
    "transfers",
    "changes",
    "robustness",
)


def all_checks() -> tuple[Check, ...]:
    """Return every check, phase by phase, in the order in which it stands in its module."""
    for module in _MODULES:
        import_module(f"{__name__}.{module}")
    order = list(Phase)
    return tuple(sorted(table().values(), key=lambda one: order.index(one.phase)))


def find(code: str) -> Check:
    """Return the check of that code; raises UnknownAttribute with what there is."""
    known = {one.code: one for one in all_checks()}
    if code not in known:
        from difflib import get_close_matches

        close = get_close_matches(code, known, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(sorted(known))}"
        raise UnknownAttribute(f'no check is called "{code}"', remedy=hint)
    return known[code]


def cases(expectation: DeviceExpectation, code: str) -> list[Case]:
    """Return the cases that a profile makes of one check; an empty list where it has none."""
    return find(code).cases(expectation)
