"""What official cases leave open of robust caching: several bearers, promises, subscriptions."""

import pytest

from bletest.att.access import LinkSecurity
from bletest.att.database import AttributeTable
from bletest.att.handlers import Deferred
from bletest.att.server import Server, ServerBearer
from bletest.att.server_events import Subscribed, Unsubscribed
from bletest.uuids import Uuid
from tests.att.device import ScriptedHandler, u16

READ_HASH = b"\x08\x01\x00\xff\xff\x2a\x2b"


class Changing:
    """A server with a value, and a service that comes and goes."""

    def __init__(self) -> None:
        self.events = []
        self.table = table = AttributeTable()
        table.add_service(Uuid(0x1801))
        self.changed = table.add_characteristic(Uuid(0x2A05), {"indicate"}, bytes(4))
        self.features = table.add_characteristic(Uuid(0x2B29), {"read", "write"}, b"\x00").value
        table.add_characteristic(Uuid(0x2B2A), {"read"}, bytes(16))
        table.add_service(Uuid(0xFF00))
        properties = {"read", "write_without_response", "indicate"}
        self.plain = table.add_characteristic(Uuid(0xFF01), properties, b"plain").value
        self.passing = table.add_service(Uuid(0xFF20))
        self.gone = table.add_characteristic(Uuid(0xFF21), {"notify"}, b"")
        self.server = Server(
            table,
            on_event=self.events.append,
            aes_cmac=lambda message, key: len(message).to_bytes(2, "big") + bytes(14),
        )

    def connect(self, *, features: int = 1, enhanced: bool = False) -> ServerBearer:
        security = LinkSecurity(encrypted=True, bonded=True, key_size=16)
        bearer = self.server.connect("phone", security, enhanced=enhanced)
        if not enhanced:
            request = b"\x12" + u16(self.features.handle) + bytes((features,))
            assert bearer.receive(request, 0.0) == b"\x13"
        return bearer

    def change(self) -> None:
        self.table.remove_service(self.passing)
        self.server.database_changed(self.passing.handle, self.passing.end_handle)
        self.passing = self.table.add_service(Uuid(0xFF20))
        self.server.database_changed(self.passing.handle, self.passing.end_handle)

    def read(self, bearer: ServerBearer) -> bytes | None:
        return bearer.receive(b"\x0a" + u16(self.plain.handle), 0.0)

    def takes_commands(self, bearer: ServerBearer) -> bool:
        self.plain.value = b"plain"
        bearer.receive(b"\x52" + u16(self.plain.handle) + b"new", 0.0)
        taken = self.plain.value == b"new"
        self.plain.value = b"plain"
        return taken

    @property
    def refusal(self) -> bytes:
        return b"\x01\x0a" + u16(self.plain.handle) + b"\x12"


@pytest.fixture
def device() -> Changing:
    return Changing()


def test_a_client_with_several_bearers_is_told_once_and_learns_by_the_hash_alone(device):
    first, second = device.connect(), device.connect(enhanced=True)
    device.change()
    assert device.read(second) == device.refusal
    assert [device.read(one) for one in (first, second)] == [b"\x0bplain"] * 2
    assert not device.takes_commands(first)
    assert not device.takes_commands(second)
    assert first.receive(READ_HASH, 0.0)[0] == 0x09
    assert not device.takes_commands(first)
    assert device.read(second) == b"\x0bplain"
    assert device.takes_commands(first)
    assert device.takes_commands(second)


LONG_HASH = bytes.fromhex("fb349b5f8000008000100000") + b"\x2a\x2b\x00\x00"


@pytest.mark.parametrize(
    "request_", [READ_HASH[:5] + LONG_HASH, b"\x0a\x08\x00", b"\x0c\x08\x00\x00\x00"]
)
def test_the_hash_is_read_however_it_is_asked_for(device, request_):
    first, second = device.connect(), device.connect(enhanced=True)
    device.change()
    assert device.read(first) == device.refusal
    assert not device.takes_commands(second)
    assert first.receive(request_, 0.0)[0] == request_[0] + 1
    assert device.read(first) == b"\x0bplain"
    assert device.takes_commands(second)


def test_a_client_with_several_bearers_does_not_learn_by_service_changed(device):
    first, _ = device.connect(), device.connect(enhanced=True)
    first.receive(b"\x12" + u16(device.changed.cccd.handle) + b"\x02\x00", 0.0)
    device.change()
    assert first.tell_of_changes(0.0)[:1] == b"\x1d"
    assert first.receive(b"\x1e", 0.0) is None
    assert not device.takes_commands(first)
    assert first.tell_of_changes(0.0) is None


def test_a_client_that_takes_no_part_is_answered_and_learns_by_the_hash(device):
    bearer = device.connect(features=0)
    device.change()
    assert device.read(bearer) == b"\x0bplain"
    assert device.takes_commands(bearer)
    # It knows nothing of the change all the same, and is told when it begins to take part.
    request = b"\x12" + u16(device.features.handle) + b"\x01"
    assert bearer.receive(request, 0.0) == b"\x13"
    assert device.read(bearer) == device.refusal


def test_a_change_while_a_response_is_owed_counts_from_the_next_request(device):
    promise = Deferred()
    bearer = device.connect()
    device.plain.handler = ScriptedHandler(promise)
    assert device.read(bearer) is None
    device.change()
    assert bearer.complete(promise, b"late", 0.0) == b"\x0blate"
    device.plain.handler = None
    assert device.read(bearer) == device.refusal
    assert device.read(bearer) == b"\x0bplain"


def test_what_waits_to_be_indicated_is_dropped_when_the_database_changes(device):
    bearer = device.connect()
    bearer.receive(b"\x12" + u16(device.plain.characteristic.cccd.handle) + b"\x02\x00", 0.0)
    assert bearer.indicate(device.plain.handle, b"one", 0.0) is not None
    assert bearer.indicate(device.plain.handle, b"two", 0.0) is None
    device.change()
    assert bearer.receive(b"\x1e", 0.0) is None
    assert not bearer.indicates(device.plain.handle)
    assert device.read(bearer) == device.refusal
    assert device.read(bearer) == b"\x0bplain"
    assert bearer.indicates(device.plain.handle)


def test_service_changed_waits_for_the_confirmation_of_another_indication(device):
    bearer = device.connect()
    bearer.receive(b"\x12" + u16(device.changed.cccd.handle) + b"\x02\x00", 0.0)
    assert bearer.indicate(device.plain.handle, b"one", 0.0) is not None
    start = device.passing.handle
    device.change()
    assert bearer.tell_of_changes(0.0) is None
    told = u16(start) + u16(device.passing.end_handle)
    expected = b"\x1d" + u16(device.changed.value.handle) + told
    assert bearer.receive(b"\x1e", 0.0) == expected
    assert bearer.receive(b"\x1e", 0.0) is None
    assert device.read(bearer) == b"\x0bplain"


def test_a_subscription_ends_with_the_service_it_was_to(device):
    bearer = device.connect()
    bearer.receive(b"\x12" + u16(device.gone.cccd.handle) + b"\x01\x00", 0.0)
    assert any(isinstance(one, Subscribed) for one in device.events)
    device.events.clear()
    device.change()
    assert device.events == [Unsubscribed("phone", device.gone.value)]
    device.events.clear()
    bearer.close()
    device.connect(enhanced=True)  # the first bearer there is now
    assert not any(isinstance(one, Subscribed | Unsubscribed) for one in device.events)


def test_another_database_keeps_what_clients_had_configured_of_the_gatt_service() -> None:
    one, other = Changing(), Changing()
    bearer = one.connect()
    for cccd in (one.changed.cccd, one.gone.cccd):
        assert cccd is not None
        assert bearer.receive(b"\x12" + u16(cccd.handle) + b"\x02\x00", 0.0) is not None
    bearer.close()

    one.server.replace_table(other.table, 100)

    again = one.server.connect("phone", LinkSecurity(encrypted=True, bonded=True, key_size=16))
    assert again.tell_of_changes(0.0) == b"\x1d" + u16(other.changed.value.handle) + (
        b"\x01\x00\xff\xff"
    )
    assert again.receive(b"\x1e", 0.0) is None
    assert again.receive(b"\x02" + u16(517), 0.0) == b"\x03" + u16(100)
    assert again.receive(b"\x0a" + u16(other.features.handle), 0.0) == b"\x0b\x01"
    assert other.gone.cccd is not None
    assert again.receive(b"\x0a" + u16(other.gone.cccd.handle), 0.0) == b"\x0b\x00\x00"
