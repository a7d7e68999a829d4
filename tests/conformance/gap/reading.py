"""The GAP service: what it has, and what may be written: IDLE/NAMP, GAT."""

from functools import partial

from tests.conformance.gap.registry import case, device
from tests.conformance.official.lab import Lab, u16

gap_service = device(
    gap="writable: [name, appearance], "
    "preferred_parameters: {interval: [7.5ms, 15ms], latency: 2, supervision_timeout: 5s}, "
    "central_address_resolution: true, security_levels: 01 01"
)


async def readable(lab: Lab, uuid: int, value: bytes) -> None:
    """It is there once, and has that value, for whoever asks."""
    tester = await lab.tester()
    assert [one.uuid for one in tester.found].count(u16(uuid)) == 1
    assert tester.characteristic(uuid).properties & 0x02
    assert await tester.read(tester.at(uuid)) == value
    by_type = await tester.ask(b"\x08\x01\x00\xff\xff" + u16(uuid))
    assert by_type == bytes((0x09, 2 + len(value))) + u16(tester.at(uuid)) + value


case("GAP/IDLE/NAMP/BV-02-C", on=device())(partial(readable, uuid=0x2A00, value=b"GAP"))
case("GAP/GAT/BV-16-C", on=device())(partial(readable, uuid=0x2A00, value=b"GAP"))
case("GAP/GAT/BV-17-C", on=device())(partial(readable, uuid=0x2A01, value=b"\x41\x03"))
case("GAP/GAT/BV-04-C", on=gap_service)(
    partial(readable, uuid=0x2A04, value=bytes.fromhex("06000c000200f401"))
)


case("GAP/GAT/BV-12-C", on=gap_service)(partial(readable, uuid=0x2BF5, value=b"\x01\x01"))
case("GAP/GAT/BV-18-C", on=gap_service)(partial(readable, uuid=0x2AA6, value=b"\x01"))


async def writable(lab: Lab, uuid: int, value: bytes) -> None:
    """What is written is what all read afterwards."""
    tester, other = await lab.tester(1), await lab.tester(2)
    assert tester.characteristic(uuid).properties & 0x08
    await tester.write(tester.at(uuid), value)
    assert await tester.read(tester.at(uuid)) == value
    assert await other.read(other.at(uuid)) == value


case("GAP/GAT/BV-05-C", on=gap_service)(partial(writable, uuid=0x2A00, value=b"Renamed"))
case("GAP/GAT/BV-06-C", on=gap_service)(partial(writable, uuid=0x2A01, value=b"\xc1\x03"))
