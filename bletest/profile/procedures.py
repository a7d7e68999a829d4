"""Procedures that a profile names: what a control point of a SIG service does as a whole."""

from dataclasses import dataclass, field

from bletest.profile.rules import Effects, Function

ANSWER = 1.0
"""Seconds in which a procedure answers, beside what it says itself."""

_NOTHING = Effects()


@dataclass(frozen=True, slots=True)
class Record:
    """A stored record: its sequence number, and the value that reports it."""

    number: int
    value: bytes


@dataclass(frozen=True, slots=True)
class RecordAccess:
    """A Record Access Control Point (Glucose Service 1.0, 3.4).

    ``via`` is the path of the characteristic that reports records, one each ``every`` seconds.
    ``records`` are what the emulated device has stored, by rising sequence number.
    """

    via: str
    every: float
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class RecordAccessExpectation:
    """What any device is held to of a Record Access Control Point; ``via`` as there.

    ``within`` is the time in seconds in which the next record, or a response, comes.
    """

    via: str
    within: float


@dataclass(frozen=True, slots=True)
class Transfer:
    """A firmware-update target: ``image`` comes through ``data``, as ``control`` is asked for it.

    Both are paths. An object of the image has ``object_size`` octets at most. Each
    ``receipt_every`` packets the control point tells offset and ``crc``, 0 is never. ``init`` is
    the packet that has to come before the image, None where none has. ``takes`` is the time in
    seconds for which the emulated device creates or executes an object, ``then`` what it does
    when the image is complete.
    """

    control: str
    data: str
    object_size: int
    receipt_every: int
    crc: Function
    image: bytes = field(repr=False)
    init: bytes | None = None
    takes: float = 0.0
    then: Effects = _NOTHING


@dataclass(frozen=True, slots=True)
class TransferExpectation:
    """What any device is held to of a firmware-update target; the fields as there.

    ``within`` is the time in seconds in which a request is answered; ``slow`` says that some of
    them are not answered at once.
    """

    control: str
    data: str
    object_size: int
    receipt_every: int
    crc: Function
    image: bytes = field(repr=False)
    init: bytes | None
    within: float
    slow: bool
    then: Effects


Procedure = RecordAccess | Transfer
ProcedureExpectation = RecordAccessExpectation | TransferExpectation


def expectation_of(procedure: Procedure | None) -> ProcedureExpectation | None:
    """Return what any device is held to where the emulated one has this procedure."""
    match procedure:
        case RecordAccess():
            return RecordAccessExpectation(procedure.via, procedure.every + ANSWER)
        case Transfer():
            return TransferExpectation(
                control=procedure.control,
                data=procedure.data,
                object_size=procedure.object_size,
                receipt_every=procedure.receipt_every,
                crc=procedure.crc,
                image=procedure.image,
                init=procedure.init,
                within=procedure.takes + ANSWER,
                slow=procedure.takes > 0,
                then=procedure.then,
            )
        case None:
            return None
