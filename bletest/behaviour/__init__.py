"""What a characteristic does when it is written, and as time passes. Pure: octets in, plans out."""

from bletest.behaviour.writes import Reaction, Sending, react

__all__ = ["Reaction", "Sending", "react"]
