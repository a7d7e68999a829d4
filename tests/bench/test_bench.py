"""The bench as the plugin uses it, and with both its radios behind HCI ports."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bletest import profile
from bletest.att.handlers import AttRefusal
from bletest.bench.bench import Bench
from bletest.bench.settings import DeviceSelector, SelectBy, Settings
from bletest.contracts.capabilities import Capability
from bletest.contracts.events import AttPdu, Event, LinkEvent
from bletest.errors import (
    AdapterUnusable,
    BenchTrouble,
    CapabilityMissing,
    DeviceNotFound,
    EmulationError,
)
from bletest.link import clock
from bletest.link.hci_port import HciPort
from bletest.link.virtual import VirtualLink
from bletest.peripheral.characteristic import Trigger

STRAP = profile.load(profile.shipped()["heart_rate"])
LED = profile.load(profile.shipped()["led_button"])


def test_one_adapter_serves_one_device_after_the_other() -> None:
    async def main() -> None:
        async with Bench(Settings(seed=1)) as bench:
            adapter = await bench.adapter()
            for one in (STRAP, LED, STRAP):
                async with bench.device(one) as device:
                    client = await bench.connect(device)
                    assert client.database.services
                    await bench.release(client)
            assert await bench.adapter() is adapter

    clock.run(main())


def test_the_address_of_an_emulated_device_repeats_with_the_seed() -> None:
    async def address(seed: int) -> str:
        async with Bench(Settings(seed=seed)) as bench, bench.device(STRAP) as device:
            return device.address

    assert clock.run(address(1)) == clock.run(address(1)) != clock.run(address(2))


def test_two_devices_of_one_profile_are_not_alike() -> None:
    async def addresses() -> list[str]:
        async with Bench(Settings(seed=1)) as bench, bench.device(STRAP) as one:
            async with bench.device(STRAP) as other:
                seen = [one.address, other.address]
            async with bench.device(STRAP) as other:
                return [*seen, other.address]

    one, other, third = clock.run(addresses())
    assert one != other == third


def test_what_goes_over_the_link_is_recorded_while_somebody_records() -> None:
    async def main() -> list[Event]:
        events: list[Event] = []
        async with Bench(Settings(seed=1)) as bench, bench.device(STRAP) as device:
            client = await bench.connect(device)
            with bench.recording(events.append):
                await client.read("body_sensor_location")
            await client.read("body_sensor_location")
        return events

    events = clock.run(main())
    assert [event.pdu[0] for event in events if isinstance(event, AttPdu)] == [0x0A, 0x0B]
    assert not any(isinstance(event, LinkEvent) for event in events)


def test_an_absent_device_is_told_with_what_was_seen_instead() -> None:
    async def main() -> None:
        async with (
            Bench(Settings(seed=1)) as bench,
            bench.device(LED),
            bench.device(STRAP) as strap,
        ):
            strap.selector = DeviceSelector(SelectBy.NAME, "Thermo-1")
            with pytest.raises(DeviceNotFound, match=r'"Thermo-1" was not seen in 3 s.*HR-Strap'):
                await bench.connect(strap)

    clock.run(main())


def test_a_handler_that_raised_is_told_when_the_device_goes() -> None:
    async def main() -> None:
        def broken(_: object) -> None:
            raise RuntimeError("no sensor")

        async with Bench(Settings(seed=1)) as bench, bench.device(STRAP) as device:
            assert device.peripheral is not None
            device.peripheral["body_sensor_location"].callback(Trigger.READ, broken)
            client = await bench.connect(device)
            outcome = await client.attempt.read("body_sensor_location")
            assert outcome.code == 0x0E

    with pytest.raises(EmulationError, match="RuntimeError: no sensor"):
        clock.run(main())


def test_a_refusal_is_no_failure() -> None:
    async def main() -> None:
        def refuse(_: object) -> None:
            raise AttRefusal(0x80)

        async with Bench(Settings(seed=1)) as bench, bench.device(STRAP) as device:
            assert device.peripheral is not None
            device.peripheral["body_sensor_location"].callback(Trigger.READ, refuse)
            client = await bench.connect(device)
            assert (await client.attempt.read("body_sensor_location")).code == 0x80

    clock.run(main())


def test_an_adapter_that_cannot_be_opened_is_tried_once() -> None:
    async def main() -> None:
        tries = 0

        def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal tries
            tries += 1
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = Settings(
            adapter=f"tcp-client:127.0.0.1:{port}", device=DeviceSelector(SelectBy.NAME, "X")
        )
        async with server, Bench(settings) as bench:
            with pytest.raises(AdapterUnusable) as first:
                await bench.adapter()
            with pytest.raises(AdapterUnusable) as second:
                await bench.adapter()
            assert tries == 1
            assert str(first.value) == str(second.value)
            assert first.value.remedy
            assert first.value is not second.value  # else its traceback would grow each time

    asyncio.run(main())


def client_of(port: HciPort) -> str:
    """Return the transport that leads to a TCP port."""
    return f"tcp-client:{port.transport.partition(':')[2]}"


@asynccontextmanager
async def air_with_two_ports() -> AsyncIterator[tuple[str, str]]:
    air = VirtualLink(seed=1)
    async with (
        HciPort(air, "tcp-server:127.0.0.1:0") as one,
        HciPort(air, "tcp-server:127.0.0.1:0") as other,
    ):
        yield client_of(one), client_of(other)


def test_client_and_emulated_device_can_both_have_real_radios() -> None:
    async def main() -> None:
        async with (
            air_with_two_ports() as (one, other),
            Bench(Settings(adapter=one, emulate_on=other)) as bench,
            bench.device(STRAP) as device,
        ):
            assert bench.air is None
            client = await bench.connect(device)
            assert (await client.read("body_sensor_location")).raw == b"\x01"
            assert Capability.PERIPHERAL_CONTROL in client.capabilities
            await bench.release(client)

    asyncio.run(main())


def test_a_lost_adapter_is_opened_anew_for_the_next_test() -> None:
    async def main() -> None:
        air = VirtualLink(seed=1)
        async with HciPort(air, "tcp-server:127.0.0.1:0") as port:
            settings = Settings(adapter=client_of(port), device=DeviceSelector(SelectBy.NAME, "X"))
            async with Bench(settings) as bench:
                first = await bench.adapter()
                first.host.on_transport_lost()
                assert first.is_lost
                second = await bench.adapter()
                assert second is not first
                assert not second.is_lost

    asyncio.run(main())


def test_an_emulated_device_out_of_earshot_is_told_with_the_remedy() -> None:
    async def main() -> None:
        async with air_with_two_ports() as (one, _), Bench(Settings(adapter=one)) as bench:
            with pytest.raises(BenchTrouble, match="--ble-emulate-on"):
                async with bench.device(STRAP):
                    pass

    asyncio.run(main())


def test_a_reset_is_a_matter_of_who_can_do_it() -> None:
    async def main() -> None:
        async with Bench(Settings(seed=1)) as bench, bench.device(LED) as device:
            client = await bench.connect(device)
            await client.write("led", b"\x01")
            await device.reset()
            await client.reconnect()
            assert (await client.read("led")).raw == b"\x00"
            device.peripheral = None
            with pytest.raises(CapabilityMissing, match="cannot be reset"):
                await device.reset()

    clock.run(main())
