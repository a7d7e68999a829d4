"""What clients send: random sequences, well formed and not, each from an integer.

A sequence is a few plots (discover, read, write long, subscribe …) that know the database, then
mutations of what came of them: cut, extended, bits flipped, doubled, swapped, other opcodes.
In the end what was written is read, so that silence does not hide what became of it.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

from tests.model.database import (
    BASE,
    CCCD,
    CHARACTERISTIC,
    FEATURES,
    HASH,
    INCLUDE,
    PRIMARY,
    SECONDARY,
    SERVICE_CHANGED,
    Attribute,
    Description,
    u16,
)
from tests.model.table import OPCODES, QUEUE_LIMIT, Kind

LENGTHS = (0, 1, 2, 3, 4, 5, 9, 16, 17, 18, 19, 20, 21, 22, 23, 24, 30, 60, 61, 62, 64, 100, 243)
LONG_LENGTHS = (*LENGTHS, 244, 245, 246, 247, 250, 300, 400, 401, 510, 512, 513, 514, 515, 600)
MTUS = (0, 22, 23, 24, 27, 50, 64, 100, 185, 246, 247, 248, 512, 517, 518, 0xFFFF)
REQUESTS = [opcode for opcode, row in OPCODES.items() if row.kind is Kind.REQUEST]
NOWHERE = (0, 0xFFFF, 0xFFFE, 0x8000, 0x0100)


class Step(NamedTuple):
    """One thing that happens.

    ``send`` a PDU and wait for its answer, ``hurry`` and not wait, ``sign`` and send (the
    SignCounter lies ``number`` ahead; ``name`` "forged" spoils the signature), ``set`` the value of
    a characteristic at the device, send such a value of several ``together`` (``name`` holds their
    names), ``change`` the database, ``reconnect`` client ``number``, let
    ``number`` seconds ``pass``.
    """

    do: str
    bearer: int = 0
    pdu: bytes = b""
    name: str = ""
    number: int = 0

    def __str__(self) -> str:
        where = f"bearer {self.bearer}: " if self.do in ("send", "hurry", "sign") else ""
        parts = [self.do, self.name, str(self.number or ""), self.pdu.hex(" ")]
        return where + " ".join(part for part in parts if part)


class Sequences:
    """Makes sequences for a device that clients reach on so many bearers.

    ``enhanced`` are the bearers that are; ``changing`` says that the database may change, and
    clients come and go.
    """

    def __init__(
        self,
        device: Description,
        bearers: int,
        *,
        enhanced: frozenset[int] = frozenset(),
        signing: bool = False,
        changing: str = "",
    ) -> None:
        database = device.database
        self.bearers, self.enhanced = bearers, enhanced
        self.attributes = database.attributes
        self.handles = database.handles
        self.values = [one for one in self.attributes if one.name or one.writes]
        self.writable = [one for one in self.attributes if one.writes]
        self.by_request = [one for one in self.writable if "prepare" in one.writes]
        self.by_command = [one for one in self.writable if "command" in one.writes]
        self.signed = [one for one in self.writable if "signed" in one.writes]
        self.long = sorted(self.values, key=lambda one: len(one.value))[-3:]
        self.cccds = [one for one in self.attributes if one.type == CCCD]
        self.told = [
            (cccd, database.by_handle[cccd.of])
            for cccd in self.cccds
            if database.by_handle[cccd.of].name
        ]
        self.features = [one for one in self.attributes if one.type == FEATURES]
        types = {one.type for one in self.attributes}
        self.types = [
            *sorted(types),
            PRIMARY,
            SECONDARY,
            INCLUDE,
            CHARACTERISTIC,
            HASH,
            b"\x34\x12",
        ]
        self.types += [bytes(16)]
        notifying = [value.name for cccd, value in self.told if cccd.offered == 1]
        self.together = notifying[:2]
        self.slow = [one for one in self.attributes if one.slow]
        big = max(one.most for one in self.writable) > 100
        self.lengths = LONG_LENGTHS if big else LENGTHS
        self.plots: list[Callable[[], None]] = [
            *(self.discover,) * 5,
            *(self.read,) * 4,
            *(self.write,) * 5,
            *(self.write_long,) * 3,
            *(self.subscribe,) * 2,
            self.read_several,
            self.read_several,
            self.exchange_mtu,
            self.confirm,
            self.anything,
        ]
        if self.features:
            self.plots += [self.claim_features]
        if signing:
            self.plots += [self.sign, self.sign]
        if self.slow:
            self.plots += [self.crowd] * 5
        if changing:
            told_by = database.by_type[SERVICE_CHANGED][0].handle
            self.service_changed = database.cccds[told_by]
            # Enhanced bearers would have to be opened again.
            leaving = [self.change] if enhanced else [self.change, self.reconnect]
            self.plots += leaving * 3 + [self.cache] * 20

    def make(self, seed: int, rng: random.Random) -> list[Step]:
        """Make the sequence of that number."""
        self.rng, self.steps, self.touched = rng, [], []
        if not seed % 101:
            self.flood()
        for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
            rng.choice(self.plots)()
        if rng.random() < 0.45:
            for _ in range(rng.choice((1, 1, 2, 3))):
                self.mutate()
        if rng.random() < 0.08:
            self.hurry()
        if self.touched:
            bearer = rng.randrange(self.bearers)
            if rng.random() < 0.2:
                self.send(b"\x18\x01")
            for handle in list(dict.fromkeys(self.touched))[-3:]:
                self.steps.append(Step("send", bearer, b"\x0a" + u16(handle)))
        return [self.fitting(step) for step in self.steps]

    # Parts

    def send(self, pdu: bytes) -> None:
        """Send on any bearer."""
        bearer = self.rng.randrange(self.bearers) if self.bearers > 1 else 0
        self.steps.append(Step("send", bearer, pdu))

    def handle(self, among: list[Attribute] | None = None) -> int:
        """A handle that means something, or sometimes none."""
        rng = self.rng
        if rng.random() < 0.06:
            return rng.choice((*NOWHERE, self.handles[-1] + 1, rng.randrange(0x10000)))
        return rng.choice(among or self.attributes).handle

    def span(self) -> bytes:
        """A range of handles."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.35:
            return b"\x01\x00\xff\xff"
        start, end = self.handle(), self.handle()
        if kind < 0.6:
            end = 0xFFFF
        elif kind < 0.95 and start > end:
            start, end = end, start
        return u16(start) + u16(end)

    def octets(self, attribute: Attribute | None = None) -> bytes:
        """A value, of a length that is right for an attribute or near it."""
        rng = self.rng
        if attribute is not None and attribute.type == CCCD and rng.random() < 0.8:
            return rng.choice((b"\x00\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\xfd\xff"))
        length = rng.choice(self.lengths)
        if attribute is not None and rng.random() < 0.6:
            length = rng.randint(attribute.least, min(attribute.most, 30))
        elif attribute is not None and rng.random() < 0.4:
            length = max(0, attribute.most + rng.choice((-1, 0, 1)))
        return rng.randbytes(length)

    def offset(self, length: int) -> bytes:
        """An offset into a value of about that length."""
        rng = self.rng
        near = (0, 1, length - 1, length, length + 1, 22, 44, rng.randint(0, length))
        return u16(max(0, rng.choice(near)) if rng.random() < 0.95 else rng.randrange(0x10000))

    # Plots

    def discover(self) -> None:
        rng = self.rng
        kind = rng.randrange(5)
        if kind == 0:
            self.send(b"\x04" + self.span())
        elif kind == 1:
            one = rng.choice(self.attributes)
            value = one.value if rng.random() < 0.8 else self.octets()
            type_ = one.type if len(one.type) == 2 else rng.choice((PRIMARY, one.type[:2]))
            self.send(b"\x06" + self.span() + type_ + value)
        elif kind == 2:
            type_ = rng.choice((PRIMARY, PRIMARY, SECONDARY, rng.choice(self.types)))
            self.send(b"\x10" + self.span() + self.spelled(type_))
        else:
            self.send(b"\x08" + self.span() + self.spelled(rng.choice(self.types)))

    def spelled(self, uuid: bytes) -> bytes:
        """A short UUID is sometimes written as a long one."""
        long = len(uuid) == 2 and self.rng.random() < 0.1
        return BASE + uuid + bytes(2) if long else uuid

    def read(self) -> None:
        rng = self.rng
        one = rng.choice(self.attributes if rng.random() < 0.3 else self.values)
        if rng.random() < 0.5:
            self.send(b"\x0a" + u16(self.handle([one])))
        else:
            for _ in range(rng.choice((1, 1, 2, 3))):
                self.send(b"\x0c" + u16(self.handle([one])) + self.offset(len(one.value)))

    def read_several(self) -> None:
        rng = self.rng
        among = None if rng.random() < 0.2 else self.values
        handles = [self.handle(among) for _ in range(rng.choice((2, 2, 2, 3, 4, 8, 1)))]
        self.send(rng.choice((b"\x0e", b"\x20")) + b"".join(u16(one) for one in handles))

    def write(self) -> None:
        rng = self.rng
        kind = rng.random()
        if kind < 0.55:
            opcode, among = b"\x12", self.by_request
        else:
            opcode, among = b"\x52", self.by_command if rng.random() < 0.6 else self.writable
        one = rng.choice(among if rng.random() < 0.85 else self.attributes)
        self.touched.append(one.handle)
        self.send(opcode + u16(self.handle([one])) + self.octets(one))

    def write_long(self) -> None:
        rng = self.rng
        some = [rng.choice(self.by_request) for _ in range(rng.choice((1, 1, 2)))]
        if rng.random() < 0.1:
            some.append(rng.choice(self.attributes))
        ends: dict[int, int] = {}
        for _ in range(rng.choice((1, 2, 3, 5))):
            one = rng.choice(some)
            part = rng.randbytes(rng.choice((0, 1, 2, 2, 5, 10, 18, 18)))
            offset = u16(ends.get(one.handle, 0))
            if rng.random() < 0.3:
                offset = self.offset(len(one.value))
            ends[one.handle] = (offset[0] | offset[1] << 8) + len(part) & 0xFFFF
            self.touched.append(one.handle)
            self.send(b"\x16" + u16(self.handle([one])) + offset + part)
        if rng.random() < 0.85:
            self.send(b"\x18" + rng.choice((b"\x01", b"\x01", b"\x01", b"\x01", b"\x00", b"\x02")))

    def flood(self) -> None:
        one = self.rng.choice([one for one in self.by_request if one.write == "open"])
        bearer = self.rng.randrange(self.bearers)
        for number in range(QUEUE_LIMIT + 2):
            pdu = b"\x16" + u16(one.handle) + u16(number % 4) + b"x"
            self.steps.append(Step("send", bearer, pdu))
        self.steps.append(Step("send", bearer, self.rng.choice((b"\x18\x01", b"\x18\x00"))))
        self.steps.append(Step("send", bearer, b"\x16" + u16(one.handle) + u16(0) + b"y"))
        self.touched.append(one.handle)

    def subscribe(self) -> None:
        rng = self.rng
        cccd, value = rng.choice(self.told)
        bearer = rng.randrange(self.bearers)
        if rng.random() < 0.8:
            bits = bytes((cccd.offered, 0)) if rng.random() < 0.8 else self.octets(cccd)
            self.steps.append(Step("send", bearer, b"\x12" + u16(cccd.handle) + bits))
            self.touched.append(cccd.handle)
        for _ in range(rng.choice((1, 1, 2, 3))):
            length = min(value.most, rng.choice(self.lengths))
            self.steps.append(Step("set", name=value.name, pdu=rng.randbytes(length)))
            if cccd.offered == 2 and rng.random() < 0.7:
                self.steps.append(Step("send", bearer, b"\x1e"))
        if cccd.offered == 2 and rng.random() < 0.15:
            self.steps.append(Step("pass", number=31))
            self.steps.append(Step("set", name=value.name, pdu=b"\x00"))
        if cccd.offered == 1 and len(self.together) > 1 and rng.random() < 0.3:
            self.tell_together(bearer)

    def tell_together(self, bearer: int) -> None:
        """Values of several characteristics, to one who takes them in one notification."""
        rng = self.rng
        if self.features and rng.random() < 0.7:
            bits = rng.choice((b"\x04", b"\x06"))
            self.steps.append(Step("send", bearer, b"\x12" + u16(self.features[0].handle) + bits))
        for cccd, value in self.told:
            if value.name in self.together and rng.random() < 0.8:
                self.steps.append(Step("send", bearer, b"\x12" + u16(cccd.handle) + b"\x01\x00"))
        octets = rng.randbytes(rng.choice((0, 1, 5, 6, 7, 8, 20)))
        self.steps.append(Step("together", name=" ".join(self.together), pdu=octets))

    def crowd(self) -> None:
        """More while a slow value is being read or written."""
        rng = self.rng
        bearer = rng.randrange(self.bearers)
        handle = u16(self.slow[0].handle)
        first = rng.choice(
            (
                b"\x0a" + handle,
                b"\x0c" + handle + b"\x01\x00",
                b"\x12" + handle + b"new",
                b"\x0e" + handle + handle[:1] + b"\x01",
                b"\x18\x01",
            )
        )
        if first[0] == 0x18:
            part = b"\x16" + handle + b"\x00\x00" + rng.randbytes(3)
            self.steps.append(Step("send", bearer, part))
        at = len(self.steps)
        self.steps.append(Step("hurry", bearer, first))
        for _ in range(rng.choice((1, 1, 2))):
            rng.choice((self.read, self.write, self.anything, self.confirm))()
        for number in range(at, min(at + 3, len(self.steps))):
            self.steps[number] = self.steps[number]._replace(do="hurry", bearer=bearer)

    def exchange_mtu(self) -> None:
        """Once or twice, and something long afterwards."""
        rng = self.rng
        bearer = rng.randrange(self.bearers)
        asked = [b"\x02" + u16(rng.choice(MTUS)) for _ in range(rng.choice((1, 1, 2)))]
        for pdu in (*asked, b"\x0a" + u16(rng.choice(self.long).handle))[: rng.choice((1, 3, 3))]:
            self.steps.append(Step("send", bearer, pdu))

    def confirm(self) -> None:
        self.send(b"\x1e")

    def claim_features(self) -> None:
        rng = self.rng
        bits = rng.choice((b"\x00", b"\x01", b"\x02", b"\x04", b"\x07", b"\xff", b"\x01\x00", b""))
        self.touched.append(self.features[0].handle)
        self.send(b"\x12" + u16(self.features[0].handle) + bits)

    def anything(self) -> None:
        rng = self.rng
        kind = rng.random()
        opcode = rng.randrange(256) if kind < 0.7 else rng.choice(REQUESTS)
        tail = u16(self.handle()) if kind < 0.5 else b""
        self.send(bytes((opcode,)) + tail + rng.randbytes(rng.choice((0, 0, 1, 2, 3, 4, 12, 20))))

    def sign(self) -> None:
        rng = self.rng
        one = rng.choice(self.signed if rng.random() < 0.7 else self.writable)
        self.touched.append(one.handle)
        for _ in range(rng.choice((1, 1, 2))):
            pdu = b"\xd2" + u16(one.handle) + rng.randbytes(rng.choice((0, 1, 5, 8, 9)))
            forged = "forged" if rng.random() < 0.2 else ""
            bearer = rng.randrange(self.bearers)
            self.steps.append(Step("sign", bearer, pdu, forged, rng.choice((0, 1, 1, 2, 5))))

    def change(self) -> None:
        self.steps.append(Step("change"))

    def cache(self) -> None:
        """Take part in robust caching, and see what becomes of it."""
        rng = self.rng
        bearer = rng.randrange(self.bearers)

        def send(pdu: bytes) -> None:
            self.steps.append(Step("send", bearer, pdu))

        send(b"\x12" + u16(self.features[0].handle) + b"\x01")
        if rng.random() < 0.6:
            send(b"\x12" + u16(self.service_changed.handle) + b"\x02\x00")
        prepared = rng.random() < 0.2
        if prepared:
            one = rng.choice((rng.choice(self.by_request), self.by_request[-1]))
            send(b"\x16" + u16(one.handle) + u16(0) + rng.randbytes(2))
        self.change()
        if prepared and rng.random() < 0.7:
            send(b"\x18" + rng.choice((b"\x01", b"\x01", b"\x00")))
        if rng.random() < 0.4:
            send(b"\x1e")
        for _ in range(rng.choice((1, 2, 3))):
            rng.choice((self.read, self.write, self.discover, self.subscribe, self.change))()
            if rng.random() < 0.5:
                hash_ = self.spelled(HASH)
                spans = (b"\x01\x00\xff\xff", b"\x01\x00\xff\xff", self.span())
                send(rng.choice((b"\x1e", b"\x08" + rng.choice(spans) + hash_)))

    def reconnect(self) -> None:
        self.steps.append(Step("reconnect", number=self.rng.randrange(self.bearers)))

    # Mutations

    def mutate(self) -> None:
        """Change something."""
        rng, steps = self.rng, self.steps
        at = rng.randrange(len(steps))
        step = steps[at]
        kind = rng.randrange(9)
        if step.do not in ("send", "sign"):
            return
        pdu = step.pdu
        if kind == 0:
            pdu = pdu[: rng.randint(0, len(pdu))]
        elif kind == 1:
            pdu += rng.randbytes(rng.choice((1, 1, 2, 14, 30)))
        elif kind == 2 and pdu:
            pdu = bytes((pdu[0] ^ 1 << rng.randrange(8),)) + pdu[1:]
        elif kind == 3 and pdu:
            where = rng.randrange(len(pdu))
            flipped = pdu[where] ^ 1 << rng.randrange(8)
            pdu = pdu[:where] + bytes((flipped,)) + pdu[where + 1 :]
        elif kind == 4 and len(pdu) >= 3:
            pdu = pdu[:1] + u16(self.handle()) + pdu[3:]
        elif kind == 5 and len(pdu) >= 5:
            pdu = pdu[:3] + rng.choice((b"\x00\x00", b"\xff\xff", u16(self.handle()))) + pdu[5:]
        elif kind == 6:
            steps.insert(at, step)
        elif kind == 7:
            other = rng.randrange(len(steps))
            steps[at], steps[other] = steps[other], steps[at]
            return
        elif kind == 8 and pdu:
            pdu = bytes((rng.choice(REQUESTS),)) + pdu[1:]
        steps[at] = step._replace(pdu=pdu)

    def hurry(self) -> None:
        """Some are sent on one bearer without waiting for answers."""
        at = self.rng.randrange(len(self.steps))
        for number in range(at, min(at + 3, len(self.steps))):
            if self.steps[number].do != "send":
                return
            self.steps[number] = self.steps[number]._replace(
                do="hurry", bearer=self.steps[at].bearer
            )

    def fitting(self, step: Step) -> Step:
        """Leave out what a channel cannot carry: no SDU is empty, or longer than its MTU.

        And what nobody could judge: a confirmation that crosses an indication.
        """
        if step.do == "hurry" and step.pdu[:1] == b"\x1e":
            step = step._replace(do="send")
        if step.bearer not in self.enhanced or step.do not in ("send", "hurry"):
            return step
        return step._replace(pdu=step.pdu[:247] or b"\x0a")
