"""What a client keeps of a database, and how it learns that it is out of date: GAS."""

from tests.conformance.official.configuring import SERVICE_CHANGED, notification
from tests.conformance.official.lab import Lab, Tester, case, number_at, u16

FEATURES = 0x2B29
HASH = 0x2B2A
READ_HASH = b"\x08\x01\x00\xff\xff\x2a\x2b"


def change(lab: Lab) -> None:
    """Have the device change its database: a service goes, or comes back at other handles."""
    lab.change()


async def out_of_sync(tester: Tester, request: bytes) -> None:
    """That request is refused with Database Out Of Sync."""
    response = await tester.ask(request)
    assert response[:2] + response[4:] == bytes((0x01, request[0], 0x12)), response.hex()


def read_plain(tester: Tester) -> bytes:
    """A request at a handle that has not changed."""
    return b"\x0a" + u16(tester.at("plain"))


async def in_sync(tester: Tester) -> None:
    """That request is answered, and is so again."""
    for _ in range(2):
        assert await tester.ask(read_plain(tester)) == b"\x0bplain"


async def read_hash(tester: Tester) -> bytes:
    """Read the Database Hash in the way that is always allowed."""
    response = await tester.ask(READ_HASH)
    assert response[:4] == b"\x09\x12" + u16(tester.at(HASH)), response.hex()
    return response[4:]


async def caching(lab: Lab, *, pair: bool = False) -> Tester:
    """A tester that has said that it takes part in robust caching."""
    tester = await lab.tester(pair=pair)
    await tester.write(tester.at(FEATURES), b"\x01")
    await in_sync(tester)
    return tester


@case("GATT/SR/GAS/BV-02-C")
async def database_hash(lab: Lab) -> None:
    tester = await lab.tester()
    assert tester.characteristic(HASH).properties == 0x02
    before = await read_hash(tester)
    assert len(before) == 16
    assert before == await tester.database_hash()
    assert await tester.read(tester.at(HASH)) == before
    lab.device.remove_service("changing")
    during = await read_hash(tester)
    assert during == await tester.database_hash() != before
    lab.device.add_service("changing")
    after = await read_hash(tester)
    assert after == await tester.database_hash()
    assert len({before, during, after}) == 3


@case("GATT/SR/GAS/BV-03-C")
async def features_of_each_client(lab: Lab) -> None:
    tester, other = await lab.tester(1), await lab.tester(2)
    features = tester.at(FEATURES)
    assert tester.characteristic(FEATURES).properties == 0x0A
    assert await tester.read(features) == b"\x00"
    await tester.write(features, b"\xf9\xff")
    assert await tester.read(features) == b"\x01"
    assert await other.read(features) == b"\x00"
    await tester.disconnect()
    await tester.connect()
    assert await tester.read(features) == b"\x00"


@case("GATT/SR/GAS/BV-04-C")
async def features_of_a_bonded_client(lab: Lab) -> None:
    tester = await lab.tester(pair=True)
    await tester.write(tester.at(FEATURES), b"\x01")
    await tester.disconnect()
    await tester.connect()
    await tester.encrypt()
    assert await tester.read(tester.at(FEATURES)) == b"\x01"


@case("GATT/SR/GAS/BV-05-C")
async def out_of_sync_once(lab: Lab) -> None:
    tester = await caching(lab)
    await tester.write(tester.cccd("notifies"), b"\x01\x00")
    for _ in range(2):
        change(lab)
        tester.send(b"\x52" + u16(tester.at("plain")) + b"dropped")
        lab.device["notifies"].value(b"unseen")
        await tester.quiet()
        assert lab.device["plain"].value() == b"plain"
        await out_of_sync(tester, read_plain(tester))
        await in_sync(tester)
        lab.device["notifies"].value(b"seen")
        assert await notification(tester) == b"\x1b" + u16(tester.at("notifies")) + b"seen"
    request = b"\x12" + u16(tester.at(FEATURES))
    response = await tester.ask(request + b"\x00")
    assert response == b"\x01" + request + b"\x13"
    assert await tester.read(tester.at(FEATURES)) == b"\x01"
    # Each of these works at handles; and what discovers is always answered.
    plain = u16(tester.at("plain"))
    for at_handles in (
        b"\x0c" + plain + u16(1),
        b"\x0e" + plain + u16(tester.at("four")),
        b"\x20" + plain + u16(tester.at("four")),
        b"\x12" + plain + b"x",
        b"\x16" + plain + u16(0) + b"x",
        b"\x08" + plain + b"\xff\xff\x01\xff",
    ):
        change(lab)
        for discovering in (
            b"\x04\x01\x00\xff\xff",
            b"\x10\x01\x00\xff\xff\x00\x28",
            b"\x06\x01\x00\xff\xff\x00\x28\x00\xff",
            b"\x08\x10\x00\xff\xff\x03\x28",
            b"\x08\x01\x00\xff\xff\x01\xff",
        ):
            assert (await tester.ask(discovering))[0] == discovering[0] + 1
        await out_of_sync(tester, at_handles)
        await in_sync(tester)
    # Who takes no part in it never hears of it.
    other = await lab.tester(2)
    change(lab)
    await in_sync(other)


@case("GATT/SR/GAS/BV-06-C")
async def aware_on_the_same_connection(lab: Lab) -> None:
    tester = await caching(lab)
    change(lab)
    await read_hash(tester)
    await in_sync(tester)
    await tester.write(tester.cccd(SERVICE_CHANGED), b"\x02\x00")
    change(lab)
    indication = await notification(tester)
    assert indication[:3] == b"\x1d" + u16(tester.at(SERVICE_CHANGED))
    await out_of_sync(tester, read_plain(tester))
    tester.send(b"\x1e")
    await in_sync(tester)
    change(lab)
    await notification(tester)
    await tester.quiet()
    tester.send(b"\x1e")
    await in_sync(tester)
    # A change while the indication of the last one is unconfirmed: that one is told too.
    change(lab)
    await notification(tester)
    change(lab)
    await tester.quiet()
    tester.send(b"\x1e")
    await notification(tester)
    await out_of_sync(tester, read_plain(tester))
    tester.send(b"\x1e")
    await in_sync(tester)


@case("GATT/SR/GAS/BV-07-C")
async def aware_across_connections(lab: Lab) -> None:
    tester = await caching(lab, pair=True)

    async def reconnect(*, changed: bool) -> None:
        await tester.disconnect()
        if changed:
            change(lab)
        await tester.connect()
        await tester.encrypt()

    await reconnect(changed=False)
    await in_sync(tester)
    await reconnect(changed=True)
    await out_of_sync(tester, read_plain(tester))
    await reconnect(changed=False)
    await out_of_sync(tester, read_plain(tester))
    await read_hash(tester)
    await in_sync(tester)
    await reconnect(changed=False)
    await in_sync(tester)
    await tester.write(tester.cccd(SERVICE_CHANGED), b"\x02\x00")
    await reconnect(changed=True)
    indication = await notification(tester)
    assert indication[:3] == b"\x1d" + u16(tester.at(SERVICE_CHANGED))
    assert 1 <= number_at(indication, 3) <= number_at(indication, 5)
    await out_of_sync(tester, read_plain(tester))
    await reconnect(changed=False)
    assert await notification(tester) == indication
    tester.send(b"\x1e")
    await in_sync(tester)
    await reconnect(changed=False)
    await tester.quiet()
    await in_sync(tester)


@case("GATT/SR/GAS/BV-08-C")
async def read_multiple_variable_out_of_sync(lab: Lab) -> None:
    tester = await caching(lab)
    request = b"\x20" + u16(tester.at("plain")) + u16(tester.at("four"))
    expected = b"\x21" + u16(5) + b"plain" + u16(4) + b"\x00\x01\x02\x03"
    assert await tester.ask(request) == expected
    change(lab)
    await out_of_sync(tester, request)
    await read_hash(tester)
    assert await tester.ask(request) == expected
    change(lab)
    await read_hash(tester)
    assert await tester.ask(request) == expected
