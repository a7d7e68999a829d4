"""After its keys are forgotten, a client is a stranger to the device."""

from bletest import profile
from bletest.bench.bench import Bench
from bletest.bench.settings import Settings
from bletest.link import clock

LOCK = profile.load(profile.shipped()["smart_lock"])


def test_a_client_that_forgot_its_keys_comes_back_under_another_address() -> None:
    async def main() -> None:
        async with Bench(Settings(seed=1)) as bench, bench.device(LOCK) as device:
            assert device.peripheral is not None
            client = await bench.connect(device, pair=True)
            (first,) = device.peripheral.clients
            await client.unpair()
            await client.reconnect()
            (second,) = device.peripheral.clients
            assert second != first
            assert client.is_encrypted is False
            outcome = await client.attempt.read("state")
            assert outcome.refused_with(0x05)  # no bond with this address, so not 0x0F
            await client.disconnect()

    clock.run(main())


def test_a_client_without_keys_keeps_its_address() -> None:
    async def main() -> None:
        async with Bench(Settings(seed=1)) as bench, bench.device(LOCK) as device:
            assert device.peripheral is not None
            client = await bench.connect(device)
            before = device.peripheral.clients
            await client.unpair()
            await client.reconnect()
            assert device.peripheral.clients == before
            await client.disconnect()

    clock.run(main())
