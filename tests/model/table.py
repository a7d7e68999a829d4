"""The specification as a table: opcodes, lengths, permissions, error codes.

Paragraphs are those of the Core Specification, Vol 3, Part F where no other part is named.
"""

from dataclasses import dataclass
from enum import Enum, auto

LONGEST = 0xFFFF


class Kind(Enum):
    """What a server does with a PDU, whatever is in it."""

    REQUEST = auto()
    """Answers it with a response or an error (3.3.1)."""
    COMMAND = auto()
    """Never answers it; ignores what is wrong (3.3.1)."""
    CONFIRMATION = auto()
    """Never answers it either; where none is due, ignores it (3.3.2)."""
    FOR_A_CLIENT = auto()
    """Ignores it: a response, or something that servers send."""
    INDICATION = auto()
    """The same; whoever is a client too confirms it (3.4.7.3)."""


@dataclass(frozen=True)
class Row:
    """One opcode. A PDU of it is well formed with ``least``, ``least + step``, … ``most`` octets.

    ``at_handle``: it works at a handle that a client must know, so one that does not know the
    database as it is may be refused (Part G, 2.5.2.1).
    """

    name: str
    kind: Kind
    least: int = 1
    most: int = LONGEST
    step: int = 1
    at_handle: bool = False

    def fits(self, length: int) -> bool:
        """Whether a PDU of so many octets is well formed."""
        return self.least <= length <= self.most and not (length - self.least) % self.step


R, C = Kind.REQUEST, Kind.COMMAND

OPCODES = {
    0x02: Row("exchange MTU", R, 3, 3),
    0x04: Row("find information", R, 5, 5),
    0x06: Row("find by type value", R, 7),
    0x08: Row("read by type", R, 7, 21, 14),
    0x0A: Row("read", R, 3, 3, at_handle=True),
    0x0C: Row("read blob", R, 5, 5, at_handle=True),
    0x0E: Row("read multiple", R, 5, LONGEST, 2, at_handle=True),
    0x10: Row("read by group type", R, 7, 21, 14),
    0x12: Row("write", R, 3, at_handle=True),
    0x16: Row("prepare write", R, 5, at_handle=True),
    0x18: Row("execute write", R, 2, 2),
    0x20: Row("read multiple variable", R, 5, LONGEST, 2, at_handle=True),
    0x1E: Row("confirmation", Kind.CONFIRMATION, 1, 1),
    0x52: Row("write command", C, 3),
    0xD2: Row("signed write command", C, 15),
    0x1D: Row("indication", Kind.INDICATION),
    **{
        opcode: Row("for a client", Kind.FOR_A_CLIENT)
        for opcode in (1, 3, 5, 7, 9, 0x0B, 0x0D, 0x0F, 0x11, 0x13, 0x17, 0x19, 0x1B, 0x21, 0x23)
    },
}
"""Every opcode that is defined (3.4.8)."""

COMMAND_FLAG = 0x40
"""Undefined opcodes with it are ignored, others refused with 0x06 (3.3, 3.4.1.1)."""

# Error codes (3.4.1.1)
INVALID_HANDLE = 0x01
READ_NOT_PERMITTED = 0x02
WRITE_NOT_PERMITTED = 0x03
INVALID_PDU = 0x04
NOT_SUPPORTED = 0x06
INVALID_OFFSET = 0x07
QUEUE_FULL = 0x09
NOT_FOUND = 0x0A
NOT_LONG = 0x0B
INVALID_LENGTH = 0x0D
UNSUPPORTED_GROUP_TYPE = 0x10
OUT_OF_SYNC = 0x12
VALUE_REFUSED = (0x13, 0xFC, 0xFF)
"""Value Not Allowed, Write Request Rejected, Out of Range: each says that it is the value."""

LINKS = ("plain", "bonded", "encrypted", "short")
"""No key; a key that is not in use; Just Works with 16 octets of key; the same with 7."""

REFUSED = {
    #                 plain  bonded encrypted short
    "open": (None, None, None, None),
    "encrypted": (0x05, 0x0F, None, None),
    "key16": (0x05, 0x0F, None, 0x0C),
    "authenticated": (0x05, 0x0F, 0x05, 0x05),
    "authorized": (0x08, 0x08, 0x08, 0x08),
}
"""The error code by what a value asks of a link, and the link (Part C, 10.3.1)."""


def refused(access: str, link: str) -> int | None:
    """Return the code that a link is refused with, None where it may."""
    return REFUSED[access][LINKS.index(link)]


DEFAULT_MTU = 23
QUEUE_LIMIT = 64
"""Prepared writes that the device takes; the specification leaves the number open (3.4.6.1)."""
PATIENCE = 30.0
"""Seconds that a confirmation may take (3.3.3)."""

GROUPS = (b"\x00\x28", b"\x01\x28")
"""Types that can be read by group (Part G, 2.5.3)."""
FREE_TYPES = (b"\x02\x28", b"\x03\x28")
"""Types that are read by type whatever the client knows (Part G, 2.5.2.1)."""
HASH = b"\x2a\x2b"

NOTIFY, INDICATE = 0x01, 0x02
"""Bits of a Client Characteristic Configuration (Part G, 3.3.3.3)."""
ROBUST, TOGETHER = 0x01, 0x04
FEATURES = 0x07
"""Bits of Client Supported Features (Part G, 7.2)."""
