"""Host stacks that are not ours, on an air with a link model."""

import asyncio

import pytest
from bumble import core
from bumble.device import Peer

from bletest.link.clock import run
from bletest.link.hci_port import HciPort
from bletest.link.model import make_model
from bletest.link.virtual import VirtualLink
from tests.link.support import now, plain_device
from tests.link.test_hci_port import foreign_device, peripheral_on
from tests.link.test_plain_bumble import read_battery


async def read_ten(central, peripheral) -> tuple[bytes, float, float]:
    """Return the value, the seconds ten reads took, and the interval that the host was told."""
    connection = await central.connect(peripheral.random_address)
    peer = Peer(connection)
    value = await read_battery(peer)
    (level,) = peer.get_characteristics_by_uuid(core.UUID("2A19"))
    start = now()
    for _ in range(10):
        await level.read_value()
    took = now() - start
    interval = connection.parameters.connection_interval
    await connection.disconnect()
    return value, took, interval


@pytest.mark.parametrize("model", [{"interval": "50ms"}, {"interval": "50ms", "data_length": 27}])
def test_plain_bumble_on_both_sides_feels_the_model(model):
    async def main():
        link = VirtualLink()
        link.radio.use(make_model(**model))
        peripheral = await peripheral_on(link)
        central = await plain_device(link, "central", "C0:00:00:00:00:02")
        return await read_ten(central, peripheral)

    value, took, interval = run(main())
    assert (value, interval) == (b"\x2a", 50)
    assert took == pytest.approx(10 * 2 * 0.05, rel=0.02)


def test_plain_bumble_gets_everything_through_a_lossy_air():
    async def main():
        link = VirtualLink(seed=1)  # with which the connection request gets through
        link.radio.use(make_model(loss=0.3, data_length=27, supervision_timeout="10s"))
        peripheral = await peripheral_on(link)
        central = await plain_device(link, "central", "C0:00:00:00:00:02")
        return await read_ten(central, peripheral)

    assert run(main())[0] == b"\x2a"


def test_a_host_behind_a_port_feels_the_model_in_real_time():
    async def main():
        link = VirtualLink()
        link.radio.use(make_model(interval="30ms"))
        peripheral = await peripheral_on(link)
        async with HciPort(link, "tcp-server:0") as port, foreign_device(port) as central:
            return await read_ten(central, peripheral)

    value, took, interval = asyncio.run(main())
    assert (value, interval) == (b"\x2a", 30)
    # A busy machine may be late for an anchor point, but never early.
    assert took > 10 * 2 * 0.03 - 0.03
