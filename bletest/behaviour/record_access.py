"""A Record Access Control Point (Glucose Service 1.0, 3.4): stored records, on request."""

from collections.abc import Collection
from enum import IntEnum

from bletest.behaviour.control_point import (
    CCCD_IMPROPERLY_CONFIGURED,
    PROCEDURE_IN_PROGRESS,
    SAME_MOMENT,
)
from bletest.behaviour.writes import Reaction, Sending
from bletest.profile.procedures import Record, RecordAccess
from bletest.profile.rules import ReplyKind

_WRONG_LENGTH = 0x0D
_SEQUENCE_NUMBER = 1


class OpCode(IntEnum):
    """What is asked of a Record Access Control Point, and what it answers."""

    REPORT = 1
    DELETE = 2
    ABORT = 3
    REPORT_NUMBER = 4
    NUMBER = 5
    RESPONSE = 6


class Result(IntEnum):
    """The response code values."""

    SUCCESS = 1
    OP_CODE_NOT_SUPPORTED = 2
    INVALID_OPERATOR = 3
    OPERATOR_NOT_SUPPORTED = 4
    INVALID_OPERAND = 5
    NO_RECORDS_FOUND = 6
    ABORT_UNSUCCESSFUL = 7
    PROCEDURE_NOT_COMPLETED = 8
    OPERAND_NOT_SUPPORTED = 9


def response(opcode: int, result: Result) -> bytes:
    """Return the indication that ends a procedure."""
    return bytes([OpCode.RESPONSE, 0, opcode, result])


class StoredRecords:
    """The records of one device, and the procedures that are under way.

    ``path`` is that of the control point. Moments are seconds on any clock that does not go back.
    """

    def __init__(self, path: str, procedure: RecordAccess) -> None:
        self.path = path
        self.procedure = procedure
        self.records = procedure.records
        self._until: dict[str, float] = {}

    def reset(self) -> None:
        """Go back to the beginning, as after a reboot."""
        self.records = self.procedure.records
        self._until.clear()

    def forget(self, client: str) -> None:
        """A client is gone: so is what it asked for."""
        self._until.pop(client, None)

    def write(
        self, client: str, value: bytes, now: float, *, subscribed: Collection[str]
    ) -> Reaction:
        """Return what a write causes; ``subscribed`` are the paths that send to this client."""
        if len(value) < 2:
            return Reaction(error=_WRONG_LENGTH)
        opcode, operator, operand = value[0], value[1], value[2:]
        reports = opcode == OpCode.REPORT
        if self.path not in subscribed or (reports and self.procedure.via not in subscribed):
            return Reaction(error=CCCD_IMPROPERLY_CONFIGURED)
        if opcode == OpCode.ABORT:
            self.forget(client)
            return self._answer(response(opcode, Result.SUCCESS), cancels=True)
        if now < self._until.get(client, now) - SAME_MOMENT:
            return Reaction(error=PROCEDURE_IN_PROGRESS)
        if opcode not in (OpCode.REPORT, OpCode.DELETE, OpCode.REPORT_NUMBER):
            return self._answer(response(opcode, Result.OP_CODE_NOT_SUPPORTED))
        chosen = _choose(self.records, operator, operand)
        if isinstance(chosen, Result):
            return self._answer(response(opcode, chosen))
        if opcode == OpCode.REPORT_NUMBER:
            number = len(chosen).to_bytes(2, "little")
            return self._answer(bytes([OpCode.NUMBER, 0]) + number)
        if not chosen:
            return self._answer(response(opcode, Result.NO_RECORDS_FOUND))
        if opcode == OpCode.DELETE:
            self.records = tuple(one for one in self.records if one not in chosen)
            return self._answer(response(opcode, Result.SUCCESS))
        every, via = self.procedure.every, self.procedure.via
        reported = tuple(
            Sending(via, one.value, ReplyKind.NOTIFICATION, every * count)
            for count, one in enumerate(chosen)
        )
        end = every * len(chosen)
        self._until[client] = now + end
        last = self._sending(response(opcode, Result.SUCCESS), end)
        return Reaction(sendings=(*reported, last))

    def _answer(self, value: bytes, *, cancels: bool = False) -> Reaction:
        return Reaction(sendings=(self._sending(value, 0.0),), cancels=cancels)

    def _sending(self, value: bytes, after: float) -> Sending:
        return Sending(self.path, value, ReplyKind.INDICATION, after)


def _choose(
    records: tuple[Record, ...], operator: int, operand: bytes
) -> tuple[Record, ...] | Result:
    """Return the records that operator and operand name."""
    if operator in (1, 5, 6):  # all, first, last
        if operand:
            return Result.INVALID_OPERAND
        return {1: records, 5: records[:1], 6: records[-1:]}[operator]
    if operator == 0:
        return Result.INVALID_OPERATOR
    if operator not in (2, 3, 4):  # at most, at least, within
        return Result.OPERATOR_NOT_SUPPORTED
    if operand[:1] not in (b"", bytes([_SEQUENCE_NUMBER])):
        return Result.OPERAND_NOT_SUPPORTED
    if len(operand) != (5 if operator == 4 else 3):
        return Result.INVALID_OPERAND
    first = int.from_bytes(operand[1:3], "little")
    last = int.from_bytes(operand[-2:], "little")
    if first > last:
        return Result.INVALID_OPERAND
    low, high = {2: (0, first), 3: (first, 0xFFFF), 4: (first, last)}[operator]
    return tuple(one for one in records if low <= one.number <= high)
