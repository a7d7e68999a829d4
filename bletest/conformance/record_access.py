"""A Record Access Control Point: stored records on request (Glucose Service 1.0, 3.4)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bletest.behaviour.control_point import CCCD_IMPROPERLY_CONFIGURED, PROCEDURE_IN_PROGRESS
from bletest.behaviour.record_access import OpCode, Result, response
from bletest.conformance.registry import Flaw, Phase, check
from bletest.conformance.steps import characteristic_of, not_accepted, not_refused, octets
from bletest.conformance.subjects import ProcedureOf
from bletest.contracts.client import Client, Subscription
from bletest.contracts.windows import Deadline
from bletest.errors import TooFewNotifications
from bletest.profile.expectation import DeviceExpectation
from bletest.profile.procedures import RecordAccessExpectation

_SECTION = "Glucose Service 1.0, 3.4"
_ALL = bytes([1])
_LAST = bytes([6])


def _procedures(device: DeviceExpectation) -> list[ProcedureOf]:
    found = []
    for one in device.characteristics():
        procedure = one.procedure
        if not isinstance(procedure, RecordAccessExpectation):
            continue
        via = device.characteristic(procedure.via)
        if via is not None:
            found.append(ProcedureOf(one, (one, via)))
    return found


class _Session:
    """A client that has subscribed to a control point and to what it reports through."""

    def __init__(
        self, client: Client, subject: ProcedureOf, control: Subscription, records: Subscription
    ) -> None:
        self.client = client
        self.subject = subject
        self.control = control
        self.records = records
        self.flaws: list[Flaw] = []

    @property
    def _within(self) -> float:
        procedure = self.subject.characteristic.procedure
        assert isinstance(procedure, RecordAccessExpectation)  # what the subject was picked for
        return procedure.within

    async def ask(self, value: bytes) -> bool:
        """Write to the control point; whether it was accepted."""
        target = characteristic_of(self.client, self.subject.characteristic)
        outcome = await self.client.attempt.write(target, value)
        self.flaws += not_accepted(outcome, f"{octets(value)} is answered by an indication")
        return outcome.succeeded

    async def refused(self, value: bytes, code: int, because: str) -> None:
        """Write what the control point must refuse with an ATT error."""
        target = characteristic_of(self.client, self.subject.characteristic)
        outcome = await self.client.attempt.write(target, value)
        self.flaws += not_refused(outcome, (code,), because)

    async def answer(self, asked: str, *, beside: int = 0) -> bytes | None:
        """Wait for the next indication of the control point, as long as records keep coming.

        ``beside`` are the records that may come first.
        """
        within = self._within * (1 + beside)
        deadline = Deadline.after(within, now=self.client.now(), timing=self.client.timing)
        try:
            reading = await self.control.next(within=deadline.left(self.client.now()))
        except TooFewNotifications:
            self.flaws.append(
                Flaw(f"{asked} is answered by an indication within {within:g} s", "nothing in time")
            )
            return None
        return reading.raw

    async def expect(self, value: bytes, expected: bytes, asked: str, *, beside: int = 0) -> None:
        """Write, and wait for exactly that indication."""
        if await self.ask(value):
            seen = await self.answer(asked, beside=beside)
            if seen is not None and seen != expected:
                self.flaws.append(Flaw(f"{asked} is answered by {octets(expected)}", octets(seen)))

    async def number(self, what: bytes = _ALL) -> int | None:
        """Ask how many records there are."""
        if not await self.ask(bytes([OpCode.REPORT_NUMBER]) + what):
            return None
        seen = await self.answer("Report Number of Stored Records")
        if seen is None:
            return None
        if len(seen) != 4 or seen[:2] != bytes([OpCode.NUMBER, 0]):
            self.flaws.append(Flaw("05 00 and the number of records, 16 bits", octets(seen)))
            return None
        return int.from_bytes(seen[2:], "little")

    @property
    def reported(self) -> int:
        """The number of records that came."""
        return len(self.records.received)


@asynccontextmanager
async def _session(client: Client, subject: ProcedureOf) -> AsyncIterator[_Session]:
    control, via = (characteristic_of(client, one) for one in subject.via)
    async with AsyncExitStack() as stack:
        yield _Session(
            client,
            subject,
            await stack.enter_async_context(client.subscribe(control)),
            await stack.enter_async_context(client.subscribe(via)),
        )


@check(
    "racp.all",
    title="All stored records are reported, as many as there are said to be",
    phase=Phase.WRITES,
    subjects=_procedures,
    paragraph=f"{_SECTION}.1 and {_SECTION}.4",
    secures=("write", "subscribe"),
)
async def all_records(client: Client, subject: ProcedureOf) -> AsyncIterator[Flaw]:
    """Ask for the number, then for the records; the response comes after the last of them."""
    async with _session(client, subject) as session:
        await _report(session, _ALL, await session.number())
    for flaw in session.flaws:
        yield flaw


@check(
    "racp.last",
    title="The last stored record alone is reported",
    phase=Phase.WRITES,
    subjects=_procedures,
    paragraph=f"{_SECTION}.1",
    secures=("write", "subscribe"),
)
async def last_record(client: Client, subject: ProcedureOf) -> AsyncIterator[Flaw]:
    """Operator 6; the number is asked for first, since there may be no records at all."""
    async with _session(client, subject) as session:
        await _report(session, _LAST, await session.number(_LAST))
    for flaw in session.flaws:
        yield flaw


async def _report(session: _Session, what: bytes, number: int | None) -> None:
    if number is None:
        return
    result = Result.SUCCESS if number else Result.NO_RECORDS_FOUND
    await session.expect(
        bytes([OpCode.REPORT]) + what,
        response(OpCode.REPORT, result),
        f"a report of {number} records",
        beside=number,
    )
    seen = session.reported
    if not session.flaws and seen != number:
        session.flaws.append(Flaw(f"{number} records before the response", f"{seen}"))
    value = session.subject.via[1].value
    for reading in session.records.received:
        if problem := value.mismatch(reading.raw):
            session.flaws.append(Flaw(value.describe(), f"{octets(reading.raw)}: {problem}"))


@check(
    "racp.refused",
    title="What a record access control point does not know is answered with the right code",
    phase=Phase.WRITES,
    subjects=_procedures,
    paragraph=f"{_SECTION}, table of response codes",
    secures=("write", "subscribe"),
)
async def refused(client: Client, subject: ProcedureOf) -> AsyncIterator[Flaw]:
    """Op code, operator and operand, each wrong in its way; nothing is reported."""
    report = OpCode.REPORT
    wrong = (
        ("7f 01", 0x7F, Result.OP_CODE_NOT_SUPPORTED, "an unknown op code"),
        ("01 00", report, Result.INVALID_OPERATOR, "a report with a null operator"),
        ("01 7f", report, Result.OPERATOR_NOT_SUPPORTED, "an unknown operator"),
        ("01 01 01", report, Result.INVALID_OPERAND, "a report of all, with an operand"),
        ("01 03 7f 00 00", report, Result.OPERAND_NOT_SUPPORTED, "a filter of type 0x7F"),
        ("01 04 01 02 00 01 00", report, Result.INVALID_OPERAND, "a range from 2 to 1"),
    )
    async with _session(client, subject) as session:
        for value, opcode, result, asked in wrong:
            await session.expect(bytes.fromhex(value), response(opcode, result), asked)
        if seen := session.reported:
            session.flaws.append(Flaw("no records", f"{seen}"))
    for flaw in session.flaws:
        yield flaw


@check(
    "racp.unconfigured",
    title="Without its indications enabled, a record access control point refuses",
    phase=Phase.WRITES,
    subjects=_procedures,
    paragraph=f"{_SECTION}; Supplement to the Core Specification, Part B, 1.2",
    secures=("write", "subscribe"),
)
async def unconfigured(client: Client, subject: ProcedureOf) -> AsyncIterator[Flaw]:
    """Client Characteristic Configuration Descriptor Improperly Configured (0xFD)."""
    target = characteristic_of(client, subject.characteristic)
    await client.attempt.unsubscribe(target)
    outcome = await client.attempt.write(target, bytes([OpCode.REPORT_NUMBER]) + _ALL)
    because = "its indications are not enabled"
    for flaw in not_refused(outcome, (CCCD_IMPROPERLY_CONFIGURED,), because):
        yield flaw


@check(
    "racp.busy",
    title="A second procedure is refused while one is in progress",
    phase=Phase.WRITES,
    subjects=_procedures,
    paragraph=f"{_SECTION}; Supplement to the Core Specification, Part B, 1.2",
    secures=("write", "subscribe"),
)
async def busy(client: Client, subject: ProcedureOf) -> AsyncIterator[Flaw]:
    """Procedure Already In Progress (0xFE); not judged where the first one was quicker."""
    async with _session(client, subject) as session:
        number = await session.number()
        if number and await session.ask(bytes([OpCode.REPORT]) + _ALL):
            target = characteristic_of(client, subject.characteristic)
            ended = len(session.control.received)
            outcome = await client.attempt.write(target, bytes([OpCode.REPORT_NUMBER]) + _ALL)
            if len(session.control.received) == ended:
                session.flaws += not_refused(
                    outcome, (PROCEDURE_IN_PROGRESS,), "records are still being reported"
                )
            if not session.flaws:
                await session.answer("the report", beside=number)
    for flaw in session.flaws:
        yield flaw


@check(
    "racp.abort",
    title="An abort ends a report, and nothing comes after its response",
    phase=Phase.WRITES,
    subjects=_procedures,
    paragraph=f"{_SECTION}.3",
    secures=("write", "subscribe"),
)
async def abort(client: Client, subject: ProcedureOf) -> AsyncIterator[Flaw]:
    """Report all, abort; not judged where the report was quicker."""
    async with _session(client, subject) as session:
        number = await session.number()
        if number and await session.ask(bytes([OpCode.REPORT]) + _ALL):
            finished = response(OpCode.REPORT, Result.SUCCESS)
            expected = response(OpCode.ABORT, Result.SUCCESS)
            if await session.ask(bytes([OpCode.ABORT, 0])):
                seen = await session.answer("an abort")
                if seen == finished:
                    seen = await session.answer("an abort")
                if seen is not None and seen != expected:
                    session.flaws.append(
                        Flaw(f"an abort is answered by {octets(expected)}", octets(seen))
                    )
                elif seen is not None:
                    await _nothing_more(session)
    for flaw in session.flaws:
        yield flaw


async def _nothing_more(session: _Session) -> None:
    count = len(session.records.received)
    if count:
        await session.records.take(count, within=0.0)
    deadline = Deadline.after(1.0, now=session.client.now(), timing=session.client.timing)
    try:
        reading = await session.records.next(within=deadline.left(session.client.now()))
    except TooFewNotifications:
        return
    session.flaws.append(Flaw("no record after the response to an abort", octets(reading.raw)))
