"""The cells at the bearers of our server: one link with both kinds of bearer, its security set."""

from collections.abc import Callable, Iterable
from functools import cache

from bletest.att.access import Access, LinkSecurity
from bletest.att.database import AttributeTable, Characteristic
from bletest.att.server import Server, ServerBearer
from bletest.uuids import CLIENT_SUPPORTED_FEATURES, USER_DESCRIPTION, Uuid
from tests.conformance.permissions import Outcome
from tests.conformance.permissions.operations import (
    ASKED,
    LENGTH,
    NEW,
    PUBLIC,
    SECRET,
    Exchange,
    Place,
    others,
    u16,
)
from tests.conformance.permissions.table import (
    BEARERS,
    KEYS,
    OPERATIONS,
    TARGETS,
    Permission,
    Security,
    expected,
    permissions,
    securities,
)

STRONGEST = Security(True, "secure_mitm", 16, authorized=True)
SIGNATURE = b"authenticity"
MTU = 64


def access(permission: Permission) -> Access | None:
    """The engine's word for a permission."""
    if permission.word == "none":
        return None
    encrypted = permission.word != "open"
    return Access(
        encrypted=encrypted,
        authenticated="authenticated" in permission.word,
        secure_connections="secure" in permission.word,
        authorized=permission.authorized,
        key_size=permission.key_size,
    )


def apply(security: Security, link: LinkSecurity) -> None:
    """Bring a link to a state."""
    known = security.encrypted or security.before
    link.encrypted = security.encrypted
    link.authenticated = known and "mitm" in security.key
    link.secure_connections = known and "secure" in security.key
    link.key_size = security.key_size if known else 0
    link.bonded = security.kept and security.key != KEYS[0]
    link.authorized = security.authorized


@cache
def _exchange(name: str, place: Place, code: int) -> Exchange:
    return ASKED[name](place, code, lambda _message: SIGNATURE)


class Bench:
    """A server that has every permission in every place, and one link with two bearers."""

    def __init__(self, *, whole: bool = False, thin: int = 1) -> None:
        """``thin`` leaves out all but one of so many states of the link."""
        self.states = list(securities(whole=whole))[::thin]
        self.table = AttributeTable()
        self.table.add_service(Uuid(0xFF00))
        self.features = self.table.add_characteristic(
            CLIENT_SUPPORTED_FEATURES, {"read", "write"}, b"\x00"
        )
        everything = {"read", "write", "notify", "indicate"}
        self.plain = self.table.add_characteristic(Uuid(0xFF01), everything, PUBLIC)
        self.closed = self.table.add_characteristic(Uuid(0xFF02), {"write"}, SECRET)
        self.characteristics: dict[str, Characteristic] = {}
        self.places = [
            self._place(target, permission)
            for target in TARGETS
            for permission in permissions(whole=whole)
        ]
        self.security = LinkSecurity()
        self.server = Server(
            self.table,
            verify_signature=self._verify,
        )
        self.bearers = open_bearers(self.server, self.security)

    def _place(self, target: str, permission: Permission) -> Place:
        asked = dict.fromkeys(TARGETS, others(permission)) | {target: permission}
        uuid = Uuid(0xA000 + len(self.characteristics))
        twin = self.table.add_characteristic(uuid, {"read"}, PUBLIC)
        properties = {"notify", "indicate"}
        if asked["read"].word != "none":
            properties.add("read")
        if asked["write"].word != "none":
            properties |= {"write", "write_without_response", "authenticated_signed_write"}
        name = f"{target} {permission}"
        self.characteristics[name] = found = self.table.add_characteristic(
            uuid,
            properties,
            SECRET,
            read=access(asked["read"]),
            write=access(asked["write"]),
            subscribe=access(asked["subscribe"]),
            max_length=LENGTH,
            name=name,
        )
        words = self.table.add_descriptor(
            USER_DESCRIPTION, SECRET, read=access(asked["read"]), write=access(asked["write"])
        )
        assert found.cccd is not None
        return Place(
            name=name,
            target=target,
            permission=permission,
            uuid=int.from_bytes(uuid.to_bytes(), "little"),
            declaration=found.declaration.handle,
            properties=found.declaration.value[0],
            value=found.value.handle,
            cccd=found.cccd.handle,
            words=words.handle,
            twin=twin.value.handle,
            plain=self.plain.value.handle,
            closed=self.closed.value.handle,
        )

    def run(self, name: str) -> Outcome:
        """Run every cell of one operation."""
        outcome = Outcome()
        places = [one for one in self.places if one.target == OPERATIONS[name]["asks"]]
        run = self._ask if name in ASKED else self._send
        for security in self.states:
            for kind in BEARERS:
                run(outcome, name, places, security, kind)
        return outcome

    def _verify(self, _client: str, _message: bytes, signature: bytes) -> bool:
        """Who has no bond has given no key to verify with."""
        return self.security.bonded and signature == SIGNATURE

    # What a client begins

    def _ask(
        self, outcome: Outcome, name: str, places: Iterable[Place], security: Security, kind: str
    ) -> None:
        bearer = self.bearers[kind]
        for place in places:
            exchange = _exchange(name, place, expected(name, place.permission, security, kind))
            apply(security, self.security)
            answers = tuple(bearer.receive(request, 0.0) for request, _ in exchange.steps)
            value = self.table.by_handle[place.value]
            words = self.table.by_handle[place.words]
            outcome.check(
                (answers, value.value, words.value),
                (tuple(answer for _, answer in exchange.steps), exchange.value, exchange.words),
                *(name, place.name, security, kind),
            )
            value.value = words.value = SECRET
            if place.target == "subscribe":
                self._configure(bearer, place.cccd, 0)

    def _configure(self, bearer: ServerBearer, cccd: int, bits: int) -> None:
        apply(STRONGEST, self.security)
        bearer.receive(b"\x12" + u16(cccd) + u16(bits), 0.0)

    # What the server begins

    def _send(
        self, outcome: Outcome, name: str, places: Iterable[Place], security: Security, kind: str
    ) -> None:
        bearer = self.bearers[kind]
        plain = self.plain.cccd
        assert plain is not None
        self._configure(bearer, plain.handle, 3)
        self._configure(bearer, self.features.value.handle, 0x04)
        for place in places:
            self._configure(bearer, place.cccd, 3)
            code = expected(name, place.permission, security, kind)
            sent = SENDING[name](self, bearer, place, security)
            opcode = 0x23 if name == "Multiple notification" else sent and sent[0]
            outcome.check(
                sent,
                None if code else bytes((opcode or 0,)) + self._sent(opcode, place),
                *(name, place.name, security, kind),
            )
            self._configure(bearer, place.cccd, 0)

    def _sent(self, opcode: int | None, place: Place) -> bytes:
        if opcode == 0x23:
            both = ((place.plain, PUBLIC), (place.value, NEW))
            return b"".join(u16(one) + u16(len(octets)) + octets for one, octets in both)
        return u16(place.value) + NEW

    def notification(self, bearer: ServerBearer, place: Place, security: Security) -> bytes | None:
        """The notification of a place, if the server sends it."""
        apply(security, self.security)
        return bearer.notification(self.characteristics[place.name], NEW)

    def indication(self, bearer: ServerBearer, place: Place, security: Security) -> bytes | None:
        """The indication of a place, if the server sends it."""
        apply(security, self.security)
        if not bearer.indicates(place.value):
            return None
        sent = bearer.indicate(place.value, NEW, 0.0)
        bearer.receive(b"\x1e", 0.0)
        return sent

    def waiting(self, bearer: ServerBearer, place: Place, security: Security) -> bytes | None:
        """The indication of a place that another held up while the security changed."""
        apply(STRONGEST, self.security)
        bearer.indicate(place.plain, PUBLIC, 0.0)
        if bearer.indicates(place.value):
            bearer.indicate(place.value, NEW, 0.0)
        apply(security, self.security)
        sent = bearer.receive(b"\x1e", 0.0)
        bearer.receive(b"\x1e", 0.0)
        return sent

    def multiple(self, bearer: ServerBearer, place: Place, security: Security) -> bytes | None:
        """A notification of two values, if the server may send both."""
        apply(security, self.security)
        values = [(place.plain, PUBLIC), (place.value, NEW)]
        if not all(bearer.notifies(handle) for handle, _ in values):
            return None
        return bearer.notify_multiple(values, 0.0)


SENDING: dict[str, Callable[[Bench, ServerBearer, Place, Security], bytes | None]] = {
    "Notification, once configured": Bench.notification,
    "Indication, once configured": Bench.indication,
    "Indication that had to wait": Bench.waiting,
    "Multiple notification": Bench.multiple,
}


def open_bearers(server: Server, security: LinkSecurity) -> dict[str, ServerBearer]:
    """Open both kinds of bearer of one link."""
    return {
        kind: server.connect("client", security, mtu=MTU, enhanced=kind == "enhanced")
        for kind in BEARERS
    }
