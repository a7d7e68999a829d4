"""Reading values and descriptors: GAR."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from bletest.att import procedures
from bletest.errors import AttributeRefused
from bletest.uuids import Uuid
from tests.conformance.client.registry import ClientLab, case
from tests.support.scripted_server import (
    DESCRIBED,
    LONG,
    LONG_VALUE,
    PRESENTED,
    SHORT,
    error,
    u16,
)

INVALID_HANDLE, READ_NOT_PERMITTED, INVALID_OFFSET = 0x01, 0x02, 0x07
AUTHENTICATION, AUTHORIZATION, NOT_FOUND, KEY_SIZE = 0x05, 0x08, 0x0A, 0x0C


async def refused(lab: ClientLab, procedure: Any, code: int) -> None:
    """A procedure ends with that error."""
    with pytest.raises(AttributeRefused) as caught:
        await lab.client.run(procedure)
    assert caught.value.code == code


def errors(group: str, codes: dict[str, int], body: Callable[[ClientLab, int], Any]) -> None:
    """Register a case for each code."""
    for number, code in codes.items():
        case(f"GATT/CL/{group}/BI-{number}-C")(partial(_with_code, body=body, code=code))


async def _with_code(lab: ClientLab, *, body: Callable[[ClientLab, int], Any], code: int) -> None:
    await body(lab, code)
    await lab.goes_on()


@case("GATT/CL/GAR/BV-01-C")
async def a_value(lab: ClientLab) -> None:
    assert await lab.bleak.read_gatt_char(lab.characteristic(SHORT)) == b"short"
    assert lab.received == [b"\x0a" + u16(SHORT)]
    lab.server.put(SHORT, 0xFF01, b"")
    assert await lab.bleak.read_gatt_char(lab.characteristic(SHORT)) == b""


async def read_refused(lab: ClientLab, code: int) -> None:
    lab.server.refuse(0x0A, code)
    await lab.refused(lab.bleak.read_gatt_char(lab.characteristic(SHORT)), code)
    assert lab.received == [b"\x0a" + u16(SHORT)], "neither repeated nor paired for"


errors(
    "GAR",
    {
        "01": INVALID_HANDLE,
        "02": READ_NOT_PERMITTED,
        "03": AUTHORIZATION,
        "04": AUTHENTICATION,
        "05": KEY_SIZE,
    },
    read_refused,
)


@case("GATT/CL/GAR/BI-35-C")
async def a_value_that_this_transport_does_not_give(lab: ClientLab) -> None:
    # Whatever code a server has for it: errors of the protocol, of the application, of profiles.
    for code in (0x06, 0x0E, 0x80, 0x9F, 0xFC, 0xFF):
        lab.server.forget()
        await read_refused(lab, code)
    await lab.goes_on()


@case("GATT/CL/GAR/BV-03-C")
async def values_by_uuid(lab: ClientLab) -> None:
    found = await lab.client.run(procedures.read_by_uuid(Uuid(0xFF01)))
    assert found == ((SHORT, b"short"),)
    assert lab.received == [b"\x08\x01\x00\xff\xff\x01\xff"]
    lab.server.forget()
    found = await lab.client.run(procedures.read_by_uuid(Uuid(0x2A19), 0x0020, 0x0090))
    assert found == ((0x0024, b"\x64"), (0x0082, b"\x32"))
    wide = Uuid.parse("6e400002-b5a3-f393-e0a9-e50e24dcca9e")
    assert await lab.client.run(procedures.read_by_uuid(wide)) == ((0x0072, b"wide"),)
    assert lab.received == [
        b"\x08\x20\x00\x90\x00\x19\x2a",
        b"\x08\x01\x00\xff\xff" + wide.to_bytes(),
    ]


async def read_by_uuid_refused(lab: ClientLab, code: int) -> None:
    lab.server.refuse(0x08, code, handle=SHORT)
    await refused(lab, procedures.read_by_uuid(Uuid(0xFF01)), code)
    assert lab.received == [b"\x08\x01\x00\xff\xff\x01\xff"]


errors(
    "GAR",
    {
        "06": READ_NOT_PERMITTED,
        "07": NOT_FOUND,
        "09": AUTHORIZATION,
        "10": AUTHENTICATION,
        "11": KEY_SIZE,
    },
    read_by_uuid_refused,
)


@case("GATT/CL/GAR/BV-04-C")
async def a_long_value(lab: ClientLab) -> None:
    assert await lab.bleak.read_gatt_char(lab.characteristic(LONG)) == LONG_VALUE
    blob = b"\x0c" + u16(LONG)
    assert lab.received == [b"\x0a" + u16(LONG), blob + u16(22), blob + u16(44)]
    # One whose last part is full is only known to end by an empty one.
    lab.server.put(LONG, 0xFF02, LONG_VALUE[:44])
    lab.server.forget()
    assert await lab.bleak.read_gatt_char(lab.characteristic(LONG)) == LONG_VALUE[:44]
    assert lab.received == [b"\x0a" + u16(LONG), blob + u16(22), blob + u16(44)]


async def long_read_refused(lab: ClientLab, code: int) -> None:
    lab.server.refuse(0x0C, code)
    await lab.refused(lab.bleak.read_gatt_char(lab.characteristic(LONG)), code)
    assert lab.received == [b"\x0a" + u16(LONG), b"\x0c" + u16(LONG) + u16(22)]


errors(
    "GAR",
    {
        "12": READ_NOT_PERMITTED,
        "14": INVALID_HANDLE,
        "15": AUTHORIZATION,
        "16": AUTHENTICATION,
        "17": KEY_SIZE,
    },
    long_read_refused,
)


@case("GATT/CL/GAR/BI-13-C")
async def a_part_from_beyond_the_end(lab: ClientLab) -> None:
    await refused(lab, procedures.read_part(LONG, 100), INVALID_OFFSET)
    assert lab.received == [b"\x0c" + u16(LONG) + u16(100)]
    # To a whole read it is the end of the value: nothing lies where it asked.
    lab.server.forget()
    lab.server.refuse(0x0C, INVALID_OFFSET)
    assert await lab.bleak.read_gatt_char(lab.characteristic(LONG)) == LONG_VALUE[:22]
    assert lab.received == [b"\x0a" + u16(LONG), b"\x0c" + u16(LONG) + u16(22)]
    await lab.goes_on()


@case("GATT/CL/GAR/BV-05-C")
async def several_values(lab: ClientLab) -> None:
    octets = await lab.client.run(procedures.read_multiple([SHORT, PRESENTED]))
    assert octets == b"short\xc5\xf6"
    assert lab.received == [b"\x0e" + u16(SHORT) + u16(PRESENTED)]


@case("GATT/CL/GAR/BV-08-C")
async def several_values_with_their_lengths(lab: ClientLab) -> None:
    values = await lab.client.run(procedures.read_multiple_variable([SHORT, PRESENTED]))
    assert values == (b"short", b"\xc5\xf6")
    assert lab.received == [b"\x20" + u16(SHORT) + u16(PRESENTED)]
    # What did not fit into the response is cut, and its length says so to the server only.
    values = await lab.client.run(procedures.read_multiple_variable([SHORT, LONG]))
    assert values == (b"short", LONG_VALUE[:13])


async def several_refused(
    lab: ClientLab, code: int, opcode: int, ask: Callable[[Sequence[int]], Any]
) -> None:
    handles = [SHORT, PRESENTED]
    lab.server.answers[opcode] = lambda pdu: error(pdu, code, PRESENTED)
    await refused(lab, ask(handles), code)
    assert lab.received == [bytes((opcode,)) + u16(SHORT) + u16(PRESENTED)]


errors(
    "GAR",
    {
        "18": READ_NOT_PERMITTED,
        "19": INVALID_HANDLE,
        "20": AUTHORIZATION,
        "21": AUTHENTICATION,
        "22": KEY_SIZE,
    },
    partial(several_refused, opcode=0x0E, ask=procedures.read_multiple),
)
errors(
    "GAR",
    {
        "36": READ_NOT_PERMITTED,
        "38": INVALID_HANDLE,
        "40": AUTHORIZATION,
        "42": AUTHENTICATION,
        "44": KEY_SIZE,
    },
    partial(several_refused, opcode=0x20, ask=procedures.read_multiple_variable),
)


@case("GATT/CL/GAR/BV-06-C")
async def a_descriptor(lab: ClientLab) -> None:
    assert await lab.bleak.read_gatt_descriptor(0x0033) == b"described"
    assert lab.received == [b"\x0a\x33\x00"]


@case("GATT/CL/GAR/BV-07-C")
async def a_long_descriptor(lab: ClientLab) -> None:
    assert await lab.bleak.read_gatt_descriptor(0x0036) == DESCRIBED
    assert lab.received == [b"\x0a\x36\x00", b"\x0c\x36\x00\x16\x00", b"\x0c\x36\x00\x2c\x00"]
