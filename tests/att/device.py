"""A small device for the tests of the engines: one of every kind of attribute."""

from dataclasses import dataclass, field

from bletest.att.access import AUTHENTICATED, ENCRYPTED, Access, LinkSecurity
from bletest.att.database import AttributeTable, Characteristic
from bletest.att.handlers import AttributeHandler, Deferred, ReadAccess, WriteAccess
from bletest.att.server import Server, ServerBearer
from bletest.att.server_events import ServerEvent
from bletest.uuids import PRESENTATION_FORMAT, USER_DESCRIPTION, Uuid

VENDOR = Uuid.parse("6e400001-b5a3-f393-e0a9-e50e24dcca9e")
VENDOR_VALUE = Uuid.parse("6e400002-b5a3-f393-e0a9-e50e24dcca9e")
LONG = bytes(range(100))


def u16(number: int) -> bytes:
    return number.to_bytes(2, "little")


@dataclass
class ScriptedHandler:
    """Answers every read and write with the same thing, and keeps what it was asked."""

    answer: bytes | Deferred | BaseException | None = None
    requests: list[ReadAccess | WriteAccess] = field(default_factory=list)

    def read(self, request: ReadAccess) -> bytes | Deferred | None:
        self.requests.append(request)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def write(self, request: WriteAccess) -> Deferred | None:
        self.requests.append(request)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer if isinstance(self.answer, Deferred) else None


class Device:
    """A table, its server, and what the server told."""

    def __init__(
        self,
        *,
        mtu: int = 517,
        prepare_queue_limit: int = 64,
        handler: AttributeHandler | None = None,
    ) -> None:
        self.events: list[ServerEvent] = []
        self.forged: list[bytes] = []
        self.table = table = AttributeTable()
        self.by_name: dict[str, Characteristic] = {}
        generic = table.add_service(Uuid(0x1800))
        self._add("device_name", 0x2A00, ["read"], b"bletest")
        table.add_service(Uuid(0x1801))
        self._add("features", 0x2B29, ["read", "write"], b"\x00")
        table.add_service(Uuid(0xFF00), includes=[generic])
        self._add(
            "plain",
            0xFF01,
            ["read", "write", "write_without_response", "authenticated_signed_write"],
            b"plain",
            max_length=20,
        )
        self.description = table.add_descriptor(USER_DESCRIPTION, LONG[:50], write=Access())
        self.format = table.add_descriptor(PRESENTATION_FORMAT, bytes(7))
        self._add("write_only", 0xFF02, ["write"], b"secret")
        self._add("read_only", 0xFF03, ["read"], b"fixed")
        guarded = ["read", "write", "write_without_response"]
        for name, alias, access in (
            ("authorized", 0xFF04, Access(authorized=True)),
            ("encrypted", 0xFF05, ENCRYPTED),
            ("key16", 0xFF06, Access(encrypted=True, key_size=16)),
            ("authenticated", 0xFF07, AUTHENTICATED),
        ):
            self._add(name, alias, guarded, b"hidden", read=access, write=access)
        self._add("long", 0xFF08, ["read", "write", "reliable_write"], LONG)
        self._add("fixed", 0xFF09, ["read", "write"], b"0123", min_length=4, max_length=4)
        self._add("notify", 0xFF0A, ["notify"])
        self._add("indicate", 0xFF0B, ["indicate"])
        self._add("both", 0xFF0C, ["notify", "indicate"], subscribe=ENCRYPTED)
        self._add("command_only", 0xFF0D, ["write_without_response"], b"before")
        self._add("handled", 0xFF0E, ["read", "write", "write_without_response"], b"stored")
        self.by_name["handled"].value.handler = handler
        table.add_service(VENDOR, primary=False)
        self.vendor_service = table.services[-1]
        self._add_uuid("vendor", VENDOR_VALUE, ["read"], b"vendor")
        table.add_service(Uuid(0xFF20), includes=[self.vendor_service])
        for _ in range(3):
            self._add("twin", 0xFF21, ["read"], b"twin")
        self.server = Server(
            table,
            mtu=mtu,
            on_event=self.events.append,
            verify_signature=lambda identity, message, signature: signature == b"authenticity",
            prepare_queue_limit=prepare_queue_limit,
        )

    def _add(
        self, name: str, alias: int, properties: list[str], value: bytes = b"", **more: object
    ) -> None:
        self._add_uuid(name, Uuid(alias), properties, value, **more)

    def _add_uuid(
        self, name: str, uuid: Uuid, properties: list[str], value: bytes, **more: object
    ) -> None:
        self.by_name[name] = self.table.add_characteristic(
            uuid,
            properties,
            value,
            name=name,
            **more,
        )

    def connect(self, identity: str = "phone", **security: object) -> ServerBearer:
        return self.server.connect(identity, LinkSecurity(**security))

    def handle(self, name: str) -> int:
        return self.by_name[name].value.handle

    def octets(self, name: str) -> bytes:
        return u16(self.handle(name))

    def cccd(self, name: str) -> bytes:
        cccd = self.by_name[name].cccd
        assert cccd is not None
        return u16(cccd.handle)

    def value(self, name: str) -> bytes:
        return self.by_name[name].value.value


def refusal(request_opcode: int, handle: int | bytes, code: int) -> bytes:
    octets = handle if isinstance(handle, bytes) else u16(handle)
    return bytes((0x01, request_opcode)) + octets + bytes((code,))
