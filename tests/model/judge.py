"""Holds what a device did against what it may do.

The judge keeps every world that agrees with what was seen. Where the specification leaves a
choice there are several for a while; where none is left, the device is wrong.
"""

from collections.abc import Sequence
from functools import partial

from tests.model import rules, table
from tests.model.database import Database, shortest
from tests.model.rules import IGNORED, error, number
from tests.model.world import Bearer, Change, Client, Outcome, Outcomes, World

MOST_WORLDS = 200


class Wrong(Exception):
    """The device did what no server may do. ``expected`` is what it may have done."""

    def __init__(self, what: str, expected: Sequence[str], got: str) -> None:
        self.what, self.expected, self.got = what, list(dict.fromkeys(expected)), got
        super().__init__(f"{what}\nexpected: {' | '.join(self.expected)}\n     got: {got}")


def text(pdu: bytes | None) -> str:
    """A PDU for people."""
    return "silence" if pdu is None else pdu.hex(" ") or "(no octets)"


def outcomes(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    """Every outcome that is right for a PDU that comes now.

    Nothing more need be taken or sent on a bearer whose confirmation never came (3.3.3).
    """
    right = _outcomes(world, bearer, pdu)
    return [*right, (None, None)] if bearer.dead else right


def _outcomes(world: World, bearer: Bearer, pdu: bytes) -> Outcomes:
    if not pdu:
        return IGNORED
    row = table.OPCODES.get(pdu[0])
    if row is None:
        if pdu[0] & table.COMMAND_FLAG:
            return IGNORED
        unsupported = (error(pdu, 0, table.NOT_SUPPORTED), None)
        # Requests have even opcodes; whether an odd one is a request nobody can know.
        right: Outcomes = (unsupported, (None, None)) if pdu[0] & 1 else (unsupported,)
        return caching(world, bearer, pdu, right, malformed=True)
    if row.kind is table.Kind.FOR_A_CLIENT:
        return IGNORED
    if row.kind is table.Kind.INDICATION:
        return [(None, None), (b"\x1e", None)]
    malformed = not row.fits(len(pdu))
    if row.kind is not table.Kind.REQUEST:
        if malformed or len(pdu) > bearer.mtu:
            return IGNORED
        right = rules.RULES[pdu[0]](world, bearer, pdu)
        if row.kind is table.Kind.COMMAND:
            return caching(world, bearer, pdu, right, malformed=False)
        return right
    if malformed or len(pdu) > bearer.mtu:
        refusal: Outcome = (error(pdu, 0, table.INVALID_PDU), None)
        if bearer.enhanced and pdu[0] == 0x02:
            return (refusal, (error(pdu, 0, table.NOT_SUPPORTED), None))
        # What is longer than ATT_MTU may be lost on the way (3.2.8); its sender was told.
        right = (refusal, (None, None)) if len(pdu) > bearer.mtu else (refusal,)
        malformed = True
    else:
        right = rules.RULES[pdu[0]](world, bearer, pdu)
    return caching(world, bearer, pdu, right, malformed=malformed)


def caching(
    world: World, bearer: Bearer, pdu: bytes, right: Outcomes, *, malformed: bool
) -> Outcomes:
    """Part G, 2.5.2.1: a client that does not know the database as it is."""
    which = bearer.client
    client = world.clients[which]
    if client.aware:
        return right
    robust = world.features(client) & table.ROBUST
    if pdu[0] & table.COMMAND_FLAG:
        return IGNORED if robust else right
    if client.excused:
        known: list[Outcome] = [
            (answer, partial(_set, which, change, aware=True)) for answer, change in right
        ]
        return [*known, *right] if malformed else known
    reads_hash = _reads_hash(world, pdu)
    after: list[Outcome] = [
        (answer, partial(_set, which, change, excused=True))
        if reads_hash and answer and answer[0] != 0x01
        else (answer, change)
        for answer, change in right
    ]
    if not robust or client.told:
        return after
    return [*refusals(world, client, which, pdu, malformed), *_still(world, client, pdu, after)]


def refusals(
    world: World, client: Client, which: int, pdu: bytes, malformed: bool
) -> list[Outcome]:
    """Database Out Of Sync, where a request may be answered so."""
    opcode = pdu[0]
    handles = {0}
    if opcode == 0x18:
        if pdu[1:] != b"\x01" or not client.queue:
            return []
        handles |= {attribute.handle for attribute, _, _ in client.queue}
    elif opcode == 0x08:
        if malformed or shortest(pdu[5:]) in table.FREE_TYPES or pdu[1:5] == b"\x01\x00\xff\xff":
            return []
        handles.add(number(pdu))
    elif opcode in table.OPCODES and table.OPCODES[opcode].at_handle and len(pdu) >= 3:
        handles |= {number(pdu, at) for at in range(1, len(pdu) - 1, 2)}
    else:
        return []
    single = len(world.bearers_of(which)) == 1
    told = [
        partial(_set, which, None, told=True, excused=single),
        partial(_set, which, _cleared(which), told=True, excused=single),
    ]
    return [
        (error(pdu, handle, table.OUT_OF_SYNC), change)
        for handle in handles
        for change in (told if opcode == 0x18 else told[:1])
    ]


def _still(world: World, client: Client, pdu: bytes, right: list[Outcome]) -> list[Outcome]:
    """What may be answered all the same: what needs no handle, and what is wrong anyhow."""
    row = table.OPCODES.get(pdu[0])
    if (
        pdu[0] == 0x08
        and pdu[1:5] != b"\x01\x00\xff\xff"
        and shortest(pdu[5:]) not in table.FREE_TYPES
    ):
        free = shortest(pdu[5:]) == table.HASH
    else:
        free = row is None or not row.at_handle
    wrong = (table.INVALID_PDU, table.INVALID_HANDLE)
    return [
        (answer, change)
        for answer, change in right
        if free or answer is None or (answer[0] == 0x01 and answer[4] in wrong)
    ]


def _reads_hash(world: World, pdu: bytes) -> bool:
    if pdu[0] == 0x08:
        return shortest(pdu[5:]) == table.HASH
    if pdu[0] in (0x0A, 0x0C) and len(pdu) >= 3:
        attribute = world.database.by_handle.get(number(pdu))
        return attribute is not None and attribute.type == table.HASH
    return False


def _set(which: int, then: Change | None, world: World, **flags: bool) -> None:
    client = world.clients[which]
    for name, value in flags.items():
        setattr(client, name, value)
    if flags.get("aware"):
        client.told = client.excused = False
        client.stale.clear()
        client.telling.clear()
    if then is not None:
        then(world)


def _cleared(which: int) -> Change:
    return lambda world: world.clients[which].queue.clear()


class Judge:
    """Judges one sequence."""

    def __init__(self, world: World) -> None:
        self.worlds = [world]

    def answered(self, bearer: int, pdu: bytes, answer: bytes | None) -> None:
        """A PDU was sent on a bearer, and answered so."""
        found = [(world, outcomes(world, world.bearers[bearer], pdu)) for world in self.worlds]
        self.worlds = [
            after for world, right in found for after in self._after(world, right, answer)
        ]
        self._hold(text(pdu), [text(each) for _, right in found for each, _ in right], text(answer))

    def _after(self, world: World, right: Outcomes, answer: bytes | None) -> list[World]:
        changes = [change for each, change in right if each == answer]
        worlds = [world, *(world.copy() for _ in changes[1:])][: len(changes)]
        for after, change in zip(worlds, changes, strict=True):
            if change is not None:
                change(after)
        return worlds

    def burst(self, bearer: int, pdus: list[bytes], answers: list[bytes], slow: bool) -> None:
        """Several PDUs were sent without waiting; ``answers`` came on that bearer.

        The first request is answered. While it is, another may be answered after it, or be
        ignored (3.3.2). Where there are slow values, one PDU may be answered as of later.
        """
        every = range(len(pdus))
        first = next((at for at in every if is_request(pdus[at])), None)
        orders = [[*every]]
        if slow:
            orders += [[*every[:at], *every[at + 1 :], at] for at in every[:-1]]
        ends: list[World] = []
        for order in orders:
            states = [(world.copy(), 0) for world in self.worlds]
            for at in order:
                further = []
                for world, seen in states:
                    right = [*outcomes(world, world.bearers[bearer], pdus[at])]
                    if is_request(pdus[at]) and at != first:
                        right.append((None, None))
                    for each, change in right:
                        if each is None or (seen < len(answers) and each == answers[seen]):
                            after = world.copy()
                            if change is not None:
                                change(after)
                            further.append((after, seen + (each is not None)))
                states = further[:MOST_WORLDS]
            ends += [world for world, seen in states if seen == len(answers)]
        self.worlds = ends
        what = " + ".join(text(pdu) for pdu in pdus)
        got = " + ".join(map(text, answers)) or "silence"
        self._hold(what, ["an answer to the first at least, in order"], got)

    def arrived(self, bearer: int, pdu: bytes, now: float) -> None:
        """The device sent something by itself."""
        before = "; ".join(dict.fromkeys(world.owes() or "silence" for world in self.worlds))
        self.worlds = [world for world in self.worlds if world.arrives(bearer, pdu, now)]
        self._hold(f"unasked on bearer {bearer}", [before], text(pdu))

    def settled(self, now: float) -> None:
        """Whatever was to come has had time to."""
        missing = [world.owes() for world in self.worlds]
        self.worlds = [world for world, owed in zip(self.worlds, missing, strict=True) if not owed]
        self._hold("what the device sends by itself", missing, "silence")
        for world in self.worlds:
            world.passes(now)

    def change(self, change: Change) -> None:
        """Something happened at the device, or to a link."""
        for world in self.worlds:
            change(world)

    def database_changed(self, database: Database, start: int, end: int) -> None:
        """The database has changed.

        Whether one who takes no part in robust caching, and may do so later, has been aware in
        between, is not said.
        """
        self.change(lambda world: world.changes(database, start, end))
        for which in range(len(self.worlds[0].clients)):
            for world in tuple(self.worlds):
                if not world.features(world.clients[which]) & table.ROBUST:
                    also = world.copy()
                    also.clients[which].aware = True
                    self.worlds.append(also)

    def _hold(self, what: str, expected: Sequence[str], got: str) -> None:
        if not self.worlds:
            raise Wrong(what, expected, got)
        if len(self.worlds) > 4:
            self.worlds = list({repr(world): world for world in self.worlds}.values())
        assert len(self.worlds) <= MOST_WORLDS


def is_request(pdu: bytes) -> bool:
    """Whether a PDU may be answered, so that its sender has to wait."""
    if not pdu or pdu[0] & table.COMMAND_FLAG:
        return False
    row = table.OPCODES.get(pdu[0])
    return row is None or row.kind in (table.Kind.REQUEST, table.Kind.INDICATION)
