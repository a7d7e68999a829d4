"""Judges one device by the profile of another: what a truthful suite is made of.

All checks that a profile implies are run against a device on a fresh virtual air, each with a
fresh client, as the suites do it.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from bletest import conformance
from bletest.bench.bench import Bench
from bletest.bench.device import DeviceUnderTest
from bletest.bench.settings import Settings
from bletest.errors import BletestError, CheckFailed, DeviceFault
from bletest.link import clock
from bletest.link.clock import Ceiling
from bletest.link.virtual import VirtualLink
from bletest.peripheral.virtual import VirtualPeripheral
from bletest.profile.expectation import DeviceExpectation
from bletest.profile.spec import Profile

Fault = Callable[[VirtualPeripheral], None]
Stranger = Callable[[VirtualLink], AbstractAsyncContextManager[str]]
"""Puts a device on an air and gives its address."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check said: ``problem`` is None where it found nothing."""

    check: str
    attribute: str
    problem: BletestError | None

    @property
    def failed(self) -> bool:
        """Whether the device is to blame."""
        return isinstance(self.problem, DeviceFault)

    def __str__(self) -> str:
        return f"{self.check}[{self.attribute}]: {self.problem or 'fine'}"


def all_cases(expectation: DeviceExpectation) -> list[conformance.Case]:
    """Return every case of every check, in the order of the table."""
    return [
        case
        for check in conformance.all_checks()
        for case in conformance.cases(expectation, check.code)
    ]


def judge(
    oracle: Profile,
    device: Profile | None = None,
    *,
    fault: Fault | None = None,
    stranger: Stranger | None = None,
    about: str | None = None,
    phase: str | None = None,
    code: str | None = None,
    checks: str | tuple[str, ...] = "",
) -> list[Verdict]:
    """Judge ``device`` (or the ``stranger``) by ``oracle``; ``fault`` damages the emulated one.

    ``about`` keeps to the cases of one attribute, and of the service and the descriptors around,
    ``phase`` to the checks of one phase, ``code`` to one check, ``checks`` to those whose codes
    begin so.
    """

    @asynccontextmanager
    async def provide(bench: Bench) -> AsyncIterator[DeviceUnderTest]:
        if stranger is not None:
            assert bench.air is not None
            async with stranger(bench.air) as address:
                yield DeviceUnderTest(oracle, address=address)
            return
        async with bench.device(device or oracle) as emulated:
            assert emulated.peripheral is not None
            if fault is not None:
                fault(emulated.peripheral)
            # whoever pairs with it sees its display
            yield DeviceUnderTest(oracle, peripheral=emulated.peripheral, address=emulated.address)

    async def main() -> list[Verdict]:
        verdicts = []
        async with Bench(Settings(seed=1)) as bench:
            for case in all_cases(oracle.expectation):
                if phase not in (None, case.check.phase) or code not in (None, case.check.code):
                    continue
                if not case.check.code.startswith(checks):
                    continue
                if about is None or _touches(case.attribute, about):
                    verdicts.append(await _verdict(bench, provide, case))
        return verdicts

    return clock.run(main(), ceiling=Ceiling(virtual=None, real=300))


def _touches(attribute: str, about: str) -> bool:
    return f"{attribute}/".startswith(f"{about}/") or f"{about}/".startswith(f"{attribute}/")


async def _verdict(
    bench: Bench,
    provide: Callable[[Bench], AbstractAsyncContextManager[DeviceUnderTest]],
    case: conformance.Case,
) -> Verdict:
    problem: BletestError | None = None
    async with provide(bench) as device:
        try:
            client = await bench.connect(device)
            try:
                await case.verify(client)
            finally:
                await bench.release(client)
        except BletestError as error:
            problem = error
    return Verdict(case.check.code, case.attribute, problem)


def failures(verdicts: list[Verdict]) -> list[Verdict]:
    """Return those that blame the device."""
    return [verdict for verdict in verdicts if verdict.failed]


def findings_text(verdicts: list[Verdict]) -> str:
    """Return everything that was said against the device."""
    return "\n".join(str(verdict.problem) for verdict in failures(verdicts))


def is_finding(verdict: Verdict) -> bool:
    """Whether a verdict is made of findings, each with expected, observed and attribute."""
    return isinstance(verdict.problem, CheckFailed)
