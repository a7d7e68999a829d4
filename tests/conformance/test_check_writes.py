"""Devices that do something else when they are written."""

import asyncio

import pytest

from tests.support.rich_device import Fault, change, identifiers, meddle, recode, replying
from tests.support.table_client import Meddler

FORGETS = replying(lambda request: request[0] == 0x12, b"\x13")
NO_EXECUTION = Meddler(deaf=lambda request: request[0] == 0x18)
ANSWERS_COMMANDS = Meddler(
    answer=lambda request, right: (
        bytes([0x01, request[0], 0, 0, 0x06]) if request[0] & 0x40 else right
    )
)


def wrong_echo(request: bytes, right: bytes | None) -> bytes | None:
    return right[:-1] + bytes([right[-1] ^ 1]) if right and right[0] == 0x17 else right


FAULTS = [
    meddle("write.accepted", "octet", FORGETS, count=4),
    meddle("write.refused", "UNLIKELY_ERROR", recode(0x03, 0x0E), count=6),
    meddle("write.too_long", "INVALID_OFFSET", recode(0x0D, 0x07), count=5),
    change(
        "write.too_long",
        "accepted",
        (
            "label, properties: [read, write], value: {text: a}, length: {min: 1, max: 40}",
            "label, properties: [read, write], value: {text: a}, length: {min: 1, max: 41}",
        ),
    ),
    meddle("write.too_short", "INVALID_OFFSET", recode(0x0D, 0x07), count=5),
    meddle("write.longest", "61 (1 octet)", FORGETS),
    meddle("command.delivered", "00 (1 octet)", Meddler(deaf=lambda request: request[0] == 0x52)),
    meddle("command.refused", "REQUEST_NOT_SUPPORTED", ANSWERS_COMMANDS, count=2),
    change(
        "command.too_long",
        "00 00 (2 octets)",
        ("response], value: {uint8: 0}", "response], length: {min: 1, max: 2}, value: {hex: 00}"),
    ),
    meddle("descriptor.write", "61 62", FORGETS),
    meddle("descriptor.write_refused", "UNLIKELY_ERROR", recode(0x03, 0x0E), count=4),
    change("write.rule", "0x80", ("{match: 01, reply", "{match: 03, reply")),
    change("write.rule", "2 of 3 in time, instead 05 07", ("04 05 06", "04 05 07")),
    change("write.rule", "0 of 3 in time", ("100ms, within: 500ms", "900ms, within: 2s")),
    change("write.rule", "0x82", ("error: 0x81", "error: 0x82")),
    change("write.otherwise", "0x83", ("error: 0x80", "error: 0x83")),
    meddle("write.otherwise", "none in time", Meddler(deaf=lambda request: request[0] == 0x52)),
    meddle("write.prepared", "PDU 17", Meddler(answer=wrong_echo), count=4),
    meddle("write.cancelled", "no answer", NO_EXECUTION, count=4),
    meddle("write.forgotten", "no answer", NO_EXECUTION, count=4),
    meddle("write.prepared_too_long", "UNLIKELY_ERROR", recode(0x0D, 0x0E), count=4),
    meddle("write.prepared_offset", "UNLIKELY_ERROR", recode(0x07, 0x0E), count=4),
    meddle("write.prepared_refused", "UNLIKELY_ERROR", recode(0x03, 0x0E), count=6),
    meddle("write.queue_limit", "UNLIKELY_ERROR", recode(0x09, 0x0E), count=4),
    meddle("signed.forged", "REQUEST_NOT_SUPPORTED", ANSWERS_COMMANDS),
]


@pytest.mark.parametrize("fault", FAULTS, ids=identifiers(FAULTS))
def test_a_device_that_does_something_else_is_found_out(fault: Fault) -> None:
    asyncio.run(fault.judge())
