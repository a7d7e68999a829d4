"""How long a PDU may be (Vol 3, Part F, 3.4.2; Vol 3, Part G, 4.3.1)."""

from collections.abc import AsyncIterator

from bletest.conformance import raw
from bletest.conformance.registry import Flaw, Phase, check
from bletest.conformance.steps import DEFAULT_MTU, value_handle_of
from bletest.conformance.subjects import characteristics, device, readable
from bletest.conformance.values import is_long
from bletest.contracts.capabilities import Capability
from bletest.contracts.client import Client
from bletest.profile.expectation import CharacteristicExpectation, DeviceExpectation

_RAW = frozenset({Capability.RAW_ATT})


@check(
    "mtu.bounds",
    title="ATT_MTU is no more than the device offers and no less than 23",
    phase=Phase.MTU,
    subjects=device,
    paragraph="Vol 3, Part F, 3.4.2.2; Vol 3, Part G, 5.2.1",
)
async def bounds(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """What client and device agreed on when they connected."""
    most = max(subject.mtu, DEFAULT_MTU)
    if not DEFAULT_MTU <= client.mtu <= most:
        yield Flaw(f"an ATT_MTU from {DEFAULT_MTU} to {most}", f"{client.mtu}")


@check(
    "mtu.exchange",
    title="The device offers the MTU that the profile says",
    phase=Phase.MTU,
    subjects=device,
    official=("GATT/SR/GAC/BV-01-C",),
    paragraph="Vol 3, Part F, 3.4.2.2",
    needs=_RAW,
)
async def exchange(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Asked again for the MTU in use, so that nothing changes; 0x06 where 23 is all it knows."""
    most = max(subject.mtu, DEFAULT_MTU)
    answer = await client.exchange(raw.mtu_request(client.mtu))
    if raw.error_of(answer, raw.MTU_REQUEST) == (0, 0x06):
        # a client asks once a connection, and a server may insist on it (3.4.2.1)
        if client.mtu > DEFAULT_MTU or most == DEFAULT_MTU:
            return
    elif answer and answer[0] == raw.MTU_RESPONSE and len(answer) == 3:
        offered = int.from_bytes(answer[1:], "little")
        if offered == most:
            return
        yield Flaw(f"Server Rx MTU {most}", f"{offered}")
        return
    yield Flaw(f"Exchange MTU Response with Server Rx MTU {most}", raw.seen(answer))


@check(
    "mtu.too_small",
    title="A client's MTU below 23 changes nothing and breaks nothing",
    phase=Phase.MTU,
    subjects=device,
    paragraph="Vol 3, Part F, 3.4.2.1",
    needs=_RAW,
)
async def too_small(client: Client, subject: DeviceExpectation) -> AsyncIterator[Flaw]:
    """Answered or refused, and the server goes on; a new connection begins afresh."""
    for offer in (0, 22):
        for flaw in await raw.unanswered(client, raw.mtu_request(offer)):
            yield flaw
    for flaw in await raw.not_alive(client, "after an MTU below 23"):
        yield flaw
    await client.reconnect()


@check(
    "mtu.read_response",
    title="A Read Response of a long value is as long as ATT_MTU",
    phase=Phase.MTU,
    subjects=characteristics(lambda one: readable(one) and is_long(one.value)),
    official=("GATT/SR/GAC/BV-01-C",),
    paragraph="Vol 3, Part F, 3.4.4.4",
    needs=_RAW,
    secures=("read",),
)
async def read_response(client: Client, subject: CharacteristicExpectation) -> AsyncIterator[Flaw]:
    """The first ATT_MTU - 1 octets of the value, or all of it."""
    least = subject.value.min_length if subject.value.exact is None else len(subject.value.exact)
    answer = await client.exchange(raw.read(value_handle_of(client, subject)))
    length = len(answer) - 1 if answer and answer[0] == raw.READ + 1 else -1
    if not min(least, client.mtu - 1) <= length <= client.mtu - 1:
        yield Flaw(
            f"{min(least, client.mtu - 1)} octets of the value, or up to {client.mtu - 1}",
            raw.seen(answer),
        )
