"""The table of checks, and the cases that a profile makes of them.

A check is declared once, with the clause it judges and the official test cases that ask for the
same::

    @check(
        "read.value",
        title="The value is what the profile expects",
        phase=Phase.VALUES,
        subjects=readable,
        official=("GATT/SR/GAR/BV-01-C",),
        paragraph="Vol 3, Part G, 4.8.1",
        secures=("read",),
    )
    async def value(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
        ...
        yield Flaw(expected="…", observed="…")

The function yields what is wrong and nothing else; the table adds code, attribute and sources.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from bletest.conformance.security import secured, within_reach
from bletest.conformance.subjects import (
    Subject,
    accesses,
    attribute_of,
    hidden_by_some_adapters,
    name_of,
    side_effect_of,
)
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.contracts.effects import SideEffect
from bletest.contracts.findings import Finding, Severity
from bletest.errors import CheckFailed
from bletest.profile.expectation import DeviceExpectation

S = TypeVar("S", bound=Subject)


class Phase(StrEnum):
    """The stages in which a run goes through the checks, in order."""

    ADVERTISING = "advertising"
    DISCOVERY = "discovery"
    VALUES = "values"
    PERMISSIONS = "permissions"
    WRITES = "writes"
    NOTIFICATIONS = "notifications"
    MTU = "mtu"
    RECONNECTION = "reconnection"
    LINKS = "links"
    ROBUSTNESS = "robustness"


class Changes(StrEnum):
    """Whose side effect a check causes, where it is not one and the same for all subjects."""

    SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class Flaw:
    """What a check function saw: two sentences for a person, the rest the table knows.

    ``paragraph`` stands in place of the check's own where it is given.
    """

    expected: str
    observed: str
    severity: Severity = Severity.ERROR
    remedy: str = ""
    paragraph: str = ""


CheckFunction = Callable[[Client, S], AsyncIterator[Flaw]]


@dataclass(frozen=True, slots=True)
class Check:
    """One clause that a device is held to.

    ``code`` is stable. ``subjects`` picks from a profile what the clause applies to. ``needs``
    are capabilities without which it cannot be judged. ``changes`` is the side effect it causes:
    one for all, that of its subject, or None. ``secures`` names the operations (``read``,
    ``write``, ``subscribe``) whose security is established before the check begins. Subjects of
    which one takes more than a client can bring about, the consent of a person, are left out,
    but where the check is about just that (``out_of_reach``).
    """

    code: str
    title: str
    phase: Phase
    subjects: Callable[[DeviceExpectation], Iterable[Subject]]
    function: Callable[[Client, Any], AsyncIterator[Flaw]]
    official: tuple[str, ...] = ()
    paragraph: str = ""
    needs: frozenset[Capability] = frozenset()
    changes: SideEffect | Changes | None = None
    secures: tuple[str, ...] = ()
    out_of_reach: bool = False

    def cases(self, expectation: DeviceExpectation) -> "list[Case]":
        """Return a case for each subject that the clause applies to, in file order."""
        return [
            self._case(subject)
            for subject in self.subjects(expectation)
            if self.out_of_reach
            or all(
                within_reach(expectation.security, access)
                for access in accesses(subject, self.secures)
            )
        ]

    async def run(self, client: Client, subject: Subject) -> list[Finding]:
        """Judge ``subject`` and return what is wrong with it.

        Raises :class:`~bletest.errors.DeviceFault` where the device ended the check early, and
        :class:`~bletest.errors.BenchTrouble` for whatever it is not to blame for.
        """
        for access in accesses(subject, self.secures):
            await secured(client, access)
        return [
            Finding(
                check=self.code,
                attribute=attribute_of(subject),
                expected=flaw.expected,
                observed=flaw.observed,
                paragraph=flaw.paragraph or self.paragraph,
                official=self.official,
                severity=flaw.severity,
                remedy=flaw.remedy,
            )
            async for flaw in self.function(client, subject)
        ]

    def _case(self, subject: Subject) -> "Case":
        needs = set(self.needs)
        if any(not access.open for access in accesses(subject, self.secures)):
            needs.add(Capability.PAIRING)
        if hidden_by_some_adapters(subject):
            needs.add(Capability.ALL_SERVICES)
        effect = side_effect_of(subject) if self.changes is Changes.SUBJECT else self.changes
        return Case(
            check=self,
            subject=subject,
            id=name_of(subject),
            attribute=attribute_of(subject),
            needs=frozenset(needs),
            side_effect=SideEffect(effect) if effect else SideEffect.NONE,
        )


@dataclass(frozen=True, slots=True)
class Case:
    """A check of one subject.

    ``id`` is unique within its check and the same in every run. ``attribute`` is the path of
    the attribute, or ``"device"``. ``needs`` are the check's capabilities and those that this
    subject adds; ``side_effect`` is what running it may do to the world.
    """

    check: Check
    subject: Any
    id: str
    attribute: str
    needs: frozenset[Capability]
    side_effect: SideEffect

    async def run(self, client: Client) -> list[Finding]:
        """Return what is wrong, warnings too. Raises as :meth:`Check.run` does."""
        return await self.check.run(client, self.subject)

    async def verify(self, client: Client) -> list[Finding]:
        """Raise :class:`~bletest.errors.CheckFailed` with the errors; return the warnings."""
        findings = await self.run(client)
        if errors := [one for one in findings if one.severity is Severity.ERROR]:
            raise CheckFailed(errors)
        return findings


_table: dict[str, Check] = {}


def check(
    code: str,
    *,
    title: str,
    phase: Phase,
    subjects: Callable[[DeviceExpectation], Iterable[S]],
    official: tuple[str, ...] = (),
    paragraph: str = "",
    needs: frozenset[Capability] = frozenset(),
    changes: SideEffect | Changes | None = None,
    secures: tuple[str, ...] = (),
    out_of_reach: bool = False,
) -> Callable[[CheckFunction[S]], CheckFunction[S]]:
    """Enter the decorated function in the table; :class:`Check` says what the words mean."""

    def enter(function: CheckFunction[S]) -> CheckFunction[S]:
        if code in _table:
            raise ValueError(f"two checks are called {code}")
        _table[code] = Check(
            code=code,
            title=title,
            phase=phase,
            subjects=subjects,
            function=function,
            official=official,
            paragraph=paragraph,
            needs=needs,
            changes=changes,
            secures=secures,
            out_of_reach=out_of_reach,
        )
        return function

    return enter


def table() -> dict[str, Check]:
    """Return the checks entered so far, by code."""
    return _table
