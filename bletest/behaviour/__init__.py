"""What a characteristic does when it is written, and as time passes. Pure: octets in, plans out."""

from bletest.behaviour.control_point import SAME_MOMENT, guard
from bletest.behaviour.functions import compute, fill, recognise
from bletest.behaviour.memory import Memory
from bletest.behaviour.procedures import Procedure, make_procedures
from bletest.behaviour.record_access import StoredRecords
from bletest.behaviour.transfer import FirmwareTransfer
from bletest.behaviour.writes import (
    NOTHING_BEFORE,
    Choice,
    Reaction,
    Sending,
    Situation,
    choose,
    react,
)

__all__ = [
    "NOTHING_BEFORE",
    "SAME_MOMENT",
    "Choice",
    "FirmwareTransfer",
    "Memory",
    "Procedure",
    "Reaction",
    "Sending",
    "Situation",
    "StoredRecords",
    "choose",
    "compute",
    "fill",
    "guard",
    "make_procedures",
    "react",
    "recognise",
]
