"""Connections: many of them, and from whom nobody knows."""

from tests.conformance.official.lab import Lab, error, u16
from tests.conformance.robustness.registry import case


@case("connect_disconnect_cycles")
async def connect_disconnect_cycles(lab: Lab) -> None:
    for cycle in range(8):
        for number in range(1, 6):
            tester = await lab.tester(number, discover=cycle == number == 1)
            assert tester.is_connected
            await lab.dismiss()
    tester = await lab.tester()
    for _ in range(40):
        await tester.disconnect()
        await tester.connect()
    assert await tester.read(tester.at("plain")) == b"plain"


@case("unresolvable_rpa")
async def unresolvable_rpa(lab: Lab) -> None:
    friend = await lab.tester(pair=True)
    await friend.disconnect()
    # Resolvable by its top bits (0b01), but by no key that the device has.
    stranger = await lab.tester(address="5A:11:22:33:44:55")
    handle = stranger.at("encrypted")
    request = b"\x0a" + u16(handle)
    assert await stranger.ask(request) in [error(request, handle, one) for one in (0x05, 0x0F)]
    assert await stranger.read(stranger.at("plain")) == b"plain"
    await stranger.disconnect()
    await friend.connect()
    await friend.encrypt()
    assert await friend.read(friend.at("encrypted")) == b"hidden"
