"""What a server sends by itself, and what a client tells of itself: GAN, GAI, GAS, GPA."""

import asyncio

import pytest

from bletest.att import procedures
from bletest.errors import AttributeRefused
from bletest.profile.presentation import Quantity
from bletest.uuids import Uuid
from tests.conformance.client.registry import ClientLab, case
from tests.support.scripted_server import AGGREGATE, INDICATED, NOTIFIED, PRESENTED, u16

CONFIRMATION = b"\x1e"
SERVICE_CHANGED, CLIENT_FEATURES, DATABASE_HASH, BATTERY = 0x0012, 0x0015, 0x0017, 0x0024
ROBUST_CACHING, MULTIPLE_NOTIFICATIONS = 0x01, 0x04


async def listening(lab: ClientLab, handle: int) -> list[bytes]:
    """Subscribe; return where what comes is put."""
    heard: list[bytes] = []
    await lab.bleak.start_notify(
        lab.characteristic(handle), lambda _, value: heard.append(bytes(value))
    )
    return heard


@case("GATT/CL/GAN/BV-01-C")
async def a_notification(lab: ClientLab) -> None:
    heard = await listening(lab, NOTIFIED)
    assert lab.received == [b"\x12\x3b\x00\x01\x00"]
    for value in (b"", b"one", bytes(20)):
        lab.server.send(b"\x1b" + u16(NOTIFIED) + value)
    await asyncio.sleep(1)
    assert heard == [b"", b"one", bytes(20)]
    assert len(lab.received) == 1, "nothing answers a notification"
    await lab.bleak.stop_notify(lab.characteristic(NOTIFIED))
    assert lab.received[1:] == [b"\x12\x3b\x00\x00\x00"]


@case("GATT/CL/GAN/BV-02-C")
async def several_values_in_one_notification(lab: ClientLab) -> None:
    first, second = await listening(lab, NOTIFIED), await listening(lab, BATTERY)
    lab.server.forget()
    values = u16(NOTIFIED) + b"\x03\x00one" + u16(BATTERY) + b"\x01\x00\x63"
    lab.server.send(b"\x23" + values + u16(NOTIFIED) + b"\x00\x00")
    await asyncio.sleep(1)
    assert (first, second) == ([b"one", b""], [b"\x63"])
    assert lab.received == []


@case("GATT/CL/GAI/BV-01-C")
async def an_indication(lab: ClientLab) -> None:
    heard = await listening(lab, INDICATED)
    assert lab.received == [b"\x12\x3e\x00\x02\x00"]
    lab.server.forget()
    for value in (b"", b"one", bytes(20)):
        lab.server.send(b"\x1d" + u16(INDICATED) + value)
        await asyncio.sleep(1)
    assert heard == [b"", b"one", bytes(20)]
    assert lab.received == [CONFIRMATION] * 3


@case("GATT/CL/GAI/BI-01-C")
async def two_indications_at_once(lab: ClientLab) -> None:
    heard = await listening(lab, INDICATED)
    lab.server.forget()
    lab.server.send(b"\x1d" + u16(INDICATED) + b"one")
    lab.server.send(b"\x1d" + u16(INDICATED) + b"two")
    await asyncio.sleep(1)
    assert heard[0] == b"one"
    assert lab.received[0] == CONFIRMATION
    assert set(lab.received) == {CONFIRMATION}
    await lab.goes_on()
    lab.server.forget()
    lab.server.send(b"\x1d" + u16(INDICATED) + b"three")
    await asyncio.sleep(1)
    assert heard[-1] == b"three"
    assert lab.received == [CONFIRMATION]


@case("GATT/CL/GAS/BV-01-C")
async def service_changed(lab: ClientLab) -> None:
    heard = await listening(lab, SERVICE_CHANGED)
    assert lab.received == [b"\x12\x13\x00\x02\x00"]
    lab.server.forget()
    lab.server.put(0x0090, 0x2800, b"\x0a\x18")
    lab.server.put(0x0091, 0x2803, b"\x02\x92\x00\x29\x2a")
    lab.server.put(0x0092, 0x2A29, b"Maker")
    lab.server.send(b"\x1d" + u16(SERVICE_CHANGED) + b"\x90\x00\x92\x00")
    await asyncio.sleep(1)
    assert heard == [b"\x90\x00\x92\x00"]
    assert lab.received == [CONFIRMATION]
    await lab.client.discover()
    assert (await lab.client.read(0x0092)).raw == b"Maker"
    # The subscription has survived the discovery.
    lab.server.send(b"\x1d" + u16(SERVICE_CHANGED) + b"\x01\x00\xff\xff")
    await asyncio.sleep(1)
    assert heard[1:] == [b"\x01\x00\xff\xff"]


@case("GATT/CL/GAS/BV-02-C")
async def the_database_hash(lab: ClientLab) -> None:
    found = await lab.client.run(procedures.read_by_uuid(Uuid(0x2B2A)))
    assert lab.received == [b"\x08\x01\x00\xff\xff\x2a\x2b"]
    assert found == ((DATABASE_HASH, bytes(range(0xF0, 0x100))),)


async def announce(lab: ClientLab, bit: int) -> None:
    """Write a bit of Client Supported Features; those that are set stay set."""
    known = (await lab.client.read(CLIENT_FEATURES)).raw
    await lab.client.write(CLIENT_FEATURES, bytes((known[0] | bit,)) + known[1:])


@case("GATT/CL/GAS/BV-03-C")
async def robust_caching(lab: ClientLab) -> None:
    await announce(lab, ROBUST_CACHING)
    assert lab.received[-1] == b"\x12" + u16(CLIENT_FEATURES) + b"\x01"
    # And it understands what such a client is told: out of sync, until it has discovered.
    lab.server.refuse(0x0A, 0x12)
    with pytest.raises(AttributeRefused) as caught:
        await lab.client.read(BATTERY)
    assert caught.value.code == 0x12
    lab.server.answers.clear()
    lab.server.put(0x0083, 0x2901, b"new")
    lab.server.forget()
    [(_, value)] = await lab.client.run(procedures.read_by_uuid(Uuid(0x2B2A)))
    assert len(value) == 16
    await lab.client.discover()
    assert (await lab.client.read_descriptor(0x0083)).raw == b"new"


@case("GATT/CL/GAS/BV-05-C")
async def multiple_notifications(lab: ClientLab) -> None:
    lab.server.put(CLIENT_FEATURES, 0x2B29, b"\x01")
    await announce(lab, MULTIPLE_NOTIFICATIONS)
    assert lab.received[-1] == b"\x12" + u16(CLIENT_FEATURES) + b"\x05"
    # And it takes what it has announced.
    await several_values_in_one_notification(lab)


@case("GATT/CL/GPA/BV-11-C")
async def an_aggregate_format(lab: ClientLab) -> None:
    found = await lab.client.presented(AGGREGATE)
    assert found == (Quantity(0x0E10, Uuid(0x2703)), Quantity(42, Uuid(0x27AD)))
    assert set(lab.received) == {b"\x0a" + u16(one) for one in (AGGREGATE, 0x47, 0x48, 0x49)}


@case("GATT/CL/GPA/BV-12-C")
async def a_presentation_format(lab: ClientLab) -> None:
    assert await lab.client.presented(PRESENTED) == (Quantity(-23.63, Uuid(0x272F)),)
    assert set(lab.received) == {b"\x0a" + u16(PRESENTED), b"\x0a\x44\x00"}
