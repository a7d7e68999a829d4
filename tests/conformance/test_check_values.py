"""Devices that give other values than promised, or give away what is not readable."""

import asyncio

import pytest

from tests.support.rich_device import Fault, altering, change, identifiers, meddle, recode, replying

UNLIKELY = recode(0x02, 0x0E)
LONG = ("x" * 130, "x" * 129 + "y")


def beyond(request: bytes) -> bool:
    return request[0] == 0x0C and request[3:] == b"\x01\x02"


AGGREGATE_OF_A_SERVICE = altering(0x0B, lambda pdu: pdu[:1] + b"\x01\x00\x01\x00")

HANDLE_OF_A_SERVICE = altering(0x09, lambda pdu: pdu[:2] + b"\x01\x00" + pdu[4:])


def from_the_second_octet(request: bytes) -> bool:
    return request[0] == 0x0C and request[3:] == b"\x01\x00"


FAULTS = [
    change("read.value", "08", ("value: {uint8: 7}", "value: {uint8: 8}")),
    change(
        "read.value",
        "READ_NOT_PERMITTED",
        ("level, properties: [read]", "level, properties: [notify]"),
    ),
    meddle("read.refused", "UNLIKELY_ERROR", UNLIKELY, count=6),
    meddle("read.by_uuid_refused", "UNLIKELY_ERROR", UNLIKELY, count=6),
    meddle("read.blob_refused", "UNLIKELY_ERROR", UNLIKELY, count=6),
    meddle("read.multiple_refused", "UNLIKELY_ERROR", UNLIKELY),
    meddle("read.multiple_variable_refused", "UNLIKELY_ERROR", UNLIKELY),
    change("read.long", "130 octets", LONG),
    meddle("read.by_uuid", "01 00", HANDLE_OF_A_SERVICE, count=8),
    meddle("read.blob", "PDU 0d 3f", replying(from_the_second_octet, b"\x0d?")),
    meddle("read.blob_beyond_end", "PDU 0d (1 octet)", replying(beyond, b"\x0d"), count=8),
    meddle("read.multiple", "PDU 0f", altering(0x0F, lambda pdu: pdu[:1] + pdu[:0:-1])),
    meddle("read.multiple_variable", "PDU 21", altering(0x21, lambda pdu: pdu[:1] + pdu[:0:-1])),
    change("descriptor.value", "09 01", ("01 07 01", "01 09 01")),
    change("descriptor.long", "130 octets", LONG),
    meddle("descriptor.refused", "UNLIKELY_ERROR", UNLIKELY),
    change("descriptor.presentation_format", "6 octets", ("01 06 01", "01 06")),
    change(
        "descriptor.presentation_format", "0x00", ("04 00 AD 27 01 06 01", "00 00 AD 27 01 06 01")
    ),
    meddle("descriptor.aggregate_format", "0x0001", AGGREGATE_OF_A_SERVICE, count=2),
]


@pytest.mark.parametrize("fault", FAULTS, ids=identifiers(FAULTS))
def test_a_value_that_is_not_as_promised_is_found_out(fault: Fault) -> None:
    asyncio.run(fault.judge())
