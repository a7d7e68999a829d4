"""Writing values and descriptors: GAW."""

import asyncio

import pytest

from bletest.att import procedures
from bletest.errors import ProtocolViolation, UsageMistake
from tests.conformance.client.reading import (
    AUTHENTICATION,
    AUTHORIZATION,
    INVALID_HANDLE,
    INVALID_OFFSET,
    KEY_SIZE,
    errors,
)
from tests.conformance.client.registry import ClientLab, case, signing
from tests.support.scripted_server import COMMANDS, LONG, RELIABLE, SHORT, error, u16
from tests.support.signing import signature

WRITE_NOT_PERMITTED = 0x03
PARTS = [bytes(range(100, 118)), bytes(range(118, 136)), bytes(range(136, 150))]
VALUE = b"".join(PARTS)
"""50 octets: three parts of what a prepared write carries where ATT_MTU is 23."""
CANCEL, EXECUTE = b"\x18\x00", b"\x18\x01"


def prepared(handle: int) -> list[bytes]:
    """The requests that prepare the value."""
    return [b"\x16" + u16(handle) + u16(18 * at) + part for at, part in enumerate(PARTS)]


@case("GATT/CL/GAW/BV-01-C")
async def without_response(lab: ClientLab) -> None:
    await lab.bleak.write_gatt_char(lab.characteristic(COMMANDS), b"go", response=False)
    await asyncio.sleep(1)
    assert lab.received == [b"\x52" + u16(COMMANDS) + b"go"]
    assert lab.server.value(COMMANDS) == b"go"


@case("GATT/CL/GAW/BV-02-C", on=signing)
async def signed(lab: ClientLab) -> None:
    await lab.client.pair()
    keystore = lab.server.device.keystore
    assert keystore is not None
    [(_, keys)] = await keystore.get_all()
    assert keys.csrk is not None
    assert any(keys.csrk.value)
    with pytest.raises(UsageMistake, match="not encrypted"):
        lab.client.write_signed(COMMANDS, b"go")
    counter = 0
    for value in (b"go", b"", bytes(8)):
        # The counter goes on where it was on the link before.
        await lab.client.reconnect()
        lab.server.forget()
        for _ in range(2):
            lab.client.write_signed(COMMANDS, value)
        await asyncio.sleep(1)
        message = b"\xd2" + u16(COMMANDS) + value
        expected = []
        for _ in range(2):
            expected.append(message + signature(message, counter, keys.csrk.value))
            counter += 1
        assert lab.received == expected
        assert not lab.client.is_encrypted
    with pytest.raises(UsageMistake, match="8 octets"):
        lab.client.write_signed(COMMANDS, bytes(9))
    assert lab.received == expected


@case("GATT/CL/GAW/BV-03-C")
async def a_value(lab: ClientLab) -> None:
    await lab.bleak.write_gatt_char(lab.characteristic(SHORT), b"new", response=True)
    assert lab.received == [b"\x12" + u16(SHORT) + b"new"]
    assert lab.server.value(SHORT) == b"new"


async def write_refused(lab: ClientLab, code: int) -> None:
    lab.server.refuse(0x12, code)
    write = lab.bleak.write_gatt_char(lab.characteristic(SHORT), b"new", response=True)
    await lab.refused(write, code)
    assert lab.received == [b"\x12" + u16(SHORT) + b"new"]


errors(
    "GAW",
    {
        "02": INVALID_HANDLE,
        "03": WRITE_NOT_PERMITTED,
        "04": AUTHORIZATION,
        "05": AUTHENTICATION,
        "06": KEY_SIZE,
    },
    write_refused,
)


@case("GATT/CL/GAW/BV-05-C")
async def a_long_value(lab: ClientLab) -> None:
    await lab.bleak.write_gatt_char(lab.characteristic(LONG), VALUE, response=True)
    assert lab.received == [*prepared(LONG), EXECUTE]
    assert lab.server.value(LONG) == VALUE


async def long_write_refused(lab: ClientLab, code: int) -> None:
    before = lab.server.value(LONG)
    lab.server.refuse(0x16, code)
    write = lab.bleak.write_gatt_char(lab.characteristic(LONG), VALUE, response=True)
    await lab.refused(write, code)
    assert lab.received == [prepared(LONG)[0], CANCEL]
    # A server may take the first part and refuse the next, ...
    lab.server.answers[0x16] = lambda pdu: (
        error(pdu, code) if pdu[3:5] != b"\x00\x00" else lab.server.answer(pdu)
    )
    lab.server.forget()
    write = lab.bleak.write_gatt_char(lab.characteristic(LONG), VALUE, response=True)
    await lab.refused(write, code)
    assert lab.received == [*prepared(LONG)[:2], CANCEL]
    assert lab.server.prepared() == 0
    # ... or take all of them and refuse them in the end.
    lab.server.answers = {0x18: lambda pdu: error(pdu, code, LONG)}
    lab.server.forget()
    write = lab.bleak.write_gatt_char(lab.characteristic(LONG), VALUE, response=True)
    await lab.refused(write, code)
    assert lab.received == [*prepared(LONG), EXECUTE]
    assert lab.server.value(LONG) == before


errors(
    "GAW",
    {
        "07": INVALID_HANDLE,
        "08": WRITE_NOT_PERMITTED,
        "09": INVALID_OFFSET,
        "11": AUTHORIZATION,
        "12": AUTHENTICATION,
        "13": KEY_SIZE,
    },
    long_write_refused,
)


@case("GATT/CL/GAW/BV-06-C")
async def several_values_as_one(lab: ClientLab) -> None:
    values = [(RELIABLE, VALUE), (SHORT, b"new")]
    await lab.client.run(procedures.reliable_write(values, mtu=lab.client.mtu))
    last = b"\x16" + u16(SHORT) + u16(0) + b"new"
    assert lab.received == [*prepared(RELIABLE), last, EXECUTE]
    assert (lab.server.value(RELIABLE), lab.server.value(SHORT)) == (VALUE, b"new")


@case("GATT/CL/GAW/BI-32-C")
async def an_echo_that_differs(lab: ClientLab) -> None:
    values = [(RELIABLE, VALUE), (SHORT, b"new")]
    for at in (1, 3, 5, 22):  # the handle, the offset, the value, its end

        def echo(pdu: bytes, at: int = at) -> bytes:
            lab.server.answer(pdu)
            return b"\x17" + bytes(one ^ (i == at) for i, one in enumerate(pdu))[1:]

        lab.server.answers[0x16] = echo
        lab.server.forget()
        with pytest.raises(ProtocolViolation):
            await lab.client.run(procedures.reliable_write(values, mtu=lab.client.mtu))
        assert lab.received == [prepared(RELIABLE)[0], CANCEL]
        assert lab.server.prepared() == 0
    assert (lab.server.value(RELIABLE), lab.server.value(SHORT)) == (b"reliable", b"short")
    await lab.goes_on()


@case("GATT/CL/GAW/BV-08-C")
async def a_descriptor(lab: ClientLab) -> None:
    await lab.bleak.write_gatt_descriptor(0x0033, b"new")
    assert lab.received == [b"\x12\x33\x00new"]
    assert lab.server.value(0x0033) == b"new"


@case("GATT/CL/GAW/BV-09-C")
async def a_long_descriptor(lab: ClientLab) -> None:
    await lab.bleak.write_gatt_descriptor(0x0036, VALUE)
    assert lab.received == [*prepared(0x0036), EXECUTE]
    assert lab.server.value(0x0036) == VALUE
