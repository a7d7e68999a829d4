"""ATT PDUs in L2CAP frames: the channel that they have on LE."""

import struct

ATT_CID = 0x0004
"""The fixed L2CAP channel of the unenhanced ATT bearer on LE (Vol 3, Part A, 2.1)."""

LONGEST = 0xFFFF
"""Octets that fit into one frame (Vol 3, Part A, 3.1)."""


def att_frame(pdu: bytes) -> bytes:
    """Return the L2CAP frame of an ATT PDU; :class:`struct.error` where it is too long for one."""
    return struct.pack("<HH", len(pdu), ATT_CID) + pdu
