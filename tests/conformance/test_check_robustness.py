"""Servers that answer nonsense with nonsense, or with silence."""

import asyncio

import pytest

from tests.support.rich_device import Fault, findings_of, identifiers, meddle, recode
from tests.support.table_client import Meddler


def deaf_to(*opcodes: int) -> Meddler:
    return Meddler(deaf=lambda request: request[0] in opcodes)


def answering(*opcodes: int) -> Meddler:
    return Meddler(
        answer=lambda request, right: (
            bytes([0x01, request[0], 0, 0, 0x06]) if request[0] in opcodes else right
        )
    )


FAULTS = [
    meddle("att.unsupported_request", "UNLIKELY_ERROR", recode(0x06, 0x0E), count=3),
    meddle("att.unsupported_request", "no answer", deaf_to(0x24, 0x3E, 0x3F), count=3),
    meddle("att.unsupported_command", "request 0x", answering(0x40, 0x54, 0x7F), count=3),
    meddle("att.stray", "request 0x", answering(0x1E, 0x0B, 0x13), count=3),
    meddle("att.truncated", "UNLIKELY_ERROR", recode(0x04, 0x0E), count=12),
    meddle("att.uuid_length", "UNLIKELY_ERROR", recode(0x04, 0x0E), count=2),
    meddle("att.range", "UNLIKELY_ERROR", recode(0x01, 0x0E), count=6),
    meddle("att.read_by_type_range", "UNLIKELY_ERROR", recode(0x01, 0x0E), count=2),
    meddle("att.group_type", "ATTRIBUTE_NOT_FOUND", recode(0x10, 0x0A)),
    meddle("att.nothing_found", "INVALID_HANDLE", recode(0x0A, 0x01)),
    meddle("att.read_by_type_nothing", "INVALID_HANDLE", recode(0x0A, 0x01)),
    meddle("att.find_information_end", "INVALID_HANDLE", recode(0x0A, 0x01)),
    meddle("handle.read", "ATTRIBUTE_NOT_FOUND", recode(0x01, 0x0A), count=2),
    meddle("handle.blob", "ATTRIBUTE_NOT_FOUND", recode(0x01, 0x0A), count=2),
    meddle("handle.read_multiple", "ATTRIBUTE_NOT_FOUND", recode(0x01, 0x0A), count=2),
    meddle("handle.read_multiple_variable", "ATTRIBUTE_NOT_FOUND", recode(0x01, 0x0A), count=2),
    meddle("handle.write", "ATTRIBUTE_NOT_FOUND", recode(0x01, 0x0A), count=2),
    meddle("handle.prepare", "ATTRIBUTE_NOT_FOUND", recode(0x01, 0x0A), count=2),
    meddle("att.execute_nothing", "no answer", deaf_to(0x18), count=2),
    meddle("att.execute_flags", "no answer", deaf_to(0x18)),
    meddle(
        "att.trailing", "no answer", Meddler(deaf=lambda request: len(request) in (4, 6)), count=3
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=identifiers(FAULTS))
def test_a_server_that_answers_nonsense_wrongly_is_found_out(fault: Fault) -> None:
    asyncio.run(fault.judge())


def test_a_server_that_is_dead_after_an_unknown_command_is_found_out() -> None:
    for finding in asyncio.run(findings_of("att.unsupported_command", deaf_to(0x10))):
        assert finding.expected.startswith("the device goes on answering")
        assert finding.observed == "no answer"
