"""Broadcast and discoverable modes, and what advertising data is made of: BROB, DISC, ADV."""

import asyncio

from tests.conformance.gap.registry import case, device
from tests.conformance.official.lab import Lab
from tests.support.raw_scanner import (
    ADV_IND,
    ADV_NONCONN_IND,
    ADV_SCAN_IND,
    SCAN_RSP,
    RawScanner,
    Report,
    structures,
)

FLAGS = 0x01
LIMITED, GENERAL, NO_BR_EDR = 0x01, 0x02, 0x04


async def heard(lab: Lab, seconds: float = 2.0, *, active: bool = True) -> list[Report]:
    """What a scanner hears of the device in some seconds."""
    async with RawScanner(lab.link, active=active) as scanner:
        await asyncio.sleep(seconds)
        return [one for one in scanner.reports if one.address == lab.device.address]


def flags(report: Report) -> int:
    """The flags of an advertisement, 0 where it has none."""
    found = [octets for kind, octets in structures(report.data) if kind == FLAGS]
    assert len(found) <= 1
    return found[0][0] if found else 0


async def advertises(lab: Lab, kind: int, discoverable: int) -> None:
    """It is heard all the time, as that PDU, with those bits of the discoverable modes."""
    reports = [one for one in await heard(lab) if one.kind != SCAN_RSP]
    assert len(reports) >= 15
    assert {one.kind for one in reports} == {kind}
    for one in reports:
        assert flags(one) & (LIMITED | GENERAL) == discoverable
        assert not discoverable or flags(one) & NO_BR_EDR, "it does not do BR/EDR"
    lab.can_serve = kind == ADV_IND


BEACON = (
    "connectable: false, discoverable: none, name: false, manufacturer_data: {0x0059: 01 02 03}"
)


@case("GAP/BROB/BCST/BV-01-C", on=device(BEACON))
async def broadcast_that_cannot_be_connected(lab: Lab) -> None:
    await advertises(lab, ADV_NONCONN_IND, 0)
    (report, *_) = await heard(lab)
    assert (0xFF, b"\x59\x00\x01\x02\x03") in structures(report.data)
    assert SCAN_RSP not in {one.kind for one in await heard(lab)}


@case("GAP/BROB/BCST/BV-02-C", on=device(BEACON + ", scan_response: {name: Sender}"))
async def broadcast(lab: Lab) -> None:
    await advertises(lab, ADV_SCAN_IND, 0)
    answers = [one for one in await heard(lab) if one.kind == SCAN_RSP]
    assert answers
    assert structures(answers[0].data) == [(0x09, b"Sender")]
    assert SCAN_RSP not in {one.kind for one in await heard(lab, active=False)}


@case("GAP/DISC/NONM/BV-01-C", on=device("connectable: false, discoverable: none"))
async def neither_discoverable_nor_connectable(lab: Lab) -> None:
    await advertises(lab, ADV_NONCONN_IND, 0)


@case("GAP/DISC/NONM/BV-02-C", on=device("discoverable: none"))
async def connectable_and_not_discoverable(lab: Lab) -> None:
    await advertises(lab, ADV_IND, 0)


async def limited(lab: Lab, kind: int) -> None:
    """It is discoverable for 180 s at the most, and not so without an end."""
    await advertises(lab, kind, LIMITED)
    reports = await heard(lab, 300)
    last = [one.at for one in reports if flags(one) & LIMITED][-1]
    assert 30 <= last <= 181
    assert not [one for one in await heard(lab, 60) if flags(one) & (LIMITED | GENERAL)]
    lab.can_serve = False


@case("GAP/DISC/LIMM/BV-03-C", on=device("connectable: false, discoverable: limited"))
async def limited_not_connectable(lab: Lab) -> None:
    await limited(lab, ADV_NONCONN_IND)


@case("GAP/DISC/LIMM/BV-04-C", on=device("discoverable: limited"))
async def limited_connectable(lab: Lab) -> None:
    await limited(lab, ADV_IND)


@case("GAP/DISC/GENM/BV-03-C", on=device("connectable: false"))
async def general_not_connectable(lab: Lab) -> None:
    await advertises(lab, ADV_NONCONN_IND, GENERAL)


@case("GAP/DISC/GENM/BV-04-C", on=device())
async def general_connectable(lab: Lab) -> None:
    await advertises(lab, ADV_IND, GENERAL)


async def carries(lab: Lab, *expected: tuple[int, bytes]) -> None:
    """Advertisement or scan response hold those AD structures, and all are well formed."""
    reports = await heard(lab)
    assert reports
    found = {one for report in reports for one in structures(report.data)}
    assert found >= set(expected)
    assert all(len(report.data) <= 31 for report in reports)


UUID_128 = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
UUID_128_OCTETS = bytes.fromhex("9ecadc240ee5a9e093f3a3b5" + "0100406e")


@case(
    "GAP/ADV/BV-01-C",
    on=device(
        f"services: [0x180D, 0x180F], name: false, scan_response: {{services: [{UUID_128}]}}"
    ),
)
async def service_uuids(lab: Lab) -> None:
    await carries(lab, (0x03, b"\x0d\x18\x0f\x18"), (0x07, UUID_128_OCTETS))


@case("GAP/ADV/BV-02-C", on=device("name: Näher"))
async def local_name(lab: Lab) -> None:
    await carries(lab, (0x09, "Näher".encode()))


@case("GAP/ADV/BV-03-C", on=device())
async def flags_of_le(lab: Lab) -> None:
    await carries(lab, (0x01, b"\x06"))


@case("GAP/ADV/BV-04-C", on=device("manufacturer_data: {0x0059: AA BB CC}"))
async def manufacturer_specific_data(lab: Lab) -> None:
    await carries(lab, (0xFF, b"\x59\x00\xaa\xbb\xcc"))


@case("GAP/ADV/BV-05-C", on=device("tx_power: -20"))
async def tx_power_level(lab: Lab) -> None:
    await carries(lab, (0x0A, b"\xec"))


@case("GAP/ADV/BV-10-C", on=device("service_data: {battery: 64}"))
async def service_data(lab: Lab) -> None:
    await carries(lab, (0x16, b"\x0f\x18\x64"))


@case("GAP/ADV/BV-11-C", on=device("appearance: true"))
async def appearance(lab: Lab) -> None:
    await carries(lab, (0x19, b"\x41\x03"))


for number, kind, octets in (
    ("08", 0x12, b"\x06\x00\x0c\x00"),  # 7.5 ms to 15 ms
    ("09", 0x14, b"\x0d\x18\x0f\x18"),
    ("12", 0x17, bytes.fromhex("665544332211")),
    ("13", 0x18, bytes.fromhex("6655443322c1")),
    ("14", 0x1A, b"\xa0\x00"),  # 100 ms
    ("17", 0x24, b"\x16//example.com"),  # 0x16 stands for http:
    ("18", 0x2F, b"\xa0\x00\x00"),
    ("19", 0x27, b"\x01"),
):

    async def structure(lab: Lab, kind: int = kind, octets: bytes = octets) -> None:
        await carries(lab, (kind, octets))

    text = f"name: false, structures: {{0x{kind:02X}: {octets.hex(' ')}}}"
    case(f"GAP/ADV/BV-{number}-C", on=device(text))(structure)
