"""What a characteristic does when it is written, and as time passes. Pure: octets in, plans out."""

from bletest.behaviour.functions import compute, fill, recognise
from bletest.behaviour.memory import Memory
from bletest.behaviour.record_access import StoredRecords
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
    "Choice",
    "Memory",
    "Reaction",
    "Sending",
    "Situation",
    "StoredRecords",
    "choose",
    "compute",
    "fill",
    "react",
    "recognise",
]
