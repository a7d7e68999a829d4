"""What a server keeps for one client: the values that are its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bletest.att.database import INDICATE_BIT, NOTIFY_BIT, Attribute
from bletest.att.server_events import Subscribed
from bletest.uuids import CCCD


@dataclass(slots=True)
class ClientState:
    """Values of one client by attribute, and the number of bearers it has now."""

    values: dict[Attribute, bytes] = field(default_factory=dict)
    bearers: int = 0


def subscriptions(
    client: str, values: Mapping[Attribute, bytes], *, restored: bool = False
) -> list[Subscribed]:
    """Return what these values subscribe to, in handle order."""
    return [
        Subscribed(
            client,
            attribute.characteristic.value,
            notify=bool(value[0] & NOTIFY_BIT),
            indicate=bool(value[0] & INDICATE_BIT),
            restored=restored,
        )
        for attribute, value in sorted(values.items(), key=lambda one: one[0].handle)
        if attribute.type == CCCD and attribute.characteristic and value != b"\x00\x00"
    ]
