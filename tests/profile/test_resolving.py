"""What a file means: the specification of the emulated device, and what any device must do."""

import pytest

from bletest.att.access import AUTHENTICATED, ENCRYPTED, OPEN, Access
from bletest.errors import ProfileError
from bletest.profile import loads
from bletest.profile.expectation import NotifyExpectation, SideEffect
from bletest.profile.rules import Reply, ReplyKind, WriteRule, rule_for
from bletest.profile.sources import Constant, Ramp, Sequence
from bletest.profile.spec import CharacteristicSpec, NotifySpec
from bletest.uuids import Uuid
from tests.profile.test_mistakes import HEAD, SERVICES


def only(characteristic: str, head: str = "") -> CharacteristicSpec:
    profile = loads(head + SERVICES + f"      - {{{characteristic}}}\n")
    (found,) = profile.characteristics()
    return found


SECURE = "security: {bonding: true}\n"


@pytest.mark.parametrize(
    ("properties", "read", "write", "subscribe"),
    [
        ("read", OPEN, None, None),
        ("write", None, OPEN, None),
        ("write_without_response", None, OPEN, None),
        ("authenticated_signed_write", None, OPEN, None),
        ("reliable_write", None, OPEN, None),
        ("notify", None, None, OPEN),
        ("indicate", None, None, OPEN),
        ("broadcast", None, None, None),
    ],
)
def test_permissions_default_from_the_properties(
    properties: str, read: Access | None, write: Access | None, subscribe: Access | None
) -> None:
    value = ", value: {uint8: 1}" if properties == "read" else ""
    found = only(f"uuid: 0xFF01, properties: [{properties}]{value}")

    assert (found.read, found.write, found.subscribe) == (read, write, subscribe)


@pytest.mark.parametrize(
    ("written", "access"),
    [
        ("open", OPEN),
        ("encrypted", ENCRYPTED),
        ("authenticated", AUTHENTICATED),
        ("authorized", Access(authorized=True)),
        ("secure_connections", Access(encrypted=True, secure_connections=True)),
        ("[encrypted, authorized]", Access(encrypted=True, authorized=True)),
        ("{access: authorized, fresh: 2min}", Access(authorized=True, fresh=120.0)),
        ("{key_size: 16}", Access(encrypted=True, key_size=16)),
        (
            "{access: [authenticated, secure_connections], key_size: 16}",
            Access(encrypted=True, authenticated=True, secure_connections=True, key_size=16),
        ),
    ],
)
def test_permissions_can_be_raised(written: str, access: Access) -> None:
    found = only(f"uuid: 0xFF01, properties: [write], write: {written}", SECURE)

    assert found.write == access


@pytest.mark.parametrize(
    ("characteristic", "effect"),
    [
        ("properties: [read], value: {uint8: 1}", SideEffect.NONE),
        ("properties: [read, write], value: {uint8: 1}", SideEffect.STORES),
        ("properties: [write]", SideEffect.ACTUATES),
        ("properties: [write], side_effect: irreversible", SideEffect.IRREVERSIBLE),
    ],
)
def test_a_write_without_side_effect_stores_if_it_can_be_read_and_else_actuates(
    characteristic: str, effect: SideEffect
) -> None:
    assert only(f"uuid: 0xFF01, {characteristic}").side_effect is effect


def test_extended_properties_follow_from_those_they_extend() -> None:
    found = only("uuid: 0xFF01, properties: [write, reliable_write]")

    assert found.properties == {"write", "reliable_write", "extended_properties"}


@pytest.mark.parametrize(
    ("characteristic", "lengths"),
    [
        ("properties: [write]", (0, 512)),
        ("properties: [write], length: 3", (3, 3)),
        ("properties: [write], length: {min: 1, max: 20}", (1, 20)),
        ("properties: [write], length: {max: 20}", (0, 20)),
        ("properties: [read, write], value: {uint16: 1}", (2, 2)),
        ("properties: [read, write], value: {hex: 01 02 03}", (3, 3)),
        ("properties: [read, write], value: {text: abc}", (0, 512)),
        ("properties: [read, write], value: {text: abc}, length: {max: 20}", (0, 20)),
    ],
)
def test_the_lengths_of_a_write_come_from_length_or_from_value(
    characteristic: str, lengths: tuple[int, int]
) -> None:
    found = only(f"uuid: 0xFF01, {characteristic}")

    assert (found.min_length, found.max_length) == lengths


RATE = (
    "uuid: heart_rate_measurement, properties: [notify],"
    " value: {heart_rate: 60, sensor_contact: detected}"
)


@pytest.mark.parametrize(
    ("characteristic", "source"),
    [
        (
            "uuid: 0xFF01, properties: [notify], value: {uint8: 7}, notify: 1s",
            Constant(b"\x07"),
        ),
        (
            "uuid: 0xFF01, properties: [notify], notify:"
            " {every: 1s, values: {sequence: [{uint8: 7}, {text: x}]}}",
            Sequence((b"\x07", b"x")),
        ),
        (
            "uuid: 0xFF01, properties: [notify], value: {uint8: 7}, notify:"
            " {every: 1s, values: {ramp: {from: 3, to: 8, step: 2}}}",
            Ramp("", 3, 8, 2, (b"\x03", b"\x05", b"\x07")),
        ),
        (
            "uuid: 0xFF01, properties: [notify], value: {sint8: 0}, notify:"
            " {every: 1s, values: {ramp: {from: 1, to: -1}}}",
            Ramp("", 1, -1, 1, (b"\x01", b"\x00", b"\xff")),
        ),
        (
            f"{RATE}, notify: {{every: 1s, values:"
            " {ramp: {of: heart_rate, from: 254, to: 256}}}",
            Ramp("heart_rate", 254, 256, 1, (b"\x06\xfe", b"\x06\xff", b"\x07\x00\x01")),
        ),
        (
            "uuid: temperature, properties: [notify], value: 20, notify:"
            " {every: 1s, values: {ramp: {from: 0.1, to: 0.3, step: 0.1}}}",
            Ramp("", 0.1, 0.3, 0.1, (b"\x0a\x00", b"\x14\x00", b"\x1e\x00")),
        ),
    ],
)
def test_the_values_of_a_schedule_are_resolved_to_octets(
    characteristic: str, source: Constant | Sequence | Ramp
) -> None:
    found = only(characteristic)

    assert found.notify == NotifySpec(1.0, 0.1, source, ReplyKind.NOTIFICATION)
    assert [source.at(n) for n in range(len(source.values))] == list(source.values)
    assert source.at(len(source.values)) == source.values[0]


def test_a_schedule_of_what_only_indicates_sends_indications() -> None:
    profile = loads(
        SERVICES + "      - {uuid: 0xFF01, properties: [indicate], value: {uint8: 1},"
        " notify: {every: 250ms, tolerance: 5%}}\n"
    )
    (found,) = profile.characteristics()

    assert found.notify == NotifySpec(0.25, 0.05, Constant(b"\x01"), ReplyKind.INDICATION)
    (expected,) = profile.expectation.characteristics()
    assert expected.notify == NotifyExpectation(0.25, 0.05)


def test_rules_say_match_error_reply_and_echo() -> None:
    profile = loads(
        SERVICES
        + """\
      - uuid: 0xFF01
        id: rx
        properties: [write]
        on_write:
          - {match: 01, reply: {via: tx, bytes: 02 00, as: indication, chunk: 20, within: 100ms}}
          - match: {text: "ver\\n"}
            after: 10ms
            reply:
              - {via: tx, text: "1.2\\n"}
              - {via: 0xFF03, value: {uint16: 3}, after: 20ms}
          - {match: 03, error: value_not_allowed}
          - {match: 04, error: 0x80}
          - {match: 05}
          - {otherwise: true, echo: {via: tx, chunk: mtu}}
      - {uuid: 0xFF02, id: tx, properties: [notify, indicate]}
      - {uuid: 0xFF03, properties: [notify]}
"""
    )
    rx = profile.characteristic("rx")
    assert rx is not None

    tx, other = "0xFF00/tx", "0xFF00/0xFF03"
    assert rx.rules == (
        WriteRule(b"\x01", None, (Reply(tx, b"\x02\x00", ReplyKind.INDICATION, 20, 0.0, 0.1),)),
        WriteRule(
            b"ver\n",
            None,
            (Reply(tx, b"1.2\n", after=0.01), Reply(other, b"\x03\x00", after=0.02)),
        ),
        WriteRule(b"\x03", 0x13),
        WriteRule(b"\x04", 0x80),
        WriteRule(b"\x05"),
        WriteRule(None, None, (Reply(tx, None, chunk=0),)),
    )
    assert rule_for(rx.rules, b"\x04") == WriteRule(b"\x04", 0x80)
    assert rule_for(rx.rules, b"anything") == rx.rules[-1]
    (expected, *_) = profile.expectation.characteristics()
    assert expected.rules == rx.rules


def test_attributes_have_readable_unique_paths() -> None:
    profile = loads(
        HEAD
        + """\
services:
  - uuid: battery
    id: front
    characteristics:
      - {uuid: battery_level, properties: [read], value: 1}
  - uuid: battery
    characteristics:
      - {uuid: battery_level, id: lower, properties: [read], value: 1}
      - uuid: battery_level
        properties: [read]
        value: 1
        descriptors:
          - {uuid: characteristic_user_description, value: Left}
          - {uuid: 0xFF05, id: first, value: {uint8: 1}}
          - {uuid: 0xFF05, value: {uint8: 2}}
"""
    )

    assert [one.path for one in profile.services] == ["front", "battery"]
    paths = [one.path for one in profile.characteristics()]
    assert paths == ["front/battery_level", "battery/lower", "battery/battery_level"]
    last = profile.expectation.characteristics()[2]
    assert [(one.path.removeprefix(paths[2]), one.occurrence) for one in last.descriptors] == [
        ("/characteristic_user_description", 0),
        ("/first", 0),
        ("/0xFF05", 1),
    ]
    assert (last.occurrence, last.service_occurrence) == (1, 1)
    assert profile.expectation.characteristic("lower") is profile.expectation.characteristics()[1]


def test_a_secondary_service_is_served_but_not_expected_among_the_primary_ones() -> None:
    profile = loads(
        HEAD
        + """\
services:
  - {uuid: 0xFF01, id: inner, primary: false}
  - {uuid: 0xFF01, id: outer, includes: [inner]}
"""
    )

    assert [(one.path, one.primary, one.includes) for one in profile.services] == [
        ("inner", False, ()),
        ("outer", True, ("inner",)),
    ]
    assert [(one.path, one.occurrence) for one in profile.expectation.services] == [("outer", 0)]


def test_an_aggregate_format_names_the_descriptors_whose_handles_it_holds() -> None:
    found = only(
        "uuid: 0xFF01, properties: [notify], descriptors: ["
        "{uuid: 0x2904, id: a, value: {hex: 04 00 AD 27 01 00 00}},"
        "{uuid: 0x2904, id: b, value: {hex: 04 00 AD 27 01 00 00}},"
        "{uuid: 0x2905, value: {handles_of: [a, b]}}]"
    )

    aggregate = found.descriptors[2]
    assert aggregate.handles_of == ("0xFF00/0xFF01/a", "0xFF00/0xFF01/b")
    assert (aggregate.value, aggregate.min_length, aggregate.max_length) == (b"", 4, 4)


def test_a_descriptor_can_be_written_where_its_properties_say_so() -> None:
    found = only(
        "uuid: 0xFF01, properties: [notify, writable_auxiliaries], descriptors:"
        " [{uuid: 0x2901, value: Tag, properties: [read, write], write: encrypted}]",
        SECURE,
    )

    (descriptor,) = found.descriptors
    assert (descriptor.value, descriptor.read, descriptor.write) == (b"Tag", OPEN, ENCRYPTED)


def test_advertising_data_and_scan_response_are_laid_out_as_octets() -> None:
    profile = loads(
        HEAD
        + """\
advertising:
  interval: 1s
  services: [heart_rate, 0xFF00, 6e400001-b5a3-f393-e0a9-e50e24dcca9e]
  scan_response:
    name: true
    manufacturer_data: {0x0059: 01 02}
    service_data: {battery: 4D}
    tx_power: -4
services: []
"""
    )
    advertising = profile.advertising

    assert advertising.data.hex(" ") == (
        "02 01 06 05 03 0d 18 00 ff 11 07 9e ca dc 24 0e e5 a9 e0 93 f3 a3 b5 01 00 40 6e"
    )
    assert advertising.scan_response.hex(" ") == (
        "05 ff 59 00 01 02 04 16 0f 18 4d 02 0a fc 04 09 54 61 67"
    )
    expected = profile.expectation.advertising
    assert expected.services == (
        Uuid(0x180D),
        Uuid(0xFF00),
        Uuid.parse("6e400001-b5a3-f393-e0a9-e50e24dcca9e"),
    )
    assert (expected.name, expected.tx_power, expected.interval) == ("Tag", -4, 1.0)
    assert expected.manufacturer_data == {0x59: b"\x01\x02"}
    assert expected.service_data == {Uuid(0x180F): b"\x4d"}


@pytest.mark.parametrize(
    ("advertising", "name", "data", "response"),
    [
        ("{}", "Tag", b"\x02\x01\x06\x04\x09Tag", b""),
        ("{name: false}", None, b"\x02\x01\x06", b""),
        ("{name: 'false'}", "false", b"\x02\x01\x06\x06\x09false", b""),
        ("{name: Other}", "Other", b"\x02\x01\x06\x06\x09Other", b""),
        ("{scan_response: {name: true}}", "Tag", b"\x02\x01\x06", b"\x04\x09Tag"),
        ("{scan_response: {name: Other}}", "Other", b"\x02\x01\x06", b"\x06\x09Other"),
        (
            "{name: Other, scan_response: {name: true}}",
            "Other",
            b"\x02\x01\x06",
            b"\x06\x09Other",
        ),
    ],
)
def test_the_advertised_name_is_the_devices_another_or_none(
    advertising: str, name: str | None, data: bytes, response: bytes
) -> None:
    profile = loads(HEAD + f"advertising: {advertising}\nservices: []")

    found = profile.advertising
    assert (found.name, found.data, found.scan_response) == (name, data, response)
    assert profile.expectation.advertising.name == name
    assert profile.expectation.device_name == "Tag"


@pytest.mark.parametrize(
    ("security", "pairing", "bonding"),
    [
        ("", False, False),
        ("security: {}", True, False),
        ("security: {bonding: true, io: no_input_no_output}", True, True),
        ("security: {pairing: false}", False, False),
    ],
)
def test_a_device_pairs_only_where_its_profile_says_so(
    security: str, pairing: bool, bonding: bool
) -> None:
    profile = loads(HEAD + f"{security}\nservices: []")

    assert (profile.security.pairing, profile.security.bonding) == (pairing, bonding)
    assert (profile.expectation.pairing, profile.expectation.bonding) == (pairing, bonding)


def test_checks_never_see_the_value_unless_it_is_expected() -> None:
    profile = loads(
        SERVICES
        + """\
      - {uuid: 0xFF01, properties: [read], value: {uint8: 171}}
      - {uuid: 0xFF02, properties: [read], value: {uint8: 205}, expect: same}
"""
    )

    first, second = profile.expectation.characteristics()
    assert first.value.exact is None
    assert first.value.mismatch(b"\x00") is None
    assert second.value.exact == b"\xcd"
    assert "171" not in repr(profile.expectation)


def test_a_profile_error_lists_its_mistakes() -> None:
    with pytest.raises(ProfileError) as caught:
        loads(HEAD + "services: x\nsecurty: 1")

    assert len(caught.value.mistakes) == 2
    assert str(caught.value).count("^") == 2
