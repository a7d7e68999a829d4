"""A profile in which every check finds something to judge, and devices that differ from it."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bletest.conformance import find
from bletest.contracts.findings import Finding
from bletest.profile import loads
from bletest.profile.spec import Profile
from tests.support.table_client import Meddler, client_of

RICH = Path(__file__).with_suffix(".yaml").read_text()


@lru_cache(maxsize=64)
def rich(*changes: tuple[str, str]) -> Profile:
    """Return the profile, with each ``(old, new)`` of ``changes`` replaced in its text."""
    text = RICH
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return loads(text, "rich.yaml")


async def findings_of(
    code: str,
    meddler: Meddler | None = None,
    *changes: tuple[str, str],
    early: bool = False,
    mtu: int = 517,
) -> list[Finding]:
    """Run a check of the rich profile, each of its cases on a device and connection of its own.

    The device is that of the profile with ``changes``; the fault ``meddler`` is there from the
    first PDU on if ``early``, else once the client has discovered the database.
    """
    findings = []
    for case in find(code).cases(rich().expectation):
        client = client_of(rich(*changes), meddler if early else None, mtu=mtu)
        client.device.meddler = meddler or Meddler()
        findings += await case.run(client)
    return findings


@dataclass(frozen=True)
class Fault:
    """A device with one fault, and what a check has to say about it.

    ``says`` stands in the observation of every finding, of which there are ``count``.
    """

    code: str
    says: str
    count: int = 1
    changes: tuple[tuple[str, str], ...] = ()
    meddler: Meddler | None = None
    early: bool = False

    async def judge(self) -> None:
        """Assert that the check finds the fault, and nothing else."""
        found = await findings_of(self.code, self.meddler, *self.changes, early=self.early)
        assert {one.check for one in found} == {self.code}
        seen = [f"{one.attribute}: {one.observed}" for one in found]
        assert len(seen) == self.count, seen
        assert all(self.says in one for one in seen), seen


def change(code: str, says: str, *changes: tuple[str, str], count: int = 1) -> Fault:
    """A device whose profile differs from the one it is held to."""
    return Fault(code, says, count, changes)


def meddle(code: str, says: str, meddler: Meddler, *, count: int = 1, early: bool = False) -> Fault:
    """A device whose ATT server does something wrong."""
    return Fault(code, says, count, (), meddler, early)


def recode(old: int, new: int) -> Meddler:
    """A server that refuses with the code ``new`` where ``old`` is right."""

    def answer(request: bytes, response: bytes | None) -> bytes | None:
        if response is not None and response[0] == 0x01 and response[4] == old:
            return response[:4] + bytes([new])
        return response

    return Meddler(answer=answer)


def replying(wanted: Callable[[bytes], bool], response: bytes | None) -> Meddler:
    """A server that does nothing with such requests, and answers them all the same."""
    return Meddler(
        deaf=wanted, answer=lambda request, right: response if wanted(request) else right
    )


def altering(opcode: int, alter: Callable[[bytes], bytes]) -> Meddler:
    """A server whose responses of that opcode are altered."""
    return Meddler(
        answer=lambda request, right: alter(right) if right and right[0] == opcode else right
    )


def identifiers(faults: Iterable[Fault]) -> list[str]:
    """Return the names of parametrised faults."""
    seen: Counter[str] = Counter()
    names = []
    for fault in faults:
        seen[fault.code] += 1
        names.append(f"{fault.code}-{seen[fault.code]}" if seen[fault.code] > 1 else fault.code)
    return names
