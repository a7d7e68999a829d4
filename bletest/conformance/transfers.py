"""A firmware-update target: the client's half of a transfer, from the same profile."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from bletest.behaviour.control_point import CCCD_IMPROPERLY_CONFIGURED, PROCEDURE_IN_PROGRESS
from bletest.behaviour.transfer import Kind, OpCode, Result, checksum, chunks, response
from bletest.conformance.modes import judge_database
from bletest.conformance.moving import Traveller, in_mode, same_address, way
from bletest.conformance.registry import Changes, Flaw, Phase, check
from bletest.conformance.security import secured
from bletest.conformance.service_changed import covers, service_changed_of, told_of_changes
from bletest.conformance.steps import characteristic_of, not_accepted, not_refused, octets
from bletest.conformance.subjects import TransferOf
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client, Subscription
from bletest.contracts.windows import Deadline
from bletest.errors import TooFewNotifications
from bletest.profile.expectation import DeviceExpectation
from bletest.profile.procedures import TransferExpectation
from bletest.profile.rules import NORMAL

_CLAUSE = "the profile's transfer"
_OVERHEAD = 3
"""Octets of a Write Command beside the value (Vol 3, Part F, 3.4.5.3)."""


def _transfers(device: DeviceExpectation) -> list[TransferOf]:
    found = []
    for mode in (NORMAL, *device.modes):
        here = in_mode(device, mode)
        for one in here.characteristics():
            procedure = one.procedure
            if not isinstance(procedure, TransferExpectation) or procedure.data != one.path:
                continue
            control = here.characteristic(procedure.control)
            if control is not None and way(device, NORMAL, mode) is not None:
                found.append(TransferOf(device, mode, one, control, procedure))
    return found


def _where(
    wanted: Callable[[TransferOf], bool],
) -> Callable[[DeviceExpectation], list[TransferOf]]:
    return lambda device: [one for one in _transfers(device) if wanted(one)]


def _tells(subject: TransferOf) -> bool:
    """Whether bonded clients are to be told of another database once the image is there."""
    device, reboot = subject.device, subject.procedure.then.reboot
    if reboot is None or not (device.service_changed and device.bonding):
        return False
    after = in_mode(device, reboot.enter)
    return same_address(device, reboot.enter) and after.services != device.services


class _Uploader:
    """A client that sends an image; what the device does wrong is in ``flaws``."""

    def __init__(self, client: Client, subject: TransferOf, traveller: Traveller) -> None:
        self.client = client
        self.subject = subject
        self.traveller = traveller
        self.procedure = subject.procedure
        self.control: Subscription | None = None
        self._packets = 0

    @property
    def flaws(self) -> list[Flaw]:
        """What is wrong, on the way too; nothing more is done once there is something."""
        return self.traveller.flaws

    @flaws.setter
    def flaws(self, found: list[Flaw]) -> None:
        self.traveller.flaws = found

    async def listen(self, stack: AsyncExitStack) -> None:
        """Subscribe to the control point."""
        client, subject = self.client, self.subject
        if self.flaws:
            return
        control, data = subject.control, subject.characteristic
        for access in (control.write, control.subscribe, data.write):
            await secured(client, access)
        subscription = client.subscribe(characteristic_of(client, control))
        self.control = await stack.enter_async_context(subscription)

    async def follow(self) -> None:
        """Go where the device is once the image is complete."""
        reboot = self.procedure.then.reboot
        if reboot is not None and not self.flaws:
            await self.traveller.meet(reboot)

    # Requests

    async def ask(self, value: bytes, what: str, result: Result = Result.SUCCESS) -> bytes | None:
        """Write a request and return the operands of its response; None where there is a flaw."""
        if self.flaws:
            return None
        target = characteristic_of(self.client, self.subject.control)
        outcome = await self.client.attempt.write(target, value)
        self.flaws += not_accepted(outcome, f"{what} is answered by {self.subject.control.path}")
        return await self.answer(response(value[0], result), what)

    async def answer(self, beginning: bytes, what: str) -> bytes | None:
        """Wait for what begins so, and return the rest; None where there is a flaw."""
        if self.flaws or self.control is None:
            return None
        within = self.procedure.within
        deadline = Deadline.after(within, now=self.client.now(), timing=self.client.timing)
        try:
            reading = await self.control.next(within=deadline.left(self.client.now()))
        except TooFewNotifications:
            expected = f"{what} is answered by {octets(beginning)} within {within:g} s"
            self.flaws.append(Flaw(expected, "nothing in time"))
            return None
        if not reading.raw.startswith(beginning):
            self.flaws.append(
                Flaw(f"{what} is answered by {octets(beginning)}", octets(reading.raw))
            )
            return None
        return reading.raw[len(beginning) :]

    async def select(self, kind: Kind, expected: bytes) -> None:
        """Ask how far a kind has come, and compare: its octets so far."""
        self._packets = 0
        seen = await self.ask(bytes([OpCode.SELECT, kind]), f"select of the {kind.name.lower()}")
        if seen is not None:
            self._compare(seen[4:], expected, "select")
            most = int.from_bytes(seen[:4], "little")
            if not self.flaws and kind is Kind.IMAGE and most != self.procedure.object_size:
                expected_size = f"objects of {self.procedure.object_size} octets"
                self.flaws.append(Flaw(expected_size, f"of {most}"))

    async def checksum(self, expected: bytes) -> None:
        """Ask for offset and CRC, and compare them with what was sent."""
        seen = await self.ask(bytes([OpCode.CHECKSUM]), "a request for the checksum")
        if seen is not None:
            self._compare(seen, expected, "the checksum")

    def _compare(self, seen: bytes, expected: bytes, what: str) -> None:
        crc = checksum(self.procedure.crc, expected)
        wanted = len(expected).to_bytes(4, "little") + crc
        if seen != wanted:
            self.flaws.append(
                Flaw(
                    f"{what} gives offset {len(expected)} and {self.procedure.crc} {crc.hex(' ')}",
                    f"{octets(seen)}",
                )
            )

    async def create(self, kind: Kind, size: int) -> None:
        """Begin an object."""
        self._packets = 0
        request = bytes([OpCode.CREATE, kind]) + size.to_bytes(4, "little")
        await self.ask(request, f"the creation of an object of {size} octets")

    async def execute(self, result: Result = Result.SUCCESS) -> None:
        """Have the device take an object."""
        await self.ask(bytes([OpCode.EXECUTE]), "the execution of an object", result)

    async def abort(self) -> None:
        """Have the device throw away what it has."""
        await self.ask(bytes([OpCode.ABORT]), "an abort")

    # Data

    @property
    def part(self) -> bytes:
        """The first object of the image."""
        return self.procedure.image[: self.procedure.object_size]

    @property
    def room(self) -> int:
        """Octets that fit a packet."""
        most = self.subject.characteristic.value.max_length
        fits = self.client.mtu - _OVERHEAD
        return fits if most is None else min(fits, most)

    async def send(self, content: bytes, before: bytes) -> None:
        """Send packets, and wait for the receipts on the way; ``before`` is what came before."""
        every = self.procedure.receipt_every
        sent = before
        for packet in chunks(content, self.room):
            if self.flaws:
                return
            await self.packet(packet)
            sent += packet
            self._packets += 1
            if every and not self._packets % every:
                receipt = response(OpCode.CHECKSUM, Result.SUCCESS)
                seen = await self.answer(receipt, f"packet {self._packets} of an object")
                if seen is not None:
                    self._compare(seen, sent, "the receipt")

    async def packet(self, content: bytes) -> None:
        """Send one packet."""
        if self.flaws:
            return
        target = characteristic_of(self.client, self.subject.characteristic)
        outcome = await self.client.attempt.write(target, content, response=False)
        self.flaws += not_accepted(outcome, "data is written without response")

    # Whole steps

    async def init(self) -> None:
        """Send the init packet, where there is one."""
        content = self.procedure.init
        if content is None:
            return
        await self.create(Kind.INIT, len(content))
        await self.send(content, b"")
        await self.checksum(content)
        await self.execute()

    async def image(self, content: bytes, last: Result = Result.SUCCESS) -> None:
        """Send an image in objects; ``last`` is what comes of the execution of the last."""
        await self.select(Kind.IMAGE, b"")
        size = self.procedure.object_size
        for at in range(0, len(content), size):
            part = content[at : at + size]
            await self.create(Kind.IMAGE, len(part))
            await self.send(part, content[:at])
            await self.checksum(content[: at + size])
            await self.execute(last if at + size >= len(content) else Result.SUCCESS)
            if self.flaws:
                return


@asynccontextmanager
async def _upload(
    client: Client, subject: TransferOf, traveller: Traveller | None = None
) -> AsyncIterator[_Uploader]:
    """Go where the transfer is, with nothing left of an earlier one, and lead the device back.

    Where the way there is flawed already, the uploader does nothing.
    """
    uploader = _Uploader(client, subject, traveller or Traveller(client, subject.device))
    await uploader.traveller.travel(way(subject.device, NORMAL, subject.mode))
    async with AsyncExitStack() as stack:
        if not uploader.flaws:
            await uploader.listen(stack)
            await uploader.abort()
        yield uploader
    if not uploader.flaws:
        await uploader.traveller.home()


@check(
    "transfer.whole",
    title="An image is taken in objects, and the device does what it says when it is complete",
    phase=Phase.RECONNECTION,
    subjects=_transfers,
    paragraph=_CLAUSE,
    changes=Changes.SUBJECT,
)
async def whole(client: Client, subject: TransferOf) -> AsyncIterator[Flaw]:
    """Receipts and checksums on the way, and the mode that follows."""
    async with _upload(client, subject) as uploader:
        await uploader.init()
        await uploader.image(subject.procedure.image)
        await uploader.follow()
        if not uploader.flaws and subject.procedure.then.reboot is not None:
            expected = uploader.traveller.expected
            uploader.flaws += [flaw async for flaw in judge_database(client, expected)]
    for flaw in uploader.flaws:
        yield flaw


@check(
    "transfer.service_changed",
    title="A bonded client is told that the new firmware has another database",
    phase=Phase.RECONNECTION,
    subjects=_where(_tells),
    paragraph="Vol 3, Part G, 7.1",
    needs=frozenset({Capability.PAIRING, Capability.RAW_ATT}),
    changes=Changes.SUBJECT,
)
async def service_changed(client: Client, subject: TransferOf) -> AsyncIterator[Flaw]:
    """Bond and enable Service Changed, update the device, come back and encrypt the link."""
    traveller = Traveller(client, subject.device)
    if not client.is_encrypted:
        await client.pair()
    outcome = await client.attempt.subscribe(service_changed_of(client))
    traveller.flaws += not_accepted(outcome, "a client can enable Service Changed")
    async with _upload(client, subject, traveller) as uploader:
        await uploader.init()
        await uploader.image(subject.procedure.image)
        await uploader.follow()
        if not uploader.flaws:
            await client.pair()
            told = await told_of_changes(client)
            uploader.flaws += covers(client, told, traveller.expected.services)
    for flaw in uploader.flaws:
        yield flaw


@check(
    "transfer.wrong_image",
    title="An image with one wrong bit is refused, and thrown away",
    phase=Phase.RECONNECTION,
    subjects=_transfers,
    paragraph=_CLAUSE,
    changes=Changes.SUBJECT,
)
async def wrong_image(client: Client, subject: TransferOf) -> AsyncIterator[Flaw]:
    """All offsets and checksums are right; that the image is not shows at its end."""
    image = subject.procedure.image
    async with _upload(client, subject) as uploader:
        await uploader.init()
        await uploader.image(image[:-1] + bytes([image[-1] ^ 0x01]), last=Result.INVALID_OBJECT)
        await uploader.select(Kind.IMAGE, b"")
    for flaw in uploader.flaws:
        yield flaw


@check(
    "transfer.abort",
    title="An abort throws away what has come",
    phase=Phase.RECONNECTION,
    subjects=_transfers,
    paragraph=_CLAUSE,
    changes=Changes.SUBJECT,
)
async def abort(client: Client, subject: TransferOf) -> AsyncIterator[Flaw]:
    """In the middle of an object; what follows has no object to go to."""
    async with _upload(client, subject) as uploader:
        await uploader.init()
        part = uploader.part
        await uploader.create(Kind.IMAGE, len(part))
        await uploader.send(part[: len(part) // 2], b"")
        await uploader.abort()
        await uploader.packet(part[:1])
        complaint = response(OpCode.PACKET, Result.NOT_PERMITTED)
        await uploader.answer(complaint, "a packet after an abort")
        await uploader.select(Kind.IMAGE, b"")
    for flaw in uploader.flaws:
        yield flaw


@check(
    "transfer.resume",
    title="A transfer goes on where a lost link has interrupted it",
    phase=Phase.RECONNECTION,
    subjects=_transfers,
    paragraph=_CLAUSE,
    changes=Changes.SUBJECT,
)
async def resume(client: Client, subject: TransferOf) -> AsyncIterator[Flaw]:
    """Half an object before, the other half after; offset and CRC say what was taken."""
    async with _upload(client, subject) as uploader:
        await uploader.init()
        part = uploader.part
        half = len(part) // 2
        await uploader.create(Kind.IMAGE, len(part))
        await uploader.send(part[:half], b"")
        await uploader.checksum(part[:half])
        if not uploader.flaws:
            await client.reconnect()
        async with AsyncExitStack() as stack:
            await uploader.listen(stack)
            await uploader.select(Kind.IMAGE, part[:half])
            await uploader.send(part[half:], part[:half])
            await uploader.checksum(part)
            if part != subject.procedure.image:
                await uploader.execute()
            await uploader.abort()
    for flaw in uploader.flaws:
        yield flaw


@check(
    "transfer.order",
    title="What comes out of order, or makes no sense, is answered with the right result",
    phase=Phase.RECONNECTION,
    subjects=_transfers,
    paragraph=_CLAUSE,
    changes=Changes.SUBJECT,
)
async def order(client: Client, subject: TransferOf) -> AsyncIterator[Flaw]:
    """Data and execution without an object, an image without its init packet, wrong operands."""
    procedure = subject.procedure
    create = bytes([OpCode.CREATE])
    image = create + bytes([Kind.IMAGE])
    too_much = (procedure.object_size + 1).to_bytes(4, "little")
    async with _upload(client, subject) as uploader:
        await uploader.packet(b"\x00")
        complaint = response(OpCode.PACKET, Result.NOT_PERMITTED)
        await uploader.answer(complaint, "a packet without an object")
        await uploader.execute(Result.NOT_PERMITTED)
        for value, result, what in (
            (b"\x7f", Result.OP_CODE_NOT_SUPPORTED, "an unknown op code"),
            (create + b"\x7f\x01\x00\x00\x00", Result.UNSUPPORTED_TYPE, "an unknown type"),
            (create + b"\x02", Result.INVALID_PARAMETER, "a creation without a size"),
            (image + bytes(4), Result.INVALID_PARAMETER, "an object of no octets"),
            (image + too_much, Result.INVALID_PARAMETER, "an object that is too large"),
        ):
            await uploader.ask(value, what, result)
        if procedure.init is not None:
            size = len(uploader.part).to_bytes(4, "little")
            await uploader.ask(image + size, "an image before its init", Result.NOT_PERMITTED)
    for flaw in uploader.flaws:
        yield flaw


@check(
    "transfer.too_long",
    title="A packet that goes beyond its object is not taken",
    phase=Phase.RECONNECTION,
    subjects=_transfers,
    paragraph=_CLAUSE,
    changes=Changes.SUBJECT,
)
async def too_long(client: Client, subject: TransferOf) -> AsyncIterator[Flaw]:
    """An object of one packet less one octet, and an object that is not full."""
    async with _upload(client, subject) as uploader:
        await uploader.init()
        part = uploader.part[: uploader.room]
        await uploader.create(Kind.IMAGE, len(part) - 1)
        await uploader.packet(part)
        complaint = response(OpCode.PACKET, Result.INVALID_PARAMETER)
        await uploader.answer(complaint, "a packet that is too long")
        await uploader.checksum(b"")
        await uploader.execute(Result.NOT_PERMITTED)
        await uploader.abort()
    for flaw in uploader.flaws:
        yield flaw


@check(
    "transfer.unconfigured",
    title="A control point that cannot answer refuses",
    phase=Phase.RECONNECTION,
    subjects=_transfers,
    paragraph=f"{_CLAUSE}; Supplement to the Core Specification, Part B, 1.2",
    changes=Changes.SUBJECT,
)
async def unconfigured(client: Client, subject: TransferOf) -> AsyncIterator[Flaw]:
    """Client Characteristic Configuration Descriptor Improperly Configured (0xFD)."""
    traveller = Traveller(client, subject.device)
    await traveller.travel(way(subject.device, NORMAL, subject.mode))
    if not traveller.flaws:
        for access in (subject.control.write, subject.control.subscribe):
            await secured(client, access)
        target = characteristic_of(client, subject.control)
        await client.attempt.unsubscribe(target)
        outcome = await client.attempt.write(target, bytes([OpCode.SELECT, Kind.IMAGE]))
        because = "nobody has subscribed to its answers"
        traveller.flaws += not_refused(outcome, (CCCD_IMPROPERLY_CONFIGURED,), because)
    if not traveller.flaws:
        await traveller.home()
    for flaw in traveller.flaws:
        yield flaw


@check(
    "transfer.busy",
    title="A request is refused while an object is still being created",
    phase=Phase.RECONNECTION,
    subjects=_where(lambda one: one.procedure.slow),
    paragraph=f"{_CLAUSE}; Supplement to the Core Specification, Part B, 1.2",
    changes=Changes.SUBJECT,
)
async def busy(client: Client, subject: TransferOf) -> AsyncIterator[Flaw]:
    """Procedure Already In Progress (0xFE); not judged where the creation was quicker."""
    async with _upload(client, subject) as uploader:
        await uploader.init()
        if uploader.control is not None and not uploader.flaws:
            target = characteristic_of(client, subject.control)
            size = len(uploader.part).to_bytes(4, "little")
            request = bytes([OpCode.CREATE, Kind.IMAGE]) + size
            before = len(uploader.control.received)
            first = await client.attempt.write(target, request)
            uploader.flaws += not_accepted(first, "an object can be created")
            outcome = await client.attempt.write(target, bytes([OpCode.CHECKSUM]))
            if len(uploader.control.received) == before:
                because = "the creation has not been answered yet"
                uploader.flaws += not_refused(outcome, (PROCEDURE_IN_PROGRESS,), because)
            created = response(OpCode.CREATE, Result.SUCCESS)
            await uploader.answer(created, "the creation of an object")
    for flaw in uploader.flaws:
        yield flaw
