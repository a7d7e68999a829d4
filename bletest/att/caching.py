"""Robust caching: what a server does with a client whose picture of the database is out of date.

Paragraphs are those of Vol 3, Part G, 2.5.2.1. A change of the database makes every client
change-unaware. One that has set the bit in Client Supported Features is told so, once, by the
error 0x12 Database Out Of Sync; until it is aware again its commands are ignored, and nothing
but Service Changed is sent to it. It becomes aware by another request after it has read the
Database Hash, and where it uses one bearer only, also by another request after the error, or
by confirming Service Changed.
"""

from typing import TYPE_CHECKING

from bletest.att.client_state import ClientState
from bletest.att.codes import ErrorCode
from bletest.att.database import INDICATE_BIT, Attribute, AttributeTable
from bletest.uuids import CHARACTERISTIC, DATABASE_HASH, INCLUDE, SERVICE_CHANGED, Uuid

if TYPE_CHECKING:
    from bletest.att.bearer import ServerBearer

ROBUST_CACHING_BIT = 0x01
"""Client Supported Features, octet 0 (7.2)."""

_AT_A_HANDLE = frozenset((0x0A, 0x0C, 0x0E, 0x12, 0x16, 0x20))
_READ_BY_TYPE, _READ, _READ_BLOB, _EXECUTE_WRITE = 0x08, 0x0A, 0x0C, 0x18
_ALWAYS_FOUND = (INCLUDE, CHARACTERISTIC)


def service_changed(table: AttributeTable) -> Attribute | None:
    """Return the value of Service Changed, None where the server has none."""
    found = table.of_type(SERVICE_CHANGED)
    return found[0] if found else None


def note_change(table: AttributeTable, client: ClientState, start: int, end: int) -> None:
    """The database has changed from ``start`` to ``end``: this client does not know yet."""
    client.aware = client.told = client.excused = client.telling = False
    attribute = service_changed(table)
    cccd = attribute.characteristic.cccd if attribute and attribute.characteristic else None
    if cccd is not None and client.values.get(cccd, cccd.value)[0] & INDICATE_BIT:
        if client.stale is not None:
            start, end = min(start, client.stale[0]), max(end, client.stale[1])
        client.stale = (start, end)


def become_aware(client: ClientState) -> None:
    """The client knows the database as it is."""
    client.aware = True
    client.told = client.excused = False
    client.stale = None
    client.telling = False


def stale_value(client: ClientState) -> bytes | None:
    """Return the value of the Service Changed indication that is due, None if none is."""
    if client.stale is None:
        return None
    start, end = client.stale
    return start.to_bytes(2, "little") + end.to_bytes(2, "little")


def confirmed(client: ClientState) -> None:
    """The client has confirmed Service Changed."""
    if not client.telling:
        return  # the database has changed again since it was sent
    if client.bearers == 1:
        become_aware(client)
    client.stale = None
    client.telling = False


def refusal(bearer: "ServerBearer", client: ClientState, pdu: bytes) -> int | None:
    """Return the handle of a request to be refused with 0x12, None where it goes on.

    What goes on is noted where it makes the client aware.
    """
    if client.excused:
        become_aware(client)
        return None
    if bearer.features & ROBUST_CACHING_BIT and not client.told:
        handle = _handle(bearer, pdu)
        if handle is not None:
            client.told = True
            client.excused = client.bearers == 1
            return handle
    return None


def reads_hash(bearer: "ServerBearer", pdu: bytes) -> bool:
    """Whether a request that was answered has read the Database Hash."""
    if pdu[0] == _READ_BY_TYPE:
        return Uuid.from_bytes(pdu[5:]) == DATABASE_HASH  # however long it is spelled
    if pdu[0] in (_READ, _READ_BLOB):
        attribute = bearer.server.table.get(pdu[1] | pdu[2] << 8)
        return attribute is not None and attribute.type == DATABASE_HASH
    return False


OUT_OF_SYNC = ErrorCode.DATABASE_OUT_OF_SYNC


def _handle(bearer: "ServerBearer", pdu: bytes) -> int | None:
    """Return the handle that a request works at; None for one that discovers, or is malformed."""
    opcode = pdu[0]
    if opcode in _AT_A_HANDLE and len(pdu) >= 3:
        return pdu[1] | pdu[2] << 8
    if opcode == _EXECUTE_WRITE and pdu[1:] == b"\x01" and bearer.prepared:
        return bearer.prepared[0].attribute.handle
    if opcode == _READ_BY_TYPE and len(pdu) in (7, 21):
        everything = pdu[1:5] == b"\x01\x00\xff\xff"
        if not everything and Uuid.from_bytes(pdu[5:]) not in _ALWAYS_FOUND:
            return pdu[1] | pdu[2] << 8
    return None
