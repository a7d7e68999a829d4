"""What a characteristic does when it is written, and as time passes. Pure: octets in, plans out."""

from bletest.behaviour.functions import compute, fill
from bletest.behaviour.memory import Memory
from bletest.behaviour.writes import Reaction, Sending, Situation, react

__all__ = ["Memory", "Reaction", "Sending", "Situation", "compute", "fill", "react"]
