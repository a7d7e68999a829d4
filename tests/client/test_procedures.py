"""Procedures that bleak has no call for, and values as their device says they are."""

import asyncio

import pytest

from bletest.att import procedures
from bletest.att.database import AttributeTable
from bletest.contracts.events import Direction
from bletest.errors import (
    AttributeMissing,
    AttributeRefused,
    CapabilityMissing,
    LinkLost,
    ProtocolViolation,
)
from bletest.profile.presentation import Quantity
from bletest.uuids import AGGREGATE_FORMAT, PRESENTATION_FORMAT, Uuid
from tests.client.support import in_virtual_time, open_bench

PERCENT = b"\x04\x00\xad\x27\x01\x00\x00"
SECONDS = b"\x06\x00\x03\x27\x01\x00\x00"


@in_virtual_time
async def test_any_procedure_can_be_run():
    async with open_bench() as bench, bench.client() as client:
        found = await client.run(procedures.read_by_uuid(Uuid(0x2A19)))
        assert found == ((bench.device.handle_of(0x2A19), b"\x64"),)


@in_virtual_time
async def test_a_procedure_that_is_refused_raises_the_code():
    async with open_bench() as bench, bench.client() as client:
        with pytest.raises(
            AttributeRefused, match="Multiple Request of handle 0x7777 was"
        ) as caught:
            await client.run(procedures.read_multiple([0x7777, 0x7778]))
        assert caught.value.code == 0x01
        assert client.is_connected


@in_virtual_time
async def test_who_leaves_a_procedure_has_its_prepared_writes_cancelled():
    async with open_bench(mtu=23) as bench, bench.client() as client:
        bench.device.mute.add(0x16)
        handle = bench.device.handle_of(0xFF01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await client.run(procedures.write_long(handle, bytes(40), mtu=23))
        bench.device.mute.clear()
        bench.device.send(b"\x17" + handle.to_bytes(2, "little") + bytes(20))
        assert (await client.read("battery_level")).raw == b"\x64"
        assert b"\x18\x00" in bench.device.received


@in_virtual_time
async def test_a_procedure_needs_a_link():
    async with open_bench() as bench:
        client = bench.client()
        with pytest.raises(LinkLost):
            await client.run(procedures.read(3))
        async with client:
            await bench.device.hang_up()
            with pytest.raises(LinkLost):
                await client.run(procedures.read(3))


@in_virtual_time
async def test_bleaks_own_adapters_run_no_procedures():
    async with open_bench() as bench, bench.client() as client:
        client.raw = None
        with pytest.raises(CapabilityMissing, match="cannot run procedures"):
            await client.run(procedures.read(3))


def table(*formats: bytes, value: bytes, aggregate: bytes | None = None) -> AttributeTable:
    made = AttributeTable()
    made.add_service(Uuid(0xFF00))
    made.add_characteristic(Uuid(0xFF01), ("read",), value)
    for one in formats:
        made.add_descriptor(PRESENTATION_FORMAT, one)
    if aggregate is not None:
        made.add_descriptor(AGGREGATE_FORMAT, aggregate)
    return made


@in_virtual_time
async def test_a_value_is_read_as_its_device_says_it_is():
    async with open_bench(table(PERCENT, value=b"\x2a")) as bench, bench.client() as client:
        assert await client.presented("0xFF01") == (Quantity(42, Uuid(0x27AD)),)
        reads = [pdu for pdu in bench.pdus(Direction.SENT) if pdu[0] == 0x0A]
        assert [pdu[1] for pdu in reads] == [4, 3]


@in_virtual_time
async def test_a_value_of_several_is_read_in_the_order_of_the_aggregate_format():
    made = table(PERCENT, SECONDS, value=b"\x01\x02\x2a", aggregate=b"\x05\x00\x04\x00")
    async with open_bench(made) as bench, bench.client() as client:
        assert await client.presented("0xFF01") == (
            Quantity(0x0201, Uuid(0x2703)),
            Quantity(42, Uuid(0x27AD)),
        )


@in_virtual_time
async def test_a_value_without_a_format_has_none():
    async with open_bench(table(value=b"\x2a")) as bench, bench.client() as client:
        with pytest.raises(AttributeMissing, match="no presentation format"):
            await client.presented("0xFF01")


@pytest.mark.parametrize(
    ("formats", "value", "aggregate", "message"),
    [
        ([PERCENT], b"\x01\x02", None, "1 octets more"),
        ([PERCENT[:6]], b"\x01", None, "has 7 octets, not 6"),
        ([b"\x77" + PERCENT[1:]], b"\x01", None, "0x77 is no format"),
        ([PERCENT], b"\x01", b"\x04\x00\x09\x00", "lists 0x0009"),
        ([PERCENT], b"\x01", b"\x04\x00\x04", "has 3 octets"),
    ],
)
def test_what_does_not_fit_its_format_is_a_violation(formats, value, aggregate, message):
    @in_virtual_time
    async def main():
        made = table(*formats, value=value, aggregate=aggregate)
        async with open_bench(made) as bench, bench.client() as client:
            with pytest.raises(ProtocolViolation, match=message):
                await client.presented("0xFF01")

    main()
