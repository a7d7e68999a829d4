"""How long a packet is on the air, per PHY (Vol 6, Part B, 2.1 and 2.2). All in microseconds.

Pure arithmetic: no loop, no bumble.
"""

from enum import StrEnum

T_IFS = 150
"""The inter frame space between two packets of a connection event (Vol 6, Part B, 4.1.1)."""

SHORTEST_DATA = 27
"""Octets that every data channel PDU may carry, without any negotiation (4.5.10)."""

LONGEST_DATA = 251
"""Octets that a data channel PDU may carry at most (2.4)."""

_ACCESS_ADDRESS = 4
_HEADER = 2
_CRC = 3


class Phy(StrEnum):
    """A PHY. ``coded`` is LE Coded with eight symbols a bit (S=8), ``coded_s2`` with two."""

    LE_1M = "1M"
    LE_2M = "2M"
    CODED = "coded"
    CODED_S2 = "coded_s2"


# What comes before, and after, the octets of a PDU; and what each octet takes.
# Coded: preamble 80, access address 256, coding indicator 16 and TERM1 24 are always coded with
# S=8; CRC and TERM2 (3 bits) are coded as the PDU is.
_FIXED = {
    Phy.LE_1M: (1 + _ACCESS_ADDRESS + _HEADER + _CRC) * 8,
    Phy.LE_2M: (2 + _ACCESS_ADDRESS + _HEADER + _CRC) * 4,
    Phy.CODED: 80 + 256 + 16 + 24 + (_HEADER + _CRC) * 64 + 3 * 8,
    Phy.CODED_S2: 80 + 256 + 16 + 24 + (_HEADER + _CRC) * 16 + 3 * 2,
}
_PER_OCTET = {Phy.LE_1M: 8, Phy.LE_2M: 4, Phy.CODED: 64, Phy.CODED_S2: 16}


def air_time(phy: Phy, octets: int) -> int:
    """Return how long a data channel PDU with so many octets of payload takes, without MIC."""
    return _FIXED[phy] + _PER_OCTET[phy] * octets


def advertising_time(octets: int) -> int:
    """Return how long a legacy advertising PDU takes; ``octets`` is its data, without AdvA."""
    return air_time(Phy.LE_1M, 6 + octets)


def most_octets(phy: Phy, time: int) -> int:
    """Return the payload that fits into ``time``; never less than what every PDU may carry."""
    return max(SHORTEST_DATA, (time - _FIXED[phy]) // _PER_OCTET[phy])
