"""The procedures of a device, by the characteristics that they stand behind."""

from collections.abc import Collection, Iterable
from typing import Protocol

from bletest.behaviour.record_access import StoredRecords
from bletest.behaviour.transfer import FirmwareTransfer, TransferControl, TransferData
from bletest.behaviour.writes import Reaction
from bletest.profile.procedures import RecordAccess, Transfer
from bletest.profile.spec import CharacteristicSpec


class Procedure(Protocol):
    """What decides about every write of a characteristic.

    Moments are seconds on any clock that does not go back.
    """

    def write(
        self, client: str, value: bytes, now: float, *, subscribed: Collection[str]
    ) -> Reaction:
        """Return what a write causes; ``subscribed`` are the paths that send to this client."""

    def forget(self, client: str) -> None:
        """A client is gone: so is what it asked for."""

    def reset(self) -> None:
        """Go back to the beginning, as after a reboot."""


def make_procedures(characteristics: Iterable[CharacteristicSpec]) -> dict[str, Procedure]:
    """Return a procedure for each path that has one; those of a transfer share its state."""
    found: dict[str, Procedure] = {}
    for one in characteristics:
        if isinstance(one.procedure, RecordAccess):
            found[one.path] = StoredRecords(one.path, one.procedure)
        elif isinstance(one.procedure, Transfer) and one.path == one.procedure.data:
            transfer = FirmwareTransfer(one.procedure)
            found[one.path] = TransferData(transfer)
            found[one.procedure.control] = TransferControl(transfer)
    return found
