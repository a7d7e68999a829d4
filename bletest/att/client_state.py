"""What a server keeps for one client: the values that are its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bletest.att.database import INDICATE_BIT, NOTIFY_BIT, Attribute
from bletest.att.server_events import Subscribed
from bletest.uuids import CCCD


class Part(NamedTuple):
    """A prepared write."""

    attribute: Attribute
    offset: int
    octets: bytes


@dataclass(slots=True)
class ClientState:
    """Values of one client by attribute, and the number of bearers it has now.

    ``prepared`` is its queue of prepared writes, ``reading`` what handlers have answered to reads
    that it may want the rest of, both one for all its bearers. ``aware`` says that it
    knows the database as it is (:mod:`bletest.att.caching`), ``told`` that it was refused with
    0x12 because it does not, ``excused`` that its next request makes it aware. ``stale`` is the
    range of handles that a Service Changed indication has yet to tell of, ``telling`` says that
    one is out that tells of all of it.
    """

    values: dict[Attribute, bytes] = field(default_factory=dict)
    bearers: int = 0
    prepared: list[Part] = field(default_factory=list)
    reading: dict[Attribute, bytes] = field(default_factory=dict)
    aware: bool = True
    told: bool = False
    excused: bool = False
    stale: tuple[int, int] | None = None
    telling: bool = False


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
