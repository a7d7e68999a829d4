"""The two ways in which L2CAP frames travel on the virtual air."""

from enum import StrEnum


class DataPath(StrEnum):
    """How L2CAP frames travel between two hosts of ours in this process.

    ``short`` hands them over without HCI packets; ``hci`` takes every one through HCI, as it
    always is where a host is not ours. What hosts see is the same on both.
    """

    SHORT = "short"
    HCI = "hci"
