"""PDUs of the Attribute Protocol as the checks send and read them (Vol 3, Part F, 3.4).

Written apart from :mod:`bletest.att` on purpose: these also build what no client should send,
and the judge of a server should not share its reading of the specification with the engine that
it may have to judge.
"""

import struct
from collections.abc import Iterable, Iterator

from bletest.att.codes import error_text
from bletest.conformance.registry import Flaw
from bletest.conformance.steps import octets, patience, refusal
from bletest.contracts.client import Client
from bletest.uuids import PRIMARY_SERVICE, Uuid

ERROR = 0x01
MTU_REQUEST, MTU_RESPONSE = 0x02, 0x03
FIND_INFORMATION = 0x04
FIND_BY_TYPE_VALUE = 0x06
READ_BY_TYPE = 0x08
READ = 0x0A
READ_BLOB = 0x0C
READ_MULTIPLE = 0x0E
READ_BY_GROUP_TYPE = 0x10
WRITE, WRITE_RESPONSE = 0x12, 0x13
PREPARE_WRITE = 0x16
EXECUTE_WRITE, EXECUTE_RESPONSE = 0x18, 0x19
CONFIRMATION = 0x1E
READ_MULTIPLE_VARIABLE = 0x20
WRITE_COMMAND = 0x52
SIGNED_WRITE_COMMAND = 0xD2

QUIET = 1.0
"""Seconds in which a device that will not answer would have."""


def read(handle: int) -> bytes:
    """Return a Read Request."""
    return struct.pack("<BH", READ, handle)


def read_blob(handle: int, offset: int) -> bytes:
    """Return a Read Blob Request."""
    return struct.pack("<BHH", READ_BLOB, handle, offset)


def read_multiple(handles: Iterable[int], *, variable: bool = False) -> bytes:
    """Return a Read Multiple (Variable) Request."""
    opcode = READ_MULTIPLE_VARIABLE if variable else READ_MULTIPLE
    return bytes([opcode]) + b"".join(struct.pack("<H", handle) for handle in handles)


def read_by_type(start: int, end: int, uuid: Uuid) -> bytes:
    """Return a Read By Type Request."""
    return struct.pack("<BHH", READ_BY_TYPE, start, end) + uuid.to_bytes()


def read_by_group_type(start: int, end: int, uuid: Uuid = PRIMARY_SERVICE) -> bytes:
    """Return a Read By Group Type Request."""
    return struct.pack("<BHH", READ_BY_GROUP_TYPE, start, end) + uuid.to_bytes()


def find_information(start: int, end: int) -> bytes:
    """Return a Find Information Request."""
    return struct.pack("<BHH", FIND_INFORMATION, start, end)


def find_service(start: int, end: int, uuid: Uuid) -> bytes:
    """Return a Find By Type Value Request for a primary service."""
    return struct.pack("<BHHH", FIND_BY_TYPE_VALUE, start, end, 0x2800) + uuid.to_bytes()


def write(handle: int, value: bytes) -> bytes:
    """Return a Write Request."""
    return struct.pack("<BH", WRITE, handle) + value


def write_command(handle: int, value: bytes) -> bytes:
    """Return a Write Command."""
    return struct.pack("<BH", WRITE_COMMAND, handle) + value


def prepare_write(handle: int, offset: int, value: bytes) -> bytes:
    """Return a Prepare Write Request."""
    return struct.pack("<BHH", PREPARE_WRITE, handle, offset) + value


def execute_write(*, cancel: bool = False) -> bytes:
    """Return an Execute Write Request."""
    return bytes([EXECUTE_WRITE, 0x00 if cancel else 0x01])


def mtu_request(mtu: int) -> bytes:
    """Return an Exchange MTU Request."""
    return struct.pack("<BH", MTU_REQUEST, mtu)


def error_of(answer: bytes | None, request: int) -> tuple[int, int] | None:
    """Return handle and code of an Error Response to ``request``, None if it is none."""
    if answer is None or len(answer) != 5 or answer[0] != ERROR or answer[1] != request:
        return None
    return int.from_bytes(answer[2:4], "little"), answer[4]


def seen(answer: bytes | None) -> str:
    """Say what came back."""
    if answer is None:
        return "no answer"
    if len(answer) == 5 and answer[0] == ERROR:
        handle = int.from_bytes(answer[2:4], "little")
        return (
            f"request 0x{answer[1]:02X} refused at handle 0x{handle:04X}: {error_text(answer[4])}"
        )
    return f"PDU {octets(answer)}"


def not_refused(
    answer: bytes | None,
    request: bytes,
    accepted: Iterable[int],
    because: str,
    *,
    handle: int | None = None,
) -> Iterator[Flaw]:
    """Yield a flaw unless ``answer`` refuses ``request`` with a code ``accepted``.

    Where ``handle`` is given, the Error Response has to name it.
    """
    accepted = tuple(accepted)
    error = error_of(answer, request[0])
    if error is None or error[1] not in accepted or handle not in (None, error[0]):
        where = "" if handle is None else f" at handle 0x{handle:04X}"
        yield Flaw(f"PDU {octets(request)} {refusal(accepted)}{where}: {because}", seen(answer))


def not_answered(answer: bytes | None, expected: bytes, because: str) -> Iterator[Flaw]:
    """Yield a flaw unless ``answer`` is exactly ``expected``."""
    if answer != expected:
        yield Flaw(f"PDU {octets(expected)}: {because}", seen(answer))


async def not_ignored(client: Client, pdu: bytes, because: str) -> list[Flaw]:
    """Send what a server has to ignore; a flaw if it answers, or answers nothing afterwards."""
    flaws = []
    answer = await client.exchange(pdu, within=patience(client, QUIET))
    if answer is not None:
        flaws.append(Flaw(f"PDU {octets(pdu)} is not answered: {because}", seen(answer)))
    return flaws + await not_alive(client, f"after PDU {octets(pdu)}")


async def not_alive(client: Client, when: str) -> list[Flaw]:
    """Ask for the first primary service; a flaw unless the server answers as it should."""
    answer = await client.exchange(read_by_group_type(0x0001, 0xFFFF))
    if answer and answer[0] == READ_BY_GROUP_TYPE + 1:
        return []
    return [Flaw(f"the device goes on answering {when}", seen(answer))]


async def unanswered(client: Client, pdu: bytes) -> list[Flaw]:
    """Send a request; a flaw unless it is answered by its response or an Error Response."""
    answer = await client.exchange(pdu)
    if answer and (answer[0] == pdu[0] + 1 or error_of(answer, pdu[0])):
        return []
    return [Flaw(f"an answer to PDU {octets(pdu)}", seen(answer))]


class Walk:
    """Pages through a range of handles until the server says that nothing is left.

    ``entries`` are ``(handle, rest)`` as the server lists them, ``flaws`` what was wrong with
    how it did. A server that does not advance ends the walk.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[int, bytes]] = []
        self.flaws: list[Flaw] = []

    async def by_type(self, client: Client, start: int, end: int, uuid: Uuid) -> "Walk":
        """Read By Type: ``rest`` is the value."""
        return await self._walk(client, start, end, uuid, group=False)

    async def by_group_type(self, client: Client, start: int, end: int, uuid: Uuid) -> "Walk":
        """Read By Group Type: ``rest`` is End Group Handle (2 octets) and value."""
        return await self._walk(client, start, end, uuid, group=True)

    async def _walk(
        self, client: Client, start: int, end: int, uuid: Uuid, *, group: bool
    ) -> "Walk":
        while start <= end:
            ask = read_by_group_type if group else read_by_type
            request = ask(start, end, uuid)
            answer = await client.exchange(request)
            if error_of(answer, request[0]):
                self.flaws += not_refused(
                    answer, request, (0x0A,), "nothing is left in the range", handle=start
                )
                break
            last = self._take(answer, request, start, end, 4 if group else 2)
            if last is None:
                break
            start = last + 1
        return self

    def _take(
        self, answer: bytes | None, request: bytes, start: int, end: int, least: int
    ) -> int | None:
        """Add one page of entries, and return the last handle that it covers."""
        size = answer[1] if answer and len(answer) > 2 and answer[0] == request[0] + 1 else 0
        if not answer or size < least or (len(answer) - 2) % size:
            self.flaws.append(Flaw(f"a list in answer to PDU {octets(request)}", seen(answer)))
            return None
        last = start - 1
        for index in range(2, len(answer), size):
            entry = answer[index : index + size]
            handle = int.from_bytes(entry[:2], "little")
            if not last < handle <= end:
                self.flaws.append(
                    Flaw(
                        f"handles that rise from 0x{start:04X} to 0x{end:04X} at most",
                        f"0x{handle:04X} after 0x{last:04X}",
                    )
                )
                return None
            last = int.from_bytes(entry[2:4], "little") if least == 4 else handle
            if last < handle:
                self.flaws.append(
                    Flaw(
                        "a group that ends where it begins or later",
                        f"0x{handle:04X} to 0x{last:04X}",
                    )
                )
                return None
            self.entries.append((handle, entry[2:]))
        return last


def declaration_of(rest: bytes) -> tuple[int, int, Uuid] | None:
    """Read a characteristic declaration's value: properties, value handle, UUID."""
    if len(rest) not in (5, 19):
        return None
    return rest[0], int.from_bytes(rest[1:3], "little"), Uuid.from_bytes(rest[3:])
