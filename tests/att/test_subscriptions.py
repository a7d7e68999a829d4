import pytest

from bletest.att.handlers import WriteOperation
from bletest.att.server_events import (
    Confirmed,
    Subscribed,
    TransactionTimeout,
    Truncated,
    Unsubscribed,
    Written,
)
from tests.att.device import Device, refusal, u16

ON = b"\x01\x00"
INDICATE = b"\x02\x00"
OFF = b"\x00\x00"


def subscribed(device: Device, name: str, value: bytes = ON, identity: str = "phone", **security):
    bearer = device.connect(identity, **security)
    assert bearer.receive(b"\x12" + device.cccd(name) + value, 0.0) == b"\x13"
    return bearer


# The CCCD


def test_a_subscription_is_told_once_and_so_is_its_end():
    device = Device()
    bearer = subscribed(device, "notify")
    handle = device.handle("notify")
    target = device.by_name["notify"].value
    assert bearer.notifies(handle)
    assert not bearer.indicates(handle)
    bearer.receive(b"\x12" + device.cccd("notify") + ON, 0.0)
    bearer.receive(b"\x12" + device.cccd("notify") + OFF, 0.0)
    assert not bearer.notifies(handle)
    assert [event for event in device.events if not isinstance(event, Written)] == [
        Subscribed("phone", target, True, False),
        Unsubscribed("phone", target),
    ]


@pytest.mark.parametrize("length", [0, 1, 3, 4])
def test_a_cccd_has_two_octets(length):
    device = Device()
    pdu = b"\x12" + device.cccd("notify") + bytes(length)
    assert device.connect().receive(pdu, 0.0) == b"\x01\x12" + device.cccd("notify") + b"\x0d"


@pytest.mark.parametrize(
    ("name", "value"), [("notify", INDICATE), ("indicate", ON), ("notify", b"\x03\x00")]
)
def test_what_the_properties_do_not_offer_is_refused_with_0x13(name, value):
    device = Device()
    bearer = device.connect()
    pdu = b"\x12" + device.cccd(name) + value
    assert bearer.receive(pdu, 0.0) == b"\x01\x12" + device.cccd(name) + b"\x13"
    assert bearer.receive(b"\x0a" + device.cccd(name), 0.0) == b"\x0b\x00\x00"
    assert device.events == [] or not any(isinstance(one, Subscribed) for one in device.events)


@pytest.mark.parametrize(("written", "stored"), [("0400", "0000"), ("fdff", "0100")])
def test_reserved_bits_are_not_stored(written, stored):
    device = Device()
    bearer = device.connect()
    pdu = b"\x12" + device.cccd("notify") + bytes.fromhex(written)
    assert bearer.receive(pdu, 0.0) == b"\x13"
    read = bearer.receive(b"\x0a" + device.cccd("notify"), 0.0)
    assert read == b"\x0b" + bytes.fromhex(stored)


def test_every_client_has_its_own_configuration():
    device = Device()
    first = subscribed(device, "notify", identity="first")
    second = device.connect("second")
    assert first.receive(b"\x0a" + device.cccd("notify"), 0.0) == b"\x0b\x01\x00"
    assert second.receive(b"\x0a" + device.cccd("notify"), 0.0) == b"\x0b\x00\x00"
    assert not second.notifies(device.handle("notify"))
    pdu = b"\x08\x01\x00\xff\xff\x02\x29"
    assert ON in first.receive(pdu, 0.0)
    assert ON not in second.receive(pdu, 0.0)


def test_a_configuration_may_be_written_in_prepared_parts():
    device = Device()
    bearer = device.connect()
    bearer.receive(b"\x16" + device.cccd("notify") + b"\x00\x00" + ON, 0.0)
    assert bearer.receive(b"\x18\x01", 0.0) == b"\x19"
    assert bearer.notifies(device.handle("notify"))


def test_a_command_does_not_configure():
    device = Device()
    bearer = device.connect()
    assert bearer.receive(b"\x52" + device.cccd("notify") + ON, 0.0) is None
    assert not bearer.notifies(device.handle("notify"))


@pytest.mark.parametrize(
    ("name", "value", "case"),
    [("notify", ON, "GATT/SR/GAN/BV-03-C"), ("indicate", INDICATE, "GATT/SR/GAI/BV-02-C")],
)
def test_a_bonded_client_finds_its_subscription_again(name, value, case):
    device = Device()
    target = device.by_name[name].value
    subscribed(device, name, value, bonded=True).close()
    assert device.events[-1] == Unsubscribed("phone", target, closed=True)
    again = device.connect(bonded=True)
    assert device.events[-1] == Subscribed(
        "phone", target, value == ON, value == INDICATE, restored=True
    ), case
    assert again.receive(b"\x0a" + device.cccd(name), 0.0) == b"\x0b" + value


@pytest.mark.parametrize(
    ("name", "value", "case"),
    [("notify", ON, "GATT/SR/GAN/BV-01-C"), ("indicate", INDICATE, "GATT/SR/GAI/BV-01-C")],
)
def test_a_client_without_a_bond_starts_afresh(name, value, case):
    device = Device()
    subscribed(device, name, value).close()
    assert device.events[-1] == Unsubscribed("phone", device.by_name[name].value, closed=True)
    again = device.connect()
    assert again.receive(b"\x0a" + device.cccd(name), 0.0) == b"\x0b\x00\x00", case


def test_a_bond_made_on_the_link_counts_when_it_ends():
    device = Device()
    bearer = subscribed(device, "notify")
    bearer.security.bonded = True
    bearer.close()
    assert device.connect(bonded=True).notifies(device.handle("notify"))


def test_a_forgotten_client_starts_afresh():
    device = Device()
    subscribed(device, "notify", bonded=True).close()
    device.server.forget("phone")
    assert not device.connect(bonded=True).notifies(device.handle("notify"))


def test_a_connected_client_is_not_forgotten():
    device = Device()
    bearer = subscribed(device, "notify")
    device.server.forget("phone")
    assert bearer.notifies(device.handle("notify"))


def test_closing_twice_tells_once():
    device = Device()
    bearer = subscribed(device, "notify")
    bearer.close()
    told = len(device.events)
    bearer.close()
    assert len(device.events) == told
    assert device.server.bearers == ()


def test_what_took_encryption_to_ask_for_is_not_sent_in_the_clear():
    device = Device()
    bearer = device.connect()
    pdu = b"\x12" + device.cccd("both") + ON
    assert bearer.receive(pdu, 0.0) == b"\x01\x12" + device.cccd("both") + b"\x05"
    paired = {"encrypted": True, "bonded": True, "key_size": 16}
    other = subscribed(device, "both", b"\x03\x00", "other", **paired)
    assert other.notifies(device.handle("both"))
    assert other.indicates(device.handle("both"))
    other.close()
    again = device.connect("other", bonded=True)
    assert not again.notifies(device.handle("both"))
    again.security.encrypted, again.security.key_size = True, 16
    assert again.notifies(device.handle("both"))


def test_a_client_that_pairing_identifies_keeps_what_it_wrote():
    device = Device()
    subscribed(device, "indicate", INDICATE, "identity", bonded=True).close()
    bearer = subscribed(device, "notify", identity="private address", bonded=True)
    bearer.identify("identity")
    assert bearer.notifies(device.handle("notify"))
    assert bearer.indicates(device.handle("indicate"))
    assert device.events[-1] == Subscribed(
        "identity", device.by_name["indicate"].value, False, True, restored=True
    )
    bearer.close()
    assert not device.connect("private address").notifies(device.handle("notify"))
    assert device.connect("identity", bonded=True).notifies(device.handle("notify"))


@pytest.mark.parametrize("name", ["plain", "notify"])
def test_only_a_value_with_a_cccd_can_be_subscribed_to(name):
    device = Device()
    bearer = device.connect()
    for handle in (device.handle(name), device.handle(name) - 1, 0x0FFF):
        assert not bearer.notifies(handle)
        assert not bearer.indicates(handle)


def test_client_features_are_kept_per_client_without_reserved_bits():
    """GATT/SR/GAS/BV-03-C."""
    device = Device()
    first, second = device.connect("first"), device.connect("second")
    features = device.octets("features")
    assert first.receive(b"\x12" + features + b"\xf9", 0.0) == b"\x13"
    assert first.receive(b"\x0a" + features, 0.0) == b"\x0b\x01"
    assert second.receive(b"\x0a" + features, 0.0) == b"\x0b\x00"


def test_client_features_survive_with_a_bond():
    """GATT/SR/GAS/BV-04-C."""
    device = Device()
    bearer = device.connect(bonded=True)
    bearer.receive(b"\x12" + device.octets("features") + b"\x01", 0.0)
    bearer.close()
    again = device.connect(bonded=True)
    assert again.receive(b"\x0a" + device.octets("features"), 0.0) == b"\x0b\x01"


def test_a_client_does_not_take_a_feature_back():
    device = Device()
    bearer = device.connect()
    features = device.octets("features")
    bearer.receive(b"\x12" + features + b"\x05", 0.0)
    for less in (b"\x01", b"\x00", b""):
        assert bearer.receive(b"\x12" + features + less, 0.0) == refusal(0x12, features, 0x13)
    assert bearer.receive(b"\x12" + features + b"\x07", 0.0) == b"\x13"


# Notifications


def test_a_notification_carries_handle_and_value():
    device = Device()
    assert device.connect().notify(0x1234, b"value", 0.0) == b"\x1b\x34\x12value"


def test_a_value_that_does_not_fit_is_cut_and_told():
    device = Device()
    bearer = device.connect()
    value = bytes(range(21))
    assert bearer.notify(3, value, 0.0) == b"\x1b\x03\x00" + value[:20]
    assert bearer.indicate(3, value, 0.0) == b"\x1d\x03\x00" + value[:20]
    assert device.events == [Truncated("phone", 3, value, 20)] * 2


def test_several_values_travel_together_for_a_client_that_takes_them():
    """GATT/SR/GAN/BV-02-C."""
    device = Device()
    bearer = device.connect()
    values = [(3, b"a"), (5, b"bc")]
    with pytest.raises(ValueError, match="does not take"):
        bearer.notify_multiple(values, 0.0)
    bearer.receive(b"\x12" + device.octets("features") + b"\x04", 0.0)
    expected = b"\x23\x03\x00\x01\x00a\x05\x00\x02\x00bc"
    assert bearer.notify_multiple(values, 0.0) == expected
    full = [(3, bytes(7)), (5, bytes(7))]
    assert len(bearer.notify_multiple(full, 0.0)) == bearer.mtu
    for unfit in ([(3, b"a")], [(3, bytes(7)), (5, bytes(8))]):
        with pytest.raises(ValueError, match="ATT_MTU 23"):
            bearer.notify_multiple(unfit, 0.0)


# Indications


def test_one_indication_at_a_time():
    device = Device()
    bearer = device.connect()
    assert bearer.indicate(3, b"1", 0.0) == b"\x1d\x03\x001"
    assert bearer.indicate(3, b"2", 0.0) is None
    assert bearer.indicate(5, b"3", 0.0) is None
    assert bearer.receive(b"\x1e", 1.0) == b"\x1d\x03\x002"
    assert bearer.receive(b"\x1e", 2.0) == b"\x1d\x05\x003"
    assert bearer.receive(b"\x1e", 3.0) is None
    assert device.events == [
        Confirmed("phone", 3, b"1"),
        Confirmed("phone", 3, b"2"),
        Confirmed("phone", 5, b"3"),
    ]


def test_an_indication_that_had_to_wait_is_dropped_where_the_link_may_no_longer_have_it():
    device = Device()
    bearer = device.connect(encrypted=True, bonded=True, key_size=16)
    for name in ("indicate", "both"):
        assert bearer.receive(b"\x12" + device.cccd(name) + INDICATE, 0.0) == b"\x13"
    assert bearer.indicate(device.handle("indicate"), b"1", 0.0) is not None
    assert bearer.indicate(device.handle("both"), b"2", 0.0) is None
    assert bearer.indicate(device.handle("indicate"), b"3", 0.0) is None
    bearer.security.encrypted = False
    third = b"\x1d" + device.octets("indicate") + b"3"
    assert bearer.receive(b"\x1e", 0.0) == third
    assert bearer.receive(b"\x1e", 0.0) is None
    assert bearer.deadline is None


def test_an_indication_that_had_to_wait_is_dropped_where_it_is_no_longer_wanted():
    device = Device()
    bearer = subscribed(device, "indicate", INDICATE)
    assert bearer.indicate(device.handle("indicate"), b"1", 0.0) is not None
    assert bearer.indicate(device.handle("indicate"), b"2", 0.0) is None
    assert bearer.receive(b"\x12" + device.cccd("indicate") + OFF, 0.0) == b"\x13"
    assert bearer.receive(b"\x1e", 0.0) is None
    assert bearer.indicate(device.handle("indicate"), b"3", 0.0) is not None


def test_reading_and_notifying_go_on_while_a_confirmation_is_awaited():
    device = Device()
    bearer = device.connect()
    bearer.indicate(3, b"1", 0.0)
    assert bearer.receive(b"\x0a" + device.octets("plain"), 0.0) == b"\x0bplain"
    assert bearer.notify(3, b"n", 0.0) == b"\x1b\x03\x00n"


@pytest.mark.parametrize("pdu", [b"\x1e", b"\x1e\x00"])
def test_a_confirmation_that_nobody_waits_for_is_ignored(pdu):
    device = Device()
    bearer = device.connect()
    assert bearer.receive(pdu, 0.0) is None
    assert device.events == []


def test_a_malformed_confirmation_confirms_nothing():
    device = Device()
    bearer = device.connect()
    bearer.indicate(3, b"1", 0.0)
    assert bearer.receive(b"\x1e\x00", 1.0) is None
    assert bearer.deadline == 30.0


def test_a_listener_may_indicate_while_it_is_told_of_a_confirmation():
    device = Device()
    sent = []

    def listen(event):
        if isinstance(event, Confirmed) and not sent:
            sent.append(bearer.indicate(9, b"mine", 1.0))

    device.server.on_event = listen
    bearer = device.connect()
    bearer.indicate(3, b"1", 0.0)
    bearer.indicate(3, b"2", 0.0)
    assert bearer.receive(b"\x1e", 1.0) is None
    assert sent == [b"\x1d\x09\x00mine"]
    assert bearer.receive(b"\x1e", 2.0) == b"\x1d\x03\x002"


def test_thirty_seconds_without_confirmation_end_the_bearer():
    """GATT/SR/GAT/BV-01-C."""
    device = Device()
    bearer = subscribed(device, "indicate", INDICATE)
    assert bearer.deadline is None
    bearer.indicate(3, b"1", 100.0)
    bearer.indicate(3, b"2", 101.0)
    assert bearer.deadline == 130.0
    bearer.expire(129.9)
    assert not bearer.closed
    bearer.expire(130.0)
    assert bearer.closed
    assert bearer.deadline is None
    assert device.events[-1] == TransactionTimeout("phone", 3)
    assert bearer.receive(b"\x1e", 131.0) is None
    assert bearer.receive(b"\x0a\x03\x00", 131.0) is None
    assert bearer.notify(3, b"n", 131.0) is None
    assert bearer.indicate(3, b"i", 131.0) is None
    assert bearer.notify_multiple([(3, b"a"), (5, b"b")], 131.0) is None
    assert device.server.bearers == ()
    bearer.close()
    target = device.by_name["indicate"].value
    assert device.events[-1] == Unsubscribed("phone", target, closed=True)


def test_every_indication_of_the_queue_has_thirty_seconds_of_its_own():
    bearer = Device().connect()
    bearer.indicate(3, b"1", 0.0)
    bearer.indicate(3, b"2", 0.0)
    bearer.receive(b"\x1e", 29.0)
    assert bearer.deadline == 59.0


def test_a_cccd_write_is_told_as_a_write_too():
    device = Device()
    subscribed(device, "notify")
    cccd = device.by_name["notify"].cccd
    assert device.events[0] == Written("phone", cccd, ON, WriteOperation.REQUEST)
    assert u16(cccd.handle) == device.cccd("notify")
