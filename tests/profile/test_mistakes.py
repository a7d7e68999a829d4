"""Broken profiles: each gives its mistake at its place, with a remedy."""

from collections.abc import Sequence

import pytest

from bletest.errors import ProfileError
from bletest.profile import loads
from bletest.profile.mistakes import Mistake

HEAD = """\
bletest: 1
name: broken
device: {name: Tag}
"""
SERVICES = (
    HEAD
    + """\
services:
  - uuid: 0xFF00
    characteristics:
"""
)

# The sign ¦ stands before the place of the mistake and is taken out before the profile is read.
TOP_LEVEL = {
    "known issue that nobody can explain": (
        HEAD + "services: []\nknown_issues: [¦{check: read.value}]",
        "`known_issues` lacks `reason`",
        "reason: …",
    ),
    "known issue until a day that is none": (
        HEAD + "services: []\nknown_issues: [{check: a, reason: b, until: ¦2027-02-30}]",
        "`2027-02-30` is no day",
        "2027-03-01",
    ),
    "known issue of what is not there": (
        SERVICES
        + "      - {uuid: 0xFF01, id: level, properties: []}\n"
        + "known_issues: [{check: read.value, reason: b, of: ¦levle}]",
        "no attribute has the id `levle`",
        'did you mean "level"?',
    ),
    "known issue that is there twice": (
        HEAD + "services: []\nknown_issues: [{check: a, reason: b}, {check: ¦a, reason: c}]",
        "`a` is here a second time",
        "remove one",
    ),
    "occasion of a window": (
        HEAD + "services: []\nadvertising: {window: {for: 30s, after: [¦powr_on]}}",
        "`powr_on` is no occasion",
        'did you mean "power_on"?',
    ),
    "window shorter than an interval": (
        HEAD + "services: []\nadvertising: {interval: 2s, window: ¦1s}",
        "a window of 1 s is shorter than the advertising interval",
        "window: {for: 30s}",
    ),
    "window without a length": (
        HEAD + "services: []\nadvertising: {window: ¦{after: power_on}}",
        "`window` lacks `for`",
        "for: …",
    ),
    "fault without an occasion": (
        HEAD + "services: []\nfaults: [¦raed 1 dropped]",
        "`raed` is no occasion",
        'did you mean "read"?',
    ),
    "fault in parts": (
        HEAD + "services: []\nfaults:\n  - {on: read, nth: 1, answers: ¦0x1FF}",
        "0x1FF is out of range",
        "from 1 to 255",
    ),
    "fault with an unknown part": (
        HEAD + "services: []\nfaults:\n  - {on: read, ¦anwsers: 14}",
        "`anwsers` is nothing that can go wrong",
        '"answers"',
    ),
    "fault of an attribute that is not there": (
        HEAD + "services: []\nfaults: [¦level: read 1 dropped]",
        "no attribute has the id `level`",
        "",
    ),
    "faults that are no list": (HEAD + "services: []\nfaults: ¦read", "expected a list", "[read]"),
    "wrong version": ("bletest: ¦2\nname: x\ndevice: {name: T}\nservices: []", "`2`", "bletest: 1"),
    "no services": ("¦" + HEAD, "the profile lacks `services`", "services: …"),
    "unknown key": (HEAD + "¦servces: []\nservices: []", "unknown key `servces`", '"services"'),
    "duplicate key": (HEAD + "services: []\n¦services: []", "a second time", "remove one"),
    "scope that does not exist": (
        HEAD + "state: {phase: {initial: idle, scope: ¦clint}}\nservices: []",
        "`clint` is no scope",
        '"client"',
    ),
    "variable without a beginning": (
        HEAD + "state: {phase: ¦{scope: client}}\nservices: []",
        "`phase` lacks `initial`",
        "initial: …",
    ),
    "state that is never reached": (
        HEAD + "state: {phase: idle}\nservices: [{uuid: 0xFF00, characteristics: [{uuid: 0xFF01,"
        " properties: [write], on_write: [{match: 01, when: {phase: ¦opne}}, {match: 02,"
        " set: {phase: open}}]}]}]",
        "`phase` is never `opne`",
        '"open"',
    ),
    "key that comes later": (
        HEAD + "services: []\n¦control: {a: 1}",
        "`control` comes",
        "leave it",
    ),
    "mode without services": (
        HEAD + "services: []\nmodes: {boot: ¦{device: {name: Dfu}}}",
        "`boot` lacks `services`",
        "services: …",
    ),
    "mode called normal": (
        HEAD + "services: []\nmodes: {¦normal: {services: []}}",
        "without a mode",
        "something else",
    ),
    "mode with a GATT service of its own": (
        HEAD + "services: []\nmodes: {boot: {device: {¦gatt: {eatt: true}}, services: []}}",
        "keeps its GATT service",
        "+1",
    ),
    "mode at no other address": (
        HEAD + "services: []\nmodes: {boot: {device: {address: ¦+0}, services: []}}",
        "no other address",
        "+1",
    ),
    "value in a mode": (
        HEAD + "services: []\nmodes: {boot: {services: [{uuid: 0xFF00, characteristics:"
        " [{uuid: battery_level, properties: [read], value: ¦high}]}]}}",
        "high",
        "",
    ),
    "attribute of another mode": (
        HEAD + "services: [{uuid: 0xFF00, characteristics: [{uuid: 0xFF01, properties: [write],"
        " on_write: [{match: 01, reply: {via: ¦dfu, bytes: 00}}]}]}]\nmodes: {boot: {services:"
        " [{uuid: 0xFF10, characteristics: [{uuid: 0xFF11, id: dfu, properties: [notify]}]}]}}",
        "no characteristic has the id `dfu`",
        "",
    ),
    "service that includes an absent one": (
        HEAD + "services: [{uuid: 0xFF00, includes: ¦[late]},"
        " {uuid: 0xFF10, id: late, present: false}]",
        "not there from the beginning",
        "present: false",
    ),
    "key that is empty": (
        SERVICES
        + "      - {uuid: 0xFF01, properties: [write], on_write: [{match: [{field: mac, length: "
        + "32}], verify: {hmac_sha256: {key: ¦{}, over: mac, equals: mac}}, then: {error: 1}}]}",
        "this key is empty",
        "env",
    ),
    "passkey of five digits": (
        HEAD + "security: {io: display_only, passkey: ¦12345}\nservices: []",
        "`12345` is no passkey",
        "six digits",
    ),
    "passkey pattern without a group": (
        HEAD + "security: {io: display_only, passkey: {console: ¦'PIN: \\d+'}}\nservices: []",
        "0 groups",
        "in parentheses",
    ),
    "passkey pattern that is none": (
        HEAD + "security: {io: display_only, passkey: {console: ¦'PIN: ('}}\nservices: []",
        "no regular expression",
        "`re`",
    ),
    "two passkeys": (
        HEAD
        + "security: {io: display_only, passkey: ¦{fixed: 123456, console: '(x)'}}\nservices: []",
        "either said here or on the console",
        "keep one",
    ),
    "passkey without a display": (
        HEAD + "security: {¦passkey: 123456}\nservices: []",
        "has no use for a passkey",
        "io: display_only",
    ),
    "protection that is impossible": (
        HEAD + "security: {mitm: ¦required}\nservices: []",
        "would refuse everybody",
        "another `io`",
    ),
    "key sizes upside down": (
        HEAD + "security: {key_size: ¦{min: 16, max: 7}}\nservices: []",
        "min 16 is greater than max 7",
        "one of the two",
    ),
    "key size that no key has": (
        HEAD + "security: {key_size: ¦6}\nservices: []",
        "6 is out of range",
        "from 7 to 16",
    ),
    "key that nobody distributes": (
        HEAD + "security: {key_distribution: {device: [¦link]}}\nservices: []",
        "`link` is no key that is distributed",
        "encryption",
    ),
    "what to do without room": (
        HEAD + "security: {bonding: {max: 4, when_full: ¦forget}}\nservices: []",
        "`forget`",
        "refuse",
    ),
    "key size that this device cannot have": (
        HEAD
        + "security: {key_size: 7}\nservices: [{uuid: 0x180F, characteristics: "
        + "[{uuid: 0xFF01, properties: [read], value: {uint8: 1}, "
        + "read: ¦{access: encrypted, key_size: 16}}]}]",
        "at most 7 octets",
        "security.key_size",
    ),
    "secure connections that this device lacks": (
        HEAD
        + "security: {secure_connections: unsupported}\nservices: [{uuid: 0x180F, "
        + "characteristics: [{uuid: 0xFF01, properties: [read], value: {uint8: 1}, "
        + "read: ¦secure_connections}]}]",
        "does not know LE Secure Connections",
        "unsupported",
    ),
    "io that does not exist": (
        HEAD + "security: {io: ¦no_input}\nservices: []",
        "`no_input` is no IO capability",
        '"no_input_no_output"',
    ),
    "nothing after a key": (HEAD + "services: []\n¦security:", "has no value", "write one"),
    "scalar for a mapping": (HEAD + "services: []\nsecurity: ¦bonded", "a mapping", "bonding"),
    "mapping for a list": (HEAD + "services: ¦{uuid: 0x180F}", "expected a list", "after a `-`"),
    "name with a space": (
        "bletest: 1\nname: ¦my tag\ndevice: {name: T}\nservices: []",
        "is no name",
        "letters",
    ),
    "truth in other words": (
        HEAD + "security: {bonding: ¦on}\nservices: []",
        "expected true or false",
        '"true"',
    ),
    "duration without a unit": (
        HEAD + "advertising: {interval: ¦100}\nservices: []",
        "has no unit",
        "100ms",
    ),
    "interval out of range": (
        HEAD + "advertising: {interval: ¦1ms}\nservices: []",
        "out of range",
        "20ms",
    ),
    "octets with an odd digit": (
        HEAD + "advertising: {manufacturer_data: {0x0059: ¦01 2}}\nservices: []",
        "3 digits",
        "a digit is missing",
    ),
    "company out of range": (
        HEAD + "advertising: {manufacturer_data: {¦0x10059: 01}}\nservices: []",
        "out of range",
        "65535",
    ),
    "company twice": (
        HEAD + "advertising: {manufacturer_data: {0x0059: 01, ¦89: 02}}\nservices: []",
        "written differently",
        "remove one",
    ),
    "advertising too long": (
        HEAD + "advertising: {services: ¦[" + ", ".join(f"0x{n:04X}" for n in range(20)) + "]}\n"
        "services: []",
        "`services` is the first that does not",
        "scan response",
    ),
    "name too long to advertise": (
        "bletest: 1\nname: x\ndevice: {name: ¦" + "n" * 30 + "}\nservices: []",
        "35 octets, 31 fit",
        "scan_response: {name: true}",
    ),
    "scan response too long": (
        HEAD + "advertising: {scan_response: {service_data: ¦{0x180F: " + "00" * 40 + "}}}\n"
        "services: []",
        "the scan response would have 44 octets",
        "shorten it",
    ),
    "address that is no static one": (
        "bletest: 1\nname: x\ndevice: {name: T, address: ¦10:11:22:33:44:55}\nservices: []",
        "no static random address",
        "D0",
    ),
    "appearance that does not exist": (
        "bletest: 1\nname: x\ndevice: {name: T, appearance: ¦hart_rate_belt}\nservices: []",
        "no appearance",
        '"heart_rate_belt"',
    ),
    "mtu out of range": (
        "bletest: 1\nname: x\ndevice: {name: T, mtu: ¦22}\nservices: []",
        "22 is out of range",
        "23",
    ),
    "bonds without pairing": (
        HEAD + "security: {pairing: false, bonding: ¦true}\nservices: []",
        "no bonds",
        "pairing: false",
    ),
    "service that is implied": (HEAD + "services: [{uuid: ¦gap}]", "every device has", "`device`"),
    "include of nothing": (
        HEAD + "services: [{uuid: 0xFF00, includes: [¦other]}]",
        "no service has the id `other`",
        "0xFF00",
    ),
}

CHARACTERISTICS = {
    "uuid that does not exist": (
        "{uuid: ¦battery_levl, properties: [read], value: 77}",
        "`battery_levl` is neither",
        '"battery_level"',
    ),
    "properties lacking": ("¦{uuid: 0xFF01}", "lacks `properties`", "properties: …"),
    "property that does not exist": (
        "{uuid: 0xFF01, properties: [¦notifi]}",
        "no property",
        '"notify"',
    ),
    "property twice": (
        "{uuid: 0xFF01, properties: [notify, ¦notify]}",
        "a second time",
        "remove it",
    ),
    "readable without a value": (
        "¦{uuid: 0xFF01, properties: [read]}",
        "has no value",
        "value: …",
    ),
    "value without a type": (
        "{uuid: 0xFF01, properties: [read], value: ¦77}",
        "needs its type",
        "{uint8: 77}",
    ),
    "type that does not exist": (
        "{uuid: 0xFF01, properties: [read], value: {¦unit8: 1}}",
        "`unit8`",
        '"uint8"',
    ),
    "number out of range": (
        "{uuid: 0xFF01, properties: [read], value: {uint8: ¦256}}",
        "out of range",
        "255",
    ),
    "value the codec refuses": (
        "{uuid: battery_level, properties: [read], value: ¦101}",
        "battery_level cannot be `101`",
        "0 to 100",
    ),
    "fields lacking": (
        "{uuid: pnp_id, properties: [read], value: ¦{vendor_id: 1}}",
        "`vendor_id_source`, `product_id`, `product_version`",
        "fields:",
    ),
    "field that does not exist": (
        "{uuid: heart_rate_measurement, properties: [notify],"
        " value: {¦heart_rat: 60, sensor_contact: detected}}",
        "no field `heart_rat`",
        '"heart_rate"',
    ),
    "enumeration by a wrong name": (
        "{uuid: body_sensor_location, properties: [read], value: ¦ches}",
        "not one of its names",
        '"chest"',
    ),
    "field that gets lost": (
        "{uuid: heart_rate_measurement, properties: [notify],"
        " value: {heart_rate: 60, sensor_contact: detected, sensor_location: ¦chest}}",
        "`sensor_location` would be lost",
        "leave it out",
    ),
    "value longer than length": (
        "{uuid: 0xFF01, properties: [read], length: 2, value: ¦{hex: 01 02 03}}",
        "3 octets, `length` allows 2",
        "change one",
    ),
    "same as nothing": (
        "{uuid: 0xFF01, properties: [notify], expect: ¦same}",
        "needs a `value`",
        "value: …",
    ),
    "value outside expect": (
        "{uuid: 0xFF01, properties: [read], value: ¦{uint8: 7}, expect: {min: 10}}",
        "it is 7, not at least 10",
        "change one",
    ),
    "expected field that does not exist": (
        "{uuid: heart_rate_measurement, properties: [notify], expect: {¦hart_rate: {min: 1}}}",
        "no field `hart_rate`",
        '"heart_rate"',
    ),
    "bounds of no number": (
        "{uuid: heart_rate_measurement, properties: [notify], expect: {sensor_contact: {min: ¦1}}}",
        "no number",
        "one_of",
    ),
    "bounds the wrong way round": (
        "{uuid: 0xFF01, properties: [read], value: {uint8: 1}, expect: {min: ¦2, max: 0}}",
        "greater than max",
        "swap",
    ),
    "permission without property": (
        "{uuid: 0xFF01, properties: [notify], ¦read: encrypted}",
        "`read` asks for security",
        "add read",
    ),
    "permission nobody can get": (
        "{uuid: 0xFF01, properties: [write], write: ¦encrypted}",
        "does not pair",
        "security: {bonding: true}",
    ),
    "permission that does not exist": (
        "{uuid: 0xFF01, properties: [write], write: ¦encripted}",
        "no permission",
        '"encrypted"',
    ),
    "key size of a plain link": (
        "{uuid: 0xFF01, properties: [write], write: {access: authorized, key_size: ¦16}}",
        "only on an encrypted link",
        "access: encrypted",
    ),
    "fresh without authorization": (
        "{uuid: 0xFF01, properties: [write], write: {access: open, fresh: ¦30s}}",
        "more or less fresh",
        "access: authorized",
    ),
    "schedule without property": (
        "{uuid: 0xFF01, properties: [read], value: {uint8: 1}, ¦notify: {every: 1s}}",
        "notifies or indicates",
        "add notify",
    ),
    "schedule with nothing to send": (
        "{uuid: 0xFF01, properties: [notify], ¦notify: {every: 1s}}",
        "nothing to send",
        "sequence",
    ),
    "tolerance that is no share": (
        "{uuid: 0xFF01, properties: [notify], value: {uint8: 1},"
        " notify: {every: 1s, tolerance: ¦20}}",
        "is no share",
        "20%",
    ),
    "ramp of a field that does not exist": (
        "{uuid: heart_rate_measurement, properties: [notify],"
        " value: {heart_rate: 60, sensor_contact: detected},"
        " notify: {every: 1s, values: {ramp: {of: ¦rate, from: 1, to: 2}}}}",
        "no field `rate`",
        "heart_rate",
    ),
    "ramp beyond the type": (
        "{uuid: 0xFF01, properties: [notify], value: {uint8: 0},"
        " notify: {every: 1s, values: {ramp: ¦{from: 0, to: 300}}}}",
        "leaves the range",
        "255",
    ),
    "ramp without end": (
        "{uuid: 0xFF01, properties: [notify], value: {uint32: 0},"
        " notify: {every: 1s, values: {ramp: ¦{from: 0, to: 4294967295}}}}",
        "more than 4096 values",
        "larger step",
    ),
    "schedule outside expect": (
        "{uuid: 0xFF01, properties: [notify], value: {uint8: 1}, expect: {max: 2},"
        " notify: {every: 1s, values: {sequence: [{uint8: 1}, ¦{uint8: 3}]}}}",
        "does not meet `expect`",
        "change one",
    ),
    "rules of what cannot be written": (
        "{uuid: 0xFF01, properties: [notify], ¦on_write: []}",
        "can be written",
        "add write",
    ),
    "rule without condition": (
        "{uuid: 0xFF01, properties: [write], on_write: [¦{error: 0x80}]}",
        "no condition",
        "otherwise: true",
    ),
    "error code out of range": (
        "{uuid: 0xFF01, properties: [write], on_write: [{otherwise: true, error: ¦0x20}]}",
        "no ATT error code",
        "0x80 to 0x9F",
    ),
    "error code by a wrong name": (
        "{uuid: 0xFF01, properties: [write], on_write: [{otherwise: true, error: ¦not_allowed}]}",
        "no ATT error code",
        '"value_not_allowed"',
    ),
    "error of a command": (
        "{uuid: 0xFF01, properties: [write_without_response],"
        " on_write: [{otherwise: true, ¦error: 0x80}]}",
        "only a Write Request",
        "add write",
    ),
    "rule never reached": (
        "{uuid: 0xFF01, properties: [write], on_write: [{otherwise: true}, ¦{match: 01}]}",
        "never reached",
        "to the end",
    ),
    "match of an impossible length": (
        "{uuid: 0xFF01, properties: [write], length: 1, on_write: [{match: ¦01 02}]}",
        "never matches",
        "`length`",
    ),
    "reply through nothing": (
        "{uuid: 0xFF01, id: status, properties: [write, notify],"
        " on_write: [{match: 01, reply: {via: ¦statsu, bytes: 00}}]}",
        "no characteristic has the id",
        '"status"',
    ),
    "reply through what cannot send": (
        "{uuid: 0xFF01, id: status, properties: [write],"
        " on_write: [{match: 01, reply: {via: ¦status, bytes: 00}}]}",
        "can neither notify nor indicate",
        "add notify",
    ),
    "indication from what only notifies": (
        "{uuid: 0xFF01, id: status, properties: [write, notify],"
        " on_write: [{match: 01, echo: {via: status, as: ¦indication}}]}",
        "cannot send an indication",
        "add indicate",
    ),
    "reply without a value": (
        "{uuid: 0xFF01, id: status, properties: [write, notify],"
        " on_write: [{match: 01, reply: ¦{via: status}}]}",
        "no value",
        "bytes: …",
    ),
    "mode that does not exist": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: 01, enter: ¦boot}]}",
        "no mode `boot`",
        "add modes: {boot: {services: […]}}",
    ),
    "service that does not exist": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: 01, add_service: ¦log}]}",
        "no service has the id `log`",
        "",
    ),
    "control point without rules": (
        "{uuid: 0xFF01, properties: [write], ¦control_point: true}",
        "decides by rules",
        "add `on_write`",
    ),
    "procedure that does not exist": (
        "{uuid: 0xFF01, properties: [write, indicate], procedure: {¦rcap: {}}}",
        "unknown key `rcap`",
        '"racp"',
    ),
    "transfer without a control point": (
        "{uuid: 0xFF01, id: d, properties: [write_without_response], procedure:"
        " {transfer: {control: ¦x, image: {size: 10}}}}",
        "no characteristic has the id `x`",
        "",
    ),
    "transfer whose control point says nothing": (
        "{uuid: 0xFF01, id: c, properties: [write]}\n      - {uuid: 0xFF02, properties:"
        " [write_without_response], procedure: {transfer: {control: ¦c, image: {size: 10}}}}",
        "`c` can neither notify nor indicate",
        "add notify",
    ),
    "transfer whose control point has a rule for everything": (
        "{uuid: 0xFF01, id: c, properties: [write, notify], on_write: [{otherwise: true, error:"
        " 0x80}]}\n      - {uuid: 0xFF02, properties: [write_without_response], procedure:"
        " {transfer: {control: ¦c, image: {size: 10}}}}",
        "takes everything",
        "remove it",
    ),
    "transfer that controls itself": (
        "{uuid: 0xFF01, id: c, properties: [write, write_without_response, notify], procedure:"
        " {transfer: {control: ¦c, image: {size: 10}}}}",
        "no other procedure",
        "one of its own",
    ),
    "transfer with requests for data": (
        "{uuid: 0xFF01, id: c, properties: [write, notify]}\n      - {uuid: 0xFF02, properties:"
        " [write], procedure: {¦transfer: {control: c, image: {size: 10}}}}",
        "without response",
        "add write_without_response",
    ),
    "transfer without an image": (
        "{uuid: 0xFF01, id: c, properties: [write, notify]}\n      - {uuid: 0xFF02, properties:"
        " [write_without_response], procedure: {transfer: {control: c, image: ¦{}}}}",
        "no content",
        "size: …",
    ),
    "image in a file beside no profile": (
        "{uuid: 0xFF01, id: c, properties: [write, notify]}\n      - {uuid: 0xFF02, properties:"
        " [write_without_response], procedure: {transfer: {control: c, image:"
        " {file: ¦app.bin}}}}",
        "no files beside it",
        "",
    ),
    "init packet that is too long": (
        "{uuid: 0xFF01, id: c, properties: [write, notify]}\n      - {uuid: 0xFF02, properties:"
        " [write_without_response], procedure: {transfer: {control: c, image: {size: 10},"
        " init: ¦{size: 513}}}}",
        "512 octets at most",
        "shorten it",
    ),
    "two procedures": (
        "{uuid: 0xFF01, id: c, properties: [write, notify]}\n      - {uuid: 0xFF02, id: d,"
        " properties: [write_without_response, write, indicate, notify], procedure:"
        " ¦{transfer: {control: c, image: {size: 10}}, racp: {via: d, records: {count: 1,"
        " template: {hex: 00}}}}}",
        "one procedure",
        "remove one",
    ),
    "procedure without a name": (
        "{uuid: 0xFF01, properties: [write, indicate], procedure: ¦{}}",
        "has no name",
        "racp",
    ),
    "records without a number": (
        "{uuid: 0xFF01, id: x, properties: [write, indicate, notify], procedure:"
        " {racp: {via: x, records: ¦{count: 1, template: {hex: 00}}}}}",
        "hex has no field `sequence_number`",
        "fields of a codec",
    ),
    "records through what is not there": (
        "{uuid: 0xFF01, id: control, properties: [write, indicate], procedure:"
        " {racp: {via: ¦contrl, records: {count: 1, template: {hex: 00}}}}}",
        "no characteristic has the id `contrl`",
        '"control"',
    ),
    "too many records": (
        "{uuid: 0xFF01, id: x, properties: [write, indicate, notify], procedure:"
        " {racp: {via: x, records: {count: ¦1001, template: {hex: 00}}}}}",
        "1001 is out of range",
        "1 to 1000",
    ),
    "records of a control point that cannot answer": (
        "{uuid: glucose_measurement, id: x, properties: [write, notify], procedure:"
        " {¦racp: {via: x, records: {count: 1, template:"
        " {sequence_number: 1, base_time: 2026-01-01T08:00:00}}}}}",
        "has the property indicate",
        "add indicate",
    ),
    "records that their characteristic forbids": (
        "{uuid: glucose_measurement, id: x, properties: [write, notify, indicate], length: 4,"
        " procedure: {racp: {via: x, records: {count: 1, template:"
        " ¦{sequence_number: 1, base_time: 2026-01-01T08:00:00}}}}}",
        "it has 10 octets, not 4",
        "change one of the two",
    ),
    "rules beside a procedure": (
        "{uuid: glucose_measurement, id: x, properties: [write, notify, indicate],"
        " on_write: [{match: 01}], ¦procedure: {racp: {via: x, records: {count: 1, template:"
        " {sequence_number: 1, base_time: 2026-01-01T08:00:00}}}}}",
        "beside it there are no rules",
        "remove `on_write`",
    ),
    "state nobody declared": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: 01, set: {¦phase: open}}]}",
        "the state has no variable `phase`",
        "state: {phase: {initial: idle}}",
    ),
    "rule without a condition, with an effect": (
        "{uuid: 0xFF01, properties: [write], on_write: [¦{disconnect: true}]}",
        "no condition",
        "otherwise: true",
    ),
    "function that does not exist": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: [{field: a, length: 4}],"
        " verify: {¦crc23: {over: a, equals: a}}}]}",
        "`crc23` is no function of a profile",
        '"crc32"',
    ),
    "function of what is not there": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: [{field: data, length: 4}],"
        " verify: {crc32: {over: ¦date, equals: data}}}]}",
        "are called `date`",
        '"data"',
    ),
    "field of another length than the function's": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: [{field: data, length: 2}],"
        " verify: {crc32: {over: data, equals: ¦data}}}]}",
        "`data` has 2 octets, crc32 gives 4",
        "length: …",
    ),
    "function without its key": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: [{field: data, length: 16}],"
        " verify: {aes_cmac: ¦{over: data, equals: data}}}]}",
        "aes_cmac takes a key",
        "env: NAME",
    ),
    "key of the wrong length": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: [{field: data, length: 16}],"
        " verify: {aes_cmac: {key: ¦00, over: data, equals: data}}}]}",
        "this key has 1 octet",
        "16",
    ),
    "key where none is taken": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: [{field: data, length: 4}],"
        " verify: {crc32: {¦key: 00, over: data, equals: data}}}]}",
        "unknown key `key` of crc32",
        "over",
    ),
    "two functions": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: [{field: a, length: 4}],"
        " verify: ¦{crc32: {over: a, equals: a}, crc16: {over: a, equals: a}}}]}",
        "names one function",
        "hmac_sha256",
    ),
    "else without verify": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: 01, ¦else: {error: 0x80}}]}",
        "`else` follows `verify`",
        "add `verify`",
    ),
    "effects in two places": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: [{field: a, length: 4}],"
        " verify: {crc32: {over: a, equals: a}}, disconnect: true, ¦then: {error: 0x80}}]}",
        "under `then`, and beside it",
        "move all",
    ),
    "nothing to expire": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: 01, ¦expires: 5s}]}",
        "nothing here that could expire",
        "`set`",
    ),
    "field named twice": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: [{field: a, length: 1},"
        " {field: ¦a}]}]}",
        "`a` is a field already",
        "rename",
    ),
    "part that is none": (
        "{uuid: 0xFF01, properties: [write, notify], id: x, on_write: [{match: 01,"
        " reply: {via: x, bytes: [00, {¦randm: 4}]}}]}",
        "`randm` is no part",
        '"random"',
    ),
    "random octets without end": (
        "{uuid: 0xFF01, properties: [write, notify], id: x, on_write: [{match: 01,"
        " reply: {via: x, bytes: [{random: ¦9999}]}}]}",
        "9999 is out of range",
        "1 to 512",
    ),
    "reply of parts too long for its characteristic": (
        "{uuid: 0xFF01, properties: [write, notify], id: x, length: 4, on_write: [{match:"
        " 01 02 03 04, reply: ¦{via: x, bytes: [00, {random: 4}]}}]}",
        "this reply has 5 octets",
        "shorten",
    ),
    "pattern longer than a write": (
        "{uuid: 0xFF01, properties: [write], length: 2, on_write: [{match:"
        " ¦[01, {field: a, length: 2}]}]}",
        "never matches: it has 3 octets, a write has 2",
        "`length`",
    ),
    "receiver that is none": (
        "{uuid: 0xFF01, properties: [write, notify], id: x, on_write: [{match: 01,"
        " reply: {via: x, bytes: 00, to: ¦everybody}}]}",
        "`everybody` is no kind of receiver",
        "subscribers",
    ),
    "match of parts": (
        "{uuid: 0xFF01, properties: [write], on_write: [{match: [01, ¦{field: mac}, 02]}]}",
        "where does `mac` end?",
        "add `length: …`",
    ),
    "side effect of what cannot be written": (
        "{uuid: 0xFF01, properties: [notify], ¦side_effect: actuates}",
        "cannot be written",
        "remove it",
    ),
    "descriptor that is implied": (
        "{uuid: 0xFF01, properties: [notify], descriptors: [{uuid: ¦0x2902, value: {hex: 00 00}}]}",
        "implied by the properties",
        "notify",
    ),
    "description that nobody may write": (
        "{uuid: 0xFF01, properties: [notify], descriptors:"
        " [{uuid: 0x2901, value: Tag, properties: ¦[read, write]}]}",
        "writable_auxiliaries",
        "add it",
    ),
}

SYNTAX = {
    "tab": (HEAD + "services:\n¦\t- uuid: 0xFF00", "no value starts", "never tabs"),
    "tag": (HEAD + "services: ¦!!python/name:os.system []", "YAML tag", "remove the tag"),
    "second document": (HEAD + "services: []\n¦---\nname: b", "second document", "one profile"),
    "colon in a text": (HEAD + "services: a¦: b", "makes no sense", "quote"),
    "alias of nothing": (HEAD + "services: ¦*none", "no anchor &none", "quote"),
    "alias of itself": (HEAD + "services: &all [¦*all]", "inside what it refers to", "write it"),
    "key that is a list": (HEAD + "services: []\n¦[a]: b", "a key has to be plain text", "quotes"),
    "no mapping": ("¦- bletest: 1", "a profile is a mapping", "bletest: 1"),
    "nothing": ("¦", "nothing in this profile", "bletest: 1"),
    "only a comment": ("¦# later", "nothing in this profile", "bletest: 1"),
    "control character": (HEAD + "services: ¦\x07", "control character 0x07", "UTF-8"),
}


def cases() -> Sequence[object]:
    found = [pytest.param(*case, id=name) for name, case in (TOP_LEVEL | SYNTAX).items()]
    return found + [
        pytest.param(SERVICES + f"      - {text}\n", message, remedy, id=name)
        for name, (text, message, remedy) in CHARACTERISTICS.items()
    ]


def mistakes_of(text: str) -> tuple[Mistake, ...]:
    with pytest.raises(ProfileError) as caught:
        loads(text, "broken.yaml")
    return caught.value.mistakes  # type: ignore[return-value]


@pytest.mark.parametrize(("marked", "message", "remedy"), cases())
def test_a_broken_profile_gives_its_one_mistake_at_its_place_with_a_remedy(
    marked: str, message: str, remedy: str
) -> None:
    before, _, after = marked.partition("¦")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1

    (mistake,) = mistakes_of(before + after)

    assert (mistake.line, mistake.column) == (line, column), str(mistake)
    assert message in mistake.message
    assert remedy in mistake.remedy


def test_a_mistake_prints_position_line_caret_and_remedy() -> None:
    (mistake,) = mistakes_of(HEAD + "services: []\nsecurty: {bonding: true}")

    assert str(mistake) == (
        "broken.yaml:5:1: unknown key `securty`\n"
        "    securty: {bonding: true}\n"
        "    ^\n"
        '    did you mean "security"?'
    )


def test_the_caret_stands_under_the_mistake_after_a_tab_and_in_a_long_line() -> None:
    tabbed = Mistake("f", 1, 3, "\t\tx", "m")
    long = Mistake("f", 1, 181, "a" * 180 + "X" + "b" * 100, "m")

    _, shown, caret = str(tabbed).splitlines()
    assert caret == "    \t\t^"
    _, shown, caret = str(long).splitlines()
    assert shown[caret.index("^")] == "X"
    assert len(shown) <= 100


def test_mistakes_of_shape_and_of_meaning_are_reported_together_in_file_order() -> None:
    text = SERVICES + (
        "      - {uuid: 0xFF01, properties: [raed], value: {uint8: 300}}\n"
        "      - {uuid: 0xFF02, properties: [write], on_write:"
        " [{match: 01, reply: {via: nobody, bytes: 0G}}], colour: red}\n"
    )

    found = mistakes_of(text)

    assert [(one.line, one.column) for one in found] == sorted(
        (one.line, one.column) for one in found
    )
    assert len(found) == 5
    for part in ("`raed`", "300", "`nobody`", "`0G`", "`colour`"):
        assert sum(part in one.message for one in found) == 1


def test_what_follows_from_another_mistake_is_not_reported() -> None:
    text = SERVICES + (
        "      - {uuid: 0xFF01, id: s p a c e, properties: [notfy], notify: {every: 1s},"
        " value: {uint8: 1}}\n"
        "      - {uuid: batery_level, properties: [write], value: 77, expect: {min: 0},"
        " on_write: [{match: 01, reply: {via: s p a c e, bytes: 00}}]}\n"
    )

    messages = [one.message for one in mistakes_of(text)]

    assert len(messages) == 3
    assert any("is no name" in one for one in messages)
    assert any("`notfy`" in one for one in messages)
    assert any("`batery_level`" in one for one in messages)


def test_every_field_of_a_value_that_is_wrong_is_reported() -> None:
    text = SERVICES + (
        "      - {uuid: heart_rate_measurement, properties: [notify],"
        " value: {heart_rat: 60, sensor_contact: detectd}}\n"
    )

    first, second = mistakes_of(text)

    assert "`heart_rat`" in first.message
    assert "`detectd`" in second.message
