"""What bleak's interface cannot say: raw ATT, and facts of the link."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

from bletest.att.procedures import Procedure
from bletest.contracts.windows import LinkTiming
from bletest.errors import BletestError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unasked:
    """A notification or indication that nobody listened for; ``time`` is the loop's, seconds."""

    handle: int
    value: bytes
    time: float


class RawAtt(Protocol):
    """The extension that a back end of ours offers beside bleak's interface.

    Operations raise :class:`~bletest.errors.LinkLost`, :class:`~bletest.errors.NoAnswer`,
    :class:`~bletest.errors.AdapterLost`, and ``write`` an
    :class:`~bletest.errors.AttributeRefused` too.
    """

    @property
    def is_encrypted(self) -> bool:
        """Whether the link is encrypted."""

    @property
    def link_name(self) -> str:
        """What events call the link; empty before there is one."""

    @property
    def timing(self) -> LinkTiming:
        """What the link adds to any moment."""

    @property
    def end(self) -> BletestError | None:
        """What ended the link, None while it is up or before it was."""

    async def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure to its end; a refusal is an :class:`AttributeRefused`."""

    async def exchange(self, pdu: bytes, *, within: float) -> bytes | None:
        """Send any octets; return the next response PDU, None after ``within`` seconds."""

    def send(self, pdu: bytes) -> None:
        """Send any octets and await nothing."""

    async def unasked(self, *, within: float) -> list[Unasked]:
        """Wait ``within`` seconds; return what nobody listened for on this link, each once."""

    async def discover(self) -> None:
        """Discover the database again; bleak's ``services`` are the new ones then."""

    async def acquit_adapter(self) -> None:
        """Raise :class:`~bletest.errors.BenchTrouble` if the adapter is why nothing comes."""

    async def write(self, handle: int, value: bytes) -> None:
        """Write an attribute that bleak keeps from its callers (a CCCD)."""

    def write_signed(self, handle: int, value: bytes) -> None:
        """Send a Signed Write Command; :class:`UsageMistake` where that cannot be."""
