"""A firmware-update target: an image in objects, chunk by chunk, with offsets and CRCs.

What goes over the control point is that of Nordic's Secure DFU: a request is an op code and its
operands, a response ``60``, the op code and a result. Numbers are little-endian.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum

from bletest.behaviour.control_point import (
    CCCD_IMPROPERLY_CONFIGURED,
    PROCEDURE_IN_PROGRESS,
    SAME_MOMENT,
)
from bletest.behaviour.functions import compute
from bletest.behaviour.writes import Reaction, Sending, carry_out
from bletest.profile.procedures import Transfer
from bletest.profile.rules import Computed, Function

RESPONSE = 0x60
"""The first octet of everything that the control point sends."""

LONGEST_INIT = 512
"""Octets that an init packet can have."""


class OpCode(IntEnum):
    """What is asked of the control point; ``PACKET`` stands for data in responses to it."""

    CREATE = 1
    RECEIPTS = 2
    CHECKSUM = 3
    EXECUTE = 4
    SELECT = 6
    PACKET = 8
    ABORT = 12


class Result(IntEnum):
    """What comes of a request."""

    SUCCESS = 1
    OP_CODE_NOT_SUPPORTED = 2
    INVALID_PARAMETER = 3
    INSUFFICIENT_RESOURCES = 4
    INVALID_OBJECT = 5
    UNSUPPORTED_TYPE = 7
    NOT_PERMITTED = 8


class Kind(IntEnum):
    """What objects are made of: the init packet, or the image."""

    INIT = 1
    IMAGE = 2


_OPERANDS = {
    OpCode.CREATE: 5,
    OpCode.RECEIPTS: 2,
    OpCode.CHECKSUM: 0,
    OpCode.EXECUTE: 0,
    OpCode.SELECT: 1,
    OpCode.ABORT: 0,
}
_SLOW = (OpCode.CREATE, OpCode.EXECUTE)


def checksum(function: Function, octets: bytes) -> bytes:
    """Return a CRC as the control point sends it."""
    result = compute(Computed(function, (octets,), function.length), {}, lambda _: b"")
    assert result is not None  # nothing in it is missing
    return result


def response(opcode: int, result: Result, operands: bytes = b"") -> bytes:
    """Return what answers a request."""
    return bytes([RESPONSE, opcode, result]) + operands


@dataclass(slots=True)
class _Progress:
    """What has come of one kind: ``octets``, of which ``executed`` are there to stay.

    ``end`` is where the open object ends, None while none is open.
    """

    octets: bytearray = field(default_factory=bytearray)
    executed: int = 0
    end: int | None = None

    @property
    def complete(self) -> bool:
        """Whether the open object is full."""
        return self.end == len(self.octets)

    def open(self, size: int) -> None:
        """Begin an object, in place of one that was not executed."""
        del self.octets[self.executed :]
        self.end = self.executed + size

    def execute(self) -> None:
        """Keep the open object."""
        self.executed, self.end = len(self.octets), None


class FirmwareTransfer:
    """The image of one device, as far as it has come. Moments are seconds on any clock.

    What has come outlasts a lost link, but no reboot.
    """

    def __init__(self, procedure: Transfer) -> None:
        self.procedure = procedure
        self.reset()

    def reset(self) -> None:
        """Go back to the beginning, as after a reboot."""
        self._restart()
        self._every = self.procedure.receipt_every
        self._until = 0.0

    def forget(self, client: str) -> None:
        """A client is gone: what it has sent is not."""
        del client
        self._every = self.procedure.receipt_every
        self._until = 0.0

    def _restart(self) -> None:
        """Throw everything away."""
        self._progress = {kind: _Progress() for kind in Kind}
        self._kind = Kind.INIT if self.procedure.init is not None else Kind.IMAGE
        self._packets = 0
        self._complained = False

    @property
    def _has_init(self) -> bool:
        return self.procedure.init is None or bool(self._progress[Kind.INIT].executed)

    # The control point

    def request(
        self, client: str, value: bytes, now: float, *, subscribed: Collection[str]
    ) -> Reaction:
        """Return what a write to the control point causes."""
        del client
        if self.procedure.control not in subscribed:
            return Reaction(error=CCCD_IMPROPERLY_CONFIGURED)
        opcode, operands = value[0] if value else 0, value[1:]
        if now < self._until - SAME_MOMENT and opcode != OpCode.ABORT:
            return Reaction(error=PROCEDURE_IN_PROGRESS)
        self._complained = False
        if opcode not in _OPERANDS:
            return self._send(response(opcode, Result.OP_CODE_NOT_SUPPORTED))
        if len(operands) != _OPERANDS[OpCode(opcode)]:
            return self._send(response(opcode, Result.INVALID_PARAMETER))
        match opcode:
            case OpCode.CREATE:
                result = self._create(operands[0], int.from_bytes(operands[1:], "little"))
            case OpCode.RECEIPTS:
                self._every, self._packets = int.from_bytes(operands, "little"), 0
                result = Result.SUCCESS
            case OpCode.CHECKSUM:
                return self._send(response(opcode, Result.SUCCESS, self._so_far()))
            case OpCode.EXECUTE:
                return self._execute(now)
            case OpCode.SELECT:
                return self._select(operands[0])
            case _:
                self._restart()
                self._until = now
                return replace(self._send(response(opcode, Result.SUCCESS)), cancels=True)
        return self._slowly(opcode, result, now)

    def _slowly(self, opcode: int, result: Result, now: float) -> Reaction:
        takes = self.procedure.takes if opcode in _SLOW and result is Result.SUCCESS else 0.0
        self._until = now + takes
        return self._send(response(opcode, result), takes)

    def _create(self, kind: int, size: int) -> Result:
        if not self._is_known(kind):
            return Result.UNSUPPORTED_TYPE
        if not 1 <= size <= self._most(Kind(kind)):
            return Result.INVALID_PARAMETER
        if kind == Kind.INIT:
            self._restart()
        elif not self._has_init:
            return Result.NOT_PERMITTED
        elif self._progress[Kind.IMAGE].executed + size > len(self.procedure.image):
            return Result.INSUFFICIENT_RESOURCES
        self._kind, self._packets = Kind(kind), 0
        self._progress[self._kind].open(size)
        return Result.SUCCESS

    def _is_known(self, kind: int) -> bool:
        return kind == Kind.IMAGE or (kind == Kind.INIT and self.procedure.init is not None)

    def _most(self, kind: Kind) -> int:
        return LONGEST_INIT if kind is Kind.INIT else self.procedure.object_size

    def _select(self, kind: int) -> Reaction:
        if not self._is_known(kind):
            return self._send(response(OpCode.SELECT, Result.UNSUPPORTED_TYPE))
        self._kind, self._packets = Kind(kind), 0
        operands = self._most(self._kind).to_bytes(4, "little") + self._so_far()
        return self._send(response(OpCode.SELECT, Result.SUCCESS, operands))

    def _so_far(self) -> bytes:
        octets = bytes(self._progress[self._kind].octets)
        return len(octets).to_bytes(4, "little") + checksum(self.procedure.crc, octets)

    def _execute(self, now: float) -> Reaction:
        progress = self._progress[self._kind]
        if not progress.complete:
            return self._send(response(OpCode.EXECUTE, Result.NOT_PERMITTED))
        wanted = self.procedure.image if self._kind is Kind.IMAGE else self.procedure.init
        whole = self._kind is Kind.INIT or len(progress.octets) == len(self.procedure.image)
        if whole and bytes(progress.octets) != wanted:
            self._restart()
            return self._send(response(OpCode.EXECUTE, Result.INVALID_OBJECT))
        progress.execute()
        reaction = self._slowly(OpCode.EXECUTE, Result.SUCCESS, now)
        if not whole or self._kind is Kind.INIT:
            return reaction
        self._restart()
        return _followed(reaction, self.procedure)

    # Data

    def packet(
        self, client: str, value: bytes, now: float, *, subscribed: Collection[str]
    ) -> Reaction:
        """Return what a packet of data causes: a receipt, a complaint, or nothing."""
        del client, now, subscribed
        progress = self._progress[self._kind]
        if progress.end is None:
            return self._complain(Result.NOT_PERMITTED)
        if len(progress.octets) + len(value) > progress.end:
            return self._complain(Result.INVALID_PARAMETER)
        progress.octets += value
        self._packets += 1
        if not self._every or self._packets % self._every:
            return Reaction()
        return self._send(response(OpCode.CHECKSUM, Result.SUCCESS, self._so_far()))

    def _complain(self, result: Result) -> Reaction:
        """Say so once, not for each of the packets that are on their way."""
        if self._complained:
            return Reaction()
        self._complained = True
        return self._send(response(OpCode.PACKET, result))

    def _send(self, value: bytes, after: float = 0.0) -> Reaction:
        return Reaction(sendings=(Sending(self.procedure.control, value, None, after),))


@dataclass(slots=True)
class TransferControl:
    """The control point of a transfer, as a procedure."""

    transfer: FirmwareTransfer

    def write(
        self, client: str, value: bytes, now: float, *, subscribed: Collection[str]
    ) -> Reaction:
        """Return what a write causes; ``subscribed`` are the paths that send to this client."""
        return self.transfer.request(client, value, now, subscribed=subscribed)

    def forget(self, client: str) -> None:
        """A client is gone."""
        self.transfer.forget(client)

    def reset(self) -> None:
        """Go back to the beginning, as after a reboot."""
        self.transfer.reset()


@dataclass(slots=True)
class TransferData:
    """What takes the data of a transfer, as a procedure."""

    transfer: FirmwareTransfer

    def write(
        self, client: str, value: bytes, now: float, *, subscribed: Collection[str]
    ) -> Reaction:
        """Return what a write causes; ``subscribed`` are the paths that send to this client."""
        return self.transfer.packet(client, value, now, subscribed=subscribed)

    def forget(self, client: str) -> None:
        """A client is gone; the control point takes care of it."""

    def reset(self) -> None:
        """Nothing is kept here."""


def _followed(reaction: Reaction, procedure: Transfer) -> Reaction:
    """Return a reaction with what is done once the image is complete."""
    effects = procedure.then
    after = procedure.takes
    done = carry_out(effects, b"", {}, 23)
    sendings = tuple(replace(one, after=one.after + after) for one in done.sendings)
    reboot = done.reboot
    return Reaction(
        sendings=(*reaction.sendings, *sendings),
        sets=done.sets,
        expires=done.expires,
        disconnect=None if done.disconnect is None else done.disconnect + after,
        reboot=None if reboot is None else replace(reboot, after=reboot.after + after),
        services=tuple(replace(one, after=one.after + after) for one in done.services),
    )


def chunks(octets: bytes, size: int) -> Iterable[bytes]:
    """Cut octets into packets."""
    return (octets[at : at + size] for at in range(0, len(octets), size))
