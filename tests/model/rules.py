"""What each opcode does: for a world and a PDU, every outcome that the specification allows.

Paragraphs are those of Vol 3, Part F. A rule changes nothing: an outcome carries the change that
goes with it, for whoever sees that it was this one.
"""

from collections.abc import Callable, Iterable
from functools import partial

from tests.model.database import CCCD, FEATURES, Attribute, aes_cmac, shortest, u16
from tests.model.table import (
    DEFAULT_MTU,
    GROUPS,
    INDICATE,
    INVALID_HANDLE,
    INVALID_LENGTH,
    INVALID_OFFSET,
    INVALID_PDU,
    NOT_FOUND,
    NOT_LONG,
    NOT_SUPPORTED,
    OUT_OF_SYNC,
    QUEUE_FULL,
    QUEUE_LIMIT,
    READ_NOT_PERMITTED,
    UNSUPPORTED_GROUP_TYPE,
    VALUE_REFUSED,
    WRITE_NOT_PERMITTED,
    refused,
)
from tests.model.table import FEATURES as FEATURE_BITS
from tests.model.world import Bearer, Change, Client, Outcome, Outcomes, World

Rule = Callable[[World, Bearer, bytes], Outcomes]


def error(pdu: bytes, handle: int, code: int) -> bytes:
    """The Error Response to a request (3.4.1.1)."""
    return bytes((0x01, pdu[0])) + u16(handle) + bytes((code,))


def number(pdu: bytes, at: int = 1) -> int:
    """A handle or an offset in a PDU."""
    return pdu[at] | pdu[at + 1] << 8


def one(answer: bytes) -> Outcomes:
    """One right answer, which changes nothing."""
    return ((answer, None),)


def exchange_mtu(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.2: once; not at all on an enhanced bearer (Part G, 5.3.1)."""
    unsupported = error(pdu, 0, NOT_SUPPORTED)
    answer = b"\x03" + u16(world.mtu)
    if bearer.enhanced:
        return one(unsupported)
    if bearer.exchanged:
        return ((answer, None), (unsupported, None))
    index = world.bearers.index(bearer)

    def agree(world: World) -> None:
        at = world.bearers[index]
        at.mtu, at.exchanged = max(DEFAULT_MTU, min(number(pdu), world.mtu)), True

    return ((answer, agree),)


# Discovery


def in_range(pdu: bytes) -> Outcomes | None:
    """Refuse a range that is none (3.4.3.1)."""
    start = number(pdu)
    return None if 0 < start <= number(pdu, 3) else one(error(pdu, start, INVALID_HANDLE))


def not_found(pdu: bytes) -> Outcomes:
    """Nothing there: the error names the start of the range."""
    return one(error(pdu, number(pdu), NOT_FOUND))


def alike(records: Iterable[bytes], room: int) -> bytes:
    """As many records as fit, of one length."""
    octets, size = b"", 0
    for record in records:
        size = size or len(record)
        if len(record) != size or len(octets) + size > room:
            break
        octets += record
    return octets


def find_information(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.3.1."""
    bad = in_range(pdu)
    if bad:
        return bad
    found = world.database.between(number(pdu), number(pdu, 3))
    if not found:
        return not_found(pdu)
    records = alike((u16(each.handle) + each.type for each in found), bearer.mtu - 2)
    return one(bytes((0x05, 1 if len(found[0].type) == 2 else 2)) + records)


def endings(world: World, attribute: Attribute) -> Iterable[int]:
    """The end of a group; that of the last service may be told as 0xFFFF (Part G, 4.4.1)."""
    last = attribute.handle == world.database.last_group
    return (attribute.end, 0xFFFF) if last else (attribute.end,)


def find_by_type_value(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.3.3: what the client may not read matches nothing."""
    bad = in_range(pdu)
    if bad:
        return bad
    client = world.clients[bearer.client]
    answers = {b"\x07"}
    for each in world.database.of_type(pdu[5:7], number(pdu), number(pdu, 3)):
        if world.value(client, each) == pdu[7:] and reading(client, each) is None:
            longer = len(next(iter(answers))) + 4
            if longer > bearer.mtu:
                break
            answers = {
                so_far + u16(each.handle) + u16(end)
                for so_far in answers
                for end in endings(world, each)
            }
    if answers == {b"\x07"}:
        return not_found(pdu)
    return [(answer, None) for answer in answers]


def read_by_type(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.4.1: the first decides what it is; the list ends before what may not be read."""
    bad = in_range(pdu)
    if bad:
        return bad
    client = world.clients[bearer.client]
    found = world.database.of_type(pdu[5:], number(pdu), number(pdu, 3))
    if not found:
        return not_found(pdu)
    code = reading(client, found[0])
    if code is not None:
        return one(error(pdu, found[0].handle, code))
    room = min(bearer.mtu - 4, 253)
    length, records = len(world.value(client, found[0])), b""
    for each in found:
        value = world.value(client, each)
        if reading(client, each) is not None or len(value) != length:
            break
        if 2 + len(records) + 2 + len(value[:room]) > bearer.mtu:
            break
        records += u16(each.handle) + value[:room]
    return one(bytes((0x09, 2 + min(length, room))) + records)


def read_by_group_type(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.4.9."""
    bad = in_range(pdu)
    unsupported = one(error(pdu, number(pdu), UNSUPPORTED_GROUP_TYPE))
    if shortest(pdu[5:]) not in GROUPS:
        return [*unsupported, *bad] if bad else unsupported
    if bad:
        return bad
    found = world.database.of_type(pdu[5:], number(pdu), number(pdu, 3))
    if not found:
        return not_found(pdu)
    answers = []
    for last in (False, True):
        records = alike(
            (u16(each.handle) + u16([*endings(world, each)][-last]) + each.value for each in found),
            bearer.mtu - 2,
        )
        answers.append(bytes((0x11, 4 + len(found[0].value))) + records)
    return [(answer, None) for answer in dict.fromkeys(answers)]


# Reading


def reading(client: Client, attribute: Attribute) -> int | None:
    """The code that a read is refused with, None where it is not."""
    return READ_NOT_PERMITTED if attribute.read is None else refused(attribute.read, client.link)


def readable(world: World, client: Client, pdu: bytes, at: int = 1) -> bytes | Outcomes:
    """The value at the handle in a PDU, or the refusal."""
    handle = number(pdu, at)
    attribute = world.database.by_handle.get(handle)
    if attribute is None:
        return one(error(pdu, handle, INVALID_HANDLE))
    code = reading(client, attribute)
    return world.value(client, attribute) if code is None else one(error(pdu, handle, code))


def read(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.4.3."""
    value = readable(world, world.clients[bearer.client], pdu)
    return one(b"\x0b" + value[: bearer.mtu - 1]) if isinstance(value, bytes) else value


def read_blob(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.4.5: a value that fits into a Read Response may be refused as Not Long."""
    value = readable(world, world.clients[bearer.client], pdu)
    if not isinstance(value, bytes):
        return value
    offset = number(pdu, 3)
    answer = b"\x0d" + value[offset : offset + bearer.mtu - 1]
    if offset > len(value):
        answer = error(pdu, number(pdu), INVALID_OFFSET)
    if len(value) < bearer.mtu:
        return ((answer, None), (error(pdu, number(pdu), NOT_LONG), None))
    return one(answer)


def read_multiple(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.4.7 and 3.4.4.11: the first that may not be read refuses all.

    Whether a set may name a handle twice is not said. Where lengths are told, a value may be
    cut at the end of the PDU, and a length not.
    """
    variable = pdu[0] == 0x20
    handles = [number(pdu, at) for at in range(1, len(pdu), 2)]
    none_such = one(error(pdu, 0, INVALID_PDU)) if len({*handles}) < len(handles) else ()
    room, answer = bearer.mtu, bytes((pdu[0] + 1,))
    for at in range(1, len(pdu), 2):
        value = readable(world, world.clients[bearer.client], pdu, at)
        if not isinstance(value, bytes):
            return [*none_such, *value]
        if variable and len(answer) + 2 > room:
            room = min(room, len(answer))
        answer += u16(len(value)) + value if variable else value
    return [*none_such, (answer[:room], None)]


# Writing


def writing(client: Client, attribute: Attribute, by: str) -> int | None:
    """The code that a write is refused with, None where it is not."""
    if by not in attribute.writes:
        return WRITE_NOT_PERMITTED
    return refused(attribute.write, client.link)


def kept(attribute: Attribute, before: bytes, value: bytes) -> list[tuple[int, bytes]]:
    """What may become of a value that is written: (0, what is kept) or (error code, nothing).

    A shorter value for one of fixed length leaves the rest as it is (3.4.5.1), or is of no
    valid length for whoever defined it. Bits that mean nothing are ignored (Vol 1, Part E,
    2.8), those of a CCCD that its characteristic does not offer cannot be set (Part G,
    3.3.3.3), and a client feature cannot be cleared (Part G, 7.2).
    """
    if len(value) > attribute.most:
        return [(INVALID_LENGTH, b"")]
    if len(value) < attribute.least:
        refusal = (INVALID_LENGTH, b"")
        if attribute.least < attribute.most:
            return [refusal]
        return [refusal, *kept(attribute, before, value + before[len(value) :])]
    if attribute.type == CCCD:
        bits = value[0] & 0x03
        if bits & ~attribute.offered:
            return [(code, b"") for code in VALUE_REFUSED]
        return [(0, bytes((bits, 0)))]
    if attribute.type == FEATURES:
        if before[0] & ~value[0] & FEATURE_BITS:
            return [(code, b"") for code in VALUE_REFUSED]
        return [(0, bytes((value[0] & FEATURE_BITS,)))]
    return [(0, value)]


def written(
    world: World, client: int, attribute: Attribute, value: bytes
) -> list[tuple[int, Outcome]]:
    """(error code or 0, silent outcome) for a value that may be written."""

    before = world.value(world.clients[client], attribute)
    return [
        (code, (None, change))
        for code, result in kept(attribute, before, value)
        for change in ((None,) if code else stored(world, client, {attribute: result}))
    ]


def stored(world: World, client: int, values: dict[Attribute, bytes]) -> list[Change]:
    """What storing may do: what waits to be indicated may be dropped with the subscription."""
    ended = [
        each.of for each, value in values.items() if each.type == CCCD and not value[0] & INDICATE
    ]

    def store(drop: bool, world: World) -> None:
        mine = world.clients[client]
        for attribute, value in values.items():
            world.store(mine, attribute, value)
        if drop:
            mine.indications = [each for each in mine.indications if each[0] not in ended]

    waiting = any(handle in ended for handle, _ in world.clients[client].indications)
    return [partial(store, drop) for drop in ((False, True) if waiting else (False,))]


def write(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.5.1. What takes reliable writes only may be refused here (Part G, 3.3.3.1)."""
    handle = number(pdu)
    attribute = world.database.by_handle.get(handle)
    if attribute is None:
        return one(error(pdu, handle, INVALID_HANDLE))
    by = "request" if "request" in attribute.writes else "prepare"
    code = writing(world.clients[bearer.client], attribute, by)
    if code is not None:
        return one(error(pdu, handle, code))
    outcomes: list[Outcome] = [
        (error(pdu, handle, code) if code else b"\x13", change)
        for code, (_, change) in written(world, bearer.client, attribute, pdu[3:])
    ]
    if by == "prepare":
        outcomes.append((error(pdu, handle, WRITE_NOT_PERMITTED), None))
    return outcomes


IGNORED: Outcomes = ((None, None),)


def command(world: World, bearer: Bearer, pdu: bytes, by: str, value: bytes) -> Outcomes:
    """3.4.5.3: written, or ignored without a word."""
    attribute = world.database.by_handle.get(number(pdu))
    if attribute is None or writing(world.clients[bearer.client], attribute, by) is not None:
        return IGNORED
    return [outcome for _, outcome in written(world, bearer.client, attribute, value)]


def write_command(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.5.3. A descriptor is not written by commands (Part G, 4.12)."""
    return command(world, bearer, pdu, "command", pdu[3:])


def signed_write(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.5.4: genuine, newer than the last, and on a plain link; may be ignored on others.

    Whether the counter of one that cannot be written counts is not said.
    """
    client = world.clients[bearer.client]
    counter = int.from_bytes(pdu[-12:-8], "little")
    if bearer.enhanced or client.csrk is None or counter <= client.counter:
        return IGNORED
    if aes_cmac(pdu[:-8][::-1], client.csrk[::-1])[:8][::-1] != pdu[-8:]:
        return IGNORED

    def count(then: Outcome, world: World) -> None:
        world.clients[bearer.client].counter = counter
        if then[1] is not None:
            then[1](world)

    meant = [*command(world, bearer, pdu, "signed", pdu[3:-12])]
    outcomes: list[Outcome] = [(None, partial(count, outcome)) for outcome in meant]
    writes = any(change for _, change in meant)
    return outcomes if client.link == "bonded" and writes else [*outcomes, (None, None)]


def prepare_write(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.6.1: offset and length are looked at when the queue is executed."""
    handle, client = number(pdu), world.clients[bearer.client]
    attribute = world.database.by_handle.get(handle)
    if attribute is None:
        return one(error(pdu, handle, INVALID_HANDLE))
    code = writing(client, attribute, "prepare")
    if code is None and len(client.queue) >= QUEUE_LIMIT:
        code = QUEUE_FULL
    if code is not None:
        return one(error(pdu, handle, code))
    part = (attribute, number(pdu, 3), pdu[5:])
    return ((b"\x17" + pdu[1:], lambda world: world.clients[bearer.client].queue.append(part)),)


def execute_write(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.6.3: all or nothing, and the queue is empty afterwards.

    A flag that is reserved is no PDU of this version; what becomes of the queue is not said.
    """
    number_of = bearer.client

    def clear(world: World) -> None:
        world.clients[number_of].queue.clear()

    if pdu[1] > 1:
        return ((error(pdu, 0, INVALID_PDU), None), (error(pdu, 0, INVALID_PDU), clear))
    if pdu[1] == 0:
        return ((b"\x19", clear),)
    refusals, results = executed(world, number_of)

    def then(change: Change, world: World) -> None:
        clear(world)
        change(world)

    return [(error(pdu, handle, code), clear) for handle, code in refusals] + [
        (b"\x19", partial(then, change))
        for values in results
        for change in stored(world, number_of, values)
    ]


def executed(
    world: World, client: int
) -> tuple[list[tuple[int, int]], list[dict[Attribute, bytes]]]:
    """The refusals (handle, code) and the results that a queue may have.

    Parts are written in the order they came, each against what those before it have made. A
    value of variable length ends with what was written, or keeps what lay behind: 3.4.6 does
    not say.
    """
    images: dict[Attribute, bytes] = {}
    ends: dict[Attribute, int] = {}
    mine = world.clients[client]
    for attribute, offset, octets in mine.queue:
        handle = attribute.handle
        if world.database.by_handle.get(handle) is not attribute:
            return [(handle, INVALID_HANDLE), (handle, OUT_OF_SYNC)], []
        image = images.get(attribute, world.value(mine, attribute))
        end = offset + len(octets)
        wrong = [INVALID_OFFSET] if offset > len(image) else []
        if end > attribute.most:
            wrong.append(INVALID_LENGTH)
        if wrong:
            return [(handle, code) for code in wrong], []
        images[attribute] = image[:offset] + octets + image[end:]
        ends[attribute] = max(end, ends.get(attribute, 0))
    refusals: dict[tuple[int, int], None] = {}
    results = []
    for cut in (True, False):
        values = {}
        for attribute, image in images.items():
            fixed = attribute.least == attribute.most
            value = image[: ends[attribute]] if cut and not fixed else image
            outcomes = kept(attribute, world.value(mine, attribute), value)
            bad = [code for code, _ in outcomes if code]
            refusals.update(dict.fromkeys((attribute.handle, code) for code in bad))
            if bad:
                break
            values[attribute] = outcomes[0][1]
        else:
            if values not in results:
                results.append(values)
    return list(refusals), results


def confirmation(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """3.4.7.3."""
    index = world.bearers.index(bearer)
    return ((None, lambda world: world.confirmed(world.bearers[index])),)


RULES: dict[int, Rule] = {
    0x02: exchange_mtu,
    0x04: find_information,
    0x06: find_by_type_value,
    0x08: read_by_type,
    0x0A: read,
    0x0C: read_blob,
    0x0E: read_multiple,
    0x10: read_by_group_type,
    0x12: write,
    0x16: prepare_write,
    0x18: execute_write,
    0x1E: confirmation,
    0x20: read_multiple,
    0x52: write_command,
    0xD2: signed_write,
}
